//! [`tendermint_abci::Application`] over our own trait, and the dispatch of a request to it.
//! Decides nothing; every method is written out, none left to the trait's defaults
//! (`tests::no_method_is_left_to_a_default`).

use super::convert::wire;
use super::method::Method;
use super::{consensus, info, mempool, snapshot, Application};
use crate::error::Fault;
use std::sync::Arc;
use wire::request::Value as Request;
use wire::response::Value as Response;

/// The application as the crate's trait wants it: cloned freely, everything shared.
#[derive(Clone)]
pub struct Adapter(pub Arc<dyn Application>);

/// The trait has no room for a failure, and there must be no answer: unwinds with the fault as
/// its payload, past the panic hook, to the server, which stops the node.
fn or_stop<T>(answer: Result<T, Fault>) -> T {
    answer.unwrap_or_else(|fault| std::panic::resume_unwind(Box::new(fault)))
}

impl tendermint_abci::Application for Adapter {
    fn echo(&self, request: wire::RequestEcho) -> wire::ResponseEcho {
        info::echo(request)
    }

    fn info(&self, request: wire::RequestInfo) -> wire::ResponseInfo {
        info::info(&*self.0, request)
    }

    fn init_chain(&self, request: wire::RequestInitChain) -> wire::ResponseInitChain {
        or_stop(consensus::init_chain(&*self.0, request))
    }

    fn query(&self, request: wire::RequestQuery) -> wire::ResponseQuery {
        info::query(&*self.0, request)
    }

    fn check_tx(&self, request: wire::RequestCheckTx) -> wire::ResponseCheckTx {
        let answer = mempool::check_txs(&*self.0, vec![request]).pop();
        answer.expect("one answer for each request")
    }

    fn flush(&self) -> wire::ResponseFlush {
        wire::ResponseFlush {}
    }

    fn commit(&self) -> wire::ResponseCommit {
        or_stop(consensus::commit(&*self.0))
    }

    fn list_snapshots(&self) -> wire::ResponseListSnapshots {
        snapshot::list_snapshots(&*self.0)
    }

    fn offer_snapshot(&self, request: wire::RequestOfferSnapshot) -> wire::ResponseOfferSnapshot {
        or_stop(snapshot::offer_snapshot(&*self.0, request))
    }

    fn load_snapshot_chunk(
        &self,
        request: wire::RequestLoadSnapshotChunk,
    ) -> wire::ResponseLoadSnapshotChunk {
        snapshot::load_snapshot_chunk(&*self.0, request)
    }

    fn apply_snapshot_chunk(
        &self,
        request: wire::RequestApplySnapshotChunk,
    ) -> wire::ResponseApplySnapshotChunk {
        or_stop(snapshot::apply_snapshot_chunk(&*self.0, request))
    }

    fn prepare_proposal(
        &self,
        request: wire::RequestPrepareProposal,
    ) -> wire::ResponsePrepareProposal {
        or_stop(consensus::prepare_proposal(&*self.0, request))
    }

    fn process_proposal(
        &self,
        request: wire::RequestProcessProposal,
    ) -> wire::ResponseProcessProposal {
        or_stop(consensus::process_proposal(&*self.0, request))
    }

    fn extend_vote(&self, request: wire::RequestExtendVote) -> wire::ResponseExtendVote {
        consensus::extend_vote(request)
    }

    fn verify_vote_extension(
        &self,
        request: wire::RequestVerifyVoteExtension,
    ) -> wire::ResponseVerifyVoteExtension {
        consensus::verify_vote_extension(request)
    }

    fn finalize_block(&self, request: wire::RequestFinalizeBlock) -> wire::ResponseFinalizeBlock {
        or_stop(consensus::finalize_block(&*self.0, request))
    }
}

/// The method a request is of.
pub fn method(request: &Request) -> Method {
    match request {
        Request::Echo(_) => Method::Echo,
        Request::Flush(_) => Method::Flush,
        Request::Info(_) => Method::Info,
        Request::InitChain(_) => Method::InitChain,
        Request::Query(_) => Method::Query,
        Request::CheckTx(_) => Method::CheckTx,
        Request::Commit(_) => Method::Commit,
        Request::ListSnapshots(_) => Method::ListSnapshots,
        Request::OfferSnapshot(_) => Method::OfferSnapshot,
        Request::LoadSnapshotChunk(_) => Method::LoadSnapshotChunk,
        Request::ApplySnapshotChunk(_) => Method::ApplySnapshotChunk,
        Request::PrepareProposal(_) => Method::PrepareProposal,
        Request::ProcessProposal(_) => Method::ProcessProposal,
        Request::ExtendVote(_) => Method::ExtendVote,
        Request::VerifyVoteExtension(_) => Method::VerifyVoteExtension,
        Request::FinalizeBlock(_) => Method::FinalizeBlock,
    }
}

/// Calls the method a request is of.
pub fn dispatch(application: &impl tendermint_abci::Application, request: Request) -> Response {
    match request {
        Request::Echo(r) => Response::Echo(application.echo(r)),
        Request::Flush(_) => Response::Flush(application.flush()),
        Request::Info(r) => Response::Info(application.info(r)),
        Request::InitChain(r) => Response::InitChain(application.init_chain(r)),
        Request::Query(r) => Response::Query(application.query(r)),
        Request::CheckTx(r) => Response::CheckTx(application.check_tx(r)),
        Request::Commit(_) => Response::Commit(application.commit()),
        Request::ListSnapshots(_) => Response::ListSnapshots(application.list_snapshots()),
        Request::OfferSnapshot(r) => Response::OfferSnapshot(application.offer_snapshot(r)),
        Request::LoadSnapshotChunk(r) => {
            Response::LoadSnapshotChunk(application.load_snapshot_chunk(r))
        }
        Request::ApplySnapshotChunk(r) => {
            Response::ApplySnapshotChunk(application.apply_snapshot_chunk(r))
        }
        Request::PrepareProposal(r) => Response::PrepareProposal(application.prepare_proposal(r)),
        Request::ProcessProposal(r) => Response::ProcessProposal(application.process_proposal(r)),
        Request::ExtendVote(r) => Response::ExtendVote(application.extend_vote(r)),
        Request::VerifyVoteExtension(r) => {
            Response::VerifyVoteExtension(application.verify_vote_extension(r))
        }
        Request::FinalizeBlock(r) => Response::FinalizeBlock(application.finalize_block(r)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_method_is_left_to_a_default() {
        let source = include_str!("adapter.rs");
        let (_, rest) = source.split_once("Application for Adapter {").expect("the impl is here");
        let (body, _) = rest.split_once("\n}\n").expect("the impl ends");
        let written = body.matches("\n    fn ").count();
        assert_eq!(written, Method::ALL.len());
        for method in Method::ALL {
            assert!(
                body.contains(&format!("fn {}(&self", method.name())) || {
                    body.contains(&format!("fn {}(\n", method.name()))
                }
            );
        }
    }
}
