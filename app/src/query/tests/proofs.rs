//! `/store/…`: what is answered verifies against the app hash, and nothing else does.

use super::super::store::Pairs;
use super::*;
use crate::modules::bank;
use crate::store::merkle::proof;
use crate::types::LinkNumber;

fn key_of(name: &str, world: &World) -> Vec<u8> {
    bank::keys::balance(&world.chain.wallet(name).address(), "boot")
}

#[test]
fn values_and_absence_are_proven_at_every_kept_height() {
    let world = World::new();
    for height in [2, 7, world.latest()] {
        let snapshot = world.chain.engine().reader().snapshot(Height(height as u64)).expect("kept");
        let hash = snapshot.app_hash();
        for (key, present) in [(key_of("alice", &world), true), (b"nothing".to_vec(), false)] {
            let answer = world.raw("/store/bank/key", key.clone(), height, true);
            assert_eq!((answer.code, answer.height), (0, height), "{}", answer.log);
            assert_eq!((&answer.key[..], answer.value.is_empty()), (&key[..], !present));
            let value = present.then_some(&answer.value[..]);
            assert_eq!(proof::verify_key(&hash, "bank", &key, value, &answer.proof), Ok(()));
            let other = proof::verify_key(&hash, "bank", &key, Some(b"other"), &answer.proof);
            assert!(other.is_err());
        }
    }
    let plain = world.raw("/store/bank/key", key_of("alice", &world), 0, false);
    assert!(plain.proof.is_empty() && !plain.value.is_empty());
    let early = world.raw("/store/bank/key", key_of("alice", &world), 1, true);
    let text =
        "cannot query with proof when height <= 1; please provide a valid height: invalid request";
    assert_eq!((early.code, early.log.as_str()), (18, text));
}

#[test]
fn leaves_of_the_logs_are_proven() {
    let world = World::new();
    let snapshot = world.chain.snapshot();
    let hash = snapshot.app_hash();
    let ask = |log: &str, index: u64| {
        world.raw(&format!("/store/{log}/key"), index.to_be_bytes().to_vec(), 0, true)
    };
    for number in 0..4u32 {
        let answer = ask("particles", number.into());
        let particle = Particle(answer.value[..].try_into().expect("a digest"));
        let number = ParticleNumber(number);
        assert_eq!(proof::verify_particle(&hash, number, &particle, &answer.proof), Ok(()));
        let answer = ask("ranks", number.0.into());
        let value = u64::from_be_bytes(answer.value[..].try_into().expect("eight bytes"));
        assert!(value > 0);
        assert_eq!(proof::verify_rank(&hash, number, value, &answer.proof), Ok(()));
        assert!(proof::verify_rank(&hash, number, value + 1, &answer.proof).is_err());
    }
    for number in 0..5u32 {
        let answer = ask("cyberlinks", number.into());
        let link = snapshot.link(LinkNumber(number)).expect("a link");
        assert_eq!(proof::verify_link(&hash, LinkNumber(number), &link, &answer.proof), Ok(()));
    }
    let answer = ask("rounds", 0);
    assert_eq!(proof::verify_round(&hash, 0, &answer.value, &answer.proof), Ok(()));
    for (log, index) in [("particles", 4), ("cyberlinks", u64::MAX), ("rounds", 1 << 32)] {
        let answer = ask(log, index);
        assert_eq!((answer.code, answer.codespace.as_str()), (22, "sdk"));
        assert!(answer.log.contains(&index.to_string()), "{}", answer.log);
    }
    let odd = world.raw("/store/ranks/key", vec![1], 0, true);
    assert_eq!(odd.code, 18);
}

#[test]
fn ranks_are_proven_for_the_last_ten_heights() {
    let world = World::new();
    let at = |height| world.raw("/store/ranks/key", vec![0; 8], height, true);
    assert_eq!((at(3).code, at(12).code), (0, 0));
    let answer = at(2);
    let text = "ranks are proven for the last 10 heights, the latest is 12, asked for 2: invalid \
                request";
    assert_eq!((answer.code, answer.log.as_str()), (18, text));
}

#[test]
fn a_subspace_lists_keys_up_to_the_limit() {
    let mut world = World::new();
    let at = |world: &World, path: &str, data: &[u8]| world.raw(path, data.to_vec(), 0, false);
    let answer = at(&world, "/store/bank/subspace", &[bank::keys::SUPPLY]);
    let pairs = Pairs::decode(answer.value).expect("pairs").pairs;
    assert_eq!((pairs.len(), &pairs[0].key[..]), (1, &b"\0boot"[..]));
    let nothing = at(&world, "/store/bank/key", b"");
    assert_eq!((nothing.code, nothing.codespace.as_str()), (2, "sdk"));
    for path in ["/store/gold/key", "/store/bank/iterator", "/store/ranks/subspace"] {
        let answer = at(&world, path, b"x");
        assert_eq!(answer.code, 6, "{path}");
        assert!(answer.log.starts_with("no such store: "), "{}", answer.log);
    }
    let reader = world.chain.engine().reader().clone();
    let few = QueryLimits { rows_max: 2, ..limits() };
    world.queries = Queries::new(reader, Arc::default(), few);
    let answer = at(&world, "/store/bank/subspace", &[bank::keys::BALANCES]);
    assert_eq!(answer.code, 18);
    assert!(answer.log.contains("more than 2 keys"), "{}", answer.log);
}
