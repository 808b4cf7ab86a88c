//! What `cyberd load` shows: a bar while it works, a table at the end.

#![allow(clippy::float_arithmetic, reason = "figures for people, never hashed")]

use crate::cli::output::{grouped, table};
use crate::client::load::report::Spread;
use crate::client::load::watch::Used;
use crate::client::load::{Options, Report, Show, Target, Work};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;

/// A bar on a terminal, a line for each thing said elsewhere.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new() -> Progress {
        Progress { bar: None }
    }
}

impl Show for Progress {
    fn say(&mut self, line: &str) {
        self.end();
        eprintln!("{line}");
    }

    fn step(&mut self, done: u64, total: u64, words: &str) {
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} {msg}");
            ProgressBar::new(total).with_style(style.expect("the template is well formed"))
        });
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(words.to_owned());
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// The report for people.
pub fn text(options: &Options, report: &Report) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    let links = report.links_per_transaction;
    row("work", work(options));
    row("sent", grouped(report.sent));
    row("in blocks", format!("{} in {} blocks", grouped(report.committed), grouped(report.blocks)));
    row("steady", pace(&report.steady, links));
    row("whole run", pace(&report.whole, links));
    row("a second", seconds(report));
    row("submission to block", spread(&report.latency_ms));
    row("block interval", spread(&report.interval_ms));
    row(
        "largest block",
        format!(
            "{} transactions, {} bytes",
            grouped(report.transactions_per_block_most),
            grouped(report.block_bytes_most)
        ),
    );
    row("mempool at most", grouped(report.mempool_most));
    row("refused at the door", refused(&report.refused));
    row("failed in blocks", failed(report));
    row("missing", grouped(report.missing));
    if let Some(added) = report.links_added {
        row("links the chain counts", grouped(added));
    }
    let programs =
        [("load", report.load), ("CometBFT", report.cometbft), ("cyberd", report.application)];
    for (name, used) in programs {
        row(name, used.map_or_else(|| "not on this machine".to_owned(), |u| cost(&u, report)));
    }
    if let Some(flood) = &report.flood {
        row("flood", format!("{:?}, {} sent", flood.kind, grouped(flood.sent)));
        row("flood a second", grouped(flood.sent_per_second as u64));
        row("flood refused", refused(&flood.refused));
        row("flood taken", grouped(flood.accepted));
    }
    table(&rows)
}

fn work(options: &Options) -> String {
    let what = match (options.target, options.work) {
        (Target::Kvstore, _) => format!("key-value transactions of {} bytes", options.bytes),
        (_, Work::Links(1)) => "single-link transactions".to_owned(),
        (_, Work::Links(links)) => format!("transactions of {links} links"),
        (_, Work::Send) => "plain sends".to_owned(),
    };
    let rate = options.rate.map_or(String::new(), |rate| format!(", {} a second", grouped(rate)));
    let mode = format!("{:?}", options.mode).to_lowercase();
    let batch = options.batch;
    format!("{what}{rate}; {mode} of {batch} over {} connections", options.connections)
}

fn pace(pace: &crate::client::load::report::Pace, links: u32) -> String {
    let links = match links {
        0 | 1 => String::new(),
        _ => format!(" = {} links/s", grouped(pace.links_per_second as u64)),
    };
    let rate = grouped(pace.transactions_per_second as u64);
    format!("{rate} tx/s{links} ({} in {:.1} s)", grouped(pace.transactions), pace.seconds)
}

/// The middle and the ends of the seconds in which there was a block.
fn seconds(report: &Report) -> String {
    let mut transactions: Vec<u64> = report.seconds.iter().map(|second| second[0]).collect();
    transactions.retain(|count| *count > 0);
    transactions.sort_unstable();
    let at = |place: usize| transactions.get(place).copied().map_or_else(String::new, grouped);
    let count = transactions.len();
    format!("{} to {}, half below {}", at(0), at(count.saturating_sub(1)), at(count / 2))
}

fn spread(spread: &Spread) -> String {
    match spread.count {
        0 => "not measured".to_owned(),
        count => format!(
            "p50 {:.0} ms, p99 {:.0} ms, at most {:.0} ms (of {})",
            spread.p50,
            spread.p99,
            spread.most,
            grouped(count)
        ),
    }
}

/// Codes and how often, with one text each.
pub fn refused(refused: &BTreeMap<String, (u64, String)>) -> String {
    let one = |(code, (count, text)): (&String, &(u64, String))| {
        let text: String = text.chars().take(100).collect();
        format!("{} × {code} ({text})", grouped(*count))
    };
    match refused.is_empty() {
        true => "none".to_owned(),
        false => refused.iter().map(one).collect::<Vec<_>>().join("; "),
    }
}

fn failed(report: &Report) -> String {
    let [read, of] = report.results_read;
    let codes: Vec<String> =
        report.failed.iter().map(|(code, count)| format!("{} × {code}", grouped(*count))).collect();
    let codes = if codes.is_empty() { "none".to_owned() } else { codes.join(", ") };
    format!("{codes} (results of {read} of {of} blocks)")
}

fn cost(used: &Used, report: &Report) -> String {
    let each = used.cpu_seconds * 1e6 / report.committed.max(1) as f64;
    format!(
        "{:.1} s of processor ({each:.0} µs a transaction), memory {} → {} MB, at most {} MB",
        used.cpu_seconds, used.memory_mb_at_begin, used.memory_mb_at_end, used.memory_mb_most
    )
}
