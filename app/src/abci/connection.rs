//! A connection's life: requests in, answers out, in order. Replies wait in a buffer and leave in
//! one write when the requests read so far are answered (consensus and snapshot: or Flush came).
//!
//! Three ways to serve, by kind. Consensus and snapshot: one request after the other. Mempool:
//! what has arrived is checked as one batch, while more is read. Query: read ahead, answered on a
//! few threads, replied in order. A request that is empty, unknown, unreadable or of another kind
//! is answered, never fatal here; only a length that cannot be right ends the connection.

use super::adapter;
use super::ahead::Ahead;
use super::convert::put;
use super::convert::wire::{self, request::Value as Request, response::Value as Response};
use super::frame::{Frame, FrameError, Frames};
use super::method::{Kind, Method};
use super::server::{Line, Shared};
use super::socket::Socket;
use super::{info, mempool};
use crate::telemetry;
use prost::Message;
use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender, TryRecvError};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Requests taken at once to be checked in one call: as many transactions, and a Flush for each.
const BATCH_MAX: usize = 1024;
/// Queries read ahead of the one whose answer is next to leave.
const READ_AHEAD: usize = 32;
/// Replies leave at this size even if more are to come, in bytes.
const OUT_MAX: usize = 1 << 20;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("closed")]
    Closed,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Refused(String),
    /// The node stops; nothing may be answered any more.
    #[error("the node cannot go on")]
    Fault,
}

/// What becomes of a frame.
enum Step {
    Call(Request),
    Reply(Response),
}

/// Serves a connection until it ends.
pub(super) fn serve(shared: &Shared, line: &Line) {
    let mut wire = Wire::new(shared, line);
    let end = wire.greet().and_then(|(kind, first)| match kind {
        Kind::Query => serve_queries(&mut wire, first),
        Kind::Mempool => serve_mempool(&mut wire, first),
        Kind::Consensus | Kind::Snapshot => serve_in_turn(&mut wire, kind, first),
    });
    let end = end.err().unwrap_or(End::Closed);
    if let End::Frame(_) | End::Refused(_) = end {
        tracing::error!(reason = %end, "ABCI connection ended by us");
        telemetry::abci_refused("connection");
        wire.put(exception(end.to_string()));
    } else {
        tracing::debug!(reason = %end, "ABCI connection ended");
    }
    if !matches!(end, End::Fault) {
        // The other side may be gone: then nobody misses these replies.
        let _ = wire.write();
        line.socket.shutdown(Shutdown::Both);
    }
}

/// Answers a connection that is not served at all.
pub(super) fn refuse(socket: &Socket, reason: String) {
    let mut out = Vec::new();
    put(exception(reason), &mut out);
    // It is closed either way.
    let _ = (&mut &*socket).write_all(&out);
    socket.shutdown(Shutdown::Both);
}

/// Both directions of a connection.
struct Wire<'a> {
    shared: &'a Shared,
    line: &'a Line,
    frames: Frames<&'a Socket>,
    out: Vec<u8>,
}

impl<'a> Wire<'a> {
    fn new(shared: &'a Shared, line: &'a Line) -> Wire<'a> {
        Wire { shared, line, frames: Frames::new(&line.socket), out: Vec::new() }
    }

    fn put(&mut self, value: Response) {
        put(value, &mut self.out);
    }

    fn write(&mut self) -> io::Result<()> {
        write_out(&self.line.socket, &mut self.out)
    }

    /// The next frame; writes what waits to be written before it waits itself.
    fn next(&mut self) -> Result<Frame, End> {
        loop {
            if is_over(self.shared, self.line) {
                return Err(End::Closed);
            }
            if let Some(frame) = self.frames.next_ready()? {
                return Ok(frame);
            }
            self.write()?;
            if !self.frames.fill()? {
                return Err(End::Closed);
            }
        }
    }

    /// Answers what every connection may carry, until a request tells what this one is for.
    fn greet(&mut self) -> Result<(Kind, Frame), End> {
        loop {
            let frame = self.next()?;
            let (Frame::Whole(head, _) | Frame::Skipped(head, _)) = &frame;
            if let Some(kind) = head.method.and_then(Method::kind) {
                self.shared.claim(self.line, kind).map_err(End::Refused)?;
                return Ok((kind, frame));
            }
            let reply = match step(frame, None) {
                Step::Reply(reply) => reply,
                Step::Call(request) => adapter::dispatch(&self.shared.adapter, request),
            };
            self.put(reply);
            self.write()?;
        }
    }
}

fn is_over(shared: &Shared, line: &Line) -> bool {
    shared.stopping.load(Ordering::SeqCst) || line.dropped.load(Ordering::SeqCst)
}

/// Writes a buffer and empties it.
fn write_out(mut socket: &Socket, out: &mut Vec<u8>) -> io::Result<()> {
    if !out.is_empty() {
        socket.write_all(out)?;
        out.clear();
        out.shrink_to(OUT_MAX);
    }
    Ok(())
}

fn exception(error: String) -> Response {
    Response::Exception(wire::ResponseException { error })
}

/// Decodes a frame. What cannot be executed on a connection of this kind (none: not known yet)
/// is answered.
fn step(frame: Frame, kind: Option<Kind>) -> Step {
    let (head, read, is_long) = match frame {
        Frame::Skipped(head, text) => (head, Err(text), true),
        Frame::Whole(head, bytes) => (head, read(bytes, head.field), false),
    };
    let refusal = match read {
        Ok(request) => {
            let method = adapter::method(&request);
            if method.kind().is_none() || method.kind() == kind {
                return Step::Call(request);
            }
            let here = kind.map_or("new", Kind::name);
            format!("{} on the {here} connection", method.name())
        }
        Err(text) => text,
    };
    telemetry::abci_refused("request");
    Step::Reply(match head.method.filter(|method| method.kind() == kind) {
        Some(Method::CheckTx) if is_long => Response::CheckTx(mempool::too_long(refusal)),
        Some(Method::CheckTx) => Response::CheckTx(mempool::unreadable(refusal)),
        Some(Method::Query) => Response::Query(info::unreadable(refusal)),
        _ => {
            tracing::error!(reason = refusal, "ABCI request refused");
            exception(refusal)
        }
    })
}

fn read(bytes: prost::bytes::Bytes, field: u64) -> Result<Request, String> {
    let request = wire::Request::decode(bytes).map_err(|e| format!("unreadable request: {e}"))?;
    request.value.ok_or_else(|| match field {
        0 => "empty request".to_owned(),
        21 | 22 => {
            let name = if field == 21 { "InsertTx" } else { "ReapTxs" };
            format!("{name} is not supported: set mempool.type = \"flood\" in CometBFT's config")
        }
        _ => format!("unknown request, field {field}: this application speaks ABCI 0.38"),
    })
}

/// Consensus and snapshot.
fn serve_in_turn(wire: &mut Wire<'_>, kind: Kind, first: Frame) -> Result<(), End> {
    let mut frame = first;
    loop {
        match step(frame, Some(kind)) {
            Step::Reply(reply) => wire.put(reply),
            Step::Call(request) => {
                let is_flush = matches!(request, Request::Flush(_));
                let reply = wire.shared.call_consensus(wire.line, request).ok_or(End::Fault)?;
                wire.put(reply);
                if is_flush || wire.out.len() > OUT_MAX {
                    wire.write()?;
                }
            }
        }
        frame = wire.next()?;
    }
}

/// Checks of transactions, as many at once as have arrived. CometBFT puts a Flush behind every
/// one, so Flush ends no batch.
fn serve_mempool(wire: &mut Wire<'_>, first: Frame) -> Result<(), End> {
    let Wire { shared, line, frames, out } = wire;
    let ahead = Ahead::new(first);
    thread::scope(|scope| {
        scope.spawn(|| ahead.read(frames));
        let end = answer_checks(shared, line, &ahead, out);
        ahead.close();
        // What is answered already goes out; reading ends.
        line.socket.shutdown(Shutdown::Read);
        end
    })
}

fn answer_checks(
    shared: &Shared,
    line: &Line,
    ahead: &Ahead,
    out: &mut Vec<u8>,
) -> Result<(), End> {
    loop {
        let (mut replies, mut checks) = (Vec::new(), Vec::new());
        for frame in ahead.take(BATCH_MAX)? {
            replies.push(match step(frame, Some(Kind::Mempool)) {
                Step::Call(Request::CheckTx(check)) => {
                    checks.push(check);
                    None
                }
                Step::Call(request) => Some(adapter::dispatch(&shared.adapter, request)),
                Step::Reply(reply) => Some(reply),
            });
        }
        if is_over(shared, line) {
            return Err(End::Closed);
        }
        let mut checked = check(shared, checks).into_iter();
        for reply in replies {
            let reply = reply.or_else(|| checked.next().map(Response::CheckTx));
            put(reply.expect("one answer for each check"), out);
        }
        if ahead.is_empty() || out.len() > OUT_MAX {
            write_out(&line.socket, out)?;
        }
    }
}

fn check(shared: &Shared, checks: Vec<wire::RequestCheckTx>) -> Vec<wire::ResponseCheckTx> {
    if checks.is_empty() {
        return Vec::new();
    }
    #[allow(clippy::disallowed_methods, reason = "measures for an operator")]
    let begin = std::time::Instant::now();
    let answers = mempool::check_txs(&*shared.adapter.0, checks);
    telemetry::abci_call(Method::CheckTx.name(), begin.elapsed());
    answers
}

/// An answer on its way, in the order of the requests.
enum Slot {
    Ready(Box<Response>),
    Waiting(Receiver<Response>),
}

/// A query and where its answer goes.
type Job = (Request, SyncSender<Response>);

/// Reads ahead on this thread, answers on a pool, writes in order on another thread.
fn serve_queries(wire: &mut Wire<'_>, first: Frame) -> Result<(), End> {
    let shared = wire.shared;
    let (slots_in, slots) = sync_channel::<Slot>(READ_AHEAD);
    let (jobs_in, jobs) = sync_channel::<Job>(READ_AHEAD);
    let jobs = Mutex::new(jobs);
    // Echoes and flushes of before are written: `greet` leaves nothing behind.
    thread::scope(|scope| {
        let socket = &wire.line.socket;
        scope.spawn(move || write_slots(socket, &slots));
        for _ in 0..shared.query_threads {
            scope.spawn(|| work(shared, &jobs));
        }
        let end = read_queries(wire, first, &slots_in, &jobs_in);
        drop((slots_in, jobs_in));
        end
    })
}

fn read_queries(
    wire: &mut Wire<'_>,
    first: Frame,
    slots: &SyncSender<Slot>,
    jobs: &SyncSender<Job>,
) -> Result<(), End> {
    let mut frame = first;
    loop {
        let slot = match step(frame, Some(Kind::Query)) {
            Step::Reply(reply) => Slot::Ready(Box::new(reply)),
            Step::Call(request @ Request::Query(_)) => {
                let (answer, slot) = sync_channel(1);
                jobs.send((request, answer)).map_err(|_| End::Closed)?;
                Slot::Waiting(slot)
            }
            Step::Call(request) => {
                Slot::Ready(Box::new(wire.shared.call(adapter::method(&request), request)))
            }
        };
        slots.send(slot).map_err(|_| End::Closed)?;
        frame = wire.next()?;
    }
}

/// Answers queries until there are no more.
fn work(shared: &Shared, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((request, answer)) = job else { return };
        // Nobody waits for it any more if the connection has ended.
        let _ = answer.send(shared.call(Method::Query, request));
    }
}

/// Writes answers in order, together as far as they are ready.
fn write_slots(socket: &Socket, slots: &Receiver<Slot>) {
    let mut out = Vec::new();
    let mut is_open = true;
    let mut write = |out: &mut Vec<u8>| {
        is_open = is_open && write_out(socket, out).is_ok();
        if !is_open {
            // Ends the reading too; what is left is answered to nobody.
            out.clear();
            socket.shutdown(Shutdown::Both);
        }
    };
    loop {
        let slot = match slots.try_recv() {
            Err(TryRecvError::Empty) => {
                write(&mut out);
                slots.recv().ok()
            }
            other => other.ok(),
        };
        let Some(slot) = slot else { break };
        let reply = match slot {
            Slot::Ready(reply) => *reply,
            Slot::Waiting(answer) => {
                let ready = answer.try_recv().ok();
                let Some(reply) = ready.or_else(|| {
                    write(&mut out);
                    answer.recv().ok()
                }) else {
                    break;
                };
                reply
            }
        };
        put(reply, &mut out);
        if out.len() > OUT_MAX {
            write(&mut out);
        }
    }
    write(&mut out);
}
