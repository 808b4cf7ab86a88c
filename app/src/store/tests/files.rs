//! Damage to the files of a real database: blocks zeroed or flipped, files cut short or gone.

use super::*;
use model::Numbers;
use std::fs;
use std::path::{Path, PathBuf};

/// What may happen to files.
#[derive(Clone, Copy, Debug)]
enum Harm {
    ZeroedBlock,
    FlippedBit,
    CutShort,
    NoSnapshot,
    HalfSnapshot,
}

const HARMS: [Harm; 8] = [
    Harm::ZeroedBlock,
    Harm::ZeroedBlock,
    Harm::ZeroedBlock,
    Harm::ZeroedBlock,
    Harm::FlippedBit,
    Harm::CutShort,
    Harm::NoSnapshot,
    Harm::HalfSnapshot,
];

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all = Vec::new();
    for path in entries {
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

/// Does harm to a folder's files. Returns what it did.
fn harm(folder: &Path, numbers: &mut Numbers) -> String {
    let harm = HARMS[numbers.below(HARMS.len() as u64) as usize];
    let all = files(folder);
    let is_snapshot = |path: &&PathBuf| path.to_string_lossy().contains("/snap.");
    match harm {
        Harm::NoSnapshot => {
            all.iter().filter(is_snapshot).for_each(|path| fs::remove_file(path).unwrap());
            format!("{harm:?}")
        }
        Harm::HalfSnapshot => {
            for path in all.iter().filter(is_snapshot) {
                let bytes = fs::read(path).unwrap();
                let name = format!("{}.generating", path.display());
                fs::write(name, &bytes[..bytes.len() / 2]).unwrap();
            }
            format!("{harm:?}")
        }
        Harm::ZeroedBlock | Harm::FlippedBit | Harm::CutShort => {
            let data: Vec<_> = all.iter().filter(|path| path.ends_with("db")).collect();
            let size = |path: &Path| fs::metadata(path).unwrap().len();
            let total: u64 = data.iter().map(|path| size(path)).sum();
            let mut place = numbers.below(total);
            let hit = data.iter().find(|path| {
                let inside = place < size(path);
                place -= if inside { 0 } else { size(path) };
                inside
            });
            let path = hit.unwrap();
            let mut bytes = fs::read(path).unwrap();
            let (at, block) = (place as usize, place as usize / 4096 * 4096);
            match harm {
                Harm::ZeroedBlock => {
                    let end = (block + 4096).min(bytes.len());
                    bytes[block..end].fill(0);
                }
                Harm::FlippedBit => bytes[at] ^= 1 << numbers.below(8),
                _ => bytes.truncate(at),
            }
            fs::write(path, bytes).unwrap();
            format!("{harm:?} at {at} of {}", path.display())
        }
    }
}

/// What became of damaged copies.
#[derive(Debug, Default)]
struct Outcomes {
    whole: u32,
    behind: u32,
    refused: u32,
}

fn damaged_copies(copies: u64, seed: u64) -> Outcomes {
    let original = tempfile::tempdir().unwrap();
    let mut chain = Chain::new(51);
    let mut store = Store::open(original.path(), by_hand()).unwrap();
    for height in 1..=40 {
        chain.block(&mut store);
        if height % 12 == 0 {
            store.checkpoint().unwrap();
        }
    }
    drop(store);
    let (mut numbers, mut outcomes) = (Numbers::new(seed), Outcomes::default());
    let original_chain = chain;
    for _ in 0..copies {
        let mut chain = original_chain.clone();
        let folder = tempfile::tempdir().unwrap();
        copy(original.path(), folder.path());
        let what = harm(folder.path(), &mut numbers);
        match Store::open(folder.path(), by_hand()) {
            Err(Fault::Damage(text)) => {
                assert!(text.contains("Ways out"), "{what}: {text}");
                outcomes.refused += 1;
            }
            Err(other) => panic!("{what}: {other}"),
            Ok(mut store) => {
                chain.check(&store);
                let lost = chain.height().0 - store.latest().height().0;
                assert!(lost <= 16, "{what}: {lost} heights lost, older than both checkpoints");
                match lost {
                    0 => outcomes.whole += 1,
                    _ => outcomes.behind += 1,
                }
                // The consensus engine replays what is missing.
                while store.latest().height() < chain.height() {
                    chain.block(&mut store);
                }
                chain.block(&mut store);
                chain.check(&store);
                drop(store);
                let store = Store::open(folder.path(), by_hand()).unwrap();
                chain.check(&store);
                assert_eq!(store.latest().height(), chain.height(), "{what}");
            }
        }
    }
    outcomes
}

#[test]
fn a_database_with_damaged_files_is_repaired_or_refused() {
    let outcomes = damaged_copies(20, 1);
    assert_eq!(outcomes.refused, 0, "{outcomes:?}");
}

#[test]
#[ignore = "the full size of the test before: minutes"]
fn five_hundred_damaged_databases_are_repaired_or_refused() {
    let outcomes = damaged_copies(500, 2);
    eprintln!("{outcomes:?}");
    assert!(outcomes.refused <= 25, "at least 95 of 100 repair themselves: {outcomes:?}");
}
