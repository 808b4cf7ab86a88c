//! Queries: a path and bytes in, a value out, from a committed snapshot; nothing is ever locked
//! that a block needs.
//!
//! | file | what it is |
//! |---|---|
//! | [`routes`] | path → handler, one table; shared with gRPC and REST |
//! | `modules/*/query.rs` | the handlers: `fn(&Context, Request) -> Result<Response, QueryError>` |
//! | [`own`], [`tx`] | handlers that belong to no module: rounds, roots, simulation |
//! | [`absent`] | what other Cosmos software asks of staking, which is not there yet |
//! | [`remote`] | what only CometBFT knows: transactions, blocks; for gRPC and REST |
//! | [`store`] | `/store/NAME/key` and `/store/NAME/subspace`, with proofs |
//! | [`gate`], [`grpc`], [`rest`], [`listen`] | the same handlers over gRPC and REST |
//! | [`watch`] | streams of links and rounds |
//! | [`page`], [`address`], [`error`] | pages, addresses and refusals as clients know them |
//!
//! Invariants: every answer names its height; an answer has at most `rows_max` rows and
//! `bytes_max` bytes and takes at most `time_limit`; no bytes of a client's make it panic
//! (`tests`). Deliberately absent: sockets, threads, and how many are answered at once (`abci`).

pub mod absent;
pub mod address;
pub mod error;
pub mod gate;
pub mod grpc;
pub mod listen;
pub mod own;
pub mod page;
pub mod remote;
pub mod rest;
pub mod routes;
pub mod store;
pub mod tx;
pub mod watch;

#[cfg(test)]
mod served;
#[cfg(test)]
mod tests;

pub use error::{QueryError, Status};

use crate::config::QueryLimits;
use crate::engine::{QueryAnswer, QueryRequest, TxResult};
use crate::error::{code, Refusal};
use crate::modules::params::{self, Chain};
use crate::search::{Deadline, Index};
use crate::store::merkle::proof::ProofOp;
use crate::store::{HeightError, Reader, Snapshot};
use crate::types::{Address, Height, Particle, ParticleNumber};
use prost::bytes::Bytes;
use std::sync::Arc;

/// Tries a transaction on the state that CheckTx sees, and keeps nothing.
pub type Simulator = Box<dyn Fn(Bytes) -> TxResult + Send + Sync>;

/// What answers queries. One for a node.
pub struct Queries {
    reader: Reader,
    index: Arc<Index>,
    limits: QueryLimits,
    simulator: Option<Simulator>,
}

/// What a handler sees: one committed state, and how much it may cost.
pub struct Context<'a> {
    pub snapshot: &'a Snapshot,
    /// Whether the state is the latest one.
    pub is_latest: bool,
    pub reader: &'a Reader,
    pub index: &'a Index,
    pub limits: &'a QueryLimits,
    pub deadline: Deadline,
    pub simulator: Option<&'a Simulator>,
}

/// A value with what belongs to it.
#[derive(Default)]
struct Answer {
    key: Bytes,
    value: Vec<u8>,
    proof: Vec<ProofOp>,
}

impl Queries {
    /// Queries over the states of a reader.
    pub fn new(reader: Reader, index: Arc<Index>, limits: QueryLimits) -> Queries {
        Queries { reader, index, limits, simulator: None }
    }

    /// The same, able to simulate transactions.
    pub fn simulating(self, simulator: Simulator) -> Queries {
        Queries { simulator: Some(simulator), ..self }
    }

    /// Answers a query. Never panics for what a client sent.
    pub fn answer(&self, request: QueryRequest) -> QueryAnswer {
        let latest = self.reader.latest().height();
        let (height, result) = match self.snapshot(&request) {
            Ok(snapshot) => (snapshot.height(), self.dispatch(&request, &snapshot)),
            Err(refusal) => (latest, Err(refusal)),
        };
        let height = i64::try_from(height.0).expect("heights are below 2^32");
        match result {
            Ok(Answer { key, value, proof }) => {
                QueryAnswer { key, value: value.into(), height, proof, ..QueryAnswer::default() }
            }
            Err(Refusal { code, log }) => QueryAnswer {
                code: code.number,
                codespace: code.space.to_owned(),
                log,
                height,
                ..QueryAnswer::default()
            },
        }
    }

    /// The search index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What a handler sees of a state; also for gRPC and REST.
    pub fn context<'a>(&'a self, snapshot: &'a Snapshot) -> Context<'a> {
        let limit_ms = u64::try_from(self.limits.time_limit.as_millis()).unwrap_or(u64::MAX);
        Context {
            snapshot,
            is_latest: snapshot.height() == self.reader.latest().height(),
            reader: &self.reader,
            index: &self.index,
            limits: &self.limits,
            deadline: Deadline::after_ms(limit_ms),
            simulator: self.simulator.as_ref(),
        }
    }

    /// The state of a height; 0: the latest.
    pub fn at(&self, height: i64) -> Result<Arc<Snapshot>, Refusal> {
        let refuse = |code, text: &str| Err(Refusal::new(code, text));
        let latest = self.reader.latest();
        if latest.height() == Height(0) {
            let text = "cyberd is not ready; please wait for first block: invalid height";
            return refuse(code::INVALID_HEIGHT, text);
        }
        match u64::try_from(height) {
            Ok(0) => Ok(latest),
            Ok(height) => self.reader.snapshot(Height(height)).map_err(height_refusal),
            Err(_) => {
                let text = "cannot query with height < 0; please provide a valid height: invalid \
                            request";
                refuse(code::INVALID_REQUEST, text)
            }
        }
    }

    /// The state a request is about.
    fn snapshot(&self, request: &QueryRequest) -> Result<Arc<Snapshot>, Refusal> {
        if request.path.is_empty() {
            let text = "no query path provided: unknown request";
            return Err(Refusal::new(code::UNKNOWN_REQUEST, text));
        }
        let snapshot = self.at(request.height)?;
        if request.prove && snapshot.height() <= Height(1) {
            let text = "cannot query with proof when height <= 1; please provide a valid height: \
                        invalid request";
            return Err(Refusal::new(code::INVALID_REQUEST, text));
        }
        Ok(snapshot)
    }

    fn dispatch(&self, request: &QueryRequest, snapshot: &Snapshot) -> Result<Answer, Refusal> {
        let context = self.context(snapshot);
        if let Some(route) = routes::find(&request.path) {
            let value = (route.handler)(&context, &request.data);
            let value = value.and_then(|value| context.check_size(value));
            let value = value.map_err(|error| error.refusal())?;
            return Ok(Answer { value, ..Answer::default() });
        }
        let unknown = |text: &str| Err(Refusal::new(code::UNKNOWN_REQUEST, text));
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match parts[..] {
            ["cosmos.tx.v1beta1.Service", "BroadcastTx"] => {
                let text = "can't route a broadcast tx message: invalid request";
                Err(Refusal::new(code::INVALID_REQUEST, text))
            }
            ["app", "version"] => {
                let value = env!("CARGO_PKG_VERSION").as_bytes().to_vec();
                Ok(Answer { value, ..Answer::default() })
            }
            ["app", "simulate"] => {
                let value = tx::simulate_json(&context, &request.data)?;
                Ok(Answer { value, ..Answer::default() })
            }
            ["app", ..] => unknown(
                "expected second parameter to be either 'simulate' or 'version', neither was \
                 present: unknown request",
            ),
            ["store", name, kind] => {
                let store::Found { value, proof } = store::answer(&context, name, kind, request)?;
                Ok(Answer { key: request.data.clone(), value, proof })
            }
            // Every peer is welcome.
            ["p2p", "filter", "addr" | "id", _] => Ok(Answer::default()),
            _ => unknown("unknown query path: unknown request"),
        }
    }
}

/// Heights that are not kept, the known words last.
fn height_refusal(error: HeightError) -> Refusal {
    match error {
        HeightError::Future { asked, latest } => Refusal::new(
            code::INVALID_HEIGHT,
            format!(
                "height {asked}, the latest is {latest}: cannot query with height in the future; \
                 please provide a valid height: invalid height"
            ),
        ),
        pruned @ HeightError::Pruned { .. } => pruned.refusal(),
    }
}

impl Context<'_> {
    /// The chain's own parameters.
    pub fn chain(&self) -> Chain {
        params::state::chain(self.snapshot)
    }

    /// An address as answers spell it.
    pub fn bech32(&self, address: &Address) -> String {
        address.to_bech32(&self.chain().address_prefix)
    }

    /// An address a client sent.
    pub fn address(&self, text: &str) -> Result<Address, String> {
        address::parse(text, &self.chain().address_prefix)
    }

    /// The number of a particle the chain knows, by its CIDv0.
    pub fn particle(&self, cid: &str) -> Option<ParticleNumber> {
        use crate::state::Read;
        let particle = Particle::parse(cid).ok()?;
        self.snapshot.particle_number(&particle)
    }

    /// Refuses another height than the latest: ranks are answered there alone.
    pub fn at_latest(&self) -> Result<(), QueryError> {
        if self.is_latest {
            return Ok(());
        }
        let (height, latest) = (self.snapshot.height(), self.reader.latest().height());
        Err(QueryError::invalid(format!(
            "ranks are answered at the latest height, which is {latest}, not at {height}"
        )))
    }

    /// Refuses an answer that is too long.
    fn check_size(&self, value: Vec<u8>) -> Result<Vec<u8>, QueryError> {
        let (size, limit) = (value.len(), self.limits.bytes_max);
        if size <= limit {
            return Ok(value);
        }
        let text = format!("the answer has {size} bytes, this node gives {limit}: ask for less");
        Err(QueryError::Status(Status::ResourceExhausted, text))
    }
}
