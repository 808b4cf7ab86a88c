//! Signatures checked before: a positive result is remembered, so that a transaction seen in
//! CheckTx costs no second check in its block. A memory of this node; it changes no result.

use crate::error::Refusal;
use crate::modules::{auth, params};
use crate::state::Read;
use crate::tx::{self, PublicKey, Tx};
use crate::types::Hash;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Signatures per generation; two generations are kept, 32 bytes and some tree each.
const GENERATION: usize = 100_000;

/// What was found good, newest generation first.
#[derive(Default)]
pub struct SignatureMemory {
    generations: Mutex<[BTreeSet<Hash>; 2]>,
}

impl SignatureMemory {
    /// Checks a signature, or remembers that it was good.
    pub fn verify(
        &self,
        (tx, index): (&Tx, usize),
        key: &PublicKey,
        chain_id: &str,
        account_number: u64,
    ) -> Result<(), Refusal> {
        let name = name(tx, key, chain_id, account_number);
        if self.knows(&name) {
            return Ok(());
        }
        tx::verify(tx, index, key, chain_id, account_number)?;
        let mut generations = self.lock();
        if generations[0].len() >= GENERATION {
            generations.swap(0, 1);
            generations[0].clear();
        }
        generations[0].insert(name);
        Ok(())
    }

    /// Checks the signatures of many transactions on all cores, against the accounts as they
    /// stand. What fails here, or is not known yet, is checked again in its turn.
    pub fn prefetch(&self, state: &dyn Read, txs: &[&Tx]) {
        let chain = params::state::chain(state);
        let prefix = &chain.chain_id;
        txs.par_iter().for_each(|tx| {
            for (index, signer) in tx.signers().iter().enumerate() {
                let Some(account) = auth::state::account(state, signer) else { continue };
                let given = tx.signer_infos.get(index).and_then(|info| info.public_key.clone());
                let stored = account.base().pub_key.as_ref();
                let stored = stored.and_then(|any| PublicKey::from_any(any).ok());
                let Some(key) = stored.or(given) else { continue };
                let number = account.base().account_number;
                // A bad signature is refused in its turn, with its text.
                drop(self.verify((tx, index), &key, prefix, number));
            }
        });
    }

    fn knows(&self, name: &Hash) -> bool {
        self.lock().iter().any(|generation| generation.contains(name))
    }

    fn lock(&self) -> MutexGuard<'_, [BTreeSet<Hash>; 2]> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a positive result holds for: these bytes, this key, this account, this chain.
fn name(tx: &Tx, key: &PublicKey, chain_id: &str, account_number: u64) -> Hash {
    use sha2::Digest;
    let mut hasher = sha2::Sha256::new();
    hasher.update(tx.hash);
    hasher.update(key.address().as_bytes());
    hasher.update(account_number.to_be_bytes());
    hasher.update(chain_id.as_bytes());
    hasher.finalize().into()
}
