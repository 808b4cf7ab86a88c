//! Deltas against the ranks of the snapshots before and after each round.

use super::*;
use crate::state::Write;
use crate::state::{Overlay, Read};
use crate::store::deltas::Delta;
use crate::store::merkle::ranks::floor_code;
use crate::types::{sha256, Particle, ParticleNumber};

const KEPT: u64 = 3;

fn options(delta_rounds: u64) -> Options {
    Options { delta_rounds, ..by_hand() }
}

/// Commits a height with more particles, and a round over those before it if values are given.
fn commit(store: &mut Store, particles: u32, round: Option<(u32, &dyn Fn(u32) -> u64)>) {
    let height = Height(store.latest().height().0 + 1);
    let first = store.is_empty().then(|| {
        let nothing = Overlay::new(store.latest().as_ref()).into_changes();
        store.stage_genesis(height, nothing, None)
    });
    let base = first.as_ref().map_or_else(|| store.latest(), |staged| staged.snapshot().clone());
    let publication = round.map(|(code_bits, value)| {
        let code = |number| (ParticleNumber(number), floor_code(value(number), code_bits));
        let codes = (0..base.sizes().particles).map(code).collect();
        Publication { code_bits, codes, tree: None, record: height.0.to_be_bytes().to_vec() }
    });
    let mut overlay = Overlay::new(base.as_ref());
    for _ in 0..particles {
        let number = overlay.graph_size().0;
        overlay.add_particle(Particle(sha256(&number.0.to_be_bytes())));
    }
    let changes = overlay.into_changes();
    let staged = match &first {
        Some(genesis) => store.stage_on(genesis, height, &changes, publication.as_ref()),
        None => store.stage(&base, height, &changes, publication.as_ref()),
    };
    store.commit(staged).unwrap();
}

/// Every rank that differs, by asking both snapshots for all of them.
fn naive(before: &Snapshot, after: &Snapshot) -> Vec<Delta> {
    let value = |snapshot: &Snapshot, particle| snapshot.rank().value(particle).unwrap_or_default();
    (0..after.sizes().particles)
        .map(ParticleNumber)
        .map(|particle| Delta {
            particle,
            before: value(before, particle),
            after: value(after, particle),
        })
        .filter(|delta| delta.before != delta.after)
        .collect()
}

#[test]
fn rounds_are_kept_for_as_long_as_they_should_be() {
    let disk = MemoryDisk::new();
    let mut store = Store::open_on(Box::new(disk.clone()), options(KEPT)).unwrap();
    commit(&mut store, 12_000, None);
    let mut expected = Vec::new();
    let values: [&dyn Fn(u32) -> u64; 5] = [
        &|number| u64::from(number) + 1,
        &|number| u64::from(number) % 7 + 1,
        &|number| u64::from(number) % 7 + 1 + u64::from(number == 5_000),
        &|number| u64::from(number) % 7 + 1 + u64::from(number == 5_000),
        &|number| u64::from(number) * 1_000_003 + 1,
    ];
    for value in values {
        let before = store.latest();
        commit(&mut store, 1, Some((15, value)));
        expected.push(naive(&before, &store.latest()));
        commit(&mut store, 0, None);
    }
    assert_eq!([expected[2].len(), expected[3].len()], [2, 1], "with the newer particle's first");
    assert!(expected[4].len() > 10_000, "more than two parts");
    drop(store);
    let store = Store::open_on(Box::new(disk.clone()), options(KEPT)).unwrap();
    for (place, expected) in (0..).zip(&expected) {
        let deltas = store.reader().deltas(place).unwrap();
        let is_kept = u64::from(place) + KEPT >= 5;
        assert_eq!(deltas.is_some(), is_kept, "place {place}");
        let Some(deltas) = deltas else { continue };
        assert_eq!((deltas.len() as usize, deltas.is_empty()), (expected.len(), false));
        for range in [0..12_000, 0..1, 4_999..5_001, 5_000..10_000, 9_999..30_000, 12_100..13_000] {
            let end = (range.end as usize).min(expected.len());
            let wanted = expected.get(range.start as usize..end).unwrap_or_default();
            assert_eq!(deltas.rows(range).unwrap(), wanted);
        }
    }
    assert!(store.reader().deltas(5).unwrap().is_none());
    let parts = disk.keys(tables::JOURNAL).into_iter().filter(|key| key[0] == b'D').count();
    assert_eq!(parts, 1 + 1 + 3);
}

#[test]
fn a_change_of_precision_and_a_round_that_changes_nothing_are_told() {
    let mut store = Store::open_on(Box::new(MemoryDisk::new()), options(KEPT)).unwrap();
    commit(&mut store, 10, None);
    let value = |number: u32| 1_000_000 + u64::from(number);
    commit(&mut store, 0, Some((15, &value)));
    commit(&mut store, 0, Some((15, &value)));
    let before = store.latest();
    commit(&mut store, 0, Some((24, &value)));
    let reader = store.reader();
    assert!(reader.deltas(1).unwrap().unwrap().is_empty());
    let finer = reader.deltas(2).unwrap().unwrap().rows(0..10).unwrap();
    assert_eq!(finer.len(), 10, "all codes are new ones");
    let moved: Vec<Delta> = finer.into_iter().filter(|delta| delta.before != delta.after).collect();
    assert_eq!(moved, naive(&before, &store.latest()));
}

#[test]
fn a_node_that_keeps_none_writes_none_and_drops_what_was_there() {
    let disk = MemoryDisk::new();
    let rounds = |keep: u64| {
        let mut store = Store::open_on(Box::new(disk.clone()), options(keep)).unwrap();
        commit(&mut store, 3, None);
        commit(&mut store, 0, Some((15, &|number| u64::from(number) + store_seed(keep))));
        store.reader().deltas(store.latest().rounds() - 1).unwrap().is_some()
    };
    assert!(rounds(5));
    assert!(!rounds(0));
    assert!(!disk.keys(tables::JOURNAL).iter().any(|key| key[0] == b'D'));
}

/// Another value for another setting, so that both rounds change something.
fn store_seed(keep: u64) -> u64 {
    keep + 1
}
