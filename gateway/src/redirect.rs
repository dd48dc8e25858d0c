//! The 307 that sends a client to the core that owns its key. Built from the cluster map, never from the Host a client sent.

use crate::{
    answer::{self, Answer},
    cluster::Core,
    request::Request,
};
use proto::{
    auth::ticket::QUERY_PARAMETER,
    error::{ErrorCode, S3Error},
};

/// The redirect of a request. `host`: the node's advertised name. The query is kept, so that presigned URLs stay whole;
/// the body is S3's XML, because s3cmd reads its `Endpoint` and no Location.
pub fn answer(request: &Request<'_>, core: &Core, host: &str, ticket: &str) -> Answer {
    let head = request.head;
    let authority = authority(host, core.address.port());
    let separator = if head.raw_query().is_empty() { "" } else { "&" };
    let scheme = if request.gateway.tls.is_some() { "https" } else { "http" };
    let location = format!(
        "{scheme}://{authority}{}?{}{separator}{QUERY_PARAMETER}={ticket}",
        head.raw_path(),
        head.raw_query()
    );
    let bucket = request.target.bucket().map(|bucket| bucket.as_str().to_owned());
    let error = S3Error::new(ErrorCode::TemporaryRedirect)
        .field("Bucket", bucket.unwrap_or_default())
        .field("Endpoint", format!("{authority}/s3"));
    Answer::error(&error, &answer::resource(&request.target), request.id)
        .header("Location", location)
        // botocore sends the request again only if it learns a region.
        .header("x-amz-bucket-region", request.caller.region.as_str())
}

/// `host:port`; an IPv6 address goes into brackets (RFC 3986 section 3.2.2).
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::authority;

    #[test]
    fn authorities() {
        assert_eq!(authority("node1", 51081), "node1:51081");
        assert_eq!(authority("::1", 51081), "[::1]:51081");
        assert_eq!(authority("[::1]", 51081), "[::1]:51081");
    }
}
