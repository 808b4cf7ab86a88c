//! What each round changed: particle, code before, code after, for as many rounds as the node is
//! told to keep. Written beside the height's record in its write set; nothing hashes it, and a
//! journal that had to be begun anew lacks the rounds before.
//!
//! ```text
//! D round's place (4) part (4) → bits before (1) ‖ bits after (1) ‖ rows in all (4)
//!                                ‖ up to 5,000 rows: particle, code before, code after (4 each)
//! ```
//!
//! Invariants: rows ascend by particle; a kept round has all its parts, at least one. Deliberately
//! absent: the genesis' own rounds, which this node did not see.

use super::backend::{Backend, WriteSet};
use super::codec::{put_count, put_u32, put_u8, seal, unseal, Input};
use super::journal::Journal;
use super::merkle::ranks::code_value;
use super::merkle::RankTree;
use super::snapshot::Snapshot;
use super::tables::delta_key;
use crate::error::Fault;
use crate::telemetry::{timed, RoundPhase};
use crate::types::ParticleNumber;
use std::ops::Range;
use std::sync::Arc;

/// Rows in a part, so that it fits a value.
const ROWS: u32 = 5_000;

/// One particle's published value before and after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    pub particle: ParticleNumber,
    pub before: u64,
    pub after: u64,
}

/// The deltas of one round, read part by part.
pub struct Deltas {
    backend: Arc<dyn Backend>,
    /// The round's place in the log of rounds.
    place: u32,
    rows: u32,
}

/// The entries that a height adds to its write set: the deltas of the round it publishes, and the
/// removal of those of rounds no longer kept. Nothing for a height without a round.
pub(super) fn entries(
    journal: &Journal,
    before: &Snapshot,
    after: &Snapshot,
    keep_rounds: u64,
) -> Result<WriteSet, Fault> {
    let place = before.rounds();
    if after.rounds() == place {
        return Ok(Vec::new());
    }
    let mut set = match keep_rounds {
        0 => Vec::new(),
        _ => timed(RoundPhase::Deltas, || parts(place, before.rank(), after.rank())),
    };
    let gone = u64::from(place) + 1;
    if let Some(gone) = gone.checked_sub(keep_rounds) {
        let gone = u32::try_from(gone).expect("at most the rounds so far");
        journal.backend().range(&delta_key(0, 0), &delta_key(gone, 0), &mut |key, _| {
            set.push((key.to_vec(), None));
            Ok(true)
        })?;
    }
    Ok(set)
}

/// The parts of a round's deltas.
fn parts(place: u32, before: &RankTree, after: &RankTree) -> WriteSet {
    let bits = [before.code_bits(), after.code_bits()];
    let rows = after.differences(before);
    let part = |(part, chunk): (u32, &[[u32; 3]])| {
        let mut body = Vec::with_capacity(6 + chunk.len() * 12);
        bits.iter().for_each(|bits| put_u8(&mut body, *bits as u8));
        put_count(&mut body, rows.len());
        chunk.iter().flatten().for_each(|field| put_u32(&mut body, *field));
        let key = delta_key(place, part);
        let value = seal(&key, body);
        (key, Some(value))
    };
    match rows.is_empty() {
        true => vec![part((0, &[]))],
        false => (0..).zip(rows.chunks(ROWS as usize)).map(part).collect(),
    }
}

impl Deltas {
    /// The deltas of the round at a place of the log of rounds; none if they are not kept.
    pub(super) fn open(journal: &Journal, place: u32) -> Result<Option<Deltas>, Fault> {
        let mut deltas = Deltas { backend: journal.backend().clone(), place, rows: 0 };
        let Some((rows, _)) = deltas.part(0)? else { return Ok(None) };
        deltas.rows = rows;
        Ok(Some(deltas))
    }

    /// How many ranks the round changed.
    pub fn len(&self) -> u32 {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Some of them, ascending by particle.
    ///
    /// # Errors
    /// The disk fails, what is on it is damaged, or the round was let go meanwhile.
    pub fn rows(&self, range: Range<u32>) -> Result<Vec<Delta>, Fault> {
        let end = range.end.min(self.rows);
        let mut found = Vec::with_capacity(end.saturating_sub(range.start) as usize);
        let mut at = range.start;
        while at < end {
            let part = self.part(at / ROWS)?;
            let (_, rows) = part.ok_or_else(|| {
                let place = self.place;
                Fault::Storage(format!("the deltas of round {place} are no longer there"))
            })?;
            let until = end.min((at / ROWS + 1) * ROWS);
            let wanted = (at % ROWS) as usize..((until - 1) % ROWS) as usize + 1;
            let wanted = rows.get(wanted).ok_or_else(|| {
                Fault::Damage(format!("the deltas of round {} lack rows", self.place))
            })?;
            found.extend_from_slice(wanted);
            at = until;
        }
        Ok(found)
    }

    /// The rows of one part, and how many there are in all.
    fn part(&self, part: u32) -> Result<Option<(u32, Vec<Delta>)>, Fault> {
        let key = delta_key(self.place, part);
        let Some(value) = self.backend.get(&key)? else { return Ok(None) };
        let what = format!("deltas of round {}, part {part}", self.place);
        let mut input = Input::new(unseal(&key, &value)?, &what);
        let (old_bits, new_bits) = (u32::from(input.u8()?), u32::from(input.u8()?));
        let total = input.u32()?;
        let count = total.saturating_sub(part.saturating_mul(ROWS)).min(ROWS);
        let mut rows = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let (particle, old, new) = (ParticleNumber(input.u32()?), input.u32()?, input.u32()?);
            let value = |code, bits| match (8..=24).contains(&bits) {
                true => code_value(code, bits).ok_or_else(|| input.damage("no code")),
                false => Err(input.damage("no bits of codes")),
            };
            let (before, after) = (value(old, old_bits)?, value(new, new_bits)?);
            rows.push(Delta { particle, before, after });
        }
        input.end()?;
        Ok(Some((total, rows)))
    }
}
