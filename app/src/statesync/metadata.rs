//! What is told of a snapshot before any of it is fetched, and how it is checked.
//!
//! Bytes (integers big endian): format (4) ‖ application version (8) ‖ height (8) ‖ ten roots (32
//! each, order of `commitment::NAMES`) ‖ particles, links, neurons, rounds (4 each) ‖ code bits
//! (1) ‖ length of each table (8 each, order of [`Table::all`]) ‖ chunks (4) ‖ SHA-256 of each.
//!
//! Invariants: what decodes is consistent: the tables' lengths are those that the sizes ask for,
//! the chunks are as many as the lengths fill. So every length taken from it is one that its
//! sender would have to fill. Deliberately absent: trust. The app hash over the roots is what a
//! light client vouches for, everything else is only claimed until the roots come out.

use crate::error::Fault;
use crate::store::codec::{put_count, put_u32, put_u64, put_u8, Input};
use crate::store::columns::Sizes;
use crate::store::commitment::{self, ROOTS};
use crate::store::sections::Contents;
use crate::store::tables::{Table, ADDRESS_BYTES, ROUND_BYTES_MAX, TABLES, TREE_PART_BYTES};
use crate::types::{sha256, Hash, Height};

/// The only format there is.
pub const FORMAT: u32 = 1;
/// Bytes of the stream in a chunk; the last one has what is left.
pub const CHUNK_BYTES: u64 = 10_000_000;
/// CometBFT refuses longer metadata.
pub const METADATA_BYTES_MAX: usize = 4_000_000;

/// What a snapshot consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Of the rules that the state follows.
    pub app_version: u64,
    pub contents: Contents,
    /// Bytes of each table, in the order of [`Table::all`].
    pub lengths: [u64; TABLES],
    /// SHA-256 of each chunk.
    pub chunks: Vec<Hash>,
}

/// Bytes of an element of a column; of trees and rounds they vary.
pub(super) fn element_bytes(table: Table) -> Option<u64> {
    match table {
        Table::Tree(_) | Table::Rounds => None,
        Table::Particles => Some(32),
        Table::Neurons => Some(ADDRESS_BYTES as u64),
        Table::Links => Some(16),
        Table::Codes => Some(4),
    }
}

impl Metadata {
    /// Whether a program that knows the rules up to version `newest` can go on from it; else why
    /// not.
    pub fn check_version(&self, newest: u64) -> Result<(), String> {
        let made = self.app_version;
        if (1..=newest).contains(&made) {
            return Ok(());
        }
        let height = self.height();
        Err(format!(
            "of application version {made}, this program knows those up to {newest}: use the \
             version of cyberd that the chain runs at height {height}"
        ))
    }

    /// Its bytes, equal on all nodes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let Contents { height, roots, sizes, code_bits } = &self.contents;
        put_u32(&mut out, FORMAT);
        put_u64(&mut out, self.app_version);
        put_u64(&mut out, height.0);
        roots.iter().for_each(|root| out.extend_from_slice(root));
        let Sizes { particles, links, neurons, rounds } = *sizes;
        [particles, links, neurons, rounds].iter().for_each(|size| put_u32(&mut out, *size));
        put_u8(&mut out, *code_bits as u8);
        self.lengths.iter().for_each(|length| put_u64(&mut out, *length));
        put_count(&mut out, self.chunks.len());
        self.chunks.iter().for_each(|hash| out.extend_from_slice(hash));
        out
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`Fault::Damage`] with what is wrong, if no node makes such metadata.
    pub fn decode(bytes: &[u8]) -> Result<Metadata, Fault> {
        let mut input = Input::new(bytes, "metadata of the snapshot");
        if bytes.len() > METADATA_BYTES_MAX {
            return Err(input.damage(format!("{} bytes are too many", bytes.len())));
        }
        let format = input.u32()?;
        if format != FORMAT {
            return Err(input.damage(format!("format {format}, not {FORMAT}")));
        }
        let (app_version, height) = (input.u64()?, Height(input.u64()?));
        let mut roots = [[0; 32]; ROOTS];
        for root in &mut roots {
            *root = input.array()?;
        }
        let [particles, links] = [input.u32()?, input.u32()?];
        let sizes = Sizes { particles, links, neurons: input.u32()?, rounds: input.u32()? };
        let code_bits = u32::from(input.u8()?);
        let mut lengths = [0; TABLES];
        for length in &mut lengths {
            *length = input.u64()?;
        }
        let mut chunks = Vec::new();
        for _ in 0..input.count(32)? {
            chunks.push(input.array()?);
        }
        input.end()?;
        let contents = Contents { height, roots, sizes, code_bits };
        let metadata = Metadata { app_version, contents, lengths, chunks };
        metadata.check().map_err(|why| input.damage(why))?;
        Ok(metadata)
    }

    /// That its numbers fit each other.
    fn check(&self) -> Result<(), String> {
        let Contents { height, sizes, code_bits, .. } = &self.contents;
        if height.0 == 0 || u32::try_from(height.0).is_err() {
            return Err(format!("height {height} is none of a block"));
        }
        if !(8..=24).contains(code_bits) {
            return Err(format!("rank codes of {code_bits} bits"));
        }
        let mut total: u64 = 0;
        for (table, length) in Table::all().into_iter().zip(self.lengths) {
            let fits = match element_bytes(table) {
                Some(each) => length == each * u64::from(self.contents.length(table)),
                None if table == Table::Rounds => {
                    let count = u64::from(sizes.rounds);
                    (4 * count..=(4 + ROUND_BYTES_MAX as u64) * count).contains(&length)
                }
                None => length.div_ceil(TREE_PART_BYTES as u64) <= u64::from(u32::MAX),
            };
            if !fits {
                return Err(format!("{length} bytes of {table:?} for {sizes:?}"));
            }
            total = total.checked_add(length).ok_or("more bytes than there can be")?;
        }
        let chunks = self.chunks.len();
        match total.div_ceil(CHUNK_BYTES) == chunks as u64 && chunks > 0 {
            true => Ok(()),
            false => Err(format!("{chunks} chunks for {total} bytes")),
        }
    }

    /// The hash by which peers know the snapshot.
    pub fn hash(&self) -> Hash {
        sha256(&self.encode())
    }

    /// The height whose state it is.
    pub fn height(&self) -> Height {
        self.contents.height
    }

    /// The app hash that its roots give.
    pub fn app_hash(&self) -> Hash {
        commitment::app_hash(&self.contents.roots)
    }

    /// Bytes of the stream.
    pub fn bytes(&self) -> u64 {
        self.lengths.iter().sum()
    }

    /// Where a table begins in the stream, and how many bytes it has.
    pub fn place(&self, table: Table) -> (u64, u64) {
        let at = Table::all().iter().position(|other| *other == table).expect("one of all");
        (self.lengths[..at].iter().sum(), self.lengths[at])
    }

    /// Bytes of a chunk; none if there is no such chunk.
    pub fn chunk_bytes(&self, index: u32) -> Option<u64> {
        let before = u64::from(index) * CHUNK_BYTES;
        let left = self.bytes().checked_sub(before).filter(|left| *left > 0);
        left.map(|left| left.min(CHUNK_BYTES))
    }

    /// How many chunks there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.chunks.len()).expect("metadata has fewer than 4,000,000 bytes")
    }
}
