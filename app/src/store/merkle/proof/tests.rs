//! What a light client accepts, and what it does not.

use super::super::{Log, RankTree};
use super::*;
use crate::types::{Address, Height};
use std::collections::BTreeMap;

/// A small state: five keys in `bank`, three particles, two links, three ranks, one round.
struct State {
    bank: Tree,
    links: Vec<Link>,
    ranks: RankTree,
    logs: [Log; 3],
    roots: Vec<(&'static str, Hash)>,
    app_hash: Hash,
}

fn key(n: u8) -> Vec<u8> {
    vec![2, n]
}

fn particle(n: u64) -> Particle {
    Particle([n as u8; 32])
}

fn record(n: u64) -> Vec<u8> {
    vec![n as u8; 100]
}

fn state() -> State {
    let mut bank = Tree::new();
    let balances = (0..5).map(|n| (key(n * 2), Some(vec![n + 1; 20])));
    bank.apply(&balances.collect::<BTreeMap<_, _>>(), 1);
    let neuron = Address::new(&[9; 20]).expect("an address");
    let link = |from: u32, to: u32| Link {
        neuron,
        from: ParticleNumber(from),
        to: ParticleNumber(to),
        height: Height(5),
    };
    let links = vec![link(0, 1), link(0, 2)];
    let mut ranks = RankTree::new(15);
    ranks.grow(3);
    ranks.set_codes(&[(ParticleNumber(0), 10), (ParticleNumber(2), 12)]);
    let mut logs = [Log::new(), Log::new(), Log::new()];
    logs[0].extend_to(2, &|index| leaves::link(&links[index as usize]));
    logs[1].extend_to(3, &|index| leaves::particle(&particle(index)).to_vec());
    logs[2].extend_to(1, &record);
    let root = |name: &&'static str| match *name {
        "bank" => bank.root(),
        "cyberlinks" => logs[0].root(),
        "particles" => logs[1].root(),
        "ranks" => ranks.root(),
        "rounds" => logs[2].root(),
        _ => EMPTY,
    };
    let roots: Vec<_> = simple::NAMES.iter().map(|name| (*name, root(name))).collect();
    let app_hash = simple::app_hash(&roots);
    State { bank, links, ranks, logs, roots, app_hash }
}

#[test]
fn a_key_is_there_with_its_value_or_is_not_there() {
    let State { bank, roots, app_hash, .. } = state();
    for n in 0..10 {
        let ops = prove_key(&bank, &key(n), &roots, "bank");
        let kinds: Vec<&str> = ops.iter().map(|op| op.0.as_str()).collect();
        assert_eq!(kinds, [IAVL, SIMPLE]);
        let value = bank.get(&key(n));
        let verify = |key: &[u8], value| verify_key(&app_hash, "bank", key, value, &ops);
        assert_eq!(verify(&key(n), value), Ok(()));
        assert_eq!(verify(&key(n + 1), value), Err(ProofError::Key(IAVL)));
        assert_eq!(verify(&key(n), Some(b"more")), Err(ProofError::Mismatch(IAVL)));
        let other = if value.is_some() { None } else { Some(&b"1"[..]) };
        assert_eq!(verify(&key(n), other), Err(ProofError::Mismatch(IAVL)));
        let elsewhere = verify_key(&app_hash, "acc", &key(n), value, &ops);
        assert_eq!(elsewhere, Err(ProofError::Key(SIMPLE)));
        let later = verify_key(&[1; 32], "bank", &key(n), value, &ops);
        assert_eq!(later, Err(ProofError::Mismatch(SIMPLE)));
    }
}

#[test]
fn an_empty_store_has_no_key() {
    let State { bank, roots, app_hash, .. } = state();
    let ops = prove_key(&Tree::new(), b"any", &roots, "acc");
    assert_eq!(verify_key(&app_hash, "acc", b"any", None, &ops), Ok(()));
    assert!(verify_key(&app_hash, "acc", b"any", Some(b"1"), &ops).is_err());
    let ops = &prove_key(&bank, &key(1), &roots, "bank")[1..];
    let shortened = verify_key(&app_hash, "bank", &key(1), None, ops);
    assert_eq!(shortened, Err(ProofError::Mismatch(IAVL)));
}

#[test]
fn a_particle_a_link_a_rank_and_a_round_are_where_they_are() {
    let State { links, ranks, logs, roots, app_hash, .. } = state();
    let mismatch = Err(ProofError::Mismatch(LOG));

    let proof = logs[1].prove(2, &|index| leaves::particle(&particle(index)).to_vec());
    let ops = prove_leaf(&proof, &roots, LogName::Particles);
    let verify =
        |number, particle| verify_particle(&app_hash, ParticleNumber(number), &particle, &ops);
    assert_eq!(verify(2, particle(2)), Ok(()));
    assert_eq!(verify(2, particle(1)), mismatch);
    assert_eq!(verify(1, particle(2)), Err(ProofError::Key(LOG)));

    let proof = logs[0].prove(1, &|index| leaves::link(&links[index as usize]));
    let ops = prove_leaf(&proof, &roots, LogName::Cyberlinks);
    assert_eq!(verify_link(&app_hash, LinkNumber(1), &links[1], &ops), Ok(()));
    let later = Link { height: Height(6), ..links[1] };
    assert_eq!(verify_link(&app_hash, LinkNumber(1), &later, &ops), mismatch);

    for (number, value) in [(0, 10), (1, 0), (2, 12)] {
        let number = ParticleNumber(number);
        let ops = prove_leaf(&ranks.prove(number), &roots, LogName::Ranks);
        assert_eq!(verify_rank(&app_hash, number, value, &ops), Ok(()));
        assert_eq!(verify_rank(&app_hash, number, value + 1, &ops), mismatch);
    }

    let ops = prove_leaf(&logs[2].prove(0, &record), &roots, LogName::Rounds);
    assert_eq!(verify_round(&app_hash, 0, &record(0), &ops), Ok(()));
    assert_eq!(verify_round(&app_hash, 0, &record(1), &ops), mismatch);
}

#[test]
fn damaged_operations_are_refused_without_a_panic() {
    let State { bank, ranks, roots, app_hash, .. } = state();
    let number = ParticleNumber(2);
    let good = prove_leaf(&ranks.prove(number), &roots, LogName::Ranks);
    let absent = prove_key(&bank, &key(3), &roots, "bank");
    for at in 0..2 {
        for byte in 0..good[at].2.len() {
            let mut ops = good.clone();
            ops[at].2[byte] ^= 1;
            assert!(verify_rank(&app_hash, number, 12, &ops).is_err(), "{at} {byte}");
            ops[at].2.truncate(byte);
            assert!(verify_rank(&app_hash, number, 12, &ops).is_err(), "{at} {byte}");
        }
        for byte in 0..absent[at].2.len() {
            let mut ops = absent.clone();
            ops[at].2.truncate(byte);
            assert!(verify_key(&app_hash, "bank", &key(3), None, &ops).is_err(), "{at} {byte}");
        }
    }
    let swapped: Vec<ProofOp> = good.iter().rev().cloned().collect();
    for ops in [&swapped[..], &good[..1], &good[1..], &[]] {
        assert!(verify_rank(&app_hash, number, 12, ops).is_err());
        assert!(verify_key(&app_hash, "ranks", &key(3), Some(b"1"), ops).is_err());
    }
}
