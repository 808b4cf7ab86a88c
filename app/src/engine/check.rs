//! CheckTx: the door on an overlay of its own above the last committed state, so that several
//! transactions of one neuron queue up. Messages do not run here. A batch changes the overlay when
//! all of it is checked: a panic on the way leaves nothing half done. It answers without events:
//! CometBFT would read and drop those of every transaction.

use super::deliver::signed;
use super::queue::{Place, Queue};
use super::signatures::SignatureMemory;
use super::{CheckKind, CheckRequest, TxResult};
use crate::ante::{self, Budget, Context, GasPrice, Mode};
use crate::error::{code, Refusal};
use crate::modules::Rules;
use crate::state::{Changes, Overlay};
use crate::store::Snapshot;
use crate::tx::{self, Tx};
use crate::types::{Hash, Height};
use prost::bytes::Bytes;
use rayon::prelude::*;
use std::sync::Arc;

/// The mempool's view: a committed state and what admitted transactions changed since.
pub struct CheckState {
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) changes: Changes,
    queue: Queue,
}

/// The changes as an overlay; they go back when this is dropped, panic or not.
pub(super) struct Lent<'slot, 'base> {
    overlay: Option<Overlay<'base>>,
    slot: &'slot mut Changes,
}

impl<'base> Lent<'_, 'base> {
    pub(super) fn overlay(&mut self) -> &mut Overlay<'base> {
        self.overlay.as_mut().expect("there until dropped")
    }
}

impl Drop for Lent<'_, '_> {
    fn drop(&mut self) {
        if let Some(overlay) = self.overlay.take() {
            *self.slot = overlay.into_changes();
        }
    }
}

impl CheckState {
    /// The view above a state; none before genesis.
    pub fn new(snapshot: Option<Arc<Snapshot>>) -> CheckState {
        CheckState { snapshot, changes: Changes::default(), queue: Queue::default() }
    }

    /// Their places, where these transactions are the first that were admitted on the state of
    /// this height.
    pub fn beginning(&self, base: Height, hashes: &[Hash], height: Height) -> Option<Vec<Place>> {
        self.snapshot.as_ref().filter(|snapshot| snapshot.height() == base)?;
        self.queue.beginning(hashes, height.0)
    }

    /// What is admitted so far, on top of a snapshot.
    pub(super) fn lend<'base>(&mut self, snapshot: &'base Snapshot) -> Lent<'_, 'base> {
        let changes = std::mem::take(&mut self.changes);
        Lent { overlay: Some(Overlay::resume(snapshot, changes)), slot: &mut self.changes }
    }

    /// Checks transactions in order. `results` grows when all are complete.
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
        let rules = Rules::read(snapshot.as_ref());
        let prefix = &rules.chain.address_prefix;
        let decode = |CheckRequest { tx, .. }: &CheckRequest| {
            ante::check_size(tx.len())?;
            tx::decode(tx.clone(), prefix)
        };
        let txs: Vec<_> = requests.par_iter().map(decode).collect();
        let door = Door { height: snapshot.height(), rules: &rules, prices };
        let mut lent = self.lend(&snapshot);
        let pending = lent.overlay();
        let before: &Overlay<'_> = pending;
        let (changes, checked) = memory.in_order(&txs, &rules.chain.chain_id, |ask| {
            let mut overlay = Overlay::new(before);
            let mut checked = Vec::with_capacity(txs.len());
            for (place, (tx, request)) in txs.iter().zip(requests).enumerate() {
                let verify = |_: &Tx, signer, key: &_, number| match request.kind {
                    CheckKind::Recheck => Ok(()),
                    CheckKind::New => ask(place, signer, key, number),
                };
                checked.push(door.check(&mut overlay, tx, &verify));
            }
            (overlay.into_changes(), checked)
        });
        pending.apply(changes);
        drop(lent);
        for ((result, place), tx) in checked.into_iter().zip(&txs) {
            if let (Some(place), Ok(tx)) = (place, tx) {
                self.queue.put(tx.hash, place);
            }
            results.push(result);
        }
    }
}

/// What the checks of a batch share.
struct Door<'a> {
    height: Height,
    rules: &'a Rules,
    prices: &'a [GasPrice],
}

impl Door<'_> {
    fn check(
        &self,
        overlay: &mut Overlay<'_>,
        tx: &Result<Tx, Refusal>,
        verify: ante::Verify<'_>,
    ) -> (TxResult, Option<Place>) {
        let tx = match tx {
            Ok(tx) => tx,
            Err(refusal) => return (TxResult::refused(refusal.clone(), 0, 0), None),
        };
        let mut budget = Budget::of_block(self.rules);
        let context = Context {
            mode: Mode::Check,
            rules: self.rules,
            height: self.height,
            minimum_gas_prices: self.prices,
            verify,
        };
        let mut door = Overlay::silent(&*overlay);
        match ante::admit(&mut door, tx, &context, &mut budget) {
            Ok(admitted) => {
                // CometBFT sums what is wanted against the block's gas when it makes a proposal;
                // cyberlink transactions do not count there.
                let gas = signed(tx.gas());
                let wanted = if admitted.raw_units() > 0 { 0 } else { gas };
                let place = Place::of(&admitted);
                overlay.apply(door.into_changes());
                let result = TxResult {
                    code: code::OK,
                    data: Bytes::new(),
                    log: String::new(),
                    gas_wanted: wanted,
                    gas_used: gas,
                    events: Vec::new(),
                };
                (result, Some(place))
            }
            Err(refusal) => {
                let used = signed(tx.size_gas());
                (TxResult::refused(refusal, signed(tx.fee.gas_limit), used), None)
            }
        }
    }
}
