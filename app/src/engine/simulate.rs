//! Simulation: a transaction tried on the state that CheckTx sees, its messages included, and
//! everything dropped again. Neither gas nor signatures are asked for.
//!
//! Clients simulate before they sign, so what is missing is added to the gas as the SDK does it;
//! and they ask for their committed sequence while earlier transactions of theirs still wait, so
//! any sequence from the committed to the pending one will do.

use super::check::CheckState;
use super::deliver::{deliver_tx, signed, Delivered};
use super::{Engine, TxResult};
use crate::ante::{Budget, Context, Mode};
use crate::error::{code, Refusal};
use crate::modules::{auth, Rules};
use crate::state::{Overlay, Read};
use crate::tx::{self, Mode as SignerMode, PublicKey, Tx};
use crate::types::Address;
use prost::bytes::Bytes;

/// What the SDK counts for a signature and key that are not there yet.
const SIGNATURE_BYTES: u64 = 112;
/// Gas of a byte and of a signature, as in [`Tx::gas`].
const GAS_PER_BYTE: u64 = 10;
const GAS_PER_SIGNATURE: u64 = 1_000;
/// Signatures counted for a multisig account whose keys nobody knows.
const MULTISIG_SIGNATURES: u64 = 7;

impl Engine {
    /// What the transaction would do and cost if it came next. Changes nothing.
    pub fn simulate(&self, bytes: Bytes) -> TxResult {
        simulate(&mut self.check_state(), bytes)
    }
}

fn simulate(state: &mut CheckState, bytes: Bytes) -> TxResult {
    let Some(snapshot) = state.snapshot.clone() else {
        let refusal = Refusal::new(code::INVALID_HEIGHT, "the chain has not started yet");
        return TxResult::refused(refusal, 0, 0);
    };
    let rules = Rules::read(snapshot.as_ref());
    let mut tx = match tx::decode_simulation(bytes, &rules.chain.address_prefix) {
        Ok(tx) => tx,
        Err(refusal) => return TxResult::refused(refusal, 0, 0),
    };
    let mut lent = state.lend(&snapshot);
    let pending: &Overlay<'_> = lent.overlay();
    accept_sequences(&mut tx, snapshot.as_ref(), pending);
    let missing = gas_of_the_missing(&tx, pending);
    let context = Context {
        mode: Mode::Simulate,
        rules: &rules,
        height: snapshot.height(),
        minimum_gas_prices: &[],
        verify: &|_, _, _, _| Ok(()),
    };
    let mut budget = Budget::of_block(&rules);
    let mut scratch = Overlay::new(pending);
    let Delivered { mut result, .. } = deliver_tx(&mut scratch, &Ok(tx), &context, &mut budget);
    result.gas_used = result.gas_used.saturating_add(signed(missing));
    result
}

/// Reads a sequence between the committed and the pending one as the pending one.
fn accept_sequences(tx: &mut Tx, committed: &dyn Read, pending: &dyn Read) {
    let signers = tx.signers();
    for (signer, info) in signers.iter().zip(&mut tx.signer_infos) {
        let sequence = |state| auth::state::account(state, signer).map(|it| it.base().sequence);
        if let (Some(low), Some(high)) = (sequence(committed), sequence(pending)) {
            if (low..=high).contains(&info.sequence) {
                info.sequence = high;
            }
        }
    }
}

/// The gas of signatures and keys that the transaction will have when it is signed.
fn gas_of_the_missing(tx: &Tx, state: &dyn Read) -> u64 {
    let gas_of = |(index, signer): (usize, &Address)| {
        let info = tx.signer_infos.get(index);
        let given = info.and_then(|info| info.public_key.clone());
        let is_signed = tx.signatures.get(index).is_some_and(|bytes| !bytes.is_empty());
        if is_signed && given.is_some() {
            return 0;
        }
        let account = auth::state::account(state, signer);
        let stored = account.and_then(|account| account.base().pub_key.clone());
        let stored = stored.and_then(|any| PublicKey::from_any(&any).ok());
        let mode = info.map(|info| &info.mode);
        let signatures = match (stored.or(given), mode) {
            (Some(key), _) => key.key_count() as u64,
            (None, Some(SignerMode::Multi { .. })) => MULTISIG_SIGNATURES,
            (None, _) => 1,
        };
        let counted = mode.map_or(0, |mode| mode.signature_count() as u64);
        signatures * SIGNATURE_BYTES * GAS_PER_BYTE
            + signatures.saturating_sub(counted) * GAS_PER_SIGNATURE
    };
    tx.signers().iter().enumerate().map(gas_of).sum()
}
