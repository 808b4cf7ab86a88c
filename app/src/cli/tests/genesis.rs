//! `cyberd genesis`: a file from nothing to one that a chain starts from, and what is refused.

use super::*;
use serde_json::{json, Value};
use std::path::{Path, PathBuf};

/// The shipped genesis, without accounts and validators.
const TEMPLATE: &str = include_str!("../../../../config/genesis.json");
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

struct Place {
    folder: tempfile::TempDir,
    genesis: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("folder");
        let genesis = folder.path().join("genesis.json");
        std::fs::write(&genesis, TEMPLATE).expect("written");
        Place { folder, genesis }
    }

    fn path(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.to_string_lossy().into_owned()
    }

    fn run(&self, arguments: &[&str]) -> Result<Answer, Failure> {
        let home = self.folder.path().to_str().expect("path");
        let file = self.genesis.to_str().expect("path");
        let place: &[&str] = match arguments[0] {
            "validate" | "hash" => &[file],
            _ => &["--genesis", file],
        };
        let (command, rest) = arguments.split_first().expect("a command");
        let common = ["--home", home, "--keyring", "test", "genesis", command];
        answer(&[&common, place, rest].concat())
    }

    fn document(&self) -> Value {
        let text = std::fs::read_to_string(&self.genesis).expect("read");
        serde_json::from_str(&text).expect("JSON")
    }
}

fn address(n: u32) -> String {
    let bytes = crate::types::sha256(&n.to_be_bytes());
    crate::types::Address::new(&bytes[..20]).expect("20 bytes").to_bech32("bostrom")
}

/// A file with 3 accounts, a validator and 3 links.
fn made() -> Place {
    let place = Place::new();
    let accounts = format!("{}\t5000000boot\n{}\t700boot,9mine\n", address(1), address(2));
    let accounts = place.path("accounts.tsv", &accounts);
    place.run(&["add-account", "--file", &accounts]).expect("accounts");
    place.run(&["add-account", &address(3), "40boot"]).expect("account");
    place.run(&["add-validator", KEY, "--power", "7", "--name", "one"]).expect("validator");
    let links = format!("dog\tanimal\n{}\tcat\tanimal\ndog\tanimal\n", address(2));
    let links = place.path("links.tsv", &links);
    let added = place.run(&["add-links", &links, "--from", &address(1)]).expect("links").json;
    assert_eq!((&added["added"], &added["passed_over"]), (&json!(2), &json!(1)));
    place
}

#[test]
fn a_genesis_is_made_of_accounts_a_validator_and_links() {
    let place = made();
    let valid = place.run(&["validate"]).expect("good").json;
    assert_eq!(valid["accounts"], 4, "three and the module that collects fees");
    assert_eq!((&valid["particles"], &valid["links"]), (&json!(3), &json!(2)));
    let supply = json!([
        { "denom": "boot", "amount": "5000740" },
        { "denom": "mine", "amount": "9" },
    ]);
    assert_eq!(valid["supply"], supply);
    let document = place.document();
    assert_eq!(document["app_state"]["rank"]["params"]["source_stake"], "5");
    let hash = place.run(&["hash"]).expect("hash").json;
    assert_eq!(hash["app_hash"], valid["app_hash"]);
    let own = crate::types::sha256(&std::fs::read(&place.genesis).expect("read"));
    assert_eq!(hash["sha256"], hex::encode(own));
}

#[test]
fn a_refused_change_leaves_the_file_as_it_was() {
    let place = made();
    let before = std::fs::read(&place.genesis).expect("read");
    let refused = |arguments: &[&str], says: &str| {
        let failure = place.run(arguments).expect_err(says);
        assert!(failure.message.contains(says), "{says}: {}", failure.message);
        assert_eq!(std::fs::read(&place.genesis).expect("read"), before, "{says}");
    };
    refused(&["add-account", &address(3), "1boot"], "is there already");
    refused(&["add-account", &address(9), "boot"], "invalid amount");
    refused(&["add-account", "--", &address(9), "-1boot"], "invalid denom");
    refused(&["add-account", "nobody", "1boot"], "no key has this name");
    refused(&["add-account", &address(9), "9223372036854775808boot"], "stake denomination boot");
    let most = u128::MAX.to_string() + "mine";
    refused(&["add-account", &address(9), &most], "over 2^128");
    refused(&["add-validator", KEY], "is there already");
    let other = "11".repeat(32);
    refused(&["add-validator", &other, "--power", "1152921504606846969"], "CometBFT counts");
    refused(&["add-validator", "abc"], "32 bytes");
    let itself = place.path("itself.tsv", "dog\tdog\n");
    refused(&["add-links", &itself, "--from", &address(1)], "to itself");
    refused(&["add-links", &place.path("lone.tsv", "a\tb\n")], "line 1: no neuron");
    refused(&["add-links", &place.path("one.tsv", "a\tb\nc\n")], "line 2: 1 column(s)");
    let doubled = format!("{0}\t1boot\n{0}\t1boot\n", address(8));
    refused(&["add-account", "--file", &place.path("d.tsv", &doubled)], "this list");
}

#[test]
fn bad_input_is_refused_with_its_place_value_and_what_is_right() {
    let place = made();
    let good = place.document();
    let no_entry = json!({ "@type": "/cosmos.auth.v1beta1.BaseAccount", "address": "x",
        "account_number": "0", "sequence": "0" });
    let powers = |power: &str, place: usize| {
        let mut one = good["validators"][0].clone();
        (one["power"], one["address"]) = (json!(power), json!(""));
        one["pub_key"]["value"] = json!([KEY, &KEY.replace('w', "g")][place]);
        one
    };
    let cases = [
        ("/app_state/bank/supply/0/amount", json!("-5"), "app_state.bank.supply[0].amount: "),
        ("/app_state/bank/supply/0/amount", json!("7"), "the balances sum to 5000740"),
        ("/app_state/bank/balances/1/coins/0/amount", json!("1e3"), "balances[1].coins[0].amount"),
        (
            "/app_state/auth/accounts/1",
            good["app_state"]["auth"]["accounts"][0].clone(),
            "accounts[1]",
        ),
        ("/app_state/auth/accounts/1", no_entry, "accounts[1]: address 'x'"),
        ("/app_state/auth/accounts/1/sequence", json!("one"), "sequence 'one'"),
        (
            "/app_state/graph/links/1",
            json!([0, 1, 77]),
            "graph.links[1] (0, 1, 77): no such particle",
        ),
        ("/app_state/graph/links/1", json!([5, 0, 1]), "no such neuron"),
        ("/app_state/graph/particles/1", json!("Qm"), "graph.particles[1]"),
        ("/validators/0/power", json!("1152921504606846976"), "validators[0].power"),
        ("/validators", json!([powers("1152921504606846975", 0), powers("1", 1)]), "divide all"),
        ("/validators/0/address", json!("AB"), "that of the key is"),
        (
            "/consensus_params/block",
            json!({ "max_bytes": "1", "max_gas": "1", "max": 1 }),
            "consensus_params.block.max: unknown field",
        ),
        (
            "/consensus_params/evidence/max_bytes",
            json!("900000000"),
            "consensus_params.evidence.max_bytes",
        ),
        ("/genesis_time", json!("yesterday"), "genesis_time: \"yesterday\""),
        (
            "/app_state/bank",
            json!({ "parameters": {} }),
            "app_state.bank.parameters: unknown field",
        ),
        ("/app_state/chain", json!({}), "address_prefix"),
    ];
    for (pointer, value, says) in cases {
        let mut document = good.clone();
        *document.pointer_mut(pointer).expect("a place") = value;
        std::fs::write(&place.genesis, document.to_string()).expect("written");
        let failure = place.run(&["validate"]).expect_err(says);
        assert!(failure.message.contains(says), "{pointer}: {}", failure.message);
        assert!(failure.message.contains("genesis.json: "), "{}", failure.message);
    }
    let mut document = good.clone();
    document["app_states"] = json!({});
    std::fs::write(&place.genesis, document.to_string()).expect("written");
    let failure = place.run(&["validate"]).expect_err("an unknown field");
    assert!(failure.message.contains("app_states: unknown field"), "{}", failure.message);
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_way_to_one() {
    let missing = Path::new("/nowhere/genesis.json");
    let text = missing.to_str().expect("path");
    let failure = answer(&["genesis", "validate", text]).expect_err("nothing there");
    assert!(failure.message.contains(text) && failure.hint.is_some(), "{failure:?}");
}

#[test]
fn the_report_of_an_import_is_kept_in_a_file_as_text_or_as_json() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let fixture = |name: &str| format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let import = |to: &str, report: &str, more: &[&str]| {
        let (export, graph) = (fixture("export.json"), fixture("export.graph"));
        let words = ["genesis", "import", &export, "--graph", &graph, "--to", to];
        answer(&[&words[..], &["--report", report], more].concat())
    };
    let read = |path: &str| std::fs::read_to_string(path).expect("written");
    let (text, genesis) = (path("report.txt"), path("genesis.json"));
    import(&genesis, &text, &[]).expect("imported");
    let kept = read(&fixture("import-report.txt"));
    assert!(read(&text).starts_with(&kept), "{}", read(&text));
    answer(&["genesis", "validate", &genesis]).expect("good");
    let json = path("report.json");
    let answered = import(&path("second.json"), &json, &["--output", "json"]).expect("imported");
    let report: Value = serde_json::from_str(&read(&json)).expect("JSON");
    assert_eq!(report, answered.json);
    assert!(report["totals"].as_array().is_some_and(|totals| totals.len() > 5), "{report}");

    // What could not be written afterwards is said before anything is.
    let third = path("third.json");
    let refused = |report: &str, says: &str| {
        let failure = import(&third, report, &[]).expect_err(says);
        let both = failure.message.contains(says) && failure.hint.is_some();
        assert!(both && !Path::new(&third).exists(), "{failure:?}");
    };
    refused(&text, "is there already and stays as it is");
    refused(&third, "name the same file");
    refused(&path("nowhere/report.txt"), "there is no folder");
    assert!(read(&text).starts_with(&kept), "left alone");
}

/// Ten thousand accounts are the most that stand in the file itself.
#[test]
fn more_than_ten_thousand_accounts_and_links_go_into_genesis_bin() {
    let place = made();
    let bulk = place.folder.path().join("genesis.bin");
    let accounts: String = (10..10_011).map(|n| format!("{}\t{n}boot\n", address(n))).collect();
    let accounts = place.path("many.tsv", &accounts);
    place.run(&["add-account", "--file", &accounts]).expect("accounts");
    let valid = place.run(&["validate"]).expect("good").json;
    assert_eq!(valid["accounts"], 10_005);
    assert!(bulk.exists() && place.document()["app_state"]["auth"]["accounts"][2].is_object());
    let twice = place.run(&["add-account", &address(77), "1boot"]).expect_err("there");
    assert!(twice.message.contains("genesis.bin: accounts[67]"), "{}", twice.message);

    let links: String = (0..10_001).map(|n| format!("w{}\tw{}\n", n / 100, n + 200)).collect();
    let links = place.path("many-links.tsv", &links);
    place.run(&["add-links", &links, "--from", &address(55)]).expect("links");
    let more = place.run(&["add-links", &links, "--from", &address(1)]).expect("links").json;
    assert_eq!(more["added"], 10_001);
    let valid = place.run(&["validate"]).expect("good").json;
    assert_eq!(valid["links"], 20_004);
    assert_eq!(place.document()["app_state"]["graph"]["links"], json!([]));
    let hash = place.run(&["hash"]).expect("hash").json;
    let own = crate::types::sha256(&std::fs::read(&bulk).expect("read"));
    assert_eq!(hash["bulk"]["sha256"], hex::encode(own));

    // Ended between the two files: the next command finishes it.
    let pending = bulk.with_extension("bin.new");
    std::fs::rename(&bulk, &pending).expect("renamed");
    place.run(&["validate"]).expect("finished");
    assert!(bulk.exists() && !pending.exists());
    std::fs::remove_file(&bulk).expect("removed");
    let failure = place.run(&["validate"]).expect_err("missing");
    assert!(failure.message.contains("it belongs to the genesis file"), "{}", failure.message);
}
