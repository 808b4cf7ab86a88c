//! Homes with something wrong in them.

use super::chain::compare;
use super::*;
use crate::cli::nodes::NodeFiles;
use crate::node::cometbft::genesis::{self, Account, Validator};
use crate::node::cometbft::home::{public_key, NodeKeys, Ports};
use std::os::unix::fs::PermissionsExt;

/// A home as `cyberd init` makes it.
fn home() -> (tempfile::TempDir, Ports) {
    let folder = tempfile::tempdir().expect("a folder");
    let base = crate::testkit::devchain::free_ports();
    let ports = Ports::of(Some(base), 0).expect("ports");
    let keys = NodeKeys::random().expect("keys");
    let public_key = public_key(&keys.validator);
    let validators = [Validator { name: "one".to_owned(), public_key, power: 10 }];
    let address = crate::types::Address::new(&[7; 20]).expect("twenty bytes");
    let accounts = [Account { address, amount: 1_000_000 }];
    let document = genesis::document("test-1", "2026-01-01T00:00:00Z", &validators, &accounts);
    let files = NodeFiles {
        home: folder.path(),
        moniker: "test".to_owned(),
        ports,
        keys: &keys,
        block_time_ms: 1_000,
        development: false,
        peers: Vec::new(),
        minimum_gas_prices: "0boot",
    };
    files.write(Some(&document)).expect("files");
    (folder, ports)
}

/// Level, text and remedy of a check.
fn of(findings: &[Finding], check: &str) -> (Level, String) {
    let finding = findings.iter().find(|finding| finding.check == check);
    let finding = finding.unwrap_or_else(|| panic!("no {check}: {findings:?}"));
    let remedy = finding.remedy.clone().unwrap_or_default();
    assert_eq!(finding.level == Level::Ok, remedy.is_empty(), "{finding:?}");
    (finding.level, format!("{} → {remedy}", finding.found))
}

fn change(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("a file");
    assert!(text.contains(from), "{from} in {}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).expect("written");
}

#[test]
fn a_new_home_has_no_failures() {
    let (folder, _) = home();
    let findings = examine(folder.path());
    for check in ["home", "settings", "socket", "recommended", "genesis", "keys", "ports"] {
        assert_eq!(of(&findings, check).0, Level::Ok, "{findings:?}");
    }
    let (level, text) = of(&findings, "peers");
    assert!(level == Level::Warn && text.contains("persistent_peers"), "{text}");
    assert!(findings.iter().all(|finding| finding.level != Level::Fail), "{findings:?}");
    let answer = answer(folder.path(), &findings);
    assert_eq!(answer.exit, Exit::Done);
    assert_eq!(answer.json["failures"], 0);
    assert_eq!(answer.json["findings"][0]["level"], "ok");
}

#[test]
fn each_thing_that_is_wrong_is_found_with_its_remedy() {
    let (folder, ports) = home();
    let path = |name: &str| folder.path().join(name);
    let key = path("config/priv_validator_key.json");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("a file");
    let taken = std::net::TcpListener::bind(("127.0.0.1", ports.rest)).expect("a free port");
    let comet = path("config/config.toml");
    change(&comet, "size = 50000", "size = 5000");
    change(&comet, "\nladdr = \"tcp://127.0.0.1", "\nladdr = \"tcp://0.0.0.0");
    change(&path("config/genesis.json"), "\"app_state\"", "\"app_stat\"");
    change(&path("config/app.toml"), "free_disk_min_mb = 64", "free_disk_min_mb = 1000000");
    change(&path("config/app.toml"), "device = \"auto\"", "device = \"gpu\"");
    let findings = examine(folder.path());
    drop(taken);
    for (check, level, text) in [
        ("keys", Level::Fail, "→ chmod 600"),
        ("ports", Level::Fail, "(REST)"),
        ("recommended", Level::Warn, "mempool.size = 5000, recommended 50000"),
        ("open rpc", Level::Warn, "put a filter before it"),
        ("genesis", Level::Fail, "app_stat"),
        ("disk", Level::Fail, "→ free some space"),
        ("gpu", Level::Fail, "rank.device = auto"),
    ] {
        let (found, said) = of(&findings, check);
        assert!(found == level && said.contains(text), "{check}: {found:?} {said}");
    }
    let answer = answer(folder.path(), &findings);
    assert_eq!((answer.exit, answer.json["failures"].clone()), (Exit::Error, 5.into()));
    assert!(answer.text.contains("5 failures"), "{}", answer.text);
}

#[test]
fn files_that_cannot_be_read_end_it_early_and_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (level, text) = of(&examine(folder.path()), "home");
    assert!(level == Level::Fail && text.contains("cyberd init"), "{text}");
    let (folder, _) = home();
    let comet = folder.path().join("config/config.toml");
    std::fs::write(&comet, "[rpc").expect("written");
    let (level, text) = of(&examine(folder.path()), "settings");
    assert!(level == Level::Fail && text.contains("config.toml"), "{text}");
    let (folder, _) = home();
    change(&folder.path().join("config/app.toml"), "threads = 0", "threads = many");
    let (level, text) = of(&examine(folder.path()), "settings");
    assert!(level == Level::Fail && text.contains("app.toml"), "{text}");
    let (folder, _) = home();
    change(&folder.path().join("config/config.toml"), "abci.sock", "other.sock");
    let (level, text) = of(&examine(folder.path()), "settings");
    assert!(level == Level::Fail && text.contains("alike"), "{text}");
}

#[test]
fn a_clock_that_is_wrong_is_seen_by_the_time_of_the_blocks() {
    let at = |ours: &str| compare("2026-01-01T00:01:00.5Z", ours, 7);
    assert_eq!(at("2026-01-01T00:01:01Z").level, Level::Ok);
    assert_eq!(at("2026-01-01T00:00:40Z").level, Level::Fail, "ours is slow");
    assert_eq!(at("2026-01-01T00:09:00Z").level, Level::Warn, "ours is fast");
    assert_eq!(compare("?", "2026-01-01T00:09:00Z", 7).level, Level::Warn);
}
