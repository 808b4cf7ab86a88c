//! Engine, queries and snapshots as what the ABCI server serves; after each commit its metrics, and
//! the search index and the snapshots told. Decides nothing.

use super::halt;
use crate::abci::Application;
use crate::engine::{
    upgrade, Block, BlockOutcome, CheckRequest, ChunkVerdict, Engine, Genesis, GenesisOutcome,
    Info, OfferVerdict, Proposal, ProposalVerdict, QueryAnswer, QueryRequest, Snapshot, TxResult,
    APP_VERSION,
};
use crate::error::Fault;
use crate::modules::{bandwidth, rank};
use crate::query::gate::Gate;
use crate::query::Queries;
use crate::search::transactions::Sketch;
use crate::search::Follower;
use crate::statesync;
use crate::store;
use crate::telemetry;
use crate::types::{sha256, Hash, Height};
use prost::bytes::Bytes;
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a node that halts for an upgrade stays for its peers.
const FAREWELL: Duration = Duration::from_secs(2);

/// The snapshots this node offers, as JSON: what `cyberd join` asks.
const SNAPSHOTS_PATH: &str = "/cyberd/snapshots";

/// When the last block came.
pub(super) struct Heart(Mutex<Instant>);

impl Heart {
    /// Beats now, at the start.
    #[allow(clippy::disallowed_methods, reason = "an operator's question; no state depends on it")]
    pub fn new() -> Heart {
        Heart(Mutex::new(Instant::now()))
    }

    #[allow(clippy::disallowed_methods, reason = "an operator's question; no state depends on it")]
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long ago the last block came, or the node started.
    pub fn age(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// What stands behind the ABCI server of a node.
pub(super) struct App {
    pub engine: Arc<Engine>,
    pub queries: Arc<Queries>,
    /// Before the gRPC and REST servers, which hear of commits through it.
    pub gate: Arc<Gate>,
    pub search: Follower,
    /// What the transactions of the block did that is not committed yet.
    pub sketches: Mutex<Vec<Sketch>>,
    /// Of the same block: how many there are, and how many did not do what they asked for.
    pub counts: Mutex<(usize, usize)>,
    pub heart: Arc<Heart>,
    pub home: PathBuf,
    pub statesync: statesync::Service,
}

/// What an operator watches, after a commit.
fn record(state: &store::Snapshot) {
    let (particles, links) = crate::state::Read::graph_size(state);
    telemetry::committed(state.height(), particles.0, links.0);
    let offered = bandwidth::state::params(state).network_bandwidth.max(1);
    let load = u128::from(bandwidth::state::ring_total(state)) * 1_000_000 / u128::from(offered);
    let price = bandwidth::state::price(state).atomics() / 1_000_000_000_000;
    let narrow = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
    telemetry::bandwidth(narrow(load), narrow(price));
    if let Some(published) = rank::state::published(state) {
        telemetry::round_published(published.round);
    }
}

impl Application for App {
    /// From what readers see, so that it never waits for a block.
    fn info(&self) -> Info {
        let latest = self.engine.reader().latest();
        let is_empty = latest.height() == Height(0);
        Info {
            version: env!("CARGO_PKG_VERSION"),
            app_version: if is_empty { APP_VERSION } else { upgrade::version_of(&*latest) },
            height: latest.height(),
            app_hash: if is_empty { Vec::new() } else { latest.app_hash().to_vec() },
        }
    }

    fn init_chain(&self, genesis: Genesis) -> Result<GenesisOutcome, Fault> {
        self.engine.init_chain(&genesis)
    }

    fn check_txs(&self, requests: &[CheckRequest], results: &mut Vec<TxResult>) {
        self.engine.check_txs(requests, results);
    }

    fn prepare_proposal(&self, proposal: Proposal) -> Result<Vec<Bytes>, Fault> {
        self.engine.prepare_proposal(&proposal)
    }

    fn process_proposal(&self, proposal: Proposal) -> Result<ProposalVerdict, Fault> {
        self.engine.process_proposal(&proposal)
    }

    fn finalize_block(&self, block: Block) -> Result<BlockOutcome, Fault> {
        let outcome = self.engine.finalize_block(&block).inspect_err(|fault| {
            // Before anybody hears of the halt: tools act on the file when the process ends.
            if matches!(fault, Fault::Upgrade(_)) {
                halt::write(&self.home, &self.engine);
                // While this call waits, CometBFT passes the votes for the block on. A peer without
                // them would stand one height below and never come to halt.
                #[allow(clippy::disallowed_methods, reason = "this block is not executed")]
                std::thread::sleep(FAREWELL);
            }
        })?;
        let pairs = block.txs.par_iter().zip(&outcome.results);
        let sketches = pairs.map(|(tx, result)| Sketch::of(sha256(tx), &result.events)).collect();
        *self.sketches.lock().unwrap_or_else(PoisonError::into_inner) = sketches;
        let failed = outcome.results.iter().filter(|result| !result.is_ok()).count();
        let counts = (outcome.results.len(), failed);
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = counts;
        Ok(outcome)
    }

    fn commit(&self) -> Result<Height, Fault> {
        let retain = self.engine.commit()?;
        self.heart.beat();
        let latest = self.engine.reader().latest();
        record(&latest);
        let (txs, failed) = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        telemetry::block_committed(latest.height(), &latest.app_hash(), txs, failed);
        let sketches = self.sketches.lock().map(|mut it| std::mem::take(&mut *it));
        self.search.transacted(&latest, sketches.unwrap_or_default());
        self.gate.committed(latest.height());
        self.statesync.committed(&latest);
        self.search.committed(latest);
        Ok(self.statesync.retained(retain))
    }

    fn query(&self, request: QueryRequest) -> QueryAnswer {
        if request.path == SNAPSHOTS_PATH {
            let heights = self.list_snapshots().into_iter();
            let list = heights.map(|it| serde_json::json!({ "height": it.height.0 }));
            let value = serde_json::Value::from_iter(list).to_string().into();
            let height = i64::try_from(self.engine.reader().latest().height().0).unwrap_or(1);
            return QueryAnswer { value, height, ..QueryAnswer::default() };
        }
        self.queries.answer(request)
    }

    fn list_snapshots(&self) -> Vec<Snapshot> {
        self.statesync.list(self.engine.reader().latest().height())
    }

    fn offer_snapshot(&self, offer: Snapshot, app_hash: Hash) -> Result<OfferVerdict, Fault> {
        self.statesync.offer(&offer, &app_hash)
    }

    fn load_snapshot_chunk(&self, height: Height, format: u32, chunk: u32) -> Option<Bytes> {
        self.statesync.chunk(height, format, chunk)
    }

    fn apply_snapshot_chunk(
        &self,
        index: u32,
        chunk: Bytes,
        sender: &str,
    ) -> Result<ChunkVerdict, Fault> {
        self.statesync.apply(index, &chunk, sender, |state| {
            let height = state.height();
            self.engine.install(state)?;
            self.heart.beat();
            let latest = self.engine.reader().latest();
            record(&latest);
            self.gate.committed(height);
            self.search.committed(latest);
            tracing::info!(height = height.0, "state sync: restored, all roots verified");
            Ok(())
        })
    }
}
