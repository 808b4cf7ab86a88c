//! What a round is computed from: links, and the numbers frozen with them.

use crate::Error;

/// One cyberlink: `neuron` says that the particle `from` leads to the particle `to`. The triples
/// of a graph are unique; a neuron may link a particle to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub neuron: u32,
    pub from: u32,
    pub to: u32,
}

/// The frozen numbers of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Damping factor in 18 decimals, 0 to 0.9 · 10^18.
    pub damping_atomics: u64,
    /// Significant bits of a code, 8 to 24.
    pub code_bits: u32,
    /// Stake that each source keeps for itself, in the smallest unit.
    pub source_stake: u64,
    /// Most sweeps of the round, at least 1.
    pub sweeps: u32,
    /// k of the base 2^(32 - k), see [`base_shift`]; at most 16.
    pub base_shift: u32,
}

/// 1 in 18 decimals.
const ONE: u64 = 1_000_000_000_000_000_000;

impl Parameters {
    /// The damping factor times 2^32, rounded half up: below 2^32.
    pub fn damping(&self) -> u32 {
        let twice = (2 * u128::from(self.damping_atomics)) << 32;
        ((twice + u128::from(ONE)) / (2 * u128::from(ONE))) as u32
    }

    /// What every particle has from the start: 2^(32 - k).
    pub fn base(&self) -> u64 {
        1 << (32 - self.base_shift)
    }

    /// Refuses what the arithmetic does not hold; a chain validates its parameters before.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |name, value, allowed| {
            Err(Error::Parameter { name, value: u128::from(value), allowed })
        };
        if self.damping_atomics > ONE / 10 * 9 {
            return refuse("damping_factor", self.damping_atomics, "0 to 900000000000000000");
        }
        if !(8..=24).contains(&self.code_bits) {
            return refuse("code_bits", u64::from(self.code_bits), "8 to 24");
        }
        if self.sweeps == 0 {
            return refuse("sweeps", 0, "1 and more");
        }
        if self.base_shift > 16 {
            return refuse("base_shift", u64::from(self.base_shift), "0 to 16");
        }
        Ok(())
    }
}

/// k of the base 2^(32 - k): the least with `particles ≤ 2·10^8 · 2^k · (1 - d) / 0.15`, so that
/// the sum of all ranks stays below 2^63. The damping factor d, in 18 decimals, is below 1.
pub fn base_shift(particles: u64, damping_atomics: u64) -> u32 {
    assert!(damping_atomics < ONE, "the damping factor {damping_atomics} is not below 1");
    // Both sides times 0.15 · 10^18.
    let needed = u128::from(particles) * u128::from(ONE / 100 * 15);
    let mut shift = 0;
    while needed > (200_000_000 * u128::from(ONE - damping_atomics)) << shift {
        shift += 1;
    }
    shift
}
