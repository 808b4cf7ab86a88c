//! What goes into the engine and comes out of it, free of any ABCI version.

use crate::error::{code, Code, Refusal};
use crate::state::Event;
use crate::types::{Hash, Height};
use prost::bytes::Bytes;

/// A moment as the header states it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    pub seconds: i64,
    pub nanos: i32,
}

/// What `Info` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    pub version: &'static str,
    pub app_version: u64,
    /// The last committed height, 0 before the first block.
    pub height: Height,
    /// The app hash of that height, empty before the first block.
    pub app_hash: Vec<u8>,
}

/// A validator by its ed25519 key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorUpdate {
    pub public_key: [u8; 32],
    pub power: i64,
}

/// The consensus parameters the engine reads and keeps (`None` in an update: unchanged).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsensusParams {
    pub block_max_bytes: i64,
    pub block_max_gas: i64,
    pub evidence_max_age_blocks: i64,
    pub evidence_max_age_seconds: i64,
    pub evidence_max_bytes: i64,
    pub public_key_types: Vec<String>,
    pub app_version: u64,
    pub vote_extensions_enable_height: i64,
}

/// `InitChain`.
#[derive(Clone, Debug)]
pub struct Genesis {
    pub chain_id: String,
    pub time: Time,
    pub initial_height: Height,
    pub consensus_params: ConsensusParams,
    pub validators: Vec<ValidatorUpdate>,
    /// The `app_state` JSON.
    pub app_state: Bytes,
}

/// The answer to `InitChain`.
#[derive(Clone, Debug)]
pub struct GenesisOutcome {
    pub app_hash: Hash,
    pub validators: Vec<ValidatorUpdate>,
    pub consensus_params: Option<ConsensusParams>,
}

/// Why a transaction is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckKind {
    New,
    /// Left over after a block: no signature work.
    Recheck,
}

/// A transaction to check.
#[derive(Clone, Debug)]
pub struct CheckRequest {
    pub tx: Bytes,
    pub kind: CheckKind,
}

/// The answer to a proposal of somebody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposalVerdict {
    Accept,
    /// Vote nil; the reason goes to the log.
    Reject(String),
}

/// A snapshot as peers tell each other of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub height: Height,
    pub format: u32,
    /// How many parts it has.
    pub chunks: u32,
    /// Names the snapshot; equal on all nodes.
    pub hash: Bytes,
    /// What the application needs to check the parts, at most 4 MB.
    pub metadata: Bytes,
}

/// The answer to a snapshot offered by a peer. The reasons go to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferVerdict {
    Accept,
    /// Give state sync up altogether.
    Abort(String),
    /// Not this one, another may do.
    Reject(String),
    /// None of this format.
    RejectFormat(String),
    /// None of these peers.
    RejectSender(String),
}

/// The answer to a part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkVerdict {
    Accept,
    /// Fetch these parts again and take nothing more from these peers.
    Retry {
        reason: String,
        refetch: Vec<u32>,
        reject_senders: Vec<String>,
    },
    /// The parts do not give what was promised: another snapshot.
    RejectSnapshot(String),
    /// Give state sync up altogether.
    Abort(String),
}

/// A proposal, made by ourselves or received.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub height: Height,
    pub time: Time,
    /// `PrepareProposal`: bytes the answer may take, counted with each transaction's protobuf
    /// overhead. `ProcessProposal`: not used.
    pub max_tx_bytes: u64,
    pub txs: Vec<Bytes>,
}

/// `FinalizeBlock`.
#[derive(Clone, Debug)]
pub struct Block {
    pub height: Height,
    pub time: Time,
    /// The proposer's consensus address, 20 bytes.
    pub proposer: Vec<u8>,
    pub txs: Vec<Bytes>,
}

/// The result of a transaction: checked, simulated or delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxResult {
    pub code: Code,
    pub data: Bytes,
    pub log: String,
    pub gas_wanted: i64,
    pub gas_used: i64,
    pub events: Vec<Event>,
}

impl TxResult {
    /// The result of a transaction that was refused at the door.
    pub fn refused(refusal: Refusal, gas_wanted: i64, gas_used: i64) -> TxResult {
        let Refusal { code, log } = refusal;
        TxResult { code, data: Bytes::new(), log, gas_wanted, gas_used, events: Vec::new() }
    }

    /// Whether the transaction did what it asked for.
    pub fn is_ok(&self) -> bool {
        self.code == code::OK
    }
}

/// The answer to `FinalizeBlock`.
#[derive(Clone, Debug)]
pub struct BlockOutcome {
    pub results: Vec<TxResult>,
    pub events: Vec<Event>,
    pub validator_updates: Vec<ValidatorUpdate>,
    pub consensus_params: Option<ConsensusParams>,
    pub app_hash: Hash,
}

/// A query over ABCI.
#[derive(Clone, Debug)]
pub struct QueryRequest {
    pub path: String,
    pub data: Bytes,
    /// 0: the latest.
    pub height: i64,
    pub prove: bool,
}

/// Its answer.
#[derive(Clone, Debug, Default)]
pub struct QueryAnswer {
    /// 0 on success.
    pub code: u32,
    pub codespace: String,
    pub log: String,
    pub key: Bytes,
    pub value: Bytes,
    /// Never 0 on success.
    pub height: i64,
    /// ICS 23 proof operations: (type, key, data).
    pub proof: Vec<(String, Vec<u8>, Vec<u8>)>,
}
