//! The pace of a load that takes all it gets: somewhat faster than blocks took transactions lately.
//!
//! Sent as soon as there is room, all would come at once after a block and then nothing until the
//! next; so the node has something to do while it makes a block, too.

#![allow(clippy::float_arithmetic, reason = "the pace of a client")]

use std::collections::VecDeque;
use std::time::Duration;

/// Blocks that the pace is taken from, and how much faster is tried.
const BLOCKS: usize = 8;
const FASTER: f64 = 1.2;

/// Who may send how much.
pub struct Pace {
    /// Transactions in blocks so far and the moments they were seen.
    blocks: VecDeque<(u64, Duration)>,
    /// As many at once, at first and after a rest; half as many a second whatever blocks took, so
    /// that a stop is forgotten.
    burst: f64,
    allowed: f64,
    last: Duration,
}

impl Pace {
    /// Begins with a burst.
    pub fn new(burst: u64) -> Pace {
        let (blocks, burst) = (VecDeque::from([(0, Duration::ZERO)]), burst as f64);
        Pace { blocks, burst, allowed: burst, last: Duration::ZERO }
    }

    /// So many transactions are in blocks by now.
    pub fn note(&mut self, done: u64, now: Duration) {
        self.blocks.push_back((done, now));
        if self.blocks.len() > BLOCKS {
            self.blocks.pop_front();
        }
    }

    /// How many may be sent in all by now, of which `sent` are.
    pub fn allow(&mut self, sent: u64, now: Duration) -> u64 {
        let (first, last) = (self.blocks[0], self.blocks[self.blocks.len() - 1]);
        let seconds = (last.1 - first.1).as_secs_f64().max(0.001);
        let rate = (FASTER * (last.0 - first.0) as f64 / seconds).max(self.burst / 2.0);
        let between = now.saturating_sub(std::mem::replace(&mut self.last, now)).as_secs_f64();
        self.allowed = (self.allowed + rate * between).min(sent as f64 + self.burst);
        self.allowed as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What may be sent in the quarter second after blocks of so many transactions, a second apart.
    fn after(blocks: &[u64]) -> u64 {
        let mut pace = Pace::new(1_000);
        let (mut done, mut now) = (0, Duration::ZERO);
        for block in blocks {
            (done, now) = (done + block, now + Duration::from_secs(1));
            pace.note(done, now);
        }
        // Nothing was saved up.
        pace.allowed = done as f64;
        pace.last = now;
        pace.allow(done, now + Duration::from_millis(250)) - done
    }

    #[test]
    fn the_pace_is_that_of_blocks_and_somewhat_more_but_never_slow() {
        assert_eq!(after(&[2_000; 9]), 600);
        assert_eq!(after(&[10_000; 9]), 1_000, "no more than a burst");
        assert_eq!(after(&[]), 125);
        assert_eq!(after(&[0; 20]), 125, "after a stop");
    }
}
