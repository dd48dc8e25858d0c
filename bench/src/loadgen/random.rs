//! Pseudo-random numbers, the same in every run.

/// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled"), from a fixed seed.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Default for Random {
    fn default() -> Self {
        Self {
            state: 0x9e37_79b9_7f4a_7c15,
        }
    }
}

impl Random {
    /// The next number.
    pub fn value(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The next number below `bound`; 0 when there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.value()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut random = Random::default();
        let mut seen = [0_u32; 7];
        for _ in 0..7000 {
            let number = random.below(7);
            seen[number as usize] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
        assert_eq!(random.below(1), 0);
        assert_eq!(random.below(0), 0);
    }
}
