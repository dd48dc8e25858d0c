//! Settings that a gateway has changed. Every core gets the message; what belongs to the whole node is done by its first.

use crate::{
    access_log,
    answer::Exchange,
    config::LogFormat,
    connection::{After, Connection},
    core::Core,
};
use clap::ValueEnum;
use proto::{
    auth::sigv4::sha256,
    cluster::configure::Configure,
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    settings::names::{ACCESS_LOG_FILE, ACCESS_LOG_FORMAT, LOG_FILTER, SCRUB_INTERVAL_S},
    wire::Decoder,
};
use std::{path::Path, time::Duration};

/// Puts the settings into effect.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    exchange: Exchange,
    body_sha256: [u8; 32],
) -> After {
    let done = match connection.message_body(head).await {
        Ok(body) if sha256(&body) == body_sha256 => decode(&body).and_then(|message| apply(connection.core, &message)),
        Ok(_) => Err(S3Error::new(ErrorCode::AccessDenied)),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => connection.answer_message(&exchange, |_| {}).await,
        Err(error) => connection.refuse(head, exchange, &error).await,
    }
}

fn decode(body: &[u8]) -> Result<Configure, S3Error> {
    let mut decoder = Decoder::new(body);
    let message = Configure::decode(&mut decoder).and_then(|message| decoder.finish().map(|()| message));
    message.map_err(|error| wrong(error.to_string()))
}

fn wrong(message: String) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, message)
}

fn apply(core: &Core, message: &Configure) -> Result<(), S3Error> {
    if let Some(value) = message.value(SCRUB_INTERVAL_S) {
        let seconds: u64 = value
            .parse()
            .map_err(|_| wrong(format!("{SCRUB_INTERVAL_S} {value:?}")))?;
        for shard in &core.shards {
            shard.set_scrub_interval((seconds > 0).then(|| Duration::from_secs(seconds)));
        }
    }
    if core.index != 0 {
        return Ok(());
    }
    if let Some(filter) = message.value(LOG_FILTER) {
        core.log_filter.set(filter).map_err(wrong)?;
    }
    let (file, format) = (message.value(ACCESS_LOG_FILE), message.value(ACCESS_LOG_FORMAT));
    if let (Some(file), Some(format)) = (file, format) {
        let format = LogFormat::from_str(format, true).map_err(wrong)?;
        let path = Some(Path::new(file)).filter(|_| !file.is_empty());
        access_log::turn(&core.access_log, path, format).map_err(|error| wrong(format!("{file}: {error}")))?;
    }
    tracing::info!(settings = message.settings.len(), "settings were changed");
    Ok(())
}
