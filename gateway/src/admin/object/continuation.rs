//! Where a listing goes on: a name, and in a listing of versions which of its versions.

use super::super::call::invalid;
use crate::list::token;
use proto::{
    error::S3Error,
    s3::{listing::ListEntry, version::VersionId},
};

/// Between a name's token, which has none, and a version.
const SEPARATOR: char = '.';

/// The token to go on behind an entry.
pub fn encode(last: &ListEntry) -> String {
    let name = token::encode(last.name());
    match last {
        ListEntry::Version(listed) => format!("{name}{SEPARATOR}{}", listed.version),
        _ => name,
    }
}

/// The name to go on behind, and which of its versions if it says so.
pub fn decode(given: &str) -> Result<(String, Option<VersionId>), S3Error> {
    let refused = || invalid(format!("{given:?} is no continuation that a listing has given."));
    let (name, version) = match given.split_once(SEPARATOR) {
        Some((name, version)) => (name, Some(version)),
        None => (given, None),
    };
    let name = token::decode(name).map_err(|_| refused())?;
    let version = version.map(VersionId::parse).transpose().map_err(|_| refused())?;
    Ok((name, version))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{decode, encode};
    use proto::s3::{listing::ListEntry, version::VersionId};

    #[test]
    fn names_survive_and_nonsense_does_not() {
        let prefix = ListEntry::CommonPrefix("a.b/c".to_owned());
        let token = encode(&prefix);
        assert_eq!(decode(&token).unwrap(), ("a.b/c".to_owned(), None));
        let version = VersionId::Number(7);
        let with_version = format!("{token}.{version}");
        assert_eq!(decode(&with_version).unwrap(), ("a.b/c".to_owned(), Some(version)));
        for bad in [
            "",
            ".",
            "x",
            &format!("{token}."),
            &format!("{token}.7"),
            &format!("{token}.null.null"),
        ] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
