//! The local content table: which text stands behind a particle, for the texts this home linked
//! or imported. The chain is blind; this is what lets answers show words.
//!
//! Two files in `<home>/content`:
//!
//! ```text
//! texts.log    records: length (u32, little endian) ‖ digest (32) ‖ text in UTF-8, appended only
//! texts.index  "cybertx1" ‖ bytes of the log it covers (u64 LE) ‖ (digest ‖ offset (u64 LE))*,
//!              sorted by digest
//! ```
//!
//! Invariants: the log alone is the truth, the index can be made from it; opening costs the
//! records after the index (bounded by [`TAIL_BYTES`] when nobody was killed), looking up a binary
//! search on the file. A text is shown only if it gives the particle it stands for. Writers hold a
//! lock; a record cut off by a kill is dropped by the next writer.

use super::failure::Failure;
use super::files::{self, Access};
use crate::types::cid::particle_of_bytes;
use crate::types::Particle;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Longer texts are not kept: one could not read them in a list anyway.
pub const LONGEST_TEXT_BYTES: usize = 64 * 1024;
/// Once this much of the log stands outside the index, the index is made anew.
pub const TAIL_BYTES: u64 = 256 * 1024;

const MAGIC: &[u8; 8] = b"cybertx1";
const HEADER: u64 = 16;
const ENTRY: u64 = 40;
const RECORD_HEAD: usize = 36;

/// The table, as it was when it was opened.
pub struct ContentTable {
    folder: PathBuf,
    log: Option<File>,
    index: Index,
    /// What the index does not cover: digest → offset.
    tail: BTreeMap<[u8; 32], u64>,
    /// Bytes of the log that are whole records.
    end: u64,
}

/// The sorted part.
#[derive(Default)]
struct Index {
    file: Option<File>,
    entries: u64,
    /// Bytes of the log it covers.
    covers: u64,
}

impl ContentTable {
    /// Opens the table of a home; none there is an empty one.
    pub fn open(home: &Path) -> Result<ContentTable, Failure> {
        let folder = home.join("content");
        ContentTable::read(&folder)
            .map_err(|error| Failure::local(format!("{}: {error}", folder.display())))
    }

    fn read(folder: &Path) -> io::Result<ContentTable> {
        let log = open_if_there(&folder.join("texts.log"))?;
        let length = log.as_ref().map(File::metadata).transpose()?.map_or(0, |data| data.len());
        let index = Index::read(&folder.join("texts.index"), length)?;
        let mut table = ContentTable {
            folder: folder.to_owned(),
            end: index.covers,
            tail: BTreeMap::new(),
            log,
            index,
        };
        let mut tail = BTreeMap::new();
        if let Some(log) = &mut table.log {
            table.end = scan(log, table.index.covers, |digest, offset| {
                tail.insert(digest, offset);
            })?;
        }
        table.tail = tail;
        Ok(table)
    }

    /// The text of a particle, if it is known here.
    pub fn text(&self, particle: &Particle) -> Option<String> {
        let offset = self.find(&particle.0)?;
        let text = self.record(offset).ok()?;
        // Damage on the disk must not put words into anyone's mouth.
        (particle_of_bytes(text.as_bytes()) == *particle).then_some(text)
    }

    /// How many texts it holds.
    pub fn len(&self) -> u64 {
        self.index.entries + self.tail.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds texts with their particles, those that are new and not too long.
    pub fn add<'a>(
        &mut self,
        texts: impl IntoIterator<Item = (&'a Particle, &'a str)>,
    ) -> Result<(), Failure> {
        let folder = self.folder.clone();
        self.append(texts).map_err(|error| Failure::local(format!("{}: {error}", folder.display())))
    }

    fn append<'a>(
        &mut self,
        texts: impl IntoIterator<Item = (&'a Particle, &'a str)>,
    ) -> io::Result<()> {
        files::private_folder(&self.folder)?;
        let _alone = files::lock(&self.folder.join("lock"))?;
        // Others may have written since it was opened.
        *self = ContentTable::read(&self.folder)?;
        let known = self.index.digests()?;
        let mut records = Vec::new();
        for (particle, text) in texts {
            let old = known.binary_search(&particle.0).is_ok();
            if old || self.tail.contains_key(&particle.0) || text.len() > LONGEST_TEXT_BYTES {
                continue;
            }
            self.tail.insert(particle.0, self.end + records.len() as u64);
            records.extend_from_slice(&(text.len() as u32).to_le_bytes());
            records.extend_from_slice(&particle.0);
            records.extend_from_slice(text.as_bytes());
        }
        if !records.is_empty() {
            self.write(&records)?;
        }
        if self.end - self.index.covers > TAIL_BYTES {
            self.build_index()?;
        }
        Ok(())
    }

    fn write(&mut self, records: &[u8]) -> io::Result<()> {
        let mut options = File::options();
        let path = self.folder.join("texts.log");
        let mut log = options.read(true).write(true).create(true).truncate(false).open(path)?;
        log.set_len(self.end)?;
        log.seek(SeekFrom::End(0))?;
        log.write_all(records)?;
        log.sync_data()?;
        self.end += records.len() as u64;
        self.log = Some(log);
        Ok(())
    }

    fn build_index(&mut self) -> io::Result<()> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let mut entries = Vec::new();
        let end = scan(log, 0, |digest, offset| entries.push((digest, offset)))?;
        entries.sort_unstable();
        entries.dedup_by_key(|(digest, _)| *digest);
        let mut bytes = Vec::with_capacity((HEADER + ENTRY * entries.len() as u64) as usize);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&end.to_le_bytes());
        for (digest, offset) in &entries {
            bytes.extend_from_slice(digest);
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        let path = self.folder.join("texts.index");
        files::write_whole(&path, &bytes, Access::Shared)?;
        self.index = Index::read(&path, end)?;
        self.tail.clear();
        Ok(())
    }

    fn find(&self, digest: &[u8; 32]) -> Option<u64> {
        match self.tail.get(digest) {
            Some(offset) => Some(*offset),
            None => self.index.find(digest).ok().flatten(),
        }
    }

    fn record(&self, offset: u64) -> io::Result<String> {
        let log = self.log.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let mut head = [0; RECORD_HEAD];
        log.read_exact_at(&mut head, offset)?;
        let length = text_bytes(&head).ok_or(io::ErrorKind::InvalidData)?;
        let mut text = vec![0; length];
        log.read_exact_at(&mut text, offset + RECORD_HEAD as u64)?;
        String::from_utf8(text).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

impl Index {
    /// An index that is missing, damaged or ahead of the log counts as none.
    fn read(path: &Path, log_bytes: u64) -> io::Result<Index> {
        let Some(file) = open_if_there(path)? else { return Ok(Index::default()) };
        let bytes = file.metadata()?.len();
        let mut header = [0; HEADER as usize];
        if bytes < HEADER || !(bytes - HEADER).is_multiple_of(ENTRY) {
            return Ok(Index::default());
        }
        file.read_exact_at(&mut header, 0)?;
        let covers = u64::from_le_bytes(header[8..].try_into().expect("eight bytes"));
        if &header[..8] != MAGIC || covers > log_bytes {
            return Ok(Index::default());
        }
        Ok(Index { file: Some(file), entries: (bytes - HEADER) / ENTRY, covers })
    }

    fn find(&self, digest: &[u8; 32]) -> io::Result<Option<u64>> {
        let Some(file) = &self.file else { return Ok(None) };
        let (mut low, mut high) = (0, self.entries);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut entry = [0; ENTRY as usize];
            file.read_exact_at(&mut entry, HEADER + ENTRY * middle)?;
            match entry[..32].cmp(digest) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let offset = entry[32..].try_into().expect("eight bytes");
                    return Ok(Some(u64::from_le_bytes(offset)));
                }
            }
        }
        Ok(None)
    }

    /// All digests, sorted, for adding many at once.
    fn digests(&self) -> io::Result<Vec<[u8; 32]>> {
        let Some(mut file) = self.file.as_ref() else { return Ok(Vec::new()) };
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(HEADER))?;
        file.read_to_end(&mut bytes)?;
        let entries = bytes.chunks_exact(ENTRY as usize);
        Ok(entries.map(|entry| entry[..32].try_into().expect("32 bytes")).collect())
    }
}

/// Goes through the whole records from `start`; gives the end of the last.
fn scan(log: &mut File, start: u64, mut visit: impl FnMut([u8; 32], u64)) -> io::Result<u64> {
    let bytes = log.metadata()?.len();
    log.seek(SeekFrom::Start(start))?;
    let mut reader = io::BufReader::with_capacity(1 << 16, log);
    let mut at = start;
    while bytes - at >= RECORD_HEAD as u64 {
        let mut head = [0; RECORD_HEAD];
        reader.read_exact(&mut head)?;
        let Some(length) = text_bytes(&head) else { break };
        let next = at + (RECORD_HEAD + length) as u64;
        if next > bytes {
            break;
        }
        reader.seek_relative(length as i64)?;
        visit(head[4..].try_into().expect("32 bytes"), at);
        at = next;
    }
    Ok(at)
}

/// The length a record states, if a record can have it.
fn text_bytes(head: &[u8; RECORD_HEAD]) -> Option<usize> {
    let length = u32::from_le_bytes(head[..4].try_into().expect("four bytes")) as usize;
    (length <= LONGEST_TEXT_BYTES).then_some(length)
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
