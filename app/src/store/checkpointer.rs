//! When and where checkpoints are written. Two databases take turns, so the last two checkpoints
//! are kept and a database that no longer opens costs one of them. The work is done by a thread
//! of low priority, from a snapshot; consensus never waits for it, and its failure is a line in
//! the log. Once a checkpoint is whole, the journal before the older of the two goes.
//!
//! Invariants: the newest whole checkpoint is never the one being overwritten; the journal always
//! reaches back to the older one. Deliberately absent: what a checkpoint is (`checkpoint.rs`).

use super::backend::{self, Backend, Disk};
use super::checkpoint::{self, Manifest};
use super::journal::Journal;
use super::snapshot::Snapshot;
use super::Options;
use crate::error::Fault;
use crate::telemetry::panics;
use crate::types::Height;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::thread::JoinHandle;

/// How nice the thread is to the others (0 to 19).
const NICENESS: i32 = 10;
/// After a failure the next try waits for this part of the usual distance.
const RETRY_PART: u64 = 10;

/// A database for checkpoints.
pub struct Slot {
    pub name: &'static str,
    /// None: it did not open, or failed. It is opened before it is written, or put aside.
    pub backend: Option<Arc<dyn Backend>>,
    /// The checkpoint in it, if it is whole.
    pub manifest: Option<Manifest>,
}

impl Slot {
    fn height(&self) -> Option<Height> {
        self.manifest.as_ref().map(|manifest| manifest.height())
    }

    /// Writes a checkpoint here. A database that turns out to be damaged is put aside and a new
    /// one takes its place.
    pub fn write(
        &mut self,
        disk: &dyn Disk,
        snapshot: &Snapshot,
        stop: &AtomicBool,
    ) -> Result<Option<Manifest>, Fault> {
        match self.try_to_write(disk, snapshot, stop) {
            Err(Fault::Damage(text)) => {
                tracing::error!("store: {} is damaged: {text}", self.name);
                let aside = self.renew(disk)?;
                tracing::warn!("store: {} is now {aside}, a new one is made", self.name);
                self.try_to_write(disk, snapshot, stop)
            }
            written => written,
        }
    }

    fn try_to_write(
        &mut self,
        disk: &dyn Disk,
        snapshot: &Snapshot,
        stop: &AtomicBool,
    ) -> Result<Option<Manifest>, Fault> {
        self.manifest = None;
        let backend = self.backend.take().map_or_else(|| disk.open(self.name), Ok);
        let written = backend.and_then(|backend| {
            let written = checkpoint::write(&*backend, snapshot, stop);
            if !matches!(written, Err(Fault::Storage(_))) {
                self.backend = Some(backend);
            }
            written
        });
        if matches!(written, Err(Fault::Storage(_))) {
            // What a full disk leaves of a database fails for ever, and does not open again either.
            if let Err(fault) = disk.discard(self.name) {
                tracing::warn!("store: what is left of {} stays: {fault}", self.name);
            }
        }
        self.manifest = written?;
        Ok(self.manifest.clone())
    }

    /// Puts the database aside and makes a new one; where the old one is now.
    pub fn renew(&mut self, disk: &dyn Disk) -> Result<String, Fault> {
        (self.backend, self.manifest) = (None, None);
        let aside = disk.set_aside(self.name)?;
        self.backend = Some(disk.open(self.name)?);
        Ok(aside)
    }
}

/// The slots, and the thread that writes one of them.
pub struct Checkpointer {
    disk: Arc<dyn Disk>,
    journal: Journal,
    /// The slot being written is with the thread.
    slots: [Option<Slot>; 2],
    running: Option<Running>,
    /// Bytes of the journal since the newest checkpoint.
    journal_bytes: u64,
    /// No try before this height.
    not_before: Height,
}

struct Running {
    place: usize,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Slot, Result<Option<Manifest>, Fault>)>,
    journal_bytes: u64,
    height: Height,
}

impl Checkpointer {
    /// With the slots as they were found.
    pub fn new(
        disk: Arc<dyn Disk>,
        journal: Journal,
        slots: [Slot; 2],
        journal_bytes: u64,
    ) -> Checkpointer {
        let (slots, not_before) = (slots.map(Some), Height(0));
        Checkpointer { disk, journal, slots, running: None, journal_bytes, not_before }
    }

    /// The heights of the whole checkpoints.
    pub fn heights(&self) -> Vec<Height> {
        self.slots.iter().flatten().filter_map(Slot::height).collect()
    }

    /// Takes note of a committed height and starts a checkpoint when one is due.
    pub fn committed(
        &mut self,
        snapshot: &Arc<Snapshot>,
        record_bytes: u64,
        options: &Options,
    ) -> Result<(), Fault> {
        self.journal_bytes += record_bytes;
        if self.running.as_ref().is_some_and(|running| !running.thread.is_finished()) {
            return Ok(());
        }
        self.finish(options);
        match snapshot.height() >= self.not_before && self.is_due(snapshot.height(), options) {
            true => self.start(snapshot.clone(), options),
            false => Ok(()),
        }
    }

    /// Forgets all checkpoints and writes one of a state that came from elsewhere.
    pub fn replace(&mut self, snapshot: &Snapshot, options: &Options) -> Result<(), Fault> {
        if let Some(running) = &self.running {
            running.stop.store(true, Relaxed);
        }
        self.finish(options);
        for slot in self.slots.iter_mut().flatten() {
            slot.manifest = None;
            match &slot.backend {
                Some(backend) => Manifest::remove(&**backend)?,
                None => drop(slot.renew(&*self.disk)?),
            }
        }
        (self.journal_bytes, self.not_before) = (0, Height(0));
        let slot = self.slots[0].as_mut().expect("no thread has it");
        slot.write(&*self.disk, snapshot, &AtomicBool::new(false)).map(|_| ())
    }

    /// Writes a checkpoint now and waits for it.
    pub fn write_now(&mut self, snapshot: Arc<Snapshot>, options: &Options) -> Result<(), Fault> {
        self.finish(options);
        self.start(snapshot, options)?;
        self.finish(options);
        Ok(())
    }

    fn is_due(&self, height: Height, options: &Options) -> bool {
        let newest = self.slots.iter().flatten().filter_map(|slot| slot.manifest.as_ref());
        let newest = newest.max_by_key(|manifest| manifest.height());
        let (last, bytes) = newest.map_or((0, 0), |manifest| (manifest.height().0, manifest.bytes));
        let every = options.checkpoint_heights.max(1);
        let grown = (bytes / 2).max(options.checkpoint_journal_bytes);
        height.0 / every > last / every || self.journal_bytes >= grown
    }

    /// The slot to overwrite: one without a checkpoint, else the older one.
    fn next_place(&self) -> usize {
        let height = |place: usize| self.slots[place].as_ref().and_then(Slot::height);
        usize::from(height(1) < height(0))
    }

    fn start(&mut self, snapshot: Arc<Snapshot>, options: &Options) -> Result<(), Fault> {
        let manifests = self.slots.iter().flatten().filter_map(|slot| slot.manifest.as_ref());
        let bytes = manifests.map(|manifest| manifest.bytes).max().unwrap_or(0);
        let needed = bytes.saturating_add(options.free_bytes_min);
        let place = self.next_place();
        let mut slot = self.slots[place].take().expect("no other thread has it");
        let kept = self.slots[1 - place].as_ref().and_then(Slot::height);
        let stop = Arc::new(AtomicBool::new(false));
        let (disk, journal, raised) = (self.disk.clone(), self.journal.clone(), stop.clone());
        let height = snapshot.height();
        let work = move || {
            let _ = rustix::process::nice(NICENESS);
            // A database that meets a full disk may hang for ever, and others with it.
            let space = backend::check_space(&*disk, needed, "a checkpoint");
            let written = space.and_then(|()| slot.write(&*disk, &snapshot, &raised));
            let written = written.and_then(|written| {
                // With one checkpoint the journal stays whole: it may have to stand in for it.
                if let (Some(_), Some(older)) = (&written, kept) {
                    journal.prune(older)?;
                }
                Ok(written)
            });
            (slot, written)
        };
        let thread = panics::spawn("checkpoint", work)
            .map_err(|error| Fault::Setup(format!("starting a thread: {error}")))?;
        let journal_bytes = self.journal_bytes;
        self.running = Some(Running { place, stop, thread, journal_bytes, height });
        Ok(())
    }

    /// Waits for the thread, if there is one, and takes note of what it did.
    fn finish(&mut self, options: &Options) {
        let Some(Running { place, thread, journal_bytes, height, .. }) = self.running.take() else {
            return;
        };
        let (slot, written) = thread.join().expect("a panic of this thread ends the process");
        self.slots[place] = Some(slot);
        match written {
            Ok(Some(Manifest { bytes, .. })) => {
                self.journal_bytes -= journal_bytes;
                tracing::info!(height = height.0, bytes, "checkpoint written");
            }
            Ok(None) => {}
            Err(fault) => {
                tracing::error!(height = height.0, %fault, "no checkpoint, trying again later");
                let distance = (options.checkpoint_heights / RETRY_PART).max(1);
                self.not_before = Height(height.0 + distance);
            }
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.store(true, Relaxed);
            // It may be between two writes; what it leaves is no checkpoint.
            let _ = running.thread.join();
        }
    }
}
