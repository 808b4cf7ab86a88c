//! The node's side of one worker: starts it, brings it what is new, asks for rounds.
//!
//! Every call has a moment by which it must be answered. After any [`Fault`] the worker is of no
//! more use; dropping the client kills it. What a worker answers is checked for what can be seen
//! without computing (`super::verify` does the rest). Deliberately absent: restarts and back-off
//! (`super::engine`).

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::hash;
use super::resident::Sweeps;
use super::shared::Shared;
use super::wire::{Layout, Reply, Request, BATCH_MAX};
use crate::{code, Link, Parameters};

/// How often a call that waits looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// What a worker is.
#[derive(Clone)]
pub enum Program {
    /// The program `cyber-gpu`.
    Command(PathBuf),
    /// A function on a thread of this process, for tests; it ends when the socket does.
    Thread(Arc<dyn Fn(UnixStream, Shared) + Send + Sync>),
}

/// A frozen graph that somebody can hand out link by link.
pub trait Source: Send + Sync {
    fn particles(&self) -> u32;
    /// Number of links; they are those before, and new ones after them.
    fn links(&self) -> u32;
    /// A link, by its number from 0.
    fn link(&self, number: u32) -> Link;
    /// Rank-stakes of all neurons with a link, by their numbers.
    fn stakes(&self) -> Vec<(u32, u64)>;
}

/// Why a worker gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be started, or has no device.
    #[error("cannot be used: {0}")]
    Absent(String),
    /// It ended, or its socket did.
    #[error("died: {0}")]
    Died(String),
    /// It did not answer in time.
    #[error("gave no answer within {0:?}")]
    Late(Duration),
    /// It says that it cannot go on: out of memory, an error of the device.
    #[error("failed: {0}")]
    Failed(String),
    /// It does not speak the protocol.
    #[error("answered out of order: {0}")]
    Protocol(String),
    /// Its result is not that of the definition.
    #[error("computed wrongly: {0}")]
    Wrong(String),
    /// Nobody wants the answer any more.
    #[error("was stopped")]
    Stopped,
}

impl Fault {
    /// A word for it, as metrics want.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Absent(_) => "absent",
            Fault::Died(_) => "died",
            Fault::Late(_) => "late",
            Fault::Failed(_) => "failed",
            Fault::Protocol(_) => "protocol",
            Fault::Wrong(_) => "wrong",
            Fault::Stopped => "stopped",
        }
    }
}

/// Until when an answer is wanted.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub limit: Duration,
    until: Instant,
    stop: &'a AtomicBool,
}

impl Wanted<'_> {
    /// From now on for `limit`, as long as `stop` is not raised.
    #[allow(clippy::disallowed_methods, reason = "a limit for a process; no result depends on it")]
    pub fn within(limit: Duration, stop: &AtomicBool) -> Wanted<'_> {
        Wanted { limit, until: Instant::now() + limit, stop }
    }

    /// Time that is left, at most until the next look.
    #[allow(clippy::disallowed_methods, reason = "a limit for a process; no result depends on it")]
    fn left(&self) -> Result<Duration, Fault> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Fault::Stopped);
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::Late(self.limit));
        }
        Ok(left.min(LOOK))
    }
}

/// The codes that the worker has from its last answer.
struct Last {
    hash: u64,
    length: usize,
    base: u64,
    bits: u32,
}

/// One worker.
pub struct Client {
    child: Option<Child>,
    socket: UnixStream,
    shared: Shared,
    device: String,
    particles: u32,
    links: u32,
    last: Option<Last>,
}

impl Client {
    /// Starts a worker and waits for its device.
    pub fn start(program: &Program, wanted: Wanted<'_>) -> Result<Client, Fault> {
        let absent = |error: io::Error| Fault::Absent(error.to_string());
        let shared = Shared::new().map_err(absent)?;
        let (socket, theirs) = UnixStream::pair().map_err(absent)?;
        let other = shared.other().map_err(absent)?;
        let child = match program {
            Program::Command(path) => {
                let mut command = Command::new(path);
                command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::from(other));
                let child = command.spawn();
                Some(child.map_err(|error| Fault::Absent(format!("{}: {error}", path.display())))?)
            }
            Program::Thread(work) => {
                let work = Arc::clone(work);
                let body = move || work(theirs, Shared::from(other));
                let thread = std::thread::Builder::new().name("gpu worker".into()).spawn(body);
                thread.map_err(absent)?;
                None
            }
        };
        let mut client = Client {
            child,
            socket,
            shared,
            device: String::new(),
            particles: 0,
            links: 0,
            last: None,
        };
        match client.ask(&Request::Hello, wanted) {
            Ok(Reply::Ready { device }) => client.device = device,
            Ok(other) => return Err(unexpected(&other)),
            Err(Fault::Failed(reason)) => return Err(Fault::Absent(reason)),
            Err(fault) => return Err(fault),
        }
        Ok(client)
    }

    /// What the worker computes on.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The process, for tests.
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Empties the graph.
    pub fn clear(&mut self, wanted: Wanted<'_>) -> Result<(), Fault> {
        (self.particles, self.links, self.last) = (0, 0, None);
        self.done(&Request::Clear, wanted)
    }

    /// Brings the worker what is new: particles, links, and these stakes.
    pub fn take(
        &mut self,
        source: &dyn Source,
        stakes: &[(u32, u64)],
        wanted: Wanted<'_>,
    ) -> Result<(), Fault> {
        if source.particles() > self.particles {
            self.done(&Request::Grow { particles: source.particles() }, wanted)?;
            self.particles = source.particles();
        }
        while self.links < source.links() {
            let count = (source.links() - self.links).min(BATCH_MAX);
            let numbers = self.links..self.links + count;
            let triples = numbers.map(|number| source.link(number));
            let triples = triples.flat_map(|link| [link.neuron, link.from, link.to]);
            self.shared.write(0, &triples.collect::<Vec<u32>>()).map_err(memory)?;
            self.done(&Request::Links { count }, wanted)?;
            self.links += count;
        }
        for part in stakes.chunks(BATCH_MAX as usize) {
            let halves = |stake: u64| [stake as u32, (stake >> 32) as u32];
            let triples = part.iter().flat_map(|&(neuron, stake)| {
                let [low, high] = halves(stake);
                [neuron, low, high]
            });
            self.shared.write(0, &triples.collect::<Vec<u32>>()).map_err(memory)?;
            self.done(&Request::Stakes { count: part.len() as u32 }, wanted)?;
        }
        Ok(())
    }

    /// One round from `codes`; `sample` is a sweep whose codes before and after are wanted, from 1.
    pub fn run(
        &mut self,
        parameters: &Parameters,
        codes: &[u32],
        sample: u32,
        wanted: Wanted<'_>,
    ) -> Result<Sweeps, Fault> {
        let layout = Layout::new(self.particles, parameters.sweeps);
        self.shared.reserve(layout.end).map_err(memory)?;
        let (given, start_hash) = self.compare(parameters, codes);
        if given {
            self.shared.write(0, codes).map_err(memory)?;
        }
        self.last = None;
        let request = Request::Run { parameters: *parameters, given, sample };
        let (sweeps, changed, total) = match self.ask(&request, wanted)? {
            Reply::Answer { particles, sweeps, changed, total } if particles == self.particles => {
                (sweeps, changed, total)
            }
            other => return Err(unexpected(&other)),
        };
        if sweeps == 0 || sweeps > parameters.sweeps {
            return Err(Fault::Wrong(format!("{sweeps} of {} sweeps", parameters.sweeps)));
        }
        let length = self.particles as usize;
        let short = |error: io::Error| Fault::Protocol(format!("arrays of an answer: {error}"));
        let found = Sweeps {
            codes: self.shared.read(0, length).map_err(short)?,
            sweeps,
            changed_in_last_sweep: changed,
            total,
            hashes: self.shared.read(layout.hashes, sweeps as usize + 1).map_err(short)?,
            sample: match sample {
                0 => None,
                _ => Some([
                    self.shared.read(layout.before, length).map_err(short)?,
                    self.shared.read(layout.after, length).map_err(short)?,
                ]),
            },
        };
        super::verify::agrees_with_itself(&found, parameters, start_hash, sample)
            .map_err(Fault::Wrong)?;
        self.last = Some(Last {
            hash: found.hashes[sweeps as usize],
            length,
            base: parameters.base(),
            bits: parameters.code_bits,
        });
        Ok(found)
    }

    /// Whether codes have to be given, and the hash of all of them: the worker goes on by itself
    /// from its last answer, and new particles from the base.
    fn compare(&self, parameters: &Parameters, codes: &[u32]) -> (bool, u64) {
        let fresh = code::floor(parameters.base(), parameters.code_bits);
        if let Some(last) = &self.last {
            let (old, new) = codes.split_at(last.length.min(codes.len()));
            let hash = hash::codes(old);
            let goes_on = (last.base, last.bits) == (parameters.base(), parameters.code_bits)
                && hash == last.hash
                && new.iter().all(|&code| code == fresh);
            let all = hash.wrapping_add(hash::codes_from(old.len() as u32, new));
            return (!goes_on, all);
        }
        (true, hash::codes(codes))
    }

    fn done(&mut self, request: &Request, wanted: Wanted<'_>) -> Result<(), Fault> {
        match self.ask(request, wanted)? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&mut self, request: &Request, wanted: Wanted<'_>) -> Result<Reply, Fault> {
        let mut stream = Patient { socket: &self.socket, wanted, fault: None };
        let answer = match request.write(&mut stream) {
            Ok(()) => Reply::read(&mut stream),
            Err(error) => {
                // It may have said why before it closed the socket.
                let said = stream.fault.is_none().then(|| Reply::read(&mut stream).ok()).flatten();
                said.ok_or(error)
            }
        };
        match (answer, stream.fault) {
            (_, Some(fault)) => Err(fault),
            (Ok(Some(Reply::Failed { reason })), None) => Err(Fault::Failed(reason)),
            (Ok(Some(reply)), None) => Ok(reply),
            (Ok(None), None) => Err(Fault::Died("it closed its socket".to_owned())),
            (Err(error), None) => Err(match error.kind() {
                io::ErrorKind::InvalidData => Fault::Protocol(error.to_string()),
                _ => Fault::Died(error.to_string()),
            }),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            // A process that hangs in a driver may take its time to end: nobody waits for it.
            let reap = move || drop(child.wait());
            let _ = std::thread::Builder::new().name("gpu reaper".into()).spawn(reap);
        }
    }
}

/// The socket, read and written as long as an answer is wanted.
struct Patient<'a> {
    socket: &'a UnixStream,
    wanted: Wanted<'a>,
    /// Why it gave up, which an `io::Error` cannot say.
    fault: Option<Fault>,
}

impl Patient<'_> {
    fn attempt(
        &mut self,
        limit: impl Fn(&UnixStream, Option<Duration>) -> io::Result<()>,
        mut act: impl FnMut(&UnixStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let left = match self.wanted.left() {
                Ok(left) => left,
                Err(fault) => {
                    self.fault = Some(fault);
                    return Err(io::ErrorKind::TimedOut.into());
                }
            };
            limit(self.socket, Some(left))?;
            match act(self.socket) {
                Err(error) if is_early(&error) => (),
                other => return other,
            }
        }
    }
}

impl io::Read for Patient<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.attempt(UnixStream::set_read_timeout, |mut socket| io::Read::read(&mut socket, to))
    }
}

impl io::Write for Patient<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.attempt(UnixStream::set_write_timeout, |mut socket| {
            io::Write::write(&mut socket, from)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The socket's own limit passed, or a signal came.
fn is_early(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

fn unexpected(reply: &Reply) -> Fault {
    Fault::Protocol(format!("{reply:?}"))
}

fn memory(error: io::Error) -> Fault {
    Fault::Failed(format!("memory shared with the worker: {error}"))
}
