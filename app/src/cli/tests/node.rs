//! Commands against a mock node: what they answer, what they exit with.

use super::*;
use crate::client::keys::{Backend, Secret};
use crate::client::mock::{MockNode, LINK_UNITS};
use crate::client::KeyStore;
use serde_json::{json, Value};
use std::time::Duration;

/// A home with the keys alice and bob, and a node that knows them.
struct Case {
    folder: tempfile::TempDir,
    node: MockNode,
    /// The node runs in it; commands bring their own.
    _runtime: tokio::runtime::Runtime,
}

impl Case {
    /// Each neuron has bandwidth for so many links.
    fn new(links: u64) -> Case {
        let folder = tempfile::tempdir().expect("folder");
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("runtime");
        let node = runtime.block_on(MockNode::with_blocks(Duration::from_millis(20)));
        let keys = KeyStore::new(folder.path(), Some(Backend::Test));
        for (name, byte) in [("alice", 1), ("bob", 2)] {
            let secret = Secret::of_bytes(&[byte; 32]).expect("secret");
            let info = keys.add(name, &secret, &mut |_| panic!("nothing asks")).expect("add");
            node.chain().fund(&info.address().to_bech32("bostrom"), links * LINK_UNITS);
        }
        Case { folder, node, _runtime: runtime }
    }

    fn path(&self) -> &str {
        self.folder.path().to_str().expect("path")
    }

    fn run(&self, arguments: &[&str]) -> Result<Answer, Failure> {
        answer(&[&["--home", self.path(), "--node", self.node.address()], arguments].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).expect("an answer").json
    }

    fn failure(&self, arguments: &[&str]) -> (Exit, String) {
        let failure = self.run(arguments).expect_err("a failure");
        (failure.exit, failure.code)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("write");
        path.to_str().expect("path").to_owned()
    }
}

#[test]
fn a_link_is_answered_with_what_its_start_leads_to() {
    let case = Case::new(100);
    let answer = case.run(&["link", "dog", "animal", "pet", "--from", "alice"]).expect("linked");
    assert_eq!(answer.json["code"], json!(0));
    assert_eq!((&answer.json["accepted"], &answer.json["skipped"]), (&json!(2), &json!(0)));
    let mut leads: Vec<&str> = answer.json["leads_to"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| row["text"].as_str())
        .collect();
    leads.sort_unstable();
    assert_eq!(leads, ["animal", "pet"]);
    assert!(answer.text.contains("linked dog → animal, pet"), "{}", answer.text);
    let again = ["link", "dog", "cat", "animal", "--from", "alice"];
    let skipping = case.json(&[&again[..], &["--skip-existing"]].concat());
    assert_eq!((&skipping["accepted"], &skipping["skipped"]), (&json!(1), &json!(1)));
    let found = case.json(&["search", "dog"]);
    assert_eq!((&found["total"], &found["text"]), (&json!(3), &json!("dog")));
}

#[test]
fn every_way_a_transaction_can_end_has_its_exit_code() {
    let case = Case::new(2);
    let link = |ends: &[&'static str]| [&["link", "--from", "bob", "dog"], ends].concat();
    assert!(case.run(&link(&["a"])).is_ok());
    assert_eq!(case.failure(&link(&["b", "c", "d"])), (Exit::Refused, "bandwidth/2".to_owned()));
    assert_eq!(case.failure(&link(&["a"])), (Exit::Failed, "graph/2".to_owned()));
    let much = ["send", "alice", "5000boot", "--from", "bob"];
    assert_eq!(case.failure(&much), (Exit::Failed, "sdk/5".to_owned()));
    let unknown = ["send", "alice", "1boot", "--from", "carol"];
    assert_eq!(case.failure(&unknown), (Exit::Key, "client/key-missing".to_owned()));
    let unclear = case.failure(&["link", "dog", "b"]);
    assert_eq!(unclear, (Exit::Usage, "client/usage".to_owned()));
    let nobody = case.failure(&["send", "nobody", "1boot", "--from", "bob"]);
    assert_eq!(nobody, (Exit::Usage, "client/usage".to_owned()));
    case.node.chain().down = true;
    let away = case.failure(&["send", "alice", "1boot", "--from", "bob"]);
    assert_eq!(away, (Exit::Unreachable, "client/unreachable".to_owned()));
}

#[test]
fn a_dry_run_tells_the_cost_and_sends_nothing() {
    let case = Case::new(10);
    let plan = case.json(&["link", "dog", "a", "b", "--from", "alice", "--dry-run"]);
    assert_eq!((&plan["cost"], &plan["would_be_refused"]), (&json!(2_000), &Value::Null));
    assert_eq!(plan["bandwidth"]["left"], json!(8_000));
    let send = case.json(&["send", "bob", "300boot", "--from", "alice", "--dry-run"]);
    assert_eq!(send["left"], json!("700boot"));
    let much = case.json(&["send", "bob", "1001boot", "--from", "alice", "--dry-run"]);
    assert!(much["would_be_refused"].as_str().is_some_and(|text| text.starts_with("sdk/5")));
    assert_eq!(case.node.chain().taken, 0);
}

#[test]
fn a_fee_follows_from_what_the_node_asks_for() {
    let case = Case::new(10);
    case.node.chain().minimum_gas_price = "0.01boot".to_owned();
    let sent = case.json(&["send", "bob", "3boot", "--from", "alice", "--no-wait"]);
    let fee = sent["fee"].as_str().and_then(|fee| fee.strip_suffix("boot")).expect("a fee");
    assert!(fee.parse::<u64>().expect("a number") > 200, "{fee}");
    assert!(sent.get("height").is_none());
    let own = case.json(&["send", "bob", "3boot", "--from", "alice", "--fee", "7boot"]);
    assert_eq!((&own["fee"], &own["code"]), (&json!("7boot"), &json!(0)));
}

#[test]
fn an_import_names_wrong_lines_and_takes_the_rest() {
    let case = Case::new(1_000);
    let text = "alice\tdog\tanimal\nnonsense\nbob\tcat\tanimal\ncarol\ta\tb\n";
    let file = case.file("links.tsv", text);
    let plan = case.json(&["import", &file, "--plan"]);
    assert_eq!(plan["links"], json!(2));
    assert_eq!(plan["neurons"][0]["existing"], json!(0));
    assert_eq!(case.failure(&["import", &file, "--strict"]).0, Exit::Error);
    assert_eq!(case.node.chain().taken, 0, "neither has sent anything");
    let done = case.json(&["import", &file]);
    assert_eq!((&done["done"], &done["done_now"]), (&json!(2), &json!(2)));
    let lines: Vec<&Value> =
        done["wrong_lines"].as_array().expect("a list").iter().map(|one| &one["line"]).collect();
    assert_eq!(lines, [&json!(2), &json!(4)]);
    assert_eq!(case.node.chain().links.len(), 2);
    let again = case.json(&["import", &file]);
    assert_eq!((&again["done"], &again["done_now"]), (&json!(2), &json!(0)));
    let nothing = case.failure(&["import", &case.file("bad.tsv", "nonsense\n")]);
    assert_eq!(nothing, (Exit::Error, "client/no-links".to_owned()));
}

#[test]
fn a_fault_of_the_node_comes_with_its_remedy_where_there_is_one() {
    use crate::cli::nodes::failure;
    use crate::error::Fault;
    let hint = |fault: Fault| failure(fault).hint.unwrap_or_default();
    let taken = "api.rest_listen = 127.0.0.1:1317: Address already in use (os error 98)";
    assert!(hint(Fault::Setup(taken.into())).contains("stop it, or set another address"));
    let higher = "CometBFT ended: app block height (9) is higher than core (0)";
    assert!(hint(Fault::Unfit(higher.into())).contains("move data/cyberd away"));
    let below = "app height (9) is too far below block store base (20)";
    assert!(hint(Fault::Unfit(below.into())).contains("cyberd snapshot import --replace"));
    assert_eq!(hint(Fault::Unfit("something else".into())), "");
}
