//! The gRPC and REST servers: their sockets, and the threads both run on.
//!
//! Invariants: their threads, those that answer queries included, give way to all other threads of
//! the machine ([`crate::niceness`]), so that no flood of queries slows a block; both are bound
//! before the start of the node goes on. Deliberately absent: what they answer (`query`).

use crate::config::{ApiSettings, Config};
use crate::error::Fault;
use crate::niceness::give_way;
use crate::query::gate::{Gate, GateLimits};
use crate::query::remote::Remote;
use crate::query::{grpc, listen, rest, Queries};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::Router;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// Threads that read and write sockets.
const SOCKET_THREADS: usize = 2;
/// Threads for work besides queries.
const SPARE_THREADS: usize = 4;
/// How long a browser remembers what pages may do.
const CORS_AGE: Duration = Duration::from_secs(600);
/// What pages of other origins may see of an answer.
const EXPOSED: [&str; 5] = [
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "x-cosmos-block-height",
    "grpc-metadata-x-cosmos-block-height",
];

/// Both servers; they end when it is dropped.
pub struct Api {
    grpc: Option<SocketAddr>,
    rest: Option<SocketAddr>,
    runtime: Option<Runtime>,
}

/// The gate of a node's servers.
///
/// # Errors
/// When the address of CometBFT's RPC is none.
pub fn gate(queries: Arc<Queries>, config: &Config) -> Result<Arc<Gate>, Fault> {
    let prices = config.minimum_gas_prices.clone();
    let remote = Remote::new(&config.cometbft_rpc, queries.clone(), prices)
        .map_err(|error| Fault::Setup(format!("cometbft.rpc: {error}")))?;
    let limits = GateLimits {
        places: config.query.threads,
        waiting_max: config.api.waiting_max,
        time_limit: config.query.time_limit,
        watchers_max: config.api.watchers_max,
    };
    Ok(Arc::new(Gate::new(queries, limits).asking(remote)))
}

impl Api {
    /// Binds and serves what is switched on.
    ///
    /// # Errors
    /// When an address is taken.
    pub fn start(config: &Config, gate: Arc<Gate>) -> Result<Api, Fault> {
        let api = &config.api;
        let grpc = bind("api.grpc_listen", api.grpc_listen)?;
        let rest = bind("api.rest_listen", api.rest_listen)?;
        let address = |bound: &Option<(TcpListener, SocketAddr)>| bound.as_ref().map(|it| it.1);
        let (grpc_at, rest_at) = (address(&grpc), address(&rest));
        if grpc.is_none() && rest.is_none() {
            return Ok(Api { grpc: None, rest: None, runtime: None });
        }
        let runtime = runtime(config.query.threads)?;
        let filling = gate.clone();
        runtime.spawn(async move { filling.fill().await });
        let cors = cors(api);
        let body_bytes_max = api.body_bytes_max;
        if let Some((listener, address)) = grpc {
            let parts = grpc::Parts { gate: gate.clone(), body_bytes_max };
            let cors = cors.clone();
            let make = move || Ok(grpc::router(parts)?.layer(cors));
            serve(&runtime, listener, api.connections_max, make);
            tracing::info!(%address, "gRPC and gRPC-web are served");
        }
        if let Some((listener, address)) = rest {
            let parts = rest::Parts {
                gate,
                body_bytes_max,
                rpc: config.cometbft_rpc.clone(),
                minimum_gas_prices: config.minimum_gas_prices.clone(),
            };
            let files = super::download::routes(config.home.join("config"));
            let router = rest::router(parts).merge(files).layer(cors);
            serve(&runtime, listener, api.connections_max, move || Ok(router));
            tracing::info!(%address, "REST is served");
        }
        Ok(Api { grpc: grpc_at, rest: rest_at, runtime: Some(runtime) })
    }

    /// Where gRPC is served.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc
    }

    /// Where REST is served.
    pub fn rest_address(&self) -> Option<SocketAddr> {
        self.rest
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A query that still runs must not hold the node's end up.
            runtime.shutdown_background();
        }
    }
}

fn bind(key: &str, at: Option<SocketAddr>) -> Result<Option<(TcpListener, SocketAddr)>, Fault> {
    let Some(at) = at else { return Ok(None) };
    let fault = |error: io::Error| Fault::Setup(format!("{key} = {at}: {error}"));
    let listener = TcpListener::bind(at).map_err(fault)?;
    listener.set_nonblocking(true).map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    Ok(Some((listener, address)))
}

fn runtime(places: usize) -> Result<Runtime, Fault> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(SOCKET_THREADS)
        .max_blocking_threads(places + SPARE_THREADS)
        .thread_name("api")
        .on_thread_start(|| give_way("api"))
        .enable_all()
        .build();
    runtime.map_err(|error| Fault::Setup(format!("the API's threads: {error}")))
}

/// Serves a router, which is made on a thread of the servers: the start does not wait for it.
fn serve(
    runtime: &Runtime,
    listener: TcpListener,
    connections_max: usize,
    make: impl FnOnce() -> Result<Router, Fault> + Send + 'static,
) {
    runtime.spawn(async move {
        let made = make();
        let bound = tokio::net::TcpListener::from_std(listener);
        let bound = bound.map_err(|error| Fault::Setup(error.to_string()));
        match made.and_then(|router| Ok((router, bound?))) {
            Ok((router, listener)) => {
                listen::serve(listener, router, listen::Limits::new(connections_max)).await
            }
            Err(error) => tracing::error!(%error, "a server of the API does not run"),
        }
    });
}

/// What pages of other origins may do.
fn cors(api: &ApiSettings) -> CorsLayer {
    let origins = match api.cors_origins.iter().any(|origin| origin == "*") {
        true => AllowOrigin::any(),
        false => AllowOrigin::list(
            api.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()),
        ),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED.map(HeaderName::from_static))
        .max_age(CORS_AGE)
}
