//! The databases of a stopped node, copied into fresh ones: sled never gives back what removed
//! and replaced values took.
//!
//! Invariants: the copy is opened, and its height and app hash compared with the original's,
//! before it takes the original's place, and it takes it only where it is smaller; that is one
//! exchange of two names, so a kill at any moment leaves one whole state under the right name. What
//! it leaves beside it goes with the next run. Deliberately absent: CometBFT's databases.

use super::backend::{Backend, Disk, SledDisk, WriteSet};
use super::tables::{CHECKPOINTS, JOURNAL};
use super::{Options, Store};
use crate::error::Fault;
use crate::types::{Hash, Height};
use rustix::fs::{renameat_with, RenameFlags, CWD};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Bytes copied in one write set.
const BATCH_BYTES: usize = 256 << 10;

/// What a compaction came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    pub height: Height,
    pub bytes_before: u64,
    pub bytes_after: u64,
}

/// Compacts the store in a folder; `tell` hears what is being done.
///
/// # Errors
/// The store is in use, does not verify, or there is not as much space free as it takes.
pub fn compact(folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<Compacted, Fault> {
    let fresh = beside(folder);
    remove(&fresh)?;
    let before = state_of(folder)?;
    let bytes_before = size(folder)?;
    check_space(folder, bytes_before)?;
    copy(folder, &fresh, tell)?;
    tell("verifying the copy …");
    let after = state_of(&fresh)?;
    if after != before {
        remove(&fresh)?;
        return Err(Fault::Damage(format!(
            "the copy came to height {} instead of {}: the original stays",
            after.0, before.0
        )));
    }
    let bytes_after = size(&fresh)?;
    // A copy of what is compact already may come out some bytes larger: it gives nothing back.
    if bytes_after < bytes_before {
        exchange(&fresh, folder)?;
    }
    remove(&fresh)?;
    Ok(Compacted { height: after.0, bytes_before, bytes_after: bytes_after.min(bytes_before) })
}

/// Where the copy is made, and after the exchange the original is.
fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".compact");
    folder.with_file_name(name)
}

/// The height and app hash that a start finds. Opening also replays what a kill left.
fn state_of(folder: &Path) -> Result<(Height, Hash), Fault> {
    let latest = Store::open(folder, Options::default())?.latest();
    Ok((latest.height(), latest.app_hash()))
}

fn copy(from: &Path, to: &Path, tell: &mut dyn FnMut(&str)) -> Result<(), Fault> {
    let (from, to) = (SledDisk::new(from)?, SledDisk::new(to)?);
    for name in [JOURNAL, CHECKPOINTS[0], CHECKPOINTS[1]] {
        tell(&format!("copying {name} …"));
        let (old, new) = (from.open(name)?, to.open(name)?);
        let copied = copy_database(&*old, &*new)?;
        // What was read back is what was written.
        let mut found = 0;
        new.verify()?;
        new.range(&[], &[0xff], &mut |_, _| {
            found += 1;
            Ok(true)
        })?;
        if found != copied {
            return Err(Fault::Damage(format!("{name}: {copied} values copied, {found} found")));
        }
    }
    Ok(())
}

/// Copies all values; how many there were.
fn copy_database(from: &dyn Backend, to: &dyn Backend) -> Result<u64, Fault> {
    let (mut set, mut waiting, mut count) = (WriteSet::new(), 0, 0);
    from.range(&[], &[0xff], &mut |key, value| {
        set.push((key.to_vec(), Some(value.to_vec())));
        (waiting, count) = (waiting + value.len(), count + 1);
        if waiting >= BATCH_BYTES {
            waiting = 0;
            to.write(std::mem::take(&mut set))?;
        }
        Ok(true)
    })?;
    to.write(set)?;
    to.flush()?;
    Ok(count)
}

fn io(doing: &str, path: &Path, error: &dyn std::error::Error) -> Fault {
    Fault::Storage(format!("{doing} {}: {error}", path.display()))
}

fn remove(folder: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io("removing", folder, &error))
        }
        _ => Ok(()),
    }
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> Result<u64, Fault> {
    let failed = |error: std::io::Error| io("reading", folder, &error);
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let about = entry.metadata().map_err(failed)?;
        bytes += if about.is_dir() { size(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

fn check_space(folder: &Path, needed: u64) -> Result<(), Fault> {
    let free = SledDisk::new(folder)?.free_bytes()?.unwrap_or(u64::MAX);
    match free < needed {
        true => Err(Fault::Storage(format!(
            "{} MB are free in {}, the copy may take {}: free at least {} MB",
            free / 1_000_000,
            folder.display(),
            needed.div_ceil(1_000_000),
            (needed - free).div_ceil(1_000_000)
        ))),
        false => Ok(()),
    }
}

/// Exchanges two folders in one step.
fn exchange(one: &Path, other: &Path) -> Result<(), Fault> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
        .map_err(|error| io("taking the place of", other, &error))?;
    let parent = other.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let synced = File::open(parent).and_then(|folder| folder.sync_all());
    synced.map_err(|error| io("syncing", parent, &error))
}
