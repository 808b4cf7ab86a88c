//! The senders, one for each connection: parcels out, answers in, never more than the mempool has
//! room for, no faster than the pace.

use super::http::Connection;
use super::stock::{Form, Mode, Parcel};
use crate::client::{Exit, Failure};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, Notify};
use tokio::time::{sleep_until, timeout, Instant};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::WebSocketStream;

/// Between two looks at whether there is room, unless somebody says so before. Many senders that
/// look often take the processor from the node.
const LOOK: Duration = Duration::from_millis(100);

/// What senders and watcher share.
pub struct Board {
    pub begin: Instant,
    /// Transactions handed over, those on the way included.
    pub sent: AtomicU64,
    /// How far that may go: beyond, the mempool would be too full.
    allowed: AtomicU64,
    /// Nothing new is sent.
    stop: AtomicBool,
    /// One of the two before has changed.
    changed: Notify,
}

impl Board {
    /// An empty board; time runs from now on.
    pub fn new() -> Arc<Board> {
        Arc::new(Board {
            begin: Instant::now(),
            sent: AtomicU64::new(0),
            allowed: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    /// So many may be sent in all.
    pub fn allow(&self, count: u64) {
        self.allowed.store(count, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// Nothing new may be sent.
    pub fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// Whether sending has ended.
    pub fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits until so many more may be sent, and takes them; `false` when sending has ended.
    async fn take(&self, count: u64) -> bool {
        loop {
            let changed = self.changed.notified();
            if self.is_over() {
                return false;
            }
            let before = self.sent.fetch_add(count, Ordering::Relaxed);
            if before + count <= self.allowed.load(Ordering::Relaxed) {
                return true;
            }
            self.sent.fetch_sub(count, Ordering::Relaxed);
            // Either way it is looked at again.
            let _ = timeout(LOOK, changed).await;
        }
    }
}

/// One connection's work.
pub struct Lane {
    pub authority: String,
    pub form: Form,
    pub parcels: mpsc::Receiver<Parcel>,
    /// The first parcel's moment and the time between two; `None`: as fast as it goes.
    pub pace: Option<(Duration, Duration)>,
    /// Of so many parcels one is remembered for the latencies.
    pub remember: u64,
    pub board: Arc<Board>,
}

/// What became of a lane.
#[derive(Default)]
pub struct Sent {
    pub transactions: u64,
    /// Marks of transactions and the moments they were sent, in microseconds.
    pub marks: Vec<(u64, u64)>,
    /// Refusals in the answers, by `codespace/code`, and one text for each.
    pub refusals: BTreeMap<String, (u64, String)>,
}

impl Sent {
    fn note(&mut self, answer: &Answer) {
        let Some((code, text)) = answer.refusal() else { return };
        self.refusals.entry(code).or_insert_with(|| (0, text)).0 += 1;
    }

    /// How many were refused, as far as answers say so.
    pub fn refused(&self) -> u64 {
        self.refusals.values().map(|(count, _)| count).sum()
    }

    /// Takes in what another lane did.
    pub fn add(&mut self, other: Sent) {
        self.transactions += other.transactions;
        self.marks.extend(other.marks);
        for (code, (count, text)) in other.refusals {
            self.refusals.entry(code).or_insert_with(|| (0, text)).0 += count;
        }
    }
}

impl Lane {
    /// Sends until the parcels or the time are used up.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn drive(mut self) -> Result<Sent, Failure> {
        let mut line = Line::open(&self.authority, self.form.mode).await?;
        let mut sent = Sent::default();
        for place in 0.. {
            if let Some((first, between)) = self.pace {
                let moment = first + between.mul_f64(place as f64);
                sleep_until(self.board.begin + moment).await;
            }
            let Some(parcel) = self.parcels.recv().await else { break };
            if !self.board.take(parcel.marks.len() as u64).await {
                break;
            }
            sent.transactions += parcel.marks.len() as u64;
            if u64::is_multiple_of(place, self.remember) {
                let now = self.board.begin.elapsed().as_micros() as u64;
                sent.marks.extend(parcel.marks.iter().map(|mark| (*mark, now)));
            }
            for answer in line.send(parcel.bodies).await? {
                sent.note(&answer);
            }
        }
        Ok(sent)
    }
}

/// An open connection in one of the two forms.
pub enum Line {
    Http(Connection),
    Websocket(Box<WebSocketStream<TcpStream>>),
}

impl Line {
    /// Opens it.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn open(authority: &str, mode: Mode) -> Result<Line, Failure> {
        if mode != Mode::Websocket {
            return Connection::open(authority).await.map(Line::Http);
        }
        let stream = TcpStream::connect(authority).await.map_err(|error| broken(&error))?;
        stream.set_nodelay(true).map_err(|error| broken(&error))?;
        let url = format!("ws://{authority}/websocket");
        let opened = tokio_tungstenite::client_async(url, stream).await;
        Ok(Line::Websocket(Box::new(opened.map_err(|error| broken(&error))?.0)))
    }

    /// Sends a parcel's bodies and waits for all answers to it.
    ///
    /// # Errors
    /// When the connection breaks or answers with something else.
    pub async fn send(&mut self, bodies: Vec<Bytes>) -> Result<Vec<Answer>, Failure> {
        match self {
            Line::Http(connection) => {
                let mut answers = Vec::new();
                for body in bodies {
                    answers.extend(read(&connection.post(body).await?)?);
                }
                Ok(answers)
            }
            Line::Websocket(stream) => {
                let count = bodies.len();
                for body in bodies {
                    let text = body.try_into().map_err(|_| broken(&"a body that is no text"))?;
                    stream.feed(Message::Text(text)).await.map_err(|error| broken(&error))?;
                }
                stream.flush().await.map_err(|error| broken(&error))?;
                let mut answers = Vec::with_capacity(count);
                while answers.len() < count {
                    match stream.next().await {
                        Some(Ok(Message::Text(text))) => answers.extend(read(text.as_bytes())?),
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return Err(broken(&error)),
                        None => return Err(broken(&"closed by the node")),
                    }
                }
                Ok(answers)
            }
        }
    }
}

/// What CometBFT says to one broadcast.
#[derive(Debug, Deserialize)]
pub struct Answer {
    result: Option<Taken>,
    error: Option<Refused>,
}

#[derive(Debug, Deserialize)]
struct Taken {
    code: u32,
    #[serde(default)]
    codespace: String,
    #[serde(default)]
    log: String,
}

#[derive(Debug, Deserialize)]
struct Refused {
    #[serde(default)]
    data: String,
    #[serde(default)]
    message: String,
}

impl Answer {
    /// `codespace/code` and the text, when it was refused. What CometBFT refuses by itself has
    /// no code: it gets a word.
    pub fn refusal(&self) -> Option<(String, String)> {
        if let Some(error) = &self.error {
            let text = format!("{} {}", error.message, error.data);
            let word = match () {
                () if text.contains("already exists in cache") => "duplicate",
                () if text.contains("mempool is full") => "mempool-full",
                () if text.contains("too large") => "too-large",
                () => "error",
            };
            return Some((format!("cometbft/{word}"), text));
        }
        let result = self.result.as_ref()?;
        let code = format!("{}/{}", result.codespace, result.code);
        (result.code != 0).then(|| (code, result.log.clone()))
    }
}

/// One answer, or those to a batch.
fn read(body: &[u8]) -> Result<Vec<Answer>, Failure> {
    let unreadable = |error: serde_json::Error| {
        let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
        broken(&format!("an answer that cannot be read ({error}): {text}"))
    };
    match body.first() {
        Some(b'[') => serde_json::from_slice(body).map_err(unreadable),
        _ => serde_json::from_slice(body).map(|answer| vec![answer]).map_err(unreadable),
    }
}

fn broken(reason: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Unreachable, "unreachable", format!("the node under load: {reason}"))
        .retryable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_codes_of_the_chain_and_words_for_those_of_cometbft() {
        let codes = |text: &str| -> Vec<Option<String>> {
            let answers = read(text.as_bytes()).expect("answers").into_iter();
            answers.map(|answer| answer.refusal().map(|(code, _)| code)).collect()
        };
        let taken = r#"{"jsonrpc":"2.0","id":0,"result":{"code":0,"codespace":"","log":""}}"#;
        let refused = r#"{"id":0,"result":{"code":2,"codespace":"bandwidth","log":"no"}}"#;
        let seen = r#"{"id":0,"error":{"code":-32603,"message":"Internal error",
            "data":"tx already exists in cache"}}"#;
        assert_eq!(codes(taken), [None]);
        let batch = codes(&format!("[{taken},{refused},{seen}]"));
        let expected =
            [None, Some("bandwidth/2".to_owned()), Some("cometbft/duplicate".to_owned())];
        assert_eq!(batch, expected);
        assert!(read(b"502 Bad Gateway").is_err());
    }

    #[tokio::test]
    async fn nobody_takes_more_than_there_is_room_for() {
        let board = Board::new();
        board.allow(10);
        assert!(board.take(6).await);
        let waits = board.clone();
        let waiting = tokio::spawn(async move { waits.take(6).await });
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(!waiting.is_finished());
        board.allow(12);
        assert!(waiting.await.expect("no panic"));
        board.end();
        assert!(!board.take(1).await);
    }
}
