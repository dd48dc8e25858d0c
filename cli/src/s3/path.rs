//! The path of an object in a URL.

use crate::error::{CliError, Result};
use proto::http::percent;

/// `/s3/bucket` below a prefix such as `/s3/`.
pub fn of_bucket(prefix: &str, bucket: &str) -> String {
    format!("{prefix}{bucket}")
}

/// `/s3/bucket/key` below a prefix such as `/s3/`, percent-encoded. URLs give `.` and `..` between slashes a meaning, and
/// the store gives them none: the slashes of such a key are encoded, too. A key that is nothing else cannot be in a URL.
pub fn of_object(prefix: &str, bucket: &str, key: &str) -> Result<String> {
    if matches!(key, "." | "..") {
        return Err(CliError::failed(format!(
            "the key {key:?} has another meaning in a URL; only `object rm` and other clients can name it"
        )));
    }
    let has_dots = key.split('/').any(|part| matches!(part, "." | ".."));
    let key = percent::encode(key.as_bytes(), !has_dots);
    Ok(format!("{prefix}{bucket}/{key}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::of_object;

    #[test]
    fn keys_survive_a_url() {
        for key in [
            "a/b",
            "a//b",
            "/lead",
            "a/",
            "a/../b",
            "../a",
            "a/.",
            "ä ?#%2F+",
            "~",
            "\\",
            "\n",
        ] {
            let path = of_object("/s3/", "bck", key).unwrap();
            let url = reqwest::Url::parse(&format!("http://h{path}")).unwrap();
            assert_eq!(url.path(), path, "{key:?}");
        }
        assert!(of_object("/s3/", "bck", "..").is_err());
    }
}
