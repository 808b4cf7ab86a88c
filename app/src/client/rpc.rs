//! The connection to a node: CometBFT's RPC over HTTP.
//!
//! Invariants: every failure names the address; a failed query carries the chain's code and text;
//! a broadcast never fails silently: it is accepted, refused, or its fate is unknown. It
//! deliberately keeps no state and never retries; whoever waits does that.

use super::failure::{Exit, Failure};
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use prost::Message;
use tendermint_rpc::error::ErrorDetail;
use tendermint_rpc::{Client as _, HttpClient};

/// A node's RPC.
#[derive(Clone, Debug)]
pub struct Client {
    http: HttpClient,
    address: String,
}

/// What a node says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    pub chain_id: String,
    /// Of CometBFT.
    pub version: String,
    pub moniker: String,
    /// The last committed block; 0 before the first.
    pub height: u64,
    /// RFC 3339.
    pub time: String,
    pub app_hash: String,
    pub catching_up: bool,
}

/// What became of a transaction that was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broadcast {
    /// It waits in the mempool.
    Accepted,
    /// The node had it already, or the answer did not arrive: only the chain can tell.
    Open,
    /// Refused at the door.
    Refused { space: String, code: u32, log: String },
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    pub height: u64,
    pub space: String,
    /// 0: it did what it asked for.
    pub code: u32,
    pub log: String,
    pub gas_wanted: i64,
    pub gas_used: i64,
    pub data: Vec<u8>,
}

/// What the node says when it is asked for a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Found(Included),
    /// Not in a block, or not indexed yet.
    Absent,
    /// This node keeps no index of transactions.
    NoIndex,
}

impl Client {
    /// A client of the node at `address`: `http://host:port`, `tcp://host:port` or `host:port`.
    pub fn new(address: &str) -> Result<Client, Failure> {
        let address = address.trim().trim_end_matches('/');
        let url = match address.split_once("://") {
            Some(("tcp", rest)) => format!("http://{rest}"),
            Some(_) => address.to_owned(),
            None => format!("http://{address}"),
        };
        let http = HttpClient::new(url.as_str()).map_err(|error| {
            Failure::usage(format!("'{address}' is no address of a node: {}", error.detail()))
                .hint("an address looks like http://127.0.0.1:26657")
        })?;
        Ok(Client { http, address: url })
    }

    /// Where the node answers.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What the node says about itself.
    pub async fn status(&self) -> Result<NodeStatus, Failure> {
        let status = self.http.status().await.map_err(|error| self.failure(&error))?;
        Ok(NodeStatus {
            chain_id: status.node_info.network.to_string(),
            version: status.node_info.version.to_string(),
            moniker: status.node_info.moniker.to_string(),
            height: status.sync_info.latest_block_height.value(),
            time: status.sync_info.latest_block_time.to_rfc3339(),
            app_hash: hex::encode(status.sync_info.latest_app_hash.as_bytes()),
            catching_up: status.sync_info.catching_up,
        })
    }

    /// Asks the application. `height` 0 is the latest. Gives the answer's bytes and height.
    pub async fn query_bytes(
        &self,
        path: &str,
        data: Vec<u8>,
        height: u64,
    ) -> Result<(Vec<u8>, u64), Failure> {
        let at =
            match height {
                0 => None,
                _ => Some(height.try_into().map_err(|_| {
                    Failure::usage(format!("{height} is no height: it is above 2^63"))
                })?),
            };
        let answer = self.http.abci_query(Some(path.to_owned()), data, at, false).await;
        let answer = answer.map_err(|error| self.failure(&error))?;
        match answer.code.value() {
            0 => Ok((answer.value, answer.height.value())),
            code => Err(Failure::of_chain(Exit::Error, &answer.codespace, code, &answer.log)),
        }
    }

    /// Asks the application in its own types.
    pub async fn query<A: Message + Default>(
        &self,
        path: &str,
        request: &impl Message,
    ) -> Result<A, Failure> {
        let (bytes, _) = self.query_bytes(path, request.encode_to_vec(), 0).await?;
        A::decode(bytes.as_slice()).map_err(|error| {
            let text = format!("the node's answer to {path} cannot be read: {error}");
            Failure::new(Exit::Error, "answer", text)
        })
    }

    /// Hands a transaction to the node.
    pub async fn broadcast(&self, bytes: Vec<u8>) -> Result<Broadcast, Failure> {
        match self.http.broadcast_tx_sync(bytes).await {
            Ok(answer) if answer.code.is_ok() => Ok(Broadcast::Accepted),
            Ok(answer) => Ok(Broadcast::Refused {
                space: answer.codespace,
                code: answer.code.value(),
                log: answer.log,
            }),
            Err(error) => match error.detail() {
                ErrorDetail::Response(response) => self.not_taken(&response.source.to_string()),
                // The request may have arrived although no answer did.
                ErrorDetail::Http(_) | ErrorDetail::HttpRequestFailed(_) => Ok(Broadcast::Open),
                _ => Err(self.failure(&error)),
            },
        }
    }

    /// What CometBFT itself answers before the application is asked.
    fn not_taken(&self, text: &str) -> Result<Broadcast, Failure> {
        let refused =
            |code| Ok(Broadcast::Refused { space: "sdk".to_owned(), code, log: text.to_owned() });
        match text {
            _ if text.contains("already exists in cache") => Ok(Broadcast::Open),
            _ if text.contains("mempool is full") => refused(20),
            _ if text.contains("too large") => refused(21),
            _ => Err(Failure::new(Exit::Error, "node", format!("{}: {text}", self.address))),
        }
    }

    /// Looks a transaction up by the SHA-256 of its bytes.
    pub async fn transaction(&self, hash: [u8; 32]) -> Result<Lookup, Failure> {
        match self.http.tx(tendermint::Hash::Sha256(hash), false).await {
            Ok(found) => Ok(Lookup::Found(included(found.height.value(), found.tx_result))),
            Err(error) => match error.detail() {
                ErrorDetail::Response(response) => {
                    let text = response.source.to_string();
                    match () {
                        () if text.contains("not found") => Ok(Lookup::Absent),
                        () if text.contains("indexing is disabled") => Ok(Lookup::NoIndex),
                        () => Err(self.failure(&error)),
                    }
                }
                _ => Err(self.failure(&error)),
            },
        }
    }

    /// Looks for a transaction in one block, without the node's index.
    pub async fn transaction_in_block(
        &self,
        hash: [u8; 32],
        height: u64,
    ) -> Result<Option<Included>, Failure> {
        let at = tendermint::block::Height::try_from(height)
            .map_err(|_| Failure::usage(format!("{height} is no height")))?;
        let block = self.http.block(at).await.map_err(|error| self.failure(&error))?;
        let place = block.block.data.iter().position(|tx| crate::types::sha256(tx) == hash);
        let Some(place) = place else { return Ok(None) };
        let results = self.http.block_results(at).await.map_err(|error| self.failure(&error))?;
        let mut results = results.txs_results.unwrap_or_default();
        if place >= results.len() {
            return Ok(None);
        }
        Ok(Some(included(height, results.swap_remove(place))))
    }

    /// What went wrong on the way to the node.
    fn failure(&self, error: &tendermint_rpc::Error) -> Failure {
        let address = &self.address;
        match error.detail() {
            ErrorDetail::Response(response) => {
                Failure::new(Exit::Error, "node", format!("{address}: {}", response.source))
            }
            ErrorDetail::Http(_) => {
                let text = format!("{:#}", error.trace());
                let reason = text.rsplit("error trying to connect: ").next().unwrap_or(&text);
                self.unreachable(reason.trim_start_matches("HTTP error: "))
            }
            ErrorDetail::HttpRequestFailed(failed) => {
                self.unreachable(&format!("HTTP status {}", failed.status))
            }
            other => {
                let text = format!("what answers at {address} is no CometBFT 0.38: {other}");
                Failure::new(Exit::Unreachable, "unreachable", text).hint("check --node")
            }
        }
    }

    fn unreachable(&self, reason: &str) -> Failure {
        let text = format!("no node answers at {}: {reason}", self.address);
        Failure::new(Exit::Unreachable, "unreachable", text)
            .hint("start a chain of your own with cyberd dev, or name another node with --node URL")
            .retryable()
    }
}

fn included(height: u64, result: tendermint::abci::types::ExecTxResult) -> Included {
    Included {
        height,
        space: result.codespace,
        code: result.code.value(),
        log: result.log,
        gas_wanted: result.gas_wanted,
        gas_used: result.gas_used,
        // The type hands on the text of the JSON, which is base64.
        data: STANDARD.decode(&result.data).unwrap_or_else(|_| result.data.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_in_the_usual_spellings() {
        let address = |text: &str| Client::new(text).expect("address").address().to_owned();
        assert_eq!(address("http://127.0.0.1:26657/"), "http://127.0.0.1:26657");
        assert_eq!(address("tcp://127.0.0.1:26657"), "http://127.0.0.1:26657");
        assert_eq!(address("localhost:1"), "http://localhost:1");
        let failure = Client::new("ftp://x:1").expect_err("no RPC there");
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[tokio::test]
    async fn a_node_that_is_not_there_is_named_with_what_to_start() {
        // Bound and closed again: nothing listens there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address").to_string();
        drop(listener);
        let failure = Client::new(&address).expect("client").status().await.expect_err("nobody");
        assert_eq!((failure.exit, failure.retryable), (Exit::Unreachable, true));
        assert!(failure.message.contains(&address), "{failure}");
        assert!(failure.hint.as_deref().is_some_and(|hint| hint.contains("cyberd dev")));
    }

    #[test]
    fn what_cometbft_says_before_asking_us_has_its_place() {
        let client = Client::new("127.0.0.1:1").expect("client");
        let answer = client.not_taken("Internal error: tx already exists in cache (code: -32603)");
        assert_eq!(answer.expect("open"), Broadcast::Open);
        let full = client.not_taken("mempool is full: number of txs 5 (max: 5)").expect("refused");
        assert!(matches!(full, Broadcast::Refused { code: 20, .. }));
        assert_eq!(client.not_taken("something else").expect_err("else").exit, Exit::Error);
    }
}
