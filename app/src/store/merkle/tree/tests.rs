//! The tree against a `BTreeMap`, against ics23's own verifiers, and against itself exported.

use super::*;
use crate::store::merkle::export::{Builder, ExportedNode, RebuildError};
use ics23::{HostFunctionsManager, ProofSpec};
use proptest::prelude::*;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;
type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

fn spec() -> ProofSpec {
    ics23::iavl_spec()
}

/// Few distinct keys, so that sets, overwrites, equal values and removals all happen.
fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let key =
        prop_oneof![prop::collection::vec(0u8..4, 1..3), prop::collection::vec(any::<u8>(), 1..20)];
    let value = prop::option::weighted(0.6, prop::collection::vec(0u8..2, 1..3));
    prop::collection::vec(prop::collection::btree_map(key, value, 0..40), 1..12)
}

fn is_member(tree: &Tree, key: &[u8], value: &[u8]) -> bool {
    let (proof, root) = (tree.prove(key).expect("not empty"), tree.root().to_vec());
    ics23::verify_membership::<HostFunctionsManager>(&proof, &spec(), &root, key, value)
}

fn is_absent(tree: &Tree, key: &[u8]) -> bool {
    let (proof, root) = (tree.prove(key).expect("not empty"), tree.root().to_vec());
    ics23::verify_non_membership::<HostFunctionsManager>(&proof, &spec(), &root, key)
}

fn rebuilt(tree: &Tree) -> Result<Tree, RebuildError> {
    let mut bytes = Vec::new();
    tree.export().for_each(|node| node.encode(&mut bytes));
    let (mut rest, mut builder) = (bytes.as_slice(), Builder::new());
    while !rest.is_empty() {
        builder.push(ExportedNode::decode(&mut rest)?)?;
    }
    builder.finish(&tree.root())
}

fn contents(tree: &Tree) -> Map {
    let mut all = Map::new();
    tree.scan(&[], None, &mut |key, value| all.insert(key.to_vec(), value.to_vec()).is_none());
    all
}

/// Every height, size and split key, from the leaves up.
fn check_shape(node: &Node) -> (Vec<u8>, u8, u64) {
    let Node::Inner(inner) = node else {
        let Node::Leaf(leaf) = node else { unreachable!() };
        return (leaf.key.to_vec(), 0, 1);
    };
    let (smallest, left_height, left_size) = check_shape(&inner.left);
    let (split, right_height, right_size) = check_shape(&inner.right);
    assert_eq!(split, inner.key.to_vec());
    assert!(left_height.abs_diff(right_height) <= 1);
    assert_eq!(inner.height, 1 + left_height.max(right_height));
    assert_eq!(inner.size, left_size + right_size);
    (smallest, inner.height, inner.size)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn behaves_like_a_map_and_proves_it(batches in batches()) {
        let (mut tree, mut map) = (Tree::new(), Map::new());
        for (version, batch) in batches.iter().enumerate() {
            let before = (tree.clone(), tree.root(), map.clone());
            tree.apply(batch, version as u64 + 1);
            for (key, value) in batch {
                match value {
                    Some(value) => map.insert(key.clone(), value.clone()),
                    None => map.remove(key),
                };
            }
            prop_assert_eq!(&contents(&tree), &map);
            prop_assert_eq!(tree.len(), map.len() as u64);
            if let Some(root) = &tree.root {
                check_shape(root);
            }
            prop_assert_eq!((contents(&before.0), before.0.root()), (before.2, before.1));
        }
        let again = rebuilt(&tree).map(|tree| (contents(&tree), tree.root()));
        prop_assert_eq!(again, Ok((map.clone(), tree.root())));
        for key in batches.iter().flat_map(|batch| batch.keys()) {
            if map.is_empty() {
                prop_assert!(tree.prove(key).is_none());
            } else if let Some(value) = map.get(key) {
                prop_assert!(is_member(&tree, key, value) && !is_absent(&tree, key));
                prop_assert!(!is_member(&tree, key, b"other"));
            } else {
                prop_assert!(is_absent(&tree, key));
            }
        }
    }

    #[test]
    fn a_batch_is_the_same_as_its_changes_one_by_one(batches in batches()) {
        let (mut whole, mut single) = (Tree::new(), Tree::new());
        for (version, batch) in (1..).zip(&batches) {
            whole.apply(batch, version);
            for (key, value) in batch {
                single.apply(&Batch::from([(key.clone(), value.clone())]), version);
            }
            prop_assert_eq!(whole.root(), single.root());
        }
    }

    #[test]
    fn scans_the_range_it_is_asked(
        batch in batches(), from in any::<[u8; 1]>(), to in any::<[u8; 2]>(),
    ) {
        let mut tree = Tree::new();
        batch.iter().for_each(|batch| tree.apply(batch, 1));
        let (all, mut seen) = (contents(&tree), Vec::new());
        tree.scan(&from, Some(&to), &mut |key, _| {
            seen.push(key.to_vec());
            seen.len() < 3
        });
        let inside = all.keys().filter(|key| ***key >= from[..] && ***key < to[..]).take(3);
        prop_assert_eq!(seen, inside.cloned().collect::<Vec<_>>());
    }
}

fn numbered(count: u32) -> Batch {
    (0..count).map(|n| (n.to_be_bytes().to_vec(), Some(vec![1]))).collect()
}

#[test]
fn a_batch_that_changes_nothing_touches_no_node() {
    let mut tree = Tree::new();
    tree.apply(&numbered(50), 1);
    let root = tree.root();
    let mut idle = numbered(50);
    idle.insert(vec![9; 9], None);
    tree.apply(&idle, 2);
    assert_eq!(tree.root(), root);
}

#[test]
fn hashes_are_the_same_on_one_thread_and_on_many() {
    let (mut whole, mut pieces) = (Tree::new(), Tree::new());
    whole.apply(&numbered(1000), 7);
    for (key, value) in numbered(1000) {
        pieces.apply(&Batch::from([(key, value)]), 7);
    }
    assert_eq!(whole.root(), pieces.root());
}

#[test]
fn a_damaged_export_is_refused() {
    let mut tree = Tree::new();
    tree.apply(&numbered(20), 3);
    let nodes: Vec<ExportedNode> = tree.export().collect();
    let build = |nodes: &[ExportedNode]| {
        let mut builder = Builder::new();
        nodes.iter().try_for_each(|node| builder.push(node.clone()))?;
        builder.finish(&tree.root())
    };
    assert!(build(&nodes).is_ok());
    for at in 0..nodes.len() {
        let mut damaged = nodes.clone();
        damaged.remove(at);
        assert!(build(&damaged).is_err(), "without node {at}");
        let mut damaged = nodes.clone();
        match &mut damaged[at] {
            ExportedNode::Leaf { value, .. } => value[0] = 2,
            ExportedNode::Inner { version } => *version += 1,
        }
        assert!(matches!(build(&damaged), Err(RebuildError::Root { .. })), "node {at} changed");
    }
}
