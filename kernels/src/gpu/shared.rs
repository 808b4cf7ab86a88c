//! The file in memory through which arrays go between node and worker.
//!
//! Read and written by calls, not mapped: each side works on a copy of its own, so nothing the
//! other one does to the file (write at any moment, cut it short) is more than wrong bytes or an
//! error here.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use super::plain::{bytes, bytes_mut, Plain};

/// One side's handle.
#[derive(Debug)]
pub struct Shared(File);

impl Shared {
    /// A new one, empty and without a name.
    pub fn new() -> io::Result<Shared> {
        #[cfg(target_os = "linux")]
        {
            let flags = rustix::fs::MemfdFlags::CLOEXEC;
            Ok(Shared(rustix::fs::memfd_create("cyber-gpu", flags)?.into()))
        }
        #[cfg(not(target_os = "linux"))]
        {
            let path = std::env::temp_dir().join(format!("cyber-gpu-{}", std::process::id()));
            let mut options = File::options();
            let file = options.read(true).write(true).create_new(true).open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(Shared(file))
        }
    }

    /// The other side's handle.
    pub fn other(&self) -> io::Result<OwnedFd> {
        self.0.try_clone().map(OwnedFd::from)
    }

    /// Makes it at least so long; new bytes are 0.
    pub fn reserve(&self, bytes: u64) -> io::Result<()> {
        if self.0.metadata()?.len() < bytes {
            self.0.set_len(bytes)?;
        }
        Ok(())
    }

    /// Writes an array at a place in bytes.
    pub fn write<T: Plain>(&self, place: u64, array: &[T]) -> io::Result<()> {
        self.0.write_all_at(bytes(array), place)
    }

    /// Reads an array; an error if the file is too short for it.
    pub fn read<T: Plain>(&self, place: u64, length: usize) -> io::Result<Vec<T>> {
        let needed = place.saturating_add((length as u64).saturating_mul(size_of::<T>() as u64));
        if self.0.metadata()?.len() < needed {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut array = vec![T::default(); length];
        self.0.read_exact_at(bytes_mut(&mut array), place)?;
        Ok(array)
    }
}

impl From<OwnedFd> for Shared {
    fn from(descriptor: OwnedFd) -> Shared {
        Shared(descriptor.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same_and_a_file_cut_short_is_an_error() {
        let one = Shared::new().expect("memory");
        let two = Shared::from(one.other().expect("a descriptor"));
        one.reserve(100).expect("memory");
        one.write(8, &[1u64, 2, 3]).expect("memory");
        assert_eq!(two.read::<u64>(0, 4).expect("long enough"), [0, 1, 2, 3]);
        assert_eq!(two.read::<u32>(16, 2).expect("long enough"), [2, 0]);
        assert!(two.read::<u8>(0, 101).is_err());
        assert!(two.read::<u64>(u64::MAX, 1).is_err());
        two.0.set_len(3).expect("a file of ours");
        assert!(one.read::<u64>(0, 1).is_err());
    }
}
