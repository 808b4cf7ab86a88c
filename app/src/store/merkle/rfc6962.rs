//! The binary tree of RFC 6962 (Certificate Transparency): hashes, roots and audit paths, for
//! whoever can give the hash of a perfect subtree. A tree of `size` leaves is split at the largest
//! power of two below its size; leaves and inner nodes are hashed with different first bytes.
//!
//! A perfect subtree is named by its level (it has `2^level` leaves) and its position among the
//! subtrees of that level. Nothing here keeps a node; see [`super::log`] and [`super::ranks`].

use super::hash::EMPTY;
use crate::types::Hash;
use sha2::{Digest, Sha256};

const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];
const LOG: [u8; 1] = [2];

/// Gives the hash of the perfect subtree of a level and position.
pub type Subtrees<'a> = &'a dyn Fn(u32, u64) -> Hash;

/// The hash of a leaf.
pub fn leaf(bytes: &[u8]) -> Hash {
    Sha256::new_with_prefix(LEAF).chain_update(bytes).finalize().into()
}

/// The hash of an inner node.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [NODE[0]; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The root of a log: it binds the size, without which a proof for one index would also verify
/// for an index of another size.
pub fn log_root(size: u64, root: &Hash) -> Hash {
    let hasher = Sha256::new_with_prefix(LOG).chain_update(size.to_be_bytes());
    hasher.chain_update(root).finalize().into()
}

/// The hash of a perfect subtree over the hashes at its foot, a power of two of them.
pub fn perfect_root(mut hashes: Vec<Hash>) -> Hash {
    assert!(hashes.len().is_power_of_two(), "a perfect subtree has a power of two of leaves");
    while hashes.len() > 1 {
        hashes = hashes.chunks_exact(2).map(|pair| node(&pair[0], &pair[1])).collect();
    }
    hashes[0]
}

/// The perfect subtrees that make up a tree, largest (leftmost) first: at most 64.
pub fn peaks(size: u64) -> impl Iterator<Item = (u32, u64)> {
    let levels = (0..64).rev().filter(move |level| size >> level & 1 == 1);
    // The leaves before a peak are those of all larger ones, a multiple of its own size.
    levels.map(move |level| (level, (size >> level) - 1))
}

/// The root over the hashes of the peaks, largest first.
pub fn bag(peaks: &[Hash]) -> Hash {
    let Some((last, larger)) = peaks.split_last() else { return EMPTY };
    larger.iter().rev().fold(*last, |right, left| node(left, &right))
}

/// The root of a tree whose perfect subtrees are at hand.
pub fn root(size: u64, subtrees: Subtrees<'_>) -> Hash {
    bag(&peaks(size).map(|(level, position)| subtrees(level, position)).collect::<Vec<_>>())
}

/// The audit path of a leaf: the siblings from the leaf up.
///
/// # Panics
/// The index is below the size.
pub fn audit_path(index: u64, size: u64, subtrees: Subtrees<'_>) -> Vec<Hash> {
    assert!(index < size, "leaf {index} is not below the size {size}");
    let peaks: Vec<(u32, u64)> = peaks(size).collect();
    let own = |(level, position): &(u32, u64)| index >> level == *position;
    let at = peaks.iter().position(own).expect("the peaks cover every leaf");
    let hashes = |peaks: &[(u32, u64)]| -> Vec<Hash> {
        peaks.iter().map(|(level, position)| subtrees(*level, *position)).collect()
    };
    let mut path: Vec<Hash> =
        (0..peaks[at].0).map(|level| subtrees(level, index >> level ^ 1)).collect();
    if at + 1 < peaks.len() {
        path.push(bag(&hashes(&peaks[at + 1..])));
    }
    path.extend(hashes(&peaks[..at]).iter().rev());
    path
}

/// The root that an audit path leads to; `None` if its length is not that of the index and size.
pub fn root_from_path(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    // Position of the node reached and of the last node, at each level in turn.
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    let mut path = path.iter();
    while last > 0 {
        if at & 1 == 1 {
            hash = node(path.next()?, &hash);
        } else if at < last {
            hash = node(&hash, path.next()?);
        }
        // Otherwise the node is the last of its level without a sibling and moves up as it is.
        (at, last) = (at >> 1, last >> 1);
    }
    path.next().is_none().then_some(hash)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word for word: MTH of a list of leaves.
    pub fn naive_root(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => EMPTY,
            [one] => Sha256::digest([&[0], one.as_slice()].concat()).into(),
            many => {
                let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
                let (left, right) = (naive_root(left), naive_root(right));
                Sha256::digest([&[1], &left[..], &right[..]].concat()).into()
            }
        }
    }

    /// The definition, word for word: PATH of a leaf.
    pub fn naive_path(index: usize, leaves: &[Vec<u8>]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        let (mut path, sibling) = match index < split {
            true => (naive_path(index, left), naive_root(right)),
            false => (naive_path(index - split, right), naive_root(left)),
        };
        path.push(sibling);
        path
    }

    pub fn leaves(size: u64) -> Vec<Vec<u8>> {
        (0..size).map(|n| n.to_be_bytes()[8 - n as usize % 9..].to_vec()).collect()
    }

    proptest! {
        #[test]
        fn roots_and_paths_are_those_of_the_definition(size in 1u64..70, index in 0u64..70) {
            let (all, index) = (leaves(size), index % size);
            let subtree = |level: u32, position: u64| {
                let from = (position << level) as usize;
                naive_root(&all[from..from + (1 << level)])
            };
            prop_assert_eq!(root(size, &subtree), naive_root(&all));
            let path = audit_path(index, size, &subtree);
            prop_assert_eq!(&path, &naive_path(index as usize, &all));
            let own = leaf(&all[index as usize]);
            prop_assert_eq!(root_from_path(own, index, size, &path), Some(naive_root(&all)));
        }

        #[test]
        fn a_path_of_another_length_leads_nowhere(size in 1u64..70, index in 0u64..70) {
            let (all, index) = (leaves(size), index % size);
            let path = naive_path(index as usize, &all);
            let own = leaf(&all[index as usize]);
            let longer = [path.clone(), vec![own]].concat();
            prop_assert_eq!(root_from_path(own, index, size, &longer), None);
            if let Some((_, shorter)) = path.split_last() {
                prop_assert_eq!(root_from_path(own, index, size, shorter), None);
            }
            prop_assert_eq!(root_from_path(own, size, size, &path), None);
        }
    }

    #[test]
    fn the_empty_tree_has_the_hash_of_nothing() {
        assert_eq!(root(0, &|_, _| unreachable!()), EMPTY);
    }

    #[test]
    fn the_largest_size_has_64_peaks() {
        assert_eq!(peaks(u64::MAX).count(), 64);
        assert_eq!(peaks(6).collect::<Vec<_>>(), [(2, 0), (1, 2)]);
    }
}
