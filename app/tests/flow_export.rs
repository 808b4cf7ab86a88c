//! Export and go on: a new chain made from an exported genesis publishes the round that was
//! running, bit for bit as the old chain does.

use cyberd::engine::export;
use cyberd::testkit::chain::{genesis, ChainOptions};
use cyberd::testkit::{story, Chain};
use cyberd::types::Height;

#[test]
fn the_first_round_of_the_new_chain_equals_the_old_chains_next() {
    let mut old = Chain::new();
    story::tell(&mut old, 7, 33);
    assert_eq!(old.snapshot().height(), Height(33));
    let file = export::genesis_file(&old.snapshot(), "cyberd-test", "2026-01-01T00:00:00Z");
    let file = file.expect("a state is JSON");
    assert_eq!(file["initial_height"], "34");
    let app_state = serde_json::to_vec(&file["app_state"]).expect("JSON");
    let options = ChainOptions { initial_height: Height(34), ..old.options.clone() };
    let mut new = Chain::from_genesis(genesis(&options, app_state.into()), options);
    old.run_to(Height(35));
    new.run_to(Height(35));
    let codes = |chain: &Chain| -> Vec<u32> {
        chain.snapshot().rank().codes().flatten().copied().collect()
    };
    assert_eq!(codes(&new), codes(&old));
    let record = |chain: &Chain| {
        let snapshot = chain.snapshot();
        snapshot.round(snapshot.rounds() - 1).expect("published at 35").to_vec()
    };
    assert_eq!(record(&new), record(&old));
    // And on: the same transactions give the same graph and the same ranks.
    let mut alice = old.wallet("alice");
    let links = [(cyberd::types::Particle([1; 32]), cyberd::types::Particle([2; 32]))];
    let tx = alice.sign(vec![alice.link_message(&links, false)]);
    for chain in [&mut old, &mut new] {
        let outcome = chain.block(vec![tx.clone()]);
        assert!(outcome.results[0].is_ok(), "{}", outcome.results[0].log);
        chain.run_to(Height(45));
    }
    assert_eq!(codes(&new), codes(&old));
}

#[test]
fn a_state_exported_with_a_bulk_file_goes_on_as_one_without_does() {
    let mut old = Chain::new();
    story::tell(&mut old, 9, 33);
    let snapshot = old.snapshot();
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("genesis.bin");
    let beside = export::app_state_beside(&snapshot, &path, "genesis.bin").expect("written");
    assert!(beside.graph.links.is_empty() && beside.auth.accounts.is_empty());
    let states = [export::app_state(&snapshot), beside].map(|state| {
        let json = serde_json::to_vec(&state).expect("JSON");
        let options = ChainOptions {
            initial_height: Height(34),
            genesis_folder: Some(folder.path().to_owned()),
            ..old.options.clone()
        };
        let mut new = Chain::from_genesis(genesis(&options, json.into()), options);
        new.run_to(Height(45));
        new.restart(None);
        new.run_to(Height(50));
        new.snapshot().roots()
    });
    assert_eq!(states[0], states[1]);
}

#[test]
fn an_exported_state_exports_the_same_again() {
    let mut old = Chain::new();
    story::tell(&mut old, 8, 12);
    let first = export::app_state(&old.snapshot());
    let json = serde_json::to_vec(&first).expect("JSON");
    let options = ChainOptions { initial_height: Height(13), ..old.options.clone() };
    let new = Chain::from_genesis(genesis(&options, json.clone().into()), options);
    let again = export::app_state(new.engine().base().expect("a genesis").as_ref());
    let (first, again): (serde_json::Value, serde_json::Value) =
        (serde_json::from_slice(&json).expect("JSON"), serde_json::to_value(&again).expect("JSON"));
    for (section, value) in first.as_object().expect("sections") {
        assert_eq!(value, &again[section], "{section}");
    }
}
