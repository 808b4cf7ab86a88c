//! Watching the node while it works: heights as its application commits them, the mempool, and what
//! the processes use. Few and cheap questions on a connection of its own.

use super::blocks;
use super::http::{number, Connection};
use super::pace::Pace;
use super::process::{Process, Usage};
use super::send::Board;
use crate::client::Failure;
use serde::Serialize;
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{sleep, Instant};

/// Between two looks at the height.
const LOOK: Duration = Duration::from_millis(20);
/// The mempool is looked at so often, in looks at the height.
const MEMPOOL_EVERY: u64 = 2;
/// Processes are looked at so often.
const PROCESSES_EVERY: u64 = 25;
/// What has been neither in a block nor in the mempool for so long is not on its way any more. A
/// broadcast is answered long before its check on a slow machine: empty blocks alone say nothing.
const LOST: Duration = Duration::from_secs(5);
/// Where nothing has moved for so long, nothing does any more: without blocks, too.
const STUCK: Duration = Duration::from_secs(30);

/// The processes that are measured.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    pub load: Process,
    pub cometbft: Option<Process>,
    pub application: Option<Process>,
}

impl Processes {
    /// Those behind an RPC port of this machine.
    pub fn behind(authority: &str) -> Processes {
        let here = ["127.0.0.1", "localhost", "[::1]"];
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        let port = port.parse().ok().filter(|_| here.contains(&host));
        let cometbft = port.and_then(Process::listening_on);
        let application = cometbft.and_then(Process::application);
        Processes { load: Process::own(), cometbft, application }
    }

    fn usage(&self) -> [Option<Usage>; 3] {
        let of = |process: Option<Process>| process.and_then(Process::usage);
        [of(Some(self.load)), of(self.cometbft), of(self.application)]
    }
}

/// What a process used over the time it was watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Used {
    pub cpu_seconds: f64,
    pub memory_mb_at_begin: u64,
    pub memory_mb_most: u64,
    pub memory_mb_at_end: u64,
}

/// What was seen.
#[derive(Default)]
pub struct Watched {
    /// Heights and the first moments they were seen committed.
    pub heights: Vec<(u64, Duration)>,
    pub mempool_most: u64,
    /// What still waited at the last look.
    pub mempool_left: u64,
    /// Load, CometBFT, application; absent where there is no such process here.
    pub used: [Option<Used>; 3],
}

/// Keeps watch; [`Watch::look`] is called again and again.
pub struct Watch {
    connection: Connection,
    processes: Processes,
    /// The mempool is not filled beyond.
    room: u64,
    begin: [Option<Usage>; 3],
    looks: u64,
    /// Transactions in blocks since the first look, and those given up: sent, and yet neither in a
    /// block nor waiting.
    done: u64,
    pace: Pace,
    /// When a block with transactions or another count of the mempool was last seen.
    moved: Instant,
    pub watched: Watched,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// When the node is not there.
    pub async fn begin(authority: &str, processes: Processes, room: u64) -> Result<Watch, Failure> {
        let connection = Connection::open(authority).await?;
        let begin = processes.usage();
        let watched = Watched::default();
        let moved = Instant::now();
        Ok(Watch {
            connection,
            processes,
            room,
            begin,
            looks: 0,
            done: 0,
            pace: Pace::new(room / 2),
            moved,
            watched,
        })
    }

    /// One look at everything whose time has come, then a short rest. Gives the height.
    ///
    /// # Errors
    /// When the node goes away.
    pub async fn look(&mut self, board: &Board) -> Result<u64, Failure> {
        if self.looks.is_multiple_of(MEMPOOL_EVERY) {
            let sent = board.sent.load(Ordering::Relaxed);
            let answer = self.connection.call("num_unconfirmed_txs", json!([])).await?;
            let waiting = number(&answer["total"]);
            // What is on its way to the mempool is in neither of its counts: by the second rule it
            // finds room when it comes.
            let room = (sent + self.room.saturating_sub(waiting)).min(self.done + self.room);
            board.allow(room.min(self.pace.allow(sent, board.begin.elapsed())));
            if waiting != self.watched.mempool_left {
                self.moved = Instant::now();
            }
            self.watched.mempool_most = self.watched.mempool_most.max(waiting);
            self.watched.mempool_left = waiting;
        }
        if self.looks.is_multiple_of(PROCESSES_EVERY) {
            self.note_usage();
        }
        self.looks += 1;
        let info = self.connection.call("abci_info", json!([])).await?;
        let height = number(&info["response"]["last_block_height"]);
        let last = self.watched.heights.last().map(|(last, _)| *last);
        if last.is_none_or(|last| last < height) {
            self.watched.heights.push((height, board.begin.elapsed()));
            if let Some(last) = last {
                self.count(last + 1, height, board).await?;
            }
        }
        sleep(LOOK).await;
        Ok(height)
    }

    /// Looks until everything that was sent, but for so many refused, is in a block, or nothing
    /// moves any more.
    ///
    /// # Errors
    /// When the node goes away.
    pub async fn drain(&mut self, refused: u64, board: &Board) -> Result<(), Failure> {
        self.moved = Instant::now();
        loop {
            self.look(board).await?;
            let left = self.watched.mempool_left;
            let over = self.done + refused >= board.sent.load(Ordering::Relaxed);
            if (left == 0 && over) || self.moved.elapsed() > STUCK {
                return Ok(());
            }
        }
    }

    /// Counts what is in new blocks, and gives up what is lost.
    async fn count(&mut self, first: u64, last: u64, board: &Board) -> Result<(), Failure> {
        let sent = board.sent.load(Ordering::Relaxed);
        let headers = blocks::headers(&mut self.connection, first, last).await?;
        let transactions = headers.iter().map(|header| header.transactions).sum::<u64>();
        self.done += transactions;
        self.pace.note(self.done, board.begin.elapsed());
        if transactions > 0 {
            self.moved = Instant::now();
        }
        if self.watched.mempool_left == 0 && self.moved.elapsed() > LOST {
            self.done = self.done.max(sent);
        }
        Ok(())
    }

    /// Ends with what was seen.
    pub fn end(mut self) -> Watched {
        self.note_usage();
        self.watched
    }

    #[allow(clippy::float_arithmetic, reason = "figures for people")]
    fn note_usage(&mut self) {
        for (at, now) in self.processes.usage().into_iter().enumerate() {
            let (Some(before), Some(now)) = (self.begin[at], now) else { continue };
            let mb = |bytes: u64| bytes / 1_000_000;
            let used = self.watched.used[at].get_or_insert_with(|| Used {
                memory_mb_at_begin: mb(before.memory_bytes),
                ..Used::default()
            });
            used.cpu_seconds = now.cpu_ms.saturating_sub(before.cpu_ms) as f64 / 1_000.0;
            used.memory_mb_most = used.memory_mb_most.max(mb(now.memory_bytes));
            used.memory_mb_at_end = mb(now.memory_bytes);
        }
    }
}
