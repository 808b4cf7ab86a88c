//! The definition against PageRank in floating point, the textbook's way: a dense matrix,
//! dangling mass spread evenly.
#![allow(clippy::float_arithmetic, reason = "the reference is a float one")]

use cyber_kernels::{base_shift, code, cpu, starting_codes, Link, Parameters};
use proptest::prelude::*;

const PARAMETERS: Parameters = Parameters {
    damping_atomics: 850_000_000_000_000_000,
    code_bits: 24,
    source_stake: 0,
    sweeps: 1000,
    base_shift: 0,
};

/// Ranks that sum up to 1. `source_stake` is stake that leaks from every source with links.
fn dense(particles: usize, links: &[Link], stakes: &[u64], source_stake: u64) -> Vec<f64> {
    let mut matrix = vec![vec![0.0; particles]; particles];
    for link in links {
        matrix[link.to as usize][link.from as usize] += stakes[link.neuron as usize] as f64;
    }
    for source in 0..particles {
        let total: f64 = matrix.iter().map(|row| row[source]).sum();
        if total > 0.0 {
            let total = total + source_stake as f64;
            matrix.iter_mut().for_each(|row| row[source] /= total);
        }
    }
    let mut rank = vec![1.0; particles];
    for _ in 0..400 {
        let next: Vec<f64> = matrix
            .iter()
            .map(|row| 1.0 + 0.85 * row.iter().zip(&rank).map(|(a, b)| a * b).sum::<f64>())
            .collect();
        rank = next;
    }
    let sum: f64 = rank.iter().sum();
    rank.iter().map(|rank| rank / sum).collect()
}

fn defined(particles: u32, links: &[Link], stakes: &[u64], parameters: &Parameters) -> Vec<f64> {
    let shape = (parameters.code_bits, parameters.base_shift);
    let codes = starting_codes(&[], shape, particles, shape);
    let codes = cpu::round(links, stakes, parameters, codes).pop().expect("a sweep");
    let values: Vec<f64> =
        codes.iter().map(|&code| code::value(code, parameters.code_bits) as f64).collect();
    let sum: f64 = values.iter().sum();
    values.iter().map(|value| value / sum).collect()
}

fn graph() -> impl Strategy<Value = (u32, Vec<Link>, Vec<u64>)> {
    (1u32..40, 1u32..6).prop_flat_map(|(particles, neurons)| {
        let link = (0..neurons, 0..particles, 0..particles).prop_map(|(neuron, from, to)| Link {
            neuron,
            from,
            to,
        });
        let links = prop::collection::btree_set(link, 0..150)
            .prop_map(|links| links.into_iter().collect::<Vec<_>>());
        let stakes = prop::collection::vec(0u64..1 << 50, neurons as usize);
        (Just(particles), links, stakes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_definition_is_pagerank(
        (particles, links, stakes) in graph(),
        source_stake in prop::sample::select(vec![0, 1 << 40]),
    ) {
        let expected = dense(particles as usize, &links, &stakes, source_stake);
        let parameters = Parameters { source_stake, ..PARAMETERS };
        let found = defined(particles, &links, &stakes, &parameters);
        let distance: f64 = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).sum();
        prop_assert!(distance < 5e-6, "L1 distance {distance}");
    }
}

/// The teleport of the textbook's formula, written out, agrees with the un-normalised system.
#[test]
fn a_hub_and_its_ring_have_the_ranks_of_a_calculation_by_hand() {
    // 1, 2 and 3 lead to 0; 0 leads to 1. By symmetry of 2 and 3: x2 = x3 = 1,
    // x0 = 1 + 0.85 (x1 + 2), x1 = 1 + 0.85 x0, so x0 = 3.55 / 0.2775.
    let links = [(0, 1, 0), (0, 2, 0), (0, 3, 0), (0, 0, 1)].map(|(neuron, from, to)| Link {
        neuron,
        from,
        to,
    });
    let found = defined(4, &links, &[1], &PARAMETERS);
    let x0 = 3.55 / 0.2775;
    let x1 = 1.0 + 0.85 * x0;
    let sum = x0 + x1 + 2.0;
    for (found, expected) in found.iter().zip([x0 / sum, x1 / sum, 1.0 / sum, 1.0 / sum]) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn source_stake_keeps_a_farm_of_dust_from_lifting_its_target() {
    // 999 particles linked to one target by a neuron with a penny.
    let links: Vec<Link> = (1..1000).map(|from| Link { neuron: 0, from, to: 0 }).collect();
    let lift = |source_stake| {
        let found =
            defined(1000, &links, &[1], &Parameters { source_stake, code_bits: 15, ..PARAMETERS });
        found[0] / found[1]
    };
    assert!(lift(0) > 849.0);
    assert!(lift(1_000_000) < 1.001);
}

#[test]
fn the_base_is_one_over_two_to_the_k_for_any_damping() {
    let d = |percent: u64| percent * 10_000_000_000_000_000;
    assert_eq!(base_shift(200_000_000, d(85)), 0);
    assert_eq!(base_shift(200_000_001, d(85)), 1);
    assert_eq!(base_shift(u64::from(u32::MAX), d(90)), 6);
    assert_eq!(base_shift(1_333_333_333, d(0)), 0);
    assert_eq!(base_shift(1_333_333_334, d(0)), 1);
}

#[test]
fn damping_is_rounded_half_up() {
    let damping = |damping_atomics| Parameters { damping_atomics, ..PARAMETERS }.damping();
    assert_eq!(damping(850_000_000_000_000_000), 3_650_722_202);
    assert_eq!(damping(900_000_000_000_000_000), 3_865_470_566);
    assert_eq!(damping(0), 0);
    // 2^-33 is half a unit, the next smaller number of 18 decimals is not.
    assert_eq!((damping(116_415_322), damping(116_415_321)), (1, 0));
}
