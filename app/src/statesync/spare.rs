//! The newest snapshot of a folder that verifies, for a node whose store does not.
//!
//! Invariant: every chunk and every root is checked, as of a peer's. Deliberately absent: whether
//! CometBFT has the blocks after it (those after a kept snapshot it is told to keep), and what
//! becomes of the state.

use super::file::SnapshotFile;
use super::shelf::whole_files;
use crate::error::Fault;
use crate::store::Snapshot;
use std::path::Path;
use std::sync::Arc;

/// The state, and the file it was read from. Why others were passed over goes to the list.
pub fn newest(
    folder: &Path,
    newest_version: u64,
    passed_over: &mut Vec<String>,
) -> Option<(Arc<Snapshot>, String)> {
    let mut files = Vec::new();
    for path in whole_files(folder).unwrap_or_default() {
        match SnapshotFile::open(&path) {
            Ok(file) => files.push(file),
            Err(fault) => passed_over.push(fault.to_string()),
        }
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.height()));
    files.into_iter().find_map(|file| match verified(&file, newest_version) {
        Ok(state) => Some((Arc::new(state), file.path().display().to_string())),
        Err(fault) => {
            passed_over.push(fault.to_string());
            None
        }
    })
}

fn verified(file: &SnapshotFile, newest_version: u64) -> Result<Snapshot, Fault> {
    let (metadata, path) = (file.metadata(), file.path().display());
    let unfit = |text| Fault::Unfit(format!("{path}: {text}"));
    metadata.check_version(newest_version).map_err(unfit)?;
    for index in 0..metadata.count() {
        file.chunk(index)?;
    }
    file.load().map_err(|fault| match fault {
        Fault::Damage(text) => Fault::Damage(format!("{path}: {text}")),
        other => other,
    })
}
