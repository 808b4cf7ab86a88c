//! A kept snapshot takes the place of a store in which nothing verifies, whatever happened to that.

use super::*;
use crate::engine::{Engine, Options as EngineOptions};
use crate::statesync::spare::newest;
use crate::store::tables::{CHECKPOINTS, JOURNAL};
use crate::testkit::{story, Chain};
use std::fs;
use std::path::PathBuf;

/// Where a home's state and its snapshots are, and the chain they are of.
struct Home {
    folder: tempfile::TempDir,
    chain: Arc<Chain>,
}

/// Snapshots are of these heights; the store goes on to the last.
const SNAPSHOTS: [usize; 2] = [12, 20];
const LAST: usize = 26;

fn options() -> Options {
    Options { checkpoint_heights: u64::MAX, ..Options::default() }
}

/// Runs blocks of a chain on a store.
fn run(store: Store, chain: &Chain, to: usize, mut each: impl FnMut(&Snapshot)) {
    let engine = Engine::new(store, EngineOptions::default());
    if engine.info().height == Height(0) {
        engine.init_chain(&chain.genesis).unwrap();
    }
    let from = engine.info().height.0 as usize;
    for (block, hash) in &chain.blocks[from..to] {
        assert_eq!(engine.finalize_block(block).unwrap().app_hash, *hash, "{}", block.height);
        engine.commit().unwrap();
        each(&engine.reader().latest());
    }
}

impl Home {
    fn new() -> Home {
        let mut chain = Chain::new();
        story::tell(&mut chain, 7, LAST + 4);
        let home = Home { folder: tempfile::tempdir().unwrap(), chain: Arc::new(chain) };
        fs::create_dir(home.snapshots()).unwrap();
        let open = || Store::open(&home.store(), options()).unwrap();
        for to in [10, 18, LAST] {
            run(open(), &home.chain, to, |state| {
                if SNAPSHOTS.contains(&(state.height().0 as usize)) {
                    made(&home.snapshots(), state);
                }
            });
            if to < LAST {
                open().checkpoint().unwrap();
            }
        }
        home
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("cyberd")
    }

    fn snapshots(&self) -> PathBuf {
        self.folder.path().join("snapshots")
    }

    /// A copy to do harm to.
    fn copy(&self) -> Home {
        let copy = Home { folder: tempfile::tempdir().unwrap(), chain: self.chain.clone() };
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            fs::create_dir_all(copy.folder.path().join(&folder)).unwrap();
            for entry in fs::read_dir(self.folder.path().join(&folder)).unwrap().flatten() {
                let name = folder.join(entry.file_name());
                match entry.path().is_dir() {
                    true => folders.push(name),
                    false => drop(fs::copy(entry.path(), copy.folder.path().join(name)).unwrap()),
                }
            }
        }
        copy
    }

    fn open(&self) -> Result<Store, crate::error::Fault> {
        let spare = |passed: &mut Vec<String>| newest(&self.snapshots(), APP_VERSION, passed);
        Store::open_or_restore(&self.store(), options(), &spare)
    }

    /// Changes the data file of each database.
    fn harm(&self, change: fn(&mut Vec<u8>)) {
        for name in [JOURNAL, CHECKPOINTS[0], CHECKPOINTS[1]] {
            let path = self.store().join(name).join("db");
            let mut bytes = fs::read(&path).unwrap();
            change(&mut bytes);
            fs::write(&path, bytes).unwrap();
        }
    }

    /// Opens what was harmed: the state of a snapshot, and whatever the journal had after it; the
    /// chain goes on from it, and the next start finds nothing to repair.
    fn is_restored(&self, what: &str, from: u64) {
        let store = self.open().unwrap_or_else(|fault| panic!("{what}: {fault}"));
        let said = store.recovery().clone();
        assert_eq!(said.restored, Some(Height(from)), "{what}: {said:?}");
        assert!(!said.damage.is_empty(), "{what}");
        let told = said.repairs.join("; ");
        assert!(told.contains(&format!("{from}.snapshot")), "{what}: {told}");
        let at = store.latest().height().0 as usize;
        assert!(at >= from as usize, "{what}");
        assert_eq!(store.latest().app_hash().to_vec(), self.chain.blocks[at - 1].1, "{what}");
        run(store, &self.chain, LAST + 4, |_| ());
        let store = self.open().unwrap();
        assert_eq!(store.recovery().damage, Vec::<String>::new(), "{what}");
        assert_eq!(store.latest().height().0 as usize, LAST + 4, "{what}");
    }
}

/// What may happen to a home.
type Harm = (&'static str, fn(&Home));

fn flipped_bits(bytes: &mut [u8]) {
    bytes.iter_mut().step_by(199).for_each(|byte| *byte ^= 0x10);
}

#[test]
fn a_store_that_is_damaged_everywhere_is_restored_from_the_newest_snapshot() {
    let original = Home::new();
    let harms: [Harm; 6] = [
        ("flipped bits", |home| home.harm(|bytes| flipped_bits(bytes))),
        ("all zeroed", |home| home.harm(|bytes| bytes.fill(0))),
        ("cut short", |home| home.harm(|bytes| bytes.truncate(100))),
        ("other files harmed", |home| {
            for name in [JOURNAL, CHECKPOINTS[0], CHECKPOINTS[1]] {
                let files = fs::read_dir(home.store().join(name)).unwrap().flatten();
                files.for_each(|file| {
                    if file.path().is_file() {
                        fs::write(file.path(), [0; 64]).unwrap();
                    }
                });
            }
        }),
        ("files gone", |home| {
            for name in [JOURNAL, CHECKPOINTS[0], CHECKPOINTS[1]] {
                fs::remove_file(home.store().join(name).join("db")).unwrap();
            }
        }),
        ("folder gone", |home| fs::remove_dir_all(home.store()).unwrap()),
    ];
    for (what, harm) in harms {
        let home = original.copy();
        harm(&home);
        home.is_restored(what, SNAPSHOTS[1] as u64);
    }
}

#[test]
fn the_journal_goes_on_from_the_snapshot_and_damaged_checkpoints_are_named() {
    let home = Home::new();
    for name in CHECKPOINTS {
        let path = home.store().join(name).join("db");
        let mut bytes = fs::read(&path).unwrap();
        flipped_bits(&mut bytes);
        fs::write(&path, bytes).unwrap();
    }
    let store = home.open().unwrap();
    let said = store.recovery();
    assert_eq!(store.latest().height().0 as usize, LAST, "nothing was lost: {said:?}");
    assert_eq!(said.replayed as usize, LAST - SNAPSHOTS[1]);
    drop(store);
    let aside = fs::read_dir(home.store()).unwrap().flatten();
    let aside: Vec<_> = aside.map(|entry| entry.file_name()).collect();
    let aside = aside.iter().filter(|name| name.to_string_lossy().contains(".damaged-")).count();
    assert_eq!(aside, 2);
    assert_eq!(home.open().unwrap().recovery().damage, Vec::<String>::new());
}

#[test]
fn a_damaged_snapshot_is_passed_over_and_one_of_a_newer_version_too() {
    let home = Home::new();
    let damaged = home.snapshots().join(file::name(Height(SNAPSHOTS[1] as u64)));
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[1_000] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    fs::remove_dir_all(home.store()).unwrap();
    home.copy().is_restored("the newest snapshot damaged", SNAPSHOTS[0] as u64);

    let mut passed = Vec::new();
    assert!(newest(&home.snapshots(), APP_VERSION - 1, &mut passed).is_none());
    assert_eq!(passed.len(), 2, "{passed:?}");
    assert!(passed.iter().all(|text| text.contains("application version")), "{passed:?}");
}

#[test]
fn without_a_snapshot_the_refusal_stays_and_names_the_ways_out() {
    let home = Home::new();
    SNAPSHOTS.iter().for_each(|height| {
        let path = home.snapshots().join(file::name(Height(*height as u64)));
        fs::write(path, "no snapshot").unwrap();
    });
    home.harm(|bytes| flipped_bits(bytes));
    let text = home.open().err().expect("nothing verifies").to_string();
    for part in ["snapshot import", "cyberd join", "12.snapshot", "20.snapshot"] {
        assert!(text.contains(part), "'{part}' in: {text}");
    }
}

#[test]
fn a_restore_that_is_killed_at_any_moment_is_done_by_the_next_start() {
    let mut chain = Chain::new();
    story::tell(&mut chain, 3, 15);
    let state = chain.snapshot();
    let spare = |_: &mut Vec<String>| Some((state.clone(), "elsewhere".to_owned()));
    let open = |disk: &MemoryDisk| Store::open_with(Box::new(disk.clone()), options(), &spare);
    let begin = MemoryDisk::new();
    let mut store = Store::open_on(Box::new(begin.clone()), options()).unwrap();
    store.install(state_of(60)).unwrap();
    drop(store);
    for name in CHECKPOINTS {
        begin.damage(name, crate::store::tables::MANIFEST_KEY, |value| value[9] ^= 4);
    }
    for operation in 1.. {
        let disk = begin.crash(|unsynced| unsynced);
        disk.die_at(operation, true);
        let died = open(&disk).is_err();
        let store = open(&disk.crash(|_| 0)).unwrap();
        assert_eq!(store.latest().app_hash(), state.app_hash(), "operation {operation}");
        if !died {
            assert!(operation > 3);
            return;
        }
    }
}
