//! Shards that cannot be opened at start: the node serves without them.

use crate::error::BootError;
use proto::cluster::map::NodeInfo;
use std::sync::mpsc::Receiver;

/// A shard that could not be opened.
pub struct FailedShard {
    /// The shard.
    pub uuid: [u8; 16],
    /// Its directory.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// Waits until all cores have opened their shards; returns those that could not be opened.
pub fn await_cores(ready: &Receiver<Vec<FailedShard>>, count: usize) -> Result<Vec<FailedShard>, BootError> {
    let mut failed = Vec::new();
    for index in 0..count {
        match ready.recv() {
            Ok(of_core) => failed.extend(of_core),
            Err(_) => return Err(BootError::Core(index, "its thread ended".to_owned())),
        }
    }
    Ok(failed)
}

/// The other shards serve without those that could not be opened; a node without any has nothing to serve.
pub fn leave_out(info: &mut NodeInfo, failed: Vec<FailedShard>, shard_count: usize) -> Result<(), BootError> {
    let none_is_left = failed.len() >= shard_count;
    for shard in failed {
        if none_is_left {
            return Err(BootError::Shard(shard.name, shard.reason));
        }
        let FailedShard { uuid, name, reason } = shard;
        tracing::error!(
            shard = name,
            reason,
            "a shard cannot be opened: it answers 503 until the node is started again"
        );
        for core in &mut info.cores {
            core.shards.retain(|other| *other != uuid);
        }
        info.unavailable.push(uuid);
    }
    Ok(())
}
