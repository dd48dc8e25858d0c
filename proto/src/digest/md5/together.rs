//! MD5 of several messages at once. One message's blocks depend on each other, so a processor that computes with wide
//! registers takes a block of each of several messages, a lane each, in the time of one.

use super::{Block, Md5, State};
use md5::block_api::compress;

/// A message and the bytes it gets.
#[derive(Debug)]
pub struct Update<'m> {
    /// The message so far.
    pub md5: &'m mut Md5,
    /// What is added to it.
    pub bytes: &'m [u8],
}

/// Compresses the blocks of several messages.
pub trait CompressLanes {
    /// How many messages it takes at once.
    fn lanes(&self) -> usize;
    /// Adds the blocks to the states, message by message; each has as many blocks, and there are at most `lanes` messages.
    fn compress(&self, states: &mut [State], blocks: &[&[Block]]);
}

/// One message after the other.
#[derive(Debug, Clone, Copy)]
pub struct OneLane;

impl CompressLanes for OneLane {
    fn lanes(&self) -> usize {
        1
    }
    fn compress(&self, states: &mut [State], blocks: &[&[Block]]) {
        for (state, blocks) in states.iter_mut().zip(blocks) {
            compress(state, blocks);
        }
    }
}

/// Adds to each message its bytes.
pub fn update_together(updates: &mut [Update<'_>], compressor: &dyn CompressLanes) {
    let absorbed = updates.iter_mut().map(|update| {
        let blocks = update.md5.absorb(update.bytes);
        (&mut update.md5.state, blocks)
    });
    let mut waiting: Vec<(&mut State, &[Block])> = absorbed.collect();
    // Those that go together should end together.
    waiting.sort_by_key(|(_, blocks)| std::cmp::Reverse(blocks.len()));
    loop {
        waiting.retain(|(_, blocks)| !blocks.is_empty());
        let count = waiting.len().min(compressor.lanes());
        let group = waiting.get_mut(..count).unwrap_or_default();
        match group {
            [] => return,
            [(state, blocks)] => compress(state, std::mem::take(blocks)),
            several => together(several, compressor),
        }
    }
}

/// As many blocks of each as all of them have.
fn together(group: &mut [(&mut State, &[Block])], compressor: &dyn CompressLanes) {
    let count = group.iter().map(|(_, blocks)| blocks.len()).min().unwrap_or_default();
    let mut states: Vec<State> = group.iter().map(|(state, _)| **state).collect();
    let mut heads = Vec::with_capacity(group.len());
    for (_, blocks) in group.iter_mut() {
        let (head, rest) = blocks.split_at(count);
        heads.push(head);
        *blocks = rest;
    }
    compressor.compress(&mut states, &heads);
    for ((state, _), new) in group.iter_mut().zip(states) {
        **state = new;
    }
}
