//! What CometBFT asks on its snapshot connection and what it is answered: of the snapshots kept
//! here, and of the one being restored.
//!
//! Invariants: a new offer abandons the restore before it; a state is handed over only when it is
//! whole and verified, before its last chunk is accepted. Deliberately absent: the wire (`abci`).

use super::restore::{Offer, Refusal, Restore, Step};
use super::shelf::Shelf;
use super::taker::{Settings, Taker};
use super::FORMAT;
use crate::engine::{ChunkVerdict, OfferVerdict, Snapshot as Offered};
use crate::error::Fault;
use crate::store::Snapshot;
use crate::types::{Hash, Height};
use prost::bytes::Bytes;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Both sides of state sync.
pub struct Service {
    shelf: Arc<Shelf>,
    taker: Taker,
    settings: Settings,
    restore: Mutex<Option<Restore>>,
}

impl Service {
    /// Opens the folder of snapshots and starts the thread that makes them.
    ///
    /// # Errors
    /// The disk fails; the system gives no thread.
    pub fn start(folder: &Path, settings: Settings) -> Result<Service, Fault> {
        let shelf = Arc::new(Shelf::open(folder)?);
        let taker = Taker::start(shelf.clone(), settings)?;
        Ok(Service { shelf, taker, settings, restore: Mutex::default() })
    }

    /// The kept snapshots.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// A state was committed. Never waits.
    pub fn committed(&self, state: &Arc<Snapshot>) {
        self.taker.committed(state);
    }

    /// A state that the last run may have had no time to make a snapshot of.
    pub fn catch_up(&self, latest: Height, at: impl Fn(Height) -> Option<Arc<Snapshot>>) {
        let interval = self.settings.interval.max(1);
        let due = Height(latest.0 - latest.0 % interval);
        if self.taker.is_due(due) && !self.shelf.has(due) {
            at(due).iter().for_each(|state| self.taker.committed(state));
        }
    }

    /// The lowest height whose block is kept, given the one that all else allows: a node that
    /// restores asks for the blocks around its snapshot's height, and those after.
    pub fn retained(&self, allowed: Height) -> Height {
        let before = |height: Height| Height(height.0.saturating_sub(1));
        self.shelf.oldest().map_or(allowed, |oldest| allowed.min(before(oldest)))
    }

    /// What peers may restore from.
    pub fn list(&self, latest: Height) -> Vec<Offered> {
        let offered = self.shelf.offered(latest).into_iter().map(|file| Offered {
            height: file.height(),
            format: FORMAT,
            chunks: file.metadata().count(),
            hash: Bytes::copy_from_slice(&file.hash()),
            metadata: file.metadata().encode().into(),
        });
        offered.collect()
    }

    /// A chunk of one of them.
    pub fn chunk(&self, height: Height, format: u32, index: u32) -> Option<Bytes> {
        let chunk = (format == FORMAT).then(|| self.shelf.chunk(height, index)).flatten();
        chunk.map(Bytes::from)
    }

    fn restore(&self) -> MutexGuard<'_, Option<Restore>> {
        self.restore.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to restore from a peer's snapshot.
    ///
    /// # Errors
    /// The disk fails.
    pub fn offer(&self, offered: &Offered, app_hash: &Hash) -> Result<OfferVerdict, Fault> {
        let mut restore = self.restore();
        restore.take().into_iter().for_each(Restore::abandon);
        let offer = Offer {
            height: offered.height,
            format: offered.format,
            chunks: offered.chunks,
            hash: &offered.hash,
            metadata: &offered.metadata,
        };
        let Settings { newest_version, free_bytes_min, .. } = self.settings;
        let begun = Restore::begin(&self.shelf, &offer, app_hash, newest_version, free_bytes_min)?;
        Ok(match begun {
            Ok(begun) => {
                *restore = Some(begun);
                OfferVerdict::Accept
            }
            Err(Refusal::Format(why)) => OfferVerdict::RejectFormat(why),
            Err(Refusal::Forged(why)) => OfferVerdict::RejectSender(why),
            Err(Refusal::Unfit(why)) => OfferVerdict::Reject(why),
            Err(Refusal::Here(why)) => OfferVerdict::Abort(why),
        })
    }

    /// Takes a chunk of the snapshot accepted last. `install` makes the restored state ours.
    ///
    /// # Errors
    /// The disk fails; what `install` says.
    pub fn apply(
        &self,
        index: u32,
        chunk: &[u8],
        sender: &str,
        install: impl FnOnce(Arc<Snapshot>) -> Result<(), Fault>,
    ) -> Result<ChunkVerdict, Fault> {
        let mut restore = self.restore();
        let Some(running) = restore.as_mut() else {
            return Ok(ChunkVerdict::Abort("no snapshot was accepted".to_owned()));
        };
        match running.take(index, chunk)? {
            Step::Taken => Ok(ChunkVerdict::Accept),
            Step::Bad(reason) => {
                let known = Some(sender).filter(|id| !id.is_empty());
                let reject_senders = known.map(str::to_owned).into_iter().collect();
                Ok(ChunkVerdict::Retry { reason, refetch: vec![index], reject_senders })
            }
            Step::Failed(reason) => {
                restore.take().into_iter().for_each(Restore::abandon);
                Ok(ChunkVerdict::RejectSnapshot(reason))
            }
            Step::Complete(state) => {
                let done = restore.take().expect("it just answered");
                install(Arc::from(state))?;
                if let Err(fault) = self.shelf.adopt(done.metadata()) {
                    tracing::warn!(%fault, "the restored snapshot is not kept for others");
                    done.abandon();
                }
                Ok(ChunkVerdict::Accept)
            }
        }
    }
}
