//! Who links to what: for every link the link before it with the same source, with the same
//! target and of the same neuron, and the newest link of each particle and neuron. Lists are
//! walked from the newest link to the oldest, 12 bytes a link, 8 a particle, 4 a neuron.
//!
//! Invariants: one writer, any number of readers without locks; a chain descends strictly, so a
//! reader of an older state skips the links past its size and then meets exactly its own.
//! Deliberately absent: removal, counts, order by anything but age.

use crate::store::columns::{Buckets, Sizes};
use crate::store::Snapshot;
use crate::types::{LinkNumber, NeuronNumber, ParticleNumber};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Links chained by one of their three ends. Elements are numbers plus one; 0 ends a chain.
struct Chains {
    heads: Buckets<AtomicU32>,
    previous: Buckets<AtomicU32>,
}

impl Chains {
    fn new() -> Chains {
        Chains { heads: Buckets::new(), previous: Buckets::new() }
    }

    /// Makes room for the heads of new particles or neurons.
    fn cover(&self, before: u32, after: u32) {
        for number in before..after {
            self.heads.grow(number);
        }
    }

    fn add(&self, end: u32, link: u32) {
        let head = self.heads.grow(end);
        self.previous.grow(link).store(head.load(Relaxed), Relaxed);
        // Whoever sees the new head sees the chain behind it.
        head.store(link + 1, Release);
    }

    /// The links of an end below a size, newest first.
    fn walk(&self, end: u32, below: u32) -> impl Iterator<Item = LinkNumber> + '_ {
        self.descend(self.heads.get(end).load(Acquire), below)
    }

    /// A chain from one of its elements on.
    fn descend(&self, first: u32, below: u32) -> impl Iterator<Item = LinkNumber> + '_ {
        let mut next = first;
        std::iter::from_fn(move || loop {
            let number = next.checked_sub(1)?;
            next = self.previous.get(number).load(Relaxed);
            if number < below {
                return Some(LinkNumber(number));
            }
        })
    }
}

/// One list of links: from a particle, to a particle, of a neuron.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    From(ParticleNumber),
    To(ParticleNumber),
    Of(NeuronNumber),
}

/// Links by source, by target and by neuron.
pub struct Adjacency {
    sources: Chains,
    targets: Chains,
    neurons: Chains,
}

impl Adjacency {
    /// Of no links.
    pub fn new() -> Adjacency {
        Adjacency { sources: Chains::new(), targets: Chains::new(), neurons: Chains::new() }
    }

    /// Takes in what a state has more than `before`. The writer's alone. `done` hears now and
    /// then how many links are in.
    pub fn extend(&self, before: Sizes, snapshot: &Snapshot, done: impl Fn(u32)) {
        let after = snapshot.sizes();
        self.sources.cover(before.particles, after.particles);
        self.targets.cover(before.particles, after.particles);
        self.neurons.cover(before.neurons, after.neurons);
        for number in before.links..after.links {
            let (neuron, from, to) = snapshot.link_ends(LinkNumber(number));
            self.sources.add(from.0, number);
            self.targets.add(to.0, number);
            self.neurons.add(neuron.0, number);
            if number % 4096 == 0 {
                done(number);
            }
        }
    }

    /// The links from a particle, of the first `links`, newest first.
    pub fn from(
        &self,
        particle: ParticleNumber,
        links: u32,
    ) -> impl Iterator<Item = LinkNumber> + '_ {
        self.sources.walk(particle.0, links)
    }

    /// The links to a particle.
    pub fn to(
        &self,
        particle: ParticleNumber,
        links: u32,
    ) -> impl Iterator<Item = LinkNumber> + '_ {
        self.targets.walk(particle.0, links)
    }

    /// What stands in a list of these ends from one of its links on, that link included.
    pub fn resume(
        &self,
        list: List,
        link: LinkNumber,
        links: u32,
    ) -> impl Iterator<Item = LinkNumber> + '_ {
        let chains = match list {
            List::From(_) => &self.sources,
            List::To(_) => &self.targets,
            List::Of(_) => &self.neurons,
        };
        chains.descend(link.0.saturating_add(1), links)
    }

    /// The links a neuron made.
    pub fn of(&self, neuron: NeuronNumber, links: u32) -> impl Iterator<Item = LinkNumber> + '_ {
        self.neurons.walk(neuron.0, links)
    }
}

impl Default for Adjacency {
    fn default() -> Adjacency {
        Adjacency::new()
    }
}
