//! The graph and the round records: columns with their indexes, and what is staged on top of them
//! but not yet committed. A [`Graph`] is the view of one height; it answers by number and by
//! content, and never sees what came after it.
//!
//! Invariants: neuron numbers follow from the links (order of first link); the writer appends to
//! the columns only what is durable. Deliberately absent: removal, ranks, hashing.

use super::columns::{Columns, LinkRow, Sizes};
use super::index::Index;
use crate::state::{Link, PairsOfParticles};
use crate::types::{Address, LinkNumber, NeuronNumber, Particle, ParticleNumber};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::hint::black_box;
use std::sync::{Arc, OnceLock};

/// Columns and the indexes over them, shared by all heights.
#[derive(Default)]
pub struct Indexed {
    pub columns: Columns,
    particles: Index,
    neurons: Index,
    links: Index,
}

/// The three numbers that tell one link from another.
type Ends = (NeuronNumber, ParticleNumber, ParticleNumber);

fn feed_particle(particle: &Particle, hasher: &mut dyn Hasher) {
    hasher.write(&particle.0);
}

fn feed_neuron(address: &Address, hasher: &mut dyn Hasher) {
    hasher.write(address.as_bytes());
}

fn feed_link((neuron, from, to): Ends, hasher: &mut dyn Hasher) {
    hasher.write_u32(neuron.0);
    hasher.write_u64((u64::from(from.0) << 32) | u64::from(to.0));
}

impl Indexed {
    /// Columns without indexes, of which nothing is looked up by content yet.
    pub fn bare(columns: Columns) -> Indexed {
        Indexed { columns, ..Indexed::default() }
    }

    /// The indexes over columns that are filled already, made on all cores.
    pub fn over(columns: Columns, sizes: Sizes) -> Indexed {
        let particles = Index::build(sizes.particles, |number, hasher| {
            feed_particle(&columns.particle(ParticleNumber(number)), hasher);
        });
        let neurons = Index::build(sizes.neurons, |number, hasher| {
            feed_neuron(&columns.neuron(NeuronNumber(number)), hasher);
        });
        let links = Index::build(sizes.links, |number, hasher| {
            feed_link(columns.link(LinkNumber(number)).ends(), hasher);
        });
        Indexed { columns, particles, neurons, links }
    }

    /// Appends what a height adds. The writer's alone, after the height is durable.
    pub fn append(&self, additions: &Additions) {
        let before = additions.before;
        for (number, particle) in (before.particles..).zip(&additions.particles) {
            self.columns.set_particle(ParticleNumber(number), particle);
            let hash_of = |particle: &Particle| self.particles.hash(|h| feed_particle(particle, h));
            let rehash = |number| hash_of(&self.columns.particle(ParticleNumber(number)));
            self.particles.insert(hash_of(particle), number, rehash);
        }
        for (number, address) in (before.neurons..).zip(&additions.neurons) {
            self.columns.set_neuron(NeuronNumber(number), *address);
            let hash_of = |address: &Address| self.neurons.hash(|h| feed_neuron(address, h));
            let rehash = |number| hash_of(&self.columns.neuron(NeuronNumber(number)));
            self.neurons.insert(hash_of(address), number, rehash);
        }
        for (number, row) in (before.links..).zip(&additions.links) {
            self.columns.set_link(LinkNumber(number), *row);
            let hash_of = |row: LinkRow| self.links.hash(|h| feed_link(row.ends(), h));
            let rehash = |number| hash_of(self.columns.link(LinkNumber(number)));
            self.links.insert(hash_of(*row), number, rehash);
        }
        for (index, record) in (before.rounds..).zip(&additions.rounds) {
            self.columns.set_round(index, record);
        }
    }

    /// What stands twice, in words, if anything does; looked for on all cores.
    pub(super) fn first_duplicate(&self, sizes: Sizes) -> Option<String> {
        let Sizes { particles, links, neurons, .. } = sizes;
        let particle = |number: &u32| {
            let particle = self.columns.particle(ParticleNumber(*number));
            self.particle_number(&particle, particles) != Some(ParticleNumber(*number))
        };
        if let Some(number) = (0..particles).into_par_iter().find_first(particle) {
            let particle = self.columns.particle(ParticleNumber(number));
            return Some(format!("particle {number} ({particle}) stands twice"));
        }
        let neuron = |number: &u32| {
            let address = self.columns.neuron(NeuronNumber(*number));
            self.neuron_number(&address, neurons) != Some(NeuronNumber(*number))
        };
        if let Some(number) = (0..neurons).into_par_iter().find_first(neuron) {
            return Some(format!("neuron {number} stands twice"));
        }
        let link = |number: &u32| {
            let ends = self.columns.link(LinkNumber(*number)).ends();
            let hash = self.links.hash(|hasher| feed_link(ends, hasher));
            let same = |other| self.columns.link(LinkNumber(other)).ends() == ends;
            self.links.find(hash, links, same) != Some(*number)
        };
        let number = (0..links).into_par_iter().find_first(link)?;
        let (neuron, from, to) = self.columns.link(LinkNumber(number)).ends();
        Some(format!("link {number} ({neuron}, {from}, {to}) stands twice"))
    }

    fn particle_number(&self, particle: &Particle, length: u32) -> Option<ParticleNumber> {
        let hash = self.particles.hash(|hasher| feed_particle(particle, hasher));
        let same = |number| self.columns.particle(ParticleNumber(number)) == *particle;
        self.particles.find(hash, length, same).map(ParticleNumber)
    }

    /// Reads ahead what asking for these particles, and this neuron's links between them, reads.
    fn expect(&self, address: &Address, ends: &mut PairsOfParticles<'_>, sizes: Sizes) {
        let hash = |particle: &Particle| self.particles.hash(|it| feed_particle(particle, it));
        let hashes: Vec<u64> = ends.flatten().map(hash).collect();
        let numbers = self.particles.expect(&hashes, sizes.particles, |number| {
            black_box(self.columns.particle(ParticleNumber(number)));
        });
        let Some(neuron) = self.neuron_number(address, sizes.neurons) else { return };
        let hash = |pair: &[Option<u32>]| {
            let ends = (neuron, ParticleNumber(pair[0]?), ParticleNumber(pair[1]?));
            Some(self.links.hash(|hasher| feed_link(ends, hasher)))
        };
        let hashes: Vec<u64> = numbers.chunks_exact(2).filter_map(hash).collect();
        self.links.expect(&hashes, sizes.links, |number| {
            black_box(self.columns.link(LinkNumber(number)));
        });
    }

    fn neuron_number(&self, address: &Address, length: u32) -> Option<NeuronNumber> {
        let hash = self.neurons.hash(|hasher| feed_neuron(address, hasher));
        let same = |number| self.columns.neuron(NeuronNumber(number)) == *address;
        self.neurons.find(hash, length, same).map(NeuronNumber)
    }

    fn has_link(&self, ends: Ends, length: u32) -> bool {
        let hash = self.links.hash(|hasher| feed_link(ends, hasher));
        let same = |number| self.columns.link(LinkNumber(number)).ends() == ends;
        self.links.find(hash, length, same).is_some()
    }
}

impl LinkRow {
    fn ends(self) -> Ends {
        (self.neuron, self.from, self.to)
    }
}

/// What a height adds to the columns.
#[derive(Debug, Default)]
pub struct Additions {
    /// Sizes before it.
    pub before: Sizes,
    pub particles: Vec<Particle>,
    /// Addresses that make their first link, in its order.
    pub neurons: Vec<Address>,
    pub links: Vec<LinkRow>,
    pub rounds: Vec<Vec<u8>>,
    /// Made when something is looked up in here: a block's never is, a genesis' is.
    maps: OnceLock<Maps>,
}

#[derive(Debug)]
struct Maps {
    particles: BTreeMap<Particle, u32>,
    neurons: BTreeMap<Address, u32>,
    links: BTreeSet<Ends>,
}

impl Additions {
    /// The additions on top of `before`.
    pub fn new(before: Sizes) -> Additions {
        Additions { before, ..Additions::default() }
    }

    /// Sizes after it.
    pub fn after(&self) -> Sizes {
        let more = |base: u32, count: usize| {
            let count = u32::try_from(count).ok();
            count.and_then(|count| base.checked_add(count)).expect("fewer than 2^32 of each")
        };
        Sizes {
            particles: more(self.before.particles, self.particles.len()),
            links: more(self.before.links, self.links.len()),
            neurons: more(self.before.neurons, self.neurons.len()),
            rounds: more(self.before.rounds, self.rounds.len()),
        }
    }

    fn maps(&self) -> &Maps {
        self.maps.get_or_init(|| Maps {
            particles: self.particles.iter().copied().zip(self.before.particles..).collect(),
            neurons: self.neurons.iter().copied().zip(self.before.neurons..).collect(),
            links: self.links.iter().map(|row| row.ends()).collect(),
        })
    }
}

/// The graph as of one height.
#[derive(Clone)]
pub struct Graph {
    indexed: Arc<Indexed>,
    /// What of the columns belongs to this view.
    committed: Sizes,
    /// Staged additions on top, oldest first.
    staged: Vec<Arc<Additions>>,
}

impl Graph {
    /// The view of the first `committed` elements.
    pub fn new(indexed: Arc<Indexed>, committed: Sizes) -> Graph {
        Graph { indexed, committed, staged: Vec::new() }
    }

    /// The same view with indexes, made on all cores. Nobody else may have it yet.
    pub fn indexed(self) -> Graph {
        let Graph { indexed, committed, staged } = self;
        assert!(staged.is_empty(), "what is read from a disk has nothing staged");
        let bare = Arc::into_inner(indexed).expect("nobody else has it");
        Graph::new(Arc::new(Indexed::over(bare.columns, committed)), committed)
    }

    /// The view with more on top.
    pub fn with(&self, additions: Arc<Additions>) -> Graph {
        let mut graph = self.clone();
        assert_eq!(additions.before, self.sizes(), "additions belong on top of this view");
        graph.staged.push(additions);
        graph
    }

    /// Appends what is staged to the columns; the view of all of it. The writer's alone.
    pub fn settle(&self) -> Graph {
        for additions in &self.staged {
            self.indexed.append(additions);
        }
        Graph::new(self.indexed.clone(), self.sizes())
    }

    /// How many elements there are.
    pub fn sizes(&self) -> Sizes {
        self.staged.last().map_or(self.committed, |last| last.after())
    }

    /// The staged additions that hold the element, if it is not in the columns.
    fn staged(&self, number: u32, before: impl Fn(&Sizes) -> u32) -> Option<(&Additions, usize)> {
        let holds = |additions: &&Arc<Additions>| before(&additions.before) <= number;
        let additions = self.staged.iter().rev().find(holds)?;
        Some((additions, (number - before(&additions.before)) as usize))
    }

    /// The digest of a particle below the size.
    pub fn particle(&self, number: ParticleNumber) -> Particle {
        match self.staged(number.0, |sizes| sizes.particles) {
            Some((additions, place)) => additions.particles[place],
            None => self.indexed.columns.particle(number),
        }
    }

    /// The address of a neuron below the size.
    pub fn neuron(&self, number: NeuronNumber) -> Address {
        match self.staged(number.0, |sizes| sizes.neurons) {
            Some((additions, place)) => additions.neurons[place],
            None => self.indexed.columns.neuron(number),
        }
    }

    /// The row of a link below the size.
    pub fn row(&self, number: LinkNumber) -> LinkRow {
        match self.staged(number.0, |sizes| sizes.links) {
            Some((additions, place)) => additions.links[place],
            None => self.indexed.columns.link(number),
        }
    }

    /// A link below the size.
    pub fn link(&self, number: LinkNumber) -> Link {
        let row = self.row(number);
        row.link(self.neuron(row.neuron))
    }

    /// The record of a round below the size.
    pub fn round(&self, index: u32) -> &[u8] {
        match self.staged(index, |sizes| sizes.rounds) {
            Some((additions, place)) => &additions.rounds[place],
            None => self.indexed.columns.round(index),
        }
    }

    /// The number of a particle.
    pub fn particle_number(&self, particle: &Particle) -> Option<ParticleNumber> {
        let found = self.indexed.particle_number(particle, self.committed.particles);
        found.or_else(|| {
            let find =
                |additions: &Arc<Additions>| additions.maps().particles.get(particle).copied();
            self.staged.iter().find_map(find).map(ParticleNumber)
        })
    }

    /// See [`crate::state::Read::expect_links`].
    pub fn expect_links(&self, address: &Address, ends: &mut PairsOfParticles<'_>) {
        self.indexed.expect(address, ends, self.committed);
    }

    /// The number of a neuron.
    pub fn neuron_number(&self, address: &Address) -> Option<NeuronNumber> {
        let found = self.indexed.neuron_number(address, self.committed.neurons);
        found.or_else(|| {
            let find = |additions: &Arc<Additions>| additions.maps().neurons.get(address).copied();
            self.staged.iter().find_map(find).map(NeuronNumber)
        })
    }

    /// Whether there is this link.
    pub fn has_link(&self, address: &Address, from: ParticleNumber, to: ParticleNumber) -> bool {
        let Some(neuron) = self.neuron_number(address) else { return false };
        let ends = (neuron, from, to);
        self.indexed.has_link(ends, self.committed.links)
            || self.staged.iter().any(|additions| additions.maps().links.contains(&ends))
    }

    /// The additions a block makes: its particles and links, neurons numbered.
    pub fn add(&self, particles: &[Particle], links: &[Link], rounds: Vec<Vec<u8>>) -> Additions {
        let mut additions = Additions::new(self.sizes());
        let mut known: BTreeMap<Address, NeuronNumber> = BTreeMap::new();
        additions.particles = particles.to_vec();
        additions.rounds = rounds;
        for link in links {
            let neuron = *known.entry(link.neuron).or_insert_with(|| {
                self.neuron_number(&link.neuron).unwrap_or_else(|| {
                    additions.neurons.push(link.neuron);
                    let own = u32::try_from(additions.neurons.len() - 1).ok();
                    let number = own.and_then(|own| additions.before.neurons.checked_add(own));
                    NeuronNumber(number.expect("fewer than 2^32 neurons"))
                })
            });
            let height = u32::try_from(link.height.0);
            let height = height.expect("heights are below 2^32: genesis refuses others");
            additions.links.push(LinkRow { neuron, from: link.from, to: link.to, height });
        }
        additions
    }
}
