//! Signatures: checked on all cores beside the ordered work that asks for them, and remembered
//! where they hold, so that a transaction seen in CheckTx costs no second check in its block. A
//! memory of this node; it changes no result.

use crate::error::Refusal;
use crate::tx::{self, PublicKey, Tx};
use crate::types::Hash;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Signatures per generation; two generations are kept, 32 bytes and some tree each.
const GENERATION: usize = 100_000;

/// Asks for a check: (place of the transaction, place of the signer in it, key, account number).
pub type Ask<'a> = &'a dyn Fn(usize, usize, &PublicKey, u64) -> Result<(), Refusal>;

/// What was found good, newest generation first.
#[derive(Default)]
pub struct SignatureMemory {
    generations: Mutex<[BTreeSet<Hash>; 2]>,
}

impl SignatureMemory {
    /// Runs a pass over transactions in order: first as if every signature held, while the other
    /// cores check those it asks for; if one does not hold, once more from the beginning, with
    /// what is known by then. So the outcome is that of checking each in its turn.
    pub fn in_order<T: Send>(
        &self,
        txs: &[Result<Tx, Refusal>],
        chain_id: &str,
        pass: impl Fn(Ask<'_>) -> T + Sync,
    ) -> T {
        let refused = Mutex::new(BTreeMap::new());
        let tx = |place: usize| txs[place].as_ref().expect("what has signers was decoded");
        let first = rayon::scope(|scope| {
            pass(&|place, signer, key, number| {
                let (refused, key) = (&refused, key.clone());
                scope.spawn(move |_| {
                    let name = name(tx(place), &key, chain_id, number);
                    let checked = self
                        .verify(&name, || tx::verify(tx(place), signer, &key, chain_id, number));
                    if let Err(refusal) = checked {
                        lock(refused).insert((name, signer), refusal);
                    }
                });
                Ok(())
            })
        });
        let refused = refused.into_inner().unwrap_or_else(PoisonError::into_inner);
        if refused.is_empty() {
            return first;
        }
        drop(first);
        pass(&|place, signer, key, number| {
            let name = name(tx(place), key, chain_id, number);
            match refused.get(&(name, signer)) {
                Some(refusal) => Err(refusal.clone()),
                None => self.verify(&name, || tx::verify(tx(place), signer, key, chain_id, number)),
            }
        })
    }

    /// Remembers that a signature holds, or checks it.
    fn verify(
        &self,
        name: &Hash,
        check: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if lock(&self.generations).iter().any(|generation| generation.contains(name)) {
            return Ok(());
        }
        check()?;
        let mut generations = lock(&self.generations);
        if generations[0].len() >= GENERATION {
            generations.swap(0, 1);
            generations[0].clear();
        }
        generations[0].insert(*name);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a positive result holds for: these bytes, this key, this account, this chain.
fn name(tx: &Tx, key: &PublicKey, chain_id: &str, account_number: u64) -> Hash {
    use sha2::Digest;
    let mut hasher = sha2::Sha256::new();
    hasher.update(tx.hash);
    hasher.update(key.amino_bytes());
    hasher.update(account_number.to_be_bytes());
    hasher.update(chain_id.as_bytes());
    hasher.finalize().into()
}
