//! The faucet over HTTP.
//!
//! | request | answer |
//! |---|---|
//! | `POST /credit` `{"address", "denom"}` | 200 `{"status", "tx_hash", "height", "amount"}` |
//! | `GET /status` | 200 `{"status": "ok" or "waiting", "chainId", "holder", …}` |
//!
//! Errors are `{"error": {"code", "message"}}`: 400 what is asked is wrong, 405 another method, 413
//! more than [`BODY_BYTES`], 422 a denomination that is not given, 429 too often (with
//! `Retry-After`), 503 the chain is not there, the faucet is empty or too many wait, 502 the chain
//! refused. Pages of any origin may ask.

use super::giver::{Request, State};
use super::limits::{Limits, Refused};
use crate::client::Failure;
use crate::types::{Address, Coin};
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State as Shared};
use axum::http::{header, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tower_http::cors::CorsLayer;

/// The longest request.
const BODY_BYTES: usize = 4_096;

/// What requests share.
pub struct Faucet {
    pub holder: String,
    pub prefix: String,
    pub coins: Vec<Coin>,
    pub limits: Mutex<Limits>,
    pub requests: mpsc::Sender<Request>,
    pub state: Arc<Mutex<State>>,
    pub behind_proxy: bool,
}

/// What is asked for.
#[derive(Deserialize)]
struct Credit {
    address: String,
    /// The first that is given, if absent.
    denom: Option<String>,
}

/// An error on its way out.
struct Error {
    status: StatusCode,
    code: String,
    message: String,
    /// Seconds.
    retry_after: Option<u64>,
}

impl Error {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Error {
        let (code, message) = (code.to_owned(), message.into());
        Error { status, code, message, retry_after: None }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        let mut answer = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        answer
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        let retry_after = Some(refused.wait.as_secs() + 1);
        let error = Error::new(StatusCode::TOO_MANY_REQUESTS, "too-often", refused.reason);
        Error { retry_after, ..error }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        let status = match failure.code.as_str() {
            super::giver::EMPTY => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        };
        let hint = failure.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        Error::new(status, &failure.code, format!("{}{hint}", failure.message))
    }
}

/// The routes.
pub fn router(faucet: Arc<Faucet>) -> Router {
    Router::new()
        .route("/credit", post(credit))
        .route("/status", get(status))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(CorsLayer::permissive())
        .with_state(faucet)
}

async fn credit(
    Shared(faucet): Shared<Arc<Faucet>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    let bad = |text: String| Error::new(StatusCode::BAD_REQUEST, "bad-request", text);
    let asked: Credit = serde_json::from_slice(&body)
        .map_err(|error| bad(format!("{error}; {{\"address\", \"denom\"}} is right")))?;
    Address::parse(&asked.address, &faucet.prefix).map_err(|error| {
        let (address, prefix) = (&asked.address, &faucet.prefix);
        bad(format!("address '{address}': {error}; one that begins with {prefix}1 is right"))
    })?;
    if asked.address == faucet.holder {
        return Err(bad("this is the faucet's own address".to_owned()));
    }
    let coin = faucet.coin(asked.denom.as_deref())?;
    faucet.is_there()?;
    let source = faucet.source(peer.ip(), &headers);
    let now = tokio::time::Instant::now();
    let reserved = faucet.limits().reserve(&asked.address, &coin.denom, source, now)?;
    let outcome = faucet.give(asked.address, coin.clone()).await;
    if outcome.is_err() {
        faucet.limits().release(&reserved);
    }
    outcome.map(|mut given| {
        given["amount"] = json!(coin.to_string());
        Json(given).into_response()
    })
}

async fn status(Shared(faucet): Shared<Arc<Faucet>>) -> Json<serde_json::Value> {
    let state = faucet.state();
    let denoms: Vec<&str> = faucet.coins.iter().map(|coin| coin.denom.as_str()).collect();
    let gives: Vec<String> = faucet.coins.iter().map(ToString::to_string).collect();
    Json(json!({
        "status": if state.chain_id.is_some() { "ok" } else { "waiting" },
        "reason": state.reason,
        "nodeUrl": state.node,
        "chainId": state.chain_id,
        "chainTokens": denoms,
        "availableTokens": denoms,
        "gives": gives,
        "holder": { "address": faucet.holder },
        "distributors": [],
    }))
}

impl Faucet {
    fn limits(&self) -> std::sync::MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn coin(&self, denom: Option<&str>) -> Result<Coin, Error> {
        let fits = |coin: &&Coin| denom.is_none_or(|denom| denom == coin.denom);
        self.coins.iter().find(fits).cloned().ok_or_else(|| {
            let there: Vec<&str> = self.coins.iter().map(|coin| coin.denom.as_str()).collect();
            let denom = denom.unwrap_or_default();
            let text = format!("'{denom}' is not given here; there is {}", there.join(", "));
            Error::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-denom", text)
        })
    }

    fn is_there(&self) -> Result<(), Error> {
        let state = self.state();
        if state.chain_id.is_some() {
            return Ok(());
        }
        let text = format!("the chain is not there yet: {}", state.reason);
        let error = Error::new(StatusCode::SERVICE_UNAVAILABLE, "chain-not-ready", text);
        Err(Error { retry_after: Some(5), ..error })
    }

    /// The last entry is what our own proxy saw; those before it anybody can write.
    fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let forwarded = headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
        let last = forwarded.and_then(|text| text.rsplit(',').next()?.trim().parse().ok());
        last.filter(|_| self.behind_proxy).unwrap_or(peer)
    }

    async fn give(&self, address: String, coin: Coin) -> Result<serde_json::Value, Error> {
        let (done, outcome) = oneshot::channel();
        let busy = |text: &str| Error::new(StatusCode::SERVICE_UNAVAILABLE, "busy", text);
        let request = Request { address, coin, done };
        self.requests.try_send(request).map_err(|_| busy("too many wait; ask again later"))?;
        let given = outcome.await.map_err(|_| busy("the faucet is being stopped"))??;
        Ok(json!({ "status": "ok", "tx_hash": given.tx_hash, "height": given.height }))
    }
}
