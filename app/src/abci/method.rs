//! The methods of ABCI 0.38, the connection each belongs to, and how long its request may be.
//! Known by the first bytes of a frame, before anything is allocated or decoded for it.

/// Which of CometBFT's four connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Consensus,
    Mempool,
    Query,
    Snapshot,
}

impl Kind {
    /// The word in logs.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Consensus => "consensus",
            Kind::Mempool => "mempool",
            Kind::Query => "query",
            Kind::Snapshot => "snapshot",
        }
    }
}

/// A method, numbered as its field in the request's oneof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Method {
    Echo = 1,
    Flush = 2,
    Info = 3,
    InitChain = 5,
    Query = 6,
    CheckTx = 8,
    Commit = 11,
    ListSnapshots = 12,
    OfferSnapshot = 13,
    LoadSnapshotChunk = 14,
    ApplySnapshotChunk = 15,
    PrepareProposal = 16,
    ProcessProposal = 17,
    ExtendVote = 18,
    VerifyVoteExtension = 19,
    FinalizeBlock = 20,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The longest frame whose bytes are read away so that the connection stays in step, although
/// the request in it is refused.
pub const SKIP_MAX: u64 = 128 * MIB;

impl Method {
    /// Every method there is.
    pub const ALL: [Method; 16] = [
        Method::Echo,
        Method::Flush,
        Method::Info,
        Method::InitChain,
        Method::Query,
        Method::CheckTx,
        Method::Commit,
        Method::ListSnapshots,
        Method::OfferSnapshot,
        Method::LoadSnapshotChunk,
        Method::ApplySnapshotChunk,
        Method::PrepareProposal,
        Method::ProcessProposal,
        Method::ExtendVote,
        Method::VerifyVoteExtension,
        Method::FinalizeBlock,
    ];

    /// The method with this field number.
    pub fn from_field(field: u64) -> Option<Method> {
        Method::ALL.into_iter().find(|method| *method as u64 == field)
    }

    /// The label in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Method::Echo => "echo",
            Method::Flush => "flush",
            Method::Info => "info",
            Method::InitChain => "init_chain",
            Method::Query => "query",
            Method::CheckTx => "check_tx",
            Method::Commit => "commit",
            Method::ListSnapshots => "list_snapshots",
            Method::OfferSnapshot => "offer_snapshot",
            Method::LoadSnapshotChunk => "load_snapshot_chunk",
            Method::ApplySnapshotChunk => "apply_snapshot_chunk",
            Method::PrepareProposal => "prepare_proposal",
            Method::ProcessProposal => "process_proposal",
            Method::ExtendVote => "extend_vote",
            Method::VerifyVoteExtension => "verify_vote_extension",
            Method::FinalizeBlock => "finalize_block",
        }
    }

    /// The connection it tells; Echo and Flush come on all of them.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Method::Echo | Method::Flush => None,
            Method::Info | Method::Query => Some(Kind::Query),
            Method::CheckTx => Some(Kind::Mempool),
            Method::ListSnapshots
            | Method::OfferSnapshot
            | Method::LoadSnapshotChunk
            | Method::ApplySnapshotChunk => Some(Kind::Snapshot),
            Method::InitChain
            | Method::Commit
            | Method::PrepareProposal
            | Method::ProcessProposal
            | Method::ExtendVote
            | Method::VerifyVoteExtension
            | Method::FinalizeBlock => Some(Kind::Consensus),
        }
    }

    /// The longest request, in bytes. Blocks: CometBFT's own limit of 100 MiB and what stands
    /// around them. A genesis may be large, a part of a snapshot has at most 16 MiB.
    pub fn cap(self) -> u64 {
        match self {
            Method::InitChain => 1024 * MIB,
            Method::PrepareProposal
            | Method::ProcessProposal
            | Method::ExtendVote
            | Method::FinalizeBlock => 128 * MIB,
            Method::OfferSnapshot | Method::ApplySnapshotChunk => 17 * MIB,
            Method::Query | Method::CheckTx => MIB,
            Method::Echo
            | Method::Flush
            | Method::Info
            | Method::Commit
            | Method::ListSnapshots
            | Method::LoadSnapshotChunk
            | Method::VerifyVoteExtension => 64 * KIB,
        }
    }

    /// Whether users cause it, so that too long a request is refused and not a broken partner.
    pub fn is_a_users(self) -> bool {
        matches!(self, Method::Query | Method::CheckTx)
    }
}

/// The longest frame of no known method.
pub const UNKNOWN_CAP: u64 = 64 * KIB;
