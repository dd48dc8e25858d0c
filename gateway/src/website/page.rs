//! The pages a site has for errors when it brings none of its own, as S3 writes them
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/CustomErrorDocSupport.html>).

use crate::answer::Answer;
use proto::{error::S3Error, http::response::reason};
use std::fmt::Write;

/// The page of an error, which its headers name, too. `own_page`: why the site's own page for errors cannot be had.
pub fn error(error: &S3Error, own_page: Option<&S3Error>, request_id: &str) -> Answer {
    let title = format!("{} {}", error.status(), reason(error.status()));
    let mut html = format!("<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n");
    list(&mut html, error, Some(request_id));
    if let Some(further) = own_page {
        html.push_str("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n");
        list(&mut html, further, None);
    }
    html.push_str("<hr/>\n</body>\n</html>\n");
    let answer = Answer::html(error.status(), html)
        .header("x-amz-error-code", error.code.as_str())
        .header("x-amz-error-message", error.message.as_ref());
    let is_key = |(name, value): &(&'static str, String)| (*name == "Key").then(|| value.clone());
    match error.fields.iter().find_map(is_key) {
        Some(key) => answer.header("x-amz-error-detail-Key", key),
        None => answer,
    }
}

/// The page of a redirect, which nobody sees.
pub fn moved(status: u16) -> Answer {
    let title = format!("{status} {}", reason(status));
    let html =
        format!("<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<hr/>\n</body>\n</html>\n");
    Answer::html(status, html)
}

fn list(html: &mut String, error: &S3Error, request_id: Option<&str>) {
    html.push_str("<ul>\n");
    let mut item = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(html, "<li>{name}: {}</li>", escaped(value));
    };
    item("Code", error.code.as_str());
    item("Message", &error.message);
    for (name, value) in &error.fields {
        item(name, value);
    }
    if let Some(request_id) = request_id {
        item("RequestId", request_id);
        item("HostId", request_id);
    }
    html.push_str("</ul>\n");
}

/// Keys come from whoever asks: none may become markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::error;
    use proto::error::{ErrorCode, S3Error};

    #[test]
    fn what_visitors_send_is_no_markup() {
        let key = S3Error::new(ErrorCode::NoSuchKey).field("Key", "<script>\"'&");
        let bytes = error(&key, None, "ID").encode("ID", "now", false, true);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("<li>Key: &lt;script&gt;&quot;&#39;&amp;</li>"), "{text}");
        assert!(!text.split_once("\r\n\r\n").unwrap().1.contains("<script>"), "{text}");
        assert!(text.contains("x-amz-error-code: NoSuchKey\r\n"), "{text}");
    }
}
