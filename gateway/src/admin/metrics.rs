//! `GET /v1/metrics`: what the gateway and all cores count, for Prometheus.

use super::reply::Reply;
use crate::{gateway::Gateway, metrics};

/// OpenMetrics, which Prometheus asks for first (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// 200, whoever of the nodes is there to be asked.
pub async fn serve(gateway: &Gateway) -> Reply {
    match metrics::gather(gateway).await.into_text() {
        Ok(text) => Reply {
            content_type: CONTENT_TYPE,
            body: text.into_bytes(),
            ..Reply::empty(200)
        },
        Err(_) => Reply::error(500, "InternalError", "The metrics cannot be written."),
    }
}
