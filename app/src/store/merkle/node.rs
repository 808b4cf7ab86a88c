//! Nodes of the persistent AVL tree, and the changes on them: other values, keys that come and go,
//! rotations, hashes.
//!
//! Invariants, kept from one [`rehash`] to the next: a leaf has no children, an inner node has two
//! whose heights differ by at most one; an inner node's key is the smallest key of its right
//! subtree; only nodes of the change under way are dirty, and those are never shared, so they are
//! changed in place while every older node is copied first.
//! Shapes and versions are those of cosmos/iavl v1: `merkle::tests`,
//! `trees_agree_with_the_go_library`.

use super::hash;
use crate::types::Hash;
use std::cmp::Ordering;
use std::mem;
use std::sync::Arc;

/// A subtree; cloning it shares it.
pub type Subtree = Arc<Node>;

#[derive(Clone, Debug)]
pub enum Node {
    Leaf(Leaf),
    Inner(Inner),
}

#[derive(Clone, Debug)]
pub struct Leaf {
    pub hash: Hash,
    pub version: u64,
    /// Shared with the inner node that splits at this key.
    pub key: Arc<[u8]>,
    pub value: Box<[u8]>,
    dirty: bool,
}

#[derive(Clone, Debug)]
pub struct Inner {
    pub hash: Hash,
    pub version: u64,
    /// How many leaves there are below.
    pub size: u64,
    /// The first bytes of the key: nearly every comparison ends with them, in this node's memory.
    head: u64,
    pub key: Arc<[u8]>,
    pub left: Subtree,
    pub right: Subtree,
    pub height: u8,
    dirty: bool,
}

impl Node {
    /// A leaf whose hash [`rehash`] will set.
    pub fn leaf(key: Arc<[u8]>, value: Box<[u8]>, version: u64) -> Subtree {
        Arc::new(Node::Leaf(Leaf { hash: [0; 32], version, key, value, dirty: true }))
    }

    /// An inner node whose hash [`rehash`] will set; `key` is the smallest of `right`.
    pub fn inner(key: Arc<[u8]>, left: Subtree, right: Subtree, version: u64) -> Subtree {
        let (size, height, hash, head) = (0, 0, [0; 32], head(&key));
        let mut inner = Inner { hash, version, size, head, key, left, right, height, dirty: true };
        inner.measure();
        Arc::new(Node::Inner(inner))
    }

    /// The hash. Wrong between a change and the [`rehash`] after it, which no caller sees.
    pub fn hash(&self) -> &Hash {
        match self {
            Node::Leaf(leaf) => &leaf.hash,
            Node::Inner(inner) => &inner.hash,
        }
    }

    pub fn height(&self) -> u8 {
        match self {
            Node::Leaf(_) => 0,
            Node::Inner(inner) => inner.height,
        }
    }

    pub fn size(&self) -> u64 {
        match self {
            Node::Leaf(_) => 1,
            Node::Inner(inner) => inner.size,
        }
    }

    fn is_dirty(&self) -> bool {
        match self {
            Node::Leaf(leaf) => leaf.dirty,
            Node::Inner(inner) => inner.dirty,
        }
    }
}

/// The first eight bytes as a number, so that unequal numbers order as their keys do.
fn head(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(8);
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}

impl Inner {
    /// Whether a key belongs to the left child.
    pub fn is_left(&self, key: &[u8]) -> bool {
        match head(key).cmp(&self.head) {
            Ordering::Equal => key < &*self.key,
            order => order.is_lt(),
        }
    }

    /// The child a key belongs to.
    pub fn child(&self, key: &[u8]) -> &Subtree {
        match self.is_left(key) {
            true => &self.left,
            false => &self.right,
        }
    }

    /// Left height minus right height.
    fn lean(&self) -> i16 {
        i16::from(self.left.height()) - i16::from(self.right.height())
    }

    fn measure(&mut self) {
        self.height = 1 + self.left.height().max(self.right.height());
        self.size = self.left.size() + self.right.size();
    }
}

/// The inner node behind a link, for changing: copied if shared, dirty and of this version.
fn change(link: &mut Subtree, version: u64) -> &mut Inner {
    match Arc::make_mut(link) {
        Node::Inner(inner) => {
            inner.version = version;
            inner.dirty = true;
            inner
        }
        Node::Leaf(_) => unreachable!("only inner nodes are changed in place"),
    }
}

/// A key and what becomes of it: a value, or none.
pub type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// What a change does to a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Nothing,
    /// A present key gets another value.
    Value,
    /// A key comes or goes.
    Shape,
}

/// From this many changes on a subtree is worth several threads.
const PARALLEL_CHANGES: usize = 256;

/// Runs both, on two threads if there is enough to do.
pub fn join<A: Send, B: Send>(
    parallel: bool,
    one: impl FnOnce() -> A + Send,
    two: impl FnOnce() -> B + Send,
) -> (A, B) {
    if parallel {
        rayon::join(one, two)
    } else {
        (one(), two())
    }
}

/// Writes down the effect of each change on this subtree; keys ascend.
pub fn classify(node: &Node, changes: &[Change<'_>], effects: &mut [Effect]) {
    match node {
        Node::Leaf(leaf) => {
            for ((key, value), effect) in changes.iter().zip(effects) {
                *effect = match value {
                    Some(value) if **key == *leaf.key && **value == *leaf.value => Effect::Nothing,
                    Some(_) if **key == *leaf.key => Effect::Value,
                    None if **key != *leaf.key => Effect::Nothing,
                    _ => Effect::Shape,
                };
            }
        }
        Node::Inner(_) if changes.is_empty() => {}
        Node::Inner(inner) => {
            let parallel = changes.len() >= PARALLEL_CHANGES;
            let split = changes.partition_point(|(key, _)| inner.is_left(key));
            let (left, right) = changes.split_at(split);
            let (left_effects, right_effects) = effects.split_at_mut(split);
            join(
                parallel,
                || classify(&inner.left, left, left_effects),
                || classify(&inner.right, right, right_effects),
            );
        }
    }
}

/// Gives present keys (at least one, ascending) other values; the nodes on their way get the
/// version.
pub fn overwrite(link: &mut Subtree, changes: &[Change<'_>], version: u64) {
    if let Node::Leaf(old) = &**link {
        let [(key, Some(value))] = changes else {
            unreachable!("one value for each present key");
        };
        assert!(**key == *old.key, "only present keys are overwritten");
        *link = Node::leaf(old.key.clone(), (*value).into(), version);
        return;
    }
    let inner = change(link, version);
    let (left, right) = changes.split_at(changes.partition_point(|(key, _)| inner.is_left(key)));
    let on = |link: &mut Subtree, changes: &[Change<'_>]| {
        if !changes.is_empty() {
            overwrite(link, changes, version);
        }
    };
    let parallel = changes.len() >= PARALLEL_CHANGES;
    join(parallel, || on(&mut inner.left, left), || on(&mut inner.right, right));
}

/// Sets a key that is not there; every inner node on the way to it gets the version.
pub fn insert(link: &mut Subtree, key: &[u8], value: &[u8], version: u64) {
    if let Node::Leaf(old) = &**link {
        let new_key: Arc<[u8]> = key.into();
        let new = Node::leaf(new_key.clone(), value.into(), version);
        *link = match key.cmp(&old.key) {
            Ordering::Less => Node::inner(old.key.clone(), new, link.clone(), version),
            Ordering::Greater => Node::inner(new_key, link.clone(), new, version),
            Ordering::Equal => unreachable!("only absent keys are inserted"),
        };
        return;
    }
    let inner = change(link, version);
    let side = if inner.is_left(key) { &mut inner.left } else { &mut inner.right };
    insert(side, key, value, version);
    inner.measure();
    balance(link, version);
}

/// Removes a key that is in this subtree, which has more than one leaf. Returns the new smallest
/// key of the subtree if it was the smallest that went.
pub fn remove(link: &mut Subtree, key: &[u8], version: u64) -> Option<Arc<[u8]>> {
    let Node::Inner(inner) = &**link else {
        unreachable!("a leaf is removed by its parent");
    };
    let to_left = inner.is_left(key);
    let (goes, stays) =
        if to_left { (&inner.left, &inner.right) } else { (&inner.right, &inner.left) };
    if let Node::Leaf(leaf) = &**goes {
        assert!(*leaf.key == *key, "only present keys are removed");
        let smallest = to_left.then(|| inner.key.clone());
        *link = stays.clone();
        return smallest;
    }
    let inner = change(link, version);
    let smallest = match to_left {
        true => remove(&mut inner.left, key, version),
        false => {
            if let Some(smallest) = remove(&mut inner.right, key, version) {
                (inner.head, inner.key) = (head(&smallest), smallest);
            }
            None
        }
    };
    inner.measure();
    balance(link, version);
    smallest
}

/// Restores the balance of a changed inner node whose children are balanced.
fn balance(link: &mut Subtree, version: u64) {
    let Node::Inner(inner) = &**link else { unreachable!("leaves are balanced") };
    match inner.lean() {
        2 => {
            let inner = change(link, version);
            if lean(&inner.left) < 0 {
                rotate_left(&mut inner.left, version);
            }
            rotate_right(link, version);
        }
        -2 => {
            let inner = change(link, version);
            if lean(&inner.right) > 0 {
                rotate_right(&mut inner.right, version);
            }
            rotate_left(link, version);
        }
        lean => assert!((-1..=1).contains(&lean), "one change moves a height by one at most"),
    }
}

fn lean(node: &Node) -> i16 {
    match node {
        Node::Leaf(_) => 0,
        Node::Inner(inner) => inner.lean(),
    }
}

/// The left child becomes the parent.
fn rotate_right(link: &mut Subtree, version: u64) {
    let node = change(link, version);
    let between = change(&mut node.left, version).right.clone();
    let mut other = mem::replace(&mut node.left, between);
    node.measure();
    mem::swap(link, &mut other);
    let top = change(link, version);
    top.right = other;
    top.measure();
}

/// The right child becomes the parent.
fn rotate_left(link: &mut Subtree, version: u64) {
    let node = change(link, version);
    let between = change(&mut node.right, version).left.clone();
    let mut other = mem::replace(&mut node.right, between);
    node.measure();
    mem::swap(link, &mut other);
    let top = change(link, version);
    top.left = other;
    top.measure();
}

/// Computes the hashes of all dirty nodes, the first `split` levels on two threads each.
pub fn rehash(link: &mut Subtree, split: u8) {
    if !link.is_dirty() {
        return;
    }
    match Arc::get_mut(link).expect("dirty nodes are not shared") {
        Node::Leaf(leaf) => {
            leaf.hash = hash::leaf(&leaf.key, &leaf.value, leaf.version);
            leaf.dirty = false;
        }
        Node::Inner(inner) => {
            let (left, right) = (&mut inner.left, &mut inner.right);
            let below = split.saturating_sub(1);
            join(split > 0, || rehash(left, below), || rehash(right, below));
            let (left, right) = (inner.left.hash(), inner.right.hash());
            inner.hash = hash::inner(inner.height, inner.size, inner.version, left, right);
            inner.dirty = false;
        }
    }
}
