//! The way from a socket to a handler: how many queries are answered at once, how many may wait,
//! for how long, and how many large answers may be on their way.
//!
//! Invariants: a handler runs on a thread of the blocking pool, never on one that serves sockets,
//! and at most `places` of them at a time; a question whose asker is gone is not begun; a panic in
//! a handler becomes an answer. Deliberately absent: what an answer looks like (`grpc`, `rest`).

#[cfg(test)]
mod tests;

use super::remote::Remote;
use super::{routes, Queries, QueryError};
use crate::error::Refusal;
use crate::store::Snapshot;
use crate::telemetry::panics;
use crate::types::Height;
use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{watch, OwnedSemaphorePermit, Semaphore};
use tonic::Code;

/// Answers up to this size are not counted while they travel, in bytes.
const SMALL_BYTES: usize = 65_536;
/// Larger ones: so much of them may be on its way at once, in KiB.
const LARGE_KIB: usize = 65_536;

/// What asks the state through the services that ask CometBFT.
const ABCI_QUERY: &str = "/cosmos.base.tendermint.v1beta1.Service/ABCIQuery";

/// The answer that gets the times of blocks, which the state does not know.
const LINKS_OF: &str = "/cyberd.v1.Query/LinksOf";

/// How much may be asked for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimits {
    /// Queries answered at once.
    pub places: usize,
    /// Queries that wait for a place; the one after them is refused.
    pub waiting_max: usize,
    /// How long a query waits for a place, and how long one may take.
    pub time_limit: Duration,
    /// Streams of links and rounds.
    pub watchers_max: usize,
}

/// Why there is no answer: a gRPC status, and the height of the state that was asked if one was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub code: Code,
    pub message: String,
    pub height: Option<Height>,
}

impl Denial {
    /// A status without a height.
    pub fn new(code: Code, message: impl Into<String>) -> Denial {
        Denial { code, message: message.into(), height: None }
    }

    /// There is no such method.
    pub fn unknown(path: &str) -> Denial {
        Denial::new(Code::Unimplemented, format!("unknown method {path}"))
    }

    fn of(error: &QueryError, height: Height) -> Denial {
        let (code, message) = error.status();
        let code = Code::from_i32(i32::try_from(code).unwrap_or_default());
        Denial { code, message, height: Some(height) }
    }
}

/// An answer: the response's bytes and the height they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub value: Vec<u8>,
    pub height: Height,
}

/// The gate of a node's gRPC and REST servers. One for both.
pub struct Gate {
    queries: Arc<Queries>,
    remote: Option<Arc<Remote>>,
    limits: GateLimits,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    large: Arc<Semaphore>,
    watchers: Arc<Semaphore>,
    heights: watch::Sender<Height>,
}

impl Gate {
    /// A gate before these queries.
    pub fn new(queries: Arc<Queries>, limits: GateLimits) -> Gate {
        let latest = queries.reader.latest().height();
        Gate {
            queries,
            remote: None,
            limits,
            places: Arc::new(Semaphore::new(limits.places)),
            waiting: AtomicUsize::new(0),
            large: Arc::new(Semaphore::new(LARGE_KIB)),
            watchers: Arc::new(Semaphore::new(limits.watchers_max)),
            heights: watch::Sender::new(latest),
        }
    }

    /// The same, with what answers by asking CometBFT.
    pub fn asking(self, remote: Remote) -> Gate {
        Gate { remote: Some(Arc::new(remote)), ..self }
    }

    /// Reads again, from CometBFT's blocks, what searches for transactions need of the time before
    /// the start. Ends when that is done.
    pub async fn fill(&self) {
        if let Some(remote) = &self.remote {
            remote.fill().await;
        }
    }

    /// A height was committed. Never waits.
    pub fn committed(&self, height: Height) {
        self.heights.send_replace(height);
    }

    /// The heights as they are committed.
    pub fn heights(&self) -> watch::Receiver<Height> {
        self.heights.subscribe()
    }

    /// A place among the watchers.
    ///
    /// # Errors
    /// When there is none.
    pub fn watcher(&self) -> Result<OwnedSemaphorePermit, Denial> {
        self.watchers.clone().try_acquire_owned().map_err(|_| {
            let most = self.limits.watchers_max;
            let text = format!("{most} watch already: try again later");
            Denial::new(Code::ResourceExhausted, text)
        })
    }

    /// What answers.
    pub fn queries(&self) -> &Queries {
        &self.queries
    }

    /// The latest state.
    pub fn latest(&self) -> Arc<Snapshot> {
        self.queries.reader.latest()
    }

    /// Answers a query by its path, `/package.Service/Method`.
    pub async fn call(self: &Arc<Gate>, path: &str, data: Bytes, at: i64) -> Result<Reply, Denial> {
        if let Some(route) = routes::find(path) {
            let reply = self.run(move |gate| gate.answer(route, &data, at)).await?;
            return match &self.remote {
                Some(remote) if path == LINKS_OF => {
                    Ok(Reply { value: remote.with_times(reply.value).await, ..reply })
                }
                _ => Ok(reply),
            };
        }
        let Some(remote) = self.remote.clone() else { return Err(Denial::unknown(path)) };
        let height = self.latest().height();
        let answer = if path == ABCI_QUERY {
            // Answered here after all: its handler may take as long as any.
            let path = path.to_owned();
            let runtime = tokio::runtime::Handle::current();
            self.run(move |_| Ok(runtime.block_on(remote.call(&path, &data, at)))).await?
        } else {
            remote.call(path, &data, at).await
        };
        match answer {
            Some(Ok(value)) => Ok(Reply { value, height }),
            Some(Err(error)) => Err(Denial::of(&error, height)),
            None => Err(Denial::unknown(path)),
        }
    }

    /// Whether a route's answer is the whole of it, or `call` adds what CometBFT knows.
    pub fn is_whole(&self, path: &str) -> bool {
        self.remote.is_none() || path != LINKS_OF
    }

    /// Does some work of a query on a thread of its own kind, when there is a place.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Gate>,
        work: impl FnOnce(&Gate) -> Result<T, Denial> + Send + 'static,
    ) -> Result<T, Denial> {
        let place = self.place().await?;
        let gate = self.clone();
        let work = move || {
            // Held until the work is over, even if nobody waits for it any more.
            let _place = place;
            panics::catch(|| work(&gate))
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(Denial::new(Code::Internal, format!("{panic}: panic"))),
            Err(_) => Err(Denial::new(Code::Unavailable, "the node stops")),
        }
    }

    /// The answer of a route, on this thread.
    pub fn answer(&self, route: &routes::Route, data: &[u8], at: i64) -> Result<Reply, Denial> {
        let snapshot = self.queries.at(at).map_err(|refusal| height_denial(at, refusal))?;
        let context = self.queries.context(&snapshot);
        let value = (route.handler)(&context, data).and_then(|value| context.check_size(value));
        let height = snapshot.height();
        let value = value.map_err(|error| Denial::of(&error, height))?;
        Ok(Reply { value, height })
    }

    /// A place among those that are answered; waits for it, but neither long nor with too many.
    async fn place(&self) -> Result<OwnedSemaphorePermit, Denial> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = Waiting::new(&self.waiting, self.limits.waiting_max)?;
        let place = self.places.clone().acquire_owned();
        match tokio::time::timeout(self.limits.time_limit, place).await {
            Ok(place) => Ok(place.expect("the gate never closes its semaphore")),
            Err(_) => {
                let (places, limit) = (self.limits.places, self.limits.time_limit.as_millis());
                let text = format!(
                    "this node answers {places} queries at once and had no place within {limit} \
                     ms: try again later"
                );
                Err(Denial::new(Code::Unavailable, text))
            }
        }
    }

    /// What a large answer holds while it travels; none for a small one.
    ///
    /// # Errors
    /// When too much is on its way to slow readers.
    pub fn load(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, Denial> {
        if bytes <= SMALL_BYTES {
            return Ok(None);
        }
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        self.large.clone().try_acquire_many_owned(kib).map(Some).map_err(|_| {
            let text = "too many large answers are on their way: ask for less or try again later";
            Denial::new(Code::ResourceExhausted, text)
        })
    }
}

/// Counts one who waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize, most: usize) -> Result<Waiting<'a>, Denial> {
        if count.fetch_add(1, Ordering::Relaxed) < most {
            return Ok(Waiting(count));
        }
        count.fetch_sub(1, Ordering::Relaxed);
        let text = format!("{most} queries wait already: try again later");
        Err(Denial::new(Code::ResourceExhausted, text))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A height that cannot be asked is the asker's mistake, unless there is no height at all yet.
fn height_denial(at: i64, refusal: Refusal) -> Denial {
    let code = match refusal.code {
        crate::error::code::INVALID_HEIGHT if at == 0 => Code::Unavailable,
        _ => Code::InvalidArgument,
    };
    Denial::new(code, refusal.log)
}

/// Reads the height a header names.
///
/// # Errors
/// When it is no number.
pub fn parse_height(text: Option<&[u8]>) -> Result<i64, Denial> {
    let Some(bytes) = text else { return Ok(0) };
    let text = String::from_utf8_lossy(bytes);
    text.trim().parse().map_err(|_| {
        let text = format!("{HEIGHT_HEADER}: '{text}' is no height, right is a number from 1");
        Denial::new(Code::InvalidArgument, text)
    })
}

/// The header and metadata key that names a height, in questions and answers.
pub const HEIGHT_HEADER: &str = "x-cosmos-block-height";
