//! Stored bytes change behind the store's back: it repairs itself or refuses, and never serves a
//! state that is not one of the chain's.

use super::*;
use model::Numbers;

/// A disk with two checkpoints and a journal that goes on after them.
fn filled(chain: &mut Chain) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    for checkpoint in [false, true, false, true, false, false] {
        chain.block(&mut store);
        if checkpoint {
            store.checkpoint().unwrap();
        }
    }
    disk
}

fn copy(disk: &MemoryDisk) -> MemoryDisk {
    disk.crash(|unsynced| unsynced)
}

/// The store goes on to the end of the chain and one further, and opens cleanly then.
fn go_on(chain: &mut Chain, mut store: Store, disk: &MemoryDisk) {
    let end = chain.height().next().unwrap();
    let mut chain = chain.clone();
    while store.latest().height() < end {
        chain.block(&mut store);
    }
    store.checkpoint().unwrap();
    drop(store);
    let store = open(disk).unwrap();
    assert_eq!(store.recovery().damage, Vec::<String>::new(), "repaired for good");
    assert_eq!(store.latest().height(), end);
    chain.check(&store);
}

#[test]
fn any_damaged_value_is_noticed_and_repaired() {
    let mut chain = Chain::new(31);
    let disk = filled(&mut chain);
    let mut numbers = Numbers::new(1);
    for name in [tables::JOURNAL, tables::CHECKPOINTS[0], tables::CHECKPOINTS[1]] {
        let keys = disk.keys(name);
        assert!(keys.len() > 3);
        for key in keys {
            let disk = copy(&disk);
            assert!(disk.damage(name, &key, |value| {
                let place = numbers.below(value.len() as u64) as usize;
                value[place] ^= 1 << numbers.below(8);
            }));
            let what = tables::describe(&key);
            let store = open(&disk).unwrap_or_else(|fault| panic!("{name}, {what}: {fault}"));
            chain.check(&store);
            let lost = chain.height().0 - store.latest().height().0;
            let used = name == tables::JOURNAL || Some(name) == newest(&copy(&disk));
            if name != tables::JOURNAL {
                assert_eq!(lost, 0, "{name}, {what}: the journal reaches back far enough");
            }
            assert!(lost <= 2, "{name}, {what}: {lost} heights lost");
            if used && !key.starts_with(b"F") {
                let said = store.recovery();
                let old = tables::split_record_key(&key);
                // What rounds changed is served, never built on.
                let is_needed =
                    key[0] != b'D' && old.is_none_or(|(height, _)| Some(height) > said.checkpoint);
                assert_eq!(said.damage.is_empty(), !is_needed, "{name}, {what}");
            }
            go_on(&mut chain, store, &disk);
        }
    }
}

#[test]
fn wrong_contents_under_a_right_checksum_are_noticed_by_the_roots() {
    let mut chain = Chain::new(35);
    let disk = filled(&mut chain);
    let (mut numbers, mut noticed) = (Numbers::new(2), 0);
    for name in [tables::JOURNAL, tables::CHECKPOINTS[0], tables::CHECKPOINTS[1]] {
        // Codes of equal value have equal roots; their bytes are the checksum's alone.
        for key in disk.keys(name).iter().filter(|key| key[0] != b'C' && key[0] != b'F') {
            let disk = copy(&disk);
            assert!(disk.damage(name, key, |value| {
                let mut body = codec::unseal(key, value).unwrap().to_vec();
                let place = numbers.below(body.len() as u64) as usize;
                body[place] ^= 1 << numbers.below(8);
                *value = codec::seal(key, body);
            }));
            let store = open(&disk).unwrap();
            chain.check(&store);
            noticed += u32::from(!store.recovery().damage.is_empty());
            go_on(&mut chain, store, &disk);
        }
    }
    assert!(noticed > 10, "{noticed} of the changes were of data that was needed");
}

/// The database of the newest whole checkpoint.
fn newest(disk: &MemoryDisk) -> Option<&'static str> {
    let height = |name: &str| {
        let backend = disk.open(name).unwrap();
        checkpoint::Manifest::read(&*backend).ok().flatten().map(|manifest| manifest.height())
    };
    tables::CHECKPOINTS.into_iter().max_by_key(|name| height(name))
}

#[test]
fn a_lost_database_costs_at_most_the_heights_after_the_newest_checkpoint() {
    let mut chain = Chain::new(32);
    let disk = filled(&mut chain);
    for (name, lost) in
        [(tables::JOURNAL, 2), (tables::CHECKPOINTS[0], 0), (tables::CHECKPOINTS[1], 0)]
    {
        let disk = copy(&disk);
        for key in disk.keys(name) {
            disk.damage(name, &key, |value| value.clear());
        }
        let store = open(&disk).unwrap();
        chain.check(&store);
        assert_eq!(store.latest().height().0 + lost, chain.height().0, "{name}");
        go_on(&mut chain, store, &disk);
    }
}

#[test]
fn when_nothing_verifies_the_store_refuses_and_names_the_ways_out() {
    let mut chain = Chain::new(33);
    let disk = filled(&mut chain);
    for name in tables::CHECKPOINTS {
        disk.damage(name, tables::MANIFEST_KEY, |value| value[9] ^= 4);
    }
    for _ in 0..2 {
        let text = open(&copy(&disk)).err().unwrap().to_string();
        for part in ["nothing in", "manifest of the checkpoint", "mv ", "state sync"] {
            assert!(text.contains(part), "'{part}' in: {text}");
        }
    }
    let disk = copy(&disk);
    let options = Options { start_over: true, ..by_hand() };
    let mut store = Store::open_on(Box::new(disk.clone()), options).unwrap();
    assert!(store.is_empty());
    assert_eq!(store.recovery().repairs.len(), 3, "{:?}", store.recovery().repairs);
    let end = chain.height();
    while store.is_empty() || store.latest().height() < end {
        chain.block(&mut store);
    }
    go_on(&mut chain, store, &disk);
}

#[test]
fn a_journal_alone_whose_first_record_is_wrong_is_refused() {
    let mut chain = Chain::new(36);
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    (0..3).for_each(|_| chain.block(&mut store));
    let keys = disk.keys(tables::JOURNAL);
    let first = keys.iter().find(|key| key[0] == b'J').unwrap();
    for seals_again in [false, true] {
        let disk = copy(&disk);
        disk.damage(tables::JOURNAL, first, |value| {
            let mut body = codec::unseal(first, value).unwrap().to_vec();
            *body.last_mut().unwrap() ^= 1;
            match seals_again {
                true => *value = codec::seal(first, body),
                false => value[20] ^= 1,
            }
        });
        let text = open(&disk).err().unwrap().to_string();
        assert!(text.contains("Ways out") && text.contains("journal"), "{text}");
    }
}

#[test]
fn another_versions_data_is_refused_and_left_alone() {
    let mut chain = Chain::new(34);
    let disk = filled(&mut chain);
    let other = codec::seal(tables::FORMAT_KEY, b"cyberd store 9".to_vec());
    assert!(disk.damage(tables::JOURNAL, tables::FORMAT_KEY, |value| *value = other));
    let disk = copy(&disk);
    let fault = open(&disk).err().unwrap();
    assert!(matches!(&fault, Fault::Unfit(text) if text.contains("cyberd store 9")), "{fault}");
    assert_eq!(disk.operations(), 0);
}
