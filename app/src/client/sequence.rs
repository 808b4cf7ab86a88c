//! The next sequence of a key, kept in a file of the home: several commands in a row work before
//! the first of them is in a block.
//!
//! Invariants: whoever holds the file is the only one in this home who signs with the key. The
//! file is a guess that the chain corrects: lost or stale it costs one more try, nothing else.

use super::failure::Failure;
use super::files;
use crate::types::Address;
use nix::fcntl::Flock;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// What was noted after the last transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    chain_id: String,
    /// The sequence after the last one handed to a node.
    next: u64,
    /// The height after which that transaction can no longer enter a block.
    expires: u64,
}

/// The file of one key, held alone.
pub struct SequenceFile {
    file: Flock<File>,
    path: PathBuf,
}

impl SequenceFile {
    /// Takes the file of an address; waits while another command has it and says so through
    /// `waiting`.
    pub fn take(
        home: &Path,
        address: &Address,
        waiting: &mut dyn FnMut(),
    ) -> Result<SequenceFile, Failure> {
        let folder = home.join("sequences");
        let path = folder.join(hex::encode(address.as_bytes()));
        let failure =
            |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
        if let Some(taken) = SequenceFile::try_take(home, address)? {
            return Ok(taken);
        }
        waiting();
        let file = files::lock(&path).map_err(failure)?;
        Ok(SequenceFile { file, path })
    }

    /// Takes the file of an address; `None` while another command has it.
    pub fn try_take(home: &Path, address: &Address) -> Result<Option<SequenceFile>, Failure> {
        let folder = home.join("sequences");
        let path = folder.join(hex::encode(address.as_bytes()));
        let failure =
            |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
        files::private_folder(&folder).map_err(failure)?;
        let file = files::try_lock(&path).map_err(failure)?;
        Ok(file.map(|file| SequenceFile { file, path }))
    }

    /// The sequence to sign with: the noted one while its transaction can still enter a block,
    /// else the committed one.
    pub fn next(&mut self, chain_id: &str, committed: u64, height: u64) -> u64 {
        match self.read() {
            Some(noted) if noted.chain_id == chain_id && height < noted.expires => {
                committed.max(noted.next)
            }
            _ => committed,
        }
    }

    /// Notes the sequence after a transaction that a node has taken.
    pub fn note(&mut self, chain_id: &str, next: u64, expires: u64) -> Result<(), Failure> {
        let noted = Noted { chain_id: chain_id.to_owned(), next, expires };
        let text = serde_json::to_vec(&noted).expect("two numbers and a text are JSON");
        let path = self.path.display().to_string();
        let failure = |error: std::io::Error| Failure::local(format!("{path}: {error}"));
        self.file.rewind().map_err(failure)?;
        self.file.set_len(0).map_err(failure)?;
        self.file.write_all(&text).map_err(failure)
    }

    /// A torn or strange file is no note.
    fn read(&mut self) -> Option<Noted> {
        let mut text = String::new();
        self.file.rewind().ok()?;
        (&*self.file).take(4096).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(home: &Path) -> SequenceFile {
        let address = Address::of_module("test");
        SequenceFile::take(home, &address, &mut || panic!("nobody else has it")).expect("file")
    }

    #[test]
    fn commands_in_a_row_count_on_before_the_first_is_in_a_block() {
        let home = tempfile::tempdir().expect("folder");
        let mut file = take(home.path());
        assert_eq!(file.next("c", 5, 10), 5);
        file.note("c", 6, 70).expect("note");
        drop(file);
        let mut file = take(home.path());
        assert_eq!(file.next("c", 5, 11), 6);
        file.note("c", 7, 71).expect("note");
        assert_eq!(file.next("c", 5, 12), 7);
        assert_eq!(file.next("c", 9, 12), 9, "another program went further");
    }

    #[test]
    fn a_note_ends_with_its_transaction_and_with_its_chain() {
        let home = tempfile::tempdir().expect("folder");
        let mut file = take(home.path());
        file.note("c", 6, 70).expect("note");
        assert_eq!(file.next("c", 5, 69), 6);
        assert_eq!(file.next("c", 5, 70), 5, "no block took it and none will");
        assert_eq!(file.next("other", 5, 11), 5);
    }

    #[test]
    fn a_torn_file_is_no_note() {
        let home = tempfile::tempdir().expect("folder");
        let mut file = take(home.path());
        file.note("c", 6, 70).expect("note");
        let path = file.path.clone();
        drop(file);
        std::fs::write(&path, "{\"chain_id\":\"c\",\"ne").expect("tear");
        assert_eq!(take(home.path()).next("c", 5, 11), 5);
    }

    #[test]
    fn a_second_command_waits_for_the_first() {
        let home = tempfile::tempdir().expect("folder");
        let address = Address::of_module("test");
        let held = take(home.path());
        let path = home.path().to_owned();
        let (say, said) = std::sync::mpsc::channel();
        let second = std::thread::spawn(move || {
            SequenceFile::take(&path, &address, &mut || say.send(()).expect("listened to"))
                .map(|mut file| file.next("c", 5, 1))
        });
        said.recv().expect("it says that it waits");
        let mut held = held;
        held.note("c", 6, 70).expect("note");
        drop(held);
        assert_eq!(second.join().expect("thread").expect("file"), 6);
    }
}
