//! `cyberd run` as systemd runs it: what the service manager hears, how it stops, when it does not
//! start again.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};
use support::{answer, free_ports, get, wait_until, Process};

/// A home with a chain of one validator.
fn init(home: &Path) -> u16 {
    let ports = free_ports();
    let base = ports.to_string();
    let address = cyberd::types::Address::new(&[7; 20]).expect("twenty bytes");
    let account = format!("{}=1000000boot", address.to_bech32("bostrom"));
    let arguments = ["init", "--chain-id", "operation-1", "--account", &account];
    answer(home, &[&arguments[..], &["--port-base", &base, "--block-time", "200ms"]].concat());
    ports
}

#[test]
fn a_service_manager_hears_ready_heights_life_and_the_end_which_comes_within_five_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let ports = init(&home);
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    let environment = [
        ("NOTIFY_SOCKET", path.to_str().expect("UTF-8")),
        ("WATCHDOG_USEC", "2000000"),
        ("CYBERD_LOG_FORMAT", "json"),
    ];
    let log = folder.path().join("run.log");
    let mut process = Process::with_environment(&home, &["run"], &log, &environment);
    let mut heard: Vec<String> = Vec::new();
    let mut buffer = [0; 4_096];
    let mut listen = || {
        while let Ok(length) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            heard.extend(text.lines().map(str::to_owned));
        }
        heard.clone()
    };
    process.until("heights and signs of life", || {
        let heard = listen();
        let count = |line: &str| heard.iter().filter(|other| other.starts_with(line)).count();
        count("READY=1") == 1 && count("STATUS=height") >= 2 && count("WATCHDOG=1") >= 3
    });
    let metrics = get(ports + 5, "/metrics").expect("served");
    for line in ["cyberd_ready 1", "cyberd_restarts 0", "cyberd_root_mismatch 0"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let findings = answer(&home, &["doctor"]);
    assert_eq!(findings["failures"], 0, "{findings}");
    assert!(findings["findings"].to_string().contains("the node does its work"), "{findings}");

    let (status, took) = process.signal(Signal::SIGTERM);
    assert!(status.success(), "{}", process.said());
    assert!(took < Duration::from_secs(5), "{took:?}");
    let heard = listen();
    let place = |line: &str| heard.iter().position(|other| other == line);
    assert!(place("READY=1") < place("STOPPING=1") && place("STOPPING=1").is_some(), "{heard:?}");

    // Supervisor and application speak the same language.
    let lines: Vec<Value> =
        process.said().lines().filter_map(|it| serde_json::from_str(it).ok()).collect();
    let messages: Vec<&str> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    for message in ["the pair starts", "node runs", "application and CometBFT answer", "stopping"] {
        assert!(messages.contains(&message), "{message}: {messages:?}");
    }
    let block = lines.iter().find(|line| line["message"] == "block").expect("a block");
    assert!(block["height"].is_u64() && block["app_hash"].is_string(), "{block}");
}

#[test]
fn a_genesis_that_cannot_work_is_said_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    init(&home);
    let genesis = home.join("config/genesis.json");
    let text = std::fs::read_to_string(&genesis).expect("a genesis");
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    document["app_state"]["chain"]["stake_denom"] = "!".into();
    std::fs::write(&genesis, document.to_string()).expect("written");
    let begin = Instant::now();
    let mut process = Process::start(&home, &["run"], &folder.path().join("run.log"));
    let status = process.wait();
    let said = process.said();
    assert_eq!(status.code(), Some(8), "{said}");
    assert!(said.contains("chain.stake_denom"), "{said}");
    assert!(!said.contains("started again"), "{said}");
    println!("said after {} ms", begin.elapsed().as_millis());
}

#[test]
fn a_killed_application_counts_as_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let ports = init(&home);
    let mut chain = support::Chain::run(&home, ports);
    chain.reach(2);
    let [application, _] = support::processes::pair(chain.process.id()).expect("both run");
    assert!(support::processes::kill_now(&application));
    wait_until("metric of the restart", || {
        get(ports + 5, "/metrics").is_some_and(|text| text.contains("cyberd_restarts 1"))
    });
    let height = chain.height();
    chain.reach(height + 2);
}

#[test]
fn a_home_without_its_keys_or_cometbfts_blocks_is_not_started_and_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let ports = init(&home);
    let mut process = Process::start(&home, &["run"], &folder.path().join("run.log"));
    process.until("some blocks", || {
        let status = get(ports, "/status").unwrap_or_default();
        let status: Value = serde_json::from_str(&status).unwrap_or_default();
        let height = status["result"]["sync_info"]["latest_block_height"].as_str();
        height.and_then(|height| height.parse::<u64>().ok()) > Some(3)
    });
    assert!(process.signal(Signal::SIGTERM).0.success(), "{}", process.said());

    let refused = |name: &str, words: &[&str]| {
        let log = folder.path().join(name);
        let mut process = Process::start(&home, &["run"], &log);
        assert_eq!(process.wait().code(), Some(8), "{}", process.said());
        words.iter().for_each(|word| {
            assert!(process.said().contains(word), "'{word}' is not in {}", process.said());
        });
    };
    // CometBFT would make a new key and be nobody's validator.
    for (file, words) in [
        ("config/priv_validator_key.json", "restore it from a backup"),
        ("config/node_key.json", "restore it from a backup"),
        ("data/priv_validator_state.json", "from signing a height twice"),
    ] {
        let (there, away) = (home.join(file), folder.path().join("away"));
        std::fs::rename(&there, &away).expect("moved");
        refused("key.log", &[file, words]);
        assert!(!there.exists(), "nothing was made");
        std::fs::rename(&away, &there).expect("moved back");
    }
    // What `cometbft unsafe-reset-all` takes.
    for name in ["blockstore.db", "state.db", "cs.wal"] {
        std::fs::remove_dir_all(home.join("data").join(name)).expect("removed");
    }
    refused("reset.log", &["CometBFT has fewer blocks", "move data/cyberd away as well"]);
    assert!(!home.join("data/root-mismatch.json").exists(), "it is no other state");
}
