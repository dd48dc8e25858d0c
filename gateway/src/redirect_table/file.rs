//! The table as text: rows of TOML (`built_in.toml` describes them).

use super::{Recognise, Row, Rule};
use crate::limits::REDIRECT_ROWS_MAX;
use serde::Deserialize;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    row: Vec<Spanned<FileRow>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRow {
    /// For people.
    #[serde(default, rename = "client")]
    _client: String,
    #[serde(default)]
    no_user_agent: bool,
    #[serde(default)]
    user_agent: Vec<String>,
    #[serde(default)]
    user_agent_prefix: Vec<String>,
    #[serde(default)]
    headers: Vec<String>,
    no_body: Rule,
    put_with_expect: Rule,
    put_without_expect: Rule,
}

/// Why a text is no table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TableError {
    /// Counted from 1.
    pub line: usize,
    /// In one line.
    pub message: String,
}

/// Reads the rows of a table.
pub fn rows(text: &str) -> Result<Vec<Row>, TableError> {
    let error_at = |offset: usize, message: &str| {
        let before = text.as_bytes().iter().take(offset);
        TableError {
            line: before.filter(|byte| **byte == b'\n').count() + 1,
            message: message.trim().replace('\n', "; "),
        }
    };
    let file: File =
        toml::from_str(text).map_err(|error| error_at(error.span().map_or(0, |span| span.start), error.message()))?;
    if let Some(row) = file.row.get(REDIRECT_ROWS_MAX) {
        let message = format!("there are more than {REDIRECT_ROWS_MAX} rows");
        return Err(error_at(row.span().start, &message));
    }
    let rows = file.row.into_iter().map(|row| {
        let start = row.span().start;
        row.into_inner().into_row().map_err(|problem| error_at(start, &problem))
    });
    rows.collect()
}

impl FileRow {
    fn into_row(self) -> Result<Row, String> {
        let looks_at_user_agent = !self.user_agent.is_empty() || !self.user_agent_prefix.is_empty();
        if self.no_user_agent && looks_at_user_agent {
            return Err("no_user_agent goes with neither user_agent nor user_agent_prefix".to_owned());
        }
        if self
            .user_agent
            .iter()
            .chain(&self.user_agent_prefix)
            .any(String::is_empty)
        {
            return Err("an empty user_agent would recognise everyone; leave it out for that".to_owned());
        }
        let headers = self.headers.iter().map(|text| header(text));
        Ok(Row {
            recognise: Recognise {
                no_user_agent: self.no_user_agent,
                user_agent: self.user_agent,
                user_agent_prefix: self.user_agent_prefix,
                headers: headers.collect::<Result<_, _>>()?,
            },
            no_body: self.no_body,
            put_with_expect: self.put_with_expect,
            put_without_expect: self.put_without_expect,
        })
    }
}

/// `name` or `name: value`.
fn header(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once(':') {
        Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
        None => (text.trim(), None),
    };
    // RFC 9110 section 5.6.2.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("{text:?} names no header; write \"Name\" or \"Name: value\""));
    }
    Ok((name.to_owned(), value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::rows;

    const DECIDES: &str = "no_body = \"always\"\nput_with_expect = \"never\"\nput_without_expect = \"never\"\n";

    fn error(text: &str) -> String {
        rows(text).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_their_line() {
        for (text, line, part) in [
            (format!("[[row]]\n{DECIDES}\n[[row]\n"), 6, ""),
            (
                format!("# a\n[[row]]\nuser_agents = [\"a\"]\n{DECIDES}"),
                3,
                "user_agents",
            ),
            (
                format!("[[row]]\n{DECIDES}[[row]]\nno_body = \"always\"\n"),
                5,
                "put_with",
            ),
            (
                format!("[[row]]\n{}", DECIDES.replace("always", "sometimes")),
                2,
                "sometimes",
            ),
            (format!("[[row]]\n{DECIDES}user_agent = \"a\"\n"), 5, "sequence"),
            (
                format!("\n\n[[row]]\nno_user_agent = true\nuser_agent = [\"a\"]\n{DECIDES}"),
                3,
                "no_user_agent",
            ),
            (format!("[[row]]\nuser_agent = [\"\"]\n{DECIDES}"), 1, "empty"),
            (format!("[[row]]\nheaders = [\"a b\"]\n{DECIDES}"), 1, "\"a b\""),
            (format!("[[row]]\nheaders = [\": x\"]\n{DECIDES}"), 1, "header"),
            (format!("[[rows]]\n{DECIDES}"), 1, "rows"),
            (format!("[[row]]\n{DECIDES}").repeat(1001), 4001, "1000 rows"),
        ] {
            let message = error(&text);
            assert!(message.starts_with(&format!("line {line}: ")), "{message}\n{text}");
            assert!(message.contains(part) && !message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn an_empty_table_is_one() {
        assert!(rows("").unwrap().is_empty());
        assert_eq!(rows(&format!("[[row]]\n{DECIDES}")).unwrap().len(), 1);
    }
}
