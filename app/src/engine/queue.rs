//! What CheckTx admitted since the last commit, in its order.
//!
//! CometBFT offers for a proposal what waits in its mempool, in the order it was checked. If that
//! is the beginning of what was admitted here, all of one kind, the door need not be asked again:
//! the same transactions in the same order on the same state were let in, and one height more only
//! adds to what neurons may write (`tests::what_was_checked_before_makes_the_same_proposal`).
//! Anything else, a gap or a mixture, goes through the door (`proposal.rs`). A memory of this node.

use crate::ante::Admitted;
use crate::types::Hash;
use std::collections::BTreeMap;

/// Transactions that are remembered; a longer mempool goes through the door.
const LONGEST: usize = 200_000;

/// The admitted, by the hash of their bytes.
#[derive(Default)]
pub struct Queue {
    /// Each with its number, counted from the first since the commit.
    places: BTreeMap<Hash, (usize, Place)>,
}

/// An admitted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Raw units of bandwidth; 0 for a transaction that pays fees.
    pub raw_units: u64,
    /// Gas that it may take, where it pays fees.
    pub gas: u64,
    /// The last height at which it may enter a block; 0: any.
    pub timeout_height: u64,
}

impl Place {
    /// That of an admitted transaction.
    pub fn of(admitted: &Admitted<'_>) -> Place {
        let (tx, raw_units) = (admitted.tx(), admitted.raw_units());
        let gas = if raw_units > 0 { 0 } else { tx.fee.gas_limit };
        Place { raw_units, gas, timeout_height: tx.timeout_height }
    }

    fn is_links(&self) -> bool {
        self.raw_units > 0
    }
}

impl Queue {
    /// Puts one behind those that are there.
    pub fn put(&mut self, hash: Hash, place: Place) {
        let number = self.places.len();
        if number < LONGEST {
            self.places.insert(hash, (number, place));
        }
    }

    /// The places of these transactions, if they are the first ones, all of one kind, and none is
    /// too late for this height.
    pub fn beginning(&self, hashes: &[Hash], height: u64) -> Option<Vec<Place>> {
        let mut places = Vec::with_capacity(hashes.len());
        for (number, hash) in (0..).zip(hashes) {
            let (_, place) = self.places.get(hash).filter(|(own, _)| *own == number)?;
            let in_time = place.timeout_height == 0 || height <= place.timeout_height;
            let alike =
                places.first().is_none_or(|first: &Place| first.is_links() == place.is_links());
            if !in_time || !alike {
                return None;
            }
            places.push(*place);
        }
        Some(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::code;
    use crate::testkit::wallet::TxOptions;
    use crate::testkit::{Chain, Wallet};
    use crate::types::{Amount, Coin, Particle};
    use proptest::prelude::*;

    const NAMES: [&str; 3] = ["alice", "bob", "carol"];

    fn particle(of: u8) -> Particle {
        Particle(crate::types::sha256(&[of]))
    }

    /// Links, payments and nonsense of several neurons; a transaction may be of a wrong sequence.
    fn transactions(chain: &Chain, what: &[(usize, u8, bool)]) -> Vec<prost::bytes::Bytes> {
        let mut wallets: Vec<Wallet> = NAMES.iter().map(|name| chain.wallet(name)).collect();
        let to = wallets[0].address();
        let make = |(place, (who, kind, right)): (usize, &(usize, u8, bool))| {
            let wallet = &mut wallets[*who];
            let link = (particle(place as u8), particle(100 + *kind));
            let message = match kind {
                0..=6 => wallet.link_message(&[link], false),
                _ => wallet.send_message(&to, &[Coin::new("boot", Amount(5))]),
            };
            let tx = wallet.sign_at(vec![message], &TxOptions::default(), wallet.sequence);
            wallet.sequence += u64::from(*right);
            tx
        };
        what.iter().enumerate().map(make).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn what_was_checked_before_makes_the_same_proposal(
            what in proptest::collection::vec((0..3_usize, 0..8_u8, any::<bool>()), 1..30),
            links_only in any::<bool>(),
            taken in 0..30_usize,
        ) {
            let what: Vec<_> = what
                .into_iter()
                .map(|(who, kind, right)| (who, if links_only { kind.min(6) } else { kind }, right))
                .collect();
            let mut checked = Chain::new();
            let mut other = Chain::new();
            let txs = transactions(&checked, &what);
            let results = checked.check(&txs);
            let pool = txs.into_iter().zip(results).filter(|(_, result)| result.code == code::OK);
            let pool: Vec<_> = pool.map(|(tx, _)| tx).take(taken).collect();
            let proposed = checked.propose(pool.clone(), 1 << 20);
            prop_assert_eq!(&proposed, &other.propose(pool.clone(), 1 << 20));
            if links_only {
                prop_assert_eq!(proposed.len(), pool.len());
                let few = checked.propose(pool.clone(), 700);
                prop_assert_eq!(few, other.propose(pool, 700));
            }
            let outcome = checked.block(proposed.clone());
            prop_assert!(outcome.results.iter().all(|result| result.code == code::OK));
            prop_assert_eq!(outcome.app_hash, other.block(proposed).app_hash);
        }
    }

    #[test]
    fn a_gap_a_mixture_and_a_late_transaction_go_through_the_door() {
        let place = |raw_units, timeout_height| Place { raw_units, gas: 0, timeout_height };
        let mut queue = Queue::default();
        for (hash, place) in [(1, place(5, 0)), (2, place(5, 9)), (3, place(0, 0))] {
            queue.put([hash; 32], place);
        }
        let asked = |hashes: &[u8], height| {
            let hashes: Vec<Hash> = hashes.iter().map(|hash| [*hash; 32]).collect();
            queue.beginning(&hashes, height).map(|places| places.len())
        };
        assert_eq!(asked(&[], 5), Some(0));
        assert_eq!(asked(&[1, 2], 9), Some(2));
        assert_eq!(asked(&[1, 2], 10), None, "late");
        assert_eq!(asked(&[1, 2, 3], 5), None, "a mixture");
        assert_eq!(asked(&[2], 5), None, "not the first");
        assert_eq!(asked(&[2, 1], 5), None, "another order");
        assert_eq!(asked(&[1, 4], 5), None, "unknown");
    }
}
