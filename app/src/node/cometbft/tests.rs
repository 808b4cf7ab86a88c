//! Settings, keys and genesis against what CometBFT itself writes and reads.

use super::home::{node_id, public_key, CometHome, NodeKeys, Ports, Settings};
use super::*;
use crate::types::Address;

fn settings(development: bool) -> Settings {
    Settings {
        moniker: "node \"one\"".to_owned(),
        ports: Ports::of(Some(31000), 1).expect("ports"),
        proxy_app: "unix:///tmp/x/abci.sock".to_owned(),
        block_time_ms: 250,
        development,
        peers: vec!["ab@127.0.0.1:1".to_owned(), "cd@127.0.0.1:2".to_owned()],
    }
}

#[test]
fn ports_stand_in_a_row_and_ten_apart_per_node() {
    let ports = Ports::of(Some(31000), 2).expect("ports");
    let numbers = ports.named().map(|(_, port)| port);
    assert_eq!(numbers, [31020, 31021, 31022, 31023, 31024, 31025]);
    let usual = Ports::of(None, 1).expect("ports").named().map(|(_, port)| port);
    assert_eq!(usual, [26667, 26666, 26670, 9100, 1327, 26671]);
    assert!(Ports::of(Some(65531), 0).is_err(), "no room for six");
    assert!(Ports::of(Some(65530), 0).is_ok());
    assert!(Ports::of(Some(65530), 1).is_err());
    assert!(Ports::of(Some(80), 0).is_err());
    assert!(Ports::of(None, u16::MAX).is_err());
}

#[test]
fn settings_hold_the_nodes_values_and_keep_what_the_owner_changed() {
    let folder = tempfile::tempdir().expect("folder");
    let home = CometHome::of(folder.path());
    std::fs::create_dir(folder.path().join("config")).expect("config");
    home.write_settings(&settings(true)).expect("written");
    let text = std::fs::read_to_string(home.settings()).expect("settings");
    let read: toml::Table = text.parse().expect("TOML");
    assert_eq!(read["moniker"].as_str(), Some("node \"one\""));
    assert_eq!(read["rpc"]["laddr"].as_str(), Some("tcp://127.0.0.1:31010"));
    assert_eq!(read["rpc"]["cors_allowed_origins"].as_array().map(Vec::len), Some(1));
    assert_eq!(read["p2p"]["persistent_peers"].as_str(), Some("ab@127.0.0.1:1,cd@127.0.0.1:2"));
    assert_eq!(read["p2p"]["allow_duplicate_ip"].as_bool(), Some(true));
    assert_eq!(read["consensus"]["timeout_commit"].as_str(), Some("250ms"));
    assert!(text.contains("# A batch of large transactions"), "reasons stay");

    std::fs::write(home.settings(), text.replace("size = 50000\n", "size = 7\n")).expect("edit");
    home.write_settings(&Settings { block_time_ms: 1000, ..settings(true) }).expect("again");
    let read: toml::Table =
        std::fs::read_to_string(home.settings()).expect("settings").parse().expect("TOML");
    assert_eq!(read["mempool"]["size"].as_integer(), Some(7));
    assert_eq!(read["consensus"]["timeout_commit"].as_str(), Some("1000ms"));
}

#[test]
fn outside_development_only_peers_may_connect_from_elsewhere() {
    let folder = tempfile::tempdir().expect("folder");
    let home = CometHome::of(folder.path());
    std::fs::create_dir(folder.path().join("config")).expect("config");
    home.write_settings(&settings(false)).expect("written");
    let read: toml::Table =
        std::fs::read_to_string(home.settings()).expect("settings").parse().expect("TOML");
    assert_eq!(read["rpc"]["laddr"].as_str(), Some("tcp://127.0.0.1:31010"));
    assert_eq!(read["rpc"]["cors_allowed_origins"].as_array().map(Vec::len), Some(0));
    assert_eq!(read["p2p"]["laddr"].as_str(), Some("tcp://0.0.0.0:31011"));
    assert_eq!(read["p2p"]["addr_book_strict"].as_bool(), Some(true));
}

#[test]
fn keys_have_the_form_and_the_addresses_of_cometbft() {
    // The seed and the public half of a key that `cometbft init` made.
    let pair =
        "w5xxDok6lSvlx0HGPwgAmY/Jcu4LlWBMJ226i5zJR9fWGIdrvMLZ6qK5hC4v8371WIPSgPJah+r6cOswrkfIwg==";
    let mut seed = [0; 32];
    use base64::prelude::{Engine as _, BASE64_STANDARD};
    let bytes = BASE64_STANDARD.decode(pair).expect("base64");
    seed.copy_from_slice(&bytes[..32]);
    assert_eq!(public_key(&seed), bytes[32..]);

    let folder = tempfile::tempdir().expect("folder");
    let home = CometHome::of(folder.path());
    let keys = NodeKeys { node: seed, validator: seed };
    home.write_keys(&keys).expect("written");
    let read = |name: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(folder.path().join(name)).expect("file");
        serde_json::from_str(&text).expect("JSON")
    };
    let expected = serde_json::json!({
        "address": "2843434AC546F5F3898A2DB14C27CABA3913C00C",
        "pub_key": {
            "type": "tendermint/PubKeyEd25519",
            "value": "1hiHa7zC2eqiuYQuL/N+9ViD0oDyWofq+nDrMK5HyMI="
        },
        "priv_key": { "type": "tendermint/PrivKeyEd25519", "value": pair }
    });
    assert_eq!(read("config/priv_validator_key.json"), expected);
    assert_eq!(read("config/node_key.json")["priv_key"], expected["priv_key"]);
    assert_eq!(node_id(&keys), "2843434ac546f5f3898a2db14c27caba3913c00c");

    // Written again with other keys, nothing changes.
    home.write_keys(&NodeKeys { node: [1; 32], validator: [1; 32] }).expect("written");
    assert_eq!(read("config/priv_validator_key.json"), expected);
}

#[test]
fn genesis_balances_add_up_to_the_supply() {
    let account = |byte: u8, amount| genesis::Account {
        address: Address::new(&[byte; 20]).expect("twenty bytes"),
        amount,
    };
    let validators =
        [genesis::Validator { name: "one".to_owned(), public_key: [7; 32], power: 10 }];
    let accounts = [account(9, 3_000_000), account(1, 2_000_000)];
    let genesis = genesis::document("c-1", "2026-01-01T00:00:00Z", &validators, &accounts);
    assert_eq!(genesis["chain_id"], "c-1");
    assert_eq!(genesis["initial_height"], "1");
    assert_eq!(genesis["consensus_params"]["version"]["app"], "1");
    let state = &genesis["app_state"];
    assert_eq!(state["bank"]["supply"][0]["amount"], "5000000");
    assert_eq!(state["rank"]["params"]["source_stake"], "5");
    let first = Address::new(&[9; 20]).expect("twenty bytes").to_bech32("bostrom");
    assert_eq!(state["auth"]["accounts"][0]["address"], first.as_str());
    assert_eq!(state["bank"]["balances"][1]["address"], first.as_str());
}

/// A genesis with one validator and one account.
fn sound() -> serde_json::Value {
    let address = Address::new(&[9; 20]).expect("twenty bytes");
    let accounts = [genesis::Account { address, amount: 5_000_000 }];
    let validators =
        [genesis::Validator { name: "one".to_owned(), public_key: [7; 32], power: 10 }];
    genesis::document("c-1", "2026-01-01T00:00:00Z", &validators, &accounts)
}

#[test]
fn the_shipped_genesis_can_start_a_chain() {
    genesis::check(&sound()).expect("sound");
    // The shipped numbers are the protocol's defaults.
    let state =
        crate::engine::genesis::AppState::parse(sound()["app_state"].to_string().as_bytes())
            .expect("app_state");
    let defaults = crate::engine::genesis::development("bostrom", "boot", &[]);
    let json = |value: &crate::modules::rank::Params| serde_json::to_value(value).expect("JSON");
    let mut expected = json(&defaults.rank.params);
    expected["source_stake"] = json(&state.rank.params)["source_stake"].clone();
    assert_eq!(json(&state.rank.params), expected);
    let json =
        |value: &crate::modules::bandwidth::Params| serde_json::to_value(value).expect("JSON");
    assert_eq!(json(&state.bandwidth.params), json(&defaults.bandwidth.params));
}

#[test]
fn a_genesis_that_cannot_work_is_refused_with_the_reason() {
    use serde_json::json;
    let bad = [
        ("/validators", json!([]), "at least one"),
        ("/validators/0/pub_key/type", json!("tendermint/PubKeySecp256k1"), "Ed25519"),
        ("/validators/0/pub_key/value", json!("AAA="), "32 bytes"),
        ("/validators/0/power", json!("0"), "positive"),
        ("/chain_id", json!(""), "chain_id"),
        ("/consensus_params/block/max_gas", json!("-1"), "max_gas"),
        ("/consensus_params/block/max_bytes", json!(true), "max_bytes"),
        ("/app_state/bank/supply/0/amount", json!("6"), "supply"),
        ("/app_state/bank/balances", json!([]), "supply"),
        ("/app_state/chain/stake_denom", json!("?"), "stake_denom"),
        ("/app_state/rank/params/damping_factor", json!("0.95"), "damping"),
        ("/app_state/chain", json!({}), "app_state"),
    ];
    for (place, value, says) in bad {
        let mut document = sound();
        *document.pointer_mut(place).expect("a place of the genesis") = value;
        let text = genesis::check(&document).expect_err(place).to_string();
        assert!(text.contains(says), "{place}: {text}");
    }
}

#[test]
fn versions_of_go_are_read() {
    assert_eq!(go_version("go version go1.22.5 linux/amd64"), Some((1, 22)));
    assert_eq!(go_version("go version go1.24rc1 linux/amd64"), Some((1, 24)));
    assert_eq!(go_version("go version devel go1.25-abc linux/amd64"), None);
    assert_eq!(go_version(""), None);
    assert!(go_wanted("Go is not installed").to_string().contains("install it with"));
}

#[test]
fn another_version_does_not_fit() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("folder");
    let program = folder.path().join("cometbft");
    for (says, fits) in [("0.38.25", true), ("v0.38.25+abc", true), ("1.0.1", false), ("", false)] {
        std::fs::write(&program, format!("#!/bin/sh\necho {says}\n")).expect("script");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("mode");
        assert_eq!(version(&program).is_ok_and(|found| found == VERSION), fits, "{says:?}");
    }
}
