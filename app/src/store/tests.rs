//! The store as a whole: against a plain model, over restarts, and when its disk dies.

mod model;

use super::backend::MemoryDisk;
use super::*;
use model::Chain;
use proptest::prelude::*;

/// Opens a store that neither checks space nor keeps more than it must.
fn open(disk: &MemoryDisk) -> Result<Store, Fault> {
    Store::open_on(Box::new(disk.clone()), Options::default())
}

#[test]
fn an_empty_store_stays_empty_until_the_first_commit() {
    let disk = MemoryDisk::new();
    let mut chain = Chain::new(7);
    let store = open(&disk).unwrap();
    assert!(store.is_empty());
    let genesis = chain.genesis(&store);
    let first = genesis.app_hash();
    drop(store);
    let mut store = open(&disk).unwrap();
    assert!(store.is_empty(), "staging writes nothing durable");
    let mut chain = Chain::new(7);
    let genesis = chain.genesis(&store);
    assert_eq!(genesis.app_hash(), first, "a genesis staged again answers the same");
    let staged = chain.first_block(&store, &genesis);
    store.commit(staged).unwrap();
    assert!(!store.is_empty());
    chain.check(&store.latest());
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
    let disk = MemoryDisk::new();
    let mut store =
        Store::open_on(Box::new(disk), Options { history_memory_bytes: 0, ..Options::default() })
            .unwrap();
    let mut chain = Chain::new(1);
    chain.start(&mut store);
    for _ in 0..5 {
        chain.block(&mut store);
    }
    let latest = store.latest().height();
    let reader = store.reader();
    assert_eq!(reader.heights(), (latest.previous().unwrap(), latest), "at least two are kept");
    let future = reader.snapshot(latest.next().unwrap()).unwrap_err().refusal();
    assert_eq!(future.code, crate::error::code::INVALID_HEIGHT);
    let pruned = reader.snapshot(Height(latest.0 - 2)).unwrap_err();
    assert_eq!(pruned.refusal().code, crate::error::code::INVALID_REQUEST);
    assert!(pruned.to_string().contains(&format!("height {}", latest.0 - 2)));
    let (hash, roots) = reader.roots(Height(latest.0 - 2)).unwrap().unwrap();
    assert_eq!((hash, roots.len()), (chain.app_hashes[&Height(latest.0 - 2)], 10));
}

#[test]
fn an_old_snapshot_never_changes() {
    let mut store = open(&MemoryDisk::new()).unwrap();
    let mut chain = Chain::new(11);
    chain.start(&mut store);
    let (old, model) = (store.latest(), chain.model.clone());
    for _ in 0..20 {
        chain.block(&mut store);
    }
    model.check(&old);
    chain.check(&store.latest());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn reopening_at_every_height_gives_the_same_state(seed in any::<u64>()) {
        let disk = MemoryDisk::new();
        let mut chain = Chain::new(seed);
        let mut store = open(&disk).unwrap();
        chain.start(&mut store);
        for _ in 0..12 {
            chain.block(&mut store);
            chain.check(&store.latest());
            drop(store);
            store = open(&disk).unwrap();
            prop_assert_eq!(store.recovery().damage.len(), 0);
            chain.check(&store.latest());
        }
    }
}

#[test]
fn sled_keeps_what_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = Chain::new(5);
    let mut store = Store::open(folder.path(), Options::default()).unwrap();
    chain.start(&mut store);
    for _ in 0..6 {
        chain.block(&mut store);
        drop(store);
        store = Store::open(folder.path(), Options::default()).unwrap();
        chain.check(&store.latest());
    }
}
