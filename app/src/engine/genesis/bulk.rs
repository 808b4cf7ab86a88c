//! `genesis.bin`: what a genesis has by the million, beside the genesis file that names it.
//!
//! CometBFT holds about nine times the genesis file in memory; accounts and links beyond
//! [`INLINE_MAX`] stand here, which only the application reads. The genesis file names it in
//! `app_state.bulk`: name, size, counts, SHA-256 of the whole file, root of the log `cyberlinks`.
//!
//! Bytes (integers big endian):
//! ```text
//! "cyberd genesis 1" (16)
//! ‖ for each of the eight sections, in this order: records (8) ‖ bytes (8)
//! ‖ the sections' bytes, in the same order, without gaps
//! accounts    ascending by number: address ‖ number (8) ‖ sequence (8)
//!             ‖ key: length (2) ‖ protobuf Any; length 0: none
//!             ‖ module: 0, or 1 ‖ name: length (1) ‖ text
//!               ‖ permissions (1) ‖ each: length (1) ‖ text
//!             ‖ coins (2) ‖ each, by denomination: length (1) ‖ denomination ‖ amount (16)
//! bandwidth   address ‖ remained, millionths (16) ‖ since, a height (8)
//! particles   SHA-256 digest (32), in the order of numbers
//! neurons     address, in the order of their first link
//! links       neuron, from, to: places in the two lists above (4 each); they carry height 0
//! codes       rank code (4) of each particle, or none at all
//! stakes      neuron's address ‖ rank-stake (8)
//! rounds      length (4) ‖ record of a round
//! an address is: length (1), 20 or 32 ‖ bytes
//! ```
//!
//! Invariants: a file is read only after its size and SHA-256 were found right; records are
//! streamed, never loaded whole; a list that stands here is empty in the genesis file, but
//! accounts, which may stand in both. Deliberately absent: parameters, supply, metadata,
//! validators: they stay where people read them.

mod read;
mod records;
mod write;

pub use read::{sha256_of, Bulk};
pub use records::{AccountRecord, BandwidthRecord, LinkRecord, Record, StakeRecord};
pub use write::Writer;

/// The usual name of the file.
pub const FILE: &str = "genesis.bin";
/// Accounts or links beyond this many stand in `genesis.bin`.
pub const INLINE_MAX: usize = 10_000;

const MAGIC: &[u8; 16] = b"cyberd genesis 1";
const SECTIONS: usize = 8;
const HEADER_BYTES: u64 = 16 + 16 * SECTIONS as u64;

/// The parts of the file, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Section {
    Accounts,
    Bandwidth,
    Particles,
    Neurons,
    Links,
    Codes,
    Stakes,
    Rounds,
}

impl Section {
    /// All of them; the position is `section as usize`.
    pub const ALL: [Section; SECTIONS] = [
        Section::Accounts,
        Section::Bandwidth,
        Section::Particles,
        Section::Neurons,
        Section::Links,
        Section::Codes,
        Section::Stakes,
        Section::Rounds,
    ];

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Section::Accounts => "accounts",
            Section::Bandwidth => "bandwidth",
            Section::Particles => "particles",
            Section::Neurons => "neurons",
            Section::Links => "links",
            Section::Codes => "codes",
            Section::Stakes => "stakes",
            Section::Rounds => "rounds",
        }
    }
}

/// `app_state.bulk`: which file, and how to know it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulkReference {
    /// A name in the folder of the genesis file.
    pub file: String,
    /// Bytes of the file.
    pub size: u64,
    pub accounts: u64,
    pub particles: u64,
    pub links: u64,
    /// Of the whole file, hexadecimal.
    pub sha256: String,
    /// The root of the log `cyberlinks` over these links, hexadecimal.
    pub root: String,
}

#[cfg(test)]
mod tests;
