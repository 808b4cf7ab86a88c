//! A snapshot in a file: the stream from the first byte on, then what tells of it.
//!
//! ```text
//! stream ‖ metadata ‖ SHA-256 of the metadata (32) ‖ length of the metadata (8) ‖ MARK (16)
//! ```
//!
//! Invariants: a file under its final name is whole (written under another, fsynced, renamed);
//! chunk n is its bytes from n · 10,000,000 on. Deliberately absent: which files to keep.

use super::metadata::{element_bytes, Metadata, CHUNK_BYTES, METADATA_BYTES_MAX};
use crate::engine::upgrade;
use crate::error::Fault;
use crate::state::StoreName;
use crate::store::sections::{self, Sink, Source};
use crate::store::snapshot::Snapshot;
use crate::store::tables::{Table, ROUNDS, ROUND_BYTES_MAX, TABLES, TREE_PART_BYTES};
use crate::types::{sha256, Hash, Height};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How every snapshot file ends.
const MARK: &[u8; 16] = b"cyberd snapshot\n";
/// Bytes after the metadata.
const TAIL_BYTES: u64 = 32 + 8 + MARK.len() as u64;

/// A whole snapshot.
#[derive(Debug)]
pub struct SnapshotFile {
    file: File,
    path: PathBuf,
    metadata: Metadata,
    hash: Hash,
}

/// The name of a height's snapshot.
pub fn name(height: Height) -> String {
    format!("{height}.snapshot")
}

/// What a file is called until it is whole.
pub(super) fn part_of(path: &Path) -> PathBuf {
    path.with_extension("part")
}

pub(super) fn failed(doing: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::Storage(format!("{doing} {}: {error}", path.display()))
}

/// Writes the snapshot of a state to `path`; none if `stop` was raised on the way.
///
/// # Errors
/// The disk fails or is full. Nothing is left behind.
pub fn write(
    path: &Path,
    snapshot: &Snapshot,
    app_version: u64,
    stop: &AtomicBool,
) -> Result<Option<SnapshotFile>, Fault> {
    let part = part_of(path);
    let written = write_part(&part, snapshot, app_version, stop)
        .and_then(|metadata| finish(&part, path, &metadata).map(Some));
    if written.is_err() {
        // It may not even have been made.
        let _ = std::fs::remove_file(&part);
    }
    match written {
        Err(_) if stop.load(Relaxed) => Ok(None),
        written => written,
    }
}

fn write_part(
    part: &Path,
    snapshot: &Snapshot,
    app_version: u64,
    stop: &AtomicBool,
) -> Result<Metadata, Fault> {
    let file = File::create(part).map_err(|error| failed("making", part, &error))?;
    let mut stream = StreamWriter {
        out: BufWriter::with_capacity(1 << 20, file),
        path: part,
        stop,
        hasher: Sha256::new(),
        filled: 0,
        chunks: Vec::new(),
        table: 0,
        lengths: [0; TABLES],
    };
    sections::write(snapshot, &mut stream)?;
    if stream.filled > 0 {
        stream.end_chunk();
    }
    stream.out.flush().map_err(|error| failed("writing", part, &error))?;
    let StreamWriter { lengths, chunks, .. } = stream;
    let contents = sections::Contents::of(snapshot);
    Ok(Metadata { app_version, contents, lengths, chunks })
}

/// Makes a file that holds the stream a whole one under its final name.
pub(super) fn finish(part: &Path, path: &Path, metadata: &Metadata) -> Result<SnapshotFile, Fault> {
    let (encoded, hash) = (metadata.encode(), metadata.hash());
    let length = (encoded.len() as u64).to_be_bytes();
    let tail = [encoded.as_slice(), &hash, &length, MARK].concat();
    let write = || {
        let file = File::options().read(true).write(true).open(part)?;
        file.set_len(metadata.bytes())?;
        file.write_all_at(&tail, metadata.bytes())?;
        file.sync_all()?;
        std::fs::rename(part, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(file)
    };
    let file = write().map_err(|error| failed("writing", path, &error))?;
    Ok(SnapshotFile { file, path: path.to_owned(), metadata: metadata.clone(), hash })
}

/// Writes the stream and hashes its chunks.
struct StreamWriter<'a> {
    out: BufWriter<File>,
    path: &'a Path,
    stop: &'a AtomicBool,
    hasher: Sha256,
    /// Bytes of the chunk so far.
    filled: u64,
    chunks: Vec<Hash>,
    /// The table's place among all.
    table: usize,
    lengths: [u64; TABLES],
}

impl StreamWriter<'_> {
    fn end_chunk(&mut self) {
        self.chunks.push(std::mem::take(&mut self.hasher).finalize().into());
        self.filled = 0;
    }
}

impl Sink for StreamWriter<'_> {
    fn part(&mut self, _: Table, _: u32, body: Vec<u8>, _: bool) -> Result<(), Fault> {
        if self.stop.load(Relaxed) {
            return Err(Fault::Setup("stopped on the way".into()));
        }
        self.out.write_all(&body).map_err(|error| failed("writing", self.path, &error))?;
        self.lengths[self.table] += body.len() as u64;
        let mut rest = body.as_slice();
        while !rest.is_empty() {
            let left = usize::try_from(CHUNK_BYTES - self.filled).expect("10,000,000 at most");
            let (now, later) = rest.split_at(left.min(rest.len()));
            self.hasher.update(now);
            self.filled += now.len() as u64;
            if self.filled == CHUNK_BYTES {
                self.end_chunk();
            }
            rest = later;
        }
        Ok(())
    }

    fn end(&mut self, _: Table, _: u32) -> Result<(), Fault> {
        self.table += 1;
        Ok(())
    }
}

impl SnapshotFile {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Fault::Damage`] if it is no whole snapshot; the disk fails.
    pub fn open(path: &Path) -> Result<SnapshotFile, Fault> {
        let damage = |why: String| Fault::Damage(format!("{}: {why}", path.display()));
        let io = |error: io::Error| failed("reading", path, &error);
        let file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let mut tail = [0; TAIL_BYTES as usize];
        let at = size.checked_sub(TAIL_BYTES);
        let at = at.ok_or_else(|| damage(format!("{size} bytes are no snapshot")))?;
        file.read_exact_at(&mut tail, at).map_err(io)?;
        let (hash, rest) = tail.split_at(32);
        let (length, mark) = rest.split_at(8);
        if mark != MARK {
            return Err(damage("no snapshot of cyberd, or cut short".to_owned()));
        }
        let length = u64::from_be_bytes(length.try_into().expect("8 bytes"));
        let begin = at.checked_sub(length).filter(|_| length <= METADATA_BYTES_MAX as u64);
        let begin = begin.ok_or_else(|| damage(format!("metadata of {length} bytes")))?;
        let mut encoded = vec![0; usize::try_from(length).expect("4,000,000 at most")];
        file.read_exact_at(&mut encoded, begin).map_err(io)?;
        if sha256(&encoded) != *hash {
            return Err(damage("the hash of the metadata does not fit".to_owned()));
        }
        let metadata = Metadata::decode(&encoded).map_err(|fault| damage(fault.to_string()))?;
        if metadata.bytes() != begin {
            return Err(damage(format!("{begin} bytes instead of {}", metadata.bytes())));
        }
        let hash = sha256(&encoded);
        Ok(SnapshotFile { file, path: path.to_owned(), metadata, hash })
    }

    /// What is told of it.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The height whose state it is.
    pub fn height(&self) -> Height {
        self.metadata.height()
    }

    /// The hash by which peers know it.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A chunk, if its hash comes out.
    ///
    /// # Errors
    /// There is no such chunk; [`Fault::Damage`]: it is damaged; the disk fails.
    pub fn chunk(&self, index: u32) -> Result<Vec<u8>, Fault> {
        let bytes = self.metadata.chunk_bytes(index);
        let bytes = bytes.ok_or_else(|| Fault::Setup(format!("there is no chunk {index}")))?;
        let mut chunk = vec![0; usize::try_from(bytes).expect("10,000,000 at most")];
        let read = self.file.read_exact_at(&mut chunk, u64::from(index) * CHUNK_BYTES);
        read.map_err(|error| failed("reading", &self.path, &error))?;
        match sha256(&chunk) == self.metadata.chunks[index as usize] {
            true => Ok(chunk),
            false => {
                let path = self.path.display();
                Err(Fault::Damage(format!("{path}: the hash of chunk {index} does not fit")))
            }
        }
    }

    /// The state in it, if all of its roots come out.
    ///
    /// # Errors
    /// [`Fault::Damage`]: they do not; the disk fails.
    pub fn load(&self) -> Result<Snapshot, Fault> {
        load(&self.file, &self.path, &self.metadata)
    }
}

/// The state in a stream, if all of its roots come out.
pub(super) fn load(file: &File, path: &Path, metadata: &Metadata) -> Result<Snapshot, Fault> {
    let mut stream = Stream { file, path, metadata, rounds: Vec::new() };
    stream.rounds = stream.round_parts()?;
    let state = sections::read(&stream, &metadata.contents)?;
    let (follows, said) = (upgrade::version_of(&state), metadata.app_version);
    if follows != said {
        return Err(Fault::Damage(format!(
            "the state follows application version {follows}, the metadata says {said}"
        )));
    }
    Ok(state)
}

/// A stream as a source of parts.
struct Stream<'a> {
    file: &'a File,
    path: &'a Path,
    metadata: &'a Metadata,
    /// Where each part of the rounds begins, and where the last ends: their records vary.
    rounds: Vec<u64>,
}

impl Stream<'_> {
    fn round_parts(&self) -> Result<Vec<u64>, Fault> {
        let (begin, length) = self.metadata.place(Table::Rounds);
        let mut input = BufReader::new(Section { file: self.file, at: begin, left: length });
        let (mut parts, mut at) = (vec![begin], begin);
        let count = self.metadata.contents.sizes.rounds;
        for number in 1..=count {
            let (mut bytes, mut record) = ([0; 4], [0; ROUND_BYTES_MAX]);
            let io = |error| failed("reading", self.path, &error);
            input.read_exact(&mut bytes).map_err(io)?;
            let bytes = u32::from_be_bytes(bytes) as usize;
            let record = record.get_mut(..bytes).ok_or_else(|| {
                Fault::Damage(format!("round record {} has {bytes} bytes", number - 1))
            })?;
            input.read_exact(record).map_err(io)?;
            at += 4 + bytes as u64;
            if number % ROUNDS == 0 || number == count {
                parts.push(at);
            }
        }
        match at == begin + length {
            true => Ok(parts),
            false => Err(Fault::Damage("round records of another length".into())),
        }
    }

    /// Where a part is and how many bytes it has.
    fn part_place(&self, table: Table, part: u32) -> (u64, u64) {
        if table == Table::Rounds {
            let [from, to] = [self.rounds[part as usize], self.rounds[part as usize + 1]];
            return (from, to - from);
        }
        let whole = match element_bytes(table) {
            Some(each) => each * u64::from(table.segment()),
            None => TREE_PART_BYTES as u64,
        };
        let (begin, length) = self.metadata.place(table);
        let before = u64::from(part) * whole;
        (begin + before, whole.min(length - before))
    }
}

impl Source for Stream<'_> {
    fn tree_parts(&self, store: StoreName) -> u32 {
        let (_, length) = self.metadata.place(Table::Tree(store));
        let parts = length.div_ceil(TREE_PART_BYTES as u64);
        u32::try_from(parts).expect("metadata is checked")
    }

    fn part(&self, table: Table, part: u32) -> Result<Vec<u8>, Fault> {
        let (at, bytes) = self.part_place(table, part);
        let mut body = vec![0; usize::try_from(bytes).expect("a part is small")];
        let read = self.file.read_exact_at(&mut body, at);
        read.map_err(|error| failed("reading", self.path, &error))?;
        Ok(body)
    }
}

/// A piece of a file, read from its begin to its end.
struct Section<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(into.len(), |left| left.min(into.len()));
        let read = self.file.read_at(&mut into[..most], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
