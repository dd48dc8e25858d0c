//! `fill`: what `restart` starts as a process of its own, to have something it can kill.

use crate::{
    engine::{self, Event},
    error::Result,
    loadgen::request::Pattern,
};
use proto::auth::sigv4::hex;
use std::{
    io::{self, Write},
    path::PathBuf,
};

/// Fill a new mountpath through the storage engine, and hold it until killed
#[derive(Debug, clap::Args)]
pub struct Fill {
    /// The mountpath: a folder that is empty or missing
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// How many objects
    #[arg(long, value_name = "N")]
    objects: u64,
    /// The size of each
    #[arg(long, value_name = "BYTES")]
    payload_bytes: u64,
}

/// What stands before the number of objects stored.
pub const STORED_PREFIX: &str = "STORED ";

/// Runs it.
pub fn run(flags: &Fill) -> Result<()> {
    let payload = Pattern::new().payload(0, flags.payload_bytes);
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < payload.length() {
        bytes.extend_from_slice(payload.chunk(bytes.len() as u64));
    }
    engine::fill(&flags.root, flags.objects, &bytes, |event| {
        let line = match event {
            Event::Stored(objects) => format!("{STORED_PREFIX}{objects}"),
            Event::Filled { node, shard } => {
                let (node, shard) = (hex(&node), hex(&shard));
                format!("READY {}", serde_json::json!({ "node": node, "shard": shard }))
            }
        };
        let mut stdout = io::stdout().lock();
        // Whoever started this is gone then, and this process will be soon.
        let _nobody_listens = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    })?;
    Ok(())
}
