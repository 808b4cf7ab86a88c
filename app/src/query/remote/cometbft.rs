//! The calls to CometBFT's RPC: at most so long, at most so many at once, and what goes wrong as
//! the status a caller of ours gets.

use crate::query::{QueryError, Status};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tendermint::block::Height;
use tendermint::{Hash, Time};
use tendermint_rpc::endpoint::{
    block, block_results, broadcast, status, tx, tx_search, validators,
};
use tendermint_rpc::error::ErrorDetail;
use tendermint_rpc::{Client as _, Error, HttpClient, HttpClientUrl, Order, Paging};
use tokio::sync::Semaphore;

/// The longest a call may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Searches at once: CometBFT loads everything that matches before it cuts a page out.
pub const SEARCHES: usize = 4;
/// Other calls at once.
const CALLS: usize = 64;
/// Blocks whose time is kept.
const TIMES_MAX: usize = 100_000;

/// A page of a search: by CometBFT's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: u32,
    /// From 1 to 100.
    pub rows: u8,
    pub newest_first: bool,
}

/// CometBFT's RPC.
pub struct Cometbft {
    http: HttpClient,
    address: String,
    searches: Semaphore,
    calls: Semaphore,
    times: Mutex<BTreeMap<Height, Time>>,
}

impl Cometbft {
    /// RPC at `http://HOST:PORT`.
    pub fn new(address: &str) -> Result<Cometbft, String> {
        let url: HttpClientUrl =
            address.try_into().map_err(|error: Error| error.detail().to_string())?;
        // Its own limit is the second one, for calls that were given up.
        let http = HttpClient::builder(url).timeout(2 * TIME_LIMIT).build();
        let http = http.map_err(|error| error.detail().to_string())?;
        Ok(Cometbft {
            http,
            address: address.to_owned(),
            searches: Semaphore::new(SEARCHES),
            calls: Semaphore::new(CALLS),
            times: Mutex::default(),
        })
    }

    /// What the node says of itself.
    pub async fn status(&self) -> Result<status::Response, QueryError> {
        self.read(&self.calls, || self.http.status()).await
    }

    /// The height of the newest block.
    pub async fn latest_height(&self) -> Result<u64, QueryError> {
        Ok(self.status().await?.sync_info.latest_block_height.value())
    }

    /// A block; none: the latest.
    pub async fn block(&self, height: Option<Height>) -> Result<block::Response, QueryError> {
        match height {
            Some(height) => self.read(&self.calls, || self.http.block(height)).await,
            None => self.read(&self.calls, || self.http.latest_block()).await,
        }
    }

    /// What a block's transactions came to.
    pub async fn results(&self, height: Height) -> Result<block_results::Response, QueryError> {
        self.read(&self.calls, || self.http.block_results(height)).await
    }

    /// The time of a block.
    pub async fn time(&self, height: Height) -> Result<Time, QueryError> {
        let kept = || self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(time) = kept().get(&height) {
            return Ok(*time);
        }
        let header = self.read(&self.calls, || self.http.header(height)).await?.header;
        let mut times = kept();
        if times.len() >= TIMES_MAX {
            times.pop_first();
        }
        times.insert(height, header.time);
        Ok(header.time)
    }

    /// The validators at a height.
    pub async fn validators(&self, height: Height) -> Result<validators::Response, QueryError> {
        self.read(&self.calls, || self.http.validators(height, Paging::All)).await
    }

    /// A transaction by the hash of its bytes; none: no block has it.
    pub async fn transaction(&self, hash: [u8; 32]) -> Result<Option<tx::Response>, QueryError> {
        let call = || async {
            match self.http.tx(Hash::Sha256(hash), false).await {
                Ok(found) => Ok(Some(found)),
                Err(error) if says(&error).is_some_and(|text| text.contains("not found")) => {
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        };
        self.read(&self.calls, call).await
    }

    /// The transactions whose events match.
    pub async fn search(
        &self,
        query: String,
        page: Page,
    ) -> Result<tx_search::Response, QueryError> {
        let Page { number, rows, newest_first } = page;
        let order = if newest_first { Order::Descending } else { Order::Ascending };
        let request = tx_search::Request::new(query, false, number, rows, order);
        self.read(&self.searches, || self.http.perform(request.clone())).await
    }

    /// Hands a transaction over and waits for what CheckTx says. The inner error is CometBFT's
    /// word before the application was asked.
    pub async fn broadcast_sync(
        &self,
        bytes: Vec<u8>,
    ) -> Result<Result<broadcast::tx_sync::Response, String>, QueryError> {
        let call = async { taken(self.http.broadcast_tx_sync(bytes).await) };
        self.limited(&self.calls, call).await
    }

    /// Hands a transaction over without waiting.
    pub async fn broadcast_async(
        &self,
        bytes: Vec<u8>,
    ) -> Result<Result<broadcast::tx_async::Response, String>, QueryError> {
        let call = async { taken(self.http.broadcast_tx_async(bytes).await) };
        self.limited(&self.calls, call).await
    }

    /// A question within its limits. It is asked a second time when the connection breaks: one
    /// kept from before CometBFT started again is only found out by using it. Broadcasts are not:
    /// the first may have arrived.
    async fn read<T, Call: Future<Output = Result<T, Error>>>(
        &self,
        at_once: &Semaphore,
        ask: impl Fn() -> Call,
    ) -> Result<T, QueryError> {
        let twice = async {
            match ask().await {
                Err(error) if is_unreached(&error) => ask().await,
                answer => answer,
            }
        };
        self.limited(at_once, twice).await
    }

    /// A call within its limits.
    async fn limited<T>(
        &self,
        at_once: &Semaphore,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, QueryError> {
        let work = async {
            let _turn = at_once.acquire().await.expect("never closed");
            call.await
        };
        match tokio::time::timeout(TIME_LIMIT, work).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => Err(self.late()),
        }
    }

    fn late(&self) -> QueryError {
        let text = format!(
            "CometBFT at {} did not answer within {} s, ask for less",
            self.address,
            TIME_LIMIT.as_secs()
        );
        QueryError::Status(Status::DeadlineExceeded, text)
    }

    fn failure(&self, error: &Error) -> QueryError {
        let address = &self.address;
        match error.detail() {
            ErrorDetail::Response(response) => {
                QueryError::Status(Status::Internal, response.source.to_string())
            }
            _ if is_unreached(error) => {
                let text = format!("CometBFT's RPC at {address} cannot be reached");
                QueryError::Status(Status::Unavailable, text)
            }
            other => {
                let text = format!("CometBFT's answer at {address} cannot be read: {other}");
                QueryError::Status(Status::Internal, text)
            }
        }
    }
}

/// Whether there was no answer, or none of CometBFT.
fn is_unreached(error: &Error) -> bool {
    matches!(error.detail(), ErrorDetail::Http(_) | ErrorDetail::HttpRequestFailed(_))
}

/// The text of an error that CometBFT answered with.
fn says(error: &Error) -> Option<String> {
    match error.detail() {
        ErrorDetail::Response(response) => Some(response.source.to_string()),
        _ => None,
    }
}

fn taken<T>(answer: Result<T, Error>) -> Result<Result<T, String>, Error> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) => says(&error).map(Err).ok_or(error),
    }
}
