//! Eight lanes, in registers of 256 bits.

use super::rounds::{ROTATIONS, SINES, word};
use proto::digest::md5::{
    Block, State,
    together::{CompressLanes, OneLane},
};
use std::{
    arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256, _mm256_loadu_si256, _mm256_or_si256,
        _mm256_permute2x128_si256, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_sllv_epi32, _mm256_srlv_epi32,
        _mm256_storeu_si256, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32,
        _mm256_unpacklo_epi64, _mm256_xor_si256,
    },
    array::from_fn,
};

const LANES: usize = 8;

/// Made only where the processor has AVX2.
pub struct Avx2(());

impl Avx2 {
    /// If the processor has it.
    pub fn detect() -> Option<&'static Self> {
        is_x86_feature_detected!("avx2").then_some(&Self(()))
    }
}

impl CompressLanes for Avx2 {
    fn lanes(&self) -> usize {
        LANES
    }
    fn compress(&self, states: &mut [State], blocks: &[&[Block]]) {
        let Some(first) = blocks.first() else { return };
        if states.len() > LANES || states.len() != blocks.len() {
            return OneLane.compress(states, blocks);
        }
        // Lanes nobody needs compute what the first one does.
        let lanes = from_fn(|lane| *blocks.get(lane).unwrap_or(first));
        let mut all: [State; LANES] = from_fn(|lane| states.get(lane).copied().unwrap_or_default());
        // SAFETY: `self` exists only where the processor has AVX2.
        unsafe { compress(&mut all, lanes) };
        for (state, new) in states.iter_mut().zip(all) {
            *state = new;
        }
    }
}

#[target_feature(enable = "avx2")]
fn compress(states: &mut [State; LANES], lanes: [&[Block]; LANES]) {
    let [mut a, mut b, mut c, mut d]: [__m256i; 4] = from_fn(|word| load(&from_fn(|lane| states[lane][word])));
    let ones = _mm256_set1_epi32(-1);
    let count = lanes.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
    for number in 0..count {
        let (low, high) = (
            transpose(lanes.map(|blocks| load_half(&blocks[number], 0))),
            transpose(lanes.map(|blocks| load_half(&blocks[number], 1))),
        );
        let words: [__m256i; 16] = from_fn(|word| if word < 8 { low[word] } else { high[word - 8] });
        let before = [a, b, c, d];
        macro_rules! round {
            ($round:literal, $mixed:expr) => {
                for step in 16 * $round..16 * ($round + 1) {
                    let added = _mm256_add_epi32(words[word(step)], _mm256_set1_epi32(SINES[step]));
                    let sum = _mm256_add_epi32(_mm256_add_epi32(a, added), $mixed);
                    let rotation = ROTATIONS[$round][step % 4];
                    let rotated = _mm256_or_si256(
                        _mm256_sllv_epi32(sum, _mm256_set1_epi32(rotation)),
                        _mm256_srlv_epi32(sum, _mm256_set1_epi32(32 - rotation)),
                    );
                    (a, d, c, b) = (d, c, b, _mm256_add_epi32(rotated, b));
                }
            };
        }
        round!(0, _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(c, d), b), d));
        round!(1, _mm256_or_si256(_mm256_and_si256(d, b), _mm256_andnot_si256(d, c)));
        round!(2, _mm256_xor_si256(_mm256_xor_si256(c, d), b));
        round!(3, _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, ones))));
        a = _mm256_add_epi32(a, before[0]);
        b = _mm256_add_epi32(b, before[1]);
        c = _mm256_add_epi32(c, before[2]);
        d = _mm256_add_epi32(d, before[3]);
    }
    for (word, register) in [a, b, c, d].into_iter().enumerate() {
        for (state, value) in states.iter_mut().zip(store(register)) {
            state[word] = value;
        }
    }
}

/// From a row a lane to a register a word.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: [__m256i; LANES]) -> [__m256i; 8] {
    let mut pairs = [_mm256_setzero_si256(); 8];
    for at in 0..4 {
        pairs[2 * at] = _mm256_unpacklo_epi32(rows[2 * at], rows[2 * at + 1]);
        pairs[2 * at + 1] = _mm256_unpackhi_epi32(rows[2 * at], rows[2 * at + 1]);
    }
    // Of four rows each: words n and 4 + n in the register's halves.
    let mut fours = [_mm256_setzero_si256(); 8];
    for at in 0..2 {
        fours[4 * at] = _mm256_unpacklo_epi64(pairs[4 * at], pairs[4 * at + 2]);
        fours[4 * at + 1] = _mm256_unpackhi_epi64(pairs[4 * at], pairs[4 * at + 2]);
        fours[4 * at + 2] = _mm256_unpacklo_epi64(pairs[4 * at + 1], pairs[4 * at + 3]);
        fours[4 * at + 3] = _mm256_unpackhi_epi64(pairs[4 * at + 1], pairs[4 * at + 3]);
    }
    let mut words = [_mm256_setzero_si256(); 8];
    for at in 0..4 {
        words[at] = _mm256_permute2x128_si256::<0x20>(fours[at], fours[4 + at]);
        words[4 + at] = _mm256_permute2x128_si256::<0x31>(fours[at], fours[4 + at]);
    }
    words
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(words: &[u32; LANES]) -> __m256i {
    // SAFETY: 32 bytes are there, and no alignment is asked for.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_half(block: &Block, half: usize) -> __m256i {
    let halves = block.as_chunks::<32>().0;
    // SAFETY: as above.
    unsafe { _mm256_loadu_si256(halves[half].as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(register: __m256i) -> [u32; LANES] {
    let mut words = [0; LANES];
    // SAFETY: as above.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), register) };
    words
}
