//! Every key the store writes, and the bytes under it. Three databases ([`Disk`] names in
//! brackets). All integers are big endian; every value ends with a byte that is the version of its
//! format and 8 bytes of checksum over key, body and that byte (`codec::seal`); no value exceeds
//! 64 KiB.
//!
//! **Journal** (`journal`): one record per height, all its keys in one atomic write.
//!
//! | key | body |
//! |---|---|
//! | `F` | format: the text [`FORMAT`] |
//! | `H` | head: height (8) ‖ app hash (32) ‖ parts of its record (4) |
//! | `D` place of a round (4) part (4) | what the round changed (`deltas.rs`) |
//! | `J` height (8) part (4) | bytes of the record from `part · PART_BYTES` on (`journal.rs`) |
//!
//! **Checkpoints** (`checkpoint-0`, `checkpoint-1`): one each, written in turn, so that a
//! database that no longer opens costs one checkpoint. A checkpoint without a manifest is none.
//!
//! | key | body |
//! |---|---|
//! | `F` | format: the text [`FORMAT`] |
//! | `M` | manifest (`checkpoint.rs`): height, app hash, roots, sizes |
//! | `T` store (1) part (4) | height (8) ‖ nodes of the tree (`merkle/export.rs`), cut anywhere |
//! | `P` segment (4) | 32-byte digests of [`PARTICLES`] particles |
//! | `N` segment (4) | addresses of [`NEURONS`] neurons: length (1) ‖ bytes padded to 32 |
//! | `L` segment (4) | [`LINKS`] links: neuron, from, to, height (4 each) |
//! | `C` segment (4) | height (8) ‖ codes of [`CODES`] particles (4 each) |
//! | `R` segment (4) | records of [`ROUNDS`] rounds: length (4) ‖ bytes |
//!
//! Segments hold consecutive numbers, the last one what there is. Full segments of `P N L R`
//! never change and are not written again. The height in `T` and `C` is the manifest's: parts of
//! two checkpoints never mix.

use crate::state::{StoreName, STORES};
use crate::types::Height;

/// What stands under `F`; another text is another version's data, which is refused.
pub const FORMAT: &[u8] = b"cyberd store 2";

/// The journal's database.
pub const JOURNAL: &str = "journal";
/// The databases of the checkpoints.
pub const CHECKPOINTS: [&str; 2] = ["checkpoint-0", "checkpoint-1"];

/// Body bytes of one part of a record.
pub const PART_BYTES: usize = 64_000;
/// Bytes of nodes in one part of a tree, whose body begins with a height.
pub const TREE_PART_BYTES: usize = PART_BYTES - 8;
/// Bytes of an address in a column.
pub const ADDRESS_BYTES: usize = 33;

/// Particles in a segment.
pub const PARTICLES: u32 = 2_000;
/// Neurons in a segment.
pub const NEURONS: u32 = 1_900;
/// Links in a segment.
pub const LINKS: u32 = 4_000;
/// Codes in a segment.
pub const CODES: u32 = 16_000;
/// Round records in a segment.
pub const ROUNDS: u32 = 100;
/// The most bytes of a round record, so that a segment of them fits a value.
pub const ROUND_BYTES_MAX: usize = 600;

/// The format.
pub const FORMAT_KEY: &[u8] = b"F";
/// The head of the journal.
pub const HEAD_KEY: &[u8] = b"H";
/// The manifest of a checkpoint.
pub const MANIFEST_KEY: &[u8] = b"M";

/// How many tables a state has.
pub const TABLES: usize = STORES + 5;

/// Tables of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Tree(StoreName),
    Particles,
    Neurons,
    Links,
    Codes,
    Rounds,
}

impl Table {
    /// All tables in the order of a snapshot's stream.
    pub fn all() -> [Table; TABLES] {
        let [acc, bandwidth, bank, graph, params, rank] = StoreName::ALL.map(Table::Tree);
        let columns = [Table::Particles, Table::Neurons, Table::Links, Table::Codes, Table::Rounds];
        let [particles, neurons, links, codes, rounds] = columns;
        [acc, bandwidth, bank, graph, params, rank, particles, neurons, links, codes, rounds]
    }

    /// Whether a checkpoint's part begins with its height: all of it changes with the height.
    pub fn is_stamped(self) -> bool {
        matches!(self, Table::Tree(_) | Table::Codes)
    }

    /// The key of a part or segment.
    pub fn key(self, part: u32) -> Vec<u8> {
        let mut key = match self {
            Table::Tree(store) => vec![b'T', store as u8],
            Table::Particles => b"P".to_vec(),
            Table::Neurons => b"N".to_vec(),
            Table::Links => b"L".to_vec(),
            Table::Codes => b"C".to_vec(),
            Table::Rounds => b"R".to_vec(),
        };
        key.extend_from_slice(&part.to_be_bytes());
        key
    }

    /// How many elements a segment has; trees are cut by bytes.
    pub fn segment(self) -> u32 {
        match self {
            Table::Tree(_) => u32::MAX,
            Table::Particles => PARTICLES,
            Table::Neurons => NEURONS,
            Table::Links => LINKS,
            Table::Codes => CODES,
            Table::Rounds => ROUNDS,
        }
    }
}

/// The key of a part of a height's record.
pub fn record_key(height: Height, part: u32) -> Vec<u8> {
    let mut key = vec![b'J'];
    key.extend_from_slice(&height.0.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// The key of a part of what a round changed.
pub fn delta_key(place: u32, part: u32) -> Vec<u8> {
    let mut key = vec![b'D'];
    key.extend_from_slice(&place.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// The height and part in a record's key.
pub fn split_record_key(key: &[u8]) -> Option<(Height, u32)> {
    let (height, part) = key.strip_prefix(b"J")?.split_at_checked(8)?;
    let height = u64::from_be_bytes(height.try_into().ok()?);
    Some((Height(height), u32::from_be_bytes(part.try_into().ok()?)))
}

/// A key in words, for messages.
pub fn describe(key: &[u8]) -> String {
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
    match (key, split_record_key(key)) {
        (_, Some((height, part))) => format!("journal record of height {height}, part {part}"),
        ([b'D', rest @ ..], _) => format!("deltas of round and part {}", hex::encode(rest)),
        (b"F", _) => "format mark".into(),
        (b"H", _) => "head of the journal".into(),
        (b"M", _) => "manifest of the checkpoint".into(),
        ([b'T', store, part @ ..], _) => {
            let name = StoreName::ALL.get(usize::from(*store)).map_or("unknown", |s| s.name());
            format!("tree of store '{name}', part {}", number(part))
        }
        ([b'P', part @ ..], _) => format!("particles, segment {}", number(part)),
        ([b'N', part @ ..], _) => format!("neurons, segment {}", number(part)),
        ([b'L', part @ ..], _) => format!("links, segment {}", number(part)),
        ([b'C', part @ ..], _) => format!("codes, segment {}", number(part)),
        ([b'R', part @ ..], _) => format!("rounds, segment {}", number(part)),
        _ => format!("key {}", hex::encode(key)),
    }
}
