//! The disk dies at every write and flush of a history of commits and checkpoints, with and
//! without the last operation taking effect, and loses all, some or nothing of what was not
//! flushed.

use super::*;

/// Whether a checkpoint is asked for after each block.
const CHECKPOINT_AFTER: [bool; 9] = [false, true, false, true, false, false, true, true, false];

/// Runs the history on a disk until it ends or the disk dies. Returns the last height that was
/// acknowledged.
fn run(chain: &mut Chain, disk: &MemoryDisk) -> Option<Height> {
    let mut store = open(disk).ok()?;
    let mut acknowledged = None;
    for checkpoint in CHECKPOINT_AFTER {
        match chain.try_block(&mut store) {
            Ok(snapshot) => acknowledged = Some(snapshot.height()),
            Err(_) => break,
        }
        if checkpoint {
            store.checkpoint().unwrap();
        }
    }
    acknowledged
}

/// Opens what a crash left, checks it and lets the chain go on to the end of the history.
fn recover(chain: &mut Chain, disk: &MemoryDisk, acknowledged: Option<Height>) -> Height {
    let mut store = open(disk).unwrap();
    assert_eq!(store.recovery().damage, Vec::<String>::new(), "a kill is no damage");
    chain.check(&store);
    let height = store.latest().height();
    assert!(acknowledged.is_none_or(|acknowledged| acknowledged <= height), "{acknowledged:?}");
    let end = chain.height();
    while store.is_empty() || store.latest().height() < end {
        chain.block(&mut store);
    }
    store.checkpoint().unwrap();
    drop(store);
    let store = open(disk).unwrap();
    chain.check(&store);
    assert_eq!(store.latest().height(), end);
    height
}

#[test]
fn a_disk_that_dies_at_any_write_loses_nothing_acknowledged() {
    let mut chain = Chain::new(13);
    let disk = MemoryDisk::new();
    run(&mut chain, &disk).unwrap();
    let (operations, mut ahead) = (disk.operations(), 0);
    assert!(operations > 40, "{operations} operations");
    for operation in 1..=operations {
        for after in [false, true] {
            for kept in [0, 1, usize::MAX] {
                let disk = MemoryDisk::new();
                disk.die_at(operation, after);
                let acknowledged = run(&mut chain, &disk);
                let left = disk.crash(|unsynced| kept.min(unsynced));
                let height = recover(&mut chain, &left, acknowledged);
                ahead += u64::from(acknowledged.is_some_and(|acknowledged| acknowledged < height));
            }
        }
    }
    assert!(ahead > 0, "a height that was durable but not yet acknowledged is part of the test");
}

#[test]
fn a_start_that_dies_again_and_again_still_recovers() {
    let mut chain = Chain::new(14);
    let disk = MemoryDisk::new();
    run(&mut chain, &disk).unwrap();
    let damaged = disk.crash(|unsynced| unsynced);
    assert!(damaged.damage(tables::JOURNAL, tables::HEAD_KEY, |value| value[3] ^= 1));
    for operation in 1.. {
        let disk = damaged.crash(|unsynced| unsynced);
        disk.die_at(operation, operation % 2 == 0);
        let died = open(&disk).is_err();
        let disk = disk.crash(|_| 0);
        let store = open(&disk).unwrap();
        chain.check(&store);
        assert_eq!(store.latest().height(), chain.height());
        if !died {
            assert!(operation > 3, "the repair writes");
            break;
        }
    }
}
