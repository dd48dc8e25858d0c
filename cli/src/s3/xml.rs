//! XML answers, read whole: elements with text or with elements inside.

use crate::limits::{ANSWER_XML_BYTES_MAX, ANSWER_XML_DEPTH_MAX};
use quick_xml::{
    Reader,
    events::{BytesRef, Event},
};

/// An element.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The root of a document; `None` if it is not well-formed, too large or too deep.
    pub fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > ANSWER_XML_BYTES_MAX {
            return None;
        }
        let mut reader = Reader::from_str(std::str::from_utf8(body).ok()?);
        reader.config_mut().expand_empty_elements = true;
        // Elements that are open, the root's parent first.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() <= ANSWER_XML_DEPTH_MAX => open.push(Self {
                    name: start.name().as_ref().to_owned(),
                    ..Self::default()
                }),
                Event::End(_) => {
                    let closed = open.pop()?;
                    open.last_mut()?.children.push(closed);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => open.last_mut()?.text.push_str(&resolved(&reference)?),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if open.len() == 1 => return open.pop()?.children.into_iter().next(),
                _ => return None,
            }
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The elements of a name that it holds.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first element of a name that it holds.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.children
            .iter()
            .find(|child| child.name == name)
            .map(|child| child.text.as_str())
    }
}

/// What a reference stands for: `&amp;`, `&#xd;`.
fn resolved(reference: &BytesRef<'_>) -> Option<String> {
    if let Some(number) = reference.strip_prefix('#') {
        let code = match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return code
            .ok()
            .and_then(char::from_u32)
            .map(|character| character.to_string());
    }
    let text = match reference.as_ref() {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => return None,
    };
    Some(text.to_owned())
}

/// Text for an element: markup is escaped, and so is what XML 1.0 cannot hold or what parsers change.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("&#x{:x};", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Element, escaped};

    #[test]
    fn answers_are_read() {
        let body = b"<?xml version=\"1.0\"?>\n<R xmlns=\"x\"><K>a&amp;b&#xa;</K><E/><P><N>1</N></P><P><N>2</N></P></R>";
        let root = Element::parse(body).unwrap();
        assert_eq!(root.name(), "R");
        assert_eq!(root.text("K"), Some("a&b\n"));
        assert_eq!(root.text("E"), Some(""));
        assert_eq!(root.text("missing"), None);
        let numbers: Vec<_> = root.all("P").filter_map(|part| part.text("N")).collect();
        assert_eq!(numbers, ["1", "2"]);
    }

    #[test]
    fn what_is_no_document_is_none() {
        for body in ["", "text", "<a>", "<a></b>", "<a>&unknown;</a>", "<!DOCTYPE a><a/>"] {
            assert_eq!(Element::parse(body.as_bytes()), None, "{body}");
        }
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        assert_eq!(Element::parse(deep.as_bytes()), None);
    }

    #[test]
    fn text_is_what_it_was_on_the_other_side() {
        let text = "<a>&\"'\r\n\t\u{1}\u{85}ü";
        let body = format!("<r><k>{}</k></r>", escaped(text));
        assert_eq!(Element::parse(body.as_bytes()).unwrap().text("k"), Some(text));
    }
}
