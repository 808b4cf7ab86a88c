//! An import of everything a chain like go-cyber exports, in small: `app/tests/fixtures` has the
//! export, the graph beside it and the report of its import, which is documentation, too.

use super::*;
use crate::engine::genesis::VOTING_POWER_MAX;
use crate::node::cometbft::genesis::file::Summary;
use crate::testkit::{Chain, ChainOptions, Wallet};
use crate::types::cid::particle_of_text;
use crate::types::{sha256, Address, Height};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// An export in the shape of SDK 0.47 with go-cyber's modules.
fn source() -> Value {
    let text = std::fs::read(fixture("export.json")).expect("the fixture");
    serde_json::from_slice(&text).expect("JSON")
}

/// With the graph beside it.
fn whole() -> Options {
    Options { graph: Some(fixture("export.graph")), ..Options::default() }
}

fn run(source: &Value, options: &Options) -> Result<(GenesisFile, Report, Summary), Fault> {
    let folder = tempfile::tempdir().expect("folder");
    let (file, report) = import(source, options, &folder.path().join("genesis.json"))?;
    let summary = file.check()?;
    Ok((file, report, summary))
}

fn refusal(source: &Value, options: &Options) -> String {
    run(source, options).err().expect("it is refused").to_string()
}

/// The address of a wallet.
fn of_key(name: &str) -> String {
    Wallet::new(name, "bostrom", "bostrom").bech32()
}

fn of_hash(name: &str) -> String {
    Address::new(&sha256(name.as_bytes())[..20]).expect("20 bytes").to_bech32("bostrom")
}

fn held(file: &GenesisFile, address: &str, denom: &str) -> u128 {
    let state = file.state().expect("typed");
    let balance = state.bank.balances.iter().find(|balance| balance.address == address);
    balance.map_or(0, |balance| balance.coins.amount_of(denom).0)
}

/// `CYBERD_WRITE_FIXTURE=1 cargo test -p cyberd import_is_the_one` writes it anew, to be read.
#[test]
fn the_report_of_the_import_is_the_one_that_is_kept() {
    let (_, report, _) = run(&source(), &whole()).expect("imported");
    let (path, text) = (fixture("import-report.txt"), report.to_text() + "\n");
    if std::env::var_os("CYBERD_WRITE_FIXTURE").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "{} is another report", path.display());
}

#[test]
fn everything_is_with_its_owner_afterwards_and_the_totals_are_compared() {
    let (file, report, summary) = run(&source(), &whole()).expect("imported");
    assert_eq!((summary.chain_id.as_str(), summary.initial_height), ("bostrom", 19_654_321));
    assert_eq!((summary.validators, summary.power), (3, 30 + 11 + 5));
    assert_eq!((summary.particles, summary.links, summary.neurons), (6, 6, 4));
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(of_key);
    assert_eq!(held(&file, &alice, "boot"), 1_000_000_000 + 20_000_000);
    // Two addresses of one key, under two prefixes.
    assert_eq!(held(&file, &bob, "boot"), 70_000_000 + 30_000_000 + 10_000_000);
    // A slashed validator: its shares are worth less. And what was unbonding.
    assert_eq!(held(&file, &carol, "boot"), 2_000_000 + 1_100_000 + 99_000);
    assert_eq!(held(&file, &of_hash("continuous"), "boot"), 500_000_000);
    let whole = format!("factory/{alice}/whole");
    assert_eq!(held(&file, &alice, &whole) + held(&file, &carol, &whole), u128::MAX);
    for Total { what, source, ours, .. } in &report.totals {
        let left = match what.as_str() {
            "boot" => 11,
            "accounts" | "particles" | "cyberlinks" => continue,
            _ => 0,
        };
        assert_eq!(source - ours, left, "{what}");
    }
    let of_whole = report.totals.iter().find(|total| total.what == whole).expect("compared");
    assert_eq!((of_whole.source, of_whole.ours), (u128::MAX, u128::MAX));
}

#[test]
fn a_chain_begins_from_it_and_goes_on_with_its_keys_and_sequences() {
    let (file, ..) = run(&source(), &whole()).expect("imported");
    let genesis = super::super::read(&file.document).expect("a good one");
    let options = ChainOptions {
        chain_id: "bostrom".into(),
        initial_height: Height(19_654_321),
        ..ChainOptions::default()
    };
    let mut chain = Chain::from_genesis(genesis, options);
    let mut alice = chain.wallet("alice");
    assert_eq!((alice.account_number, alice.sequence), (0, 41));
    let [dog, cyber] = ["dog", "cyber"].map(|word| particle_of_text(word).1);
    let again = alice.link_message(&[(dog, particle_of_text("animal").1)], false);
    let new = alice.link_message(&[(dog, cyber)], false);
    let txs = vec![alice.sign(vec![again]), alice.sign(vec![new])];
    let results = chain.block(txs).results;
    assert!(!results[0].is_ok(), "this link came with the graph");
    assert!(results[1].is_ok(), "{}", results[1].log);
    chain.run_to(Height(19_654_335));
    assert_eq!(chain.snapshot().sizes().links, 7);
    assert!(chain.snapshot().rounds() > 0, "ranks are computed");
}

#[test]
fn validators_come_from_staking_if_the_head_of_the_file_has_none() {
    let mut source = source();
    source["validators"] = json!([]);
    let (file, report, _) = run(&source, &Options::default()).expect("imported");
    let powers = |file: &GenesisFile| -> Vec<Value> {
        let list = file.document["validators"].as_array().expect("a list");
        list.iter().map(|one| one["power"].clone()).collect()
    };
    assert_eq!(powers(&file), ["30", "11", "5"]);
    assert!(report.to_text().contains("2 validators of staking"), "{}", report.to_text());
    // More power than CometBFT counts is divided, and that is said.
    for one in 0..2 {
        let tokens = json!("340282366920938463463374607431768211455");
        source["app_state"]["staking"]["validators"][one]["tokens"] = tokens;
    }
    let (file, report, summary) = run(&source, &Options::default()).expect("imported");
    assert_eq!(powers(&file)[0], powers(&file)[1]);
    assert!(summary.power <= VOTING_POWER_MAX as u64, "{}", summary.power);
    assert!(report.to_text().contains("powers divided by"), "{}", report.to_text());
}

#[test]
fn stakes_of_eighteen_decimals_go_back_to_their_owners() {
    let mut source = source();
    let state = &mut source["app_state"];
    // 2^96 of them, bonded with one validator by two.
    let tokens = 1u128 << 96;
    let list = state["bank"]["balances"].as_array_mut().expect("a list");
    let bonded = Address::of_module("bonded_tokens_pool").to_bech32("bostrom");
    let pool = list.iter_mut().find(|balance| balance["address"] == bonded).expect("the pool");
    pool["coins"][0]["amount"] = json!(tokens.to_string());
    state["bank"]["supply"] = json!([]);
    let staking = &mut state["staking"];
    staking["validators"][0]["tokens"] = json!(tokens.to_string());
    let whole = format!("{tokens}.000000000000000000");
    staking["validators"][0]["delegator_shares"] = json!(whole);
    let half = format!("{}.500000000000000000", tokens / 2 - 1);
    let delegation = |who: &str, shares: &str| {
        let validator = staking["validators"][0]["operator_address"].clone();
        json!({ "delegator_address": who, "validator_address": validator, "shares": shares })
    };
    staking["delegations"] =
        json!([delegation(&of_key("alice"), &half), delegation(&of_key("carol"), &half)]);
    let divided = Options { divide_stake: 10u64.pow(12), ..Options::default() };
    let (file, report, _) = run(&source, &divided).expect("imported");
    let right = (tokens / 2 - 1 + 1_000_000_000) / 10u128.pow(12);
    assert_eq!(held(&file, &of_key("alice"), "boot"), right);
    // What was cut off and what was nobody's is in the pools still.
    assert!(report.to_text().contains("of rounding stay with"), "{}", report.to_text());
}

#[test]
fn a_stake_beyond_its_limit_is_refused_with_the_way_out() {
    let mut source = source();
    let bank = &mut source["app_state"]["bank"];
    bank["balances"][0]["coins"][0]["amount"] = json!("36893488147419103232");
    bank["supply"] = json!([]);
    let text = refusal(&source, &Options::default());
    assert!(text.contains("at most 2^63") && text.contains("--divide-stake 5"), "{text}");
    let options = Options { divide_stake: 1_000, ..Options::default() };
    let (_, report, summary) = run(&source, &options).expect("divided");
    assert!(report.to_text().contains("was divided by 1000"), "{}", report.to_text());
    let stake = summary.supply.iter().find(|(denom, _)| denom == "boot").expect("stake");
    assert!(stake.1 > 36_893_488_147_419_103 && stake.1 < 36_893_488_150_000_000, "{}", stake.1);
    let options = Options { stake_denom: Some("volt".to_owned()), ..Options::default() };
    let text = refusal(&source, &options);
    assert!(text.contains("nobody holds") && text.contains("millivolt"), "{text}");
}

#[test]
fn what_the_source_contradicts_itself_in_is_refused_with_its_place() {
    let twice = source()["app_state"]["auth"]["accounts"][0].clone();
    let most = u128::MAX.to_string();
    let cases = [
        ("/bank/balances/0/coins/0/amount", json!("-1"), "bank.balances[0].coins[0]: invalid"),
        ("/bank/supply/0/amount", json!("-5"), "app_state.bank.supply[0]: invalid amount '-5'"),
        ("/bank/supply/0/amount", json!("1.5"), "app_state.bank.supply[0]: invalid amount"),
        ("/bank/balances/1/coins/0/denom", json!("!"), "balances[1].coins[0]: invalid denom"),
        ("/bank/balances/3/coins/1/amount", json!(most), "is over 2^128 - 1"),
        ("/auth/accounts/3", twice, "app_state.auth.accounts[3].address"),
        ("/auth/accounts/1/sequence", json!("x"), "app_state.auth.accounts[1].sequence"),
        (
            "/auth/accounts/1/account_number",
            json!(u64::MAX.to_string()),
            "accounts[1].account_number: 18446744073709551615: one below it is right",
        ),
        ("/staking/delegations/0/shares", json!("many"), "app_state.staking.delegations[0].shares"),
        ("/staking/validators/1/tokens", json!("-7"), "app_state.staking.validators[1].tokens"),
        (
            "/staking/unbonding_delegations/0/entries/0/balance",
            json!("0x1"),
            "app_state.staking.unbonding_delegations: balance: invalid amount '0x1'",
        ),
        ("/bank", json!(5), "app_state.auth and app_state.bank are missing"),
    ];
    for (pointer, value, says) in cases {
        let mut source = source();
        *source["app_state"].pointer_mut(pointer).expect("a place") = value;
        let text = refusal(&source, &Options::default());
        assert!(text.contains(says), "{pointer}: {text}");
    }
}

#[test]
fn a_field_that_nothing_is_made_of_is_named_in_the_report() {
    let mut source = source();
    source["app_state"]["bank"]["supply_offsets"] = json!([{ "denom": "boot" }]);
    source["app_state"]["staking"]["nothing"] = json!([]);
    source["forks"] = json!({ "at": 5 });
    let (_, report, _) = run(&source, &Options::default()).expect("imported");
    let fields = report.sections.iter().find(|one| one.name == "fields of no meaning here");
    let left = fields.map(|section| section.left.join(" ")).unwrap_or_default();
    assert_eq!(left, "app_state.bank.supply_offsets forks");
}

#[test]
fn a_graph_file_that_is_broken_is_refused_with_its_name() {
    let good = std::fs::read(fixture("export.graph")).expect("the fixture");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("graph");
    let says = |bytes: &[u8], words: &str| {
        std::fs::write(&path, bytes).expect("written");
        let options = Options { graph: Some(path.clone()), ..Options::default() };
        let text = refusal(&source(), &options);
        assert!(text.contains(words) && text.contains("graph: "), "{words}: {text}");
    };
    for cut in [3, 70, good.len() - 3] {
        says(&good[..cut], "exported is right");
    }
    says(&[&good[..], b"x"].concat(), "goes on after its last link");
    says(&good[..8], "particles do not fit into it");
    let many = [&u64::MAX.to_le_bytes(), &good[8..]].concat();
    says(&many, "particles do not fit into it");
    // The first particle is one that is no CIDv0: the second's CID and number at fixed places.
    let (odd, cid) = (8 + 1 + usize::from(good[8]) + 8, 1 + 46);
    let (second, third) = (odd, odd + cid + 8);
    let mut same_number = good.clone();
    same_number.copy_within(second + cid..third, third + cid);
    says(&same_number, "one is right");
    let mut same_particle = good.clone();
    same_particle.copy_within(second..second + cid, third);
    says(&same_particle, "stands twice");
    let missing = Options { graph: Some(folder.path().join("none")), ..Options::default() };
    assert!(refusal(&source(), &missing).contains("none: "));
}
