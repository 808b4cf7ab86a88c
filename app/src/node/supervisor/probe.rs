//! The questions a supervisor asks, over HTTP/1.0 on loopback: small answers, one second.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(1);
/// The answers asked for here are a few kilobytes.
const LARGEST_BYTES: u64 = 1 << 20;

/// How to see that a pair is well.
pub struct Probe {
    /// Whether the application can be dialled.
    pub ready: Box<dyn Fn() -> bool + Send + Sync>,
    /// CometBFT's latest height, 0 before the first; `None` while it does not answer.
    pub height: Box<dyn Fn() -> Option<u64> + Send + Sync>,
    /// Why no block comes, as far as CometBFT knows; `None` if it ought to come.
    pub reason: Box<dyn Fn() -> Option<String> + Send + Sync>,
}

impl Probe {
    /// Asks the application's `/health`, and its socket's file where it listens on one; then
    /// CometBFT's `/status`.
    pub fn of_node(health_port: u16, rpc_port: u16, socket: Option<PathBuf>) -> Probe {
        Probe {
            ready: Box::new(move || {
                let listens = socket.as_ref().is_none_or(|socket| socket.exists());
                listens && get(health_port, "/health").is_some()
            }),
            height: Box::new(move || height(&result(rpc_port, "/status")?)),
            reason: Box::new(move || standing(rpc_port)),
        }
    }
}

/// CometBFT's latest height, once there is one.
pub fn latest_height(rpc_port: u16) -> Option<u64> {
    height(&result(rpc_port, "/status")?).filter(|height| *height > 0)
}

fn height(status: &Value) -> Option<u64> {
    status["sync_info"]["latest_block_height"].as_str()?.parse().ok()
}

/// The result of a question to CometBFT's RPC.
pub fn result(rpc_port: u16, path: &str) -> Option<Value> {
    let mut answer: Value = serde_json::from_str(&get(rpc_port, path)?).ok()?;
    Some(answer["result"].take()).filter(|result| !result.is_null())
}

/// Why a chain stands, if the reason is outside: this node is still catching up, or votes of more
/// than a third are missing. `/consensus_state` does not answer while the application is in a call.
fn standing(rpc_port: u16) -> Option<String> {
    let catching_up = result(rpc_port, "/status")?["sync_info"]["catching_up"].as_bool()?;
    let peers = || {
        let peers = result(rpc_port, "/net_info")?;
        peers["n_peers"].as_str().map(str::to_owned)
    };
    if catching_up {
        return Some(format!("catching up, {} peers", peers()?));
    }
    let state = result(rpc_port, "/consensus_state")?;
    missing_votes(&state["round_state"])
        .map(|text| format!("{text}, {} peers", peers().unwrap_or_default()))
}

/// Whether votes are missing in the latest round of a round state that has some.
fn missing_votes(state: &Value) -> Option<String> {
    let round = state["height_vote_set"].as_array()?.iter().max_by_key(|set| set["round"].as_u64());
    let round = round?;
    // BA{4:xx__} 20/40 = 0.50
    let share = |votes: &str| {
        let bits = round[votes].as_str()?;
        let (have, of) = bits.split_whitespace().nth(1)?.split_once('/')?;
        Some((have.parse::<u64>().ok()?, of.parse::<u64>().ok()?))
    };
    for (votes, name) in
        [("prevotes_bit_array", "prevotes"), ("precommits_bit_array", "precommits")]
    {
        let (have, of) = share(votes)?;
        if have.saturating_mul(3) <= of.saturating_mul(2) {
            return Some(format!("{have} of {of} {name} in round {}", round["round"]));
        }
    }
    None
}

/// The body of a successful answer of this machine.
pub fn get(port: u16, path: &str) -> Option<String> {
    get_from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), path)
}

/// The body of a successful answer.
pub fn get_from(place: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&place, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {place}\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.take(LARGEST_BYTES).read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?;
    (status == "200").then(|| body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::missing_votes;
    use serde_json::json;

    #[test]
    fn a_chain_stands_for_a_reason_when_votes_of_a_third_are_missing() {
        let set = |round: u64, prevotes: &str, precommits: &str| {
            json!({ "round": round, "prevotes_bit_array": prevotes,
                    "precommits_bit_array": precommits })
        };
        let (all, half, none) =
            ("BA{4:xxxx} 40/40 = 1.00", "BA{4:xx__} 20/40 = 0.50", "BA{4:____} 0/40 = 0.00");
        let found = |sets: &[serde_json::Value]| missing_votes(&json!({ "height_vote_set": sets }));
        let text = found(&[set(0, all, all), set(1, half, none)]);
        assert_eq!(text.as_deref(), Some("20 of 40 prevotes in round 1"));
        let text = found(&[set(0, all, none)]);
        assert_eq!(text.as_deref(), Some("0 of 40 precommits in round 0"));
        assert_eq!(found(&[set(3, all, all)]), None);
        assert_eq!(missing_votes(&json!({})), None);
    }
}
