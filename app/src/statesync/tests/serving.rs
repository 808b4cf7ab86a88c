//! What is kept and offered, and for how long.

use super::*;

/// Makes the snapshots of these heights of a chain that gets a particle in each.
fn heights(shelf: &Shelf, made: std::ops::RangeInclusive<u64>) {
    let mut store = Store::open_on(Box::new(MemoryDisk::new()), Options::default()).unwrap();
    let genesis = store.stage_genesis(Height(1), particle(0), None);
    let block = store.stage_on(&genesis, Height(1), &particle(1), None);
    let mut state = store.commit(block).unwrap();
    for height in 1..=*made.end() {
        if height > 1 {
            let block = store.stage(&state, Height(height), &particle(height), None);
            state = store.commit(block).unwrap();
        }
        if made.contains(&height) {
            assert!(shelf.make(&state, APP_VERSION, &AtomicBool::new(false)).unwrap());
        }
    }
}

fn particle(height: u64) -> Changes {
    let mut changes = Changes::default();
    changes.particles.push(Particle(sha256(&height.to_be_bytes())));
    changes
}

fn offered(shelf: &Shelf, latest: u64) -> Vec<u64> {
    shelf.offered(Height(latest)).iter().map(|file| file.height().0).collect()
}

#[test]
fn a_snapshot_is_offered_only_once_the_second_height_after_it_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(folder.path()).unwrap();
    heights(&shelf, 1..=2);
    for (latest, expected) in [(2, vec![]), (3, vec![1]), (4, vec![2, 1]), (9, vec![2, 1])] {
        assert_eq!(offered(&shelf, latest), expected, "latest {latest}");
    }
}

#[test]
fn the_last_two_are_kept_and_those_a_peer_heard_of() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(folder.path()).unwrap();
    heights(&shelf, 1..=4);
    assert_eq!(whole(folder.path()), 2, "nobody asked for the others");
    assert_eq!(offered(&shelf, 9), [4, 3]);
    heights(&shelf, 5..=7);
    let kept: Vec<bool> = (3..=7).map(|height| shelf.has(Height(height))).collect();
    assert_eq!(kept, [true, true, false, true, true], "3 and 4 are being served");
    assert!(shelf.chunk(Height(3), 0).is_some());
    assert_eq!(offered(&shelf, 9), [7, 6], "but new peers hear of the newest two");
    assert_eq!(shelf.oldest(), Some(Height(3)));
}

fn whole(folder: &Path) -> usize {
    shelf::whole_files(folder).unwrap().len()
}

#[test]
fn a_restart_finds_the_whole_ones_and_removes_what_was_half_written() {
    let folder = tempfile::tempdir().unwrap();
    heights(&Shelf::open(folder.path()).unwrap(), 1..=2);
    std::fs::write(folder.path().join("3.part"), b"half").unwrap();
    std::fs::write(folder.path().join("4.snapshot"), b"no snapshot at all").unwrap();
    let shelf = Shelf::open(folder.path()).unwrap();
    assert_eq!(offered(&shelf, 9), [2, 1]);
    assert!(!folder.path().join("3.part").exists());
    assert!(shelf.chunk(Height(4), 0).is_none() && shelf.chunk(Height(2), 1).is_none());
}

#[test]
fn a_chunk_that_was_damaged_on_disk_is_not_served_and_its_snapshot_goes() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(folder.path()).unwrap();
    heights(&shelf, 1..=2);
    let path = folder.path().join("2.snapshot");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(shelf.chunk(Height(2), 0).is_none());
    assert_eq!(offered(&shelf, 9), [1]);
    assert!(!path.exists());
}

#[test]
fn states_at_the_interval_get_a_snapshot_in_the_background() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { interval: 3, ..BY_HAND };
    let service = Service::start(folder.path(), settings).unwrap();
    let mut chain = crate::testkit::Chain::new();
    for height in 1..=7 {
        chain.block(Vec::new());
        service.committed(&chain.snapshot());
        if height % 3 == 0 {
            while !service.shelf().has(Height(height)) {
                std::thread::yield_now();
            }
        }
    }
    drop(service);
    std::fs::remove_file(folder.path().join("6.snapshot")).unwrap();
    let service = Service::start(folder.path(), settings).unwrap();
    service.catch_up(Height(7), |height| chain.engine().reader().snapshot(height).ok());
    while !service.shelf().has(Height(6)) {
        std::thread::yield_now();
    }
    assert_eq!(service.list(Height(8)).iter().map(|it| it.height.0).collect::<Vec<_>>(), [6, 3]);
    assert_eq!(service.list(Height(8))[0].metadata.len(), 8 + 12 + 320 + 17 + 88 + 4 + 32);
}

#[test]
fn a_disk_without_room_gets_no_snapshot_and_no_half_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), Settings { free_bytes_min: u64::MAX, ..BY_HAND });
    let service = service.unwrap();
    let file = made(tempfile::tempdir().unwrap().path(), &state_of(10));
    let verdict = service.offer(&offer_of(&file), &file.metadata().app_hash()).unwrap();
    let OfferVerdict::Abort(reason) = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("MB are free in") && reason.contains("free at least"), "{reason}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
