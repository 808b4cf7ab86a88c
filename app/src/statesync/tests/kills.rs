//! A restore that is killed at any moment, or begun anew, starts clean.

use super::*;
use crate::testkit::{story, Chain};

#[test]
fn a_kill_at_any_chunk_leaves_nothing_and_a_new_start_restores() {
    let folder = tempfile::tempdir().unwrap();
    let file = made(folder.path(), &large());
    let offer = offer_of(&file);
    let home = folder.path().join("home");
    for taken in 0..3u32 {
        let service = service(&home);
        assert_eq!(service.offer(&offer, &large().app_hash()).unwrap(), OfferVerdict::Accept);
        let order: Vec<u32> = (0..taken).collect();
        let (_, state) = feed(&service, &file, &order);
        assert!(state.is_none());
        // No tidying up, as after a kill.
        std::mem::forget(service);
        let again = super::service(&home);
        assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0, "after {taken} chunks");
        let chunk = again.apply(taken, b"", "peer", |_| panic!("no offer, no state")).unwrap();
        assert!(matches!(chunk, ChunkVerdict::Abort(_)));
    }
    let service = service(&home);
    service.offer(&offer, &large().app_hash()).unwrap();
    let (verdict, state) = feed(&service, &file, &[0, 1, 2]);
    assert_eq!((verdict, state.unwrap().app_hash()), (ChunkVerdict::Accept, large().app_hash()));
}

#[test]
fn a_new_offer_abandons_the_restore_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let large_file = made(folder.path(), &large());
    let service = service(&folder.path().join("home"));
    service.offer(&offer_of(&large_file), &large().app_hash()).unwrap();
    feed(&service, &large_file, &[0, 1]);
    let small = made(tempfile::tempdir().unwrap().path(), &state_of(60));
    let app_hash = small.metadata().app_hash();
    assert_eq!(service.offer(&offer_of(&small), &app_hash).unwrap(), OfferVerdict::Accept);
    let (verdict, state) = feed(&service, &small, &[0]);
    assert_eq!((verdict, state.unwrap().app_hash()), (ChunkVerdict::Accept, app_hash));
}

fn options() -> Options {
    Options { checkpoint_heights: u64::MAX, ..Options::default() }
}

fn open(disk: &MemoryDisk) -> Store {
    Store::open_on(Box::new(disk.clone()), options()).unwrap()
}

#[test]
fn a_restored_store_takes_another_snapshot_and_wipes() {
    let mut chain = Chain::new();
    story::tell(&mut chain, 8, 12);
    let old = chain.snapshot();
    story::tell(&mut chain, 9, 12);
    let new = chain.snapshot();
    let disk = MemoryDisk::new();
    for state in [new, old.clone()] {
        let mut store = open(&disk);
        store.install(state.clone()).unwrap();
        assert!(!store.is_empty() && store.latest().app_hash() == state.app_hash());
        assert_eq!(store.checkpoints(), [state.height()]);
        drop(store);
        let store = open(&disk);
        assert_eq!(store.recovery().damage, Vec::<String>::new());
        assert_eq!(store.latest().app_hash(), state.app_hash(), "after a restart too");
    }
    let mut store = open(&disk);
    let next = store.stage(&old, old.height().next().unwrap(), &Changes::default(), None);
    store.commit(next).unwrap();
    store.checkpoint().unwrap();
    assert_eq!(store.checkpoints().len(), 2, "its own checkpoints follow");
}

#[test]
fn a_disk_that_dies_while_a_state_is_installed_leaves_the_old_one_none_or_the_new_one() {
    let mut chain = Chain::new();
    story::tell(&mut chain, 4, 15);
    let old = chain.snapshot();
    story::tell(&mut chain, 5, 10);
    let new = chain.snapshot();
    let begin = MemoryDisk::new();
    let mut store = open(&begin);
    store.install(old.clone()).unwrap();
    let mut before = vec![old.app_hash()];
    for _ in 0..3 {
        let latest = store.latest();
        let height = latest.height().next().unwrap();
        let staged = store.stage(&latest, height, &Changes::default(), None);
        before.push(store.commit(staged).unwrap().app_hash());
    }
    drop(store);
    let (mut none, mut died) = (0, 0);
    for operation in 1.. {
        for (after, kept) in [(false, 0), (true, 0), (true, usize::MAX)] {
            let disk = begin.crash(|unsynced| unsynced);
            let mut store = open(&disk);
            disk.die_at(operation, after);
            let installed = store.install(new.clone());
            drop(store);
            let disk = disk.crash(|unsynced| kept.min(unsynced));
            let store = open(&disk);
            assert_eq!(store.recovery().damage, Vec::<String>::new(), "a kill is no damage");
            let latest = (!store.is_empty()).then(|| store.latest().app_hash());
            let is_known = |hash| before.contains(&hash) || hash == new.app_hash();
            assert!(latest.is_none_or(is_known), "operation {operation}");
            none += u32::from(latest.is_none());
            match installed {
                Ok(()) => assert_eq!(latest, Some(new.app_hash())),
                Err(_) => died = operation,
            }
        }
        if died < operation {
            break;
        }
    }
    assert!(died > 5 && none > 0, "{died} operations, {none} times nothing");
}
