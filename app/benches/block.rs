//! Whole blocks in process, signed and durable: transactions and links a second; what CheckTx,
//! proposals, leftovers and floods cost; a start.
//!
//! `cargo bench -p cyberd --bench block [-- LINKS …] [NAME …] [--keep FOLDER]`, with names of
//! `blocks`, `checks`, `floods`, `start`. Without sizes 10^5 and 10^6 links, both with 10^6
//! accounts; 10^7 links take 5 minutes and 5 GB to make the first time. `-- --test` is small.
//! Figures on standard output, in Markdown.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(clippy::float_arithmetic, reason = "figures for people")]

mod common;

use common::{engine, median, next_block, open, run_block, timed, Arguments, Signer, NEURONS};
use cyberd::engine::{CheckKind, CheckRequest, Engine, Proposal};
use cyberd::testkit::wallet::TxOptions;
use prost::bytes::Bytes;
use std::path::Path;
use std::time::Duration;

/// Blocks of each kind that are measured.
const BLOCKS: usize = 7;
/// As many as arrive together on the socket.
const BATCH: usize = 512;

/// Measures on the chain in a folder, of so many links, with a part of the transactions.
type Part = fn(&Path, u64, usize);

fn main() {
    let arguments = Arguments::read();
    for links in &arguments.sizes {
        let folder = arguments.chain(*links);
        println!("\n## {links} links, {} accounts\n", arguments.accounts);
        let parts: [(&str, Part); 4] =
            [("start", start), ("blocks", blocks), ("checks", checks), ("floods", floods)];
        for (name, run) in parts {
            if arguments.wants(name) {
                run(folder.path(), *links, if arguments.is_test { 10 } else { 1 });
            }
        }
    }
}

fn start(folder: &Path, _links: u64, _part: usize) {
    let (store, took) = timed(|| open(folder));
    let height = store.recovery().height;
    println!("Opened and verified at height {height} in {:.2} s.\n", took.as_secs_f64());
}

/// CPU seconds of this process so far, all threads.
fn cpu() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    let usage = usage.expect("the system counts");
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn request(tx: &Bytes, kind: CheckKind) -> CheckRequest {
    CheckRequest { tx: tx.clone(), kind }
}

/// CheckTx in batches; how many were admitted.
fn check(engine: &Engine, txs: &[Bytes], kind: CheckKind) -> usize {
    let mut results = Vec::with_capacity(txs.len());
    for batch in txs.chunks(BATCH) {
        let requests: Vec<_> = batch.iter().map(|tx| request(tx, kind)).collect();
        engine.check_txs(&requests, &mut results);
    }
    results.iter().filter(|result| result.is_ok()).count()
}

fn blocks(folder: &Path, links: u64, part: usize) {
    let engine = engine(folder);
    let mut signer = Signer::new(&engine.base().expect("a state"), links);
    println!("| block | execute, ms | commit, ms | CPU, ms | tx/s | links/s |");
    println!("|---|---|---|---|---|---|");
    let cases = [
        ("links, a transaction each, not seen before", 10_000, 1, false),
        ("links, a transaction each, checked before", 10_000, 1, true),
        ("links, ten a transaction", 5_000, 10, false),
        ("links, a hundred a transaction", 1_000, 100, false),
        ("links, a transaction each, checked before", 500, 1, true),
        ("sends", 10_000, 0, false),
    ];
    for (name, txs, each, is_checked) in cases {
        let txs = txs / part;
        let (mut execute, mut commit, mut used) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..BLOCKS {
            let signed = if each == 0 { signer.sends(txs) } else { signer.links(txs, each) };
            if is_checked {
                assert_eq!(check(&engine, &signed, CheckKind::New), txs);
            }
            let before = cpu();
            let (finalized, committed, _) = run_block(&engine, signed);
            used.push(Duration::from_secs_f64(cpu() - before));
            execute.push(finalized);
            commit.push(committed);
        }
        let total: Vec<_> = execute.iter().zip(&commit).map(|(a, b)| *a + *b).collect();
        let per_second = txs as f64 * 1e3 / median(total);
        println!(
            "| {txs} {name} | {:.1} | {:.1} | {:.0} | {per_second:.0} | {:.0} |",
            median(execute),
            median(commit),
            median(used),
            per_second * each as f64
        );
    }
    println!();
}

/// Checks, a proposal of them, a block of half of them, and the rest checked again.
fn checks(folder: &Path, links: u64, part: usize) {
    let engine = engine(folder);
    let mut signer = Signer::new(&engine.base().expect("a state"), links);
    let count = NEURONS / part;
    let (mut new, mut propose, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        let txs = signer.links(count, 1);
        let (admitted, took) = timed(|| check(&engine, &txs, CheckKind::New));
        assert_eq!(admitted, count);
        new.push(took);
        let block = next_block(&engine, Vec::new());
        let (height, time) = (block.height, block.time);
        let proposal = Proposal { height, time, max_tx_bytes: 1 << 30, txs: txs.clone() };
        let (proposed, took) = timed(|| engine.prepare_proposal(&proposal).expect("a state"));
        assert_eq!(proposed.len(), count);
        propose.push(took);
        let (now, later) = txs.split_at(count / 2);
        run_block(&engine, now.to_vec());
        let (left, took) = timed(|| check(&engine, later, CheckKind::Recheck));
        assert_eq!(left, later.len());
        again.push(took);
        run_block(&engine, later.to_vec());
    }
    let (new, propose, again) = (median(new), median(propose), median(again));
    println!("| of transactions of a link | ms | a second |");
    println!("|---|---|---|");
    let line = |name: &str, count: usize, took: f64| {
        println!("| {name} {count} | {took:.1} | {:.0} |", count as f64 * 1e3 / took);
    };
    line("checking", count, new);
    line("proposing", count, propose);
    line("rechecking after a block", count / 2, again);
    println!();
}

/// What is refused before any signature work, per second of one core.
fn floods(folder: &Path, links: u64, part: usize) {
    let engine = engine(folder);
    let mut signer = Signer::new(&engine.base().expect("a state"), links);
    let count = NEURONS / part;
    let good = signer.links(count, 1);
    let unknown: Vec<_> = {
        let mut wallets: Vec<_> = (0..100).map(|n| common::wallet(NEURONS + n)).collect();
        let sign = |n: usize| {
            let wallet = &mut wallets[n % 100];
            let link = (common::particle(1), common::particle(n as u64 + 2));
            let message = wallet.link_message(&[link], false);
            wallet.sign(vec![message])
        };
        (0..count).map(sign).collect()
    };
    let unsigned: Vec<_> = good.iter().map(|tx| tx.slice(..tx.len() - 66)).collect();
    let long = TxOptions { memo: "m".repeat(140_000), ..TxOptions::default() };
    let oversized: Vec<_> = {
        let wallet = &signer.wallets[0];
        let message = wallet.link_message(&[(common::particle(1), common::particle(2))], false);
        let tx = wallet.sign_at(vec![message], &long, wallet.sequence);
        vec![tx; count]
    };
    assert_eq!(check(&engine, &good, CheckKind::New), count);
    println!("| flood | refused a second of one core |");
    println!("|---|---|");
    let cases = [
        ("unpayable: neurons without stake", unknown),
        ("unsigned", unsigned),
        ("oversized: 140 kB", oversized),
        ("duplicates", good),
    ];
    for (name, txs) in cases {
        let before = cpu();
        for _ in 0..5 {
            assert_eq!(check(&engine, &txs, CheckKind::New), 0, "{name}");
        }
        let rate = 5.0 * txs.len() as f64 / (cpu() - before);
        println!("| {name} | {rate:.0} |");
    }
    println!();
}
