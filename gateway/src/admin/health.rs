//! `GET /v1/health`: whether requests would succeed. Without authentication, so it says little.

use super::reply::Reply;
use crate::{cluster::Availability, gateway::Gateway};
use serde_json::json;

/// 200 when every shard is on a live node, else 503 and why: `degraded` as long as any shard is.
pub fn serve(gateway: &Gateway) -> Reply {
    let availability = if gateway.draining.get() {
        Availability::Unavailable("shutting down".to_owned())
    } else {
        gateway.cluster.availability()
    };
    let (status, reason) = match availability {
        Availability::Whole => return Reply::json(200, &json!({ "status": "ok" })),
        Availability::Degraded(reason) => ("degraded", reason),
        Availability::Unavailable(reason) => ("unavailable", reason),
    };
    Reply::json(503, &json!({ "status": status, "reason": reason }))
}
