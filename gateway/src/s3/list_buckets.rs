//! ListBuckets: the caller's own buckets.

use crate::{answer::Answer, list::token, records::BucketState, request::Request};
use proto::{
    error::{ErrorCode, S3Error},
    s3::xml_write::{self, BucketPage},
};

/// The largest `max-buckets` (ListBuckets' API page).
const MAX_BUCKETS: usize = 10_000;

/// Serves it.
pub fn serve(request: &Request<'_>) -> Result<Answer, S3Error> {
    let user = &request.caller.user;
    let prefix = request.query.value("prefix");
    let limit = max_buckets(request.query.value("max-buckets"))?;
    let after = request
        .query
        .value("continuation-token")
        .map(token::decode)
        .transpose()?
        .unwrap_or_default();
    let owned = request.gateway.catalog.buckets_of(&user.name);
    let mut rest = owned
        .iter()
        .filter(|bucket| bucket.state == BucketState::Active)
        .filter(|bucket| bucket.name > after && bucket.name.starts_with(prefix.unwrap_or_default()))
        .map(|bucket| (bucket.name.clone(), bucket.created_unix_ms));
    let buckets: Vec<(String, u64)> = rest.by_ref().take(limit).collect();
    let next = rest.next().and(buckets.last()).map(|(name, _)| token::encode(name));
    let page = BucketPage {
        prefix,
        continuation_token: next.as_deref(),
        region: region(request)?,
    };
    Ok(Answer::xml(xml_write::list_buckets(&user.owner(), &buckets, page)))
}

/// The region that the buckets are said to be in: a cluster is one region under any name. S3 names it where the request has
/// a parameter (ListBuckets' API page, BucketRegion).
fn region<'r>(request: &'r Request<'_>) -> Result<Option<&'r str>, S3Error> {
    const PARAMETERS: [&str; 3] = ["prefix", "max-buckets", "continuation-token"];
    let asked = request.query.value("bucket-region");
    match asked {
        Some("") => Err(
            S3Error::with_message(ErrorCode::InvalidArgument, "Argument value is not a valid AWS Region")
                .field("ArgumentName", "bucket-region")
                .field("ArgumentValue", ""),
        ),
        Some(region) => Ok(Some(region)),
        None if PARAMETERS.iter().any(|name| request.query.contains(name)) => Ok(Some(&request.caller.region)),
        None => Ok(None),
    }
}

fn max_buckets(value: Option<&str>) -> Result<usize, S3Error> {
    let Some(text) = value else { return Ok(MAX_BUCKETS) };
    let count = text.parse().ok().filter(|count| (1..=MAX_BUCKETS).contains(count));
    count.ok_or_else(|| {
        S3Error::with_message(
            ErrorCode::InvalidArgument,
            "max-buckets must be an integer between 1 and 10000",
        )
        .field("ArgumentName", "max-buckets")
        .field("ArgumentValue", text)
    })
}

#[cfg(test)]
mod tests {
    use super::max_buckets;

    #[test]
    fn max_buckets_as_s3_reads_it() {
        assert_eq!(max_buckets(None), Ok(10_000));
        assert_eq!(max_buckets(Some("1")), Ok(1));
        for bad in ["0", "10001", "-1", "x", ""] {
            assert!(max_buckets(Some(bad)).is_err(), "{bad}");
        }
    }
}
