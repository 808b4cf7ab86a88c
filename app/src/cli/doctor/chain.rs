//! What the running node says: versions, peers, the clock against the blocks', what `/ready` has
//! against it. A stopped node is only asked for its settings of peers.

use super::{Finding, Patient};
use crate::node::cometbft;
use crate::node::supervisor::{get, result};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// A block's time may be so far from ours: the votes of a round, and a second for the way.
const CLOCK_AHEAD: i64 = 2;
const CLOCK_BEHIND: i64 = 60;
/// Between two looks at the head.
const PAUSE: Duration = Duration::from_secs(2);

/// All checks of the running node.
pub fn look(patient: &Patient, findings: &mut Vec<Finding>) {
    let Some(rpc) = patient.comet_port("rpc.laddr") else {
        let remedy = "set rpc.laddr in config/config.toml, such as tcp://127.0.0.1:26657";
        findings.push(Finding::fail("settings", "rpc.laddr has no port", remedy));
        return;
    };
    let Some(status) = result(rpc, "/status") else {
        findings.push(peers_of_settings(patient));
        if patient.process.is_some() {
            let remedy = "it may be starting; else HOME/logs/cometbft.log tells why";
            findings.push(Finding::fail("chain", "CometBFT's RPC does not answer", remedy));
        }
        return;
    };
    findings.push(version(&status));
    findings.push(peers(rpc));
    findings.push(head(rpc, &status));
    findings.extend(ready(patient));
}

fn peers_of_settings(patient: &Patient) -> Finding {
    let given = |name: &str| patient.comet(name).filter(|peers| !peers.is_empty());
    let count = |peers: String| peers.split(',').count();
    let peers = given("p2p.persistent_peers").map_or(0, count);
    let seeds = given("p2p.seeds").map_or(0, count);
    match peers + seeds {
        0 => Finding::warn(
            "peers",
            "no peers and no seeds are named",
            "right for the only validator of a chain; else name some in p2p.persistent_peers",
        ),
        _ => Finding::ok("peers", format!("{peers} persistent peers and {seeds} seeds are named")),
    }
}

fn version(status: &Value) -> Finding {
    let runs = status["node_info"]["version"].as_str().unwrap_or_default();
    let tested = cometbft::VERSION;
    match runs == tested {
        true => Finding::ok("running CometBFT", format!("version {runs}, as tested")),
        false => Finding::fail(
            "running CometBFT",
            format!("version {runs}, tested is {tested}"),
            format!("start CometBFT {tested}; cyberd run finds or builds it"),
        ),
    }
}

fn peers(rpc: u16) -> Finding {
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok());
    let peers = result(rpc, "/net_info").and_then(|info| number(&info["n_peers"]));
    let validators = result(rpc, "/validators?per_page=1").and_then(|all| number(&all["total"]));
    match (peers.unwrap_or(0), validators) {
        (0, Some(1)) => Finding::ok("peers", "none, and one validator"),
        (0, _) => Finding::fail(
            "peers",
            "none",
            "name some in p2p.persistent_peers, and see that the p2p port can be reached",
        ),
        (peers, _) => Finding::ok("peers", format!("{peers}")),
    }
}

/// Whether the head moves, and how its time compares with ours.
fn head(rpc: u16, before: &Value) -> Finding {
    let height = |status: &Value| {
        let height = status["sync_info"]["latest_block_height"].as_str();
        height.and_then(|height| height.parse::<u64>().ok()).unwrap_or(0)
    };
    #[allow(clippy::disallowed_methods, reason = "the head is looked at twice")]
    std::thread::sleep(PAUSE);
    let Some(now) = result(rpc, "/status") else {
        let remedy = "look at HOME/logs/cometbft.log";
        return Finding::fail("clock", "CometBFT stopped answering", remedy);
    };
    let (first, last) = (height(before), height(&now));
    let catching_up = now["sync_info"]["catching_up"].as_bool().unwrap_or(false);
    if last == first || catching_up {
        let state = if catching_up { "is catching up" } else { "did not move for 2 s" };
        return Finding::ok("clock", format!("not compared: the head, {last}, {state}"));
    }
    let time = now["sync_info"]["latest_block_time"].as_str().unwrap_or_default();
    compare(time, &super::nodes::now(), last)
}

/// Compares the time of the newest block with ours, both RFC 3339.
pub(super) fn compare(block: &str, ours: &str, height: u64) -> Finding {
    let parse = |text: &str| {
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()
    };
    let (Some(block_time), Some(now)) = (parse(block), parse(ours)) else {
        let remedy = "look at /status of CometBFT";
        return Finding::warn("clock", format!("block {height} has the time '{block}'"), remedy);
    };
    let behind = (now - block_time).whole_seconds();
    let remedy =
        "set the clock right (time service above): proposals with a wrong time are refused";
    if behind < -CLOCK_AHEAD {
        let found = format!("block {height} is {} s ahead of this clock", -behind);
        return Finding::fail("clock", found, remedy);
    }
    if behind > CLOCK_BEHIND {
        let found = format!("block {height}, made just now, is {behind} s behind this clock");
        return Finding::warn("clock", found, remedy);
    }
    Finding::ok("clock", format!("agrees with the validators': block {height} is {behind} s old"))
}

/// What `/ready` has against the node.
fn ready(patient: &Patient) -> Vec<Finding> {
    let Some(health) = patient.config.health_listen else { return Vec::new() };
    // A successful answer is a ready node.
    if get(health.port(), "/ready").is_some() {
        return vec![Finding::ok("ready", "the node does its work")];
    }
    let remedy = "what the reason says; it is asked again at /ready";
    match reasons(health) {
        Some(reasons) => {
            let fail = |reason: String| Finding::fail("ready", reason, remedy);
            reasons.into_iter().map(fail).collect()
        }
        None => vec![Finding::fail(
            "ready",
            format!("the application does not answer at {health}"),
            "it may be starting; else its log tells why",
        )],
    }
}

fn reasons(at: SocketAddr) -> Option<Vec<String>> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(3))).ok()?;
    write!(stream, "GET /ready HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let report: Value = serde_json::from_str(body).ok()?;
    let reason = |reason: &Value| {
        format!("{}: {}", reason["check"].as_str()?, reason["reason"].as_str()?).into()
    };
    report["reasons"].as_array()?.iter().map(reason).collect()
}
