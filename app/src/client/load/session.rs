//! A run from the look at the node to the report.

#![allow(clippy::float_arithmetic, reason = "times between requests")]

use super::blocks;
use super::flood;
use super::http::{self, Connection};
use super::make::{Maker, Sender};
use super::options::{Options, Target, Until};
use super::report::{Report, Seen};
use super::send::{Board, Lane, Sent};
use super::stock::{Amount, Mode, Parcel, Source, Stock};
use super::watch::{Processes, Watch, Watched};
use super::{Show, Work};
use crate::client::{Client, Failure};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A node that is being loaded.
pub(super) struct Session<'a> {
    pub options: &'a Options,
    pub authority: String,
    pub chain_id: String,
    connection: Connection,
}

/// What one drive over all lanes came to.
struct Driven {
    sent: Sent,
    watched: Watched,
    /// When sending ended.
    ended: Duration,
    /// The last height before it began.
    before: u64,
    flood: Option<flood::Report>,
}

impl<'a> Session<'a> {
    pub async fn open(options: &'a Options) -> Result<Session<'a>, Failure> {
        let authority = http::authority(&options.node)?;
        let mut connection = Connection::open(&authority).await?;
        let status = connection.call("status", json!([])).await?;
        let chain_id = status["node_info"]["network"].as_str().unwrap_or_default().to_owned();
        Ok(Session { options, authority, chain_id, connection })
    }

    /// Links by the hundred until the graph has as many as were asked for.
    pub async fn fill(&mut self, show: &mut dyn Show) -> Result<(), Failure> {
        const LINKS: u32 = 100;
        let there = self.links().await?;
        let count = self.options.fill.saturating_sub(there).div_ceil(LINKS.into());
        if count == 0 {
            return Ok(());
        }
        show.say(&format!(
            "filling the graph: {there} links are there, {} wanted",
            self.options.fill
        ));
        let mut options = self.options.clone();
        (options.work, options.until) = (Work::Links(LINKS), Until::Count(count));
        (options.rate, options.flood) = (None, None);
        (options.mode, options.batch) = (Mode::Batch, 10);
        let filler = Session {
            options: &options,
            authority: self.authority.clone(),
            chain_id: self.chain_id.clone(),
            connection: Connection::open(&self.authority).await?,
        };
        filler.drive(show).await.map(drop)
    }

    pub async fn measure(mut self, show: &mut dyn Show) -> Result<Report, Failure> {
        let counted = self.options.target == Target::Cyberd;
        let before = if counted { self.links().await? } else { 0 };
        let driven = self.drive(show).await?;
        let last = driven.watched.heights.last().map_or(driven.before, |(height, _)| *height);
        show.say("reading what the blocks hold …");
        let headers = blocks::headers(&mut self.connection, driven.before + 1, last).await?;
        let full: Vec<u64> =
            headers.iter().filter(|h| h.transactions > 0).map(|header| header.height).collect();
        let read = blocks::read(&mut self.connection, &full).await?;
        let links = match self.options.work {
            Work::Links(links) if self.options.target != Target::Kvstore => links,
            Work::Links(_) | Work::Send => 0,
        };
        let Driven { sent, watched, ended, .. } = driven;
        let seen = Seen { sent, watched: &watched, headers: &headers, read: &read, ended, links };
        let mut report = seen.report();
        report.target = self.options.node.clone();
        report.flood = driven.flood;
        if counted {
            report.links_added = Some(self.links().await?.saturating_sub(before));
        }
        Ok(report)
    }

    async fn links(&mut self) -> Result<u64, Failure> {
        let client = Client::new(&self.options.node)?;
        client.graph_stats().await.map(|stats| stats.cyberlinks)
    }

    /// Signs, sends, watches, waits until nothing is left in the mempool.
    async fn drive(&self, show: &mut dyn Show) -> Result<Driven, Failure> {
        let options = self.options;
        let (maker, mut senders) = match options.target {
            Target::Kvstore => (None, Vec::new()),
            Target::Cyberd | Target::GoCyber => {
                let (maker, senders) = self.accounts(show).await?;
                (Some(maker), senders)
            }
        };
        let flood = self.flood(&mut senders).await?;
        let (sources, length) = self.sources(maker, senders);
        let total = match options.until {
            Until::Count(count) => count,
            Until::Seconds(_) => u64::MAX,
        };
        let mut stock =
            Stock::start(sources, options.form(), Amount { total, ahead: self.ahead(length) });
        self.wait_for_stock(&stock, total.min(self.ahead(length)), show).await;

        // The node refuses more bytes than transactions of usual size would come to.
        let room = options.mempool.min(32_000_000 / length as u64).max(100);
        let processes = Processes::behind(&self.authority);
        let mut watch = Watch::begin(&self.authority, processes, room).await?;
        let board = Board::new();
        let before = watch.look(&board).await?;
        let flood = flood.map(|transactions| {
            let kind = options.flood.expect("it was made for one");
            let (authority, board) = (self.authority.clone(), board.clone());
            let count = options.flood_connections;
            tokio::spawn(flood::run(kind, authority, count, transactions, board))
        });
        let mut lanes = JoinSet::new();
        for (at, parcels) in std::mem::take(&mut stock.lanes).into_iter().enumerate() {
            lanes.spawn(self.lane(at, parcels, &board).drive());
        }
        let (sent, ended) = self.watch_lanes(&mut lanes, &mut watch, &board, show).await?;
        board.end();
        let flood = match flood {
            Some(task) => Some(task.await.map_err(|error| Failure::local(error.to_string()))??),
            None => None,
        };
        watch.drain(sent.refused(), &board).await?;
        show.end();
        Ok(Driven { sent, watched: watch.end(), ended, before, flood })
    }

    fn lane(&self, at: usize, parcels: mpsc::Receiver<Parcel>, board: &Arc<Board>) -> Lane {
        let options = self.options;
        let form = options.form();
        let (lanes, batch) = (options.connections as u32, form.batch as u32);
        let pace = options.rate.map(|rate| {
            let between = Duration::from_secs(u64::from(lanes * batch)).div_f64(rate as f64);
            (between / lanes * at as u32, between)
        });
        // About a million moments are remembered in all.
        let expected = match options.until {
            Until::Count(count) => count,
            Until::Seconds(seconds) => seconds * options.rate.unwrap_or(10_000),
        };
        let remember = expected.div_ceil(1_000_000).max(1);
        let (authority, board) = (self.authority.clone(), board.clone());
        Lane { authority, form, parcels, pace, remember, board }
    }

    /// Watches until all lanes have ended or the time is up.
    async fn watch_lanes(
        &self,
        lanes: &mut JoinSet<Result<Sent, Failure>>,
        watch: &mut Watch,
        board: &Board,
        show: &mut dyn Show,
    ) -> Result<(Sent, Duration), Failure> {
        let (mut sent, mut ended) = (Sent::default(), None);
        loop {
            while let Some(lane) = lanes.try_join_next() {
                sent.add(lane.map_err(|error| Failure::local(error.to_string()))??);
            }
            if lanes.is_empty() {
                return Ok((sent, ended.unwrap_or_else(|| board.begin.elapsed())));
            }
            let height = watch.look(board).await?;
            let now = board.begin.elapsed();
            let (done, total, over) = match self.options.until {
                Until::Seconds(seconds) => (now.as_secs(), seconds, now.as_secs() >= seconds),
                Until::Count(count) => (board.sent.load(Ordering::Relaxed), count, false),
            };
            if ended.is_none() && (over || self.options.stop.load(Ordering::Relaxed)) {
                board.end();
                ended = Some(now);
            }
            let waiting = watch.watched.mempool_left;
            let sent = board.sent.load(Ordering::Relaxed);
            let words = format!("{sent} sent, {waiting} in the mempool, height {height}");
            show.step(done, total, &words);
        }
    }

    async fn wait_for_stock(&self, stock: &Stock, wanted: u64, show: &mut dyn Show) {
        loop {
            let made = stock.made.load(Ordering::Relaxed);
            show.step(made.min(wanted), wanted, "signed ahead");
            if made >= wanted || self.options.stop.load(Ordering::Relaxed) {
                show.end();
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Transactions that are signed before sending begins: all of them, as far as memory allows.
    fn ahead(&self, length: usize) -> u64 {
        // A request is its transaction in base64 and some words.
        let request = length as u64 * 4 / 3 + 150;
        let fit = (self.options.ahead_mb << 20) / request;
        let wanted = match self.options.until {
            Until::Count(count) => count,
            Until::Seconds(seconds) => {
                // What the fastest node took on the machine of the benchmarks, and then some.
                let most = match self.options.target {
                    Target::Kvstore => 35_000,
                    Target::Cyberd | Target::GoCyber => 15_000,
                };
                seconds * self.options.rate.unwrap_or(most.min(25_000_000 / length as u64))
            }
        };
        wanted.min(fit).max(1)
    }

    /// One source for each connection, and the length of a transaction.
    fn sources(&self, maker: Option<Arc<Maker>>, senders: Vec<Sender>) -> (Vec<Source>, usize) {
        let lanes = self.options.connections;
        let Some(maker) = maker else {
            // Another run on the same chain has other keys.
            let first = u64::from(std::process::id()) << 32;
            let source = |lane: usize| Source::KeyValue {
                next: first + lane as u64,
                step: lanes as u64,
                length: self.options.bytes,
            };
            return ((0..lanes).map(source).collect(), self.options.bytes);
        };
        let mut sample = Sender::new(0, &self.options.prefix);
        let receiver = sample.address.clone();
        let length = maker.next(&mut sample, &receiver).len();
        let mut dealt: Vec<Vec<Sender>> = (0..lanes).map(|_| Vec::new()).collect();
        for (at, sender) in senders.into_iter().enumerate() {
            dealt[at % lanes].push(sender);
        }
        let source = |senders| Source::Chain { maker: maker.clone(), senders, at: 0 };
        (dealt.into_iter().map(source).collect(), length)
    }

    /// The maker and the accounts, as the chain knows them.
    async fn accounts(&self, show: &mut dyn Show) -> Result<(Arc<Maker>, Vec<Sender>), Failure> {
        let options = self.options;
        show.say(&format!("looking up {} accounts …", options.accounts));
        let mut maker =
            Maker::new(&self.chain_id, &options.prefix, options.work, options.particles)?;
        maker.gas = options.gas;
        let senders = self.look_up(0..options.accounts).await?;
        Ok((Arc::new(maker), senders))
    }
}
