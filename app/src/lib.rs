//! cyberd: the application of a knowledge-graph chain behind CometBFT.
//!
//! Data flows one way:
//!
//! ```text
//! abci → tx → ante → engine → modules → state → store
//!                      │ at a round's boundary: rank → kernels
//!                      │ after a commit:        search
//! reading:           query → snapshot
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`abci`] | socket, frames, the four connections; decides nothing |
//! | [`tx`] | bytes become a typed transaction, no state read |
//! | [`ante`] | the door: the same checks for CheckTx, proposals and blocks |
//! | [`engine`] | the state machine: begin hooks, transactions, end hooks, app hash |
//! | [`modules`] | auth, bank, graph, bandwidth, rank, params |
//! | [`state`] | reading and writing, overlays, events |
//! | [`store`] | trees and logs in memory, journal and checkpoints on disk, proofs |
//! | [`statesync`] | snapshots for nodes that join: made, served, restored |
//! | [`rank`] | the round: calendar, frozen inputs, worker |
//! | [`search`] | answers by rank; derived, can be rebuilt |
//! | [`query`] | path → function; over ABCI, gRPC and REST |
//! | [`node`] | puts the parts together, supervises CometBFT, health and metrics |
//! | [`client`] | keys, signing, sending, waiting: what the command line uses |
//! | [`cli`] | the commands of `cyberd` |
//! | [`types`] | small values |
//! | [`niceness`] | threads that give way to consensus |

pub mod abci;
pub mod ante;
pub mod cli;
pub mod client;
pub mod config;
pub mod engine;
pub mod error;
pub mod modules;
pub mod niceness;
pub mod node;
pub mod query;
pub mod rank;
pub mod search;
pub mod state;
pub mod statesync;
pub mod store;
pub mod telemetry;
pub mod tx;
pub mod types;

pub mod testkit;
