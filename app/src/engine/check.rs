//! CheckTx: the door on an overlay of its own above the last committed state, so that several
//! transactions of one neuron queue up. Messages do not run here.

use super::deliver::signed;
use super::signatures::SignatureMemory;
use super::{CheckKind, CheckRequest, TxResult};
use crate::ante::{self, Budget, Context, GasPrice, Mode};
use crate::error::{code, Refusal};
use crate::modules::params;
use crate::state::{Changes, Overlay};
use crate::store::Snapshot;
use crate::tx::{self, Tx};
use prost::bytes::Bytes;
use rayon::prelude::*;
use std::sync::Arc;

/// The mempool's view: a committed state and what admitted transactions changed since.
pub struct CheckState {
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) changes: Changes,
}

/// A transaction to check, decoded.
struct Candidate {
    tx: Result<Tx, Refusal>,
    kind: CheckKind,
}

impl CheckState {
    /// The view above a state; none before genesis.
    pub fn new(snapshot: Option<Arc<Snapshot>>) -> CheckState {
        CheckState { snapshot, changes: Changes::default() }
    }

    /// Checks transactions in order. `results` grows by one as each is complete.
    pub fn check(
        &mut self,
        requests: &[CheckRequest],
        memory: &SignatureMemory,
        prices: &[GasPrice],
        results: &mut Vec<TxResult>,
    ) {
        let Some(snapshot) = self.snapshot.clone() else {
            let refusal = Refusal::new(code::INVALID_HEIGHT, "the chain has not started yet");
            results.extend(requests.iter().map(|_| TxResult::refused(refusal.clone(), 0, 0)));
            return;
        };
        let chain = params::state::chain(snapshot.as_ref());
        let candidates: Vec<Candidate> = requests
            .par_iter()
            .map(|request| Candidate {
                tx: tx::decode(request.tx.clone(), &chain.address_prefix),
                kind: request.kind,
            })
            .collect();
        let door = Door { snapshot: &snapshot, prices };
        if candidates.len() > 1 {
            let survivors = door.survivors(&mut self.changes, &candidates);
            memory.prefetch(snapshot.as_ref(), &survivors);
        }
        for candidate in &candidates {
            let base = std::mem::take(&mut self.changes);
            let mut overlay = Overlay::resume(snapshot.as_ref(), base);
            let verify = |tx: &Tx, index: usize, key: &_, number: u64| match candidate.kind {
                CheckKind::Recheck => Ok(()),
                CheckKind::New => memory.verify((tx, index), key, &chain.chain_id, number),
            };
            let result = door.check(&mut overlay, candidate, &verify);
            self.changes = overlay.into_changes();
            results.push(result);
        }
    }
}

/// What the checks of a batch share.
struct Door<'a> {
    snapshot: &'a Arc<Snapshot>,
    prices: &'a [GasPrice],
}

impl Door<'_> {
    /// The new transactions that pass all cheap checks in order: only their signatures are worth
    /// checking ahead.
    fn survivors<'c>(&self, changes: &mut Changes, candidates: &'c [Candidate]) -> Vec<&'c Tx> {
        let earlier = Overlay::resume(self.snapshot.as_ref(), std::mem::take(changes));
        let mut scratch = Overlay::new(&earlier);
        let mut survivors = Vec::new();
        for candidate in candidates {
            let good = self.check(&mut scratch, candidate, &|_, _, _, _| Ok(())).is_ok();
            if let (true, CheckKind::New, Ok(tx)) = (good, candidate.kind, &candidate.tx) {
                survivors.push(tx);
            }
        }
        drop(scratch);
        *changes = earlier.into_changes();
        survivors
    }

    fn check(
        &self,
        overlay: &mut Overlay<'_>,
        candidate: &Candidate,
        verify: ante::Verify<'_>,
    ) -> TxResult {
        let tx = match &candidate.tx {
            Ok(tx) => tx,
            Err(refusal) => return TxResult::refused(refusal.clone(), 0, 0),
        };
        let mut budget = Budget::of_block(overlay);
        let context = Context {
            mode: Mode::Check,
            height: self.snapshot.height(),
            minimum_gas_prices: self.prices,
            verify,
        };
        let mut door = Overlay::new(&*overlay);
        match ante::admit(&mut door, tx, &context, &mut budget) {
            Ok(admitted) => {
                // CometBFT sums what is wanted against the block's gas when it makes a proposal;
                // cyberlink transactions do not count there.
                let gas = signed(tx.gas());
                let wanted = if admitted.raw_units() > 0 { 0 } else { gas };
                let mut changes = door.into_changes();
                let events = std::mem::take(&mut changes.events);
                overlay.apply(changes);
                TxResult {
                    code: code::OK,
                    data: Bytes::new(),
                    log: String::new(),
                    gas_wanted: wanted,
                    gas_used: gas,
                    events,
                }
            }
            Err(refusal) => {
                let used = signed(tx.size_gas());
                TxResult::refused(refusal, signed(tx.fee.gas_limit), used)
            }
        }
    }
}
