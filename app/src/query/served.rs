//! For tests: the gRPC and REST servers over a chain of the test kit, and a plain HTTP client.

use super::gate::{Gate, GateLimits};
use super::tests::{limits, World};
use super::{grpc, listen, rest, Queries};
use crate::search::Index;
use crate::testkit::Chain;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The longest request the servers of tests read.
pub const BODY_BYTES_MAX: usize = 100_000;

/// Servers; they end when it is dropped.
pub struct Served {
    pub chain: Chain,
    pub gate: Arc<Gate>,
    pub rest: SocketAddr,
    pub grpc: SocketAddr,
    pub runtime: Runtime,
}

/// An answer over HTTP.
pub struct Got {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Served {
    /// Over the chain of [`World`].
    pub fn new() -> Served {
        let time_limit = limits().time_limit;
        let most = GateLimits { places: 4, waiting_max: 64, time_limit, watchers_max: 4 };
        Served::with(most, |queries| queries)
    }

    pub fn with(most: GateLimits, change: impl FnOnce(Queries) -> Queries) -> Served {
        Served::over(World::new().chain, most, change)
    }

    /// Over a chain of a test's own.
    pub fn over(chain: Chain, most: GateLimits, change: impl FnOnce(Queries) -> Queries) -> Served {
        let reader = chain.engine().reader().clone();
        let queries = Queries::new(reader, Arc::new(Index::new()), limits());
        let gate = Arc::new(Gate::new(Arc::new(change(queries)), most));
        let runtime = Runtime::new().expect("a runtime");
        let bind = || runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let (own, body_bytes_max) = (gate.clone(), BODY_BYTES_MAX);
        let parts = grpc::Parts { gate: own.clone(), body_bytes_max };
        let routers = [
            rest::router(rest::Parts {
                gate: own,
                body_bytes_max,
                rpc: "http://127.0.0.1:26657".into(),
                minimum_gas_prices: Vec::new(),
            }),
            grpc::router(parts).expect("descriptors that fit together"),
        ];
        let [rest, grpc] = routers.map(|router| {
            let listener = bind().expect("a port");
            let address = listener.local_addr().expect("bound");
            runtime.spawn(listen::serve(listener, router, listen::Limits::new(100)));
            address
        });
        Served { chain, gate, rest, grpc, runtime }
    }

    pub fn get(&self, path: &str) -> Got {
        self.ask("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Got {
        let kind = ("content-type", "application/json");
        self.ask("POST", path, &[kind], body.to_string().as_bytes())
    }

    /// One request on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Got {
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head.push_str("host: x\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        self.raw(format!("{head}\r\n").as_bytes(), body)
    }

    /// Sends bytes, reads until the other side closes.
    pub fn raw(&self, head: &[u8], body: &[u8]) -> Got {
        let mut stream = TcpStream::connect(self.rest).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
        stream.write_all(head).expect("it reads");
        // Refused before the end, the rest is not always taken.
        drop(stream.write_all(body));
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers and closes");
        let at = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8_lossy(&answer[..at]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut got =
            Got { status: status.expect("a status"), head, body: answer[at + 4..].to_vec() };
        if got.header("transfer-encoding") == Some("chunked") {
            got.body = unchunked(&got.body);
        }
        got
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(at) = bytes.windows(2).position(|two| two == b"\r\n") {
        let length = String::from_utf8_lossy(&bytes[..at]).into_owned();
        let length = usize::from_str_radix(length.trim(), 16).expect("a length");
        if length == 0 {
            break;
        }
        whole.extend_from_slice(&bytes[at + 2..at + 2 + length]);
        bytes = &bytes[at + 2 + length + 2..];
    }
    whole
}
