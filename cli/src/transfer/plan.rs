//! How a payload is cut.

use crate::limits::{PART_BYTES_MAX, STREAM_PARTS_PER_STEP};
use proto::limits::{PART_BYTES_MIN, PART_COUNT_MAX};

/// Pieces of one size, the last one shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Of all pieces together, in bytes.
    pub size: u64,
    /// Of a piece.
    pub piece_bytes: u64,
}

impl Plan {
    /// Pieces of this size for ranges.
    pub fn of_ranges(size: u64, piece_bytes: u64) -> Self {
        Self {
            size,
            piece_bytes: piece_bytes.max(1),
        }
    }

    /// Parts of this size, or larger ones, in whole MiB, where there would be more than an upload may have.
    pub fn of_parts(size: u64, part_bytes: u64) -> Self {
        const MIB: u64 = 1024 * 1024;
        let least = size.div_ceil(u64::try_from(PART_COUNT_MAX).unwrap_or(u64::MAX));
        let piece_bytes = match least > part_bytes {
            true => least.div_ceil(MIB).saturating_mul(MIB),
            false => part_bytes,
        };
        Self {
            size,
            piece_bytes: piece_bytes.max(PART_BYTES_MIN),
        }
    }

    /// How many pieces.
    pub fn count(self) -> u64 {
        self.size.div_ceil(self.piece_bytes)
    }

    /// First byte and length of a piece, counted from 0.
    pub fn piece(self, number: u64) -> (u64, u64) {
        let first = number.saturating_mul(self.piece_bytes).min(self.size);
        (first, self.piece_bytes.min(self.size - first))
    }
}

/// The size of a part of a stream whose length nobody knows, counted from 1: it grows, so that 10,000 parts hold 55,000 times
/// the first one.
pub fn stream_part_bytes(part_bytes: u64, number: u64) -> u64 {
    let step = 1 + number.saturating_sub(1) / STREAM_PARTS_PER_STEP;
    part_bytes.saturating_mul(step).min(PART_BYTES_MAX.max(part_bytes))
}

#[cfg(test)]
mod tests {
    use super::{Plan, stream_part_bytes};

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn pieces_cover_everything_once() {
        for size in [0, 1, 9, 10, 11, 100, 101] {
            let plan = Plan::of_ranges(size, 10);
            let mut end = 0;
            for number in 0..plan.count() {
                let (first, length) = plan.piece(number);
                assert_eq!(first, end);
                assert!((1..=10).contains(&length));
                end = first + length;
            }
            assert_eq!(end, size);
        }
    }

    #[test]
    fn there_are_never_too_many_parts() {
        assert_eq!(Plan::of_parts(100 * MIB, 16 * MIB).count(), 7);
        assert_eq!(Plan::of_parts(100 * MIB, MIB).piece_bytes, 5 * MIB);
        let largest = Plan::of_parts(5 * 1024 * 1024 * MIB, 16 * MIB);
        assert_eq!((largest.piece_bytes, largest.count() <= 10_000), (525 * MIB, true));
    }

    #[test]
    fn parts_of_streams_grow() {
        assert_eq!(stream_part_bytes(16 * MIB, 1), 16 * MIB);
        assert_eq!(stream_part_bytes(16 * MIB, 1000), 16 * MIB);
        assert_eq!(stream_part_bytes(16 * MIB, 1001), 32 * MIB);
        assert_eq!(stream_part_bytes(16 * MIB, 10_000), 160 * MIB);
    }
}
