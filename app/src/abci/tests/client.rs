//! A partner that writes what it likes, and the server under test.

use super::script::Script;
use crate::abci::address::Address;
use crate::abci::convert::wire;
use crate::abci::convert::wire::{
    request::Value as Request, response::Value as Response, RequestCheckTx, RequestFlush,
    RequestQuery,
};
use crate::abci::server::Server;
use crate::error::Fault;
use prost::Message;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than any answer takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server with a script behind it.
pub struct Stand {
    pub script: Arc<Script>,
    pub server: Option<Server>,
    pub faults: Arc<Mutex<Vec<String>>>,
    _home: tempfile::TempDir,
}

impl Stand {
    pub fn unix() -> Stand {
        let home = tempfile::tempdir().expect("a directory");
        let address = Address::in_home(home.path());
        Stand::on(home, &address)
    }

    pub fn tcp() -> Stand {
        let address = Address::parse("tcp://127.0.0.1:0").expect("an address");
        Stand::on(tempfile::tempdir().expect("a directory"), &address)
    }

    fn on(home: tempfile::TempDir, address: &Address) -> Stand {
        let script = Arc::new(Script::default());
        let faults = Arc::new(Mutex::new(Vec::new()));
        let seen = faults.clone();
        let on_fault = Box::new(move |fault: Fault| {
            seen.lock().expect("nobody panics with it").push(fault.to_string());
        });
        let server = Server::start(address, script.clone(), 4, on_fault);
        let server = Some(server.expect("it listens"));
        Stand { script, server, faults, _home: home }
    }

    pub fn address(&self) -> Address {
        self.server.as_ref().expect("not stopped").address().clone()
    }

    pub fn connect(&self) -> Client {
        Client::connect(&self.address())
    }

    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().expect("nobody panics with it").clone()
    }
}

trait Stream: Read + Write + Send {
    fn duplicate(&self) -> Box<dyn Stream>;
    fn close(&self, how: Shutdown);
}

impl Stream for UnixStream {
    fn duplicate(&self) -> Box<dyn Stream> {
        Box::new(self.try_clone().expect("a socket"))
    }
    fn close(&self, how: Shutdown) {
        let _ = self.shutdown(how);
    }
}

impl Stream for TcpStream {
    fn duplicate(&self) -> Box<dyn Stream> {
        Box::new(self.try_clone().expect("a socket"))
    }
    fn close(&self, how: Shutdown) {
        let _ = self.shutdown(how);
    }
}

/// One connection.
pub struct Client {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

impl Client {
    pub fn connect(address: &Address) -> Client {
        let stream: Box<dyn Stream> = match address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).expect("it listens");
                stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
                Box::new(stream)
            }
            Address::Tcp(place) => {
                let stream = TcpStream::connect(place).expect("it listens");
                stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
                stream.set_nodelay(true).expect("a socket");
                Box::new(stream)
            }
        };
        Client { stream, buffer: Vec::new() }
    }

    /// The same connection, for another thread.
    pub fn duplicate(&self) -> Client {
        Client { stream: self.stream.duplicate(), buffer: Vec::new() }
    }

    /// Ends the writing; answers still come.
    pub fn finish(&mut self) {
        self.stream.close(Shutdown::Write);
    }

    /// Ends the connection both ways.
    pub fn close(&mut self) {
        self.stream.close(Shutdown::Both);
    }

    /// Writes bytes; false if the other side no longer takes them.
    pub fn raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub fn send(&mut self, request: Request) {
        assert!(self.raw(&frame(request)), "the server reads");
    }

    /// The next answer; none at the end of the stream.
    pub fn receive(&mut self) -> Option<Response> {
        loop {
            if let Some(response) = self.take() {
                return Some(response.value.expect("answers are never empty"));
            }
            let mut more = [0; 1 << 16];
            match self.stream.read(&mut more) {
                Ok(0) => return None,
                Ok(count) => self.buffer.extend_from_slice(&more[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset) => return None,
                Err(e) => panic!("no answer: {e}"),
            }
        }
    }

    fn take(&mut self) -> Option<wire::Response> {
        let mut rest = self.buffer.as_slice();
        let length = prost::decode_length_delimiter(&mut rest).ok()?;
        let response = wire::Response::decode(rest.get(..length)?).expect("protobuf");
        let used = self.buffer.len() - rest.len() + length;
        self.buffer.drain(..used);
        Some(response)
    }

    /// A request and its answer, as CometBFT makes its calls: followed by a Flush.
    pub fn call(&mut self, request: Request) -> Response {
        let flush = frame(Request::Flush(RequestFlush {}));
        assert!(self.raw(&[frame(request), flush].concat()), "the server reads");
        let answer = self.receive().expect("an answer");
        if !matches!(answer, Response::Exception(_)) {
            assert!(matches!(self.receive(), Some(Response::Flush(_))));
        }
        answer
    }

    pub fn query(&mut self, path: &str) -> wire::ResponseQuery {
        match self.call(query(path, "")) {
            Response::Query(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub fn check(&mut self, tx: &str) -> wire::ResponseCheckTx {
        match self.call(check(tx)) {
            Response::CheckTx(answer) => answer,
            other => panic!("{other:?}"),
        }
    }
}

pub fn query(path: &str, data: &str) -> Request {
    let data = data.to_owned().into();
    Request::Query(RequestQuery { path: path.to_owned(), data, ..Default::default() })
}

pub fn check(tx: &str) -> Request {
    Request::CheckTx(RequestCheckTx { tx: tx.to_owned().into(), r#type: 0 })
}

pub fn finalize(height: i64, txs: &[&str]) -> Request {
    let txs = txs.iter().map(|tx| (*tx).to_owned().into()).collect();
    Request::FinalizeBlock(wire::RequestFinalizeBlock { height, txs, ..Default::default() })
}

pub fn commit() -> Request {
    Request::Commit(wire::RequestCommit {})
}

pub fn info() -> Request {
    Request::Info(wire::RequestInfo::default())
}

/// A request as it goes over the wire.
pub fn frame(request: Request) -> Vec<u8> {
    wire::Request { value: Some(request) }.encode_length_delimited_to_vec()
}
