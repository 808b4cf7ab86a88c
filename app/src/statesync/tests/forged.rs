//! Offers and chunks that are not what they say: refused by name, before anything is taken for
//! them, and never a state.

use super::*;
use crate::store::sections;

/// A file's offer with its metadata changed and hashed again, as a liar would.
fn forged(file: &SnapshotFile, change: impl FnOnce(&mut Metadata)) -> Offered {
    let mut metadata = file.metadata().clone();
    change(&mut metadata);
    let encoded = metadata.encode();
    let hash = Bytes::copy_from_slice(&sha256(&encoded));
    Offered { hash, chunks: metadata.count(), metadata: encoded.into(), ..offer_of(file) }
}

#[test]
fn every_kind_of_forged_offer_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = made(folder.path(), &state_of(50));
    let service = service(&folder.path().join("other"));
    let hash = file.metadata().app_hash();
    let good = offer_of(&file);
    let offer = |offer: Offered| service.offer(&offer, &hash).unwrap();
    let sender = |offered: Offered, words: &str| match offer(offered) {
        OfferVerdict::RejectSender(why) => assert!(why.contains(words), "{why}"),
        other => panic!("{words}: {other:?}"),
    };
    assert!(matches!(offer(Offered { format: 2, ..good.clone() }), OfferVerdict::RejectFormat(_)));
    sender(Offered { hash: Bytes::from_static(&[1; 32]), ..good.clone() }, "hash");
    sender(Offered { height: Height(2), ..good.clone() }, "height 2");
    sender(Offered { chunks: 7, ..good.clone() }, "7 chunks");
    sender(forged(&file, |it| it.contents.roots[3] = [9; 32]), "app hash");
    sender(forged(&file, |it| it.contents.sizes.links += 1), "bytes of Links");
    sender(forged(&file, |it| it.contents.sizes.rounds = 1), "bytes of Rounds");
    sender(forged(&file, |it| it.contents.code_bits = 3), "3 bits");
    sender(forged(&file, |it| it.contents.height = Height(u64::MAX)), "none of a block");
    sender(forged(&file, |it| it.chunks.push([0; 32])), "2 chunks for");
    sender(forged(&file, |it| it.chunks.clear()), "0 chunks for");
    sender(forged(&file, |it| it.lengths[0] = u64::MAX), "bytes");
    sender(forged(&file, |it| it.lengths[0] = u64::from(u32::MAX) * 60_000), "chunks for");
    for length in 0..good.metadata.len() {
        let metadata = good.metadata.slice(..length);
        let hash = Bytes::copy_from_slice(&sha256(&metadata));
        sender(Offered { metadata, hash, ..good.clone() }, "metadata of the snapshot");
    }
    let long = Bytes::from(vec![0; metadata::METADATA_BYTES_MAX + 1]);
    let hash_of = Bytes::copy_from_slice(&sha256(&long));
    sender(Offered { metadata: long, hash: hash_of, ..good.clone() }, "hash");
    let other = offer(forged(&file, |it| it.app_version += 1));
    assert!(matches!(&other, OfferVerdict::Reject(why) if why.contains("version")), "{other:?}");
    let chunk = service.apply(0, b"x", "peer", |_| panic!("nothing was accepted")).unwrap();
    assert!(matches!(chunk, ChunkVerdict::Abort(_)), "a refused offer takes no chunks");
    assert_eq!(std::fs::read_dir(folder.path().join("other")).unwrap().count(), 0);
}

#[test]
fn a_bad_chunk_is_named_and_its_sender_rejected_and_the_right_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = made(folder.path(), &large());
    assert_eq!(file.metadata().count(), 3);
    let service = service(&folder.path().join("other"));
    let offer = offer_of(&file);
    assert_eq!(service.offer(&offer, &large().app_hash()).unwrap(), OfferVerdict::Accept);
    let chunks: Vec<Vec<u8>> = (0..3).map(|index| file.chunk(index).unwrap()).collect();
    let mut flipped = chunks[1].clone();
    flipped[77] ^= 4;
    let truncated = chunks[1][..chunks[1].len() - 1].to_vec();
    let longer = [chunks[1].as_slice(), b"x"].concat();
    let bad: [&[u8]; 5] = [&flipped, &truncated, &longer, &chunks[0], b""];
    for chunk in bad {
        let verdict = service.apply(1, chunk, "liar", |_| panic!("nothing is whole")).unwrap();
        let ChunkVerdict::Retry { reason, refetch, reject_senders } = verdict else {
            panic!("{verdict:?}")
        };
        assert!(reason.starts_with("chunk 1 "), "{reason}");
        assert_eq!((refetch, reject_senders), (vec![1], vec!["liar".to_owned()]));
    }
    let (verdict, state) = feed(&service, &file, &[2, 0, 0, 1]);
    assert_eq!(verdict, ChunkVerdict::Accept, "in any order, and again");
    assert_eq!(state.expect("restored").app_hash(), large().app_hash());
    let list = service.list(Height(3));
    assert_eq!(list, [offer], "it is served on, byte for byte");
}

#[test]
fn a_chunk_that_does_not_exist_ends_the_restore() {
    let folder = tempfile::tempdir().unwrap();
    let file = made(folder.path(), &state_of(50));
    let service = service(&folder.path().join("other"));
    service.offer(&offer_of(&file), &file.metadata().app_hash()).unwrap();
    let verdict = service.apply(1, b"x", "peer", |_| panic!("nothing is whole")).unwrap();
    assert_eq!(verdict, ChunkVerdict::RejectSnapshot("there is no chunk 1 of 1".into()));
    assert_eq!(std::fs::read_dir(folder.path().join("other")).unwrap().count(), 0);
}

/// The stream of a state, changed, with all hashes over it made to fit.
fn forged_stream(
    state: &Snapshot,
    change: impl FnOnce(&mut Vec<u8>, &Metadata),
) -> (Offered, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let file = made(folder.path(), state);
    let mut stream = file.chunk(0).unwrap();
    change(&mut stream, file.metadata());
    (forged(&file, |metadata| metadata.chunks = vec![sha256(&stream)]), stream)
}

#[test]
fn a_state_whose_roots_do_not_come_out_is_rejected_before_its_last_chunk_is_accepted() {
    use crate::store::tables::Table;
    let mut chain = crate::testkit::Chain::new();
    crate::testkit::story::tell(&mut chain, 5, 40);
    let state = chain.snapshot();
    for table in Table::all() {
        let place = |metadata: &Metadata| metadata.place(table);
        let folder = tempfile::tempdir().unwrap();
        let service = service(folder.path());
        let (offer, stream) = forged_stream(&state, |stream, metadata| {
            let (at, length) = place(metadata);
            assert!(length > 0, "{table:?} is part of the test");
            stream[(at + length - 1) as usize] ^= 1;
        });
        let verdict = service.offer(&offer, &state.app_hash()).unwrap();
        assert_eq!(verdict, OfferVerdict::Accept, "so far nothing speaks against it");
        let verdict = service.apply(0, &stream, "peer", |_| panic!("no state: {table:?}"));
        let verdict = verdict.unwrap();
        assert!(matches!(&verdict, ChunkVerdict::RejectSnapshot(why) if !why.is_empty()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn many_equal_particles_cost_no_more_time_than_different_ones() {
    // Equal keys would make the index by content look at each of them for each of them.
    let state = state_of(150_000);
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path());
    let (offer, stream) = forged_stream(&state, |stream, metadata| {
        let (at, length) = metadata.place(crate::store::tables::Table::Particles);
        stream[at as usize..(at + length) as usize].fill(7);
    });
    service.offer(&offer, &state.app_hash()).unwrap();
    let verdict = service.apply(0, &stream, "peer", |_| panic!("no state")).unwrap();
    let ChunkVerdict::RejectSnapshot(why) = verdict else { panic!("{verdict:?}") };
    assert!(why.contains("particles"), "{why}");
}

#[test]
fn contents_of_a_snapshot_are_those_of_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let state = state_of(3);
    let file = made(folder.path(), &state);
    assert_eq!(file.metadata().contents, sections::Contents::of(&state));
    let read = SnapshotFile::open(file.path()).unwrap();
    assert_eq!((read.metadata(), read.hash()), (file.metadata(), file.hash()));
    assert_eq!(read.hash(), sha256(&file.metadata().encode()));
}

#[test]
fn a_version_that_the_state_does_not_follow_is_found_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let state = state_of(50);
    let file = made(folder.path(), &state);
    // A node that knows the next version, too, may take a snapshot of it.
    let knows = Settings { newest_version: APP_VERSION + 1, ..BY_HAND };
    let service = Service::start(&folder.path().join("other"), knows).unwrap();
    let lie = forged(&file, |it| it.app_version += 1);
    assert_eq!(service.offer(&lie, &state.app_hash()).unwrap(), OfferVerdict::Accept);
    let (verdict, restored) = feed(&service, &file, &[0]);
    assert!(restored.is_none());
    let ChunkVerdict::RejectSnapshot(why) = verdict else { panic!("{verdict:?}") };
    assert!(why.contains("follows application version 1, the metadata says 2"), "{why}");
    // And one of the version before its newest is one like any other.
    assert_eq!(service.offer(&offer_of(&file), &state.app_hash()).unwrap(), OfferVerdict::Accept);
    assert_eq!(feed(&service, &file, &[0]).0, ChunkVerdict::Accept);
}
