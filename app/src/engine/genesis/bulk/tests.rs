//! The bulk file: what goes in comes out, damage is named, a chain from it equals one from JSON.

use super::*;
use crate::engine::genesis::{stage, AppState};
use crate::error::Fault;
use crate::store::backend::MemoryDisk;
use crate::store::{Options, Staged, Store};
use crate::testkit::chain::{genesis, ChainOptions};
use crate::types::{sha256, Address, Amount, Coin, Particle};
use std::path::Path;

const ACCOUNTS: u64 = 300;

fn address(n: u64) -> Address {
    Address::new(&sha256(&n.to_be_bytes())[..20]).expect("20 bytes")
}

fn particle(n: u32) -> Particle {
    Particle(sha256(&n.to_be_bytes()))
}

/// Links in which neurons appear in order.
fn links() -> Vec<LinkRecord> {
    let link = |n: u32| LinkRecord { neuron: (n / 9).min(40), from: n % 90, to: (n * 7 + 1) % 97 };
    let mut links: Vec<_> = (0..500).map(link).filter(|link| link.from != link.to).collect();
    let mut seen = std::collections::BTreeSet::new();
    links.retain(|link| seen.insert(*link));
    links
}

/// Writes the test's file; the reference to it.
fn write(folder: &Path, links: &[LinkRecord]) -> Result<BulkReference, Fault> {
    let mut writer = Writer::create(&folder.join(FILE))?;
    for number in 0..ACCOUNTS {
        writer.put(&AccountRecord {
            address: address(number),
            number,
            sequence: number % 3,
            key: None,
            module: None,
            coins: vec![Coin::new("boot", Amount(1_000_000 + u128::from(number)))],
        })?;
    }
    for number in 0..97 {
        writer.put(&particle(number))?;
    }
    for number in 0..41 {
        writer.put_neuron(address(number))?;
    }
    for link in links {
        writer.put_link(*link)?;
    }
    writer.finish(FILE)
}

fn empty_state() -> AppState {
    crate::engine::genesis::development("bostrom", "boot", &[])
}

fn staged(state: &AppState, folder: &Path) -> Result<Staged, Fault> {
    let json = serde_json::to_vec(state).expect("JSON");
    let genesis = genesis(&ChainOptions::default(), json.into());
    let store = Store::open_on(Box::new(MemoryDisk::new()), Options::default())?;
    stage(&store, &genesis, Some(folder))
}

/// The same genesis with everything in the JSON.
fn inline_state() -> AppState {
    let accounts: Vec<_> =
        (0..ACCOUNTS).map(|n| (address(n), Amount(1_000_000 + u128::from(n)))).collect();
    let mut state = crate::engine::genesis::development("bostrom", "boot", &accounts);
    for n in 0..ACCOUNTS {
        let text = address(n).to_bech32("bostrom");
        let account = serde_json::json!({
            "@type": "/cosmos.auth.v1beta1.BaseAccount",
            "address": text,
            "pub_key": null,
            "account_number": n.to_string(),
            "sequence": (n % 3).to_string(),
        });
        state.auth.accounts.push(serde_json::from_value(account).expect("an account"));
    }
    state.graph.particles = (0..97).map(|n| particle(n).to_cid()).collect();
    state.graph.neurons = (0..41).map(|n| address(n).to_bech32("bostrom")).collect();
    state.graph.links = links().iter().map(|l| (l.neuron, l.from, l.to)).collect();
    state
}

#[test]
fn a_chain_from_the_file_begins_as_one_from_json_does() {
    let folder = tempfile::tempdir().expect("folder");
    let mut state = empty_state();
    state.bulk = Some(write(folder.path(), &links()).expect("written"));
    let from_file = staged(&state, folder.path()).expect("good");
    let from_json = staged(&inline_state(), folder.path()).expect("good");
    assert_eq!(from_file.snapshot().roots(), from_json.snapshot().roots());
    // And has the same indexes over its graph.
    let snapshot = from_file.snapshot();
    let link = links()[77];
    let ends = [link.from, link.to].map(crate::types::ParticleNumber);
    use crate::state::Read;
    assert!(snapshot.has_link(&address(link.neuron.into()), ends[0], ends[1]));
    assert_eq!(snapshot.particle_number(&particle(5)), Some(crate::types::ParticleNumber(5)));
}

#[test]
fn a_chain_from_the_file_survives_a_restart_at_once_and_later() {
    let folder = tempfile::tempdir().expect("folder");
    let mut state = empty_state();
    state.bulk = Some(write(folder.path(), &links()).expect("written"));
    let json = serde_json::to_vec(&state).expect("JSON");
    let options = ChainOptions { genesis_folder: Some(folder.path().into()), ..Default::default() };
    let mut chain = crate::testkit::Chain::from_genesis(genesis(&options, json.into()), options);
    for _ in 0..12 {
        let height = crate::types::Height(chain.snapshot().height().0 + 1);
        chain.run_to(height);
        let before = chain.snapshot().app_hash();
        chain.restart(None);
        assert_eq!((chain.snapshot().height(), chain.snapshot().app_hash()), (height, before));
    }
    assert!(chain.snapshot().rounds() > 0, "ranked");
}

#[test]
fn a_missing_other_or_damaged_file_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join(FILE);
    let mut state = empty_state();
    let reference = write(folder.path(), &links()).expect("written");
    let good = std::fs::read(&path).expect("read");
    let mut says = |bytes: Option<Vec<u8>>, change: &dyn Fn(&mut BulkReference), what: &str| {
        match bytes {
            Some(bytes) => std::fs::write(&path, bytes).expect("write"),
            None => std::fs::remove_file(&path).expect("remove"),
        }
        let mut reference = reference.clone();
        change(&mut reference);
        state.bulk = Some(reference);
        let text = staged(&state, folder.path()).expect_err(what).to_string();
        assert!(text.contains(what), "{what}: {text}");
    };
    let same = |_: &mut BulkReference| {};
    says(Some(good[1..].to_vec()), &same, "bytes, app_state.bulk.size");
    let mut flipped = good.clone();
    flipped[5_000] ^= 1;
    says(Some(flipped), &same, "its SHA-256 is");
    says(Some(good.clone()), &|r| r.links += 1, "app_state.bulk.links");
    says(Some(good.clone()), &|r| r.root = "00".repeat(32), "root of its links");
    says(Some(good.clone()), &|r| r.file = "../x".into(), "a name in the folder");
    says(None, &same, "use cyberd join");
}

#[test]
fn links_to_nothing_twice_or_out_of_order_are_refused() {
    let all = links();
    type Change<'a> = &'a dyn Fn(&mut Vec<LinkRecord>);
    let cases: [(&str, Change); 5] = [
        ("links[3]: no such particle 97: there are 97", &|links| links[3].to = 97),
        ("particle 5 does not link to itself", &|links| {
            links[3] = LinkRecord { from: 5, to: 5, ..links[3] }
        }),
        ("stands twice", &|links| links[8] = links[2]),
        ("neurons stand in the order", &|links| links[0].neuron = 3),
        ("only 1 of them have a link", &|links| links.truncate(4)),
    ];
    for (says, change) in cases {
        let folder = tempfile::tempdir().expect("folder");
        let mut links = all.clone();
        change(&mut links);
        let mut state = empty_state();
        state.bulk = Some(write(folder.path(), &links).expect("written"));
        let text = staged(&state, folder.path()).expect_err(says).to_string();
        assert!(text.contains(says), "{says}: {text}");
    }
}

#[test]
fn a_list_in_both_files_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let mut state = inline_state();
    state.bulk = Some(write(folder.path(), &links()).expect("written"));
    let text = staged(&state, folder.path()).expect_err("both").to_string();
    assert!(text.contains("app_state.graph") && text.contains("one of the two"), "{text}");
    state.graph = Default::default();
    let text = staged(&state, folder.path()).expect_err("accounts twice").to_string();
    assert!(text.contains("accounts[0]") && text.contains("stands twice"), "{text}");
}
