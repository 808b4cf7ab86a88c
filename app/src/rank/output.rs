//! Publishing: the codes of a finished round become the ranks of the chain.

use crate::modules::rank::{state, Frozen, Published};
use crate::state::{Event, Overlay, Read, Write};
use crate::store::merkle::RankTree;
use crate::store::{Publication, Snapshot};
use crate::telemetry::{timed, RoundPhase};
use crate::types::{Height, ParticleNumber};
use cyber_kernels::Outcome;
use cyber_proto::cyberd::v1::Round;
use prost::Message;

/// Makes the publication of a round: codes that differ, the record with the roots before and
/// after, the event.
pub fn publish(
    overlay: &mut Overlay<'_>,
    base: &Snapshot,
    frozen: &Frozen,
    outcome: Outcome,
    height: Height,
) -> Publication {
    let before = base.rank();
    let codes = changed(before, &outcome.codes, frozen.code_bits);
    let ranks = timed(RoundPhase::Tree, || {
        let mut ranks = before.clone();
        ranks.grow(overlay.graph_size().0 .0);
        ranks.set_code_bits(frozen.code_bits);
        ranks.set_codes(&codes);
        ranks
    });
    let record = Round {
        round: frozen.round,
        height_frozen: frozen.height,
        height_published: height.0,
        particles: frozen.particles.into(),
        links: frozen.links.into(),
        total_value: ranks.total().to_string(),
        ranks_changed: codes.len() as u64,
        sweeps: outcome.sweeps,
        changed_in_last_sweep: outcome.changed_in_last_sweep,
        root_before: before.root().to_vec(),
        root_after: ranks.root().to_vec(),
    };
    overlay.emit(event(&record));
    let published = Published {
        round: frozen.round,
        height: height.0,
        code_bits: frozen.code_bits,
        base_shift: frozen.base_shift,
    };
    state::set_published(overlay, &published);
    Publication {
        code_bits: frozen.code_bits,
        codes,
        tree: Some(ranks),
        record: record.encode_to_vec(),
    }
}

/// The codes that differ from those of the tree, ascending by particle; all of them when their
/// bits do.
fn changed(before: &RankTree, codes: &[u32], code_bits: u32) -> Vec<(ParticleNumber, u32)> {
    let same_bits = before.code_bits() == code_bits;
    let (mut changed, mut first) = (Vec::new(), 0);
    for old in before.codes() {
        let new = &codes[first.min(codes.len())..(first + old.len()).min(codes.len())];
        // Most runs are the same as before, which a comparison of whole runs finds fastest.
        if !same_bits || old[..new.len()] != *new {
            let differs = |at: &usize| !same_bits || old[*at] != new[*at];
            let number = |at: usize| ParticleNumber((first + at) as u32);
            changed.extend((0..new.len()).filter(differs).map(|at| (number(at), new[at])));
        }
        first += old.len();
    }
    changed
}

/// `rank_round`, with the fields of the record.
fn event(record: &Round) -> Event {
    Event::new("rank_round")
        .with("round", record.round)
        .with("height_frozen", record.height_frozen)
        .with("height_published", record.height_published)
        .with("particles", record.particles)
        .with("links", record.links)
        .with("total_value", &record.total_value)
        .with("ranks_changed", record.ranks_changed)
        .with("sweeps", record.sweeps)
        .with("changed_in_last_sweep", record.changed_in_last_sweep)
        .with("root_before", hex::encode_upper(&record.root_before))
        .with("root_after", hex::encode_upper(&record.root_after))
        .with("mode", "EndBlock")
}
