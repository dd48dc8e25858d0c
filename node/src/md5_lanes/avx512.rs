//! Sixteen lanes, in registers of 512 bits.

use super::rounds::{ROTATIONS, SINES, word};
use proto::digest::md5::{
    Block, State,
    together::{CompressLanes, OneLane},
};
use std::{
    arch::x86_64::{
        __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_rolv_epi32, _mm512_set1_epi32, _mm512_setzero_si512,
        _mm512_shuffle_i32x4, _mm512_storeu_si512, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32,
        _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
    },
    array::from_fn,
};

const LANES: usize = 16;

/// The three-operand functions of the rounds as the processor's truth tables: F and G choose, H adds, I is y ^ (x | !z).
const CHOOSE: i32 = 0xca;
const PARITY: i32 = 0x96;
const LAST: i32 = 0x39;

/// Made only where the processor has AVX-512.
pub struct Avx512(());

impl Avx512 {
    /// If the processor has it.
    pub fn detect() -> Option<&'static Self> {
        is_x86_feature_detected!("avx512f").then_some(&Self(()))
    }
}

impl CompressLanes for Avx512 {
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
        // SAFETY: `self` exists only where the processor has AVX-512F.
        unsafe { compress(&mut all, lanes) };
        for (state, new) in states.iter_mut().zip(all) {
            *state = new;
        }
    }
}

#[target_feature(enable = "avx512f")]
fn compress(states: &mut [State; LANES], lanes: [&[Block]; LANES]) {
    let [mut a, mut b, mut c, mut d]: [__m512i; 4] = from_fn(|word| load(&from_fn(|lane| states[lane][word])));
    let count = lanes.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
    for number in 0..count {
        let rows = lanes.map(|blocks| load_block(&blocks[number]));
        let words = transpose(rows);
        let before = [a, b, c, d];
        macro_rules! round {
            ($round:literal, $function:expr, $x:ident, $y:ident, $z:ident) => {
                for step in 16 * $round..16 * ($round + 1) {
                    let added = _mm512_add_epi32(words[word(step)], _mm512_set1_epi32(SINES[step]));
                    let mixed = _mm512_ternarylogic_epi32::<{ $function }>($x, $y, $z);
                    let sum = _mm512_add_epi32(_mm512_add_epi32(a, added), mixed);
                    let rotated = _mm512_rolv_epi32(sum, _mm512_set1_epi32(ROTATIONS[$round][step % 4]));
                    (a, d, c, b) = (d, c, b, _mm512_add_epi32(rotated, b));
                }
            };
        }
        round!(0, CHOOSE, b, c, d);
        round!(1, CHOOSE, d, b, c);
        round!(2, PARITY, b, c, d);
        round!(3, LAST, b, c, d);
        a = _mm512_add_epi32(a, before[0]);
        b = _mm512_add_epi32(b, before[1]);
        c = _mm512_add_epi32(c, before[2]);
        d = _mm512_add_epi32(d, before[3]);
    }
    for (word, register) in [a, b, c, d].into_iter().enumerate() {
        for (state, value) in states.iter_mut().zip(store(register)) {
            state[word] = value;
        }
    }
}

/// From a row a lane to a register a word.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: [__m512i; LANES]) -> [__m512i; 16] {
    let mut pairs = [_mm512_setzero_si512(); 16];
    for at in 0..8 {
        pairs[2 * at] = _mm512_unpacklo_epi32(rows[2 * at], rows[2 * at + 1]);
        pairs[2 * at + 1] = _mm512_unpackhi_epi32(rows[2 * at], rows[2 * at + 1]);
    }
    // Of four rows each: words n, 4 + n, 8 + n and 12 + n in the register's quarters.
    let mut fours = [_mm512_setzero_si512(); 16];
    for at in 0..4 {
        fours[4 * at] = _mm512_unpacklo_epi64(pairs[4 * at], pairs[4 * at + 2]);
        fours[4 * at + 1] = _mm512_unpackhi_epi64(pairs[4 * at], pairs[4 * at + 2]);
        fours[4 * at + 2] = _mm512_unpacklo_epi64(pairs[4 * at + 1], pairs[4 * at + 3]);
        fours[4 * at + 3] = _mm512_unpackhi_epi64(pairs[4 * at + 1], pairs[4 * at + 3]);
    }
    let mut words = [_mm512_setzero_si512(); 16];
    for at in 0..4 {
        let even = [
            _mm512_shuffle_i32x4::<0x88>(fours[at], fours[4 + at]),
            _mm512_shuffle_i32x4::<0x88>(fours[8 + at], fours[12 + at]),
        ];
        let odd = [
            _mm512_shuffle_i32x4::<0xdd>(fours[at], fours[4 + at]),
            _mm512_shuffle_i32x4::<0xdd>(fours[8 + at], fours[12 + at]),
        ];
        words[at] = _mm512_shuffle_i32x4::<0x88>(even[0], even[1]);
        words[8 + at] = _mm512_shuffle_i32x4::<0xdd>(even[0], even[1]);
        words[4 + at] = _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]);
        words[12 + at] = _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1]);
    }
    words
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u32; LANES]) -> __m512i {
    // SAFETY: 64 bytes are there, and no alignment is asked for.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_block(block: &Block) -> __m512i {
    // SAFETY: as above.
    unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(register: __m512i) -> [u32; LANES] {
    let mut words = [0; LANES];
    // SAFETY: as above.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), register) };
    words
}
