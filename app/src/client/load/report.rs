//! The report of a run: what the blocks hold, how long it took, what it cost. Numbers only; the
//! command line makes a table of it.

#![allow(clippy::float_arithmetic, reason = "figures for people, never hashed")]

use super::blocks::{Header, Read};
use super::send::Sent;
use super::watch::{Used, Watched};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a run came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub target: String,
    pub links_per_transaction: u32,
    /// Transactions handed over.
    pub sent: u64,
    /// Transactions in blocks.
    pub committed: u64,
    /// Transactions that a block took and that did not do what they asked for, by code.
    pub failed: BTreeMap<String, u64>,
    /// Blocks whose results were read, of how many with transactions.
    pub results_read: [u64; 2],
    /// Refusals at the door, by code, with one of the texts.
    pub refused: BTreeMap<String, (u64, String)>,
    /// Handed over, neither in a block nor known to be refused nor waiting at the end.
    pub missing: u64,
    /// From the first block's commit to the last one while sending went on.
    pub steady: Pace,
    /// From the first submission to the last commit.
    pub whole: Pace,
    /// Transactions and links committed in each second since the first submission.
    pub seconds: Vec<[u64; 2]>,
    /// From the submission to the commit.
    pub latency_ms: Spread,
    /// From one commit to the next while sending went on.
    pub interval_ms: Spread,
    pub blocks: u64,
    pub transactions_per_block_most: u64,
    pub block_bytes_most: u64,
    pub mempool_most: u64,
    pub load: Option<Used>,
    pub cometbft: Option<Used>,
    pub application: Option<Used>,
    /// What the chain's own counter of links says this run added, for our chain.
    pub links_added: Option<u64>,
    /// What the flood beside it came to.
    pub flood: Option<super::flood::Report>,
}

/// So much in so much time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pace {
    pub seconds: f64,
    pub transactions: u64,
    pub transactions_per_second: f64,
    pub links_per_second: f64,
}

impl Pace {
    fn of(transactions: u64, links: u32, lasted: Duration) -> Pace {
        let seconds = lasted.as_secs_f64();
        let rate = if seconds > 0.0 { transactions as f64 / seconds } else { 0.0 };
        Pace {
            seconds,
            transactions,
            transactions_per_second: rate,
            links_per_second: rate * f64::from(links),
        }
    }
}

/// How measured times lie, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    pub count: u64,
    pub p50: f64,
    pub p99: f64,
    pub most: f64,
}

impl Spread {
    /// Of times in microseconds.
    pub fn of(mut times_us: Vec<u64>) -> Spread {
        times_us.sort_unstable();
        let at = |thousandths: usize| {
            let last = times_us.len().saturating_sub(1);
            let place = times_us.len() * thousandths / 1_000;
            times_us.get(place.min(last)).map_or(0.0, |us| *us as f64 / 1_000.0)
        };
        Spread { count: times_us.len() as u64, p50: at(500), p99: at(990), most: at(1_000) }
    }
}

/// All that was seen of a run.
pub struct Seen<'a> {
    pub sent: Sent,
    pub watched: &'a Watched,
    pub headers: &'a [Header],
    pub read: &'a [Read],
    /// When sending ended.
    pub ended: Duration,
    pub links: u32,
}

impl Seen<'_> {
    /// Makes the report of it.
    pub fn report(mut self) -> Report {
        let committed = self.headers.iter().map(|header| header.transactions).sum();
        let full: Vec<&Header> =
            self.headers.iter().filter(|header| header.transactions > 0).collect();
        let known = committed + self.sent.refused() + self.watched.mempool_left;
        let [load, cometbft, application] = self.watched.used;
        Report {
            links_per_transaction: self.links,
            sent: self.sent.transactions,
            committed,
            failed: self.failed(),
            results_read: [self.read.len() as u64, full.len() as u64],
            refused: std::mem::take(&mut self.sent.refusals),
            missing: self.sent.transactions.saturating_sub(known),
            steady: self.steady(),
            whole: self.whole(committed),
            seconds: self.seconds(),
            latency_ms: self.latency(),
            interval_ms: self.intervals(),
            blocks: full.len() as u64,
            transactions_per_block_most: most(&full, |header| header.transactions),
            block_bytes_most: most(&full, |header| header.bytes),
            mempool_most: self.watched.mempool_most,
            load,
            cometbft,
            application,
            ..Report::default()
        }
    }

    /// The moment a height was first seen committed.
    fn moment(&self, height: u64) -> Option<Duration> {
        let heights = &self.watched.heights;
        let place = heights.partition_point(|(seen, _)| *seen < height);
        heights.get(place).map(|(_, moment)| *moment)
    }

    fn failed(&self) -> BTreeMap<String, u64> {
        let mut failed = BTreeMap::new();
        let codes = self.read.iter().flat_map(|read| &read.codes);
        for (code, count) in codes.filter(|(code, _)| *code != "0") {
            *failed.entry(code.clone()).or_insert(0) += count;
        }
        failed
    }

    /// The first block with transactions begins the time, the last one before sending ended ends
    /// it; where that leaves no block, the whole run stands.
    fn steady(&self) -> Pace {
        let full = self.headers.iter().filter(|header| header.transactions > 0);
        let first = full.clone().next().and_then(|header| self.moment(header.height));
        let Some(first) = first else { return Pace::default() };
        let inside = |header: &&Header| {
            self.moment(header.height).is_some_and(|moment| moment > first && moment <= self.ended)
        };
        let last = full.clone().filter(inside).filter_map(|h| self.moment(h.height)).max();
        let transactions: u64 = full.filter(inside).map(|header| header.transactions).sum();
        match last {
            Some(last) => Pace::of(transactions, self.links, last - first),
            None => self.whole(self.headers.iter().map(|header| header.transactions).sum()),
        }
    }

    fn whole(&self, committed: u64) -> Pace {
        let full = self.headers.iter().rfind(|header| header.transactions > 0);
        let last = full.and_then(|header| self.moment(header.height));
        last.map_or_else(Pace::default, |last| Pace::of(committed, self.links, last))
    }

    fn seconds(&self) -> Vec<[u64; 2]> {
        let mut seconds = Vec::new();
        for header in self.headers {
            let Some(moment) = self.moment(header.height) else { continue };
            let second = moment.as_secs() as usize;
            seconds.resize(seconds.len().max(second + 1), [0, 0]);
            seconds[second][0] += header.transactions;
            seconds[second][1] += header.transactions * u64::from(self.links);
        }
        seconds
    }

    fn latency(&mut self) -> Spread {
        self.sent.marks.sort_unstable();
        let mut times = Vec::new();
        for read in self.read {
            let Some(committed) = self.moment(read.height) else { continue };
            let committed = committed.as_micros() as u64;
            for mark in &read.marks {
                let marks = &self.sent.marks;
                if let Ok(place) = marks.binary_search_by_key(mark, |(mark, _)| *mark) {
                    times.push(committed.saturating_sub(marks[place].1));
                }
            }
        }
        Spread::of(times)
    }

    fn intervals(&self) -> Spread {
        let while_sending: Vec<Duration> =
            self.watched.heights.iter().map(|(_, m)| *m).filter(|m| *m <= self.ended).collect();
        let between = |pair: &[Duration]| (pair[1] - pair[0]).as_micros() as u64;
        Spread::of(while_sending.windows(2).map(between).collect())
    }
}

fn most(headers: &[&Header], of: impl Fn(&Header) -> u64) -> u64 {
    headers.iter().map(|header| of(header)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_report_counts_blocks_not_answers() {
        let header = |height, transactions| Header { height, transactions, bytes: 10 };
        let headers = [header(5, 0), header(6, 100), header(7, 300), header(8, 500), header(9, 50)];
        let heights = vec![(5, seconds(1)), (6, seconds(2)), (8, seconds(4)), (9, seconds(6))];
        let watched = Watched { heights, mempool_left: 5, ..Watched::default() };
        let codes = BTreeMap::from([("0".to_owned(), 299), ("graph/2".to_owned(), 1)]);
        let read = [Read { height: 7, marks: vec![11, 12, 99], codes }];
        let mut sent = Sent {
            transactions: 960,
            marks: vec![(12, 500_000), (11, 1_000_000)],
            ..Sent::default()
        };
        sent.refusals.insert("sdk/32".to_owned(), (3, "wrong".to_owned()));
        let (ended, links) = (seconds(5), 10);
        let seen = Seen { sent, watched: &watched, headers: &headers, read: &read, ended, links };
        let report = seen.report();
        assert_eq!((report.committed, report.missing), (950, 2));
        assert_eq!(report.failed, BTreeMap::from([("graph/2".to_owned(), 1)]));
        assert_eq!(report.results_read, [1, 4]);
        // Blocks 7 and 8, from the commit of 6; 7 was seen together with 8.
        assert_eq!((report.steady.transactions, report.steady.seconds), (800, 2.0));
        assert_eq!(report.steady.links_per_second, 4_000.0);
        assert_eq!((report.whole.transactions, report.whole.seconds), (950, 6.0));
        assert_eq!(report.seconds[4], [800, 8_000]);
        assert_eq!(
            report.latency_ms,
            Spread { count: 2, p50: 3_500.0, p99: 3_500.0, most: 3_500.0 }
        );
        assert_eq!(report.interval_ms.most, 2_000.0);
    }
}
