//! The heights that can be asked for: the latest and as many before it as fit the memory given to
//! them, at least two.
//!
//! Invariant: heights are consecutive and ascend; readers take the whole history at once and
//! never lock. Deliberately absent: old heights from disk.

use super::snapshot::Snapshot;
use crate::error::{code, Refusal};
use crate::types::Height;
use std::sync::Arc;

/// However little they cost: the most heights kept.
const HEIGHTS_MAX: usize = 1_000;
/// However much they cost: the fewest heights kept, once there are so many.
const HEIGHTS_MIN: usize = 2;
/// What keeping a height costs if nothing changed in it.
const HEIGHT_BYTES: u64 = 40_000;

/// Why a height cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeightError {
    #[error(
        "cannot query with height in the future; please provide a valid height: asked for \
         {asked}, the latest is {latest}: invalid height"
    )]
    Future { asked: Height, latest: Height },
    #[error(
        "failed to load state at height {asked}; this node keeps heights {oldest} to {latest}: \
         invalid request"
    )]
    Pruned { asked: Height, oldest: Height, latest: Height },
}

impl HeightError {
    /// The answer to the user.
    pub fn refusal(self) -> Refusal {
        let code = match self {
            HeightError::Future { .. } => code::INVALID_HEIGHT,
            HeightError::Pruned { .. } => code::INVALID_REQUEST,
        };
        Refusal::new(code, self.to_string())
    }
}

/// Kept snapshots, oldest first, each with what keeping the one before it costs.
#[derive(Clone)]
pub struct History {
    kept: Vec<(Arc<Snapshot>, u64)>,
}

impl History {
    /// One height alone.
    pub fn new(snapshot: Arc<Snapshot>) -> History {
        History { kept: vec![(snapshot, 0)] }
    }

    /// With a newer height on top; what does not fit `budget` bytes any more is let go.
    pub fn with(&self, snapshot: Arc<Snapshot>, cost: u64, budget: u64) -> History {
        // Going back from the newest: keeping the height below costs what this one replaced.
        let (mut keep, mut left) = (1, budget);
        let costs = std::iter::once(cost).chain(self.kept.iter().rev().map(|(_, cost)| *cost));
        for cost in costs.take(self.kept.len()) {
            let cost = cost.saturating_add(HEIGHT_BYTES);
            let fits = cost <= left && keep < HEIGHTS_MAX;
            if !fits && keep >= HEIGHTS_MIN {
                break;
            }
            left = left.saturating_sub(cost);
            keep += 1;
        }
        let from = self.kept.len() + 1 - keep;
        let mut kept = self.kept[from..].to_vec();
        kept.push((snapshot, cost));
        History { kept }
    }

    /// The latest.
    pub fn latest(&self) -> &Arc<Snapshot> {
        &self.kept.last().expect("a history has a height").0
    }

    /// The oldest.
    pub fn oldest(&self) -> &Arc<Snapshot> {
        &self.kept.first().expect("a history has a height").0
    }

    /// The snapshot of a height.
    pub fn at(&self, height: Height) -> Result<Arc<Snapshot>, HeightError> {
        let (oldest, latest) = (self.oldest().height(), self.latest().height());
        if height > latest {
            return Err(HeightError::Future { asked: height, latest });
        }
        let place = height.0.checked_sub(oldest.0).and_then(|place| usize::try_from(place).ok());
        let found = place.and_then(|place| self.kept.get(place));
        let found = found.filter(|(snapshot, _)| snapshot.height() == height);
        let pruned = HeightError::Pruned { asked: height, oldest, latest };
        found.map(|(snapshot, _)| snapshot.clone()).ok_or(pruned)
    }
}
