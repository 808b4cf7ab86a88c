//! Freezing: what the next round computes from.

use crate::modules::rank::{state, Frozen, Params};
use crate::modules::{bank, params};
use crate::state::{Overlay, Read};
use crate::store::Snapshot;
use crate::types::{Address, Height, NeuronNumber};
use cyber_kernels::code::hold_stake;
use std::collections::BTreeSet;

/// Freezes the inputs at a boundary: writes the rank-stakes that moved and the record. None while
/// the chain has no particle.
pub fn freeze(overlay: &mut Overlay<'_>, base: &Snapshot, height: Height) -> Option<Frozen> {
    let (particles, links) = overlay.graph_size();
    if particles.0 == 0 {
        state::set_frozen(overlay, None);
        return None;
    }
    let params = state::params(overlay);
    hold_stakes(overlay, base, &params);
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
    Some(frozen)
}

/// Holds the stake of every neuron with a link to its significant bits.
fn hold_stakes(overlay: &mut Overlay<'_>, base: &Snapshot, params: &Params) {
    let denom = params::state::chain(overlay).stake_denom;
    for neuron in linkers(overlay, base) {
        let stake = bank::state::balance(overlay, &neuron, &denom).0;
        let stake = u64::try_from(stake).expect("the supply is at most 2^63");
        let before = state::stake(overlay, &neuron);
        let held = hold_stake(before, stake, params.stake_bits);
        if held != before {
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
