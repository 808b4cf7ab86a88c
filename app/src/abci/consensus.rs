//! The consensus connection: genesis, proposals, blocks, commits. Converts and hands over.

use super::convert::{self, wire};
use super::Application;
use crate::engine::ProposalVerdict;
use crate::error::Fault;
use crate::telemetry;
use wire::response_process_proposal::ProposalStatus;
use wire::response_verify_vote_extension::VerifyStatus;

pub fn init_chain(
    application: &dyn Application,
    request: wire::RequestInitChain,
) -> Result<wire::ResponseInitChain, Fault> {
    let genesis = convert::genesis(request)?;
    tracing::info!(chain_id = genesis.chain_id, bytes = genesis.app_state.len(), "genesis");
    application.init_chain(genesis).map(convert::genesis_outcome)
}

pub fn prepare_proposal(
    application: &dyn Application,
    request: wire::RequestPrepareProposal,
) -> Result<wire::ResponsePrepareProposal, Fault> {
    let proposal = convert::own_proposal(request)?;
    let txs = application.prepare_proposal(proposal)?;
    Ok(wire::ResponsePrepareProposal { txs })
}

pub fn process_proposal(
    application: &dyn Application,
    request: wire::RequestProcessProposal,
) -> Result<wire::ResponseProcessProposal, Fault> {
    let proposal = convert::others_proposal(request)?;
    let height = proposal.height;
    let status = match application.process_proposal(proposal)? {
        ProposalVerdict::Accept => ProposalStatus::Accept,
        ProposalVerdict::Reject(reason) => {
            tracing::warn!(height = height.0, reason, "proposal rejected");
            ProposalStatus::Reject
        }
    };
    Ok(wire::ResponseProcessProposal { status: status.into() })
}

/// Executes a block. As many results as transactions, or CometBFT would halt: a fault of ours.
pub fn finalize_block(
    application: &dyn Application,
    request: wire::RequestFinalizeBlock,
) -> Result<wire::ResponseFinalizeBlock, Fault> {
    let block = convert::block(request)?;
    let (height, txs) = (block.height, block.txs.len());
    let outcome = application.finalize_block(block)?;
    let results = outcome.results.len();
    assert_eq!(results, txs, "a result for each transaction of block {height}");
    telemetry::block_finalized(height, outcome.results.iter().map(|result| result.code));
    Ok(convert::block_outcome(outcome))
}

pub fn commit(application: &dyn Application) -> Result<wire::ResponseCommit, Fault> {
    application.commit().map(convert::committed)
}

/// Vote extensions are off: the genesis says so and nothing turns them on. Asked nevertheless,
/// an empty extension is the only right one.
pub fn extend_vote(request: wire::RequestExtendVote) -> wire::ResponseExtendVote {
    tracing::error!(height = request.height, "vote extension asked for although they are off");
    wire::ResponseExtendVote::default()
}

/// Nothing but an empty extension is right.
pub fn verify_vote_extension(
    request: wire::RequestVerifyVoteExtension,
) -> wire::ResponseVerifyVoteExtension {
    let bytes = request.vote_extension.len();
    tracing::error!(height = request.height, bytes, "vote extension came although they are off");
    let status = match bytes {
        0 => VerifyStatus::Accept,
        _ => VerifyStatus::Reject,
    };
    wire::ResponseVerifyVoteExtension { status: status.into() }
}
