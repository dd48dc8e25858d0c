//! MD5 of the uploads a core receives at the same time: what is there of them is hashed together, a lane of the
//! processor's registers each. For one upload alone it takes as long as ever.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod rounds;

use crate::rt::{self, yield_now};
use mountpath::{
    buffer::PooledBuffer,
    completion::{Giver, Receiver, completion},
};
use proto::{
    digest::md5::{
        Md5,
        together::{CompressLanes, OneLane, Update, update_together},
    },
    limits::BLOCK_BYTES,
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    ops::Range,
    rc::Rc,
};

/// Bytes of an upload that wait to be hashed.
struct Job<B> {
    md5: Md5,
    bytes: B,
    range: Range<usize>,
    done: Giver<(Md5, B)>,
}

/// A buffer given away to be hashed.
pub struct Hashing {
    lanes: Rc<Md5Lanes>,
    hashed: Receiver<(Md5, PooledBuffer)>,
}

impl Hashing {
    /// The MD5 with the bytes added, and the buffer. `None` if the core stops meanwhile.
    pub async fn done(self) -> Option<(Md5, PooledBuffer)> {
        self.lanes.begin();
        self.hashed.wait().await
    }
}

/// The hashing of one core. What is given to it waits until somebody needs it, or until it fills the lanes.
pub struct Md5Lanes {
    compressor: &'static dyn CompressLanes,
    buffers: RefCell<VecDeque<Job<PooledBuffer>>>,
    /// Whether a task is hashing buffers.
    is_running: Cell<bool>,
    small: RefCell<Vec<Job<Vec<u8>>>>,
}

impl Md5Lanes {
    /// With the widest registers this processor has.
    pub fn new() -> Self {
        Self {
            compressor: widest(),
            buffers: RefCell::default(),
            is_running: Cell::new(false),
            small: RefCell::default(),
        }
    }

    /// Gives the first `length` bytes of a buffer away to be added to an MD5.
    pub fn update(self: &Rc<Self>, md5: Md5, buffer: PooledBuffer, length: usize) -> Hashing {
        let (done, hashed) = completion();
        self.buffers.borrow_mut().push_back(Job {
            md5,
            bytes: buffer,
            range: 0..length,
            done,
        });
        if self.buffers.borrow().len() >= self.compressor.lanes() {
            self.begin();
        }
        Hashing {
            lanes: Rc::clone(self),
            hashed,
        }
    }

    /// Adds a small payload to an MD5, and gives both back. One that could not be stored at once anyway, since its log is
    /// appending, waits for others. `None` if the core stops meanwhile.
    pub async fn update_small(
        self: &Rc<Self>,
        md5: Md5,
        payload: Vec<u8>,
        is_appending: bool,
    ) -> Option<(Md5, Vec<u8>)> {
        let (done, hashed) = completion();
        self.small.borrow_mut().push(Job {
            md5,
            range: 0..payload.len(),
            bytes: payload,
            done,
        });
        if self.small.borrow().len() >= self.compressor.lanes() || !is_appending {
            self.hash_small();
        }
        hashed.wait().await
    }

    /// Hashes the small payloads that wait. Whether there were any.
    pub fn hash_small(&self) -> bool {
        let mut jobs = std::mem::take(&mut *self.small.borrow_mut());
        let mut updates: Vec<Update<'_>> = jobs
            .iter_mut()
            .map(|job| Update {
                md5: &mut job.md5,
                bytes: job.bytes.get(job.range.clone()).unwrap_or_default(),
            })
            .collect();
        update_together(&mut updates, self.compressor);
        let has_any = !jobs.is_empty();
        for job in jobs {
            // Whoever waited may be gone, with its connection.
            job.done.give((job.md5, job.bytes));
        }
        has_any
    }

    /// Hashes whatever waits: also what nobody has asked for yet, since its client may send nothing more.
    pub fn sweep(self: &Rc<Self>) {
        self.hash_small();
        self.begin();
    }

    /// Begins to hash the buffers that wait.
    fn begin(self: &Rc<Self>) {
        if !self.buffers.borrow().is_empty() && !self.is_running.replace(true) {
            let lanes = Rc::clone(self);
            // Behind the tasks that can go on now: their buffers come along.
            rt::spawn(async move {
                while lanes.hash_slices() {
                    yield_now().await;
                }
                lanes.is_running.set(false);
            });
        }
    }

    /// Hashes a slice of each of the oldest buffers. Whether any are left.
    fn hash_slices(&self) -> bool {
        let mut jobs: Vec<Job<PooledBuffer>> = {
            let mut waiting = self.buffers.borrow_mut();
            let count = waiting.len().min(self.compressor.lanes());
            waiting.drain(..count).collect()
        };
        let slice = |range: &Range<usize>| range.start..range.end.min(range.start + BLOCK_BYTES);
        let mut updates: Vec<Update<'_>> = jobs
            .iter_mut()
            .map(|job| Update {
                md5: &mut job.md5,
                bytes: job.bytes.bytes().get(slice(&job.range)).unwrap_or_default(),
            })
            .collect();
        update_together(&mut updates, self.compressor);
        // The unfinished stay ahead of those that came after them.
        for mut job in jobs.into_iter().rev() {
            job.range.start = slice(&job.range).end;
            if job.range.is_empty() {
                job.done.give((job.md5, job.bytes));
            } else {
                self.buffers.borrow_mut().push_front(job);
            }
        }
        !self.buffers.borrow().is_empty()
    }
}

#[cfg(target_arch = "x86_64")]
fn widest() -> &'static dyn CompressLanes {
    if let Some(compressor) = avx512::Avx512::detect() {
        return compressor;
    }
    match avx2::Avx2::detect() {
        Some(compressor) => compressor,
        None => &OneLane,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn widest() -> &'static dyn CompressLanes {
    &OneLane
}

#[cfg(all(test, target_arch = "x86_64"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{avx2::Avx2, avx512::Avx512};
    use proto::{
        auth::sigv4::hex,
        digest::md5::{
            Md5,
            together::{CompressLanes, OneLane, Update, update_together},
        },
    };

    /// Messages of many lengths, in updates that end within blocks, must come out as each by itself.
    #[test]
    fn all_lanes_agree_with_one() {
        let detected = [
            Some(&OneLane as &dyn CompressLanes),
            Avx2::detect().map(|found| found as &dyn CompressLanes),
            Avx512::detect().map(|found| found as &dyn CompressLanes),
        ];
        let data: Vec<u8> = (0..40_000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        for compressor in detected.into_iter().flatten() {
            for count in [1, 2, 3, 7, 8, 9, 15, 16, 17, 33] {
                let messages: Vec<&[u8]> = (0..count)
                    .map(|n| &data[n * 31..][..(n * n * 97 + n) % 30_000])
                    .collect();
                let mut hashers = vec![Md5::new(); count];
                for part in 0..3 {
                    let mut updates: Vec<Update<'_>> = hashers
                        .iter_mut()
                        .zip(&messages)
                        .map(|(md5, message)| Update {
                            md5,
                            bytes: &message[message.len() * part / 3..message.len() * (part + 1) / 3],
                        })
                        .collect();
                    update_together(&mut updates, compressor);
                }
                for (md5, message) in hashers.into_iter().zip(&messages) {
                    let mut alone = Md5::new();
                    alone.update(message);
                    assert_eq!(hex(&md5.finish()), hex(&alone.finish()), "{count} messages");
                }
            }
        }
    }
}
