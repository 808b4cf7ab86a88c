//! A persistent tree of keys and values with the hashes, shapes and proofs of Cosmos IAVL, so that
//! existing ICS 23 verifiers check its proofs.
//!
//! Invariants: a clone costs nothing and never changes; between two calls every node has its hash;
//! the root is a function of the sequence of [`Tree::apply`] calls alone. Deliberately absent:
//! old versions (keep a clone), disk, and removal of single keys outside `apply`.

use super::hash::EMPTY;
use super::node::{self, Change, Effect, Inner, Leaf, Node, Subtree};
use crate::types::Hash;
use ics23::commitment_proof::Proof;
use ics23::{CommitmentProof, ExistenceProof, HashOp, InnerOp, LeafOp, LengthOp};
use std::collections::BTreeMap;

/// From this many changes on the hashes are worth several threads.
const PARALLEL_CHANGES: usize = 256;

/// How many levels are split between threads then: 64 tasks.
const SPLIT_LEVELS: u8 = 6;

/// The tree of one store. `Default` is empty.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub(super) root: Option<Subtree>,
}

impl Tree {
    /// The empty tree.
    pub fn new() -> Tree {
        Tree::default()
    }

    /// How many keys there are.
    pub fn len(&self) -> u64 {
        self.root.as_ref().map_or(0, |root| root.size())
    }

    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let leaf = self.leaf_toward(key, |_| ())?;
        (*leaf.key == *key).then_some(&leaf.value)
    }

    /// Visits the keys `from ≤ key < to` in ascending order (`to` none: to the end) until the
    /// visitor returns false.
    pub fn scan(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) {
        if let Some(root) = &self.root {
            scan(root, from, to, visit);
        }
    }

    /// Applies the changes of a block in ascending order of keys: a value sets, none removes. A
    /// key whose value stays the same, or that is not there to be removed, touches no node; every
    /// other change gives the nodes on its way the version. Hashes are up to date afterwards.
    ///
    /// # Panics
    /// An empty key is a programmer's mistake, as in the SDK.
    pub fn apply(&mut self, changes: &BTreeMap<Vec<u8>, Option<Vec<u8>>>, version: u64) {
        assert!(!changes.contains_key(&[][..]), "keys are not empty");
        let changes: Vec<Change<'_>> =
            changes.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
        // Values of present keys first, together: they move no node, so the result is the same as
        // in the order of keys (`tests::a_batch_is_the_same_as_its_changes_one_by_one`).
        let effects = self.effects(&changes);
        let with = |wanted: Effect| {
            let pairs = changes.iter().zip(&effects);
            pairs.filter(move |(_, effect)| **effect == wanted).map(|(change, _)| *change)
        };
        let values: Vec<Change<'_>> = with(Effect::Value).collect();
        if let (Some(root), false) = (&mut self.root, values.is_empty()) {
            node::overwrite(root, &values, version);
        }
        for (key, value) in with(Effect::Shape) {
            self.reshape(key, value, version);
        }
        if let Some(root) = &mut self.root {
            let split = if changes.len() < PARALLEL_CHANGES { 0 } else { SPLIT_LEVELS };
            node::rehash(root, split);
        }
    }

    /// What each change does.
    fn effects(&self, changes: &[Change<'_>]) -> Vec<Effect> {
        let mut effects = vec![Effect::Nothing; changes.len()];
        match &self.root {
            Some(root) => node::classify(root, changes, &mut effects),
            None => {
                for ((_, value), effect) in changes.iter().zip(&mut effects) {
                    *effect = if value.is_some() { Effect::Shape } else { Effect::Nothing };
                }
            }
        }
        effects
    }

    /// Sets a key that is not there or removes one that is.
    fn reshape(&mut self, key: &[u8], value: Option<&[u8]>, version: u64) {
        match (value, &mut self.root) {
            (Some(value), Some(root)) => node::insert(root, key, value, version),
            (Some(value), None) => self.root = Some(Node::leaf(key.into(), value.into(), version)),
            (None, Some(root)) if root.size() > 1 => {
                node::remove(root, key, version);
            }
            (None, _) => self.root = None,
        }
    }

    /// The root hash; SHA-256 of nothing for the empty tree.
    pub fn root(&self) -> Hash {
        self.root.as_ref().map_or(EMPTY, |root| *root.hash())
    }

    /// The proof that a key has its value, or that it is not there (by its neighbours). None for
    /// an empty tree, of which ICS 23 can prove nothing. An empty value is provable by no ICS 23
    /// verifier: the state has none.
    pub fn prove(&self, key: &[u8]) -> Option<CommitmentProof> {
        self.root.as_ref()?;
        if self.get(key).is_some() {
            return Some(CommitmentProof { proof: Some(Proof::Exist(self.prove_existence(key))) });
        }
        let (left, right) = self.neighbours(key);
        let proof = ics23::NonExistenceProof {
            key: key.to_vec(),
            left: left.map(|key| self.prove_existence(key)),
            right: right.map(|key| self.prove_existence(key)),
        };
        Some(CommitmentProof { proof: Some(Proof::Nonexist(proof)) })
    }

    /// The largest key below an absent one, and the smallest above.
    fn neighbours(&self, key: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
        let (mut left, mut right) = (None, None);
        let last = self.leaf_toward(key, |inner| match inner.is_left(key) {
            true => right = Some(&*inner.key),
            false => left = Some(&inner.left),
        });
        match last {
            Some(leaf) if *leaf.key < *key => (Some(&leaf.key), right),
            Some(leaf) => (left.map(largest), Some(&leaf.key)),
            None => (None, None),
        }
    }

    /// The proof of a key that is there.
    fn prove_existence(&self, key: &[u8]) -> ExistenceProof {
        let mut path = Vec::new();
        let leaf = self.leaf_toward(key, |inner| path.push(inner_op(inner, key)));
        let leaf = leaf.expect("the tree is not empty");
        path.reverse();
        ExistenceProof {
            key: leaf.key.to_vec(),
            value: leaf.value.to_vec(),
            leaf: Some(LeafOp {
                hash: HashOp::Sha256.into(),
                prehash_key: HashOp::NoHash.into(),
                prehash_value: HashOp::Sha256.into(),
                length: LengthOp::VarProto.into(),
                prefix: super::hash::leaf_prefix(leaf.version),
            }),
            path,
        }
    }

    /// Goes down to the leaf where a key is or would be, telling each inner node on the way.
    fn leaf_toward<'a>(&'a self, key: &[u8], mut on: impl FnMut(&'a Inner)) -> Option<&'a Leaf> {
        let mut at = self.root.as_ref()?;
        loop {
            match &**at {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => {
                    on(inner);
                    at = inner.child(key);
                }
            }
        }
    }
}

/// The step of a proof through an inner node, from the child of `key` up.
fn inner_op(inner: &Inner, key: &[u8]) -> InnerOp {
    const LENGTH: u8 = 32;
    let mut prefix = super::hash::node_prefix(inner.height, inner.size, inner.version);
    prefix.push(LENGTH);
    let mut suffix = Vec::new();
    if inner.is_left(key) {
        suffix.push(LENGTH);
        suffix.extend_from_slice(inner.right.hash());
    } else {
        prefix.extend_from_slice(inner.left.hash());
        prefix.push(LENGTH);
    }
    InnerOp { hash: HashOp::Sha256.into(), prefix, suffix }
}

fn largest(mut subtree: &Subtree) -> &[u8] {
    loop {
        match &**subtree {
            Node::Leaf(leaf) => return &leaf.key,
            Node::Inner(inner) => subtree = &inner.right,
        }
    }
}

/// Returns false when the visitor has had enough.
fn scan(
    node: &Node,
    from: &[u8],
    to: Option<&[u8]>,
    visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
) -> bool {
    match node {
        Node::Leaf(leaf) => {
            let inside = *leaf.key >= *from && to.is_none_or(|to| *leaf.key < *to);
            !inside || visit(&leaf.key, &leaf.value)
        }
        Node::Inner(inner) => {
            (*from >= *inner.key || scan(&inner.left, from, to, visit))
                && (to.is_some_and(|to| *to <= *inner.key) || scan(&inner.right, from, to, visit))
        }
    }
}

#[cfg(test)]
mod tests;
