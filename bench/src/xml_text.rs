//! Text of elements in answers whose form is known: found by their tags, not parsed.

/// The text of the first element `tag` (with neither attributes nor elements in it); `None` where there is none.
pub fn text_of<'d>(document: &'d str, tag: &str) -> Option<&'d str> {
    let (_, rest) = document.split_once(&format!("<{tag}>"))?;
    let (text, _) = rest.split_once(&format!("</{tag}>"))?;
    Some(text)
}

/// The texts between each `open` and the next `<`, in order.
pub fn texts<'d>(document: &'d str, open: &str) -> impl Iterator<Item = &'d str> {
    let mut parts = document.split(open);
    let _before_the_first = parts.next();
    parts.map(|rest| rest.split_once('<').map_or(rest, |(text, _)| text))
}

#[cfg(test)]
mod tests {
    use super::{text_of, texts};

    #[test]
    fn elements_are_found() {
        let document = "<R><KeyCount>2</KeyCount><Key>a</Key><Key>b</Key></R>";
        assert_eq!(text_of(document, "KeyCount"), Some("2"));
        assert_eq!(text_of(document, "Count"), None);
        assert_eq!(texts(document, "<Key>").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(texts(document, "<None>").count(), 0);
    }
}
