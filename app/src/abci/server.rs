//! The server: listens, tells CometBFT's four connections apart by their first request, one of
//! each kind, and runs each on a thread of its own.
//!
//! Invariants: one consensus call at a time; after a [`Fault`] or a panic in one, neither it nor
//! any later one is answered, and the fault goes to whoever started the server. A connection
//! whose other end is gone makes room, a fifth one is refused. It has no time-outs: CometBFT may
//! be stopped and go on.

use super::adapter::{self, Adapter};
use super::address::Address;
use super::connection::{self, refuse};
use super::convert::wire::{request::Value as Request, response::Value as Response};
use super::method::{Kind, Method};
use super::socket::{Listener, Socket};
use super::Application;
use crate::error::Fault;
use crate::telemetry;
use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// CometBFT opens so many connections.
const CONNECTIONS_MAX: usize = 4;
/// The pause after an accept that failed, for want of descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Called once with the fault that ended the consensus connection, or the text of its panic.
pub type OnFault = Box<dyn Fn(Fault) + Send + Sync>;

/// A server that listens until it is stopped or dropped.
pub struct Server {
    shared: Arc<Shared>,
    listener: Arc<Listener>,
    acceptor: Option<JoinHandle<()>>,
}

/// What the connections share.
pub(super) struct Shared {
    pub adapter: Adapter,
    /// How many queries are answered at once.
    pub query_threads: usize,
    /// Held during a consensus call.
    consensus: Mutex<()>,
    /// A consensus call failed: no more of them.
    broken: AtomicBool,
    pub stopping: AtomicBool,
    on_fault: OnFault,
    open: Mutex<Open>,
    ended: Condvar,
}

#[derive(Default)]
struct Open {
    next: u64,
    lines: BTreeMap<u64, Arc<Line>>,
    /// Connections whose thread has not ended, dropped ones included.
    threads: usize,
}

/// A connection.
pub(super) struct Line {
    number: u64,
    pub socket: Socket,
    kind: Mutex<Option<Kind>>,
    /// Given up: nothing more of it is executed.
    pub dropped: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Listens and serves; ready for CometBFT when it returns.
    pub fn start(
        address: &Address,
        application: Arc<dyn Application>,
        query_threads: usize,
        on_fault: OnFault,
    ) -> Result<Server, Fault> {
        let listener = Arc::new(Listener::bind(address)?);
        let shared = Arc::new(Shared {
            adapter: Adapter(application),
            query_threads: query_threads.max(1),
            consensus: Mutex::new(()),
            broken: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            on_fault,
            open: Mutex::default(),
            ended: Condvar::new(),
        });
        let (server, door) = (shared.clone(), listener.clone());
        let acceptor = telemetry::panics::spawn("abci-accept", move || accept_all(&server, &door));
        let fault = |e: io::Error| Fault::Setup(format!("cannot start a thread: {e}"));
        let acceptor = Some(acceptor.map_err(fault)?);
        tracing::info!(address = %listener.address(), "ABCI server listens");
        Ok(Server { shared, listener, acceptor })
    }

    /// What CometBFT's `proxy_app` takes.
    pub fn address(&self) -> &Address {
        self.listener.address()
    }

    /// Accepts nothing more, lets calls that run end and be answered, closes the connections.
    /// False if some call was still running after so long.
    pub fn stop(mut self, patience: Duration) -> bool {
        self.close();
        let open = lock(&self.shared.open);
        let waited = self.shared.ended.wait_timeout_while(open, patience, |open| open.threads > 0);
        let (open, _) = waited.unwrap_or_else(PoisonError::into_inner);
        open.threads == 0
    }

    fn close(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.listener.wake();
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().expect("a panicking thread ends the process");
        }
        for line in lock(&self.shared.open).lines.values() {
            line.socket.shutdown(Shutdown::Read);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.acceptor.is_some() {
            self.close();
        }
    }
}

fn accept_all(shared: &Arc<Shared>, listener: &Listener) {
    loop {
        match listener.accept() {
            Ok(Some(socket)) => welcome(shared, socket),
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "accepting an ABCI connection failed");
                #[allow(clippy::disallowed_methods, reason = "else the loop would spin")]
                std::thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

/// Starts the thread of a connection, or refuses it.
fn welcome(shared: &Arc<Shared>, socket: Socket) {
    let line = match shared.admit(socket) {
        Ok(line) => line,
        Err(socket) => {
            tracing::warn!("fifth ABCI connection refused: CometBFT's four are open");
            telemetry::abci_refused("fifth connection");
            refuse(&socket, "four connections are open already".to_owned());
            return;
        }
    };
    let number = line.number;
    let server = shared.clone();
    let name = format!("abci-{number}");
    let started = telemetry::panics::spawn(&name, move || {
        connection::serve(&server, &line);
        server.forget(&line);
    });
    if let Err(error) = started {
        tracing::error!(%error, "no thread for an ABCI connection");
        let line = lock(&shared.open).lines.get(&number).cloned();
        line.into_iter().for_each(|line| shared.forget(&line));
    }
}

impl Shared {
    /// Makes room if it can; gives the socket back if there is none.
    fn admit(&self, socket: Socket) -> Result<Arc<Line>, Socket> {
        let mut open = lock(&self.open);
        if open.lines.len() >= CONNECTIONS_MAX {
            open.drop_where(|_| true);
        }
        if open.lines.len() >= CONNECTIONS_MAX {
            return Err(socket);
        }
        let number = open.next;
        open.next += 1;
        open.threads += 1;
        let kind = Mutex::new(None);
        let line = Arc::new(Line { number, socket, kind, dropped: AtomicBool::new(false) });
        open.lines.insert(number, line.clone());
        Ok(line)
    }

    /// Makes a connection the only one of its kind; refused while another one lives.
    pub fn claim(&self, line: &Line, kind: Kind) -> Result<(), String> {
        let mut open = lock(&self.open);
        open.drop_where(|other| *lock(&other.kind) == Some(kind));
        if open.lines.values().any(|other| *lock(&other.kind) == Some(kind)) {
            return Err(format!("there is a {} connection already", kind.name()));
        }
        *lock(&line.kind) = Some(kind);
        tracing::debug!(connection = line.number, kind = kind.name(), "ABCI connection");
        drop(open);
        if kind == Kind::Query {
            // The handshake begins: a call still running for a CometBFT that died ends first,
            // or Info would tell it a height that is about to pass.
            drop(lock(&self.consensus));
        }
        Ok(())
    }

    fn forget(&self, line: &Line) {
        let mut open = lock(&self.open);
        open.lines.remove(&line.number);
        open.threads -= 1;
        self.ended.notify_all();
    }

    /// Executes a request whose failure ends the node. None: it failed, or one before it did, or
    /// the connection was given up; there must be no answer.
    pub fn call_consensus(&self, line: &Line, request: Request) -> Option<Response> {
        let method = adapter::method(&request);
        let _one = (method.kind() == Some(Kind::Consensus)).then(|| lock(&self.consensus));
        if self.broken.load(Ordering::SeqCst) || line.dropped.load(Ordering::SeqCst) {
            return None;
        }
        let answer = catch_unwind(AssertUnwindSafe(|| self.call(method, request)));
        answer.map_err(|payload| self.fail(method, payload)).ok()
    }

    /// Executes a request, timed.
    pub fn call(&self, method: Method, request: Request) -> Response {
        #[allow(clippy::disallowed_methods, reason = "measures for an operator")]
        let begin = Instant::now();
        let answer = adapter::dispatch(&self.adapter, request);
        let took = begin.elapsed();
        telemetry::abci_call(method.name(), took);
        match method {
            Method::FinalizeBlock => telemetry::block_seconds(took),
            Method::Commit => telemetry::commit_seconds(took),
            _ => (),
        }
        answer
    }

    /// Reports what unwound out of a consensus call, once.
    fn fail(&self, method: Method, payload: Box<dyn std::any::Any + Send>) {
        let fault = payload.downcast::<Fault>().map_or_else(
            |other| {
                let text = telemetry::panics::text(&*other);
                Fault::Consensus(format!("panic in {}: {text}", method.name()))
            },
            |fault| *fault,
        );
        tracing::error!(method = method.name(), %fault, "the node cannot go on");
        if !self.broken.swap(true, Ordering::SeqCst) {
            (self.on_fault)(fault);
        }
    }
}

impl Open {
    /// Gives up the connections whose other end is gone.
    fn drop_where(&mut self, which: impl Fn(&Line) -> bool) {
        self.lines.retain(|_, line| {
            let gone = which(line) && line.socket.is_hung_up();
            if gone {
                line.dropped.store(true, Ordering::SeqCst);
                line.socket.shutdown(Shutdown::Both);
            }
            !gone
        });
    }
}
