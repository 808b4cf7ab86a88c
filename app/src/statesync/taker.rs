//! The thread that makes snapshots of committed states, at every so many heights. It works from
//! the state alone, at low priority: no block waits for it, and its failure is a line in the log.
//!
//! Invariant: at most one snapshot is being made and one waits; a height that comes while one
//! waits gets none. Deliberately absent: what is kept (`shelf.rs`).

use super::shelf::Shelf;
use crate::engine::upgrade;
use crate::error::Fault;
use crate::store::Snapshot;
use crate::telemetry::panics;
use crate::types::Height;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::Arc;
use std::thread::JoinHandle;

/// How nice the thread is to the others (0 to 19).
const NICENESS: i32 = 10;

/// When snapshots are made.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// At every so many heights; 0: never.
    pub interval: u64,
    /// The newest application version whose snapshots are restored.
    pub newest_version: u64,
    /// So many bytes stay free on the disk.
    pub free_bytes_min: u64,
}

/// The handle of the thread, which ends with it.
pub struct Taker {
    settings: Settings,
    states: Option<SyncSender<Arc<Snapshot>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Taker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives none.
    pub fn start(shelf: Arc<Shelf>, settings: Settings) -> Result<Taker, Fault> {
        let (states, inbox) = sync_channel::<Arc<Snapshot>>(1);
        let stop = Arc::new(AtomicBool::new(false));
        let raised = stop.clone();
        let work = move || {
            let _ = rustix::process::nice(NICENESS);
            while let Ok(state) = inbox.recv() {
                if raised.load(Relaxed) {
                    return;
                }
                let height = state.height();
                if let Err(fault) = make(&shelf, &state, settings, &raised) {
                    tracing::error!(%height, %fault, "no snapshot of this height");
                }
            }
        };
        let thread = panics::spawn("snapshots", work)
            .map_err(|error| Fault::Setup(format!("starting a thread: {error}")))?;
        Ok(Taker { settings, states: Some(states), stop, thread: Some(thread) })
    }

    /// Whether a snapshot of this height is due.
    pub fn is_due(&self, height: Height) -> bool {
        let interval = self.settings.interval;
        interval > 0 && height.0 > 0 && height.0.is_multiple_of(interval)
    }

    /// A state was committed. Never waits.
    pub fn committed(&self, state: &Arc<Snapshot>) {
        if !self.is_due(state.height()) {
            return;
        }
        let states = self.states.as_ref().expect("present until drop");
        if states.try_send(state.clone()).is_err() {
            let height = state.height().0;
            tracing::warn!(height, "no snapshot of this height: the ones before take too long");
        }
    }
}

fn make(
    shelf: &Shelf,
    state: &Snapshot,
    settings: Settings,
    stop: &AtomicBool,
) -> Result<(), Fault> {
    check_space(shelf, shelf.newest_bytes(), settings.free_bytes_min)?;
    // That of the state, whichever program follows it: all nodes make the same bytes.
    if shelf.make(state, upgrade::version_of(state), stop)? {
        tracing::info!(height = state.height().0, bytes = shelf.newest_bytes(), "snapshot made");
    }
    Ok(())
}

/// That a file of so many bytes leaves the disk its reserve.
pub(super) fn check_space(shelf: &Shelf, bytes: u64, reserve: u64) -> Result<(), Fault> {
    let folder = shelf.folder();
    let stat = rustix::fs::statvfs(folder)
        .map_err(|error| Fault::Storage(format!("free space of {}: {error}", folder.display())))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let needed = bytes.saturating_add(reserve);
    match free < needed {
        true => Err(Fault::Storage(format!(
            "{} MB are free in {}, {} are needed: free at least {} MB",
            free / 1_000_000,
            folder.display(),
            needed.div_ceil(1_000_000),
            (needed - free).div_ceil(1_000_000)
        ))),
        false => Ok(()),
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.states = None;
        if let Some(thread) = self.thread.take() {
            // It stops between two parts; what it leaves half written goes at the next start.
            let _ = thread.join();
        }
    }
}
