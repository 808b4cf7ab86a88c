//! `cyberd load` against the real pair of processes: what it says was committed, the chain counts
//! too, nothing is refused, and a flood of bad transactions stays outside.

use serde_json::Value;
use std::process::Command;

/// The report of a run on a chain of its own, with short blocks.
fn load(flags: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cyberd"));
    command.args(["load", "--output", "json", "--block-time", "200ms", "--accounts", "500"]);
    command.env_remove("CYBERD_NODE").env("CYBERD_HOME", std::env::temp_dir());
    let output = command.args(flags).output().expect("cyberd runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{said}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    answer["report"].clone()
}

fn nothing_refused(report: &Value) {
    for part in ["refused", "failed"] {
        assert_eq!(report[part], serde_json::json!({}), "{part}");
    }
    assert_eq!(report["missing"], 0);
    assert_eq!(report["committed"], report["sent"]);
}

#[test]
fn all_links_sent_in_batches_are_committed_and_counted_by_the_chain() {
    let flags = ["--count", "2000", "--links", "10", "--connections", "4", "--batch", "50"];
    let report = load(&flags);
    nothing_refused(&report);
    assert_eq!(report["committed"], 2_000);
    assert_eq!(report["links_added"], 20_000);
    let read = report["results_read"].as_array().expect("two numbers");
    assert_eq!(read[0], read[1], "the results of all blocks were read");
    let latency = &report["latency_ms"];
    assert_eq!(latency["count"], 2_000);
    assert!(latency["p50"].as_f64().is_some_and(|ms| ms > 0.0));
    for process in ["load", "cometbft", "application"] {
        let memory = report[process]["memory_mb_most"].as_u64();
        assert!(memory.is_some_and(|mb| mb > 10), "{process}: {}", report[process]);
    }
}

#[test]
fn a_flood_that_cannot_pay_stays_outside_while_sends_over_a_websocket_pass() {
    let flags = ["--count", "400", "--rate", "200", "--sends", "--mode", "websocket"];
    let flood = ["--connections", "4", "--batch", "10", "--flood", "unpayable"];
    let report = load(&[&flags[..], &flood[..]].concat());
    nothing_refused(&report);
    assert_eq!(report["flood"]["accepted"], 0);
    let refused = report["flood"]["refused"].as_object().expect("codes");
    assert!(refused.contains_key("bandwidth/2"), "{refused:?}");
}
