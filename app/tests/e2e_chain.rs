//! What somebody does with a chain of their own, from the first command to the second day: the
//! real binary and the real CometBFT, through `cyberd dev`.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use support::{answer, cyberd, free_ports, get, links, processes, wait_until, Chain};

/// The sum of all ranks is one, in units of 10^-15.
const WHOLE: u64 = 1_000_000_000_000_000;

#[test]
fn a_newcomer_makes_a_chain_uses_it_stops_it_and_goes_on_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let mut lines = links::around("dog", 200);
    let right = lines.len() as u64;
    lines.insert(2, "stranger\ta\tb".to_owned());
    lines.insert(6, "alone".to_owned());
    let file = links::write(&folder.path().join("links.tsv"), &lines);
    let flags = ["--block-time", "200ms", "--links", file.to_str().expect("UTF-8")];
    let ports = free_ports();

    let (mut chain, config) = Chain::dev(&home, ports, &flags);
    eprintln!(
        "{right} links are on a new chain and ranked after {:?}",
        chain.process.started.elapsed()
    );
    it_says_what_tests_need(&config, &home, ports);
    it_said_what_it_did(&chain, right);
    answers_make_sense(&home, &lines);
    every_rank_is_the_same_wherever_it_is_shown(&home);
    a_link_waits_for_its_block_and_then_for_its_rank(&mut chain);
    several_commands_in_a_row_do_not_wait_for_each_other(&home);
    a_dry_run_changes_nothing(&home);
    tokens_are_sent(&home);
    exit_codes_tell_who_is_at_fault(&home);
    a_second_import_sends_nothing(&home, &file, right);
    flags_that_contradict_the_chain_name_two_commands(&home);
    let height = it_ends_cleanly(&mut chain);

    let (mut again, _) = Chain::dev(&home, ports, &flags);
    let said = again.process.said();
    assert!(said.contains(&format!("cyberd-dev of {} is continued", home.display())), "{said}");
    // Its file has wrong lines, so it is read again; every right one is on the chain already.
    let nothing_sent = ["in 0 transactions", "on this chain already"];
    assert!(nothing_sent.iter().any(|words| said.contains(words)), "{said}");
    assert!(said.contains("Highest ranks"), "{said}");
    assert!(again.height() >= height, "{} after {height}", again.height());
    let link = answer(&home, &["query", "link", "dog", "fuzzy friend"]);
    assert_eq!(link["exists"], true, "{link}");
    again.reach(height + 3);
    it_ends_cleanly(&mut again);
}

fn it_says_what_tests_need(config: &Value, home: &Path, ports: u16) {
    assert_eq!(config["chain_id"], "cyberd-dev");
    assert_eq!(config["home"], home.to_str().expect("UTF-8"));
    assert_eq!(config["rpc"], format!("http://127.0.0.1:{ports}"));
    let metrics = config["metrics"].as_str().expect("a URL");
    let place = metrics.strip_prefix("http://127.0.0.1:").expect("on loopback");
    let (port, path) = place.split_once('/').expect("a path");
    let text = get(port.parse().expect("a port"), &format!("/{path}")).expect("metrics");
    assert!(text.contains("cyberd_commit_seconds_count"), "{text}");
    let accounts = config["accounts"].as_array().expect("accounts");
    assert_eq!(accounts.len(), 8);
    for account in accounts {
        let text = |name: &str| account[name].as_str().expect("a text").to_owned();
        let shown = answer(home, &["keys", "show", &text("name")]);
        assert_eq!(shown["address"], text("address"));
        assert_eq!(text("mnemonic").split(' ').count(), 24);
        let balance = &account["balance"];
        let asked = answer(home, &["query", "balance", &text("name"), "boot"]);
        assert_eq!(&asked["balance"], balance, "{asked}");
    }
}

fn it_said_what_it_did(chain: &Chain, right: u64) {
    let said = chain.process.said();
    assert!(said.contains("cyberd-dev is a new chain"), "{said}");
    assert!(said.contains("line 3: ") && said.contains("line 7: "), "{said}");
    assert!(!said.contains("line 4: "), "{said}");
    assert_eq!(chain.links(), Some(right), "the wrong lines cost no right one");
    for part in ["Highest ranks", "never use them elsewhere", "RPC", "metrics"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// The rows of an answer: text and rank, checked to be in rank order.
fn rows(answer: &Value) -> Vec<(String, u64)> {
    let rows = answer["results"].as_array().expect("results");
    let row = |row: &Value| {
        let text = row["text"].as_str().unwrap_or_default().to_owned();
        (text, row["rank"].as_u64().expect("a rank"))
    };
    let rows: Vec<(String, u64)> = rows.iter().map(row).collect();
    assert!(rows.windows(2).all(|pair| pair[0].1 >= pair[1].1), "{rows:?}");
    rows
}

/// The words at the other end of all links of a word.
fn others(lines: &[String], word: &str, forwards: bool) -> Vec<String> {
    let pair = |line: &String| {
        let (from, to) = links::ends(line);
        let (near, far) = if forwards { (from, to) } else { (to, from) };
        (near == word).then(|| far.to_owned())
    };
    let lines = lines.iter().filter(|line| line.matches('\t').count() == 2);
    let mut found: Vec<String> = lines.filter_map(pair).collect();
    found.sort();
    found.dedup();
    found
}

fn answers_make_sense(home: &Path, lines: &[String]) {
    let ways = [("search", true), ("backlinks", false)];
    for (command, forwards) in ways {
        let found = answer(home, &[command, "dog", "--limit", "1000"]);
        let mut words: Vec<String> = rows(&found).into_iter().map(|(text, _)| text).collect();
        words.sort();
        assert_eq!(words, others(lines, "dog", forwards), "{command}");
        assert_eq!(found["total"], words.len(), "{command}");
    }
    let first = rows(&answer(home, &["search", "dog", "--limit", "5"]));
    let second = rows(&answer(home, &["search", "dog", "--limit", "5", "--page", "2"]));
    let all = rows(&answer(home, &["search", "dog", "--limit", "10"]));
    assert_eq!([first, second].concat(), all);
    let by_cid = answer(home, &["cid", "dog"]);
    let cid = by_cid["particle"].as_str().expect("a CID");
    assert_eq!(rows(&answer(home, &["search", cid])), all);
    let unknown = cyberd(home, &["search", "Dogs"]);
    assert_eq!((unknown.code, unknown.failure().as_str()), (1, "sdk/6"));
    let hint = unknown.json()["error"]["hint"].to_string();
    assert!(hint.contains("'dog'"), "the spelling that is known is suggested: {hint}");
}

fn every_rank_is_the_same_wherever_it_is_shown(home: &Path) {
    let top = answer(home, &["top", "--limit", "1000"]);
    let ranked = rows(&top);
    let total = top["total"].as_u64().expect("a number");
    assert_eq!(ranked.len() as u64, total.min(1000));
    assert!(ranked[0].1 > ranked[ranked.len() - 1].1, "not all alike");
    for (text, rank) in ranked.iter().take(20) {
        let asked = answer(home, &["query", "rank", text]);
        assert_eq!(asked["rank"], *rank, "{text}");
    }
    let sum: u64 = ranked.iter().map(|(_, rank)| rank).sum();
    assert!(sum <= WHOLE && sum > WHOLE / 10, "{sum} of {total} particles");
}

fn a_link_waits_for_its_block_and_then_for_its_rank(chain: &mut Chain) {
    let home = chain.home.clone();
    let link = answer(&home, &["link", "dog", "fuzzy friend", "--from", "heidi"]);
    assert_eq!((&link["code"], &link["accepted"]), (&0.into(), &1.into()), "{link}");
    let height = link["height"].as_u64().expect("a height");
    assert!(chain.height() >= height && height > 1);
    let leads = link["leads_to"].as_array().expect("ten of them");
    assert!(leads.len() == 10, "{link}");
    assert_eq!(answer(&home, &["query", "rank", "fuzzy friend"])["text"], "fuzzy friend");
    chain.ranked();
    let rank = answer(&home, &["query", "rank", "fuzzy friend"])["rank"].as_u64();
    assert!(rank.is_some_and(|rank| rank > 0), "{rank:?}");
    let known = rows(&answer(&home, &["search", "dog", "--limit", "1000"]));
    assert!(known.contains(&("fuzzy friend".to_owned(), rank.expect("seen"))), "{known:?}");
    let hash = link["tx_hash"].as_str().expect("a hash");
    assert_eq!(answer(&home, &["query", "tx", hash])["height"], height);
}

fn several_commands_in_a_row_do_not_wait_for_each_other(home: &Path) {
    let first = answer(home, &["query", "account", "bob"])["sequence"].as_u64().expect("a number");
    let mut hashes = Vec::new();
    for step in 0..5 {
        let to = format!("in a row {step}");
        let link = answer(home, &["link", "row", &to, "--from", "bob", "--no-wait"]);
        assert_eq!(link["sequence"], first + step);
        assert_eq!(link["height"], Value::Null);
        hashes.push(link["tx_hash"].as_str().expect("a hash").to_owned());
    }
    let last = answer(home, &["link", "row", "the last", "--from", "bob"]);
    assert_eq!(last["sequence"], first + 5);
    for hash in hashes {
        wait_until("transaction in a block", || cyberd(home, &["query", "tx", &hash]).code == 0);
        assert_eq!(answer(home, &["query", "tx", &hash])["code"], 0);
    }
    assert_eq!(answer(home, &["search", "row"])["total"], 6);
}

fn a_dry_run_changes_nothing(home: &Path) {
    let before = answer(home, &["query", "graph"]);
    let account = answer(home, &["query", "account", "carol"]);
    let plan = ["link", "nothing", "of this", "--from", "carol", "--dry-run"];
    let link = answer(home, &plan);
    assert_eq!((&link["dry_run"], &link["would_be_refused"]), (&true.into(), &Value::Null));
    assert!(link["cost"].as_u64().is_some_and(|cost| cost > 0), "{link}");
    let again = answer(home, &["link", "dog", "fuzzy friend", "--from", "heidi", "--dry-run"]);
    assert!(again["would_be_refused"].to_string().contains("graph/2"), "{again}");
    let send = answer(home, &["send", "bob", "7boot", "--from", "carol", "--dry-run"]);
    assert_eq!(send["dry_run"], true);
    std::thread::sleep(Duration::from_millis(800));
    assert_eq!(answer(home, &["query", "graph"]), before);
    assert_eq!(answer(home, &["query", "account", "carol"]), account);
}

fn tokens_are_sent(home: &Path) {
    let holds = |name: &str| -> u64 {
        let balance = answer(home, &["query", "balance", name, "boot"]);
        balance["balance"]["amount"].as_str().and_then(|text| text.parse().ok()).expect("a number")
    };
    let before = (holds("dave"), holds("erin"));
    let sent = answer(home, &["send", "erin", "1000boot", "--from", "dave"]);
    assert_eq!(sent["code"], 0, "{sent}");
    assert_eq!((holds("dave"), holds("erin")), (before.0 - 1000, before.1 + 1000));
}

fn exit_codes_tell_who_is_at_fault(home: &Path) {
    let made = cyberd(home, &["--keyring", "test", "keys", "add", "poor"]);
    assert_eq!(made.code, 0, "{made:?}");
    let cases: [(&[&str], i32, &str); 10] = [
        (&["search", "nobody linked this"], 1, "sdk/6"),
        (&["link", "dog"], 2, "client/usage"),
        (&["send", "bob", "1.5boot", "--from", "dave"], 2, "client/usage"),
        (&["link", "dog", "dog", "--from", "dave"], 3, "graph/4"),
        (&["link", "dog", "cat", "--from", "poor"], 3, "sdk/9"),
        (&["link", "dog", "cat", "--from", "nobody"], 4, "client/key-missing"),
        (&["--node", "http://127.0.0.1:1", "status"], 5, "client/unreachable"),
        (&["--node", "http://127.0.0.1:1", "link", "a", "b", "--from", "bob"], 5, ""),
        (&["link", "dog", "fuzzy friend", "--from", "heidi"], 6, "graph/2"),
        (&["send", "bob", "999999999999999999boot", "--from", "dave"], 6, "sdk/5"),
    ];
    for (arguments, exit, code) in cases {
        let ran = cyberd(home, arguments);
        assert_eq!(ran.code, exit, "{arguments:?}: {ran:?}");
        let said = ran.failure();
        assert!(code.is_empty() || said == code, "{arguments:?}: {said}");
    }
}

fn a_second_import_sends_nothing(home: &Path, file: &Path, right: u64) {
    let again = answer(home, &["import", file.to_str().expect("UTF-8")]);
    assert_eq!((&again["links"], &again["done_now"]), (&right.into(), &0.into()), "{again}");
    let wrong: Vec<&Value> =
        again["wrong_lines"].as_array().expect("a list").iter().map(|row| &row["line"]).collect();
    assert_eq!(wrong, [3, 7]);
    let strict = cyberd(home, &["import", file.to_str().expect("UTF-8"), "--strict"]);
    assert_ne!(strict.code, 0, "{strict:?}");
}

fn flags_that_contradict_the_chain_name_two_commands(home: &Path) {
    let ran = cyberd(home, &["dev", "--seed", "another"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let hint = ran.json()["error"]["hint"].as_str().expect("advice").to_owned();
    let commands: Vec<&str> =
        hint.lines().map(str::trim).filter(|line| line.starts_with("cyberd dev")).collect();
    let place = format!("--home {}", home.display());
    assert!(commands.len() == 2 && commands.iter().all(|one| one.contains(&place)), "{hint}");
    assert!(commands[1].contains("--reset") && commands[1].contains("--seed another"), "{hint}");
    let twice = cyberd(home, &["dev"]);
    assert_eq!(twice.code, 1, "a chain that runs is not run twice: {twice:?}");
}

/// Ctrl-C; the height it had.
fn it_ends_cleanly(chain: &mut Chain) -> u64 {
    let height = chain.height();
    let (status, after) = chain.process.signal(Signal::SIGINT);
    let said = chain.process.said();
    assert!(status.success(), "{status}: {said}");
    assert!(after < Duration::from_secs(30), "{after:?}");
    assert!(said.contains("stopped"), "{said}");
    assert_eq!(processes::mentioning(&chain.home.to_string_lossy()), Vec::<String>::new());
    for port in chain.ports..chain.ports + 8 {
        let free = std::net::TcpListener::bind(("127.0.0.1", port));
        assert!(free.is_ok(), "port {port}: {free:?}");
    }
    assert_eq!(cyberd(&chain.home, &["status"]).code, 5);
    height
}

#[test]
fn a_new_chain_from_an_export_publishes_the_rounds_that_the_old_one_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let (home, new_home) = (folder.path().join("old"), folder.path().join("new"));
    let file = links::write(&folder.path().join("links.tsv"), &links::around("cat", 2_000));
    let (ports, new_ports) = (free_ports(), free_ports());
    let flags = ["--block-time", "500ms", "--links", file.to_str().expect("UTF-8")];
    let (mut old, _) = Chain::dev(&home, ports, &flags);
    assert_ne!(cyberd(&home, &["export"]).code, 0, "a running node's state is in use");
    // At the end no round has these yet, and one that was frozen before them is running.
    answer(&home, &["send", "bob", "9000000000000boot", "--from", "heidi", "--no-wait"]);
    answer(&home, &["link", "cat", "nine lives", "--from", "bob"]);
    it_ends_cleanly(&mut old);

    let genesis = folder.path().join("genesis.json");
    let to = genesis.to_str().expect("UTF-8");
    let exported = answer(&home, &["export", "--to", to, "--chain-id", "next-1"]);
    let height = exported["height"].as_u64().expect("a height");
    assert_eq!(exported["initial_height"], (height + 1).to_string());
    let base = new_ports.to_string();
    let init = ["init", "--genesis", to, "--port-base", &base, "--block-time", "500ms"];
    assert_eq!(answer(&new_home, &init)["chain_id"], "next-1");
    // The validators are those of the old chain.
    let key = "config/priv_validator_key.json";
    std::fs::copy(home.join(key), new_home.join(key)).expect("a key");

    let mut chains = [Chain::run(&home, ports), Chain::run(&new_home, new_ports)];
    let rounds = chains.each_mut().map(|chain| rounds_after(chain, height, 3));
    assert_eq!(rounds[0], rounds[1], "rounds published after height {height}");
    let changed = |round: &Value| round["root_before"] != round["root_after"];
    assert!(rounds[0].iter().any(changed), "the last link and the tokens moved ranks: {rounds:?}");
    let rank = ["query", "rank", "nine lives"];
    let ranks = [&home, &new_home].map(|home| answer(home, &rank)["rank"].clone());
    assert!(ranks[0] == ranks[1] && ranks[0] != 0, "{ranks:?}");
    for chain in &mut chains {
        it_ends_cleanly(chain);
    }
}

/// The first rounds that a chain publishes after a height, whole.
fn rounds_after(chain: &mut Chain, height: u64, count: usize) -> Vec<Value> {
    let home = chain.home.clone();
    let mut found = Vec::new();
    chain.process.until("rounds", || {
        let asked = cyberd(&home, &["query", "rounds", "--limit", "100"]);
        if asked.code != 0 {
            return false;
        }
        let rounds = asked.json()["rounds"].as_array().expect("a list").clone();
        let later = |round: &Value| round["height_published"].as_u64() > Some(height);
        found = rounds.into_iter().filter(later).collect();
        found.len() >= count
    });
    found.sort_by_key(|round| round["round"].as_u64());
    found.truncate(count);
    found
}
