//! Our answers beside those of go-cyber v5.2.1 to the same requests: status, code, text and shape.
//! Every difference stands with its reason in `app/tests/vectors/go-cyber/DIFFERENCES.md`, and
//! nothing else does.

use super::*;
use crate::query::gate::GateLimits;
use crate::query::remote::response;
use crate::query::served::Served;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/go-cyber")
}

fn vector(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json")));
    serde_json::from_str(&text.expect("a vector")).expect("JSON")
}

/// A chain with the particles and accounts that the requests name.
fn served() -> Served {
    let mut world = World::new();
    let mut alice = world.chain.wallet("alice");
    let known = |cid: &str| Particle::parse(cid).expect("a CIDv0");
    let hub = known("QmbyV4BASLJCFiCfKz37eNwFX8y6hefQ7LGpzvEwJQzNft");
    let targets = [
        "QmPzxpxeWZdUjCwYZ43vjgb6ZGdep9HasLwwhpF2uEAZo1",
        "QmRU8AbmfH5aRkC5LebWmsbZGFGuqf332kUJKWgB3LJHeD",
        "QmSXDk2v6kPu4BXW7UE6BsE4rB3k7Y1yJ11a9owiH52Ti4",
    ]
    .map(known);
    let end = known("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG");
    let mut links: Vec<_> = targets.iter().map(|target| (hub, *target)).collect();
    links.push((targets[0], end));
    let mut txs = vec![alice.sign(vec![alice.link_message(&links, false)])];
    let neurons = [
        "bostrom1nwhu4y5nmygvqya4muxjv70ds6qpzjuqscghvu",
        "bostrom1u0d7uw66vfzhqgzhe72xy6fgs7urtwfgu0cehx",
    ];
    for neuron in neurons {
        let to = Address::parse(neuron, "bostrom").expect("an address");
        let coin = Coin::new(&world.chain.options.denom, Amount(1_000));
        txs.push(alice.sign(vec![alice.send_message(&to, &[coin])]));
    }
    let outcome = world.chain.block(txs);
    outcome.results.iter().for_each(|result| assert!(result.is_ok(), "{}", result.log));
    let past = Height(world.chain.next_height().0 + 25);
    world.chain.run_to(past);
    let time_limit = limits().time_limit;
    let most = GateLimits { places: 4, waiting_max: 64, time_limit, watchers_max: 1 };
    Served::over(world.chain, most, |queries| queries)
}

/// What stands in the one and not in the other, as `place: difference`.
fn compare(place: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (key, value) in theirs {
                match ours.get(key) {
                    Some(own) => compare(&format!("{place}.{key}"), value, own, found),
                    None => found.push(format!("{place}.{key}: theirs alone")),
                }
            }
            let alone = ours.keys().filter(|key| !theirs.contains_key(*key));
            found.extend(alone.map(|key| format!("{place}.{key}: ours alone")));
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            if let (Some(theirs), Some(ours)) = (theirs.first(), ours.first()) {
                compare(&format!("{place}[]"), theirs, ours, found);
            }
        }
        (Value::String(theirs), Value::String(ours)) => {
            let is_exact = place.ends_with("@type") || place == "message";
            if is_exact && theirs != ours {
                found.push(format!("{place}: '{theirs}' → '{ours}'"));
            }
        }
        _ if kind(theirs) != kind(ours) => {
            found.push(format!("{place}: {} → {}", kind(theirs), kind(ours)));
        }
        (Value::Number(theirs), Value::Number(ours)) if place == "code" && theirs != ours => {
            found.push(format!("{place}: {theirs} → {ours}"));
        }
        _ => (),
    }
}

/// The differences of one answer.
fn differences(served: &Served, name: &str) -> Vec<String> {
    let vector = vector(name);
    let request = vector["request"].as_str().expect("a request");
    let url = request.strip_prefix("GET ").expect("all are read with GET");
    let theirs = vector["status"].as_u64().expect("a status");
    let got = served.get(url);
    let mut found = Vec::new();
    match theirs == u64::from(got.status) {
        // Pages past the end and the like: another kind of answer altogether.
        false => found.push(format!("status {theirs} → {}", got.status)),
        true => {
            let body = got.json();
            for (key, value) in vector["body"].as_object().expect("an object") {
                compare(key, value, &body[key], &mut found);
            }
        }
    }
    found
}

/// Answered by asking CometBFT: `app/tests/e2e_remote.rs`, and the last test here.
const OF_COMETBFT: [&str; 3] = ["rest_latest_block", "rest_node_info", "rest_lcd_tx"];

#[test]
fn every_difference_from_go_cyber_is_listed_with_its_reason() {
    let served = served();
    let files = std::fs::read_dir(folder()).expect("a folder");
    let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    let names: BTreeSet<String> = names
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name.starts_with("rest_") && !name.starts_with("rest_rpc"))
        .filter(|name| !OF_COMETBFT.iter().any(|start| name.starts_with(start)))
        .collect();
    assert!(names.len() > 40, "{} answers", names.len());
    let mut found = BTreeSet::new();
    for name in &names {
        for difference in differences(&served, name) {
            found.insert(format!("| {name} | {difference} |"));
        }
    }
    let table = std::fs::read_to_string(folder().join("DIFFERENCES.md")).expect("the table");
    let rows = table.lines().filter(|line| line.starts_with("| rest_"));
    let mut listed = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        assert!(cells.len() == 3 && cells[2].len() > 10, "no reason: {row}");
        listed.insert(format!("{} | {} |", cells[0], cells[1]));
    }
    let unlisted: Vec<_> = found.difference(&listed).cloned().collect();
    let stale: Vec<_> = listed.difference(&found).cloned().collect();
    assert!(unlisted.is_empty(), "not in the table:\n{}", unlisted.join("\n"));
    assert!(stale.is_empty(), "no longer so:\n{}", stale.join("\n"));
}

/// The same result, as CometBFT gave it to go-cyber, becomes the answer that go-cyber made of it.
#[test]
fn a_transaction_is_answered_field_by_field_as_go_cyber_does() {
    for name in ["tx_cyberlink_ok", "tx_cyberlink_duplicate"] {
        let rpc = vector(&format!("rest_rpc_tx_{name}"))["body"]["result"].take();
        let found: tendermint_rpc::endpoint::tx::Response =
            serde_json::from_value(rpc).expect("CometBFT's answer");
        let theirs = vector(&format!("rest_lcd_tx_{name}"))["body"]["tx_response"].take();
        let text = |key: &str| theirs[key].as_str().expect("a string");
        let time = tendermint::Time::parse_from_rfc3339(text("timestamp")).expect("a time");
        let ours = response::of_included(&found, time);
        assert_eq!(ours.height.to_string(), text("height"));
        assert_eq!(ours.txhash, text("txhash"));
        assert_eq!(ours.codespace, text("codespace"));
        assert_eq!(Some(u64::from(ours.code)), theirs["code"].as_u64());
        assert_eq!(ours.data, text("data"));
        assert_eq!(ours.raw_log, text("raw_log"));
        assert_eq!(ours.info, text("info"));
        assert_eq!(ours.gas_wanted.to_string(), text("gas_wanted"));
        assert_eq!(ours.gas_used.to_string(), text("gas_used"));
        assert_eq!(ours.timestamp, text("timestamp"));
        let logs: Vec<Value> = ours
            .logs
            .iter()
            .map(|log| {
                let attribute = |it: &cyber_proto::cosmos::base::abci::v1beta1::Attribute| {
                    serde_json::json!({"key": it.key, "value": it.value})
                };
                let event = |event: &cyber_proto::cosmos::base::abci::v1beta1::StringEvent| {
                    let attributes: Vec<_> = event.attributes.iter().map(attribute).collect();
                    serde_json::json!({"type": event.r#type, "attributes": attributes})
                };
                let events: Vec<_> = log.events.iter().map(event).collect();
                serde_json::json!({"msg_index": log.msg_index, "log": log.log, "events": events})
            })
            .collect();
        assert_eq!(Value::Array(logs), theirs["logs"], "{name}");
        let events = theirs["events"].as_array().expect("a list");
        assert_eq!(ours.events.len(), events.len());
        for (own, theirs) in ours.events.iter().zip(events) {
            assert_eq!(own.r#type, theirs["type"].as_str().expect("a string"));
            let attributes = theirs["attributes"].as_array().expect("a list");
            let own: Vec<_> = own.attributes.iter().map(|it| (&*it.key, &*it.value)).collect();
            let text =
                |it: &'static str| move |value: &Value| value[it].as_str().map(str::to_owned);
            let keys: Vec<_> = attributes.iter().filter_map(text("key")).collect();
            let values: Vec<_> = attributes.iter().filter_map(text("value")).collect();
            assert!(own.iter().map(|(key, _)| *key).eq(keys.iter().map(String::as_str)));
            assert!(own.iter().map(|(_, value)| *value).eq(values.iter().map(String::as_str)));
        }
    }
}

/// The kinds and keys of a result's events, in order.
fn shape(events: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let event = |event: &Value| {
        let attributes = event["attributes"].as_array().expect("a list");
        let keys = attributes.iter().map(|attribute| text(attribute, "key")).collect();
        (text(event, "type"), keys)
    };
    events.as_array().expect("a list").iter().map(event).collect()
}

#[test]
fn events_of_a_cyberlink_are_those_of_go_cyber_and_more() {
    let rpc = vector("rest_rpc_tx_tx_cyberlink_ok");
    let mut expected = shape(&rpc["body"]["result"]["tx_result"]["events"]);
    for (kind, keys) in &mut expected {
        match kind.as_str() {
            "cyberlink" if keys[0] == "particleFrom" => keys.push("neuron".to_owned()),
            "message" => keys.push("msg_index".to_owned()),
            _ => (),
        }
    }
    let mut chain = Chain::new();
    let mut alice = chain.wallet("alice");
    let links = [(particle(1), particle(2))];
    let tx = alice.sign(vec![alice.link_message(&links, false)]);
    let result = chain.block(vec![tx]).results.remove(0);
    let keys = |event: &crate::state::Event| {
        event.attributes.iter().map(|(key, _)| (*key).to_owned()).collect()
    };
    let ours: Vec<(String, Vec<String>)> =
        result.events.iter().map(|event| (event.kind.to_owned(), keys(event))).collect();
    assert_eq!(ours, expected);
}
