//! Writing an XML document element by element, with S3's namespace and with text that is safe whatever a key holds.

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};
use std::{borrow::Cow, fmt::Display, io::Write};

const NAMESPACE: (&str, &str) = ("xmlns", "http://s3.amazonaws.com/doc/2006-03-01/");

/// A document in the making.
pub(super) struct Document {
    writer: Writer<Vec<u8>>,
}

impl Document {
    /// The XML declaration.
    pub(super) fn new() -> Self {
        Self::with_capacity(1024)
    }
    /// The same, for a document of about so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut document = Self {
            writer: Writer::new(Vec::with_capacity(bytes)),
        };
        document.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        document.event(Event::Text(BytesText::from_escaped("\n")));
        document
    }
    /// The root element, in S3's namespace.
    pub(super) fn root(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.element_with_attributes(name, &[NAMESPACE], content);
    }
    /// A root element of nothing but text.
    pub(super) fn root_text(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            self.event(Event::Empty(BytesStart::new(name).with_attributes([NAMESPACE])));
        } else {
            self.root(name, |document| document.characters(text));
        }
    }
    /// An element with others inside.
    pub(super) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.raw(&["<", name, ">"]);
        content(self);
        self.raw(&["</", name, ">"]);
    }
    /// An element with attributes.
    pub(super) fn element_with_attributes(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self),
    ) {
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.event(Event::Start(start));
        content(self);
        self.event(Event::End(BytesEnd::new(name)));
    }
    /// An element of text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            self.raw(&["<", name, "/>"]);
        } else {
            self.element(name, |document| document.characters(text));
        }
    }
    /// An element of text in double quotes.
    pub(super) fn quoted(&mut self, name: &str, text: &str) {
        self.element(name, |document| {
            document.raw(&["&quot;"]);
            document.characters(text);
            document.raw(&["&quot;"]);
        });
    }
    /// An element of a number.
    pub(super) fn number(&mut self, name: &str, number: impl Display) {
        self.element(name, |document| {
            // Writing to a Vec does not fail.
            let _ = write!(document.writer.get_mut(), "{number}");
        });
    }
    /// The bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.writer.into_inner()
    }

    fn characters(&mut self, text: &str) {
        self.raw(&[&escaped(text)]);
    }
    /// Markup, and text that needs no escape: a listing has a dozen of these a name, and events cost more than they do.
    fn raw(&mut self, pieces: &[&str]) {
        let out = self.writer.get_mut();
        for piece in pieces {
            out.extend_from_slice(piece.as_bytes());
        }
    }
    fn event(&mut self, event: Event<'_>) {
        // Writing to a Vec does not fail.
        let _ = self.writer.write_event(event);
    }
}

/// Text with markup escaped. Characters that XML 1.0 does not allow, and line ends and tabs, which parsers change, become
/// character references, as AWS writes them.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'<' | b'>' | b'&' | b'\'' | b'"');
    if text.bytes().all(is_plain) || !text.chars().any(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            _ if needs_escape(character) => out.push_str(&format!("&#x{:x};", u32::from(character))),
            _ => out.push(character),
        }
    }
    Cow::Owned(out)
}

fn needs_escape(character: char) -> bool {
    matches!(
        character,
        '<' | '>' | '&' | '\'' | '"' | '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{fffe}' | '\u{ffff}'
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Document, escaped};

    #[test]
    fn text_is_safe_whatever_it_holds() {
        assert_eq!(escaped("plain é \u{10000}"), "plain é \u{10000}");
        assert_eq!(
            escaped("<a b='\"'>&\r\n\t\0\u{1}"),
            "&lt;a b=&apos;&quot;&apos;&gt;&amp;&#xd;&#xa;&#x9;&#x0;&#x1;"
        );
        assert_eq!(escaped("\u{ffff}\u{85}"), "&#xffff;&#x85;");
    }

    #[test]
    fn elements_nest() {
        let mut document = Document::new();
        document.root("A", |document| {
            document.element("B", |document| document.number("N", 1));
            document.text("C", "");
            document.quoted("E", "x");
        });
        assert_eq!(
            String::from_utf8(document.finish()).unwrap(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <B><N>1</N></B><C/><E>&quot;x&quot;</E></A>"
        );
    }
}
