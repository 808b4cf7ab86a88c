//! Snapshots for state sync: the parts of a state one after the other in a file, so that nodes
//! that join need not replay the chain. Equal on all nodes, byte for byte.
//!
//! ```text
//! state of a height ──sections──▶ stream (one file) ──10,000,000 bytes each──▶ chunks
//!                                    │ SHA-256 of each
//!                                    ▼
//!            metadata: sizes, roots, lengths of the tables, hashes of the chunks
//!                                    │ SHA-256
//!                                    ▼
//!                          the snapshot's hash, by which peers know it
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `metadata.rs` | what is told of a snapshot before any of it is fetched |
//! | `file.rs` | a snapshot in a file: written, read back, verified |
//! | `shelf.rs` | the kept ones: which are offered to peers, when they go |
//! | `taker.rs` | the thread that makes them, beside consensus |
//! | `restore.rs` | from a peer's offer to a state whose roots came out |
//! | `service.rs` | what CometBFT asks and is answered |
//! | `spare.rs` | a kept one in place of a store that does not verify |
//!
//! Invariants: nothing of a node enters a snapshot, only the state of its height; whatever a peer
//! sends is bounded before memory or disk is taken for it, and counts only if its hash, and in the
//! end every root, comes out; no block waits for anything here. Deliberately absent: peers and what
//! is trusted of them, which is CometBFT's; the database (`Store::install`).

pub mod file;
pub mod metadata;
pub mod restore;
pub mod service;
pub mod shelf;
pub mod spare;
pub mod taker;

#[cfg(test)]
mod tests;

pub use file::SnapshotFile;
pub use metadata::{Metadata, CHUNK_BYTES, FORMAT};
pub use restore::{Offer, Refusal, Restore, Step};
pub use service::Service;
pub use shelf::Shelf;
pub use taker::Taker;

/// A number of bytes for people.
pub fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}
