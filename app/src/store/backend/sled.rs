//! The databases in sled 0.34.7. Its traps and what is done about each: `apply_batch` keeps
//! memory for ever (transactions only); its `flush` is no fsync (one of our own follows); a
//! background flush may make half a height durable (switched off); damage makes it panic
//! (caught); a process that has just died may still hold the lock (tried for 5 s).

use super::{assert_sizes, guarded, Backend, Disk, VisitValue, WriteSet};
use crate::error::Fault;
use ::sled::transaction::{ConflictableTransactionError, TransactionError};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// sled's own cache per database: the store keeps what it needs in memory itself.
const CACHE_BYTES: u64 = 8 << 20;
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// A folder with one sled database per name.
pub struct SledDisk {
    folder: PathBuf,
}

impl SledDisk {
    /// The databases below a folder, which is made if it is not there.
    pub fn new(folder: &Path) -> Result<SledDisk, Fault> {
        fs::create_dir_all(folder).map_err(|error| failed("making", folder, &error))?;
        sync_folder(folder)?;
        folder.parent().map_or(Ok(()), sync_folder)?;
        Ok(SledDisk { folder: folder.to_owned() })
    }
}

impl Disk for SledDisk {
    fn open(&self, name: &str) -> Result<Arc<dyn Backend>, Fault> {
        let path = self.folder.join(name);
        let is_new = !path.is_dir();
        let database = open_waiting(&path)?;
        let file = path.join("db");
        let file = File::open(&file).map_err(|error| failed("opening", &file, &error))?;
        if is_new {
            sync_folder(&path)?;
            sync_folder(&self.folder)?;
        }
        Ok(Arc::new(Sled { handle: Some(database), file, path }))
    }

    fn set_aside(&self, name: &str) -> Result<String, Fault> {
        let from = self.folder.join(name);
        let free = (1..1_000)
            .map(|number| self.folder.join(format!("{name}.damaged-{number}")))
            .find(|to| !to.exists());
        let to = free.ok_or_else(|| {
            Fault::Storage(format!("{}: remove old '*.damaged-*' folders", self.folder.display()))
        })?;
        fs::rename(&from, &to).map_err(|error| failed("renaming", &from, &error))?;
        sync_folder(&self.folder)?;
        Ok(to.display().to_string())
    }

    fn discard(&self, name: &str) -> Result<(), Fault> {
        let path = self.folder.join(name);
        if !path.exists() {
            return Ok(());
        }
        fs::remove_dir_all(&path).map_err(|error| failed("removing", &path, &error))?;
        sync_folder(&self.folder)
    }

    fn free_bytes(&self) -> Result<Option<u64>, Fault> {
        let stat = rustix::fs::statvfs(&self.folder)
            .map_err(|error| failed("asking the free space of", &self.folder, &error))?;
        Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    fn set_reserve(&self, bytes: u64) -> Result<(), Fault> {
        let mut name = self.folder.file_name().unwrap_or_default().to_owned();
        name.push(".reserve");
        let path = self.folder.with_file_name(name);
        let failed = |error: &dyn std::error::Error| failed("making", &path, error);
        if bytes == 0 {
            let removed = fs::remove_file(&path);
            let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
            return removed.or_else(|e| if gone(&e) { Ok(()) } else { Err(failed(&e)) });
        }
        if fs::metadata(&path).is_ok_and(|about| about.len() == bytes) {
            return Ok(());
        }
        let file = File::create(&path).map_err(|error| failed(&error))?;
        let flags = rustix::fs::FallocateFlags::empty();
        if let Err(error) = rustix::fs::fallocate(&file, flags, 0, bytes) {
            tracing::warn!(path = %path.display(), %error, "no space is kept in reserve");
            drop(file);
            return self.set_reserve(0);
        }
        Ok(())
    }

    fn describe(&self) -> String {
        self.folder.display().to_string()
    }
}

/// Opens a database; waits a while for a process that is just ending to let go of it.
#[allow(clippy::disallowed_methods, reason = "waiting for another process, before consensus runs")]
fn open_waiting(path: &Path) -> Result<::sled::Db, Fault> {
    let config = ::sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let doing = format!("while opening {}", path.display());
    for attempt in 1..=LOCK_TRIES {
        let opened = guarded(&doing, || Ok(config.open()))?;
        match opened {
            Ok(database) => return Ok(database),
            Err(::sled::Error::Io(error)) if is_lock(&error) => {
                if attempt == 1 {
                    tracing::warn!(path = %path.display(), "the database is in use, waiting");
                }
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(error) => return Err(fault(path, "opening", error)),
        }
    }
    Err(Fault::Setup(format!(
        "{} is in use by another process: is a node already running on this home? Stop it first",
        path.display()
    )))
}

fn is_lock(error: &std::io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

/// One sled database.
struct Sled {
    /// There until dropped.
    handle: Option<::sled::Db>,
    /// Its data file, for the fsync that sled leaves out.
    file: File,
    path: PathBuf,
}

impl Sled {
    fn database(&self) -> &::sled::Db {
        self.handle.as_ref().expect("there until dropped")
    }

    fn guarded<T>(
        &self,
        doing: &str,
        run: impl FnOnce() -> Result<T, ::sled::Error>,
    ) -> Result<T, Fault> {
        let place = format!("while {doing} {}", self.path.display());
        guarded(&place, || run().map_err(|error| fault(&self.path, doing, error)))
    }
}

impl Backend for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.guarded("reading", || Ok(self.database().get(key)?.map(|value| value.to_vec())))
    }

    fn range(&self, from: &[u8], to: &[u8], visit: VisitValue<'_>) -> Result<(), Fault> {
        let mut items = self.database().range(from..to);
        while let Some((key, value)) = self.guarded("reading", || items.next().transpose())? {
            if !visit(&key, &value)? {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, set: WriteSet) -> Result<(), Fault> {
        assert_sizes(&set);
        self.guarded("writing", || {
            // The closure may run more than once; it only applies the prepared set.
            let outcome = self.database().transaction(|transaction| {
                for (key, value) in &set {
                    match value {
                        Some(value) => transaction.insert(key.as_slice(), value.as_slice())?,
                        None => transaction.remove(key.as_slice())?,
                    };
                }
                Ok::<(), ConflictableTransactionError<()>>(())
            });
            outcome.map_err(|error| match error {
                TransactionError::Storage(error) => error,
                TransactionError::Abort(()) => unreachable!("the closure never aborts"),
            })
        })
    }

    fn flush(&self) -> Result<(), Fault> {
        self.guarded("flushing", || self.database().flush())?;
        self.file.sync_all().map_err(|error| failed("syncing", &self.path, &error))
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        // sled flushes when it is dropped, and meets damage with panics there too.
        let handle = self.handle.take();
        let close = || {
            drop(handle);
            Ok(())
        };
        if let Err(fault) = guarded("while closing", close) {
            tracing::warn!(path = %self.path.display(), %fault, "closing the database");
        }
    }
}

fn fault(path: &Path, doing: &str, error: ::sled::Error) -> Fault {
    let path = path.display();
    match error {
        // Unsupported is what it calls settings it cannot have written.
        ::sled::Error::Corruption { .. }
        | ::sled::Error::ReportableBug(_)
        | ::sled::Error::Unsupported(_) => Fault::Damage(format!("{doing} {path}: {error}")),
        other => Fault::Storage(format!("{doing} {path}: {other}")),
    }
}

fn failed(doing: &str, path: &Path, error: &dyn std::error::Error) -> Fault {
    Fault::Storage(format!("{doing} {}: {error}", path.display()))
}

fn sync_folder(path: &Path) -> Result<(), Fault> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| failed("syncing", path, &error))
}
