//! Joining a network: the network file, fetching with hashes compared, and which header to trust.
//!
//! Invariant: what is trusted is said by the network file (hash of the genesis), by two servers
//! that agree, or by the user; nothing that one server says alone is. Deliberately absent: the
//! files of the home, which the command line writes.

pub mod fetch;
pub mod network;
pub mod servers;

pub use network::{NetworkFile, Place, Source};
pub use servers::{Server, Trust};
