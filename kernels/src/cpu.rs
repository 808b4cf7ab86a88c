//! **The definition** of a round. Readable first: every other engine is tested against it bit by
//! bit, and this one against `tests/vectors/rank.json`, which another program made.
//!
//! It recomputes everything from the list of links and keeps nothing between calls.

use std::collections::BTreeMap;

use crate::code::{towards, unpack};
use crate::{Link, Parameters};

/// Largest exponent of a weight.
const EXPONENT_MAX: u32 = 24;

/// The share of a source's rank that goes to one target: `mantissa · 2^-(32 + exponent)`, the
/// damping factor included. The exponent is the same for all targets of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    pub mantissa: u32,
    pub exponent: u32,
}

/// Weights by (source, target).
pub type Weights = BTreeMap<(u32, u32), Weight>;

/// The exponent of a source's weights: floor(log2(total / largest)), at most 24. `largest` is not
/// zero.
pub fn exponent(total: u128, largest: u128) -> u32 {
    (total / largest).ilog2().min(EXPONENT_MAX)
}

/// `damping · stake · 2^exponent / total`, rounded half up. All stakes of a source together stay
/// below 2^94, as they do where the supply is at most 2^63.
pub fn mantissa(damping: u32, stake: u128, exponent: u32, total: u128) -> u32 {
    let doubled = 2 * u128::from(damping) * (stake << exponent);
    ((doubled + total) / (2 * total)) as u32
}

/// The weights of all pairs. `stakes` are rank-stakes by neuron; a missing one is zero. A source
/// whose stakes are all zero has no weights.
pub fn weights(links: &[Link], stakes: &[u64], parameters: &Parameters) -> Weights {
    let mut pairs = BTreeMap::<(u32, u32), u128>::new();
    for link in links {
        let stake = stakes.get(link.neuron as usize).copied().unwrap_or(0);
        *pairs.entry((link.from, link.to)).or_default() += u128::from(stake);
    }
    let mut sources = BTreeMap::<u32, (u128, u128)>::new();
    for (&(source, _), &stake) in &pairs {
        let (total, largest) =
            sources.entry(source).or_insert((u128::from(parameters.source_stake), 0));
        *total += stake;
        *largest = stake.max(*largest);
    }
    let mut weights = Weights::new();
    for ((source, target), stake) in pairs {
        let (total, largest) = sources[&source];
        if largest > 0 {
            let exponent = exponent(total, largest);
            let mantissa = mantissa(parameters.damping(), stake, exponent, total);
            weights.insert((source, target), Weight { mantissa, exponent });
        }
    }
    weights
}

/// What a source with `code` gives to a target: floor(weight · value).
pub fn contribution(weight: Weight, code: u32, bits: u32) -> u64 {
    let (mantissa, shift) = unpack(code, bits);
    let product = u64::from(weight.mantissa) * u64::from(mantissa);
    let down = 32 + weight.exponent;
    if shift >= down {
        product << (shift - down)
    } else {
        product >> (down - shift)
    }
}

/// One sweep: the new codes of all particles from their old codes.
pub fn sweep(codes: &[u32], weights: &Weights, parameters: &Parameters) -> Vec<u32> {
    let bits = parameters.code_bits;
    let mut sums = vec![parameters.base(); codes.len()];
    for (&(source, target), &weight) in weights {
        sums[target as usize] += contribution(weight, codes[source as usize], bits);
    }
    assert!(sums.iter().all(|sum| sum >> 63 == 0), "all ranks together are below 2^63");
    sums.iter().zip(codes).map(|(&sum, &code)| towards(code, sum, bits)).collect()
}

/// One round: the codes after each sweep, until one changes nothing or the limit is reached.
pub fn round(
    links: &[Link],
    stakes: &[u64],
    parameters: &Parameters,
    mut codes: Vec<u32>,
) -> Vec<Vec<u32>> {
    let weights = weights(links, stakes, parameters);
    let mut history = Vec::new();
    for _ in 0..parameters.sweeps {
        let after = sweep(&codes, &weights, parameters);
        history.push(after.clone());
        if after == codes {
            break;
        }
        codes = after;
    }
    history
}
