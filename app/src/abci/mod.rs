//! The door to CometBFT: our trait of what an application does, and the server that speaks ABCI
//! 0.38 for it.
//!
//! [`Application`] is free of any protocol version; `convert` alone knows the wire. Nothing in
//! this folder decides anything about the chain.
//!
//! Invariants: consensus methods are never called by two threads at once (CometBFT sends them in
//! order over one connection); `check_txs`, `query` and the snapshot methods may run beside them
//! and beside each other. A [`Fault`] or a panic in a consensus method ends the process, a panic
//! in `check_txs` or `query` becomes an answer.

pub mod adapter;
pub mod address;
mod ahead;
mod connection;
mod consensus;
mod convert;
pub mod frame;
mod info;
mod mempool;
pub mod method;
pub mod server;
mod snapshot;
mod socket;

use crate::engine::{
    Block, BlockOutcome, CheckRequest, ChunkVerdict, Genesis, GenesisOutcome, Info, OfferVerdict,
    Proposal, ProposalVerdict, QueryAnswer, QueryRequest, Snapshot, TxResult,
};
use crate::error::Fault;
use crate::types::{Hash, Height};
use prost::bytes::Bytes;

/// What stands behind the server: the engine, or a script in tests.
///
/// Methods take `&self`: who implements this guards its own state. Locks must survive a panic
/// of `check_txs` and `query` (take over a poisoned lock rather than panic again).
pub trait Application: Send + Sync {
    /// The last height whose commit completed, and its hash.
    fn info(&self) -> Info;

    /// Builds the genesis state. May be called again when a crash came before the first commit.
    fn init_chain(&self, genesis: Genesis) -> Result<GenesisOutcome, Fault>;

    /// Checks transactions for the mempool, in order; later ones see what earlier ones did.
    ///
    /// Pushes one result for each, in order, as soon as that transaction's effect on the check
    /// state is complete. So when this panics, the server knows where: it answers that
    /// transaction with `undefined/111222` and calls again with the rest, one by one.
    fn check_txs(&self, requests: &[CheckRequest], results: &mut Vec<TxResult>);

    /// The transactions of a proposal of our own, chosen and ordered from those offered; their
    /// bytes with protobuf overhead fit into `max_tx_bytes`. Changes nothing.
    fn prepare_proposal(&self, proposal: Proposal) -> Result<Vec<Bytes>, Fault>;

    /// Whether to vote for a proposal: a pure function of it and the last committed state.
    fn process_proposal(&self, proposal: Proposal) -> Result<ProposalVerdict, Fault>;

    /// Executes a decided block; nothing becomes durable. Called again with the same block after
    /// a crash, it answers the same.
    fn finalize_block(&self, block: Block) -> Result<BlockOutcome, Fault>;

    /// Makes the finalized block durable before it returns. The answer is the lowest height whose
    /// block CometBFT must keep, 0: all.
    fn commit(&self) -> Result<Height, Fault>;

    /// Answers from a committed snapshot; never waits for a block being executed.
    fn query(&self, request: QueryRequest) -> QueryAnswer;

    /// The snapshots that peers may restore from, at most ten.
    fn list_snapshots(&self) -> Vec<Snapshot>;

    /// Whether to restore from a peer's snapshot whose state must have this app hash, which a
    /// light client verified. A new offer abandons the restore before it.
    fn offer_snapshot(&self, offer: Snapshot, app_hash: Hash) -> Result<OfferVerdict, Fault>;

    /// A part of one of our snapshots, none if it is not (or no longer) there.
    fn load_snapshot_chunk(&self, height: Height, format: u32, chunk: u32) -> Option<Bytes>;

    /// Takes a part of the snapshot accepted last. `sender` is the peer's identity.
    fn apply_snapshot_chunk(
        &self,
        index: u32,
        chunk: Bytes,
        sender: &str,
    ) -> Result<ChunkVerdict, Fault>;
}

#[cfg(test)]
mod tests;
