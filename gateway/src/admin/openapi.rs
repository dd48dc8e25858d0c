//! `GET /v1/openapi.json`: the admin API's own description, docs/openapi.json.

use super::reply::Reply;

/// The document, as it was when the gateway was built.
pub const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// 200, for anyone: a program may want to read it before it has a key.
pub fn serve() -> Reply {
    Reply {
        body: DOCUMENT.as_bytes().to_vec(),
        ..Reply::empty(200)
    }
}
