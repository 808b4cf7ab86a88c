//! Every engine against the definition, over random histories: links in several batches, stakes
//! that change, new particles, rounds that are cut short, parameters that move.

use std::sync::Arc;

use cyber_kernels::{
    cpu, starting_codes, Control, Error, Graph, Instructions, Link, Options, Parameters, Pause,
    Strategy as Sweeps,
};
use proptest::prelude::*;

/// What happens between two rounds, and the round.
#[derive(Clone, Debug)]
struct Step {
    particles: u32,
    links: Vec<Link>,
    stakes: Vec<(u32, u64)>,
    parameters: Parameters,
    /// Starts from fresh codes, not from those of the last round.
    cold: bool,
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
        prop::bool::weighted(0.1),
    )
        .prop_map(|(particles, links, stakes, parameters, cold)| Step {
            particles,
            links,
            stakes,
            parameters,
            cold,
        })
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    (1u32..80, 1u32..12)
        .prop_flat_map(|(particles, neurons)| prop::collection::vec(step(particles, neurons), 1..7))
}

/// Every way to work: each strategy, with links held apart never, for a while and for ever; some on
/// several threads however small the graph (few: a thread costs more than such a sweep).
fn engines() -> Vec<Graph> {
    let all = [Sweeps::Cheapest, Sweeps::Full, Sweeps::Delta];
    let alone = all.into_iter().flat_map(|s| [(1, s, 0), (1, s, 40), (1, s, usize::MAX)]);
    let together = [(3, Sweeps::Full, usize::MAX), (2, Sweeps::Delta, 40)];
    let with = |(threads, strategy, apart)| {
        Graph::with(Options { threads, strategy, apart, work_per_thread: 1, ..Options::default() })
    };
    alone.chain(together).map(with).chain([Graph::new(2)]).collect()
}

/// Runs a history through the definition and all engines.
fn check(steps: &[Step]) {
    check_with(steps, engines());
}

fn check_with(steps: &[Step], mut engines: Vec<Graph>) {
    let (mut links, mut stakes) = (Vec::<Link>::new(), vec![0u64; 16]);
    let (mut codes, mut shape, mut particles) = (Vec::new(), (15, 0), 0);
    let go = Control::default();
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
        let before = if step.cold { &[][..] } else { &codes[..] };
        let start = starting_codes(before, shape, particles, next);
        let expected = cpu::round(&links, &stakes, parameters, start.clone());
        for (engine, graph) in engines.iter_mut().enumerate() {
            graph.grow(particles);
            // In two batches, stakes between them.
            let (one, two) = new.split_at(new.len() / 2);
            graph.append_links(one);
            step.stakes.iter().for_each(|&(neuron, stake)| graph.set_stake(neuron, stake));
            graph.append_links(two);
            let outcome = graph.run(parameters, start.clone(), &go).expect("a legal round");
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

/// Full sweeps with each set of instructions that this processor has.
fn engines_of_all_instructions() -> Vec<Graph> {
    let all = [Instructions::Plain, Instructions::Avx2, Instructions::Avx512];
    let here = all.into_iter().filter(|&wanted| wanted <= Instructions::best());
    let with = |instructions| {
        let strategy = Sweeps::Full;
        Graph::with(Options { strategy, apart: 40, instructions, ..Options::default() })
    };
    here.map(with).collect()
}

#[test]
fn every_set_of_instructions_gives_the_codes_of_the_definition() {
    for seed in [5, 6] {
        check_with(&growth(seed, 110, 3000), engines_of_all_instructions());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_set_of_instructions_agrees_with_the_definition_over_random_histories(
        steps in history(),
    ) {
        check_with(&steps, engines_of_all_instructions());
    }

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
        cold: false,
    }
}

/// Numbers from a seed (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((mixed >> 32) * u64::from(end)) >> 32) as u32
    }
}

/// A graph that grows over `rounds` rounds, sources skewed, some rounds with much and most with
/// little that is new.
fn growth(seed: u64, rounds: u32, particles: u32) -> Vec<Step> {
    let mut numbers = Numbers(seed);
    let mut have = std::collections::BTreeSet::new();
    (1..=rounds)
        .map(|number| {
            let particles = 10 + particles * number / rounds;
            let most = [1, 5, 40, 400][numbers.below(4) as usize];
            let links = (0..most).filter_map(|_| {
                let hub = 1 + numbers.below(particles);
                let ends = (numbers.below(hub), numbers.below(particles));
                let link = Link { neuron: numbers.below(16), from: ends.0, to: ends.1 };
                have.insert(link).then_some(link)
            });
            let links = links.collect();
            let mut step = round(particles, links, &[]);
            if number < 3 || numbers.below(8) == 0 {
                step.stakes = (0..1 + numbers.below(4))
                    .map(|_| (numbers.below(16), 1 << numbers.below(40)))
                    .collect();
            }
            step
        })
        .collect()
}

#[test]
fn engines_agree_over_a_hundred_rounds_of_growth() {
    check(&growth(1, 120, 2000));
}

#[test]
fn one_two_and_sixteen_threads_agree_over_a_hundred_rounds_of_growth() {
    let strategies = [Sweeps::Cheapest, Sweeps::Full, Sweeps::Delta];
    let ways = strategies.into_iter().flat_map(|s| [(1, s), (2, s), (16, s)]);
    let with = |(threads, strategy)| {
        Graph::with(Options {
            threads,
            strategy,
            apart: 300,
            work_per_thread: 1,
            ..Options::default()
        })
    };
    for seed in [3, 4] {
        check_with(&growth(seed, 110, 3000), ways.clone().map(with).collect());
    }
}

#[test]
fn a_growing_graph_is_swept_both_ways_and_put_in_order_now_and_then() {
    let mut graph = Graph::with(Options { threads: 2, apart: 100, ..Options::default() });
    let (mut full, mut delta, mut built) = (0, 0, 0);
    let mut codes = Vec::new();
    for step in growth(2, 60, 1000) {
        graph.grow(step.particles);
        graph.append_links(&step.links);
        step.stakes.iter().for_each(|&(neuron, stake)| graph.set_stake(neuron, stake));
        let start = starting_codes(&codes, (15, 0), step.particles, (15, 0));
        let outcome = graph.run(&PARAMETERS, start.clone(), &Control::default()).expect("a round");
        full += outcome.timing.full_sweeps;
        delta += outcome.timing.delta_sweeps;
        built += u32::from(outcome.timing.built);
        codes = outcome.codes;
    }
    assert!(full > 20 && delta > 100 && (5..50).contains(&built), "{full} {delta} {built}");
}

#[test]
fn a_round_paused_or_aborted_at_any_moment_can_go_on_or_be_made_again() {
    for (number, strategy) in
        [Sweeps::Cheapest, Sweeps::Delta, Sweeps::Full].into_iter().cycle().take(24).enumerate()
    {
        let mut graph = Graph::with(Options {
            threads: 2,
            strategy,
            apart: 50,
            work_per_thread: 1,
            ..Options::default()
        });
        let (mut links, mut stakes, mut codes) = (Vec::new(), vec![0; 16], Vec::new());
        for (step, last) in growth(number as u64, 8, 500).into_iter().zip(0..) {
            graph.grow(step.particles);
            graph.append_links(&step.links);
            links.extend_from_slice(&step.links);
            for &(neuron, stake) in &step.stakes {
                graph.set_stake(neuron, stake);
                stakes[neuron as usize] = stake;
            }
            let start = starting_codes(&codes, (15, 0), step.particles, (15, 0));
            let pause = Arc::new(Pause::default());
            let control = Control::new(Arc::clone(&pause));
            let answer = std::thread::scope(|scope| {
                scope.spawn(|| {
                    for step in 0..number * last {
                        pause.set(step % 16 == 15);
                        std::thread::yield_now();
                    }
                    match number % 4 {
                        0 => pause.set(false),
                        _ => control.abort(),
                    }
                });
                graph.run(&PARAMETERS, start.clone(), &control)
            });
            let expected = cpu::round(&links, &stakes, &PARAMETERS, start.clone());
            let again = match answer {
                Ok(outcome) => outcome,
                Err(error) => {
                    assert_eq!(error, Error::Aborted);
                    graph.run(&PARAMETERS, start.clone(), &Control::default()).expect("a round")
                }
            };
            assert_eq!(Some(&again.codes), expected.last());
            codes = again.codes;
        }
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
    let control = Control::default();
    control.abort();
    let aborted = graph.run(&PARAMETERS, start.clone(), &control);
    assert_eq!(aborted.unwrap_err(), Error::Aborted);
    let links = [Link { neuron: 0, from: 0, to: 1 }, Link { neuron: 0, from: 1, to: 0 }];
    let expected = cpu::round(&links, &[7_000_000], &PARAMETERS, start.clone());
    let outcome = graph.run(&PARAMETERS, start.clone(), &Control::default()).unwrap();
    assert_eq!(Some(&outcome.codes), expected.last());
}

#[test]
fn codes_and_parameters_out_of_range_are_refused() {
    let go = Control::default();
    let mut graph = Graph::new(1);
    graph.grow(2);
    let mut run =
        |parameters: Parameters, codes: &[u32]| graph.run(&parameters, codes.to_vec(), &go).err();
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
