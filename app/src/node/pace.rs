//! How large a proposal of this node is: as much as executes in half of the time between blocks.
//!
//! Without it every second block of a loaded chain takes all that waits, transactions find no room
//! in the mempool while it is executed, and the block after it, which follows at once, is nearly
//! empty. A choice of the proposer alone: blocks of others are executed whatever their size. No
//! result depends on the clock that is read here.

use crate::engine::{Block, Time};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Smaller proposals are never asked for: what was measured may be wrong.
const LEAST: u64 = 512 << 10;
/// What a shorter execution took says little of what a byte takes.
const TELLING: Duration = Duration::from_millis(50);
/// Weight of a new measurement: one of so many.
const OF: u64 = 4;

/// The pace of a node.
#[derive(Default)]
pub(super) struct Pace(Mutex<Seen>);

impl Pace {
    /// Executes a block and notes how long that took.
    #[allow(clippy::disallowed_methods, reason = "how much to propose; no result depends on it")]
    pub fn executing<T>(&self, block: &Block, execute: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let outcome = execute();
        self.seen().note(block, begin.elapsed());
        outcome
    }

    /// Bytes of transactions that a proposal should have at most.
    pub fn most(&self) -> u64 {
        self.seen().most()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the last blocks took.
#[derive(Debug, Default)]
struct Seen {
    last: Option<Time>,
    /// Nanoseconds from one block to the next.
    between: Option<u64>,
    /// Picoseconds that a byte of transactions takes.
    byte: Option<u64>,
}

impl Seen {
    fn note(&mut self, block: &Block, took: Duration) {
        if let Some(last) = self.last.replace(block.time) {
            self.between = Some(mean(self.between, nanos(block.time).saturating_sub(nanos(last))));
        }
        let bytes = block.txs.iter().map(|tx| tx.len() as u64).sum::<u64>();
        if took >= TELLING && bytes > 0 {
            let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            self.byte = Some(mean(self.byte, took.saturating_mul(1_000) / bytes));
        }
    }

    fn most(&self) -> u64 {
        match (self.between, self.byte) {
            (Some(between), Some(byte)) => {
                LEAST.max((between / 2).saturating_mul(1_000) / byte.max(1))
            }
            _ => u64::MAX,
        }
    }
}

fn nanos(time: Time) -> u64 {
    u64::try_from(time.seconds).unwrap_or(0).saturating_mul(1_000_000_000)
        + u64::from(time.nanos.unsigned_abs())
}

fn mean(before: Option<u64>, new: u64) -> u64 {
    before.map_or(new, |before| before - before / OF + new / OF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Height;
    use prost::bytes::Bytes;

    /// Notes blocks a second or `between` apart, of these bytes and times to execute.
    fn after(between_ms: u64, blocks: &[(usize, u64)]) -> Seen {
        let mut seen = Seen::default();
        for (number, (bytes, ms)) in (0_u64..).zip(blocks) {
            let at = between_ms * number;
            let time = Time {
                seconds: 1_700_000_000 + (at / 1_000) as i64,
                nanos: (at % 1_000) as i32 * 1_000_000,
            };
            let (proposer, txs) = (Vec::new(), vec![Bytes::from(vec![0; *bytes])]);
            let block = Block { height: Height(number + 1), time, proposer, txs };
            seen.note(&block, Duration::from_millis(*ms));
        }
        seen
    }

    #[test]
    fn a_proposal_executes_in_half_of_the_time_between_blocks() {
        assert_eq!(after(1_000, &[(4_000_000, 1_000); 9]).most(), 2_000_000);
        assert_eq!(after(4_000, &[(4_000_000, 1_000); 9]).most(), 8_000_000);
        // It follows what changes.
        let most = after(1_000, &[&[(4_000_000, 1_000); 9][..], &[(4_000_000, 500); 20]].concat());
        assert!((3_900_000..4_100_000).contains(&most.most()), "{most:?}");
    }

    #[test]
    fn blocks_that_say_nothing_limit_nothing_and_a_stop_leaves_room() {
        assert_eq!(Seen::default().most(), u64::MAX);
        assert_eq!(after(1_000, &[(900, 1); 9]).most(), u64::MAX);
        assert_eq!(after(1_000, &[(1, 60_000); 9]).most(), LEAST);
    }
}
