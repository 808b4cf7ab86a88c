//! The time an answer may take. Whoever walks a long list asks now and then whether it is over.

use std::time::{Duration, Instant};

/// Steps between two looks at the clock.
const STEPS: usize = 1024;

/// The moment after which an answer is given up; none: never.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Option<Instant>,
    limit_ms: u64,
}

/// The time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer takes longer than {limit_ms} ms, ask for less")]
pub struct Late {
    pub limit_ms: u64,
}

impl Deadline {
    /// No deadline.
    pub fn never() -> Deadline {
        Deadline { at: None, limit_ms: u64::MAX }
    }

    /// From now on so many milliseconds.
    #[allow(clippy::disallowed_methods, reason = "answers are no consensus code: time is theirs")]
    pub fn after_ms(limit_ms: u64) -> Deadline {
        Deadline { at: Instant::now().checked_add(Duration::from_millis(limit_ms)), limit_ms }
    }

    /// Whether there is time left.
    #[allow(clippy::disallowed_methods, reason = "answers are no consensus code: time is theirs")]
    pub fn check(&self) -> Result<(), Late> {
        match self.at {
            Some(at) if Instant::now() >= at => Err(Late { limit_ms: self.limit_ms }),
            _ => Ok(()),
        }
    }

    /// The same, looking at the clock once in a thousand steps.
    pub fn check_step(&self, step: usize) -> Result<(), Late> {
        if step.is_multiple_of(STEPS) {
            self.check()
        } else {
            Ok(())
        }
    }
}
