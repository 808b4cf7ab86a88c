//! The stock of requests that wait to be sent: signed and encoded ahead, on all cores, so that the
//! sending itself costs little. Each connection has a lane of its own with accounts of its own, so
//! an account's transactions arrive in their order.

use super::make::{key_value, Maker, Sender};
use crate::types::sha256;
use base64::prelude::{Engine as _, BASE64_STANDARD};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The form of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One transaction, one request, one answer.
    Single,
    /// JSON-RPC batches.
    Batch,
    /// One request after the other over a WebSocket, answers apart.
    Websocket,
}

/// Requests that are sent in one go.
pub struct Parcel {
    /// One body over HTTP, one message for each transaction over a WebSocket.
    pub bodies: Vec<Bytes>,
    /// The first bytes of each transaction's hash, by which it is found in a block.
    pub marks: Vec<u64>,
}

/// Where a lane's transactions come from.
pub enum Source {
    Chain { maker: Arc<Maker>, senders: Vec<Sender>, at: usize },
    KeyValue { next: u64, step: u64, length: usize },
}

impl Source {
    fn next(&mut self) -> Vec<u8> {
        match self {
            Source::Chain { maker, senders, at } => {
                let place = *at % senders.len();
                let receiver = senders[(place + 1) % senders.len()].address.clone();
                *at += 1;
                maker.next(&mut senders[place], &receiver)
            }
            Source::KeyValue { next, step, length } => {
                let number = *next;
                *next += *step;
                key_value(number, *length)
            }
        }
    }
}

/// How requests are written.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub mode: Mode,
    /// Transactions in a parcel.
    pub batch: usize,
    /// Whether each answer waits for the door of the chain.
    pub sync: bool,
}

/// The first bytes of a transaction's hash.
pub fn mark(transaction: &[u8]) -> u64 {
    let hash = sha256(transaction);
    u64::from_be_bytes(hash[..8].try_into().expect("8 of 32 bytes"))
}

impl Form {
    /// The requests that hand these transactions over.
    pub fn parcel(&self, transactions: &[Vec<u8>]) -> Parcel {
        let marks = transactions.iter().map(|transaction| mark(transaction)).collect();
        let one = |transaction: &Vec<u8>| self.request(transaction);
        let bodies = match self.mode {
            Mode::Single | Mode::Websocket => {
                transactions.iter().map(|transaction| Bytes::from(one(transaction))).collect()
            }
            Mode::Batch => {
                let requests: Vec<String> = transactions.iter().map(one).collect();
                vec![Bytes::from(format!("[{}]", requests.join(",")))]
            }
        };
        Parcel { bodies, marks }
    }

    fn request(&self, transaction: &[u8]) -> String {
        let method = if self.sync { "broadcast_tx_sync" } else { "broadcast_tx_async" };
        let text = BASE64_STANDARD.encode(transaction);
        format!(r#"{{"jsonrpc":"2.0","id":0,"method":"{method}","params":["{text}"]}}"#)
    }
}

/// What is being made, and how much of it there is.
pub struct Stock {
    /// One for each connection.
    pub lanes: Vec<mpsc::Receiver<Parcel>>,
    /// Transactions made so far.
    pub made: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How much is made.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Transactions in all; the last parcel of a lane may be smaller.
    pub total: u64,
    /// Transactions that wait at most; their requests stay in memory.
    pub ahead: u64,
}

impl Stock {
    /// Begins to make parcels, for each source a lane, on all cores.
    pub fn start(sources: Vec<Source>, form: Form, amount: Amount) -> Stock {
        let (made, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let count = sources.len() as u64;
        let room = (amount.ahead / count).div_ceil(form.batch as u64).max(1);
        let mut lanes = Vec::new();
        let mut benches: Vec<Vec<Bench>> = Vec::new();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        benches.resize_with(cores.min(sources.len()), Vec::new);
        let workers = benches.len();
        for (at, source) in sources.into_iter().enumerate() {
            let (give, take) = mpsc::channel(room as usize);
            let left = amount.total / count + u64::from((at as u64) < amount.total % count);
            lanes.push(take);
            benches[at % workers].push(Bench { source, left, give, waiting: None });
        }
        for mut benches in benches {
            let (made, stop) = (Arc::clone(&made), Arc::clone(&stop));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) && !benches.is_empty() {
                    let mut idle = true;
                    benches.retain_mut(|bench| bench.work(&form, &made, &mut idle));
                    if idle {
                        #[allow(clippy::disallowed_methods, reason = "waits for the senders")]
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            });
        }
        Stock { lanes, made, stop }
    }
}

/// A lane's place of work.
struct Bench {
    source: Source,
    /// Transactions still to be made.
    left: u64,
    give: mpsc::Sender<Parcel>,
    /// Made, and not taken for want of room.
    waiting: Option<Parcel>,
}

impl Bench {
    /// Makes one parcel if there is room; whether there is more to do.
    fn work(&mut self, form: &Form, made: &AtomicU64, idle: &mut bool) -> bool {
        use tokio::sync::mpsc::error::TrySendError;
        if self.waiting.is_none() && self.left > 0 {
            let count = self.left.min(form.batch as u64);
            self.left -= count;
            let transactions: Vec<Vec<u8>> = (0..count).map(|_| self.source.next()).collect();
            self.waiting = Some(form.parcel(&transactions));
            made.fetch_add(count, Ordering::Relaxed);
            *idle = false;
        }
        let Some(parcel) = self.waiting.take() else { return false };
        match self.give.try_send(parcel) {
            Ok(()) => self.left > 0,
            Err(TrySendError::Full(parcel)) => {
                self.waiting = Some(parcel);
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stock_makes_exactly_what_was_asked_for_and_holds_no_more_than_may_wait() {
        let source = |next| Source::KeyValue { next, step: 3, length: 100 };
        let form = Form { mode: Mode::Batch, batch: 4, sync: false };
        let amount = Amount { total: 100, ahead: 24 };
        let mut stock = Stock::start((0..3).map(source).collect(), form, amount);
        // Two parcels wait in each lane, one more is in hand.
        while stock.made.load(Ordering::Relaxed) < 36 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(stock.made.load(Ordering::Relaxed), 36);
        let mut marks = Vec::new();
        for lane in &mut stock.lanes {
            while let Some(parcel) = lane.recv().await {
                assert_eq!(parcel.bodies.len(), 1);
                let body: serde_json::Value =
                    serde_json::from_slice(&parcel.bodies[0]).expect("a JSON array");
                assert_eq!(body.as_array().map(Vec::len), Some(parcel.marks.len()));
                marks.extend(parcel.marks);
            }
        }
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), 100);
    }

    #[test]
    fn a_parcel_over_a_websocket_has_a_message_for_each_transaction() {
        let form = Form { mode: Mode::Websocket, batch: 2, sync: true };
        let parcel = form.parcel(&[vec![1], vec![2]]);
        assert_eq!(parcel.bodies.len(), 2);
        assert_eq!(parcel.marks, [mark(&[1]), mark(&[2])]);
        let body: serde_json::Value = serde_json::from_slice(&parcel.bodies[0]).expect("JSON");
        assert_eq!(body["method"], "broadcast_tx_sync");
        assert_eq!(body["params"][0], "AQ==");
    }
}
