//! Opening: from what is on disk to the newest height whose roots come out. The base is the
//! newest checkpoint that verifies, or nothing; on top of it every record of the journal is
//! applied like a block and every height's roots are compared with the recorded ones.
//!
//! Invariants: nothing is served that does not verify; what was damaged is said, together with
//! what was done. Idempotent: a start that dies here is repeated by the next one.

use super::backend::Disk;
use super::commitment::Commitment;
use super::graph::{Graph, Indexed};
use super::history::History;
use super::journal::Journal;
use super::snapshot::Snapshot;
use super::{staged, tables, Options};
use crate::error::Fault;
use crate::types::Height;
use std::sync::Arc;

/// What opening found and did.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// The height the store is at.
    pub height: Height,
    /// The height of the checkpoint it started from.
    pub checkpoint: Option<Height>,
    /// How many heights were applied from the journal.
    pub replayed: u64,
    /// What was damaged, in words. Empty after a clean start or a plain kill.
    pub damage: Vec<String>,
    /// What was done about it.
    pub repairs: Vec<String>,
}

impl Recovery {
    /// Writes it to the log.
    pub fn log(&self) {
        let checkpoint = self.checkpoint.map(|height| height.0);
        tracing::info!(height = self.height.0, checkpoint, replayed = self.replayed, "store open");
        self.damage.iter().for_each(|text| tracing::error!("store: {text}"));
        self.repairs.iter().for_each(|text| tracing::warn!("store: {text}"));
    }
}

/// An opened store's parts.
pub(super) struct Recovered {
    pub journal: Journal,
    pub history: History,
    pub recovery: Recovery,
    pub is_empty: bool,
}

/// Opens what a disk holds.
pub(super) fn recover(disk: &dyn Disk, options: &Options) -> Result<Recovered, Fault> {
    let journal = Journal::open(disk.open(tables::JOURNAL)?)?;
    let mut recovery = Recovery::default();
    let empty = Graph::new(Arc::new(Indexed::default()), Default::default());
    let base = Arc::new(Snapshot::new(Height(0), Commitment::new(), empty));
    let mut history = History::new(base);
    let Some(head) = journal.head()? else {
        return Ok(Recovered { journal, history, recovery, is_empty: true });
    };
    let first = journal.first()?.unwrap_or(head.height);
    for height in (first.0..=head.height.0).map(Height) {
        let record = journal.record(height)?;
        let record = record.ok_or_else(|| {
            Fault::Damage(format!("the journal has no record of height {height}"))
        })?;
        let staged = staged::replay(history.latest(), &record)?;
        let snapshot = staged::settled(&staged);
        history = match record.before {
            None => History::new(snapshot),
            Some(_) => history.with(snapshot, staged.retained(), options.history_memory_bytes),
        };
        recovery.replayed += 1;
    }
    recovery.height = head.height;
    Ok(Recovered { journal, history, recovery, is_empty: false })
}
