//! `GET /v1/health`: whether requests would succeed. Without authentication, so it says little.

use super::Reply;
use crate::gateway::Gateway;
use serde_json::json;

/// 200 when every shard is on a live node, else 503 and why.
pub fn serve(gateway: &Gateway) -> Reply {
    let reason = if gateway.draining.get() {
        Some("shutting down".to_owned())
    } else {
        gateway.cluster.unavailable()
    };
    match reason {
        None => Reply::json(200, &json!({ "status": "ok" })),
        Some(reason) => Reply::json(503, &json!({ "status": "unavailable", "reason": reason })),
    }
}
