//! Names from a store, made safe for a terminal.

use std::{borrow::Cow, fmt::Write};

/// A name on one line, without anything a terminal would act on: control characters, and those that turn the direction of
/// writing, are written as `\n`, `\t`, `\u{1b}`; so is `\` itself where one of them occurs.
pub fn printable(name: &str) -> Cow<'_, str> {
    if !name.chars().any(is_unsafe) {
        return Cow::Borrowed(name);
    }
    let mut text = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        match character {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\\' => text.push_str("\\\\"),
            // Writing to a String cannot fail.
            _ if is_unsafe(character) => drop(write!(text, "\\u{{{:x}}}", u32::from(character))),
            _ => text.push(character),
        }
    }
    Cow::Owned(text)
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_on() {
        assert_eq!(printable("a/b ü 日本語"), "a/b ü 日本語");
        assert_eq!(printable("a\\b"), "a\\b");
        assert_eq!(printable("a\n\u{1b}[31m\\"), "a\\n\\u{1b}[31m\\\\");
        assert_eq!(printable("txt\u{202e}gpj"), "txt\\u{202e}gpj");
    }
}
