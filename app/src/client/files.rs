//! Files of the client: written whole or not at all, private when they hold secrets, locked when
//! several commands share them.

use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The owner alone.
    Private,
    /// As the user's settings say.
    Shared,
}

impl Access {
    fn mode(self) -> u32 {
        match self {
            Access::Private => 0o600,
            Access::Shared => 0o644,
        }
    }
}

/// Makes a folder and its parents, readable by the owner alone.
pub fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file in one step: a reader sees the old content or the new, also after a power cut.
pub fn write_whole(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let (folder, temporary) = beside(path);
    let result = write_and_rename(path, &temporary, bytes, access);
    if result.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    result?;
    File::open(folder)?.sync_all()
}

/// Like [`write_whole`], but an existing file is an error and stays as it is.
pub fn write_new(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(access.mode()).open(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })
}

fn write_and_rename(path: &Path, to: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(access.mode()).open(to)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(to, path)
}

/// The folder of a path and a name in it that no other process uses.
fn beside(path: &Path) -> (&Path, std::path::PathBuf) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = format!(".{}.{}.new", name.unwrap_or_default(), std::process::id());
    (folder, folder.join(name))
}

/// Opens or makes a file and holds it alone until the answer is dropped; waits for others.
pub fn lock(path: &Path) -> io::Result<Flock<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(Access::Private.mode());
    let file = options.open(path)?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
}

/// Like [`lock`], `None` when another process holds the file.
pub fn try_lock(path: &Path) -> io::Result<Option<Flock<File>>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(Access::Private.mode());
    match Flock::lock(options.open(path)?, FlockArg::LockExclusiveNonblock) {
        Ok(locked) => Ok(Some(locked)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_private_file_is_for_its_owner_alone_and_replaced_whole() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("secret");
        write_whole(&path, b"one", Access::Private).expect("first");
        write_whole(&path, b"two", Access::Private).expect("second");
        assert_eq!(std::fs::read(&path).expect("read"), b"two");
        let mode = std::fs::metadata(&path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_new_file_never_replaces_an_old_one() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("secret");
        write_new(&path, b"one", Access::Private).expect("first");
        let error = write_new(&path, b"two", Access::Private).expect_err("second");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).expect("read"), b"one");
    }

    #[test]
    fn a_lock_keeps_others_out_until_it_is_dropped() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("lock");
        let held = lock(&path).expect("lock");
        assert!(try_lock(&path).expect("try").is_none());
        drop(held);
        assert!(try_lock(&path).expect("try again").is_some());
    }
}
