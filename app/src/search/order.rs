//! The order of answers: by published rank, highest first, ties by particle number.
//!
//! Codes of one round compare as their values do (`tests::codes_compare_as_their_values`), so a
//! particle's place is one 64-bit key: the code turned round, then the number; ascending keys are
//! the order. Nothing here sorts more than was asked for. Deliberately absent: scaled ranks.

use super::deadline::{Deadline, Late};
use crate::store::merkle::RankTree;
use crate::types::ParticleNumber;
use std::ops::Range;

/// Sorted at least, once something is.
const SORTED_MIN: usize = 1024;
/// Bits of a code in the lower histogram; a code has at most 30.
const LOW_BITS: u32 = 15;

/// The key of a particle with a code.
pub fn key(code: u32, particle: ParticleNumber) -> u64 {
    (u64::from(!code) << 32) | u64::from(particle.0)
}

/// The particle of a key.
pub fn particle(key: u64) -> ParticleNumber {
    ParticleNumber((key & u64::from(u32::MAX)) as u32)
}

/// The code of a key.
pub fn code(key: u64) -> u32 {
    !((key >> 32) as u32)
}

/// Keys of which a first part stands in order; it grows as pages further on are asked for.
#[derive(Debug)]
pub struct Order {
    keys: Vec<u64>,
    sorted: usize,
}

impl Order {
    /// Keys in any order.
    pub fn new(keys: Vec<u64>) -> Order {
        Order { keys, sorted: 0 }
    }

    /// The keys at these places, as far as there are any.
    pub fn page(&mut self, places: Range<usize>) -> &[u64] {
        let end = places.end.min(self.keys.len());
        if end > self.sorted {
            let until = end.max(2 * self.sorted).max(SORTED_MIN).min(self.keys.len());
            let rest = &mut self.keys[self.sorted..];
            if until - self.sorted < rest.len() {
                rest.select_nth_unstable(until - self.sorted);
            }
            rest[..until - self.sorted].sort_unstable();
            self.sorted = until;
        }
        &self.keys[places.start.min(end)..end]
    }
}

/// The code at a place of the order, and how many particles have a higher one.
#[derive(Clone, Copy)]
struct Cut {
    code: u32,
    higher: usize,
}

/// The keys at these places of all particles, in three passes over the codes and with memory for
/// the answer alone.
pub fn top(ranks: &RankTree, places: Range<usize>, deadline: &Deadline) -> Result<Vec<u64>, Late> {
    let end = places.end.min(ranks.len() as usize);
    if places.start >= end {
        return Ok(Vec::new());
    }
    let highs = histogram(ranks, deadline, |code| Some(code >> LOW_BITS))?;
    let first = cut(ranks, &highs, places.start, deadline)?;
    let last = cut(ranks, &highs, end - 1, deadline)?;
    let (skip, take) = (places.start - first.higher, end - last.higher);
    let mut keys = Vec::with_capacity(end - places.start);
    let (mut of_first, mut of_last) = (0, 0);
    visit(ranks, deadline, |particle, code| {
        if !(last.code..=first.code).contains(&code) {
            return;
        }
        of_last += usize::from(code == last.code);
        of_first += usize::from(code == first.code);
        let too_late = code == last.code && of_last > take;
        let too_early = code == first.code && of_first <= skip;
        if !too_late && !too_early {
            keys.push(key(code, particle));
        }
    })?;
    keys.sort_unstable();
    Ok(keys)
}

/// The code at a place: first its upper bits by the histogram over them, then the lower ones.
fn cut(ranks: &RankTree, highs: &[usize], place: usize, deadline: &Deadline) -> Result<Cut, Late> {
    let (high, above) = bucket(highs, place);
    let low_mask = (1 << LOW_BITS) - 1;
    let lows =
        histogram(ranks, deadline, |code| (code >> LOW_BITS == high).then_some(code & low_mask))?;
    let (low, higher) = bucket(&lows, place - above);
    Ok(Cut { code: (high << LOW_BITS) | low, higher: above + higher })
}

/// The bucket a place falls into, counted from the highest, and how many are in higher ones.
fn bucket(counts: &[usize], place: usize) -> (u32, usize) {
    let mut above = 0;
    for (bucket, count) in counts.iter().enumerate().rev() {
        if above + count > place {
            return (bucket as u32, above);
        }
        above += count;
    }
    unreachable!("the place is below the number of particles")
}

fn histogram(
    ranks: &RankTree,
    deadline: &Deadline,
    bucket_of: impl Fn(u32) -> Option<u32>,
) -> Result<Vec<usize>, Late> {
    let mut counts = vec![0; 1 << LOW_BITS];
    visit(ranks, deadline, |_, code| {
        if let Some(bucket) = bucket_of(code) {
            counts[bucket as usize] += 1;
        }
    })?;
    Ok(counts)
}

fn visit(
    ranks: &RankTree,
    deadline: &Deadline,
    mut each: impl FnMut(ParticleNumber, u32),
) -> Result<(), Late> {
    let mut number = 0;
    for (at, codes) in ranks.codes().enumerate() {
        deadline.check_step(at)?;
        for code in codes {
            each(ParticleNumber(number), *code);
            number += 1;
        }
    }
    Ok(())
}
