//! The distinct particles at the other ends of a particle's links, in the order of answers.
//!
//! Short lists are made anew for every question. Of hubs the list is kept between questions: it
//! only grows, so new links are merged in; ranks change once a round, then the order begins anew.
//! So a hub costs its whole chain once, and later questions what changed since.
//!
//! Invariants: what is kept is a function of the state it was made from, and answers only for
//! states at least as new; memory is bounded, whoever was asked for least recently goes first.

use super::deadline::{Deadline, Late};
use super::order::{self, Order};
use super::Side;
use crate::store::Snapshot;
use crate::types::{LinkNumber, ParticleNumber};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Chains up to this length are not worth keeping.
const SHORT: usize = 512;
/// Distinct particles kept in all lists together, 12 bytes each.
const KEPT_MAX: usize = 4_000_000;

/// How many there are, and the keys of some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    pub total: usize,
    pub keys: Vec<u64>,
}

/// The lists that are kept.
#[derive(Default)]
pub struct Kept(Mutex<Lists>);

#[derive(Default)]
struct Lists {
    lists: BTreeMap<(Side, ParticleNumber), Entry>,
    clock: u64,
    particles: usize,
}

struct Entry {
    hub: Arc<Mutex<Hub>>,
    used: u64,
    particles: usize,
}

/// One list: what the first `links` links of the chain lead to.
#[derive(Default)]
struct Hub {
    links: u32,
    /// Ascending.
    particles: Vec<ParticleNumber>,
    /// The order under the ranks of so many rounds.
    order: Option<(u32, Order)>,
}

/// A question: whose neighbours in which state.
pub struct Question<'a> {
    pub snapshot: &'a Snapshot,
    pub side: Side,
    pub particle: ParticleNumber,
    pub places: Range<usize>,
}

impl Kept {
    /// The keys at some places of a particle's neighbours. `chain` walks its links, newest first.
    pub fn slice<I: Iterator<Item = LinkNumber>>(
        &self,
        question: &Question<'_>,
        chain: impl Fn() -> I,
        deadline: &Deadline,
    ) -> Result<Slice, Late> {
        let short: Vec<LinkNumber> = chain().take(SHORT + 1).collect();
        if short.len() <= SHORT {
            let mut hub = Hub::default();
            hub.extend(question, short.into_iter(), deadline)?;
            return Ok(hub.slice(question));
        }
        let name = (question.side, question.particle);
        let shared = self.hub(name);
        let mut hub = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if hub.links > question.snapshot.sizes().links {
            // The state asked for is older than the list.
            let mut own = Hub::default();
            own.extend(question, chain(), deadline)?;
            return Ok(own.slice(question));
        }
        hub.extend(question, chain(), deadline)?;
        let slice = hub.slice(question);
        drop(hub);
        self.weigh(name, slice.total);
        Ok(slice)
    }

    /// The list of a name, empty at first.
    fn hub(&self, name: (Side, ParticleNumber)) -> Arc<Mutex<Hub>> {
        let mut lists = self.lock();
        lists.clock += 1;
        let used = lists.clock;
        let new = || Entry { hub: Arc::default(), used, particles: 0 };
        let entry = lists.lists.entry(name).or_insert_with(new);
        entry.used = used;
        Arc::clone(&entry.hub)
    }

    /// Notes how long a list is now and lets lists go that memory does not suffice for.
    fn weigh(&self, name: (Side, ParticleNumber), particles: usize) {
        let mut lists = self.lock();
        if let Some(entry) = lists.lists.get_mut(&name) {
            let before = std::mem::replace(&mut entry.particles, particles);
            lists.particles = lists.particles - before + particles;
        }
        while lists.particles > KEPT_MAX && lists.lists.len() > 1 {
            let oldest = lists.lists.iter().min_by_key(|(_, entry)| entry.used);
            let oldest = *oldest.expect("there are several").0;
            if let Some(entry) = lists.lists.remove(&oldest) {
                lists.particles -= entry.particles;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    /// Takes in the links that came since, from a chain that begins with the newest.
    fn extend(
        &mut self,
        question: &Question<'_>,
        chain: impl Iterator<Item = LinkNumber>,
        deadline: &Deadline,
    ) -> Result<(), Late> {
        let snapshot = question.snapshot;
        let mut new = Vec::new();
        for (step, link) in chain.take_while(|link| link.0 >= self.links).enumerate() {
            deadline.check_step(step)?;
            let (_, from, to) = snapshot.link_ends(link);
            new.push(if question.side == Side::Targets { to } else { from });
        }
        self.links = snapshot.sizes().links;
        if new.is_empty() {
            return Ok(());
        }
        let before = self.particles.len();
        self.particles.append(&mut new);
        // Two ascending runs at the most part: the sort merges them.
        self.particles[before..].sort_unstable();
        self.particles.sort();
        self.particles.dedup();
        if self.particles.len() > before {
            self.order = None;
        }
        Ok(())
    }

    fn slice(&mut self, question: &Question<'_>) -> Slice {
        let (rounds, ranks) = (question.snapshot.rounds(), question.snapshot.rank());
        let total = self.particles.len();
        if self.order.as_ref().is_none_or(|(of, _)| *of != rounds) {
            let key = |particle: &ParticleNumber| {
                let code = ranks.code(*particle).expect("linked particles have a rank");
                order::key(code, *particle)
            };
            self.order = Some((rounds, Order::new(self.particles.iter().map(key).collect())));
        }
        let (_, order) = self.order.as_mut().expect("just made");
        Slice { total, keys: order.page(question.places.clone()).to_vec() }
    }
}
