//! Links and rounds from a height on, then as they come: `cyberd.v1.Watch`, as a gRPC stream and
//! as server-sent events.
//!
//! Everything is read from the columns, which hold all links and rounds since the genesis, so a
//! watcher that went away continues after the last event it saw ([`EventId`]) and misses nothing.
//!
//! Invariants: events come in the order of their ids, each once; at most [`BUFFERED`] of them wait
//! for a reader; one who takes none of them for [`SLOW_AFTER`] is dropped with the reason as the
//! stream's end; no step reads more than [`SCANNED`] links. Deliberately absent: transactions that
//! no block has yet.

#[cfg(test)]
mod tests;

use super::gate::{Denial, Gate};
use super::Queries;
use crate::state::Link;
use crate::store::Snapshot;
use crate::types::{Address, LinkNumber};
use cyber_proto::cyberd::v1::{
    watch_event::Event, Heartbeat, Round, WatchEvent, WatchRequest, WatchedLink,
};
use futures::stream::{self, Stream, StreamExt};
use prost::Message;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

/// The path of the method.
pub const PATH: &str = "/cyberd.v1.Watch/Events";
/// Events that wait for a reader.
pub const BUFFERED: usize = 256;
/// A reader who takes nothing for so long is dropped.
pub const SLOW_AFTER: Duration = Duration::from_secs(30);
/// Without an event for so long, a heartbeat comes.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events of one step.
const STEP: usize = 256;
/// Links read in one step.
const SCANNED: usize = 20_000;
/// Pause before the next try when the node is busy.
const BUSY: Duration = Duration::from_millis(200);

/// The id of an event: its height and its number in it; none: all of the height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    pub height: u64,
    pub number: Option<u64>,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "{}-{number}", self.height),
            None => write!(f, "{}-end", self.height),
        }
    }
}

impl FromStr for EventId {
    type Err = Denial;

    fn from_str(text: &str) -> Result<EventId, Denial> {
        let read = || {
            let (height, number) = text.split_once('-')?;
            let height = height.parse().ok()?;
            let number = if number == "end" { None } else { Some(number.parse().ok()?) };
            Some(EventId { height, number })
        };
        read().ok_or_else(|| {
            let text = format!("'{text}' is no id of an event, right is HEIGHT-NUMBER");
            Denial::new(Code::InvalidArgument, text)
        })
    }
}

/// What a watcher wants to see.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    links: bool,
    rounds: bool,
    neuron: Option<Address>,
}

/// How far a watcher has come: the next link and the next round.
#[derive(Clone, Copy, Debug)]
struct Position {
    /// What is older is passed over.
    from: u64,
    link: u32,
    round: u32,
    /// The height of the last link, and how many it has until now.
    height: u64,
    in_height: u64,
}

/// What a step found.
struct Step {
    position: Position,
    events: Vec<WatchEvent>,
    /// Whether there is nothing more for now.
    is_done: bool,
    height: u64,
}

/// Begins to watch. The stream ends with the reason why, or never.
///
/// # Errors
/// What is wrong with the request, or that there are too many watchers.
pub async fn start(
    gate: &Arc<Gate>,
    request: WatchRequest,
) -> Result<impl Stream<Item = Result<WatchEvent, Denial>> + Send + 'static, Denial> {
    let place = gate.watcher()?;
    let (wanted, position) = gate.run(move |gate| begin(gate.queries(), &request)).await?;
    let (events, inbox) = mpsc::channel(BUFFERED);
    let reason = Arc::new(Mutex::new(None));
    let (of_task, gate) = (reason.clone(), gate.clone());
    tokio::spawn(async move {
        let _place = place;
        let ended = follow(&gate, wanted, position, &events).await;
        *of_task.lock().unwrap_or_else(PoisonError::into_inner) = ended;
    });
    let last = stream::once(async move {
        reason.lock().unwrap_or_else(PoisonError::into_inner).take().map(Err)
    });
    Ok(ReceiverStream::new(inbox).map(Ok).chain(last.filter_map(std::future::ready)))
}

/// Sends events until the reader is gone (none) or has to go.
async fn follow(
    gate: &Arc<Gate>,
    wanted: Wanted,
    mut position: Position,
    events: &mpsc::Sender<WatchEvent>,
) -> Option<Denial> {
    let mut heights = gate.heights();
    let mut quiet_until = tokio::time::Instant::now() + HEARTBEAT;
    loop {
        heights.borrow_and_update();
        let step = gate.run(move |gate| Ok(step(&gate.latest(), &wanted, position))).await;
        let Ok(step) = step else {
            // Busy. Nothing is lost: the columns keep it.
            tokio::time::sleep(BUSY).await;
            continue;
        };
        position = step.position;
        for event in step.events {
            quiet_until = tokio::time::Instant::now() + HEARTBEAT;
            match events.send_timeout(event, SLOW_AFTER).await {
                Ok(()) => (),
                Err(mpsc::error::SendTimeoutError::Closed(_)) => return None,
                Err(mpsc::error::SendTimeoutError::Timeout(event)) => return Some(slow(&event)),
            }
        }
        if !step.is_done {
            continue;
        }
        tokio::select! {
            // The sender lives as long as the gate.
            _ = heights.changed() => (),
            () = events.closed() => return None,
            () = tokio::time::sleep_until(quiet_until) => {
                quiet_until = tokio::time::Instant::now() + HEARTBEAT;
                // Who reads slowly needs no heartbeat.
                drop(events.try_send(heartbeat(step.height)));
            }
        }
    }
}

fn slow(next: &WatchEvent) -> Denial {
    let text = format!(
        "slow reader: no event was taken for {} s; continue after the last one seen, this would \
         have been {}",
        SLOW_AFTER.as_secs(),
        next.id
    );
    Denial::new(Code::ResourceExhausted, text)
}

fn heartbeat(height: u64) -> WatchEvent {
    let id = EventId { height, number: None }.to_string();
    WatchEvent { id, height, event: Some(Event::Heartbeat(Heartbeat { height })) }
}

/// Reads a request.
fn begin(queries: &Queries, request: &WatchRequest) -> Result<(Wanted, Position), Denial> {
    let invalid = |text: String| Denial::new(Code::InvalidArgument, text);
    let mut wanted = Wanted { links: false, rounds: false, neuron: None };
    for kind in request.kinds.iter().flat_map(|kinds| kinds.split(',')) {
        match kind.trim() {
            "links" => wanted.links = true,
            "rounds" => wanted.rounds = true,
            "" => (),
            other => return Err(invalid(format!("'{other}' is no kind: links, rounds"))),
        }
    }
    if !wanted.links && !wanted.rounds {
        (wanted.links, wanted.rounds) = (true, true);
    }
    let state = queries.at(0).map_err(|refusal| Denial::new(Code::Unavailable, refusal.log))?;
    if !request.neuron.is_empty() {
        let neuron = queries.context(&state).address(&request.neuron);
        wanted.neuron = Some(neuron.map_err(|text| invalid(format!("neuron: {text}")))?);
    }
    let after = match request.after.as_str() {
        "" => match request.from_height {
            0 => EventId { height: state.height().0, number: None },
            from => EventId { height: from.saturating_sub(1), number: None },
        },
        text => text.parse()?,
    };
    Ok((wanted, position(&state, after)))
}

/// Right after an event.
fn position(state: &Snapshot, after: EventId) -> Position {
    let EventId { height, number } = after;
    let Some(number) = number else {
        let from = height.saturating_add(1);
        let (link, round) = (first_link(state, from), first_round(state, from));
        return Position { from, link, round, height: 0, in_height: 0 };
    };
    let first = first_link(state, height);
    let count = u64::from(first_link(state, height.saturating_add(1)) - first);
    let seen = number.saturating_add(1).min(count);
    // The round of a height has the number after its links.
    let round = first_round(state, height.saturating_add(u64::from(number >= count)));
    let link = first + u32::try_from(seen).expect("at most the number of links");
    Position { from: height, link, round, height, in_height: seen }
}

/// The number of the first link of a height or of one after it.
fn first_link(state: &Snapshot, height: u64) -> u32 {
    first(state.sizes().links, |number| {
        state.link(LinkNumber(number)).is_some_and(|link| link.height.0 < height)
    })
}

/// The place of the first round published at a height or after it.
fn first_round(state: &Snapshot, height: u64) -> u32 {
    first(state.rounds(), |place| {
        record(state, place).is_some_and(|round| round.height_published < height)
    })
}

/// The first number of an ascending column that is not before.
fn first(length: u32, is_before: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        match is_before(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}

fn record(state: &Snapshot, place: u32) -> Option<Round> {
    Some(Round::decode(state.round(place)?).expect("records were written by this software"))
}

/// What is new since a position, up to some amount.
fn step(state: &Snapshot, wanted: &Wanted, position: Position) -> Step {
    let mut step = Step { position, events: Vec::new(), is_done: false, height: state.height().0 };
    let prefix = super::params::state::chain(state).address_prefix;
    let mut round = record(state, position.round);
    for _ in 0..SCANNED {
        if step.events.len() >= STEP {
            return step;
        }
        let Position { link: number, .. } = step.position;
        let due = round.as_ref().map_or(u64::MAX, |round| round.height_published);
        match state.link(LinkNumber(number)) {
            Some(link) if link.height.0 <= due => step.link(state, wanted, &link, &prefix),
            _ => match round.take() {
                Some(due) => {
                    step.round(wanted, due);
                    round = record(state, step.position.round);
                }
                None => {
                    step.is_done = true;
                    return step;
                }
            },
        }
    }
    step
}

impl Step {
    fn link(&mut self, state: &Snapshot, wanted: &Wanted, link: &Link, prefix: &str) {
        let (number, height) = (self.position.link, link.height.0);
        let in_height = if self.position.height == height { self.position.in_height } else { 0 };
        self.position =
            Position { link: number + 1, height, in_height: in_height + 1, ..self.position };
        let is_wanted = wanted.neuron.is_none_or(|neuron| neuron == link.neuron);
        if !wanted.links || !is_wanted || height < self.position.from {
            return;
        }
        let cid = |number| state.particle(number).expect("ends of links are particles").to_cid();
        let event = Event::Link(WatchedLink {
            number: number.into(),
            neuron: link.neuron.to_bech32(prefix),
            from: cid(link.from),
            to: cid(link.to),
        });
        self.push(height, in_height, event);
    }

    fn round(&mut self, wanted: &Wanted, round: Round) {
        let height = round.height_published;
        let links = if self.position.height == height { self.position.in_height } else { 0 };
        self.position.round += 1;
        if wanted.rounds && height >= self.position.from {
            self.push(height, links, Event::Round(round));
        }
    }

    fn push(&mut self, height: u64, number: u64, event: Event) {
        let id = EventId { height, number: Some(number) }.to_string();
        self.events.push(WatchEvent { id, height, event: Some(event) });
    }
}
