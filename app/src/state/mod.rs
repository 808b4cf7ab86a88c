//! What consensus code sees of the state: keys of the module stores and the graph, behind two
//! traits. [`Read`] is implemented by a committed snapshot and by an [`Overlay`]; [`Write`] by the
//! overlay alone, so nothing but the store's commit ever changes committed state.
//!
//! Invariant: reading through an overlay equals reading the base with the overlay's changes
//! applied (`overlay::tests::reads_like_a_map`). Deliberately absent: async, type parameters,
//! deletion of particles or links.

pub mod codec;
pub mod event;
pub mod overlay;

pub use event::Event;
pub use overlay::{Changes, Overlay};

use crate::types::{Address, Height, LinkNumber, Particle, ParticleNumber};

/// The key-value stores, one per module, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StoreName {
    Acc,
    Bandwidth,
    Bank,
    Graph,
    Params,
    Rank,
}

/// How many key-value stores there are.
pub const STORES: usize = 6;

impl StoreName {
    /// Every store, in the order of their names; the position is `store as usize`.
    pub const ALL: [StoreName; STORES] = [
        StoreName::Acc,
        StoreName::Bandwidth,
        StoreName::Bank,
        StoreName::Graph,
        StoreName::Params,
        StoreName::Rank,
    ];

    /// The name in the app hash and in `/store/NAME/key`.
    pub fn name(self) -> &'static str {
        match self {
            StoreName::Acc => "acc",
            StoreName::Bandwidth => "bandwidth",
            StoreName::Bank => "bank",
            StoreName::Graph => "graph",
            StoreName::Params => "params",
            StoreName::Rank => "rank",
        }
    }
}

/// One accepted cyberlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub neuron: Address,
    pub from: ParticleNumber,
    pub to: ParticleNumber,
    pub height: Height,
}

/// Reading state. `Sync`, so that read-only checks may run on several threads.
pub trait Read: Sync {
    /// The value of a key.
    fn get(&self, store: StoreName, key: &[u8]) -> Option<&[u8]>;

    /// Visits the keys `from ≤ key < to` in ascending order (`to` none: to the end) until the
    /// visitor returns false.
    fn scan(&self, store: StoreName, from: &[u8], to: Option<&[u8]>, visit: Visit<'_>);

    /// The number of a particle the chain knows.
    fn particle_number(&self, particle: &Particle) -> Option<ParticleNumber>;

    /// Whether the neuron already made this link.
    fn has_link(&self, neuron: &Address, from: ParticleNumber, to: ParticleNumber) -> bool;

    /// These particles' numbers, and whether the neuron made links between them, will be asked for:
    /// time to fetch them. Changes nothing.
    fn expect_links(&self, _neuron: &Address, _ends: &mut PairsOfParticles<'_>) {}

    /// How many particles and links there are; the next of each gets this number.
    fn graph_size(&self) -> (ParticleNumber, LinkNumber);
}

/// The two ends of each of some links.
pub type PairsOfParticles<'a> = dyn Iterator<Item = [&'a Particle; 2]> + 'a;

/// What [`Read::scan`] calls with each key and value.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> bool;

/// Changing state, in an overlay.
pub trait Write: Read {
    fn set(&mut self, store: StoreName, key: Vec<u8>, value: Vec<u8>);
    fn remove(&mut self, store: StoreName, key: Vec<u8>);
    /// Appends a particle that [`Read::particle_number`] does not know.
    fn add_particle(&mut self, particle: Particle) -> ParticleNumber;
    /// Appends a link that [`Read::has_link`] does not know.
    fn add_link(&mut self, link: Link) -> LinkNumber;
    fn emit(&mut self, event: Event);
}

/// The end of the range of keys that begin with a prefix; none when there is no such key.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=keep].to_vec();
    end[keep] += 1;
    Some(end)
}
