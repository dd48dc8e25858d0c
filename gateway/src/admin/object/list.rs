//! `GET /v1/buckets/{bucket}/objects`: a page of a bucket's objects or versions, with what S3's listings do not show.

use super::{
    super::{
        call::{Call, invalid},
        reply::Reply,
    },
    continuation,
    view::ObjectView,
};
use crate::list::fanout;
use proto::{
    error::{ErrorCode, S3Error},
    limits::LIST_KEYS_MAX,
    s3::{
        bucket::BucketId,
        listing::{ListEntry, ListQuery, ListScope},
        properties::Permission,
        query::Query,
        version::Versioning,
    },
};
use serde_json::json;

/// The parameters of its query.
pub const QUERY: &[&str] = &[
    "prefix",
    "delimiter",
    "start_after",
    "continuation",
    "max_keys",
    "versions",
];

/// 200 with a page.
pub async fn serve(call: &Call<'_>) -> Result<Reply, S3Error> {
    let bucket = call.bucket()?;
    bucket.access.check(Permission::List)?;
    let versioning = bucket.configuration.versioning;
    let query = read(&call.query, versioning)?;
    let page = fanout::list(call.gateway, BucketId(bucket.id), &query).await?;
    let objects: Vec<ObjectView> = page
        .entries
        .iter()
        .filter_map(|entry| ObjectView::new(entry, versioning))
        .collect();
    let prefixes: Vec<&str> = page
        .entries
        .iter()
        .filter_map(|entry| match entry {
            ListEntry::CommonPrefix(prefix) => Some(prefix.as_str()),
            _ => None,
        })
        .collect();
    let last = page.entries.last().filter(|_| page.truncated);
    let continuation = last.map(continuation::encode);
    Ok(Reply::json(
        200,
        &json!({ "objects": objects, "prefixes": prefixes, "continuation": continuation }),
    ))
}

/// What a query asks for.
fn read(query: &Query, versioning: Versioning) -> Result<ListQuery, S3Error> {
    let given = |name: &str| query.value(name).unwrap_or_default().to_owned();
    let (start_after, after) = match query.value("continuation") {
        Some(_) if query.contains("start_after") => {
            return Err(invalid("Give start_after or continuation, not both.".to_owned()));
        }
        Some(continuation) => continuation::decode(continuation)?,
        None => (given("start_after"), None),
    };
    Ok(ListQuery {
        prefix: given("prefix"),
        delimiter: given("delimiter"),
        start_after,
        limit: max_keys(query.value("max_keys"))?,
        scope: match switch("versions", query.value("versions"))? {
            true => ListScope::Versions { after },
            false => newest(versioning),
        },
        details: true,
    })
}

/// What lists the objects that are there, with their versions where there are any.
pub fn newest(versioning: Versioning) -> ListScope {
    match versioning.is_versioned() {
        true => ListScope::NewestVersions,
        false => ListScope::Objects,
    }
}

fn max_keys(value: Option<&str>) -> Result<usize, S3Error> {
    let Some(text) = value else {
        return Ok(LIST_KEYS_MAX);
    };
    let number = text.parse().ok().filter(|number| (1..=LIST_KEYS_MAX).contains(number));
    number.ok_or_else(|| argument(format!("max_keys is {text:?}; it must be from 1 to {LIST_KEYS_MAX}.")))
}

fn switch(name: &str, value: Option<&str>) -> Result<bool, S3Error> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(argument(format!("{name} is {other:?}; it must be true or false."))),
    }
}

fn argument(message: String) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::read;
    use proto::s3::{listing::ListScope, query::Query, version::Versioning};

    #[test]
    fn queries_are_read_or_refused() {
        let scope = |raw: &str, versioning| read(&Query::parse(raw).unwrap(), versioning).unwrap().scope;
        assert_eq!(scope("", Versioning::Unversioned), ListScope::Objects);
        assert_eq!(
            scope("versions=false", Versioning::Suspended),
            ListScope::NewestVersions
        );
        assert_eq!(
            scope("versions=true", Versioning::Unversioned),
            ListScope::Versions { after: None }
        );
        for bad in [
            "max_keys=0",
            "max_keys=1001",
            "max_keys=-1",
            "max_keys=",
            "max_keys=ten",
            "versions=1",
            "continuation=x",
            "continuation=&start_after=a",
        ] {
            assert!(read(&Query::parse(bad).unwrap(), Versioning::Enabled).is_err(), "{bad}");
        }
    }
}
