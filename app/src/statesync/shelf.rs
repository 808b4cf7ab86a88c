//! The snapshots a node keeps: the last two, and whatever a peer is just being served from.
//!
//! Invariants: a snapshot is offered only once the second height after it is committed, for
//! before that a joining light client cannot verify its app hash and rejects it for good; a file
//! is removed only when nobody asked for it in [`IDLE`]; a chunk that does not verify is not
//! served, and its snapshot goes. Deliberately absent: making snapshots (`taker.rs`).

use super::file::{self, failed, part_of, SnapshotFile};
use super::metadata::Metadata;
use crate::error::Fault;
use crate::store::Snapshot;
use crate::types::Height;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many are kept when nobody asks.
const KEEP: usize = 2;
/// More are never kept, and never advertised: CometBFT takes ten from a peer.
const KEEP_MAX: usize = 10;
/// As long as a joining node waits for a chunk before it gives a snapshot up.
const IDLE: Duration = Duration::from_secs(120);

/// A folder of snapshots.
pub struct Shelf {
    folder: PathBuf,
    kept: Mutex<BTreeMap<Height, Kept>>,
}

struct Kept {
    file: Arc<SnapshotFile>,
    /// When a peer last heard of it or took from it.
    used: Option<Instant>,
}

#[allow(clippy::disallowed_methods, reason = "peers come and go by the clock; no state knows it")]
fn now() -> Instant {
    Instant::now()
}

impl Shelf {
    /// Opens a folder, or makes it. What a kill left half written goes; a file that is no whole
    /// snapshot is passed over with a line in the log.
    ///
    /// # Errors
    /// The disk fails.
    pub fn open(folder: &Path) -> Result<Shelf, Fault> {
        std::fs::create_dir_all(folder).map_err(|error| failed("making", folder, &error))?;
        let mut kept = BTreeMap::new();
        for path in entries(folder)? {
            if path.extension().is_some_and(|extension| extension == "part") {
                std::fs::remove_file(&path).map_err(|error| failed("removing", &path, &error))?;
            }
        }
        for path in whole_files(folder)? {
            match SnapshotFile::open(&path) {
                Ok(file) => {
                    kept.insert(file.height(), Kept { file: Arc::new(file), used: None });
                }
                Err(Fault::Damage(text)) => tracing::warn!("snapshot passed over: {text}"),
                Err(other) => return Err(other),
            }
        }
        Ok(Shelf { folder: folder.to_owned(), kept: Mutex::new(kept) })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Height, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The snapshots that peers may restore from, newest first, and notes that they hear of them.
    pub fn offered(&self, latest: Height) -> Vec<Arc<SnapshotFile>> {
        let mut kept = self.kept();
        let ripe = kept.iter_mut().rev().filter(|(height, _)| height.0 + 2 <= latest.0);
        let offered = ripe.take(KEEP).map(|(_, kept)| {
            kept.used = Some(now());
            kept.file.clone()
        });
        offered.collect()
    }

    /// A chunk of a kept snapshot; none if it is not, or no longer, there.
    pub fn chunk(&self, height: Height, index: u32) -> Option<Vec<u8>> {
        let file = {
            let mut kept = self.kept();
            let kept = kept.get_mut(&height)?;
            kept.used = Some(now());
            kept.file.clone()
        };
        match file.chunk(index) {
            Ok(chunk) => Some(chunk),
            Err(Fault::Setup(_)) => None,
            Err(fault) => {
                tracing::error!(%height, index, %fault, "snapshot withdrawn");
                self.kept().remove(&height);
                self.remove(file.path());
                None
            }
        }
    }

    /// Whether a height's is there.
    pub fn has(&self, height: Height) -> bool {
        self.kept().contains_key(&height)
    }

    /// The oldest height whose snapshot a peer may be restoring: it will ask for the blocks after.
    pub fn oldest(&self) -> Option<Height> {
        self.kept().keys().next().copied()
    }

    /// How many bytes the newest has: the next will have about as many.
    pub fn newest_bytes(&self) -> u64 {
        self.kept().values().next_back().map_or(0, |kept| kept.file.metadata().bytes())
    }

    /// Makes and keeps the snapshot of a state; says whether it did, or `stop` was raised.
    ///
    /// # Errors
    /// The disk fails or is full; nothing is left behind.
    pub fn make(&self, state: &Snapshot, version: u64, stop: &AtomicBool) -> Result<bool, Fault> {
        let path = self.folder.join(file::name(state.height()));
        let made = file::write(&path, state, version, stop)?;
        let is_made = made.is_some();
        made.into_iter().for_each(|file| self.keep(file));
        Ok(is_made)
    }

    /// Where a restore collects its stream.
    pub fn part_path(&self, height: Height) -> PathBuf {
        part_of(&self.folder.join(file::name(height)))
    }

    /// Keeps a stream that was restored from.
    ///
    /// # Errors
    /// The disk fails or is full.
    pub fn adopt(&self, metadata: &Metadata) -> Result<(), Fault> {
        let height = metadata.height();
        let path = self.folder.join(file::name(height));
        let file = file::finish(&self.part_path(height), &path, metadata)?;
        self.keep(file);
        Ok(())
    }

    /// Takes a snapshot in, and removes those that are neither new nor in use.
    fn keep(&self, file: SnapshotFile) {
        let mut kept = self.kept();
        kept.insert(file.height(), Kept { file: Arc::new(file), used: None });
        let count = kept.len();
        let is_idle = |kept: &Kept| kept.used.is_none_or(|used| used.elapsed() > IDLE);
        let old = kept.iter().enumerate().filter(|(place, (_, kept))| {
            let newer = count - 1 - place;
            newer >= KEEP && (is_idle(kept) || newer >= KEEP_MAX)
        });
        let old: Vec<Height> = old.map(|(_, (height, _))| *height).collect();
        for height in old {
            if let Some(gone) = kept.remove(&height) {
                self.remove(gone.file.path());
            }
        }
    }

    fn remove(&self, path: &Path) {
        if let Err(error) = std::fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "an old snapshot stays");
        }
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let read = |error: std::io::Error| failed("reading", folder, &error);
    let entries = std::fs::read_dir(folder).map_err(read)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(read)).collect()
}

/// The files of a folder that are called snapshots, in the order of their names.
///
/// # Errors
/// The folder cannot be read.
pub fn whole_files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let is_one = |path: &PathBuf| path.extension().is_some_and(|name| name == "snapshot");
    let mut paths: Vec<PathBuf> = entries(folder)?.into_iter().filter(is_one).collect();
    paths.sort();
    Ok(paths)
}
