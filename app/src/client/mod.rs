//! What the command line stands on: keys, signing, sending, waiting, importing.
//!
//! It talks to a node over CometBFT's RPC only and never touches the node's own files. Nothing
//! here is consensus: clocks, sleeping and tokio are allowed where they are named.

pub mod content;
pub mod failure;
pub mod files;
pub mod import;
pub mod keys;
#[cfg(test)]
pub mod mock;
pub mod queries;
pub mod rpc;
pub mod sequence;
pub mod settings;
pub mod submit;
pub mod transaction;

pub use content::ContentTable;
pub use failure::{Exit, Failure};
pub use keys::{KeyStore, SigningKey};
pub use rpc::Client;
