//! A tree as a sequence of nodes, children before their parent (left, right, parent), and the way
//! back: what checkpoints hold.
//!
//! Bytes of a node: a leaf is `0x01 ‖ version ‖ length of key ‖ key ‖ length of value ‖ value`, an
//! inner node is `0x00 ‖ version`; numbers are protobuf varints. An inner node needs no more: its
//! children are the two subtrees before it, its key is the smallest of the right one.
//!
//! Invariant: [`Builder::finish`] gives a tree only if its shape is one that [`Tree::apply`] makes
//! and its root is the expected one, so a tree from a checkpoint is as good as the one exported.

use super::hash::put_unsigned;
use super::node::{self, Node, Subtree};
use super::tree::Tree;
use crate::types::Hash;
use std::sync::Arc;

/// Levels hashed on several threads when a tree is rebuilt.
const SPLIT_LEVELS: u8 = 8;

/// One node of an exported tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportedNode {
    Leaf { version: u64, key: Vec<u8>, value: Vec<u8> },
    Inner { version: u64 },
}

/// Why a sequence of nodes is no tree.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RebuildError {
    #[error("an inner node came before its children")]
    Children,
    #[error("a node ends early or has a number above 2^63 - 1 or longer than it need be")]
    Truncated,
    #[error("unknown node tag {0}")]
    Tag(u8),
    #[error("keys do not ascend at {0}")]
    Order(String),
    #[error("heights {0} and {1} of two siblings differ by more than one")]
    Balance(u8, u8),
    #[error("{0} subtrees are left over where one tree was expected")]
    Leftover(usize),
    #[error("root is {got}, expected {expected}")]
    Root { got: String, expected: String },
}

impl ExportedNode {
    /// Appends the bytes of the node.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ExportedNode::Leaf { version, key, value } => {
                out.push(1);
                put_unsigned(out, *version);
                for part in [key, value] {
                    put_unsigned(out, part.len() as u64);
                    out.extend_from_slice(part);
                }
            }
            ExportedNode::Inner { version } => {
                out.push(0);
                put_unsigned(out, *version);
            }
        }
    }

    /// Takes a node off the front of the bytes.
    pub fn decode(bytes: &mut &[u8]) -> Result<ExportedNode, RebuildError> {
        let (tag, rest) = bytes.split_first().ok_or(RebuildError::Truncated)?;
        *bytes = rest;
        let version = take_unsigned(bytes)?;
        match tag {
            0 => Ok(ExportedNode::Inner { version }),
            1 => {
                let (key, value) = (take_bytes(bytes)?, take_bytes(bytes)?);
                Ok(ExportedNode::Leaf { version, key, value })
            }
            tag => Err(RebuildError::Tag(*tag)),
        }
    }
}

fn take_unsigned(bytes: &mut &[u8]) -> Result<u64, RebuildError> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(RebuildError::Truncated)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            // One state, one sequence of bytes: no zeros in front.
            let is_shortest = *byte != 0 || shift == 0;
            return is_shortest.then_some(number).ok_or(RebuildError::Truncated);
        }
    }
    Err(RebuildError::Truncated)
}

fn take_bytes(bytes: &mut &[u8]) -> Result<Vec<u8>, RebuildError> {
    let length = usize::try_from(take_unsigned(bytes)?).map_err(|_| RebuildError::Truncated)?;
    let (part, rest) = bytes.split_at_checked(length).ok_or(RebuildError::Truncated)?;
    *bytes = rest;
    Ok(part.to_vec())
}

/// The nodes of a tree, children first. Holds the tree, so the export may run in the background.
pub struct Export {
    /// Subtrees to come, last first; an inner node whose children came is marked true.
    pending: Vec<(Subtree, bool)>,
}

impl Tree {
    /// The nodes of this tree, children first.
    pub fn export(&self) -> Export {
        Export { pending: self.root.iter().map(|root| (root.clone(), false)).collect() }
    }
}

impl Iterator for Export {
    type Item = ExportedNode;

    fn next(&mut self) -> Option<ExportedNode> {
        loop {
            let (subtree, children_done) = self.pending.pop()?;
            match &*subtree {
                Node::Leaf(leaf) => {
                    let (key, value) = (leaf.key.to_vec(), leaf.value.to_vec());
                    return Some(ExportedNode::Leaf { version: leaf.version, key, value });
                }
                Node::Inner(inner) if children_done => {
                    return Some(ExportedNode::Inner { version: inner.version });
                }
                Node::Inner(inner) => {
                    let (left, right) = (inner.left.clone(), inner.right.clone());
                    self.pending.push((subtree, true));
                    self.pending.push((right, false));
                    self.pending.push((left, false));
                }
            }
        }
    }
}

/// Builds a tree from its exported nodes, one by one.
#[derive(Default)]
pub struct Builder {
    subtrees: Vec<Built>,
    last_key: Option<Arc<[u8]>>,
}

struct Built {
    subtree: Subtree,
    smallest: Arc<[u8]>,
}

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Takes the next node.
    pub fn push(&mut self, node: ExportedNode) -> Result<(), RebuildError> {
        match node {
            ExportedNode::Leaf { version, key, value } => {
                let key: Arc<[u8]> = key.into();
                if key.is_empty() || self.last_key.as_ref().is_some_and(|last| *last >= key) {
                    return Err(RebuildError::Order(hex::encode(&key)));
                }
                self.last_key = Some(key.clone());
                let subtree = Node::leaf(key.clone(), value.into(), version);
                self.subtrees.push(Built { subtree, smallest: key });
            }
            ExportedNode::Inner { version } => {
                let right = self.subtrees.pop().ok_or(RebuildError::Children)?;
                let left = self.subtrees.pop().ok_or(RebuildError::Children)?;
                let (low, high) = (left.subtree.height(), right.subtree.height());
                if low.abs_diff(high) > 1 {
                    return Err(RebuildError::Balance(low, high));
                }
                let subtree = Node::inner(right.smallest, left.subtree, right.subtree, version);
                self.subtrees.push(Built { subtree, smallest: left.smallest });
            }
        }
        Ok(())
    }

    /// The tree, hashed on all cores, if its root is the expected one.
    pub fn finish(mut self, expected: &Hash) -> Result<Tree, RebuildError> {
        let mut tree = Tree { root: self.subtrees.pop().map(|built| built.subtree) };
        if !self.subtrees.is_empty() {
            return Err(RebuildError::Leftover(self.subtrees.len() + 1));
        }
        if let Some(root) = &mut tree.root {
            node::rehash(root, SPLIT_LEVELS);
        }
        if tree.root() != *expected {
            let (got, expected) = (hex::encode(tree.root()), hex::encode(expected));
            return Err(RebuildError::Root { got, expected });
        }
        Ok(tree)
    }
}
