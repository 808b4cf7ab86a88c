//! Services that need blocks and transactions, which CometBFT keeps: `cosmos.tx.v1beta1.Service`,
//! `cosmos.base.tendermint.v1beta1.Service`, `cosmos.base.node.v1beta1.Service`; and the times of
//! the links in answers of `cyberd.v1.Query/LinksOf`. For gRPC and REST alone: over ABCI these
//! paths are unknown, as on every chain of the SDK, and the links have no times.
//!
//! | file | what it is |
//! |---|---|
//! | [`cometbft`] | the calls to CometBFT's RPC, their limits and what their failures mean |
//! | `transactions` | look up, search, broadcast, blocks with their transactions |
//! | `node` | blocks, validators, what the node says of itself |
//! | `conditions`, `history` | searches that our own lists answer, and the lists of the past |
//! | `response` | a result as `TxResponse` |
//!
//! Invariants: a call takes at most [`cometbft::TIME_LIMIT`]; searches, which make CometBFT load
//! all that match, are [`cometbft::SEARCHES`] at once; every failure is a status with a text.
//! Deliberately absent: any state of its own but the times of some blocks.

pub mod cometbft;
mod conditions;
mod history;
mod node;
pub(super) mod response;
mod transactions;

#[cfg(test)]
mod tests;

use super::{Queries, QueryError};
use crate::config::GasPrice;
use cometbft::Cometbft;
use prost::Message;
use std::future::Future;
use std::sync::Arc;

/// What answers by asking CometBFT. One for a node, shared by gRPC and REST.
pub struct Remote {
    cometbft: Cometbft,
    queries: Arc<Queries>,
    minimum_gas_prices: Vec<GasPrice>,
}

impl Remote {
    /// A caller of CometBFT's RPC at `http://HOST:PORT`.
    ///
    /// # Errors
    /// Why the address is none.
    pub fn new(
        cometbft_rpc: &str,
        queries: Arc<Queries>,
        minimum_gas_prices: Vec<GasPrice>,
    ) -> Result<Remote, String> {
        Ok(Remote { cometbft: Cometbft::new(cometbft_rpc)?, queries, minimum_gas_prices })
    }

    /// Answers a path of these services, `/package.Service/Method`; none: the path is none of
    /// them. `height`, from the caller's metadata, changes nothing here: what is asked for names
    /// its own height.
    pub async fn call(
        &self,
        path: &str,
        request: &[u8],
        _height: i64,
    ) -> Option<Result<Vec<u8>, QueryError>> {
        let (service, method) = path.strip_prefix('/')?.rsplit_once('/')?;
        match service {
            "cosmos.tx.v1beta1.Service" => self.transactions(method, request).await,
            "cosmos.base.tendermint.v1beta1.Service" => self.chain(method, request).await,
            "cosmos.base.node.v1beta1.Service" => self.node(method, request).await,
            _ => None,
        }
    }

    async fn transactions(
        &self,
        method: &str,
        request: &[u8],
    ) -> Option<Result<Vec<u8>, QueryError>> {
        Some(match method {
            "GetTx" => serve(request, |request| self.get_tx(request)).await,
            "BroadcastTx" => serve(request, |request| self.broadcast_tx(request)).await,
            "GetTxsEvent" => serve(request, |request| self.get_txs_event(request)).await,
            "GetBlockWithTxs" => serve(request, |request| self.get_block_with_txs(request)).await,
            _ => return None,
        })
    }

    async fn chain(&self, method: &str, request: &[u8]) -> Option<Result<Vec<u8>, QueryError>> {
        Some(match method {
            "GetNodeInfo" => serve(request, |request| self.node_info(request)).await,
            "GetSyncing" => serve(request, |request| self.syncing(request)).await,
            "GetLatestBlock" => serve(request, |request| self.latest_block(request)).await,
            "GetBlockByHeight" => serve(request, |request| self.block_by_height(request)).await,
            "GetLatestValidatorSet" => serve(request, |it| self.latest_validators(it)).await,
            "GetValidatorSetByHeight" => serve(request, |it| self.validators_at(it)).await,
            "ABCIQuery" => serve(request, |request| self.abci_query(request)).await,
            _ => return None,
        })
    }

    async fn node(&self, method: &str, request: &[u8]) -> Option<Result<Vec<u8>, QueryError>> {
        match method {
            "Config" => Some(serve(request, |request| self.config(request)).await),
            _ => None,
        }
    }
}

/// Reads the request, asks, writes the response.
async fn serve<Request, Response, Answer>(
    bytes: &[u8],
    handler: impl FnOnce(Request) -> Answer,
) -> Result<Vec<u8>, QueryError>
where
    Request: Message + Default,
    Response: Message,
    Answer: Future<Output = Result<Response, QueryError>>,
{
    let request = Request::decode(bytes)
        .map_err(|error| QueryError::invalid(format!("the request does not decode: {error}")))?;
    handler(request).await.map(|response| response.encode_to_vec())
}
