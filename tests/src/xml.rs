//! As much XML as reading S3's answers takes.

/// The text of the first element of this name.
pub fn text(xml: &str, element: &str) -> Option<String> {
    inner(xml, element).first().map(|inner| unescape(inner))
}

/// The texts of all elements of this name, in order.
pub fn texts(xml: &str, element: &str) -> Vec<String> {
    inner(xml, element).iter().map(|inner| unescape(inner)).collect()
}

/// What stands inside all elements of this name, in order, still escaped.
pub fn inner<'x>(xml: &'x str, element: &str) -> Vec<&'x str> {
    let mut found = Vec::new();
    let mut rest = xml;
    let (open, close) = (format!("<{element}"), format!("</{element}>"));
    while let Some(start) = rest.find(&open) {
        let after = &rest[start + open.len()..];
        let Some(tag_end) = after.find('>') else { break };
        rest = &after[tag_end + 1..];
        // `<Key>` is not `<KeyCount>`.
        if !after.starts_with(['>', ' ', '/']) {
            continue;
        }
        if after[..tag_end].ends_with('/') {
            found.push("");
            continue;
        }
        let Some(end) = rest.find(&close) else { break };
        found.push(&rest[..end]);
        rest = &rest[end + close.len()..];
    }
    found
}

/// Takes XML's own entities and character references back.
pub fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let end = at + rest[at..].find(';').expect("an entity ends");
        let entity = &rest[at + 1..end];
        let number = entity
            .strip_prefix("#x")
            .map(|hex| u32::from_str_radix(hex, 16))
            .or_else(|| entity.strip_prefix('#').map(str::parse));
        out.push(match (entity, number) {
            ("lt", _) => '<',
            ("gt", _) => '>',
            ("amp", _) => '&',
            ("quot", _) => '"',
            ("apos", _) => '\'',
            (_, Some(Ok(number))) => char::from_u32(number).expect("a character"),
            _ => panic!("unknown entity &{entity};"),
        });
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

/// Escapes text for an element.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\r', "&#13;")
}

#[cfg(test)]
mod tests {
    use super::{inner, text, texts};

    #[test]
    fn elements_are_found_by_their_whole_name() {
        let xml = "<R><KeyCount>2</KeyCount><Key>a&lt;&#xA;</Key><Key/><Key x=\"1\">b</Key></R>";
        assert_eq!(texts(xml, "Key"), ["a<\n", "", "b"]);
        assert_eq!(text(xml, "Missing"), None);
        assert_eq!(inner(xml, "KeyCount"), ["2"]);
    }
}
