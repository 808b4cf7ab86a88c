//! What a round computes from: frozen at a boundary by the block, taken in by the worker after
//! the commit.
//!
//! Invariant: freezing is a function of state. [`Moved`] only says which neurons cannot have
//! another rank-stake than before; an unknown list gives the same (`tests/determinism.rs`: a
//! restart at every height forgets it).

use crate::modules::rank::{state, Frozen, Params};
use crate::modules::{bandwidth, bank, params};
use crate::state::{Overlay, Read};
use crate::store::Snapshot;
use crate::types::{Address, Height, LinkNumber, NeuronNumber};
use cyber_kernels::code::{hold_stake, starting_codes};
use cyber_kernels::{Link, Parameters};
use std::collections::BTreeSet;

/// The neurons that may get another rank-stake at the next freeze: those with a new link or
/// another stake since the last one. None: not known, as after a start, so it may be any.
pub type Moved = Option<BTreeSet<Address>>;

/// The neurons that a block touched so.
pub fn touched(overlay: &Overlay<'_>, base: &Snapshot) -> BTreeSet<Address> {
    let denom = params::state::chain(overlay).stake_denom;
    let changes = overlay.changes();
    let stakes = bandwidth::hooks::changed_stakes(changes, base, &denom).into_keys();
    changes.links.iter().map(|link| link.neuron).chain(stakes).collect()
}

/// Freezes the inputs at a boundary: writes the rank-stakes that moved and the record. Whether it
/// did: not while the chain has no particle.
pub fn freeze(overlay: &mut Overlay<'_>, base: &Snapshot, height: Height, moved: &Moved) -> bool {
    let (particles, links) = overlay.graph_size();
    if particles.0 == 0 {
        state::set_frozen(overlay, None);
        return false;
    }
    let params = state::params(overlay);
    hold_stakes(overlay, base, &params, moved);
    let round = state::published(overlay).map_or(0, |published| published.round);
    let damping_atomics = u64::try_from(params.damping_factor.atomics()).expect("at most 0.9");
    let frozen = Frozen {
        round: round.checked_add(1).expect("fewer than 2^64 rounds"),
        height: height.0,
        particles: particles.0,
        links: links.0,
        damping_atomics,
        base_shift: cyber_kernels::base_shift(particles.0.into(), damping_atomics),
        code_bits: params.code_bits,
        stake_bits: params.stake_bits,
        source_stake: params.source_stake.expect("genesis set it"),
        sweeps: params.sweeps_allowed(particles.0, links.0),
    };
    state::set_frozen(overlay, Some(&frozen));
    true
}

/// Holds the stake of every neuron with a link to its significant bits.
fn hold_stakes(overlay: &mut Overlay<'_>, base: &Snapshot, params: &Params, moved: &Moved) {
    let denom = params::state::chain(overlay).stake_denom;
    let same_bits = state::frozen(base).is_some_and(|last| last.stake_bits == params.stake_bits);
    let neurons = match moved {
        Some(moved) if same_bits => moved.clone(),
        _ => linkers(overlay, base),
    };
    let new: BTreeSet<Address> = overlay.changes().links.iter().map(|link| link.neuron).collect();
    for neuron in neurons {
        let stake = bank::state::balance(overlay, &neuron, &denom).0;
        let stake = u64::try_from(stake).expect("the supply is at most 2^63");
        let before = state::stake(overlay, &neuron);
        let held = hold_stake(before, stake, params.stake_bits);
        let has_link = base.neuron_number(&neuron).is_some() || new.contains(&neuron);
        if held != before && has_link {
            state::set_stake(overlay, &neuron, held);
        }
    }
}

/// Every neuron with a link, those of the block included.
fn linkers(overlay: &Overlay<'_>, base: &Snapshot) -> BTreeSet<Address> {
    let known = (0..base.neurons()).filter_map(|number| base.neuron(NeuronNumber(number)));
    let new = overlay.changes().links.iter().map(|link| link.neuron);
    known.chain(new).collect()
}

/// What a worker that holds `loaded` links takes in before it computes the round that `snapshot`
/// holds frozen.
pub struct Feed {
    pub particles: u32,
    pub links: Vec<Link>,
    /// Rank-stakes by the number of the neuron; all of them, or those that moved.
    pub stakes: Vec<(u32, u64)>,
    /// The codes the round starts from.
    pub codes: Vec<u32>,
    pub parameters: Parameters,
}

impl Feed {
    /// Reads it from the snapshot.
    pub fn new(frozen: &Frozen, snapshot: &Snapshot, loaded: u32, moved: &Moved) -> Feed {
        let new_links = (loaded..frozen.links).map(|number| link(snapshot, number));
        let of = |neuron: &Address| state::stake(snapshot, neuron);
        let stakes = match moved {
            Some(moved) => {
                let known =
                    |neuron: &Address| Some((snapshot.neuron_number(neuron)?.0, of(neuron)));
                moved.iter().filter_map(known).collect()
            }
            None => stakes(snapshot),
        };
        Feed {
            particles: frozen.particles,
            links: new_links.collect(),
            stakes,
            codes: first_codes(frozen, snapshot),
            parameters: frozen.parameters(),
        }
    }
}

/// A link as the kernels take it.
pub fn link(snapshot: &Snapshot, number: u32) -> Link {
    let (neuron, from, to) = snapshot.link_ends(LinkNumber(number));
    Link { neuron: neuron.0, from: from.0, to: to.0 }
}

/// The rank-stakes of all neurons, by number.
pub fn stakes(snapshot: &Snapshot) -> Vec<(u32, u64)> {
    let of = |number| {
        let neuron = snapshot.neuron(NeuronNumber(number)).expect("a number below the size");
        (number, state::stake(snapshot, &neuron))
    };
    (0..snapshot.neurons()).map(of).collect()
}

/// The codes of the last round, and those that new particles begin with.
fn first_codes(frozen: &Frozen, snapshot: &Snapshot) -> Vec<u32> {
    let codes = snapshot.rank().codes().flatten().copied();
    let previous: Vec<u32> = codes.take(frozen.particles as usize).collect();
    let to = (frozen.code_bits, frozen.base_shift);
    let from = state::published(snapshot)
        .map_or(to, |published| (published.code_bits, published.base_shift));
    starting_codes(&previous, from, frozen.particles, to)
}
