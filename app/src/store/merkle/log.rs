//! A log: leaves that are only ever appended, under an RFC 6962 tree. The leaves themselves stand
//! elsewhere (columns); the log keeps what it needs to append, and the hashes of complete subtrees
//! of 256, 256², … leaves (an eighth of a byte per leaf), so that a proof reads 256 leaves and
//! never the whole column.
//!
//! Invariants: a clone shares everything appended so far and never changes; the root depends on
//! the leaves alone, not on how they were batched. Deliberately absent: the leaves, changing or
//! removing one.

use super::rfc6962::{self, log_root};
use crate::types::Hash;
use rayon::prelude::*;
use std::sync::Arc;

/// Levels between two kept ones: subtrees of `2^GROUP_LEVELS` leaves are kept.
const GROUP_LEVELS: u32 = 8;
const GROUP: u64 = 1 << GROUP_LEVELS;

/// Gives the bytes of a leaf by its index.
pub type Leaves<'a> = &'a (dyn Fn(u64) -> Vec<u8> + Sync);

/// The tree over a log. `Default` is empty.
#[derive(Clone, Debug, Default)]
pub struct Log {
    size: u64,
    /// The roots of the perfect subtrees that make up the log, largest first.
    peaks: Vec<Hash>,
    /// The hashes of complete subtrees of 256 leaves, of 256², and so on.
    tiers: Vec<Tier>,
}

/// That a leaf has an index in a structure of a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    pub index: u64,
    pub size: u64,
    /// The siblings, from the leaf up.
    pub path: Vec<Hash>,
}

impl Log {
    /// The empty log.
    pub fn new() -> Log {
        Log::default()
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf.
    pub fn append(&mut self, leaf: &[u8]) {
        self.push(0, rfc6962::leaf(leaf));
    }

    /// Appends leaves until there are `size`, taking each from `leaves` by its index; large
    /// batches are hashed on several threads.
    pub fn extend_to(&mut self, size: u64, leaves: Leaves<'_>) {
        let first_whole = self.size.next_multiple_of(GROUP).min(size);
        self.push_each(first_whole, leaves);
        let whole = (size - self.size) / GROUP;
        let first = self.size / GROUP;
        let groups: Vec<Hash> = (first..first + whole)
            .into_par_iter()
            .map(|group| rfc6962::perfect_root(leaf_hashes(group * GROUP, GROUP, leaves)))
            .collect();
        groups.into_iter().for_each(|hash| self.push(GROUP_LEVELS, hash));
        self.push_each(size, leaves);
    }

    /// The root in the sense of RFC 6962; SHA-256 of nothing for the empty log.
    pub fn rfc6962_root(&self) -> Hash {
        rfc6962::bag(&self.peaks)
    }

    /// The root that stands in the app hash, with the size bound in.
    pub fn root(&self) -> Hash {
        log_root(self.size, &self.rfc6962_root())
    }

    /// The proof that the leaf of an index is in this log. Reads at most 256 leaves, those whose
    /// index differs in the last eight bits.
    ///
    /// # Panics
    /// The index is below the size.
    pub fn prove(&self, index: u64, leaves: Leaves<'_>) -> Inclusion {
        let subtrees = |level: u32, position: u64| self.subtree(level, position, leaves);
        let path = rfc6962::audit_path(index, self.size, &subtrees);
        Inclusion { index, size: self.size, path }
    }

    fn push_each(&mut self, size: u64, leaves: Leaves<'_>) {
        for index in self.size..size {
            self.push(0, rfc6962::leaf(&leaves(index)));
        }
    }

    /// Appends a perfect subtree; the size is a multiple of its leaves.
    fn push(&mut self, level: u32, mut hash: Hash) {
        let mut at = level;
        loop {
            if at > 0 && at.is_multiple_of(GROUP_LEVELS) {
                self.keep((at / GROUP_LEVELS - 1) as usize, hash);
            }
            if self.size >> at & 1 == 0 {
                break;
            }
            let left = self.peaks.pop().expect("one peak for each bit of the size");
            hash = rfc6962::node(&left, &hash);
            at += 1;
        }
        self.peaks.push(hash);
        self.size += 1 << level;
    }

    fn keep(&mut self, tier: usize, hash: Hash) {
        if tier == self.tiers.len() {
            self.tiers.push(Tier::default());
        }
        self.tiers[tier].push(hash);
    }

    /// The hash of a complete perfect subtree, from the next tier below it.
    fn subtree(&self, level: u32, position: u64, leaves: Leaves<'_>) -> Hash {
        let (tier, levels) = (level / GROUP_LEVELS, level % GROUP_LEVELS);
        let (from, count) = (position << levels, 1 << levels);
        rfc6962::perfect_root(match tier {
            0 => leaf_hashes(from, count, leaves),
            tier => {
                let kept = &self.tiers[tier as usize - 1];
                (from..from + count).map(|at| kept.get(at)).collect()
            }
        })
    }
}

fn leaf_hashes(from: u64, count: u64, leaves: Leaves<'_>) -> Vec<Hash> {
    (from..from + count).map(|index| rfc6962::leaf(&leaves(index))).collect()
}

/// Hashes in order, shared between clones: appending to one copies less than [`GROUP`] of them.
#[derive(Clone, Debug, Default)]
struct Tier {
    full: Arc<Vec<Arc<[Hash]>>>,
    tail: Arc<Vec<Hash>>,
}

impl Tier {
    fn push(&mut self, hash: Hash) {
        let tail = Arc::make_mut(&mut self.tail);
        tail.push(hash);
        if tail.len() as u64 == GROUP {
            Arc::make_mut(&mut self.full).push(tail.as_slice().into());
            tail.clear();
        }
    }

    fn get(&self, at: u64) -> Hash {
        let (group, within) = ((at / GROUP) as usize, (at % GROUP) as usize);
        self.full.get(group).map_or_else(|| self.tail[within], |group| group[within])
    }
}

/// Whether the proof shows that `leaf` has the index in the structure of the size and root (the
/// root that stands in the app hash).
pub fn verify_inclusion(root: &Hash, size: u64, index: u64, leaf: &[u8], path: &[Hash]) -> bool {
    rfc6962::root_from_path(rfc6962::leaf(leaf), index, size, path)
        .is_some_and(|found| log_root(size, &found) == *root)
}

#[cfg(test)]
mod tests {
    use super::super::rfc6962::tests::{leaves, naive_path, naive_root};
    use super::*;
    use proptest::prelude::*;

    fn grown(sizes: &[u64], all: &[Vec<u8>]) -> Log {
        let mut log = Log::new();
        for size in sizes {
            log.extend_to(*size, &|index| all[index as usize].clone());
        }
        log
    }

    fn sizes() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(prop_oneof![1u64..600, 1u64..3000], 1..5).prop_map(|mut sizes| {
            sizes.sort_unstable();
            sizes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn proves_what_the_definition_says(sizes in sizes(), index in any::<u64>()) {
            let size = *sizes.last().expect("some size");
            let (all, index) = (leaves(size), index % size);
            let log = grown(&sizes, &all);
            prop_assert_eq!(log.rfc6962_root(), naive_root(&all));
            let source = |index: u64| all[index as usize].clone();
            let proof = log.prove(index, &source);
            prop_assert_eq!(&proof.path, &naive_path(index as usize, &all));
            let (root, leaf) = (log.root(), &all[index as usize]);
            prop_assert!(verify_inclusion(&root, size, index, leaf, &proof.path));
            for (size, index) in [(size + 1, index), (size - 1, index), (size, index ^ 1)] {
                prop_assert!(!verify_inclusion(&root, size, index, leaf, &proof.path));
            }
            prop_assert!(!verify_inclusion(&root, size, index, b"another leaf", &proof.path));
        }

        #[test]
        fn batches_make_no_difference_and_clones_stay(sizes in sizes()) {
            let size = *sizes.last().expect("some size");
            let all = leaves(size);
            let mut one_by_one = Log::new();
            let mut kept = Vec::new();
            for leaf in &all {
                kept.push((one_by_one.clone(), one_by_one.root()));
                one_by_one.append(leaf);
            }
            prop_assert_eq!(grown(&sizes, &all).root(), one_by_one.root());
            let source = |index: u64| all[index as usize].clone();
            for (log, root) in kept.iter().skip(1).step_by(97) {
                prop_assert_eq!(&log.root(), root);
                let proof = log.prove(log.size() / 2, &source);
                let leaf = source(proof.index);
                prop_assert!(verify_inclusion(root, log.size(), proof.index, &leaf, &proof.path));
            }
        }
    }

    #[test]
    fn a_log_of_three_tiers_proves_every_kind_of_path() {
        let size = 256 * 256 + 256 * 3 + 5;
        let source = |index: u64| index.to_be_bytes().to_vec();
        let mut log = Log::new();
        log.extend_to(size, &source);
        for index in [0, 255, 256, 65_535, 65_536, 65_536 + 256 * 3 - 1, size - 1] {
            let path = log.prove(index, &source).path;
            assert!(verify_inclusion(&log.root(), size, index, &source(index), &path), "{index}");
        }
    }

    #[test]
    fn the_root_of_an_empty_log_binds_size_zero() {
        let expected =
            crate::types::sha256(&[&[2; 1][..], &[0; 8], &super::super::hash::EMPTY].concat());
        assert_eq!(Log::new().root(), expected);
    }
}
