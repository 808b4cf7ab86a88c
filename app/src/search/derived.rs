//! Numbers that clients know from other Cyber software, made from ranks, stakes and links when
//! somebody asks: karma of a neuron, entropy of a particle, negentropy of the whole graph. No
//! consensus reads them and no hash covers them, which is why logarithms are floats here.
//!
//! All are functions of the last published round and of what the boundary after it froze, so
//! they change once a round; whole-graph work is kept until then.

use super::deadline::{Deadline, Late};
use super::{scaled_rank, View, RANK_SCALE};
use crate::modules::rank::state;
use crate::store::merkle::ranks::code_value;
use crate::store::Snapshot;
use crate::types::{LinkNumber, NeuronNumber, ParticleNumber};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Neurons whose karma is kept.
const KEPT_MAX: usize = 10_000;

/// What was computed for a round.
#[derive(Default)]
pub struct Derived(Mutex<OfRound>);

#[derive(Default)]
struct OfRound {
    rounds: u32,
    karma: BTreeMap<NeuronNumber, u64>,
    /// Σ −p · log2 p, in bits.
    entropy: Option<f64>,
}

impl Derived {
    /// Karma: over the neuron's links the share of the source's rank that the neuron's stake
    /// directs, scaled as ranks are. 0 for who has none among the frozen links, and without ranks.
    pub fn karma(
        &self,
        view: &View<'_>,
        neuron: NeuronNumber,
        deadline: &Deadline,
    ) -> Result<u64, Late> {
        let rounds = view.snapshot.rounds();
        if let Some(karma) = self.of(rounds).karma.get(&neuron) {
            return Ok(*karma);
        }
        let karma = Weights::new(view).karma(neuron, deadline)?;
        let mut kept = self.of(rounds);
        if kept.karma.len() >= KEPT_MAX {
            kept.karma.clear();
        }
        kept.karma.insert(neuron, karma);
        Ok(karma)
    }

    /// Negentropy in whole bits: how far the ranks are from all being equal.
    #[allow(clippy::float_arithmetic, reason = "derived, never hashed")]
    pub fn negentropy(&self, snapshot: &Snapshot, deadline: &Deadline) -> Result<u64, Late> {
        if snapshot.rank().total() == 0 {
            return Ok(0);
        }
        let kept = self.of(snapshot.rounds()).entropy;
        let entropy = match kept {
            Some(entropy) => entropy,
            None => {
                let entropy = total_entropy(snapshot, deadline)?;
                self.of(snapshot.rounds()).entropy = Some(entropy);
                entropy
            }
        };
        let bits = f64::from(snapshot.rank().len()).log2() - entropy;
        Ok(bits.max(0.0).floor() as u64)
    }

    /// What is kept for a round; that of another one is forgotten.
    fn of(&self, rounds: u32) -> MutexGuard<'_, OfRound> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.rounds != rounds {
            *kept = OfRound { rounds, ..OfRound::default() };
        }
        kept
    }
}

/// The entropy of one particle, scaled as ranks are; 0 without ranks.
#[allow(clippy::float_arithmetic, reason = "derived, never hashed")]
pub fn entropy(snapshot: &Snapshot, particle: ParticleNumber) -> u64 {
    let rank = scaled_rank(snapshot, particle);
    (bits(rank) * RANK_SCALE as f64).floor() as u64
}

/// −p · log2 p of a scaled rank.
#[allow(clippy::float_arithmetic, reason = "derived, never hashed")]
fn bits(rank: u64) -> f64 {
    if rank == 0 {
        return 0.0;
    }
    let p = rank as f64 / RANK_SCALE as f64;
    -p * p.log2()
}

#[allow(clippy::float_arithmetic, reason = "derived, never hashed")]
fn total_entropy(snapshot: &Snapshot, deadline: &Deadline) -> Result<f64, Late> {
    let ranks = snapshot.rank();
    let (total, code_bits) = (ranks.total(), ranks.code_bits());
    let mut sum = 0.0;
    for (step, codes) in ranks.codes().enumerate() {
        deadline.check_step(step)?;
        for code in codes.iter().filter(|code| **code != 0) {
            let value = code_value(*code, code_bits).expect("codes of the tree have values");
            sum += bits(super::scale(value, total));
        }
    }
    Ok(sum)
}

/// Rank-stakes by neuron, looked up once each, and the links that count.
struct Weights<'a> {
    view: &'a View<'a>,
    stakes: BTreeMap<NeuronNumber, u64>,
    /// Links of the round that runs.
    links: u32,
    source_stake: u64,
}

impl<'a> Weights<'a> {
    fn new(view: &'a View<'a>) -> Weights<'a> {
        let all = view.snapshot.sizes().links;
        let (links, source_stake) = match state::frozen(view.snapshot) {
            Some(frozen) => (frozen.links.min(all), frozen.source_stake),
            None => (all, state::params(view.snapshot).source_stake.unwrap_or(0)),
        };
        Weights { view, stakes: BTreeMap::new(), links, source_stake }
    }

    fn karma(&mut self, neuron: NeuronNumber, deadline: &Deadline) -> Result<u64, Late> {
        let stake = self.stake(neuron);
        let mut sources: BTreeMap<ParticleNumber, u64> = BTreeMap::new();
        for (step, link) in self.frozen(self.view.links_of(neuron)).enumerate() {
            deadline.check_step(step)?;
            let (_, source, _) = self.view.snapshot.link_ends(link);
            *sources.entry(source).or_default() += 1;
        }
        let (mut karma, mut step) = (0u64, 0);
        for (source, links) in sources {
            let rank = scaled_rank(self.view.snapshot, source);
            if rank == 0 || stake == 0 {
                continue;
            }
            let mut whole = u128::from(self.source_stake);
            for link in self.frozen(self.view.out_links(source)) {
                deadline.check_step(step)?;
                step += 1;
                let (neuron, _, _) = self.view.snapshot.link_ends(link);
                whole += u128::from(self.stake(neuron));
            }
            // 10^15 · 2^63 < 2^113; a share is at most the rank itself.
            let share = u128::from(rank) * u128::from(stake) / whole;
            karma += share as u64 * links;
        }
        Ok(karma)
    }

    /// Those of some links that the running round knows.
    fn frozen<'b>(
        &self,
        links: impl Iterator<Item = LinkNumber> + 'b,
    ) -> impl Iterator<Item = LinkNumber> + 'b {
        let below = self.links;
        links.filter(move |link| link.0 < below)
    }

    fn stake(&mut self, neuron: NeuronNumber) -> u64 {
        let snapshot = self.view.snapshot;
        *self.stakes.entry(neuron).or_insert_with(|| {
            let address = snapshot.neuron(neuron).expect("links name neurons that are there");
            state::stake(snapshot, &address)
        })
    }
}
