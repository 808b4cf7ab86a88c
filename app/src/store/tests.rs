//! The store as a whole: against a plain model, over restarts, when its disk dies, and when it is
//! damaged.

mod crash;
mod damage;
mod deltas;
mod files;
mod model;

use super::backend::MemoryDisk;
use super::*;
use model::Chain;
use proptest::prelude::*;

/// Settings under which checkpoints come only when asked for.
fn by_hand() -> Options {
    let (checkpoint_heights, checkpoint_journal_bytes) = (u64::MAX, u64::MAX);
    Options { checkpoint_heights, checkpoint_journal_bytes, ..Options::default() }
}

fn open(disk: &MemoryDisk) -> Result<Store, Fault> {
    Store::open_on(Box::new(disk.clone()), by_hand())
}

#[test]
fn an_empty_store_stays_empty_until_the_first_commit() {
    let disk = MemoryDisk::new();
    let mut chain = Chain::new(7);
    let store = open(&disk).unwrap();
    assert!(store.is_empty());
    let first = chain.genesis(&store).app_hash();
    drop(store);
    let mut store = open(&disk).unwrap();
    assert!(store.is_empty(), "staging writes nothing durable");
    let again = chain.genesis(&store).app_hash();
    assert_eq!(again, first, "a genesis staged again answers the same");
    chain.block(&mut store);
    assert!(!store.is_empty());
    chain.check(&store);
}

#[test]
fn a_staged_genesis_answers_like_a_committed_state() {
    let store = open(&MemoryDisk::new()).unwrap();
    let mut chain = Chain::new(3);
    let genesis = chain.genesis(&store);
    chain.model.check(genesis.snapshot());
    assert!(genesis.snapshot().sizes().links > 0, "links of the genesis are part of the test");
}

#[test]
fn a_future_and_a_forgotten_height_are_refused_with_the_numbers() {
    let options = Options { history_memory_bytes: 0, ..by_hand() };
    let mut store = Store::open_on(Box::new(MemoryDisk::new()), options).unwrap();
    let mut chain = Chain::new(1);
    (0..6).for_each(|_| chain.block(&mut store));
    let latest = store.latest().height();
    let reader = store.reader();
    assert_eq!(reader.heights(), (latest.previous().unwrap(), latest), "at least two are kept");
    let future = reader.snapshot(latest.next().unwrap()).unwrap_err().refusal();
    assert_eq!(future.code, crate::error::code::INVALID_HEIGHT);
    let old = Height(latest.0 - 2);
    let pruned = reader.snapshot(old).unwrap_err();
    assert_eq!(pruned.refusal().code, crate::error::code::INVALID_REQUEST);
    assert!(pruned.to_string().contains(&format!("height {old}")));
    let (hash, roots) = reader.roots(old).unwrap().unwrap();
    assert_eq!((hash, roots.len()), (chain.blocks[&old].app_hash, 10));
    assert_eq!(reader.roots(latest.next().unwrap()).unwrap(), None);
}

#[test]
fn an_old_snapshot_never_changes() {
    let mut store = open(&MemoryDisk::new()).unwrap();
    let mut chain = Chain::new(11);
    chain.block(&mut store);
    let (old, model) = (store.latest(), chain.model.clone());
    (0..20).for_each(|_| chain.block(&mut store));
    model.check(&old);
    chain.check(&store);
    let kept = store.snapshot(old.height()).unwrap();
    assert!(Arc::ptr_eq(&kept, &old), "20 small heights fit the memory for them");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn reopening_at_every_height_gives_the_same_state(seed in any::<u64>()) {
        let disk = MemoryDisk::new();
        let mut chain = Chain::new(seed);
        let mut store = open(&disk).unwrap();
        for height in 0..14 {
            chain.block(&mut store);
            chain.check(&store);
            if height % 4 == 3 {
                store.checkpoint().unwrap();
            }
            drop(store);
            store = open(&disk).unwrap();
            prop_assert_eq!(&store.recovery().damage, &Vec::<String>::new());
            prop_assert_eq!(store.recovery().replayed, (height + 1) % 4);
            chain.check(&store);
        }
    }
}

#[test]
fn sled_keeps_what_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = Chain::new(5);
    let options = Options { checkpoint_heights: 4, ..Options::default() };
    let mut store = Store::open(folder.path(), options.clone()).unwrap();
    for _ in 0..12 {
        chain.block(&mut store);
        drop(store);
        store = Store::open(folder.path(), options.clone()).unwrap();
        chain.check(&store);
    }
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _store = Store::open(folder.path(), Options::default()).unwrap();
    let fault = Store::open(folder.path(), Options::default()).err().unwrap();
    assert!(fault.to_string().contains("in use by another process"), "{fault}");
}

#[test]
fn many_segments_and_parts_come_back_from_a_checkpoint() {
    let disk = MemoryDisk::new();
    let mut chain = Chain::new(21);
    (chain.size, chain.variety) = (9_000, 20_000);
    let mut store = open(&disk).unwrap();
    (0..2).for_each(|_| chain.block(&mut store));
    let sizes = store.latest().sizes();
    assert!(sizes.particles > 2 * tables::PARTICLES && sizes.links > 2 * tables::LINKS);
    assert!(sizes.neurons > tables::NEURONS);
    store.checkpoint().unwrap();
    drop(store);
    let mut store = open(&disk).unwrap();
    assert_eq!((store.recovery().replayed, store.recovery().checkpoint), (0, Some(chain.height())));
    let latest = store.latest();
    assert_eq!(latest.app_hash(), chain.blocks[&latest.height()].app_hash);
    chain.size = 50;
    chain.block(&mut store);
    let before = disk.written(tables::CHECKPOINTS[0]);
    store.checkpoint().unwrap();
    chain.block(&mut store);
    store.checkpoint().unwrap();
    let parts = |keys: &[Vec<u8>], tag: u8| keys.iter().filter(|key| key[0] == tag).count();
    let written = &disk.written(tables::CHECKPOINTS[0])[before.len()..];
    assert!(parts(&before, b'L') > 2 && parts(&before, b'P') > 2);
    assert!(parts(written, b'L') <= 1, "full segments are not written again");
    assert!(parts(written, b'P') <= 1 && parts(written, b'N') <= 1);
}

#[test]
fn readers_go_on_while_blocks_and_checkpoints_are_written() {
    let disk = MemoryDisk::new();
    let options = Options { checkpoint_heights: 3, ..Options::default() };
    let mut store = Store::open_on(Box::new(disk.clone()), options).unwrap();
    let mut chain = Chain::new(9);
    chain.block(&mut store);
    let reader = store.reader();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use crate::state::Read;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let snapshot = reader.latest();
                let (particles, links) = snapshot.graph_size();
                for number in (0..particles.0).map(crate::types::ParticleNumber) {
                    let particle = snapshot.particle(number).unwrap();
                    assert_eq!(snapshot.particle_number(&particle), Some(number));
                }
                for number in (0..links.0).map(crate::types::LinkNumber) {
                    let link = snapshot.link(number).unwrap();
                    assert!(snapshot.has_link(&link.neuron, link.from, link.to));
                }
            }
        });
        (0..60).for_each(|_| chain.block(&mut store));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    store.checkpoint().unwrap();
    assert_eq!(store.checkpoints().len(), 2);
    drop(store);
    chain.check(&open(&disk).unwrap());
}

#[test]
fn the_journal_before_the_older_checkpoint_goes() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    let mut chain = Chain::new(2);
    let records = |disk: &MemoryDisk| -> std::collections::BTreeSet<u64> {
        let keys = disk.keys(tables::JOURNAL);
        keys.iter().filter_map(|key| tables::split_record_key(key)).map(|(h, _)| h.0).collect()
    };
    (0..3).for_each(|_| chain.block(&mut store));
    store.checkpoint().unwrap();
    assert_eq!(records(&disk).len(), 3, "one checkpoint may need the journal to stand in for it");
    (0..2).for_each(|_| chain.block(&mut store));
    store.checkpoint().unwrap();
    let (first, last) = (chain.height().0 - 1, chain.height().0);
    assert_eq!(records(&disk), [first, last].into());
    chain.block(&mut store);
    assert_eq!(records(&disk), [first, last, last + 1].into());
}

#[test]
fn a_full_disk_gives_up_its_reserve_to_open_and_takes_it_back_with_room() {
    let disk = MemoryDisk::new();
    let options = Options { reserve_bytes: 50_000_000, ..by_hand() };
    let open = || Store::open_on(Box::new(disk.clone()), options.clone());
    let mut chain = Chain::new(6);
    chain.block(&mut open().unwrap());
    assert_eq!(disk.reserve(), 50_000_000);
    disk.set_free_bytes(0);
    let mut store = open().unwrap();
    assert_eq!(disk.reserve(), 0, "given up");
    chain.check(&store);
    let fault = chain.try_block(&mut store).unwrap_err().to_string();
    let words = ["50 MB are free in memory", "going on needs 68", "at least 18 MB"];
    assert!(words.iter().all(|words| fault.contains(words)), "{fault}");
    drop(store);
    disk.set_free_bytes(0);
    let fault = open().err().expect("no reserve is left").to_string();
    assert!(fault.contains("opening needs 17") && fault.contains("nothing is lost"), "{fault}");
    disk.set_free_bytes(500_000_000);
    chain.block(&mut open().unwrap());
    assert_eq!(disk.reserve(), 50_000_000, "there is room again");
}

#[test]
fn a_nearly_full_disk_stops_commits_before_anything_is_written() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    let mut chain = Chain::new(4);
    chain.block(&mut store);
    disk.set_free_bytes(by_hand().free_bytes_min - 1);
    let operations = disk.operations();
    let fault = chain.try_block(&mut store).unwrap_err();
    assert!(matches!(&fault, Fault::Storage(text) if text.contains("free some space")), "{fault}");
    assert_eq!(disk.operations(), operations);
    disk.set_free_bytes(u64::MAX);
    drop(store);
    let mut store = open(&disk).unwrap();
    chain.block(&mut store);
    chain.check(&store);
}
