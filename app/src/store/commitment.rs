//! The ten roots of a height: six trees of keys, and the logs of particles, cyberlinks, ranks and
//! rounds. A [`Commitment`] is cheap to clone and changes in whole passes only: that of a block,
//! or that of the genesis.
//!
//! Invariants: roots are a function of the passes alone. The leaves of logs stand in the columns
//! ([`Graph`]); what a leaf is made of is written here and nowhere else.

use super::graph::Graph;
use super::merkle::ranks::code_value;
use super::merkle::{join, leaves, simple, Log, RankTree, Tree};
use super::staged::Publication;
use crate::error::Fault;
use crate::state::{StoreName, STORES};
use crate::types::{Hash, LinkNumber, ParticleNumber};
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// Changed keys of one store; none removes.
pub type Keys = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// How many stores the app hash is made of.
pub const ROOTS: usize = STORES + 4;

/// The mantissa bits of codes before a publication says otherwise; all codes are zero until then.
const FIRST_CODE_BITS: u32 = 15;

/// One root per name, in the order of [`simple::NAMES`].
pub type Roots = [Hash; ROOTS];

/// Codes that change in a pass, ascending by particle, with the mantissa bits from now on.
#[derive(Clone, Copy, Debug)]
pub struct NewCodes<'a> {
    pub code_bits: u32,
    pub codes: &'a [(ParticleNumber, u32)],
    /// The tree with them, if it is computed already.
    tree: Option<&'a RankTree>,
}

impl<'a> NewCodes<'a> {
    pub fn new(code_bits: u32, codes: &'a [(ParticleNumber, u32)]) -> NewCodes<'a> {
        NewCodes { code_bits, codes, tree: None }
    }

    /// What a round publishes.
    pub fn of(publication: &'a Publication) -> NewCodes<'a> {
        let Publication { code_bits, codes, tree, .. } = publication;
        NewCodes { tree: tree.as_ref(), ..NewCodes::new(*code_bits, codes) }
    }

    /// That the rank tree of `particles` will take them; what comes from a disk may be anything.
    pub fn check(&self, particles: u32) -> Result<(), Fault> {
        let bits = self.code_bits;
        let ascending = self.codes.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let below = self.codes.last().is_none_or(|(particle, _)| particle.0 < particles);
        let valid = (8..=24).contains(&bits)
            && self.codes.iter().all(|(_, code)| code_value(*code, bits).is_some());
        match ascending && below && valid {
            true => Ok(()),
            false => Err(Fault::Damage("rank codes that no round publishes".into())),
        }
    }
}

/// Whether a pass is handed to two threads. A small one takes less time than the way to another
/// thread and back, of which block sync would make several for every block.
pub(super) fn is_worth_a_thread(
    keys: &[Keys; STORES],
    codes: Option<NewCodes<'_>>,
    leaves: u64,
) -> bool {
    let keys: usize = keys.iter().map(BTreeMap::len).sum();
    let codes = codes.map_or(0, |codes| codes.codes.len());
    (keys + codes) as u64 + leaves >= 128
}

/// The trees and logs of one height.
#[derive(Clone)]
pub struct Commitment {
    pub trees: [Tree; STORES],
    pub particles: Log,
    pub links: Log,
    pub ranks: RankTree,
    pub rounds: Log,
}

impl Commitment {
    /// Nothing yet.
    pub fn new() -> Commitment {
        Commitment {
            trees: std::array::from_fn(|_| Tree::new()),
            particles: Log::new(),
            links: Log::new(),
            ranks: RankTree::new(FIRST_CODE_BITS),
            rounds: Log::new(),
        }
    }

    /// One pass: keys at a tree version, the logs up to where the graph is, new codes.
    pub fn apply(
        &mut self,
        version: u64,
        keys: &[Keys; STORES],
        graph: &Graph,
        codes: Option<NewCodes<'_>>,
    ) {
        let sizes = graph.sizes();
        let leaves = u64::from(sizes.particles) - self.particles.size() + u64::from(sizes.links)
            - self.links.size();
        self.pass(is_worth_a_thread(keys, codes, leaves), version, keys, graph, codes);
    }

    /// A pass whose keys are let go, store by store, when the tree has them; on the thread that
    /// made them, so that the allocator gives their memory to the next tree.
    pub fn apply_whole(
        &mut self,
        version: u64,
        keys: [Keys; STORES],
        graph: &Graph,
        codes: Option<NewCodes<'_>>,
    ) {
        self.pass(false, version, keys, graph, codes);
    }

    fn pass<K: Borrow<Keys>>(
        &mut self,
        parallel: bool,
        version: u64,
        keys: impl IntoIterator<Item = K> + Send,
        graph: &Graph,
        codes: Option<NewCodes<'_>>,
    ) {
        let Commitment { trees, particles, links, ranks, rounds } = self;
        let keys = || {
            for (tree, changes) in trees.iter_mut().zip(keys) {
                if !changes.borrow().is_empty() {
                    tree.apply(changes.borrow(), version);
                }
            }
        };
        let logs = || {
            extend_logs(particles, links, rounds, graph);
            let particles = graph.sizes().particles;
            match codes {
                Some(NewCodes { tree: Some(tree), .. }) => {
                    assert_eq!(tree.len(), particles, "a published tree has all particles");
                    *ranks = tree.clone();
                }
                Some(NewCodes { code_bits, codes, tree: None }) => {
                    ranks.grow(particles);
                    ranks.set_code_bits(code_bits);
                    ranks.set_codes(codes);
                }
                None => ranks.grow(particles),
            }
        };
        join(parallel, keys, logs);
    }

    /// All logs over the graph at once, for a checkpoint.
    pub fn extend_logs(&mut self, graph: &Graph) {
        extend_logs(&mut self.particles, &mut self.links, &mut self.rounds, graph);
    }

    /// The tree of a store.
    pub fn tree(&self, store: StoreName) -> &Tree {
        &self.trees[store as usize]
    }

    /// The roots, in the order of [`simple::NAMES`].
    pub fn roots(&self) -> Roots {
        let tree = |store| self.tree(store).root();
        [
            tree(StoreName::Acc),
            tree(StoreName::Bandwidth),
            tree(StoreName::Bank),
            self.links.root(),
            tree(StoreName::Graph),
            tree(StoreName::Params),
            self.particles.root(),
            tree(StoreName::Rank),
            self.ranks.root(),
            self.rounds.root(),
        ]
    }
}

impl Default for Commitment {
    fn default() -> Commitment {
        Commitment::new()
    }
}

fn extend_logs(particles: &mut Log, links: &mut Log, rounds: &mut Log, graph: &Graph) {
    let sizes = graph.sizes();
    particles.extend_to(u64::from(sizes.particles), &|index| particle_leaf(graph, index));
    links.extend_to(u64::from(sizes.links), &|index| link_leaf(graph, index));
    rounds.extend_to(u64::from(sizes.rounds), &|index| round_leaf(graph, index));
}

/// The app hash over the roots.
pub fn app_hash(roots: &Roots) -> Hash {
    let named: Vec<(&str, Hash)> = simple::NAMES.into_iter().zip(*roots).collect();
    simple::app_hash(&named)
}

/// The roots with their names.
pub fn named(roots: &Roots) -> Vec<(String, Hash)> {
    simple::NAMES.iter().zip(roots).map(|(name, root)| (name.to_string(), *root)).collect()
}

/// The leaf of a particle by its number.
pub fn particle_leaf(graph: &Graph, index: u64) -> Vec<u8> {
    leaves::particle(&graph.particle(ParticleNumber(below(index)))).to_vec()
}

/// The leaf of a link by its number.
pub fn link_leaf(graph: &Graph, index: u64) -> Vec<u8> {
    leaves::link(&graph.link(LinkNumber(below(index))))
}

/// The leaf of a round by its place: its record.
pub fn round_leaf(graph: &Graph, index: u64) -> Vec<u8> {
    graph.round(below(index)).to_vec()
}

/// An index of a log as a number of the columns.
fn below(index: u64) -> u32 {
    u32::try_from(index).expect("columns hold fewer than 2^32 of each")
}
