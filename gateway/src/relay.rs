//! Moves raw body bytes between two sockets, one bounded buffer at a time: a side that does not take them stops the other.

use crate::{
    body::consume,
    limits::BODY_PROGRESS_TIME,
    memory::{RelayBuffer, RelayMemory},
    rt::{self, Reader, Writer},
};
use proto::{
    error::S3Error,
    http::body::{HttpFraming, Want},
};
use std::{cell::Cell, io, rc::Rc, time::Duration};

/// How relaying a request's body ended.
#[derive(Debug)]
pub enum Upload {
    /// The core has all of it.
    Complete,
    /// The client vanished, or made no progress in time.
    ClientGone(io::Error),
    /// The core takes no more; it may have said why.
    CoreGone,
    /// The client's framing is wrong.
    Malformed(S3Error),
}

/// Relays a request's body. `received` holds what has arrived of it, and afterwards what belongs to the next request.
/// While the client sends nothing, no buffer is held: thousands may stall.
pub async fn upload(
    client: &mut Reader,
    received: &mut Vec<u8>,
    framing: &mut HttpFraming,
    core: &mut Writer,
    memory: &Rc<RelayMemory>,
    started: &Cell<bool>,
    received_bytes: &Cell<u64>,
) -> Upload {
    let mut pending = std::mem::take(received);
    started.set(started.get() || !pending.is_empty());
    let mut buffer: Option<RelayBuffer> = None;
    loop {
        let taken = match consume(framing, &pending) {
            Ok(taken) => taken,
            Err(error) => return Upload::Malformed(error),
        };
        // Framing that is not complete yet, or the next request.
        let rest = pending.split_off(taken.min(pending.len()));
        if !pending.is_empty() {
            received_bytes.set(
                received_bytes
                    .get()
                    .saturating_add(u64::try_from(pending.len()).unwrap_or(0)),
            );
            let (sent, returned) = core.write_all(pending, BODY_PROGRESS_TIME).await;
            pending = returned;
            if sent.is_err() {
                return Upload::CoreGone;
            }
        }
        if framing.want() == Want::End {
            *received = rest;
            return Upload::Complete;
        }
        if let Some(buffer) = &mut buffer {
            buffer.bytes = pending;
        }
        match receive(client, rest, &mut buffer, memory).await {
            Ok(bytes) => {
                started.set(true);
                pending = bytes;
            }
            Err(error) => return Upload::ClientGone(error),
        }
    }
}

/// Receives into a relay buffer that begins with `carried`.
async fn receive(
    client: &mut Reader,
    carried: Vec<u8>,
    slot: &mut Option<RelayBuffer>,
    memory: &Rc<RelayMemory>,
) -> io::Result<Vec<u8>> {
    loop {
        if slot.is_none() {
            *slot = memory.take_for_reading();
        }
        let Some(buffer) = slot else {
            // Every buffer in use belongs to a relay that moves or runs into its own deadline.
            rt::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let mut bytes = std::mem::take(&mut buffer.bytes);
        bytes.clear();
        bytes.extend_from_slice(&carried);
        if bytes.spare_capacity_mut().is_empty() {
            bytes.reserve(1024);
        }
        match client.try_read(&mut bytes)? {
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(_) => return Ok(bytes),
            None => {
                buffer.bytes = bytes;
                *slot = None;
                client.readable(BODY_PROGRESS_TIME).await?;
            }
        }
    }
}

/// Relays `left` bytes of a response; afterwards it says how many were not.
pub async fn download(
    core: &mut Reader,
    client: &mut Writer,
    left: &mut u64,
    memory: &Rc<RelayMemory>,
) -> io::Result<()> {
    let mut buffer = loop {
        match memory.take_for_writing() {
            Some(buffer) => break buffer,
            None => rt::sleep(Duration::from_millis(20)).await,
        }
    };
    while *left > 0 {
        let mut bytes = std::mem::take(&mut buffer.bytes);
        bytes.clear();
        let (result, bytes) = core.read(bytes, Some(BODY_PROGRESS_TIME)).await;
        let count = u64::try_from(result?).unwrap_or(u64::MAX);
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let left_then = left.checked_sub(count).ok_or_else(too_much)?;
        let (sent, bytes) = client.write_all(bytes, BODY_PROGRESS_TIME).await;
        buffer.bytes = bytes;
        sent?;
        *left = left_then;
    }
    Ok(())
}

/// A response longer than its Content-Length.
pub fn too_much() -> io::Error {
    io::Error::other("more bytes than Content-Length says")
}
