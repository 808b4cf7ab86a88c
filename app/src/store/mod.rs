//! The store: all consensus state, its commitment and its durability.
//!
//! ```text
//! Changes of a block ──stage──▶ Staged (new trees and logs, app hash)   nothing durable
//!                                  │ commit
//!                                  ▼
//!            journal record, flushed and fsynced ──▶ columns appended ──▶ Snapshot published
//!                                  │ every 1,000 heights, in the background
//!                                  ▼
//!                              checkpoint ──▶ older journal pruned
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `tables.rs` | every key and its bytes |
//! | `backend.rs` | the database behind a trait: sled, and one in memory that fails on purpose |
//! | `columns.rs`, `index.rs`, `graph.rs` | particles, links, neurons: by number and by content |
//! | `merkle/` | trees, logs, app hash, proofs |
//! | `commitment.rs` | the ten roots of a height and how a pass changes them |
//! | `snapshot.rs`, `staged.rs`, `history.rs` | a height, the next one, the kept ones |
//! | `journal.rs`, `checkpoint.rs`, `checkpointer.rs` | what is written to disk, and when |
//! | `sections.rs` | what a stored state consists of, in checkpoints and in snapshots |
//! | `recover.rs` | the way back from it |
//! | `compact.rs` | the databases of a stopped node written anew |
//!
//! Invariants: one writer ([`Store`], `&mut` for commits), any number of readers that never lock
//! ([`Reader`], [`Snapshot`]); a height is durable before it is published; what a start finds is
//! served only if its roots come out. Deliberately absent: undo (a staged height is dropped),
//! async, type parameters, any knowledge of what keys and values mean.

pub mod backend;
pub mod bulk;
pub mod checkpoint;
pub mod checkpointer;
pub mod codec;
pub mod columns;
pub mod commitment;
pub mod compact;
pub mod deltas;
pub mod graph;
pub mod history;
pub mod index;
pub mod journal;
pub mod merkle;
pub mod recover;
pub mod sections;
pub mod snapshot;
pub mod staged;
pub mod tables;

#[cfg(test)]
mod tests;

pub use history::HeightError;
pub use recover::{Recovery, Spare};
pub use snapshot::Snapshot;
pub use staged::{GenesisRanks, Publication, Staged};

use crate::error::Fault;
use crate::state::Changes;
use crate::types::{Hash, Height};
use arc_swap::ArcSwap;
use backend::{Disk, SledDisk};
use checkpointer::Checkpointer;
use commitment::{Commitment, NewCodes};
use graph::Graph;
use history::History;
use journal::Journal;
use recover::Recovered;
use staged::Content;
use std::path::Path;
use std::sync::Arc;

/// A genesis with more keys goes into a checkpoint at once: a record of the journal is held in
/// memory several times.
const JOURNALED_KEYS_MAX: usize = 200_000;

/// Settings of the store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for heights before the latest, in bytes; at least two heights are kept anyway.
    pub history_memory_bytes: u64,
    /// A checkpoint is made after so many heights,
    pub checkpoint_heights: u64,
    /// or when the journal since the last one has half its size and at least so many bytes.
    pub checkpoint_journal_bytes: u64,
    /// Commits stop with a clear fault when less than this is free on the disk, in bytes: a full
    /// disk would keep the database from opening again.
    pub free_bytes_min: u64,
    /// A file of so many bytes is kept beside the databases. It goes when the disk is too full to
    /// open them, and comes back when there is room.
    pub reserve_bytes: u64,
    /// For so many rounds back, what each changed is kept.
    pub delta_rounds: u64,
    /// When nothing on disk verifies: put it aside and start from nothing, so that the consensus
    /// engine replays its blocks from genesis, instead of refusing to start.
    pub start_over: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            history_memory_bytes: 64 << 20,
            checkpoint_heights: 1_000,
            checkpoint_journal_bytes: 32 << 20,
            free_bytes_min: 64 << 20,
            reserve_bytes: 0,
            delta_rounds: 100,
            start_over: false,
        }
    }
}

/// All consensus state. One per node; the only writer.
pub struct Store {
    disk: Arc<dyn Disk>,
    options: Options,
    checkpointer: Checkpointer,
    shared: Arc<Shared>,
    recovery: Recovery,
    is_empty: bool,
}

/// What readers and the writer share.
struct Shared {
    history: ArcSwap<History>,
    journal: Journal,
}

/// A handle for reading committed heights, for any thread. Cheap to clone. The databases stay
/// open, and locked against a second opening, until the last handle is gone too.
#[derive(Clone)]
pub struct Reader(Arc<Shared>);

impl Store {
    /// Opens the store in a folder, or makes one. What was damaged and what was done about it
    /// stands in [`Store::recovery`] and in the log.
    ///
    /// # Errors
    /// The disk fails; another process has the store open; nothing on it verifies (the text names
    /// the ways out).
    pub fn open(folder: &Path, options: Options) -> Result<Store, Fault> {
        Store::open_on(Box::new(SledDisk::new(folder)?), options)
    }

    /// The same; when nothing on the disk verifies, what `spare` finds elsewhere takes its place.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn open_or_restore(
        folder: &Path,
        options: Options,
        spare: Spare<'_>,
    ) -> Result<Store, Fault> {
        Store::open_with(Box::new(SledDisk::new(folder)?), options, spare)
    }

    /// Opens the store on a disk of any kind.
    pub fn open_on(disk: Box<dyn Disk>, options: Options) -> Result<Store, Fault> {
        Store::open_with(disk, options, &|_| None)
    }

    /// Both of them.
    pub fn open_with(
        disk: Box<dyn Disk>,
        options: Options,
        spare: Spare<'_>,
    ) -> Result<Store, Fault> {
        let disk: Arc<dyn Disk> = disk.into();
        let recovered = recover::recover(&*disk, &options, spare)?;
        let room = options.free_bytes_min.saturating_add(options.reserve_bytes);
        if options.reserve_bytes > 0 && disk.free_bytes()?.is_none_or(|free| free >= room) {
            disk.set_reserve(options.reserve_bytes)?;
        }
        let Recovered { journal, slots, history, recovery, is_empty, journal_bytes } = recovered;
        recovery.log();
        let checkpointer = Checkpointer::new(disk.clone(), journal.clone(), slots, journal_bytes);
        let shared = Arc::new(Shared { history: ArcSwap::from_pointee(history), journal });
        Ok(Store { disk, options, checkpointer, shared, recovery, is_empty })
    }

    /// What opening found and did.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Whether no height was ever committed: `Info` answers height 0 and an empty app hash.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The latest committed state; of an empty store, the empty state at height 0.
    pub fn latest(&self) -> Arc<Snapshot> {
        self.shared.history.load().latest().clone()
    }

    /// The state of a height that is still kept.
    pub fn snapshot(&self, height: Height) -> Result<Arc<Snapshot>, HeightError> {
        self.shared.history.load().at(height)
    }

    /// A handle for readers.
    pub fn reader(&self) -> Reader {
        Reader(self.shared.clone())
    }

    /// The state after the genesis, on an empty store: nothing durable, `InitChain` answers with
    /// its app hash. Its height is the one before `initial_height`, its tree version
    /// `initial_height`, as that of the first block, which is staged on top with
    /// [`Store::stage_on`]; the first commit makes both durable in one record.
    ///
    /// # Panics
    /// The store is empty; the initial height is above 0 and below 2^32; links carry height 0.
    pub fn stage_genesis(
        &self,
        initial_height: Height,
        changes: Changes,
        ranks: Option<&GenesisRanks>,
    ) -> Staged {
        self.stage_genesis_on(&self.latest(), initial_height, changes, ranks)
    }

    /// The empty state over a graph that a genesis brings along as a whole.
    pub fn genesis_base(&self, graph: Graph) -> Arc<Snapshot> {
        assert!(self.is_empty, "a genesis is staged on an empty store");
        Arc::new(Snapshot::new(Height(0), Commitment::new(), graph))
    }

    /// Like [`Store::stage_genesis`], on top of such a base or of the empty state. A genesis with
    /// a graph of its own, or with very many keys, goes into a checkpoint at the first commit, not
    /// through the journal.
    pub fn stage_genesis_on(
        &self,
        base: &Arc<Snapshot>,
        initial_height: Height,
        changes: Changes,
        ranks: Option<&GenesisRanks>,
    ) -> Staged {
        assert!(self.is_empty, "a genesis is staged on an empty store");
        assert!(u32::try_from(initial_height.0).is_ok(), "heights are below 2^32");
        let height = initial_height.previous().expect("the initial height is above 0");
        let codes =
            ranks.map(|GenesisRanks { code_bits, codes, .. }| NewCodes::new(*code_bits, codes));
        let rounds = ranks.map_or(Vec::new(), |ranks| ranks.rounds.clone());
        assert_round_sizes(&rounds);
        let version = initial_height.0;
        let keys: usize = changes.keys.iter().map(|keys| keys.len()).sum();
        if base.sizes().links > 0 || keys > JOURNALED_KEYS_MAX {
            return staged::stage_whole(base, (height, version), changes, codes, rounds);
        }
        staged::stage(base, Content { height, version, changes: &changes, codes, rounds })
    }

    /// The state after a block on top of a committed snapshot, without committing it. Pure: may be
    /// called any number of times.
    ///
    /// # Panics
    /// The height does not follow the base's; codes are not ascending, or of unknown particles.
    pub fn stage(
        &self,
        base: &Arc<Snapshot>,
        height: Height,
        changes: &Changes,
        publication: Option<&Publication>,
    ) -> Staged {
        staged::stage(base, block(base, height, changes, publication))
    }

    /// The same on top of the staged genesis.
    pub fn stage_on(
        &self,
        base: &Staged,
        height: Height,
        changes: &Changes,
        publication: Option<&Publication>,
    ) -> Staged {
        staged::stage_on(base, block(base.snapshot(), height, changes, publication))
    }

    /// Makes a staged height durable, then the latest. After a fault the store is not to be used
    /// further: what is on disk is decided at the next open.
    ///
    /// # Errors
    /// The disk fails or is nearly full.
    ///
    /// # Panics
    /// The staged height does not stand on the latest committed one, or is a genesis alone.
    pub fn commit(&mut self, mut staged: Staged) -> Result<Arc<Snapshot>, Fault> {
        let latest = self.latest();
        let base = (latest.height(), latest.app_hash());
        assert_eq!(staged.base(), base, "a commit stands on the latest height");
        let is_genesis = self.is_empty && !staged.is_whole() && staged.passes() < 2;
        assert!(!is_genesis, "the first commit is the genesis and the first block on top of it");
        self.check_free_space()?;
        if staged.is_whole() {
            return self.commit_whole(&staged);
        }
        let record = staged.take_record(self.is_empty);
        let keep = self.options.delta_rounds;
        let deltas = match self.is_empty {
            true => Vec::new(),
            false => deltas::entries(&self.shared.journal, &latest, staged.snapshot(), keep)?,
        };
        self.shared.journal.append(&record, deltas)?;
        let snapshot = staged::settled(&staged);
        let history = match self.is_empty {
            true => History::new(snapshot.clone()),
            false => {
                let budget = self.options.history_memory_bytes;
                let history = self.shared.history.load();
                history.with(snapshot.clone(), staged.retained(), budget)
            }
        };
        self.is_empty = false;
        let before = self.shared.history.swap(Arc::new(history));
        // Heights that are let go are many small pieces of memory: nobody waits for that.
        rayon::spawn(|| drop(before));
        self.checkpointer.committed(&snapshot, record.bytes(), &self.options)?;
        Ok(snapshot)
    }

    /// The first commit of a genesis that is too large for the journal: a checkpoint, which the
    /// journal then goes on from. Ended in between, the store is empty or at this height.
    fn commit_whole(&mut self, staged: &Staged) -> Result<Arc<Snapshot>, Fault> {
        let snapshot = staged::settled(staged);
        self.checkpointer.write_now(snapshot.clone(), &self.options)?;
        if !self.checkpointer.heights().contains(&snapshot.height()) {
            return Err(Fault::Storage(format!(
                "the genesis could not be written to {}: the line of the log before this one has \
                 the reason; nothing was kept, cure it and start again",
                self.disk.describe()
            )));
        }
        self.shared.journal.cut(snapshot.height(), snapshot.app_hash())?;
        self.is_empty = false;
        self.shared.history.store(Arc::new(History::new(snapshot.clone())));
        Ok(snapshot)
    }

    /// Writes a checkpoint of the latest height now and waits for it; one that is being written
    /// in the background is waited for first. The node has no need to: checkpoints come by
    /// themselves.
    ///
    /// # Errors
    /// The thread cannot be started. A failure to write is a line in the log.
    pub fn checkpoint(&mut self) -> Result<(), Fault> {
        assert!(!self.is_empty, "an empty store has nothing to keep");
        self.checkpointer.write_now(self.latest(), &self.options)
    }

    /// Makes a state that came from elsewhere, verified, the latest; whatever was there goes. A
    /// kill on the way leaves the old state, none, or the new one, each whole.
    ///
    /// # Errors
    /// The disk fails or is nearly full.
    ///
    /// # Panics
    /// The state is of a height without a block.
    pub fn install(&mut self, state: Arc<Snapshot>) -> Result<(), Fault> {
        assert!(state.height() > Height(0), "a state of a block");
        self.check_free_space()?;
        self.shared.journal.clear()?;
        self.checkpointer.replace(&state, &self.options)?;
        self.shared.journal.cut(state.height(), state.app_hash())?;
        self.is_empty = false;
        self.shared.history.store(Arc::new(History::new(state)));
        Ok(())
    }

    /// The heights of the checkpoints on disk, in no order. After damage the store may be back at
    /// the older one: the consensus engine must keep its blocks from there on.
    pub fn checkpoints(&self) -> Vec<Height> {
        self.checkpointer.heights()
    }

    fn check_free_space(&self) -> Result<(), Fault> {
        backend::check_space(&*self.disk, self.options.free_bytes_min, "going on")
    }
}

/// The content of a block.
fn block<'a>(
    base: &Snapshot,
    height: Height,
    changes: &'a Changes,
    publication: Option<&'a Publication>,
) -> Content<'a> {
    assert_eq!(base.height().next(), Some(height), "heights follow one another");
    let codes = publication.map(NewCodes::of);
    let rounds: Vec<Vec<u8>> = publication.iter().map(|round| round.record.clone()).collect();
    assert_round_sizes(&rounds);
    Content { height, version: height.0, changes, codes, rounds }
}

fn assert_round_sizes(rounds: &[Vec<u8>]) {
    let fits = rounds.iter().all(|record| record.len() <= tables::ROUND_BYTES_MAX);
    assert!(fits, "a round's record has at most {} bytes", tables::ROUND_BYTES_MAX);
}

impl Reader {
    /// The latest committed state.
    pub fn latest(&self) -> Arc<Snapshot> {
        self.0.history.load().latest().clone()
    }

    /// The state of a height that is still kept.
    pub fn snapshot(&self, height: Height) -> Result<Arc<Snapshot>, HeightError> {
        self.0.history.load().at(height)
    }

    /// The heights that can be asked for, oldest and latest.
    pub fn heights(&self) -> (Height, Height) {
        let history = self.0.history.load();
        (history.oldest().height(), history.latest().height())
    }

    /// What the round at a place of the log of rounds changed; none if that is not kept.
    ///
    /// # Errors
    /// The disk fails.
    pub fn deltas(&self, place: u32) -> Result<Option<deltas::Deltas>, Fault> {
        deltas::Deltas::open(&self.0.journal, place)
    }

    /// The roots of a height by name and its app hash: of any kept height, and of older ones for
    /// as long as the journal has their records.
    ///
    /// # Errors
    /// The disk fails.
    pub fn roots(&self, height: Height) -> Result<Option<HeightRoots>, Fault> {
        if let Ok(snapshot) = self.snapshot(height) {
            return Ok(Some((snapshot.app_hash(), snapshot.roots())));
        }
        let record = self.0.journal.record(height)?;
        Ok(record.map(|record| (record.app_hash, commitment::named(&record.roots))))
    }
}

/// An app hash and the roots by name it is made of.
pub type HeightRoots = (Hash, Vec<(String, Hash)>);
