//! The database behind a trait of few methods, so that it can be replaced and, in tests, made to
//! fail at every step. A [`Disk`] holds the store's three small databases (`tables.rs`); each is
//! a [`Backend`]: sorted keys, atomic write sets, a durable flush.
//!
//! Invariants: a write set is there whole or not at all; after `flush` it survives a loss of
//! power; a write set is never found without the ones before it. Damage below shows as a fault,
//! an older state, or a checksum that does not fit, never as a panic.
//! Deliberately absent: reading while writing in one transaction, several writers.

pub mod memory;
pub mod sled;

use crate::error::Fault;
use crate::telemetry::panics;
use std::sync::Arc;

pub use memory::MemoryDisk;
pub use sled::SledDisk;

/// The most bytes of one value: larger ones go to files that sled does not give back.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Keys to set, or to remove where the value is none. All at once or none.
pub type WriteSet = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// What [`Backend::range`] calls with each key and value; false ends it.
pub type VisitValue<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<bool, Fault>;

/// One database.
pub trait Backend: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// Visits `from ≤ key < to` in ascending order.
    fn range(&self, from: &[u8], to: &[u8], visit: VisitValue<'_>) -> Result<(), Fault>;

    /// Applies the write set, whole or not at all. Durable only after [`Backend::flush`].
    fn write(&self, set: WriteSet) -> Result<(), Fault>;

    /// Returns when everything written is on the device.
    fn flush(&self) -> Result<(), Fault>;

    /// Checks every stored value's checksum.
    fn verify(&self) -> Result<(), Fault> {
        self.range(&[], &[0xff], &mut |key, value| {
            super::codec::unseal(key, value)?;
            Ok(true)
        })
    }
}

/// Where the databases lie.
pub trait Disk: Send + Sync {
    /// Opens the database of this name; makes it if there is none.
    fn open(&self, name: &str) -> Result<Arc<dyn Backend>, Fault>;

    /// Puts a database that does not open or verify out of the way, for people to look at.
    /// Returns where it is now.
    fn set_aside(&self, name: &str) -> Result<String, Fault>;

    /// Removes a database that is not open, and nobody will want to look at.
    fn discard(&self, name: &str) -> Result<(), Fault>;

    /// How many bytes can still be written; none where there is no limit.
    fn free_bytes(&self) -> Result<Option<u64>, Fault>;

    /// Keeps so many bytes taken, so that they can be given back when there are no others; 0
    /// gives them back. Where that cannot be done, nothing is kept.
    fn set_reserve(&self, bytes: u64) -> Result<(), Fault>;

    /// How messages call this disk.
    fn describe(&self) -> String;
}

/// That so many bytes can still be written; `doing` what, for the message.
pub fn check_space(disk: &dyn Disk, needed: u64, doing: &str) -> Result<(), Fault> {
    match disk.free_bytes()? {
        Some(free) if free < needed => Err(Fault::Storage(format!(
            "the disk is nearly full: {} MB are free in {}, {doing} needs {}: free some space \
             there, at least {} MB, and start again; nothing is lost",
            free / 1_000_000,
            disk.describe(),
            needed.div_ceil(1_000_000),
            (needed - free).div_ceil(1_000_000)
        ))),
        _ => Ok(()),
    }
}

/// Runs the closure; a panic in it becomes a fault, since sled meets damage with panics, and some
/// failures of a full disk too, which are no damage.
pub fn guarded<T>(doing: &str, run: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    panics::catch(run).map_err(|panic| {
        let text = format!("the database gave up {doing}: {panic}");
        match text.contains("No space left on device") || text.contains("StorageFull") {
            true => Fault::Storage(text),
            false => Fault::Damage(text),
        }
    })?
}

/// Refuses values the database would put into files of their own.
fn assert_sizes(set: &WriteSet) {
    for (key, value) in set {
        let bytes = value.as_ref().map_or(0, Vec::len);
        assert!(bytes <= VALUE_BYTES_MAX, "{} has {bytes} bytes", super::tables::describe(key));
    }
}
