//! The state of one height: what CheckTx, queries, proofs and the next block read. A snapshot
//! never changes; cloning the `Arc` keeps it alive whatever is committed after it.
//!
//! Invariants: everything it answers is of its height; its app hash is that of its roots.
//! Deliberately absent: changing anything (`staged.rs` makes the next one).

use super::columns::Sizes;
use super::commitment::{self, Commitment, Roots};
use super::graph::Graph;
use super::merkle::proof::{self, ProofOp};
use super::merkle::{Inclusion, LogName, RankTree};
use crate::state::{Link, PairsOfParticles, Read, StoreName, Visit};
use crate::types::{Address, Hash, Height, LinkNumber, NeuronNumber, Particle, ParticleNumber};

/// The state after a height.
pub struct Snapshot {
    height: Height,
    app_hash: Hash,
    roots: Roots,
    commitment: Commitment,
    graph: Graph,
}

impl Snapshot {
    /// The state of a commitment and the graph below it.
    pub fn new(height: Height, commitment: Commitment, graph: Graph) -> Snapshot {
        let roots = commitment.roots();
        Snapshot { height, app_hash: commitment::app_hash(&roots), roots, commitment, graph }
    }

    /// The same state over another view of the same graph.
    pub(super) fn over(&self, graph: Graph) -> Snapshot {
        let Snapshot { height, app_hash, roots, commitment, .. } = self;
        let (height, app_hash, roots) = (*height, *app_hash, *roots);
        Snapshot { height, app_hash, roots, commitment: commitment.clone(), graph }
    }

    /// The height this is the state after; the height before the first one for a staged genesis.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The app hash, which stands in the header of the next height.
    pub fn app_hash(&self) -> Hash {
        self.app_hash
    }

    /// The root of every store by name, in the order of the app hash.
    pub fn roots(&self) -> Vec<(String, Hash)> {
        commitment::named(&self.roots)
    }

    /// The roots without names.
    pub(super) fn plain_roots(&self) -> &Roots {
        &self.roots
    }

    /// The trees and logs.
    pub(super) fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// The graph.
    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// How many particles, links, neurons and round records there are.
    pub fn sizes(&self) -> Sizes {
        self.graph.sizes()
    }

    /// The digest of a particle; none if there is no such number.
    pub fn particle(&self, number: ParticleNumber) -> Option<Particle> {
        (number.0 < self.sizes().particles).then(|| self.graph.particle(number))
    }

    /// A link; none if there is no such number.
    pub fn link(&self, number: LinkNumber) -> Option<Link> {
        (number.0 < self.sizes().links).then(|| self.graph.link(number))
    }

    /// The numbers of a link's neuron and ends, without looking up the address.
    ///
    /// # Panics
    /// The number is below the size.
    pub fn link_ends(&self, number: LinkNumber) -> (NeuronNumber, ParticleNumber, ParticleNumber) {
        assert!(number.0 < self.sizes().links, "no link {number}");
        let row = self.graph.row(number);
        (row.neuron, row.from, row.to)
    }

    /// How many neurons made a link.
    pub fn neurons(&self) -> u32 {
        self.sizes().neurons
    }

    /// The address of a neuron; none if there is no such number.
    pub fn neuron(&self, number: NeuronNumber) -> Option<Address> {
        (number.0 < self.neurons()).then(|| self.graph.neuron(number))
    }

    /// The number of a neuron that made a link.
    pub fn neuron_number(&self, address: &Address) -> Option<NeuronNumber> {
        self.graph.neuron_number(address)
    }

    /// The published rank of every particle.
    pub fn rank(&self) -> &RankTree {
        &self.commitment.ranks
    }

    /// How many rounds were published.
    pub fn rounds(&self) -> u32 {
        self.sizes().rounds
    }

    /// The record of a round by its place in the log, from 0; none if there is no such place.
    pub fn round(&self, index: u32) -> Option<&[u8]> {
        (index < self.rounds()).then(|| self.graph.round(index))
    }

    /// That a key has its value or is absent, for [`proof::verify_key`].
    pub fn prove_key(&self, store: StoreName, key: &[u8]) -> Vec<ProofOp> {
        proof::prove_key(self.commitment.tree(store), key, &self.roots(), store.name())
    }

    /// That a particle has its number; none if there is no such number.
    pub fn prove_particle(&self, number: ParticleNumber) -> Option<Vec<ProofOp>> {
        let exists = number.0 < self.sizes().particles;
        let leaves = |index| commitment::particle_leaf(&self.graph, index);
        let prove = || self.commitment.particles.prove(number.0.into(), &leaves);
        exists.then(prove).map(|inclusion| self.up(LogName::Particles, &inclusion))
    }

    /// That a link stands under its number; none if there is no such number.
    pub fn prove_link(&self, number: LinkNumber) -> Option<Vec<ProofOp>> {
        let exists = number.0 < self.sizes().links;
        let leaves = |index| commitment::link_leaf(&self.graph, index);
        let prove = || self.commitment.links.prove(number.0.into(), &leaves);
        exists.then(prove).map(|inclusion| self.up(LogName::Cyberlinks, &inclusion))
    }

    /// That a particle has its published rank value; none if there is no such number.
    pub fn prove_rank(&self, number: ParticleNumber) -> Option<Vec<ProofOp>> {
        let exists = number.0 < self.rank().len();
        exists.then(|| self.up(LogName::Ranks, &self.rank().prove(number)))
    }

    /// That a round has its record, by its place in the log; none if there is no such place.
    pub fn prove_round(&self, index: u32) -> Option<Vec<ProofOp>> {
        let exists = index < self.rounds();
        let leaves = |index| commitment::round_leaf(&self.graph, index);
        let prove = || self.commitment.rounds.prove(index.into(), &leaves);
        exists.then(prove).map(|inclusion| self.up(LogName::Rounds, &inclusion))
    }

    /// From a leaf in a log up to the app hash.
    fn up(&self, log: LogName, inclusion: &Inclusion) -> Vec<ProofOp> {
        proof::prove_leaf(inclusion, &self.roots(), log)
    }
}

impl Read for Snapshot {
    fn get(&self, store: StoreName, key: &[u8]) -> Option<&[u8]> {
        self.commitment.tree(store).get(key)
    }

    fn scan(&self, store: StoreName, from: &[u8], to: Option<&[u8]>, visit: Visit<'_>) {
        self.commitment.tree(store).scan(from, to, visit);
    }

    fn particle_number(&self, particle: &Particle) -> Option<ParticleNumber> {
        self.graph.particle_number(particle)
    }

    fn has_link(&self, neuron: &Address, from: ParticleNumber, to: ParticleNumber) -> bool {
        self.graph.has_link(neuron, from, to)
    }

    fn expect_links(&self, neuron: &Address, ends: &mut PairsOfParticles<'_>) {
        self.graph.expect_links(neuron, ends);
    }

    fn graph_size(&self) -> (ParticleNumber, LinkNumber) {
        let sizes = self.sizes();
        (ParticleNumber(sizes.particles), LinkNumber(sizes.links))
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot({} {})", self.height, hex::encode(self.app_hash))
    }
}
