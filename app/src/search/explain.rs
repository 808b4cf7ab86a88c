//! Where a rank comes from: what each link into a particle gives it, by the chain's own
//! arithmetic (`cyber_kernels::cpu` is its definition), divided among neurons without loss.
//!
//! The published codes are where sweeps over the round's inputs ended, so the base and one more
//! sweep's contributions differ from the published value by less than one step of its code.
//! Contributions of a pair go to its links in the order of their numbers: each gets
//! `floor(c · stakes up to it / all stakes)` less what those before it have.
//!
//! An answer is a function of the published round and of the inputs: long ones are kept until the
//! next round, so that a reader turns pages without the work being done for each.
//! Deliberately absent: pages, scaled ranks.

use super::deadline::{Deadline, Late};
use super::View;
use crate::modules::rank::state;
use crate::modules::rank::Frozen;
use crate::store::Snapshot;
use crate::types::{LinkNumber, NeuronNumber, ParticleNumber};
use cyber_kernels::cpu::{self, Weight};
use cyber_kernels::Parameters;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// No rank-stake: the supply is at most 2^63.
const UNKNOWN: u64 = u64::MAX;

/// What one link gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub link: LinkNumber,
    pub from: ParticleNumber,
    pub value: u64,
}

/// The parts of a value, the largest share first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// Published.
    pub value: u64,
    /// What every ranked particle has.
    pub base: u64,
    pub shares: Vec<Share>,
    /// The round whose links and stakes were taken.
    pub inputs_round: u64,
}

/// Answers with fewer shares are made anew.
const SHORT: usize = 64;
/// Shares kept in all answers together, 24 bytes each.
const KEPT_MAX: usize = 500_000;

/// The answers kept.
#[derive(Default)]
pub struct Kept(Mutex<OfRound>);

#[derive(Default)]
struct OfRound {
    /// How many rounds are published, and whose inputs were taken.
    round: (u32, u64),
    answers: BTreeMap<ParticleNumber, Arc<Explained>>,
    shares: usize,
}

impl Kept {
    /// What is kept of a round; that of another one is forgotten.
    fn of(&self, round: (u32, u64)) -> MutexGuard<'_, OfRound> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.round != round {
            *kept = OfRound { round, ..OfRound::default() };
        }
        kept
    }

    fn keep(&self, round: (u32, u64), particle: ParticleNumber, answer: &Arc<Explained>) {
        let shares = answer.shares.len();
        if !(SHORT..=KEPT_MAX).contains(&shares) {
            return;
        }
        let mut kept = self.of(round);
        if kept.shares + shares > KEPT_MAX {
            kept.answers.clear();
            kept.shares = 0;
        }
        if kept.answers.insert(particle, Arc::clone(answer)).is_none() {
            kept.shares += shares;
        }
    }
}

/// Explains a particle's published value with the links and rank-stakes that `inputs` holds
/// frozen, from what is kept if it is. All is 0 for a particle that no round has ranked.
pub fn explain(
    view: &View<'_>,
    inputs: &Snapshot,
    particle: ParticleNumber,
    deadline: &Deadline,
) -> Result<Arc<Explained>, Late> {
    let Some(frozen) = state::frozen(inputs) else { return Ok(Arc::default()) };
    let round = (view.snapshot().rounds(), frozen.round);
    if let Some(answer) = view.explained().of(round).answers.get(&particle) {
        return Ok(Arc::clone(answer));
    }
    let answer = Arc::new(anew(view, inputs, particle, deadline)?);
    view.explained().keep(round, particle, &answer);
    Ok(answer)
}

/// The same without what is kept.
pub fn anew(
    view: &View<'_>,
    inputs: &Snapshot,
    particle: ParticleNumber,
    deadline: &Deadline,
) -> Result<Explained, Late> {
    let ranks = view.snapshot().rank();
    let value = ranks.value(particle).unwrap_or(0);
    let published = state::published(view.snapshot());
    let (Some(frozen), Some(published)) = (state::frozen(inputs), published) else {
        return Ok(Explained::default());
    };
    if value == 0 {
        return Ok(Explained { inputs_round: frozen.round, ..Explained::default() });
    }
    let mut giving = Giving::new(view, inputs, &frozen, deadline);
    let mut shares = Vec::new();
    let incoming = giving.incoming(particle)?;
    for pair in incoming.chunk_by(|one, other| one.0 == other.0) {
        giving.give(particle, pair, &mut shares)?;
    }
    shares.sort_unstable_by_key(|share| (u64::MAX - share.value, share.link));
    let base = 1u64 << 32u32.saturating_sub(published.base_shift);
    Ok(Explained { value, base, shares, inputs_round: frozen.round })
}

/// What is looked up along the way.
struct Giving<'a> {
    view: &'a View<'a>,
    inputs: &'a Snapshot,
    parameters: Parameters,
    links: u32,
    code_bits: u32,
    /// By neuron; [`UNKNOWN`] until looked up. A map costs as much as all the rest.
    stakes: Vec<u64>,
    /// Stakes behind the links from a source, by target, made anew for each source.
    targets: Vec<(ParticleNumber, u64)>,
    deadline: &'a Deadline,
    step: usize,
}

/// A link by its source.
type Incoming = (ParticleNumber, LinkNumber, NeuronNumber);

impl<'a> Giving<'a> {
    fn new(
        view: &'a View<'a>,
        inputs: &'a Snapshot,
        frozen: &Frozen,
        deadline: &'a Deadline,
    ) -> Giving<'a> {
        Giving {
            view,
            inputs,
            parameters: frozen.parameters(),
            links: frozen.links.min(view.snapshot().sizes().links),
            code_bits: view.snapshot().rank().code_bits(),
            stakes: vec![UNKNOWN; view.snapshot().neurons() as usize],
            targets: Vec::new(),
            deadline,
            step: 0,
        }
    }

    /// The frozen links to a particle, by source and number.
    fn incoming(&mut self, particle: ParticleNumber) -> Result<Vec<Incoming>, Late> {
        let mut incoming = Vec::new();
        let (view, below) = (self.view, self.links);
        for link in view.in_links(particle).filter(|link| link.0 < below) {
            self.tick()?;
            let (neuron, from, _) = view.snapshot().link_ends(link);
            incoming.push((from, link, neuron));
        }
        incoming.sort_unstable();
        Ok(incoming)
    }

    /// Divides what a source gives to a target among the links between the two.
    fn give(
        &mut self,
        target: ParticleNumber,
        pair: &[Incoming],
        shares: &mut Vec<Share>,
    ) -> Result<(), Late> {
        let from = pair[0].0;
        let given = self.contribution(from, target)?;
        let stakes: Vec<u128> = pair.iter().map(|link| self.stake(link.2).into()).collect();
        let whole: u128 = stakes.iter().sum();
        let (mut sum, mut before) = (0, 0);
        for ((_, link, _), stake) in pair.iter().zip(stakes) {
            sum += stake;
            // A contribution is below 2^63, stakes together are at most 2^63.
            let until = (u128::from(given) * sum).checked_div(whole).unwrap_or(0);
            let until = u64::try_from(until).expect("at most what is given");
            shares.push(Share { link: *link, from, value: until - before });
            before = until;
        }
        Ok(())
    }

    /// What a source gives to a target, as a sweep computes it.
    fn contribution(&mut self, from: ParticleNumber, target: ParticleNumber) -> Result<u64, Late> {
        let code = self.view.snapshot().rank().code(from).unwrap_or(0);
        if code == 0 {
            return Ok(0);
        }
        let mut targets = std::mem::take(&mut self.targets);
        targets.clear();
        let (view, below) = (self.view, self.links);
        for link in view.out_links(from).filter(|link| link.0 < below) {
            self.tick()?;
            let (neuron, _, to) = view.snapshot().link_ends(link);
            targets.push((to, self.stake(neuron)));
        }
        targets.sort_unstable_by_key(|(to, _)| *to);
        let (mut total, mut largest, mut own) = (u128::from(self.parameters.source_stake), 0, 0);
        for links in targets.chunk_by(|one, other| one.0 == other.0) {
            let stake: u128 = links.iter().map(|(_, stake)| u128::from(*stake)).sum();
            total += stake;
            largest = stake.max(largest);
            if links[0].0 == target {
                own = stake;
            }
        }
        self.targets = targets;
        if largest == 0 {
            return Ok(0);
        }
        let exponent = cpu::exponent(total, largest);
        let mantissa = cpu::mantissa(self.parameters.damping(), own, exponent, total);
        Ok(cpu::contribution(Weight { mantissa, exponent }, code, self.code_bits))
    }

    fn stake(&mut self, neuron: NeuronNumber) -> u64 {
        let known = self.stakes[neuron.0 as usize];
        if known != UNKNOWN {
            return known;
        }
        let address = self.view.snapshot().neuron(neuron);
        let address = address.expect("links name neurons of the state");
        let stake = state::stake(self.inputs, &address);
        self.stakes[neuron.0 as usize] = stake;
        stake
    }

    fn tick(&mut self) -> Result<(), Late> {
        self.step += 1;
        self.deadline.check_step(self.step)
    }
}
