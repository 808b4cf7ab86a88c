//! The two questions a supervisor asks, over HTTP/1.0 on loopback: small answers, one second.

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
    /// CometBFT's latest height, `None` while it does not answer.
    pub height: Box<dyn Fn() -> Option<u64> + Send + Sync>,
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
            height: Box::new(move || latest_height(rpc_port)),
        }
    }
}

/// CometBFT's latest height.
pub fn latest_height(rpc_port: u16) -> Option<u64> {
    let status: serde_json::Value = serde_json::from_str(&get(rpc_port, "/status")?).ok()?;
    let height = &status["result"]["sync_info"]["latest_block_height"];
    height.as_str()?.parse().ok().filter(|height| *height > 0)
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
