//! Accounts from a seed; new chain, continued chain or contradiction.

use super::accounts::{accounts, store_keys, validator_keys, MOST, SEED};
use super::settings::{plan, DevSettings, Links, Plan};
use super::*;
use crate::client::keys::{Backend, KeyStore};

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("folder")
}

/// The chain that these flags make.
fn made(flags: &Dev, home: &std::path::Path) -> DevSettings {
    let Plan::New(settings) = plan(flags, home).expect("nothing is there") else {
        panic!("nothing is there to be continued");
    };
    settings.save(home).expect("saved");
    settings
}

#[test]
fn the_same_seed_gives_the_same_neurons() {
    let all = accounts(SEED, 8);
    let names: Vec<&str> = all.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"]);
    // Pinned: tests and guides name these addresses.
    let addresses: Vec<String> =
        all.iter().map(|account| account.address.to_bech32("bostrom")).collect();
    let pinned = [
        "bostrom1l6zzypa0y2200ew2z9n7lxd0n55gqruyv2v2ls",
        "bostrom1xxlxe3uwazaet5w0985hhdkxkr0yvrc35ktc5d",
        "bostrom1zaklytgjxzrl4zh46jndamw5kmurtwqkledhgm",
        "bostrom1wgvgswnemvjutj7jv7tpd2sh3etlan7jngdeml",
        "bostrom13xys5q9x8sf4zcrfst3kd0770gssrhc7gkjgx0",
        "bostrom15rx2u4aw6t03rjt6dnd34yxhun8tada8kym9g4",
        "bostrom1rc5dv4e8pzu9k0f5d5vq5evfn2937y462zr9ky",
        "bostrom1lsr38cunnjffr506u0z9ly3w0eyrcttcsel722",
    ];
    assert_eq!(addresses, pinned);
    assert_eq!(all[0].mnemonic.split(' ').count(), 24);
    assert_ne!(accounts("other", 1)[0].address, all[0].address);
    assert_ne!(validator_keys(SEED, 0).validator, validator_keys(SEED, 1).validator);
    assert_ne!(validator_keys(SEED, 0).validator, validator_keys(SEED, 0).node);
}

#[test]
fn stakes_are_about_equal_and_all_different() {
    let amounts: Vec<u64> = accounts(SEED, 8).iter().map(|account| account.amount).collect();
    assert!(amounts.windows(2).all(|pair| pair[0] > pair[1]));
    assert!(amounts[0] < amounts[7] * 3 / 2);
    let most = u64::from(MOST);
    let parts: u64 = (0..most).map(|index| 3 * most - index).sum();
    assert!(parts.checked_mul(1_000_000_000_000).is_some_and(|supply| supply < 1 << 63));
}

#[test]
fn keys_of_another_seed_are_replaced_and_other_keys_stay() {
    let home = home();
    let store = KeyStore::new(home.path(), Some(Backend::Test));
    let own = &accounts("own", 30)[29];
    store_keys(home.path(), std::slice::from_ref(own)).expect("stored");
    for seed in ["one", "two", "two"] {
        let all = accounts(seed, 2);
        store_keys(home.path(), &all).expect("stored");
        assert_eq!(store.show("bob").expect("bob").address(), all[1].address);
    }
    assert_eq!(store.show("neuron30").expect("own").address(), own.address);
}

#[test]
fn a_second_run_continues_what_the_first_made() {
    let home = home();
    let flags = Dev { seed: Some("a b".into()), block_time: Some(250), ..Dev::default() };
    let first = made(&flags, home.path());
    assert_eq!((first.nodes, first.accounts, first.block_time_ms), (1, 8, 250));
    assert_eq!(plan(&flags, home.path()).expect("same"), Plan::Continue(first.clone()));
    assert_eq!(plan(&Dev::default(), home.path()).expect("bare"), Plan::Continue(first.clone()));
    let faster = Dev { block_time: Some(100), port_base: Some(31_000), ..Dev::default() };
    let expected = DevSettings { block_time_ms: 100, port_base: Some(31_000), ..first };
    assert_eq!(plan(&faster, home.path()).expect("changed"), Plan::Continue(expected));
}

#[test]
fn nodes_without_a_vote_can_come_later_up_to_the_most_there_are() {
    let home = home();
    let first = made(&Dev { nodes: Some(4), ..Dev::default() }, home.path());
    assert_eq!(first.full_nodes, 0);
    let more = Dev { full_nodes: Some(2), ..Dev::default() };
    let Plan::Continue(settings) = plan(&more, home.path()).expect("more") else {
        panic!("the chain goes on");
    };
    let chain = chain::Chain::new(home.path(), settings).expect("a chain");
    let votes: Vec<bool> = chain.nodes.iter().map(|node| node.votes).collect();
    assert_eq!(votes, [true, true, true, true, false, false]);
    assert_eq!(chain.nodes[5].ports.rpc, 26_707);
    let all = Dev { full_nodes: Some(17), ..Dev::default() };
    let failure = plan(&all, home.path()).expect_err("too many");
    assert!(failure.message.contains("at most 16"), "{failure}");
}

#[test]
fn a_chain_keeps_the_links_it_was_made_with() {
    let home = home();
    let own = Dev { links: Some("own.tsv".into()), ..Dev::default() };
    let first = made(&own, home.path());
    let Links::File(path) = &first.links else { panic!("{first:?}") };
    assert!(path.is_absolute());
    DevSettings { imported: true, ..first.clone() }.save(home.path()).expect("saved");
    let next = |flags: &Dev| match plan(flags, home.path()).expect("continued") {
        Plan::Continue(settings) => (settings.links, settings.imported),
        Plan::New(_) => panic!("it is there"),
    };
    assert_eq!(next(&Dev::default()), (first.links.clone(), true));
    assert_eq!(next(&own), (first.links.clone(), false), "a file given again is read again");
    let none = Dev { no_import: true, ..Dev::default() };
    assert_eq!(next(&none), (first.links, true), "what is missing is imported another time");
}

#[test]
fn a_contradiction_stops_with_the_two_commands_that_would_work() {
    let home = home();
    made(&Dev::default(), home.path());
    let flags = Dev {
        nodes: Some(3),
        seed: Some("it's new".into()),
        port_base: Some(31_000),
        no_import: true,
        ..Dev::default()
    };
    let failure = plan(&flags, home.path()).expect_err("contradiction");
    assert_eq!(failure.exit.code(), 2);
    let text = failure.message;
    assert!(text.contains("--nodes 3 was asked for, the chain was made with 1"), "{text}");
    let hint = failure.hint.expect("two commands");
    let home_text = home.path().display();
    let continued = format!("cyberd dev --home {home_text} --port-base 31000 --no-import\n");
    assert!(hint.contains(&continued), "{hint}");
    let anew = format!(
        "cyberd dev --home {home_text} --reset --nodes 3 --seed 'it'\\''s new' --port-base 31000 \
         --no-import"
    );
    assert!(hint.ends_with(&anew), "{hint}");
    let reset = plan(&Dev { reset: true, ..flags }, home.path()).expect("reset");
    assert!(matches!(reset, Plan::New(settings) if settings.nodes == 3));
}

#[test]
fn a_node_of_another_kind_is_left_alone() {
    let home = home();
    std::fs::create_dir(home.path().join("config")).expect("config");
    std::fs::write(home.path().join("config/genesis.json"), "{}").expect("genesis");
    for reset in [false, true] {
        let failure = plan(&Dev { reset, ..Dev::default() }, home.path()).expect_err("not ours");
        assert_eq!(failure.exit.code(), 2);
    }
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    for (nodes, accounts) in
        [(Some(0), None), (Some(21), None), (None, Some(0)), (None, Some(1001))]
    {
        let flags = Dev { nodes, accounts, ..Dev::default() };
        let failure = plan(&flags, home().path()).expect_err("out of range");
        assert!(failure.message.contains("from 1 to"), "{failure}");
    }
}

#[test]
fn block_times_are_read_in_all_their_units() {
    let good = [("1s", 1_000), ("250ms", 250), ("0.5s", 500), ("0s", 0), ("1.5m", 90_000)];
    for (text, ms) in good {
        assert_eq!(block_time(text), Ok(ms), "{text}");
    }
    for text in ["", "1", "s", "-1s", "1 s", "1d", "61m", "9999999999999999999999999999999999999s"]
    {
        assert!(block_time(text).is_err(), "{text}");
    }
}

#[test]
fn every_line_of_the_sample_graph_can_be_imported() {
    let home = home();
    store_keys(home.path(), &accounts(SEED, 8)).expect("stored");
    let keys = KeyStore::new(home.path(), Some(Backend::Test));
    let plan = import::read_sample(&keys, None).expect("the sample");
    assert_eq!((plan.wrong.len(), plan.repeated), (0, 0));
    assert_eq!((plan.total(), plan.particles()), (412_561, 148_508));
    let links: Vec<usize> = plan.lanes.iter().map(|lane| lane.links.len()).collect();
    assert_eq!(links, [68_997, 71_734, 72_117, 76_487, 44_599, 48_940, 5_313, 24_374]);
    // A search for "dog" has something to say.
    let (_, dog) = crate::types::cid::particle_of_text("dog");
    let all = plan.lanes.iter().flat_map(|lane| &lane.links);
    let from_dog = all.filter(|link| *plan.pair(**link).0 == dog);
    let words: Vec<&str> = from_dog.filter_map(|link| plan.texts(*link).1).collect();
    for word in ["canine", "domestic animal", "puppy", "hunting dog", "poodle", "chase"] {
        assert!(words.contains(&word), "{word}: {words:?}");
    }
}

#[test]
fn fewer_neurons_than_the_sample_names_need_another_file_or_none() {
    let few = Dev { accounts: Some(3), ..Dev::default() };
    let failure = plan(&few, home().path()).expect_err("the sample names eight");
    assert_eq!(failure.exit.code(), 2);
    for flags in [
        Dev { no_import: true, ..few.clone() },
        Dev { links: Some("own.tsv".into()), ..few.clone() },
        Dev { accounts: Some(9), ..Dev::default() },
    ] {
        assert!(plan(&flags, home().path()).is_ok());
    }
}
