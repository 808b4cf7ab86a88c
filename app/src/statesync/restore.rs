//! From a peer's offer to a state whose roots came out. Chunks may come in any order and again;
//! each is checked when it comes, and all roots before the last one is accepted.
//!
//! Invariants: nothing is taken for granted but the app hash, which a light client verified: the
//! offered roots must give it, and the state must give the roots; nothing longer than announced is
//! written, nothing is begun that the disk cannot hold. A restore that is dropped or killed leaves
//! a `.part` file that the next start or offer removes. Deliberately absent: peers, and what
//! becomes of the state.

use super::file::{self, failed};
use super::megabytes;
use super::metadata::{Metadata, FORMAT, METADATA_BYTES_MAX};
use super::shelf::Shelf;
use super::taker::check_space;
use crate::error::Fault;
use crate::store::Snapshot;
use crate::types::{sha256, Height};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Instant;

/// A snapshot that a peer offers.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    pub height: Height,
    pub format: u32,
    pub chunks: u32,
    pub hash: &'a [u8],
    pub metadata: &'a [u8],
}

/// Why an offer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No snapshot of its format is.
    #[error("{0}")]
    Format(String),
    /// It is forged: nothing of who offers it is.
    #[error("{0}")]
    Forged(String),
    /// Another snapshot may be.
    #[error("{0}")]
    Unfit(String),
    /// None is, as things are here.
    #[error("{0}")]
    Here(String),
}

/// What became of a chunk.
#[derive(Debug)]
pub enum Step {
    /// It is in; more are to come.
    Taken,
    /// It is not what was announced: fetch it again, from somebody else.
    Bad(String),
    /// All are in and every root came out.
    Complete(Box<Snapshot>),
    /// All are in, or can never be: this is no state.
    Failed(String),
}

/// A restore under way.
pub struct Restore {
    metadata: Metadata,
    file: File,
    path: PathBuf,
    taken: Vec<bool>,
    begun: Instant,
}

#[allow(clippy::disallowed_methods, reason = "the log says how long it takes")]
fn now() -> Instant {
    Instant::now()
}

impl Restore {
    /// Begins to restore what a peer offers, whose state must have this app hash.
    ///
    /// # Errors
    /// Outside: the disk fails. Inside: why not.
    pub fn begin(
        shelf: &Shelf,
        offer: &Offer<'_>,
        app_hash: &[u8],
        newest_version: u64,
        reserve: u64,
    ) -> Result<Result<Restore, Refusal>, Fault> {
        let metadata = match check(offer, app_hash, newest_version) {
            Ok(metadata) => metadata,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // Twice: the stream, and the database that is made of it.
        if let Err(fault) = check_space(shelf, metadata.bytes().saturating_mul(2), reserve) {
            return Ok(Err(Refusal::Here(fault.to_string())));
        }
        let path = shelf.part_path(offer.height);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.map_err(|error| failed("making", &path, &error))?;
        let taken = vec![false; metadata.chunks.len()];
        Ok(Ok(Restore { metadata, file, path, taken, begun: now() }))
    }

    /// What is being restored.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// How many chunks are not there yet.
    pub fn missing(&self) -> usize {
        self.taken.iter().filter(|taken| !**taken).count()
    }

    /// Takes a chunk.
    ///
    /// # Errors
    /// The disk fails or is full.
    pub fn take(&mut self, index: u32, chunk: &[u8]) -> Result<Step, Fault> {
        let count = self.metadata.count();
        let Some(expected) = self.metadata.chunk_bytes(index) else {
            return Ok(Step::Failed(format!("there is no chunk {index} of {count}")));
        };
        if chunk.len() as u64 != expected {
            let bytes = chunk.len();
            return Ok(Step::Bad(format!("chunk {index} has {bytes} bytes instead of {expected}")));
        }
        let place = index as usize;
        if sha256(chunk) != self.metadata.chunks[place] {
            return Ok(Step::Bad(format!("chunk {index} does not have the announced hash")));
        }
        let at = u64::from(index) * super::metadata::CHUNK_BYTES;
        let write = self.file.write_all_at(chunk, at);
        write.map_err(|error| failed("writing", &self.path, &error))?;
        self.taken[place] = true;
        let missing = self.missing();
        self.say(count as usize - missing);
        if missing > 0 {
            return Ok(Step::Taken);
        }
        match file::load(&self.file, &self.path, &self.metadata) {
            Ok(snapshot) => Ok(Step::Complete(Box::new(snapshot))),
            Err(Fault::Damage(text)) => Ok(Step::Failed(text)),
            Err(other) => Err(other),
        }
    }

    fn say(&self, taken: usize) {
        let pairs = (0u32..).zip(&self.taken).filter(|(_, taken)| **taken);
        let bytes: u64 = pairs.filter_map(|(index, _)| self.metadata.chunk_bytes(index)).sum();
        tracing::info!(
            height = self.metadata.height().0,
            "state sync: chunk {taken} of {}, {} of {}, {:.1} s",
            self.metadata.count(),
            megabytes(bytes),
            megabytes(self.metadata.bytes()),
            self.begun.elapsed().as_secs_f32()
        );
    }

    /// Gives it up: what was collected goes.
    pub fn abandon(self) {
        // The next start removes what cannot be removed now.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The metadata of an offer that may be taken.
fn check(offer: &Offer<'_>, app_hash: &[u8], newest_version: u64) -> Result<Metadata, Refusal> {
    let Offer { height, format, chunks, hash, metadata } = *offer;
    if format != FORMAT {
        return Err(Refusal::Format(format!("format {format}, this version reads {FORMAT}")));
    }
    if metadata.len() > METADATA_BYTES_MAX || sha256(metadata) != *hash {
        return Err(Refusal::Forged("the hash is not that of the metadata".into()));
    }
    let metadata = Metadata::decode(metadata);
    let metadata = metadata.map_err(|fault| Refusal::Forged(fault.to_string()))?;
    if (metadata.height(), metadata.count()) != (height, chunks) {
        let (own, count) = (metadata.height(), metadata.count());
        return Err(Refusal::Forged(format!(
            "offered as height {height} in {chunks} chunks, the metadata says {own} in {count}"
        )));
    }
    if metadata.app_hash() != app_hash {
        return Err(Refusal::Forged(format!(
            "its roots give the app hash {}, the chain has {}",
            hex::encode(metadata.app_hash()),
            hex::encode(app_hash)
        )));
    }
    metadata.check_version(newest_version).map_err(Refusal::Unfit)?;
    Ok(metadata)
}
