//! The rank tree against a list of codes and the definition of RFC 6962.

use super::super::log::verify_inclusion;
use super::super::rfc6962::tests::{naive_path, naive_root};
use super::*;
use proptest::prelude::*;

/// A step in the life of a rank tree.
#[derive(Clone, Debug)]
enum Step {
    Grow(u32),
    /// Values that particles (by their number modulo the length) get, rounded to codes.
    Publish(Vec<(u32, u64)>),
    Bits(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = prop_oneof![0u64..10, any::<u64>().prop_map(|value| value >> 1)];
    let step = prop_oneof![
        3 => prop_oneof![1u32..40, 1u32..900].prop_map(Step::Grow),
        4 => prop::collection::vec((any::<u32>(), value), 0..60).prop_map(Step::Publish),
        1 => (8u32..=24).prop_map(Step::Bits),
    ];
    prop::collection::vec(step, 1..12)
}

/// What a rank tree is, without a tree.
struct Model {
    bits: u32,
    codes: Vec<u32>,
}

impl Model {
    fn leaves(&self) -> Vec<Vec<u8>> {
        let bits = self.bits;
        let value = |code: &u32| u64::from(code & ((1 << bits) - 1)) << (code >> bits);
        self.codes.iter().map(|code| value(code).to_be_bytes().to_vec()).collect()
    }
}

fn apply(tree: &mut RankTree, model: &mut Model, step: &Step) {
    match step {
        Step::Grow(more) => {
            model.codes.resize(model.codes.len() + *more as usize, 0);
            tree.grow(model.codes.len() as u32);
        }
        Step::Publish(values) if !model.codes.is_empty() => {
            let length = model.codes.len() as u32;
            let entry = |(at, value): &(u32, u64)| (at % length, floor_code(*value, model.bits));
            let changes: std::collections::BTreeMap<_, _> = values.iter().map(entry).collect();
            changes.iter().for_each(|(at, code)| model.codes[*at as usize] = *code);
            let changes: Vec<_> =
                changes.into_iter().map(|(n, c)| (ParticleNumber(n), c)).collect();
            tree.set_codes(&changes);
        }
        Step::Publish(_) => {}
        Step::Bits(bits) => {
            let values = model
                .leaves()
                .into_iter()
                .map(|leaf| u64::from_be_bytes(leaf.try_into().expect("eight bytes")));
            model.codes = values.map(|value| floor_code(value, *bits)).collect();
            model.bits = *bits;
            tree.set_code_bits(*bits);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn is_the_tree_over_the_values(steps in steps(), index in any::<u32>()) {
        let mut tree = RankTree::new(15);
        let mut model = Model { bits: 15, codes: Vec::new() };
        for step in &steps {
            let (before, root) = (tree.clone(), tree.root());
            apply(&mut tree, &mut model, step);
            prop_assert_eq!(before.root(), root, "a clone stays");
        }
        let leaves = model.leaves();
        prop_assert_eq!(tree.rfc6962_root(), naive_root(&leaves));
        prop_assert_eq!(tree.codes().flatten().copied().collect::<Vec<_>>(), model.codes.clone());
        let value = |leaf: &Vec<u8>| u64::from_be_bytes(leaf[..].try_into().expect("eight bytes"));
        let total: u128 = leaves.iter().map(|leaf| u128::from(value(leaf))).sum();
        prop_assert_eq!(tree.total(), total);
        prop_assert_eq!(tree.value(ParticleNumber(tree.len())), None);
        if tree.is_empty() {
            return Ok(());
        }
        let at = index % tree.len();
        let proof = tree.prove(ParticleNumber(at));
        prop_assert_eq!(&proof.path, &naive_path(at as usize, &leaves));
        let leaf = leaves::rank(tree.value(ParticleNumber(at)).expect("a value"));
        let (root, size, index) = (tree.root(), proof.size, proof.index);
        prop_assert!(verify_inclusion(&root, size, index, &leaf, &proof.path));
        // The neighbour may have the same value, then its proof is the same.
        let next = leaves.get(index as usize ^ 1).is_some_and(|next| next[..] == leaf);
        prop_assert_eq!(verify_inclusion(&root, size, index ^ 1, &leaf, &proof.path), next);
        prop_assert!(!verify_inclusion(&root, size + 1, index, &leaf, &proof.path));
        let other = leaves::rank(u64::from_be_bytes(leaf) ^ 1);
        prop_assert!(!verify_inclusion(&root, size, index, &other, &proof.path));
    }

    #[test]
    fn floor_codes_are_the_largest_not_above(
        value in any::<u64>(), drop in 0u32..64, bits in 8u32..=24,
    ) {
        let value = value >> drop;
        let code = floor_code(value, bits);
        let below = code_value(code, bits).expect("a code");
        prop_assert!(below <= value);
        let step = 1u64 << (code >> bits);
        prop_assert!(value - below < step);
        prop_assert_eq!(floor_code(below, bits), code);
    }
}

#[test]
fn history_makes_no_difference() {
    let codes: Vec<_> = (0..5000u32).map(|n| (ParticleNumber(n), n % 700 * 3)).collect();
    let mut at_once = RankTree::new(15);
    at_once.grow(5000);
    at_once.set_codes(&codes);
    let mut bit_by_bit = RankTree::new(15);
    for part in codes.chunks(77) {
        bit_by_bit.grow(bit_by_bit.len() + part.len() as u32);
        bit_by_bit.set_codes(part);
    }
    assert_eq!(at_once.root(), bit_by_bit.root());
    assert_eq!(at_once.short_tree().len(), 5000u32.count_ones() as usize);
}

#[test]
fn bits_above_the_shift_are_no_code() {
    assert_eq!(code_value(1, 15), Some(1));
    assert_eq!(code_value(63 << 15 | 1, 15), Some(1 << 63));
    assert_eq!(code_value(63 << 15 | 2, 15), None, "2^64");
    assert_eq!(code_value(64 << 15, 15), None, "a shift of seven bits");
}
