//! `/health`, `/ready` and `/metrics` over HTTP, on a thread of their own.
//!
//! `/health` answers as long as the process lives. `/ready` answers 503 and the reasons while the
//! node does not do its work. Neither takes a lock that blocks need.

use super::readiness::{Readiness, Report};
use crate::error::Fault;
use crate::telemetry;
use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use std::future::IntoFuture;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the recorder tidies up.
const UPKEEP: Duration = Duration::from_secs(5);

/// A server that runs until it is dropped.
pub struct Health {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Parts {
    readiness: Arc<Readiness>,
    metrics: &'static PrometheusHandle,
}

impl Health {
    /// Listens and serves.
    pub fn start(at: SocketAddr, readiness: Arc<Readiness>) -> Result<Health, Fault> {
        let fault = |e: io::Error| Fault::Setup(format!("health.listen = {at}: {e}"));
        let listener = TcpListener::bind(at).map_err(fault)?;
        listener.set_nonblocking(true).map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(fault)?;
        let (stop, stopped) = oneshot::channel();
        let metrics = telemetry::install_metrics();
        let parts = Parts { readiness, metrics };
        let work = move || {
            runtime.block_on(serve(listener, parts, stopped));
            // A question to CometBFT that still waits must not hold the node's end up.
            runtime.shutdown_background();
        };
        let thread = telemetry::panics::spawn("health", work).map_err(fault)?;
        tracing::info!(%address, "health and metrics are served");
        Ok(Health { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a panicking thread ends the process");
        }
    }
}

async fn serve(listener: TcpListener, parts: Parts, stopped: oneshot::Receiver<()>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "health and metrics are not served"),
    };
    let metrics = parts.metrics;
    let server = axum::serve(listener, router(parts));
    let mut often = tokio::time::interval(UPKEEP);
    let upkeep = async {
        loop {
            often.tick().await;
            metrics.run_upkeep();
        }
    };
    // Not graceful: an open connection of a scraper must not hold the node's end up.
    tokio::select! {
        ended = server.into_future() => if let Err(error) = ended {
            tracing::error!(%error, "health and metrics are no longer served");
        },
        () = upkeep => (),
        _ = stopped => (),
    }
}

fn router(parts: Parts) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(parts)
}

async fn health(State(parts): State<Parts>) -> Response {
    let height = parts.readiness.height().0;
    let version = env!("CARGO_PKG_VERSION");
    Json(serde_json::json!({ "status": "ok", "version": version, "height": height }))
        .into_response()
}

async fn ready(State(parts): State<Parts>) -> Response {
    let looked = tokio::task::spawn_blocking(move || parts.readiness.report()).await;
    let report: Report = match looked {
        Ok(report) => report,
        Err(error) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    };
    let status = match report.ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(report)).into_response()
}

async fn metrics(State(parts): State<Parts>) -> Response {
    // It asks CometBFT as `/ready` does. Should it fail, the rest is shown all the same.
    let _ = tokio::task::spawn_blocking(move || parts.readiness.sample()).await;
    telemetry::sample();
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, telemetry::install_metrics().render()).into_response()
}
