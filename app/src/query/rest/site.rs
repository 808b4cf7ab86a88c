//! What REST serves besides queries: an index at `/`, `/openapi.json`, the page that shows it, and
//! `/chain-info`. The page's files are part of the program and ask for nothing elsewhere.

use super::chain_info::ChainInfo;
use super::{openapi, Refused, Rest, Tables};
use crate::modules::params;
use crate::types::Height;
use axum::extract::State;
use axum::http::{header, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;
use tonic::Code;

/// The page may load its own files and ask its own server, nothing else.
const POLICY: &str = "default-src 'self'; img-src data:; frame-ancestors 'none'";

/// The routes of the site.
pub fn routes() -> Router<Arc<Rest>> {
    const HTML: &str = "text/html; charset=utf-8";
    Router::new()
        .route("/", get(index))
        .route("/openapi.json", get(document))
        .route("/chain-info", get(chain_info))
        .route("/api", get(|| async { file(HTML, include_str!("page/index.html")) }))
        .route("/api/page.css", get(|| async { file("text/css", include_str!("page/page.css")) }))
        .route(
            "/api/page.js",
            get(|| async { file("text/javascript", include_str!("page/page.js")) }),
        )
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

/// The page to a browser, to others what there is.
async fn index(State(rest): State<Arc<Rest>>, headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        return file("text/html; charset=utf-8", include_str!("page/index.html"));
    }
    let tables = rest.tables().await;
    let state = rest.parts.gate.latest();
    let chain_id = match state.height() {
        Height(0) => String::new(),
        _ => params::state::chain(&*state).chain_id,
    };
    let mut paths: Vec<&str> =
        tables.paths.endpoints().iter().map(|endpoint| endpoint.template.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    Json(json!({
        "name": "cyberd",
        "version": env!("CARGO_PKG_VERSION"),
        "chain_id": chain_id,
        "height": state.height().0.to_string(),
        "page": "/api",
        "openapi": "/openapi.json",
        "chain_info": "/chain-info",
        "paths": paths,
    }))
    .into_response()
}

async fn document(State(rest): State<Arc<Rest>>) -> Response {
    let tables = rest.tables().await;
    let made = rest.document.get_or_init(|| made(tables)).await.clone();
    ([(header::CONTENT_TYPE, "application/json")], made).into_response()
}

/// The document's text, made away from the threads that serve sockets.
async fn made(tables: Arc<Tables>) -> bytes::Bytes {
    let made = tokio::task::spawn_blocking(move || openapi::document(&tables).to_string()).await;
    made.expect("the tables of the project's own descriptors").into()
}

/// By the name under which the asker reached this node.
async fn chain_info(State(rest): State<Arc<Rest>>, headers: HeaderMap) -> Response {
    let state = rest.parts.gate.latest();
    if state.height() == Height(0) {
        return Refused::of(Code::Unavailable, "there is no block yet").into_response();
    }
    let chain = params::state::chain(&*state);
    let text =
        |name: HeaderName| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(header::HOST).unwrap_or("127.0.0.1:1317");
    let scheme = text(HeaderName::from_static("x-forwarded-proto")).unwrap_or("http");
    let info = ChainInfo {
        chain_id: chain.chain_id,
        prefix: chain.address_prefix,
        gas_price: rest.parts.gas_price(&chain.stake_denom),
        denom: chain.stake_denom,
        rpc: beside(&rest.parts.rpc, host),
        rest: format!("{scheme}://{host}"),
    };
    Json(info.json()).into_response()
}

/// An address of this machine as somebody elsewhere has to say it.
fn beside(rpc: &str, host: &str) -> String {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let here = ["127.0.0.1", "localhost", "0.0.0.0", "[::1]"];
    match rpc.trim_start_matches("http://").trim_end_matches('/').rsplit_once(':') {
        Some((own, port)) if here.contains(&own) => format!("http://{name}:{port}"),
        _ => rpc.to_owned(),
    }
}
