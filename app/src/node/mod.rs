//! The node: opens the store, starts the engine, the servers for ABCI, gRPC, REST and health, and
//! waits for a signal or a [`Fault`].
//!
//! Invariants: a fault of any part ends the process with one clear line and a code that is not 0;
//! SIGTERM and SIGINT end it cleanly within [`STOP_WITHIN`]. What was committed is durable before
//! CometBFT hears of it, so no way of ending loses anything. CometBFT itself is started and
//! watched by [`supervisor`], in another process.

pub mod api;
mod application;
pub mod cometbft;
mod download;
pub mod halt;
pub mod health;
pub mod mismatch;
pub mod notify;
mod readiness;
pub mod supervisor;

pub use readiness::{Readiness, Report};

use crate::abci::address::Address;
use crate::abci::server::Server;
use crate::ante::GasPrice;
use crate::config::{Config, Device};
use crate::engine::{self, Engine};
use crate::error::Fault;
use crate::query::Queries;
use crate::rank::device::Setup;
use crate::search::{Follower, Index};
use crate::statesync;
use crate::store::{self, Store};
use crate::telemetry;
use api::Api;
use application::{App, Heart};
use health::Health;
use notify::Manager;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver};

/// How long a clean stop may take.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Of that, for the calls that run.
const CALLS_WITHIN: Duration = Duration::from_secs(4);

/// How often the main loop turns when no service manager wants to know.
const UNWATCHED: Duration = Duration::from_secs(3_600);

/// A node that runs.
pub struct Node {
    engine: Arc<Engine>,
    server: Server,
    health: Option<Health>,
    api: Api,
    faults: UnboundedReceiver<Fault>,
}

/// Where a home keeps what the application stores.
pub fn store_folder(config: &Config) -> std::path::PathBuf {
    config.home.join("data").join("cyberd")
}

/// Where a home keeps its snapshots.
pub fn snapshot_folder(config: &Config) -> std::path::PathBuf {
    config.home.join("data").join("snapshots")
}

impl Node {
    /// Opens the store and starts everything. When it returns, CometBFT may be started.
    pub fn start(config: &Config) -> Result<Node, Fault> {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(config.threads);
        // A second node of this process (in tests) uses the pool of the first.
        let _ = threads.build_global();
        if config.health_listen.is_some() {
            // Before anything that counts.
            telemetry::install_metrics();
            telemetry::identity(cometbft::VERSION, device_name(config.rank_device), restarts());
        }
        let device = device(config);
        let gpu = device.as_ref().map(Setup::status);
        let engine = Arc::new(open(config, device)?);
        let heart = Arc::new(Heart::new());
        let app = Arc::new(application(&engine, config, heart.clone())?);
        let api = Api::start(config, app.gate.clone())?;
        let (tell, faults) = unbounded_channel();
        // Nobody listens once the node stops anyway.
        let on_fault = Box::new(move |fault| drop(tell.send(fault)));
        let server = Server::start(&config.abci_listen, app, config.query.threads, on_fault)?;
        let readiness = Arc::new(Readiness::new(config, engine.reader().clone(), heart, gpu));
        let health = config.health_listen.map(|at| Health::start(at, readiness));
        Ok(Node { engine, server, health: health.transpose()?, api, faults })
    }

    /// What CometBFT's `proxy_app` takes.
    pub fn abci_address(&self) -> &Address {
        self.server.address()
    }

    /// Where health and metrics are served.
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health.as_ref().map(Health::address)
    }

    /// The gRPC and REST servers.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Waits for SIGTERM or SIGINT, then stops cleanly. `manager` is told of both, and meanwhile
    /// that this loop goes on.
    ///
    /// # Errors
    /// The fault of a part that cannot go on. Then nothing is stopped or tidied up, for that might
    /// need the very part: the process has to end.
    pub fn wait(mut self, mut manager: Manager) -> Result<(), Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let fault = |e: std::io::Error| Fault::Setup(format!("cannot wait for signals: {e}"));
        let ended = runtime.map_err(fault)?.block_on(async {
            let mut terminate = signal(SignalKind::terminate()).map_err(fault)?;
            let mut interrupt = signal(SignalKind::interrupt()).map_err(fault)?;
            manager.ready("the application waits for CometBFT");
            let mut often = tokio::time::interval(manager.watchdog().unwrap_or(UNWATCHED));
            loop {
                tokio::select! {
                    Some(fault) = self.faults.recv() => break Err(fault),
                    _ = terminate.recv() => break Ok("SIGTERM"),
                    _ = interrupt.recv() => break Ok("SIGINT"),
                    _ = often.tick() => manager.alive(false),
                }
            }
        });
        let name = match ended {
            Ok(name) => name,
            Err(fault) => {
                std::mem::forget(self);
                return Err(fault);
            }
        };
        tracing::info!(signal = name, "stopping");
        manager.stopping();
        self.stop();
        Ok(())
    }

    /// Lets the calls that run end, then closes everything.
    pub fn stop(self) {
        let Node { engine, server, health, api, .. } = self;
        drop(api);
        if !server.stop(CALLS_WITHIN) {
            // The block being executed is executed again after the next start.
            tracing::warn!("a call is still running; it is given up");
            std::mem::forget(engine);
        }
        drop(health);
        tracing::info!("stopped");
    }
}

/// Runs a node until a signal ends it: the whole of `cyberd start`.
///
/// # Errors
/// The fault that ended it. The process has to end at once, with a code that is not 0.
pub fn run(config: &Config) -> Result<(), Fault> {
    telemetry::logs::install(config.log_format, &config.log_level).map_err(Fault::Setup)?;
    telemetry::panics::install_hook();
    let node = Node::start(config)?;
    tracing::info!(abci = %node.abci_address(), home = %config.home.display(), "node runs");
    node.wait(Manager::of_environment())
}

/// The engine with its queries and the search index behind them.
fn application(engine: &Arc<Engine>, config: &Config, heart: Arc<Heart>) -> Result<App, Fault> {
    let reader = engine.reader();
    let index = Arc::new(if config.search { Index::new() } else { Index::off() });
    let search = Follower::start(index.clone(), reader.latest());
    let of_simulator = engine.clone();
    let queries = Queries::new(reader.clone(), index, config.query)
        .simulating(Box::new(move |tx| of_simulator.simulate(tx)));
    let queries = Arc::new(queries);
    let gate = api::gate(queries.clone(), config)?;
    let engine = engine.clone();
    let (sketches, counts) = Default::default();
    let home = config.home.clone();
    let statesync = statesync(config, reader)?;
    Ok(App { engine, queries, gate, search, sketches, counts, heart, home, statesync })
}

/// How often the supervisor started us again, if there is one.
fn restarts() -> u64 {
    std::env::var(supervisor::RESTARTS).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn device_name(device: Device) -> &'static str {
    match device {
        Device::Auto => "auto",
        Device::Cpu => "cpu",
        Device::Gpu => "gpu",
    }
}

/// The snapshots for nodes that join, and the way in for this one.
fn statesync(config: &Config, reader: &store::Reader) -> Result<statesync::Service, Fault> {
    let settings = statesync::taker::Settings {
        interval: config.snapshot_interval,
        newest_version: engine::APP_VERSION,
        free_bytes_min: config.free_disk_min_bytes,
    };
    let service = statesync::Service::start(&snapshot_folder(config), settings)?;
    service.catch_up(reader.latest().height(), |height| reader.snapshot(height).ok());
    Ok(service)
}

/// The GPU worker that the settings ask for.
fn device(config: &Config) -> Option<Setup> {
    let required = match config.rank_device {
        Device::Cpu => return None,
        Device::Auto => false,
        Device::Gpu => true,
    };
    Some(Setup::new(config.rank_worker.clone(), required))
}

fn open(config: &Config, rank_device: Option<Setup>) -> Result<Engine, Fault> {
    let options = store::Options {
        history_memory_bytes: config.history_memory_bytes,
        checkpoint_heights: config.checkpoint_heights,
        free_bytes_min: config.free_disk_min_bytes,
        reserve_bytes: config.reserve_bytes,
        delta_rounds: config.delta_rounds,
        start_over: config.start_over,
        ..store::Options::default()
    };
    let folder = store_folder(config);
    let made = std::fs::create_dir_all(&folder);
    made.map_err(|e| Fault::Setup(format!("cannot make {}: {e}", folder.display())))?;
    let (snapshots, blocks) = (snapshot_folder(config), config.home.join("data/blockstore.db"));
    let spare = |passed_over: &mut Vec<String>| {
        // To a CometBFT that begins anew a state with a height would be an error.
        match blocks.is_dir() && snapshots.is_dir() {
            true => statesync::spare::newest(&snapshots, engine::APP_VERSION, passed_over),
            false => None,
        }
    };
    let store = Store::open_or_restore(&folder, options, &spare)?;
    if !store.is_empty() {
        engine::upgrade::check_known(&*store.latest())?;
    }
    let prices = config.minimum_gas_prices.iter();
    let prices = prices.map(|p| GasPrice { denom: p.denom.clone(), amount: p.amount });
    let options = engine::Options {
        minimum_gas_prices: prices.collect(),
        rank_threads: config.threads,
        rank_device,
        genesis_folder: Some(config.home.join("config")),
        retain_blocks: config.retain_blocks,
        ..engine::Options::default()
    };
    Ok(Engine::new(store, options))
}

#[cfg(test)]
mod tests;
