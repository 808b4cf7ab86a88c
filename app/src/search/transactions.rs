//! Which transactions did what: the lists behind searches for a sender, an action or a link. By
//! the rules of CometBFT's own index, which loads all that match before it cuts a page out: a
//! condition holds where an event of a transaction has it, several where one event has them all.
//!
//! Derived from the results of blocks as they are committed; what came before the node's start is
//! read again from CometBFT's blocks by `query/remote`, and until then nothing is answered here.
//! A transaction costs 44 bytes and 8 for each sender. Links are not listed twice: their numbers
//! lead to the transactions, which made them in order.
//!
//! Invariants: heights come in order without gaps; a search answers for all of the chain or not
//! at all (`tests`). Deliberately absent: the transactions themselves, persistence.

use super::{List, SearchError, View};
use crate::state::Event;
use crate::types::{Hash, Height, LinkNumber, NeuronNumber, ParticleNumber};
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The actions that are told apart, by their place.
const ACTIONS: [&str; 2] = ["/cosmos.bank.v1beta1.MsgSend", "/cyber.graph.v1beta1.MsgCyberlink"];
const CYBERLINK: u8 = 2;

/// The bit of an action; none for one that this chain does not know.
pub fn action_bit(type_url: &str) -> Option<u8> {
    ACTIONS.iter().position(|known| *known == type_url).map(|place| 1 << place)
}

/// What of a transaction's events is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    hash: Hash,
    links: u32,
    actions: u8,
    /// With the actions that stand in one event with the sender.
    senders: BTreeMap<String, u8>,
}

impl Sketch {
    /// Of a transaction without events yet, by the SHA-256 of its bytes.
    pub fn new(hash: Hash) -> Sketch {
        Sketch { hash, ..Sketch::default() }
    }

    /// Of a transaction with its events.
    pub fn of(hash: Hash, events: &[Event]) -> Sketch {
        let mut sketch = Sketch::new(hash);
        for event in events {
            sketch.add(event.kind, event.attributes.iter().map(|(key, value)| (*key, &**value)));
        }
        sketch
    }

    /// Takes an event in.
    pub fn add<'a>(&mut self, kind: &str, attributes: impl Iterator<Item = (&'a str, &'a str)>) {
        let (mut sender, mut action, mut is_link) = (None, 0, false);
        for (key, value) in attributes {
            match (kind, key) {
                ("message", "sender") => sender = Some(value),
                ("message", "action") => action = action_bit(value).unwrap_or(0),
                ("cyberlink", "particleTo") => is_link = true,
                _ => (),
            }
        }
        self.links += u32::from(is_link);
        self.actions |= action;
        if let Some(sender) = sender {
            *self.senders.entry(sender.to_owned()).or_default() |= action;
        }
    }
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `message.sender`, and in the same event an action if one is named.
    Sender { sender: String, action: Option<u8> },
    /// `message.action`.
    Action(u8),
    /// Links with these ends, at least one of them a particle; none for a particle or neuron that
    /// no link has.
    Links { from: Option<ParticleNumber>, to: Option<ParticleNumber>, of: Option<NeuronNumber> },
    /// What cannot be there.
    Nothing,
}

/// Which of the found ones are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub skip: usize,
    pub take: usize,
    pub newest_first: bool,
}

/// How many there are, and the hashes of those asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub total: usize,
    pub hashes: Vec<Hash>,
}

/// A transaction: the number of links its part made until after it, and what it did.
struct Row {
    hash: Hash,
    links_end: u32,
    actions: u8,
}

/// Consecutive heights.
#[derive(Default)]
pub struct Part {
    rows: Vec<Row>,
    senders: BTreeMap<String, Vec<(u32, u8)>>,
    links: u32,
}

impl Part {
    /// Takes in the transactions of the next height.
    pub fn append(&mut self, sketches: Vec<Sketch>) {
        for Sketch { hash, links, actions, senders } in sketches {
            let row = u32::try_from(self.rows.len()).expect("fewer than 2^32 transactions");
            self.links += links;
            self.rows.push(Row { hash, links_end: self.links, actions });
            for (sender, actions) in senders {
                self.senders.entry(sender).or_default().push((row, actions));
            }
        }
    }

    /// The transaction that made a link, counted from the part's first.
    fn of_link(&self, link: u32) -> usize {
        self.rows.partition_point(|row| row.links_end <= link)
    }
}

/// The lists of a node.
#[derive(Default)]
pub struct Transactions(RwLock<Lists>);

#[derive(Default)]
struct Lists {
    /// What came before this process; none until it is read again.
    before: Option<Part>,
    since: Part,
    /// The first height of `since` and the one that comes next.
    heights: Option<(u64, u64)>,
    /// Links of the chain before `since`.
    links_before: u32,
}

impl Transactions {
    /// Takes in a committed height, after which the chain has so many links.
    pub fn append(&self, height: Height, links: u32, sketches: Vec<Sketch>) {
        let mut lists = self.write();
        let made: u32 = sketches.iter().map(|sketch| sketch.links).sum();
        match lists.heights {
            None => {
                lists.links_before = links.saturating_sub(made);
                lists.heights = Some((height.0, height.0 + 1));
            }
            Some((first, next)) if next == height.0 => lists.heights = Some((first, next + 1)),
            // A height was missed: from here on all is as after a start.
            Some(_) => {
                *lists = Lists { heights: Some((height.0, height.0 + 1)), ..Lists::default() }
            }
        }
        lists.since.append(sketches);
    }

    /// The first height that was taken in since the start.
    pub fn first(&self) -> Option<Height> {
        self.read().heights.map(|(first, _)| Height(first))
    }

    /// Takes in what came before the first height.
    pub fn set_before(&self, part: Part) {
        self.write().before = Some(part);
    }

    /// The transactions that are searched for; none while what came before the start is missing,
    /// or when the state searched is not that of the last height taken in.
    pub fn find(
        &self,
        view: &View<'_>,
        wanted: &Wanted,
        slice: Slice,
        mut tick: impl FnMut() -> Result<(), SearchError>,
    ) -> Result<Option<Found>, SearchError> {
        let lists = self.read();
        let (Some(before), Some((_, next))) = (&lists.before, lists.heights) else {
            return Ok(None);
        };
        if view.snapshot().height().0 + 1 != next {
            return Ok(None);
        }
        // Rows ascending; those of `since` count on after those of `before`.
        let offset = before.rows.len();
        let mut rows: Vec<usize> = Vec::new();
        let mut of_part = |part: &Part, offset: usize| match wanted {
            Wanted::Sender { sender, action } => {
                let list = part.senders.get(sender).into_iter().flatten();
                let fits = |actions: u8| action.is_none_or(|action| actions & action != 0);
                let fitting = list.filter(|(_, actions)| fits(*actions));
                rows.extend(fitting.map(|(row, _)| offset + *row as usize));
            }
            Wanted::Action(action) => {
                let fits = |row: &(usize, &Row)| row.1.actions & action != 0;
                rows.extend(part.rows.iter().enumerate().filter(fits).map(|(at, _)| offset + at));
            }
            Wanted::Links { .. } | Wanted::Nothing => (),
        };
        of_part(before, 0);
        of_part(&lists.since, offset);
        if let Wanted::Links { from, to, of } = *wanted {
            let genesis = lists.links_before.saturating_sub(before.links);
            for link in links(view, from, to, of, &mut tick)? {
                let row = match link.checked_sub(lists.links_before) {
                    Some(link) => offset + lists.since.of_link(link),
                    // Links of the genesis are in no transaction.
                    None if link < genesis => continue,
                    None => before.of_link(link - genesis),
                };
                rows.push(row);
            }
            rows.sort_unstable();
            rows.dedup();
        }
        let total = rows.len();
        if slice.newest_first {
            rows.reverse();
        }
        let hash = |row: &usize| match row.checked_sub(offset) {
            Some(row) => lists.since.rows[row].hash,
            None => before.rows[*row].hash,
        };
        let hashes = rows.iter().skip(slice.skip).take(slice.take).map(hash).collect();
        Ok(Some(Found { total, hashes }))
    }

    fn read(&self) -> RwLockReadGuard<'_, Lists> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Lists> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The numbers of the links with these ends.
fn links(
    view: &View<'_>,
    from: Option<ParticleNumber>,
    to: Option<ParticleNumber>,
    of: Option<NeuronNumber>,
    tick: &mut impl FnMut() -> Result<(), SearchError>,
) -> Result<Vec<u32>, SearchError> {
    let list = match (from, to, of) {
        (Some(from), ..) => List::From(from),
        (None, Some(to), _) => List::To(to),
        (None, None, Some(of)) => List::Of(of),
        (None, None, None) => return Ok(Vec::new()),
    };
    let mut found = Vec::new();
    let walk = view.list(list, None).expect("whole lists are there");
    for LinkNumber(link) in walk {
        tick()?;
        let ends = view.snapshot().link_ends(LinkNumber(link));
        let fits = of.is_none_or(|of| ends.0 == of)
            && from.is_none_or(|from| ends.1 == from)
            && to.is_none_or(|to| ends.2 == to);
        if fits {
            found.push(link);
        }
    }
    Ok(found)
}

/// Whether a neuron's links are searched for by the neuron alone: then by what it sent, for a
/// message whose links were all passed over names the neuron too.
pub fn of_neuron(neuron: String) -> Wanted {
    Wanted::Sender { sender: neuron, action: Some(CYBERLINK) }
}
