//! What the log on standard error says, which can be changed while the node runs.

use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// Changes the log's filter. Clones change the same one.
#[derive(Clone)]
pub struct LogFilter(Arc<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>);

impl LogFilter {
    /// Starts the log with the filter in CORELANE_LOG.
    pub fn start() -> Self {
        let filter = EnvFilter::try_from_env("CORELANE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_filter_reloading();
        let handle = log.reload_handle();
        log.init();
        Self(Arc::new(move |filter| {
            handle.reload(filter).map_err(|error| error.to_string())
        }))
    }
    /// Sets another. The error is one line.
    pub fn set(&self, filter: &str) -> Result<(), String> {
        let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
        (self.0)(filter)
    }
}
