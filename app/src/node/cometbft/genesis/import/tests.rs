//! An import of everything a chain like go-cyber exports, in small.

use super::*;
use crate::node::cometbft::genesis::file::Summary;
use crate::types::cid::particle_of_text;
use crate::types::{sha256, Address};
use base64::prelude::{Engine as _, BASE64_STANDARD};

fn short(name: &str) -> Address {
    Address::new(&sha256(name.as_bytes())[..20]).expect("20 bytes")
}

fn text_of(name: &str, prefix: &str) -> String {
    short(name).to_bech32(prefix)
}

fn base(address: &str, number: u64, sequence: u64, key: Value) -> Value {
    json!({ "address": address, "pub_key": key, "account_number": number.to_string(),
        "sequence": sequence.to_string() })
}

fn of_type(kind: &str, mut value: Value) -> Value {
    value["@type"] = json!(kind);
    value
}

fn vesting(kind: &str, name: &str, number: u64) -> Value {
    let base_account = base(&text_of(name, "bostrom"), number, 2, Value::Null);
    let locked = json!([{ "denom": "boot", "amount": "100" }]);
    let inner = json!({ "base_account": base_account, "original_vesting": locked,
        "delegated_free": [], "delegated_vesting": [], "end_time": "1800000000" });
    let value = json!({ "base_vesting_account": inner, "start_time": "1700000000",
        "vesting_periods": [{ "length": "5", "amount": locked }] });
    of_type(&format!("/cosmos.vesting.v1beta1.{kind}"), value)
}

fn key_and_address() -> (Value, Address) {
    let wallet = crate::testkit::Wallet::new("alice", "bostrom", "x");
    let key = wallet.public_key();
    let key =
        json!({ "@type": "/cosmos.crypto.secp256k1.PubKey", "key": BASE64_STANDARD.encode(key) });
    (key, wallet.address())
}

fn accounts() -> Value {
    let (key, alice) = key_and_address();
    let plain = |address: &str, number, key| {
        of_type("/cosmos.auth.v1beta1.BaseAccount", base(address, number, number + 5, key))
    };
    let module = |name: &str, number| {
        let address = Address::of_module(name).to_bech32("bostrom");
        let value = json!({ "base_account": base(&address, number, 0, Value::Null), "name": name,
            "permissions": ["burner"] });
        of_type("/cosmos.auth.v1beta1.ModuleAccount", value)
    };
    let contract = Address::new(&sha256(b"contract")).expect("32 bytes").to_bech32("bostrom");
    let unknown = json!({ "@type": "/ethermint.crypto.v1.ethsecp256k1.PubKey", "key": "AA==" });
    let chain = json!({ "account_owner": "x",
        "base_account": base(&text_of("ica", "bostrom"), 11, 0, Value::Null) });
    json!([
        plain(&alice.to_bech32("bostrom"), 0, key.clone()),
        plain(&text_of("bob", "cyber"), 1, unknown),
        plain(&text_of("carol", "bostrom"), 2, key),
        plain(&contract, 3, Value::Null),
        module("bonded_tokens_pool", 4),
        module("not_bonded_tokens_pool", 5),
        module("distribution", 6),
        vesting("ContinuousVestingAccount", "continuous", 7),
        vesting("DelayedVestingAccount", "delayed", 8),
        vesting("PeriodicVestingAccount", "periodic", 9),
        vesting("PermanentLockedAccount", "locked", 10),
        of_type("/ibc.applications.interchain_accounts.v1.InterchainAccount", chain),
        of_type("/x.Odd", json!({ "owner": "nobody" })),
    ])
}

fn bank() -> Value {
    let (_, alice) = key_and_address();
    let holds = |address: String, coins: &[(&str, &str)]| {
        let coin = |(denom, amount): &(&str, &str)| json!({ "denom": denom, "amount": amount });
        json!({ "address": address, "coins": coins.iter().map(coin).collect::<Vec<_>>() })
    };
    let most = u128::MAX.to_string();
    let pool = |name: &str| Address::of_module(name).to_bech32("bostrom");
    let odd =
        bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("bostrom").expect("prefix"), &[7; 10]);
    json!({
        "params": { "send_enabled": [], "default_send_enabled": true },
        "balances": [
            holds(alice.to_bech32("bostrom"), &[("boot", "1000"), ("ibc/AB", &most)]),
            holds(text_of("bob", "cyber"), &[("boot", "70"), ("millivolt", "5")]),
            holds(text_of("bob", "bostrom"), &[("boot", "30")]),
            holds(pool("bonded_tokens_pool"), &[("boot", "9000001")]),
            holds(pool("not_bonded_tokens_pool"), &[("boot", "40")]),
            holds(pool("distribution"), &[("boot", "8")]),
            holds(text_of("stranger", "bostrom"), &[("boot", "3")]),
            holds(odd.expect("an address"), &[("boot", "11")]),
        ],
        "supply": [
            { "denom": "boot", "amount": "9001163" },
            { "denom": "ibc/AB", "amount": most },
            { "denom": "millivolt", "amount": "5" },
        ],
        "denom_metadata": [{ "description": "", "base": "millivolt", "display": "volt",
            "denom_units": [{ "denom": "millivolt", "exponent": 0, "aliases": [] }],
            "name": "VOLT", "symbol": "VOLT" }],
        "send_enabled": [{ "denom": "millivolt", "enabled": false }],
    })
}

fn staking() -> Value {
    let validator = |name: &str, tokens: &str, status: &str| {
        json!({ "operator_address": name, "status": status, "tokens": tokens,
            "delegator_shares": format!("{tokens}.000000000000000000"),
            "description": { "moniker": name },
            "consensus_pubkey": { "@type": "/cosmos.crypto.ed25519.PubKey",
                "key": BASE64_STANDARD.encode(sha256(name.as_bytes())) } })
    };
    let delegation = |who: &str, shares: &str| {
        let validator = "one";
        json!({ "delegator_address": who, "validator_address": validator, "shares": shares })
    };
    json!({
        "params": { "bond_denom": "boot" },
        "validators": [validator("one", "9000000", "BOND_STATUS_BONDED"),
            validator("two", "0", "BOND_STATUS_UNBONDED")],
        "delegations": [
            delegation(&text_of("bob", "bostrom"), "6000000.500000000000000000"),
            delegation(&text_of("carol", "bostrom"), "2999999.500000000000000000"),
            delegation("nobody", "1.0"),
        ],
        "unbonding_delegations": [{ "delegator_address": text_of("carol", "bostrom"),
            "validator_address": "one", "entries": [{ "balance": "40" }] }],
        "redelegations": [{}],
    })
}

/// The shape of an export of SDK 0.47 with go-cyber's modules.
fn source() -> Value {
    let gentx = json!({ "body": { "messages": [{
        "@type": "/cosmos.staking.v1beta1.MsgCreateValidator",
        "description": { "moniker": "gen" },
        "pubkey": { "@type": "/cosmos.crypto.ed25519.PubKey",
            "key": BASE64_STANDARD.encode([9; 32]) },
        "value": { "denom": "boot", "amount": "5000000" } }] } });
    json!({
        "genesis_time": "2026-05-01T00:00:00Z",
        "chain_id": "bostrom",
        "initial_height": "777",
        "consensus_params": {
            "block": { "max_bytes": "400000", "max_gas": "-1" },
            "evidence": { "max_age_num_blocks": "1000", "max_age_duration": "172800000000000",
                "max_bytes": "1048576" },
            "validator": { "pub_key_types": ["ed25519"] },
            "version": { "app": "0" },
        },
        "app_hash": "",
        "app_state": {
            "auth": { "params": { "max_memo_characters": "300", "tx_sig_limit": "7",
                "tx_size_cost_per_byte": "10", "sig_verify_cost_ed25519": "590",
                "sig_verify_cost_secp256k1": "1000" }, "accounts": accounts() },
            "vesting": {},
            "bank": bank(),
            "staking": staking(),
            "genutil": { "gen_txs": [gentx] },
            "bandwidth": { "params": { "recovery_period": "200", "adjust_price_period": "5",
                "base_price": "0.250000000000000000", "base_load": "0.1",
                "max_block_bandwidth": "10000" } },
            "rank": { "params": { "calculation_period": "5",
                "damping_factor": "0.850000000000000000", "tolerance": "0.001" } },
            "graph": {},
            "distribution": { "outstanding_rewards": [{}, {}], "fee_pool": {} },
            "wasm": { "codes": [{}], "contracts": [{}, {}] },
        },
    })
}

fn run(source: &Value, options: &Options) -> Result<(GenesisFile, Report, Summary), Fault> {
    let folder = tempfile::tempdir().expect("folder");
    let (file, report) = import(source, options, &folder.path().join("genesis.json"))?;
    let summary = file.check()?;
    Ok((file, report, summary))
}

fn all_text(report: &Report) -> String {
    report.to_text()
}

#[test]
fn an_export_of_go_cyber_becomes_a_genesis_with_equal_totals() {
    let (file, report, summary) = run(&source(), &Options::default()).expect("imported");
    assert_eq!((summary.chain_id.as_str(), summary.initial_height), ("bostrom", 777));
    let text = all_text(&report);
    for says in [
        "12 accounts with their sequences",
        "1 public keys",
        "1 of a kind that this chain does not know",
        "1 that belong to another address",
        "400boot vest there",
        "1 Odd without a base account",
        "addresses got the prefix 'bostrom'",
        "1 balances belong to an address that another one has",
        "1 balances of addresses that are not of 20 or 32 bytes: 11boot",
        "2 delegations: 8999999boot went back",
        "40boot that were unbonding",
        "2boot of rounding stay",
        "1 delegations of addresses or to validators",
        "1 redelegations",
        "1 validators of staking",
        "1 gentxs became validators",
        "block.max_gas -1 became 400000000",
        "evidence.max_bytes became block.max_bytes",
        "version.app \"0\" became \"1\"",
        "recovery_period 200",
        "calculation_period 5",
        "metadata of 1 denominations",
        "2 outstanding_rewards",
        "1 codes, 2 contracts",
        "give it with --graph",
        "millivolt: 5 there, 5 here: equal",
        "boot: 9001163 there, 9001152 here: differ by 11",
    ] {
        assert!(text.contains(says), "'{says}' is not in\n{text}");
    }
    let whole = report.totals.iter().find(|total| total.what == "ibc/AB").expect("there");
    assert_eq!((whole.source, whole.ours), (u128::MAX, u128::MAX));
    let state = file.state().expect("typed");
    let held = |name: &str| {
        let address = text_of(name, "bostrom");
        let balance = state.bank.balances.iter().find(|balance| balance.address == address);
        balance.map_or(0, |balance| balance.coins.amount_of("boot").0)
    };
    assert_eq!(held("bob"), 100 + 6_000_000);
    assert_eq!(held("carol"), 2_999_999 + 40);
    let alice = &state.auth.accounts[0];
    let alice = serde_json::to_value(alice).expect("JSON");
    assert_eq!((&alice["sequence"], alice["pub_key"].is_object()), (&json!("5"), true));
    assert_eq!(file.document["validators"][1]["power"], "5");
}

#[test]
fn a_graph_file_gives_particles_and_links_to_their_neurons() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("graph");
    let mut bytes = Vec::new();
    let words = ["dog", "cat", "animal"];
    bytes.extend(4u64.to_le_bytes());
    for (number, word) in (0u64..).zip(words) {
        let cid = particle_of_text(word).1.to_cid();
        bytes.push(cid.len() as u8);
        bytes.extend(cid.bytes());
        bytes.extend((2 - number).to_le_bytes());
    }
    bytes.push(3);
    bytes.extend(b"odd");
    bytes.extend(3u64.to_le_bytes());
    let links = [(2u64, 0u64, 1u64), (1, 0, 2), (1, 0, 99), (3, 0, 1), (0, 0, 1), (2, 0, 1)];
    bytes.extend((links.len() as u64).to_le_bytes());
    for (from, to, account) in links {
        [from, to, account].iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    }
    std::fs::write(&path, &bytes).expect("written");
    let options = Options { graph: Some(path.clone()), ..Options::default() };
    let (file, report, summary) = run(&source(), &options).expect("imported");
    assert_eq!((summary.particles, summary.links, summary.neurons), (3, 2, 2));
    let state = file.state().expect("typed");
    assert_eq!(state.graph.particles[0], particle_of_text("animal").1.to_cid());
    assert_eq!(state.graph.neurons, [text_of("bob", "bostrom"), text_of("carol", "bostrom")]);
    let text = all_text(&report);
    for says in [
        "1 particles that are no CIDv0",
        "1 links of account numbers",
        "1 links from or to a particle",
        "1 links of a particle to itself",
        "1 links that stand twice",
        "cyberlinks: 6 there, 2 here",
    ] {
        assert!(text.contains(says), "'{says}' is not in\n{text}");
    }
    std::fs::write(&path, &bytes[..bytes.len() - 3]).expect("written");
    let short = run(&source(), &options).err().map(|fault| fault.to_string());
    assert!(short.is_some_and(|text| text.contains("exported is right")), "ends early");
}

#[test]
fn a_stake_beyond_its_limit_is_refused_with_the_way_out() {
    let mut source = source();
    let bank = &mut source["app_state"]["bank"];
    bank["balances"][0]["coins"][0]["amount"] = json!("36893488147419103232");
    bank["supply"] = json!([]);
    let text = run(&source, &Options::default()).err().expect("too much").to_string();
    assert!(text.contains("at most 2^63") && text.contains("--divide-stake 5"), "{text}");
    let options = Options { divide_stake: 1_000, ..Options::default() };
    let (_, report, summary) = run(&source, &options).expect("divided");
    assert!(all_text(&report).contains("was divided by 1000"), "{}", all_text(&report));
    let stake = summary.supply.iter().find(|(denom, _)| denom == "boot").expect("stake");
    assert_eq!(stake.1, 36893488147419103 + 6000 + 3000);
    let options = Options { stake_denom: Some("volt".to_owned()), ..Options::default() };
    let text = run(&source, &options).err().expect("nobody has it").to_string();
    assert!(text.contains("nobody holds") && text.contains("millivolt"), "{text}");
}

#[test]
fn what_the_source_contradicts_itself_in_is_refused_with_its_place() {
    let cases = [
        ("/bank/balances/0/coins/0/amount", json!("-1"), "app_state.bank.balances[0].coins[0]"),
        ("/bank/supply/0/amount", json!("1.5"), "app_state.bank.supply[0]"),
        ("/auth/accounts/3", accounts()[0].clone(), "app_state.auth.accounts[3].address"),
        ("/auth/accounts/1/sequence", json!("x"), "app_state.auth.accounts[1].sequence"),
        ("/staking/delegations/0/shares", json!("many"), "app_state.staking.delegations[0].shares"),
        ("/bank", json!(5), "app_state.auth and app_state.bank are missing"),
    ];
    for (pointer, value, says) in cases {
        let mut source = source();
        *source["app_state"].pointer_mut(pointer).expect("a place") = value;
        let text = run(&source, &Options::default()).err().expect(says).to_string();
        assert!(text.contains(says), "{pointer}: {text}");
    }
}
