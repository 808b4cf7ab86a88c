//! What each phase of a transaction's life costs, one after the other: decoding, the door's cheap
//! checks, its signatures, the messages, trees and logs, journal and columns, the check after a
//! block. Times are of 10,000 transactions of a link by 10,000 neurons; but for trees, logs and
//! rechecks on one core.
//!
//! `cargo bench -p cyberd --bench phases [-- LINKS …] [--keep FOLDER]`; `-- --test` is small.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(clippy::float_arithmetic, reason = "figures for people")]

mod common;

use common::{next_block, open, timed, Arguments, Signer, NEURONS};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use cyberd::ante::{self, Budget, Context, Mode};
use cyberd::engine::{CheckKind, CheckRequest, Engine, Options};
use cyberd::modules::{auth, bandwidth, graph, Rules};
use cyberd::state::Overlay;
use cyberd::store::Store;
use cyberd::tx::{self, Msg, Tx};
use cyberd::types::Height;
use prost::bytes::Bytes;
use std::time::Duration;

fn main() {
    let arguments = Arguments::read();
    let (txs, seconds) = if arguments.is_test { (100, 0.1) } else { (NEURONS, 3.0) };
    for links in &arguments.sizes {
        let folder = arguments.chain(*links);
        let mut criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_secs_f64(seconds / 6.0))
            .measurement_time(Duration::from_secs_f64(seconds));
        let mut group = criterion.benchmark_group(format!("{links} links, {txs} transactions"));
        group.throughput(Throughput::Elements(txs as u64));
        let mut store = open(folder.path());
        let bytes = Signer::new(&store.latest(), *links).links(txs, 1);
        of_transactions(&mut group, &store, &bytes);
        of_blocks(&mut group, &mut store, *links, txs);
        recheck(&mut group, store, *links, txs);
        group.finish();
    }
}

fn decoded(bytes: &[Bytes], rules: &Rules) -> Vec<Tx> {
    let decode = |bytes: &Bytes| tx::decode(bytes.clone(), &rules.chain.address_prefix);
    bytes.iter().map(|bytes| decode(bytes).expect("a transaction")).collect()
}

/// The door without signatures, on top of what it admitted before.
fn door(overlay: &mut Overlay<'_>, txs: &[Tx], rules: &Rules, height: Height) {
    let verify = |_: &Tx, _, _: &_, _| Ok(());
    let mode = Mode::Block;
    let context = Context { mode, rules, height, minimum_gas_prices: &[], verify: &verify };
    let mut budget = Budget::of_block(rules);
    for tx in txs {
        let mut own = Overlay::new(&*overlay);
        let admitted = ante::admit(&mut own, tx, &context, &mut budget);
        assert!(admitted.is_ok(), "{:?}", admitted.err());
        let changes = own.into_changes();
        overlay.apply(changes);
    }
}

fn apply(overlay: &mut Overlay<'_>, txs: &[Tx], rules: &Rules, height: Height) {
    for message in txs.iter().flat_map(|tx| &tx.messages) {
        let Msg::Cyberlink(links) = message else { continue };
        let prefix = &rules.chain.address_prefix;
        let accepted = graph::handler::cyberlink(overlay, links, prefix, height);
        assert!(accepted.is_ok(), "{:?}", accepted.err());
    }
}

fn of_transactions(group: &mut BenchmarkGroup<'_, WallTime>, store: &Store, bytes: &[Bytes]) {
    let state = store.latest();
    let rules = Rules::read(&*state);
    let height = state.height().next().expect("small");
    let txs = decoded(bytes, &rules);
    group.bench_function("decode", |bench| bench.iter(|| decoded(bytes, &rules)));
    group.bench_function("door, cheap checks", |bench| {
        bench.iter(|| door(&mut Overlay::new(&*state), &txs, &rules, height));
    });
    let number = |tx: &Tx| {
        let account = auth::state::account(&*state, &tx.signers()[0]).expect("of the genesis");
        account.base().account_number
    };
    let numbers: Vec<u64> = txs.iter().map(number).collect();
    group.bench_function("door, signatures", |bench| {
        bench.iter(|| {
            for (tx, number) in txs.iter().zip(&numbers) {
                let key = tx.signer_infos[0].public_key.as_ref().expect("given");
                tx::verify(tx, 0, key, &rules.chain.chain_id, *number).expect("signed");
            }
        });
    });
    group.bench_function("apply", |bench| {
        bench.iter(|| apply(&mut Overlay::new(&*state), &txs, &rules, height));
    });
}

/// Trees and logs of a block are staged, then committed durably.
fn of_blocks(
    group: &mut BenchmarkGroup<'_, WallTime>,
    store: &mut Store,
    links: u64,
    count: usize,
) {
    let mut stage = |iterations: u64, is_commit: bool| {
        let mut total = Duration::ZERO;
        for _ in 0..iterations {
            let base = store.latest();
            let (rules, height) = (Rules::read(&*base), base.height().next().expect("small"));
            let txs = decoded(&Signer::new(&base, links).links(count, 1), &rules);
            let mut overlay = Overlay::new(&*base);
            door(&mut overlay, &txs, &rules, height);
            apply(&mut overlay, &txs, &rules, height);
            bandwidth::hooks::end_block(&mut overlay, height, count as u64);
            graph::state::count(&mut overlay);
            let (staged, took) = timed(|| store.stage(&base, height, overlay.changes(), None));
            let (_, committed) = timed(|| store.commit(staged).expect("the disk takes it"));
            total += if is_commit { committed } else { took };
        }
        total
    };
    group.bench_function("trees and logs", |bench| {
        bench.iter_custom(|iterations| stage(iterations, false));
    });
    group.bench_function("commit: journal and columns, durable", |bench| {
        bench.iter_custom(|iterations| stage(iterations, true));
    });
}

fn recheck(group: &mut BenchmarkGroup<'_, WallTime>, store: Store, links: u64, count: usize) {
    let engine = Engine::new(store, Options::default());
    let bytes = Signer::new(&engine.base().expect("a state"), links).links(count, 1);
    let requests: Vec<CheckRequest> =
        bytes.into_iter().map(|tx| CheckRequest { tx, kind: CheckKind::Recheck }).collect();
    group.bench_function("recheck", |bench| {
        bench.iter_custom(|iterations| {
            let mut total = Duration::ZERO;
            for _ in 0..iterations {
                engine.finalize_block(&next_block(&engine, Vec::new())).expect("no fault");
                engine.commit().expect("the disk takes it");
                let mut results = Vec::new();
                total += timed(|| engine.check_txs(&requests, &mut results)).1;
                assert!(results.iter().all(|result| result.is_ok()));
            }
            total
        });
    });
}
