//! PrepareProposal and ProcessProposal: pure functions of the proposal and the committed state.

use super::queue::Place;
use super::{Proposal, ProposalVerdict};
use crate::ante::{self, Budget, Context, Mode};
use crate::modules::Rules;
use crate::state::Overlay;
use crate::store::Snapshot;
use crate::tx::{self, Msg, Tx};
use prost::bytes::Bytes;
use rayon::prelude::*;

/// Chooses and orders transactions: cyberlinks first, a quarter of the bytes kept for the rest;
/// only what the door admits in that order, within the block's bandwidth and gas. What does not
/// fit stays in the mempool.
pub fn prepare(snapshot: &Snapshot, proposal: &Proposal) -> Vec<Bytes> {
    let rules = Rules::read(snapshot);
    let prefix = &rules.chain.address_prefix;
    let decoded: Vec<Option<Tx>> =
        proposal.txs.par_iter().map(|bytes| tx::decode(bytes.clone(), prefix).ok()).collect();
    let is_link = |tx: &Tx| tx.messages.iter().any(|message| matches!(message, Msg::Cyberlink(_)));
    let mut waiting: Vec<&Tx> = decoded.iter().flatten().collect();
    let of_others: u64 =
        waiting.iter().filter(|tx| !is_link(tx)).map(|tx| proto_size(tx.bytes.len())).sum();
    let kept = of_others.min(proposal.max_tx_bytes / 4);
    let mut choice = Choice {
        overlay: Overlay::new(snapshot),
        budget: Budget::of_block(&rules),
        rules: &rules,
        height: proposal.height.0,
        chosen: Vec::new(),
        bytes: 0,
    };
    // A link that waits for an earlier transaction of its neuron fails its sequence in the first
    // pass and finds its place in the last.
    choice.pass(&mut waiting, proposal.max_tx_bytes - kept, &is_link);
    choice.pass(&mut waiting, proposal.max_tx_bytes, &|tx| !is_link(tx));
    choice.pass(&mut waiting, proposal.max_tx_bytes, &is_link);
    choice.chosen
}

/// Chooses from transactions that CheckTx admitted in this order on this state: as many as fit.
pub fn fill(snapshot: &Snapshot, proposal: &Proposal, places: &[Place]) -> Vec<Bytes> {
    let rules = Rules::read(snapshot);
    let mut budget = Budget::of_block(&rules);
    let mut bytes = 0;
    let fits = |(tx, place): &(&Bytes, &Place)| {
        bytes += proto_size(tx.len());
        let left =
            (budget.bandwidth.checked_sub(place.raw_units), budget.gas.checked_sub(place.gas));
        let (Some(bandwidth), Some(gas)) = left else { return false };
        budget = Budget { bandwidth, gas };
        bytes <= proposal.max_tx_bytes
    };
    let chosen = proposal.txs.iter().zip(places).take_while(fits);
    chosen.map(|(tx, _)| tx.clone()).collect()
}

/// Every proposal of decided transactions can be executed, so every proposal is accepted: what the
/// door refuses then is a result, not a reason to lose a round.
pub fn process(_snapshot: &Snapshot, _proposal: &Proposal) -> ProposalVerdict {
    ProposalVerdict::Accept
}

/// A proposal under way.
struct Choice<'a> {
    rules: &'a Rules,
    overlay: Overlay<'a>,
    budget: Budget,
    height: u64,
    chosen: Vec<Bytes>,
    bytes: u64,
}

impl Choice<'_> {
    /// Takes what is wanted, fits and is admitted; the rest keeps waiting.
    fn pass(&mut self, waiting: &mut Vec<&Tx>, limit: u64, wanted: &dyn Fn(&Tx) -> bool) {
        waiting.retain(|tx| {
            let size = proto_size(tx.bytes.len());
            let fits = self.bytes.saturating_add(size) <= limit;
            if !fits || !wanted(tx) || !self.admit(tx) {
                return true;
            }
            self.bytes += size;
            self.chosen.push(tx.bytes.clone());
            false
        });
    }

    fn admit(&mut self, tx: &Tx) -> bool {
        let context = Context {
            mode: Mode::Block,
            rules: self.rules,
            height: crate::types::Height(self.height),
            minimum_gas_prices: &[],
            verify: &|_, _, _, _| Ok(()),
        };
        let mut door = Overlay::silent(&self.overlay);
        let admitted = ante::admit(&mut door, tx, &context, &mut self.budget).is_ok();
        let changes = door.into_changes();
        if admitted {
            self.overlay.apply(changes);
        }
        admitted
    }
}

/// Bytes a transaction takes in a block: itself, its field's tag and its length.
pub fn proto_size(length: usize) -> u64 {
    1 + prost::length_delimiter_len(length) as u64 + length as u64
}
