//! Lines on their way to the log: a bounded queue between those who serve requests, who never wait, and a thread that
//! writes.

use crate::limits::{ACCESS_LOG_BATCH_BYTES, ACCESS_LOG_INTERVAL, ACCESS_LOG_LINES_MAX};
use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

/// The end that lines are put into.
#[derive(Debug, Clone)]
pub struct Lines {
    queue: SyncSender<Vec<u8>>,
    shared: Arc<Shared>,
}

/// The end that lines are taken from.
#[derive(Debug)]
pub struct LineWriter {
    queue: Receiver<Vec<u8>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    dropped: AtomicU64,
    closing: AtomicBool,
}

/// Both ends of a queue.
pub fn queue() -> (Lines, LineWriter) {
    let (sender, receiver) = sync_channel(ACCESS_LOG_LINES_MAX);
    let shared = Arc::new(Shared::default());
    let lines = Lines {
        queue: sender,
        shared: Arc::clone(&shared),
    };
    let writer = LineWriter {
        queue: receiver,
        shared,
    };
    (lines, writer)
}

impl Lines {
    /// Puts a line in; when the queue is full it is dropped and counted. Never waits, and wakes nobody: the writer comes
    /// by itself.
    pub fn send(&self, line: Vec<u8>) {
        if self.queue.try_send(line).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
    /// Lines that were dropped, or lost because they could not be written.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
    /// The writer ends when it has written what is in the queue now.
    pub fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
    }
}

impl LineWriter {
    /// Writes lines, whole ones and many at once, until the queue is closed. `open` gives the log again after `reopen` was
    /// set; `report` is told what goes wrong, once until it goes well again.
    pub fn run<W: Write>(
        self,
        mut log: W,
        mut open: impl FnMut() -> io::Result<W>,
        reopen: &AtomicBool,
        report: impl Fn(&io::Error),
    ) {
        let mut batch = Vec::with_capacity(ACCESS_LOG_BATCH_BYTES);
        let mut is_failing = false;
        loop {
            let is_closing = self.shared.closing.load(Ordering::Acquire);
            if reopen.swap(false, Ordering::Relaxed) {
                match open() {
                    Ok(reopened) => log = reopened,
                    Err(error) => report(&error),
                }
            }
            loop {
                let count = self.fill(&mut batch);
                if count == 0 {
                    break;
                }
                let written = log.write_all(&batch).and_then(|()| log.flush());
                batch.clear();
                if let Err(error) = &written {
                    self.shared.dropped.fetch_add(count, Ordering::Relaxed);
                    if !is_failing {
                        report(error);
                    }
                }
                is_failing = written.is_err();
            }
            if is_closing {
                return;
            }
            std::thread::sleep(ACCESS_LOG_INTERVAL);
        }
    }

    /// Takes lines up to a batch's size; how many.
    fn fill(&self, batch: &mut Vec<u8>) -> u64 {
        let mut count = 0;
        while batch.len() < ACCESS_LOG_BATCH_BYTES
            && let Ok(line) = self.queue.try_recv()
        {
            batch.extend_from_slice(&line);
            count += 1;
        }
        count
    }
}
