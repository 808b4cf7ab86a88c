//! An overlay: changes not yet applied, on top of a base that stays untouched. Rollback is to
//! drop it. Overlays nest: a transaction's stands on the block's, the block's on a snapshot.

use super::{Event, Link, PairsOfParticles, Read, StoreName, Visit, Write, STORES};
use crate::types::{Address, LinkNumber, Particle, ParticleNumber};
use std::collections::BTreeMap;
use std::ops::Bound;

type Keys = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

// Hash tables as the protocol has them for particles and links: keyed with a secret of the
// process and never iterated, so that nothing of their order leaves this file.
#[allow(clippy::disallowed_types, reason = "never iterated")]
type ParticleNumbers = std::collections::HashMap<Particle, ParticleNumber>;
#[allow(clippy::disallowed_types, reason = "never iterated")]
type LinkKeys = std::collections::HashSet<(Address, ParticleNumber, ParticleNumber)>;

/// What an overlay changed, apart from its base: the input of a commit.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Per store, the changed keys in order; `None` removes.
    pub keys: [Keys; STORES],
    /// New particles, in order of their numbers.
    pub particles: Vec<Particle>,
    /// New links, in order of their numbers.
    pub links: Vec<Link>,
    pub events: Vec<Event>,
    particle_numbers: ParticleNumbers,
    link_keys: LinkKeys,
}

impl Changes {
    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.keys.iter().all(BTreeMap::is_empty)
            && self.particles.is_empty()
            && self.links.is_empty()
            && self.events.is_empty()
    }
}

/// A base and the changes on top of it.
pub struct Overlay<'a> {
    base: &'a dyn Read,
    changes: Changes,
    /// Nobody will ask for its events, so none are kept.
    silent: bool,
}

impl<'a> Overlay<'a> {
    /// An overlay without changes.
    pub fn new(base: &'a dyn Read) -> Overlay<'a> {
        Overlay::resume(base, Changes::default())
    }

    /// An overlay without changes that keeps no events.
    pub fn silent(base: &'a dyn Read) -> Overlay<'a> {
        Overlay { silent: true, ..Overlay::new(base) }
    }

    /// Puts changes made earlier over the same base again.
    pub fn resume(base: &'a dyn Read, changes: Changes) -> Overlay<'a> {
        Overlay { base, changes, silent: false }
    }

    /// The changes alone.
    pub fn into_changes(self) -> Changes {
        self.changes
    }

    /// Takes over what an overlay on top of this one changed.
    pub fn apply(&mut self, changes: Changes) {
        if self.changes.is_empty() {
            self.changes = changes;
            return;
        }
        for (mine, theirs) in self.changes.keys.iter_mut().zip(changes.keys) {
            mine.extend(theirs);
        }
        let first = self.graph_size().0;
        let numbered = changes.particles.iter().copied().zip((first.0..).map(ParticleNumber));
        self.changes.particle_numbers.extend(numbered);
        let keys = changes.links.iter().map(|link| (link.neuron, link.from, link.to));
        self.changes.link_keys.extend(keys);
        self.changes.particles.extend(changes.particles);
        self.changes.links.extend(changes.links);
        self.changes.events.extend(changes.events);
    }

    /// Emits an event that is made only if somebody will ask for it.
    pub fn tell(&mut self, event: impl FnOnce() -> Event) {
        if !self.silent {
            self.changes.events.push(event());
        }
    }

    /// Takes the events emitted so far.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.changes.events)
    }

    /// The changes so far.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }
}

impl Read for Overlay<'_> {
    fn get(&self, store: StoreName, key: &[u8]) -> Option<&[u8]> {
        match self.changes.keys[store as usize].get(key) {
            Some(change) => change.as_deref(),
            None => self.base.get(store, key),
        }
    }

    fn scan(&self, store: StoreName, from: &[u8], to: Option<&[u8]>, visit: Visit<'_>) {
        if to.is_some_and(|to| to <= from) {
            return;
        }
        let end = to.map_or(Bound::Unbounded, Bound::Excluded);
        let changed = &self.changes.keys[store as usize];
        let mut mine = changed.range::<[u8], _>((Bound::Included(from), end)).peekable();
        let mut go_on = true;
        self.base.scan(store, from, to, &mut |key, value| {
            // First what the overlay has before the base's key, then the base's unless replaced.
            while go_on && mine.peek().is_some_and(|(own, _)| own.as_slice() < key) {
                if let Some((own, Some(value))) = mine.next() {
                    go_on = visit(own, value);
                }
            }
            if !go_on {
                return false;
            }
            go_on = match mine.next_if(|(own, _)| own.as_slice() == key) {
                Some((own, Some(replaced))) => visit(own, replaced),
                Some((_, None)) => true,
                None => visit(key, value),
            };
            go_on
        });
        while let (true, Some((own, change))) = (go_on, mine.next()) {
            if let Some(value) = change {
                go_on = visit(own, value);
            }
        }
    }

    fn particle_number(&self, particle: &Particle) -> Option<ParticleNumber> {
        let own = self.changes.particle_numbers.get(particle).copied();
        own.or_else(|| self.base.particle_number(particle))
    }

    fn has_link(&self, neuron: &Address, from: ParticleNumber, to: ParticleNumber) -> bool {
        let own = &self.changes.link_keys;
        own.contains(&(*neuron, from, to)) || self.base.has_link(neuron, from, to)
    }

    fn expect_links(&self, neuron: &Address, ends: &mut PairsOfParticles<'_>) {
        self.base.expect_links(neuron, ends);
    }

    fn graph_size(&self) -> (ParticleNumber, LinkNumber) {
        let (particles, links) = self.base.graph_size();
        let more = |base: u32, own: usize| {
            let own = u32::try_from(own).ok();
            own.and_then(|own| base.checked_add(own)).expect("fewer than 2^32 in the graph")
        };
        (
            ParticleNumber(more(particles.0, self.changes.particles.len())),
            LinkNumber(more(links.0, self.changes.links.len())),
        )
    }
}

impl Write for Overlay<'_> {
    fn set(&mut self, store: StoreName, key: Vec<u8>, value: Vec<u8>) {
        self.changes.keys[store as usize].insert(key, Some(value));
    }

    fn remove(&mut self, store: StoreName, key: Vec<u8>) {
        self.changes.keys[store as usize].insert(key, None);
    }

    fn add_particle(&mut self, particle: Particle) -> ParticleNumber {
        debug_assert!(self.particle_number(&particle).is_none());
        let number = self.graph_size().0;
        self.changes.particles.push(particle);
        self.changes.particle_numbers.insert(particle, number);
        number
    }

    fn add_link(&mut self, link: Link) -> LinkNumber {
        debug_assert!(!self.has_link(&link.neuron, link.from, link.to));
        let number = self.graph_size().1;
        self.changes.links.push(link);
        self.changes.link_keys.insert((link.neuron, link.from, link.to));
        number
    }

    fn emit(&mut self, event: Event) {
        self.tell(|| event);
    }
}
