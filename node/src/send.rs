//! Sending: head and payload in one system call, blocks loaded ahead, and nothing but a few bytes held for a client that
//! does not read.

use crate::{
    cache::{Block, BlockKey},
    core::Core,
    deadline::Deadline,
    limits::{BODY_TIMEOUT, SEND_WINDOW_BLOCKS, STALLED_TAIL_BYTES},
    rt::{self, Stream},
    window::{Loaded, Slot, Window},
};
use mountpath::{
    buffer::Reservation,
    completion::completion,
    error::StoreError,
    shard_store::{OpenObject, ShardStore},
};
use proto::{http::range::ByteRange, limits::BLOCK_BYTES};
use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    rc::Rc,
};

/// Why a payload was not sent to its end.
#[derive(Debug)]
pub enum SendError {
    /// The client went away or was too slow.
    Client,
    /// A block could not be read or is damaged.
    Store {
        /// First byte of the block within the object.
        offset: u64,
        /// What happened.
        error: StoreError,
    },
}

impl From<io::Error> for SendError {
    fn from(_: io::Error) -> Self {
        Self::Client
    }
}

/// A payload on its way out.
pub struct PayloadSender<'c> {
    core: &'c Rc<Core>,
    shard_index: u16,
    shard: Rc<ShardStore>,
    object: OpenObject,
    verify: bool,
    position: u64,
    end: u64,
    window: Rc<RefCell<Window>>,
}

impl<'c> PayloadSender<'c> {
    /// A sender of `range` of an object; `verify`: what comes from the disk is held against its checksums.
    pub fn new(
        core: &'c Rc<Core>,
        shard_index: u16,
        shard: Rc<ShardStore>,
        object: OpenObject,
        verify: bool,
        range: ByteRange,
    ) -> Self {
        let window = Rc::new(RefCell::new(Window::default()));
        Self {
            core,
            shard_index,
            shard,
            object,
            verify,
            position: range.start,
            end: range.start + range.length,
            window,
        }
    }

    /// Loads the first block, so that damage there is still answered with a status.
    pub async fn prepare(&mut self) -> Result<(), SendError> {
        if self.position < self.end {
            self.load_front().await?;
        }
        Ok(())
    }

    /// Sends the head and the whole range; `sent_bytes` always grows by how much of the range has gone.
    pub async fn send(
        mut self,
        stream: &mut Stream,
        deadline: &Deadline,
        head: &[u8],
        sent_bytes: &Cell<u64>,
    ) -> Result<(), SendError> {
        let mut head = head;
        let (start, before) = (self.position, sent_bytes.get());
        deadline.set(BODY_TIMEOUT);
        while !head.is_empty() || self.position < self.end {
            if self.position < self.end {
                self.load_front().await?;
                self.load_ahead();
            }
            let sent = {
                let window = self.window.borrow();
                let mut slices = [IoSlice::new(&[]); SEND_WINDOW_BLOCKS + 1];
                let count = self.gather(&window, head, &mut slices);
                stream.try_send(slices.get(..count).unwrap_or_default())?
            };
            match sent {
                Some(sent) => {
                    let of_head = sent.min(head.len());
                    head = head.get(of_head..).unwrap_or_default();
                    self.advance((sent - of_head) as u64);
                    deadline.set(BODY_TIMEOUT);
                    // A client on another processor can take everything as fast as it comes.
                    rt::yield_if_needed().await;
                }
                None => self.wait_writable(stream, &mut head, deadline).await?,
            }
            sent_bytes.set(before + (self.position - start));
        }
        while !stream.progress().await? {
            deadline.set(BODY_TIMEOUT);
        }
        Ok(())
    }

    /// The head and the loaded blocks that can go out now, in order.
    fn gather<'w>(&self, window: &'w Window, head: &'w [u8], slices: &mut [IoSlice<'w>]) -> usize {
        let mut used = 0;
        let mut push = |bytes: &'w [u8]| {
            if let Some(slot) = slices.get_mut(used).filter(|_| !bytes.is_empty()) {
                *slot = IoSlice::new(bytes);
                used += 1;
            }
        };
        push(head);
        let mut position = self.position;
        for slot in &window.slots {
            let Slot::Loaded(loaded) = slot else { break };
            if position >= self.end {
                break;
            }
            let bytes = self.part(&loaded.block, position);
            position += bytes.len() as u64;
            push(bytes);
        }
        used
    }

    /// The bytes of a block from `position` on, within the range.
    fn part<'b>(&self, block: &'b Block, position: u64) -> &'b [u8] {
        let from = usize::try_from(position % BLOCK_BYTES as u64).unwrap_or(usize::MAX);
        let most = usize::try_from(self.end - position).unwrap_or(usize::MAX);
        let to = from.saturating_add(most).min(block.len());
        block.get(from..to).unwrap_or_default()
    }

    fn advance(&mut self, count: u64) {
        self.position += count;
        let current = self.position / BLOCK_BYTES as u64;
        let mut window = self.window.borrow_mut();
        while window.first < current && !window.slots.is_empty() {
            window.slots.pop_front();
            window.first += 1;
        }
    }

    /// Waits until the socket takes more, holding only a few bytes of the payload meanwhile.
    async fn wait_writable(
        &mut self,
        stream: &mut Stream,
        head: &mut &[u8],
        deadline: &Deadline,
    ) -> Result<(), SendError> {
        deadline.set(BODY_TIMEOUT);
        if stream.is_tls() {
            // It has taken a batch, and waits with the end of it.
            self.note_stalled();
            let result = stream.progress().await;
            self.window.borrow_mut().set_stalled(false);
            return result.map(drop).map_err(SendError::from);
        }
        if !head.is_empty() {
            let rest = std::mem::take(head);
            stream.write_all(rest).await?;
            return Ok(());
        }
        let mut tail = [0u8; STALLED_TAIL_BYTES];
        let count = {
            let window = self.window.borrow();
            let Some(Slot::Loaded(loaded)) = window.slots.front() else {
                return Ok(());
            };
            let part = self.part(&loaded.block, self.position);
            let count = part.len().min(tail.len());
            for (to, from) in tail.iter_mut().zip(part.iter().take(count)) {
                *to = *from;
            }
            count
        };
        self.note_stalled();
        let result = stream.write_all(tail.get(..count).unwrap_or_default()).await;
        self.window.borrow_mut().set_stalled(false);
        result?;
        self.advance(count as u64);
        Ok(())
    }

    fn note_stalled(&self) {
        let note = self.window.borrow_mut().set_stalled(true);
        if note {
            self.core.note_stalled(&self.window);
        }
    }

    /// Makes sure that the block at the current position is loaded.
    async fn load_front(&mut self) -> Result<(), SendError> {
        let current = self.position / BLOCK_BYTES as u64;
        let front = {
            let mut window = self.window.borrow_mut();
            if window.slots.is_empty() {
                window.first = current;
            }
            match window.slots.front() {
                Some(Slot::Loaded(_)) => return Ok(()),
                Some(Slot::Loading(_) | Slot::Failed(_)) => window.slots.pop_front(),
                None => None,
            }
        };
        let loaded = match front {
            Some(Slot::Loading(receiver)) => receiver.wait().await.unwrap_or(Err(StoreError::ReadOnly)),
            Some(Slot::Failed(error)) => Err(error),
            _ => match self.core.cache.block(self.key(current)) {
                Some(block) => Ok(Loaded::new(block, None)),
                None => {
                    let memory = self.core.reserve(BLOCK_BYTES).await;
                    load(
                        Rc::clone(self.core),
                        Rc::clone(&self.shard),
                        self.object.clone(),
                        self.verify,
                        self.key(current),
                        memory,
                    )
                    .await
                }
            },
        };
        let offset = current * BLOCK_BYTES as u64;
        let loaded = loaded.map_err(|error| SendError::Store { offset, error })?;
        let mut window = self.window.borrow_mut();
        if window.slots.is_empty() {
            window.first = current;
        }
        window.slots.push_front(Slot::Loaded(loaded));
        Ok(())
    }

    /// Starts loading the blocks that follow, as far as memory is free, and takes in what has arrived.
    fn load_ahead(&mut self) {
        let last = (self.end - 1) / BLOCK_BYTES as u64;
        let mut window = self.window.borrow_mut();
        while window.slots.len() < SEND_WINDOW_BLOCKS {
            let next = window.first + window.slots.len() as u64;
            if next > last {
                break;
            }
            let key = self.key(next);
            if let Some(block) = self.core.cache.block(key) {
                window.slots.push_back(Slot::Loaded(Loaded::new(block, None)));
                continue;
            }
            let Some(memory) = self.core.sending.try_reserve(BLOCK_BYTES) else {
                break;
            };
            let (giver, receiver) = completion();
            let loading = load(
                Rc::clone(self.core),
                Rc::clone(&self.shard),
                self.object.clone(),
                self.verify,
                key,
                memory,
            );
            rt::spawn(async move { giver.give(loading.await) });
            window.slots.push_back(Slot::Loading(receiver));
        }
        for slot in &mut window.slots {
            if let Slot::Loading(receiver) = slot {
                match receiver.try_take() {
                    Some(Ok(loaded)) => *slot = Slot::Loaded(loaded),
                    Some(Err(error)) => *slot = Slot::Failed(error),
                    None => break,
                }
            }
        }
    }

    fn key(&self, block: u64) -> BlockKey {
        BlockKey {
            shard: self.shard_index,
            sequence: self.object.entry.sequence,
            block,
        }
    }
}

/// Loads a block that will be sent soon into the cache, if there is memory for it now. Only what is verified is cached.
pub async fn load_into_cache(
    core: &Rc<Core>,
    shard_index: u16,
    shard: &Rc<ShardStore>,
    object: &OpenObject,
    block: u64,
) {
    let key = BlockKey {
        shard: shard_index,
        sequence: object.entry.sequence,
        block,
    };
    if core.cache.block(key).is_some() {
        return;
    }
    if let Some(memory) = core.sending.try_reserve(BLOCK_BYTES) {
        // Whoever sends it meets the error again.
        drop(load(Rc::clone(core), Rc::clone(shard), object.clone(), true, key, memory).await);
    }
}

async fn load(
    core: Rc<Core>,
    shard: Rc<ShardStore>,
    object: OpenObject,
    verify: bool,
    key: BlockKey,
    memory: Reservation,
) -> Result<Loaded, StoreError> {
    let bytes = shard.read_block(&object, key.block, verify).await;
    if matches!(bytes, Err(StoreError::Damaged(_))) {
        shard.note_damage();
    }
    let bytes = bytes?;
    let block = Block::new(bytes);
    if verify {
        // What is in the cache was verified, whatever its bucket's property says later.
        core.cache.insert(key, block.clone());
    }
    Ok(Loaded::new(block, Some(memory)))
}
