//! Every engine against the definition, over random histories: links in several batches, stakes
//! that change, new particles, rounds that are cut short, parameters that move.

use std::sync::atomic::AtomicBool;

use cyber_kernels::{cpu, starting_codes, Error, Graph, Link, Parameters};
use proptest::prelude::*;

/// What happens between two rounds, and the round.
#[derive(Clone, Debug)]
struct Step {
    particles: u32,
    links: Vec<Link>,
    stakes: Vec<(u32, u64)>,
    parameters: Parameters,
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let damping = prop::sample::select(vec![0, 500_000_000_000_000_000, 900_000_000_000_000_000]);
    let usual = Just(850_000_000_000_000_000);
    (
        prop_oneof![9 => usual, 1 => damping],
        prop_oneof![9 => Just(15u32), 1 => 8u32..=24],
        prop_oneof![9 => Just(1_000_000u64), 1 => prop::sample::select(vec![0, 1, u64::MAX])],
        prop::sample::select(vec![1u32, 2, 3, 8, 64]),
        prop_oneof![9 => Just(0u32), 1 => 0u32..3],
    )
        .prop_map(|(damping_atomics, code_bits, source_stake, sweeps, base_shift)| {
            Parameters { damping_atomics, code_bits, source_stake, sweeps, base_shift }
        })
}

fn stake() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0u64),
        Just(1u64),
        0u64..1 << 40,
        (1u64 << 63) - 5..=1 << 63,
        (0u32..63).prop_map(|bit| 1 << bit),
    ]
}

fn step(particles: u32, neurons: u32) -> impl Strategy<Value = Step> {
    // Half of the ends fall on few particles: hubs, duplicate pairs, links to oneself.
    let end = move || prop_oneof![0..particles, 0..particles.min(3)];
    let link = (0..neurons, end(), end()).prop_map(|(neuron, from, to)| Link { neuron, from, to });
    (
        0..=particles,
        prop::collection::vec(link, 0..60),
        prop::collection::vec((0..neurons, stake()), 0..5),
        parameters(),
    )
        .prop_map(|(particles, links, stakes, parameters)| Step {
            particles,
            links,
            stakes,
            parameters,
        })
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    (1u32..80, 1u32..12)
        .prop_flat_map(|(particles, neurons)| prop::collection::vec(step(particles, neurons), 1..7))
}

fn engines() -> Vec<Graph> {
    vec![Graph::new(1), Graph::new(4)]
}

/// Runs a history through the definition and all engines.
fn check(steps: &[Step]) {
    let mut engines = engines();
    let (mut links, mut stakes) = (Vec::<Link>::new(), vec![0u64; 16]);
    let (mut codes, mut shape, mut particles) = (Vec::new(), (15, 0), 0);
    let go = AtomicBool::new(false);
    for (number, step) in steps.iter().enumerate() {
        let ends = step.links.iter().map(|link| link.from.max(link.to) + 1);
        particles = ends.max().unwrap_or(0).max(step.particles).max(particles);
        let mut new = Vec::new();
        for link in &step.links {
            if !links.contains(link) && !new.contains(link) {
                new.push(*link);
            }
        }
        links.extend_from_slice(&new);
        for &(neuron, stake) in &step.stakes {
            stakes[neuron as usize] = stake;
        }
        let parameters = &step.parameters;
        let next = (parameters.code_bits, parameters.base_shift);
        let start = starting_codes(&codes, shape, particles, next);
        let expected = cpu::round(&links, &stakes, parameters, start.clone());
        for (engine, graph) in engines.iter_mut().enumerate() {
            graph.grow(particles);
            // In two batches, stakes between them.
            let (one, two) = new.split_at(new.len() / 2);
            graph.append_links(one);
            step.stakes.iter().for_each(|&(neuron, stake)| graph.set_stake(neuron, stake));
            graph.append_links(two);
            let outcome = graph.run(parameters, &start, &go).expect("a legal round");
            let name = format!("engine {engine}, round {number}");
            assert_eq!(&outcome.codes, expected.last().expect("a sweep"), "{name}");
            assert_eq!(outcome.sweeps as usize, expected.len(), "{name}: sweeps");
            let before = expected.iter().rev().nth(1).unwrap_or(&start);
            let changed = before.iter().zip(&outcome.codes).filter(|(a, b)| a != b).count();
            assert_eq!(outcome.changed_in_last_sweep, changed as u64, "{name}: changed");
        }
        (codes, shape) = (expected.into_iter().next_back().expect("a sweep"), next);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn engines_agree_with_the_definition_over_random_histories(steps in history()) {
        check(&steps);
    }
}

const PARAMETERS: Parameters = Parameters {
    damping_atomics: 850_000_000_000_000_000,
    code_bits: 15,
    source_stake: 1_000_000,
    sweeps: 64,
    base_shift: 0,
};

fn round(particles: u32, links: Vec<Link>, stakes: &[u64]) -> Step {
    Step {
        particles,
        links,
        stakes: (0..).zip(stakes.iter().copied()).collect(),
        parameters: PARAMETERS,
    }
}

#[test]
fn a_hub_of_many_in_links_and_one_of_many_out_links() {
    let star: Vec<Link> = (1..3000).map(|n| Link { neuron: n % 7, from: 0, to: n }).collect();
    let sink: Vec<Link> = (1..3000).map(|n| Link { neuron: n % 5, from: n, to: 3000 }).collect();
    let stakes: Vec<u64> = (0..7).map(|n| (1 << (9 * n)) + n).collect();
    check(&[
        round(3001, star, &stakes),
        round(3001, sink, &[]),
        round(3002, vec![Link { neuron: 3, from: 3000, to: 0 }], &[0, 0, 0, 1 << 63]),
    ]);
}

#[test]
fn one_pair_linked_by_thousands_of_neurons_is_one_pair() {
    let links = |range: std::ops::Range<u32>| -> Vec<Link> {
        range.map(|neuron| Link { neuron: neuron % 16, from: neuron / 16 % 2, to: 2 }).collect()
    };
    let mut other = links(0..32);
    other.push(Link { neuron: 0, from: 0, to: 1 });
    check(&[
        round(3, links(0..20), &[5; 16]),
        round(3, other, &[1 << 63; 16]),
        round(3, vec![], &[0; 16]),
    ]);
}

#[test]
fn graphs_without_particles_links_or_stake_come_to_rest() {
    check(&[round(0, vec![], &[]), round(1, vec![], &[]), round(1, vec![], &[1])]);
    check(&[round(5, vec![Link { neuron: 0, from: 4, to: 4 }], &[0])]);
}

#[test]
fn an_aborted_round_leaves_the_graph_ready_for_the_next() {
    let mut graph = Graph::new(2);
    graph.grow(2);
    graph.append_links(&[Link { neuron: 0, from: 0, to: 1 }, Link { neuron: 0, from: 1, to: 0 }]);
    graph.set_stake(0, 7_000_000);
    let start = starting_codes(&[], (15, 0), 2, (15, 0));
    let aborted = graph.run(&PARAMETERS, &start, &AtomicBool::new(true));
    assert_eq!(aborted.unwrap_err(), Error::Aborted);
    let links = [Link { neuron: 0, from: 0, to: 1 }, Link { neuron: 0, from: 1, to: 0 }];
    let expected = cpu::round(&links, &[7_000_000], &PARAMETERS, start.clone());
    let outcome = graph.run(&PARAMETERS, &start, &AtomicBool::new(false)).unwrap();
    assert_eq!(Some(&outcome.codes), expected.last());
}

#[test]
fn codes_and_parameters_out_of_range_are_refused() {
    let go = AtomicBool::new(false);
    let mut graph = Graph::new(1);
    graph.grow(2);
    let mut run = |parameters: Parameters, codes: &[u32]| graph.run(&parameters, codes, &go).err();
    let start = starting_codes(&[], (15, 0), 2, (15, 0));
    assert_eq!(run(PARAMETERS, &start), None);
    assert_eq!(run(PARAMETERS, &start[1..]), Some(Error::CodesLength { codes: 1, particles: 2 }));
    let denormal = (3 << 15) | 5;
    assert_eq!(
        run(PARAMETERS, &[start[0], denormal]),
        Some(Error::Code { particle: 1, code: denormal, bits: 15 })
    );
    let huge = (48 << 15) | 0x7fff;
    assert!(matches!(run(PARAMETERS, &[huge, huge]), Some(Error::CodesSum { .. })));
    for parameters in [
        Parameters { sweeps: 0, ..PARAMETERS },
        Parameters { code_bits: 25, ..PARAMETERS },
        Parameters { base_shift: 17, ..PARAMETERS },
        Parameters { damping_atomics: 900_000_000_000_000_001, ..PARAMETERS },
    ] {
        assert!(matches!(run(parameters, &start), Some(Error::Parameter { .. })));
    }
}
