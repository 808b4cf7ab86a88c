//! The kernels of `cuda/rank.cu`, compiled for the host, against the definition: the codes after
//! every sweep, over random histories of rounds and over the graphs that break things.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::Path;

use cyber_kernels::gpu::{self, hash, Resident, Start};
use cyber_kernels::{cpu, starting_codes, Link, Parameters};

/// Numbers from a seed (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }
}

const PARAMETERS: Parameters = Parameters {
    damping_atomics: 850_000_000_000_000_000,
    code_bits: 15,
    source_stake: 1_000_000,
    sweeps: 64,
    base_shift: 0,
};

/// A graph kept twice: as the definition wants it, and by the kernels.
struct Pair {
    links: Vec<Link>,
    known: BTreeSet<Link>,
    stakes: Vec<u64>,
    particles: u32,
    codes: Vec<u32>,
    shape: (u32, u32),
    kernels: Resident,
    rounds: usize,
}

impl Pair {
    fn new() -> Pair {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let kernels = gpu::host(folder).unwrap_or_else(|error| panic!("{error}"));
        Pair {
            links: Vec::new(),
            known: BTreeSet::new(),
            stakes: Vec::new(),
            particles: 0,
            codes: Vec::new(),
            shape: (15, 0),
            kernels,
            rounds: 0,
        }
    }

    fn grow(&mut self, particles: u32) {
        self.particles = particles.max(self.particles);
        self.kernels.grow(self.particles).expect("more particles");
    }

    fn link(&mut self, links: impl IntoIterator<Item = (u32, u32, u32)>) {
        let known = &mut self.known;
        let links = links.into_iter().map(|(neuron, from, to)| Link { neuron, from, to });
        let new: Vec<Link> = links.filter(|&link| known.insert(link)).collect();
        self.kernels.append_links(&new).expect("links between particles there are");
        self.links.extend(new);
    }

    fn stake(&mut self, neuron: u32, stake: u64) {
        if neuron as usize >= self.stakes.len() {
            self.stakes.resize(neuron as usize + 1, 0);
        }
        self.stakes[neuron as usize] = stake;
        self.kernels.set_stake(neuron, stake);
    }

    /// Starts from fresh codes at the next round.
    fn cool(&mut self) {
        self.codes.clear();
    }

    /// One round both ways, compared sweep by sweep.
    fn round(&mut self, parameters: &Parameters, sample: Option<u32>) {
        let shape = (parameters.code_bits, parameters.base_shift);
        let goes_on = self.rounds > 0 && shape == self.shape && !self.codes.is_empty();
        let start = starting_codes(&self.codes, self.shape, self.particles, shape);
        let expected = cpu::round(&self.links, &self.stakes, parameters, start.clone());
        let from = if goes_on { Start::LastRound } else { Start::Codes(&start) };
        let found = self.kernels.run(parameters, from, sample).expect("a round");
        let last = expected.last().expect("at least one sweep");
        assert_eq!(&found.codes, last, "{parameters:?}");
        let hashes: Vec<u64> =
            [&start].into_iter().chain(&expected).map(|codes| hash::codes(codes)).collect();
        assert_eq!(found.hashes, hashes, "codes after each sweep");
        assert_eq!(found.sweeps as usize, expected.len());
        let before = expected.iter().rev().nth(1).unwrap_or(&start);
        let changed = before.iter().zip(last).filter(|(a, b)| a != b).count();
        assert_eq!(found.changed_in_last_sweep, changed as u64);
        let value = |&code: &u32| cyber_kernels::value(code, parameters.code_bits);
        assert_eq!(found.total, last.iter().map(value).sum::<u64>());
        if let Some(number) = sample {
            let after = (number as usize).min(expected.len() + 1);
            let at = |sweep: usize| if sweep == 0 { &start } else { &expected[sweep - 1] };
            let beyond = after > expected.len();
            let wanted = if beyond { [last, last] } else { [at(after - 1), at(after)] };
            let sample = found.sample.as_ref().expect("asked for");
            assert_eq!([&sample[0], &sample[1]], wanted, "sample of sweep {number}");
        }
        (self.codes, self.shape) = (last.clone(), shape);
        self.rounds += 1;
    }
}

fn some_parameters(numbers: &mut Numbers) -> Parameters {
    let rarely = numbers.below(8) == 0;
    Parameters {
        damping_atomics: match rarely {
            true => numbers.pick(&[0, 500_000_000_000_000_000, 900_000_000_000_000_000]),
            false => PARAMETERS.damping_atomics,
        },
        code_bits: if rarely { 8 + numbers.below(17) } else { 15 },
        source_stake: if rarely { numbers.pick(&[0, 1, u64::MAX]) } else { 1_000_000 },
        sweeps: numbers.pick(&[1, 2, 3, 8, 64]),
        base_shift: if rarely { numbers.below(3) } else { 0 },
    }
}

fn some_stake(numbers: &mut Numbers) -> u64 {
    match numbers.below(5) {
        0 => 0,
        1 => 1,
        2 => (1 << 63) - u64::from(numbers.below(5)),
        3 => 1 << numbers.below(63),
        _ => numbers.next() >> 24,
    }
}

#[test]
fn the_kernels_agree_over_a_thousand_random_graphs_and_their_histories() {
    let mut graphs = 0;
    for seed in 0..1_000 {
        let mut numbers = Numbers(seed);
        let mut pair = Pair::new();
        let (particles, neurons) = (1 + numbers.below(80), 1 + numbers.below(12));
        for _ in 0..1 + numbers.below(4) {
            pair.grow(numbers.below(particles) + 1);
            let end = pair.particles;
            let links: Vec<_> = (0..numbers.below(90))
                .map(|_| {
                    // Half of the ends fall on few particles: hubs, duplicate pairs, self-links.
                    let few = end.min(3);
                    let ends = [(); 2].map(|()| {
                        let among = numbers.pick(&[end, few]);
                        numbers.below(among)
                    });
                    (numbers.below(neurons), ends[0], ends[1])
                })
                .collect();
            // In two batches, stakes between them.
            let (one, two) = links.split_at(links.len() / 2);
            pair.link(one.iter().copied());
            for _ in 0..numbers.below(5) {
                let stake = some_stake(&mut numbers);
                pair.stake(numbers.below(neurons), stake);
            }
            pair.link(two.iter().copied());
            if numbers.below(10) == 0 {
                pair.cool();
            }
            let parameters = some_parameters(&mut numbers);
            let sample = (numbers.below(2) == 0).then(|| 1 + numbers.below(parameters.sweeps));
            pair.round(&parameters, sample);
            graphs += 1;
        }
    }
    assert!(graphs > 2_000);
}

#[test]
fn graphs_without_particles_links_or_stake_come_to_rest() {
    let mut pair = Pair::new();
    pair.round(&PARAMETERS, Some(1));
    pair.grow(1);
    pair.round(&PARAMETERS, Some(64));
    pair.stake(0, 7);
    pair.link([(0, 0, 0)]);
    pair.round(&PARAMETERS, None);
    pair.grow(300);
    pair.link((1..300).map(|n| (n % 9, 0, n)));
    pair.stake(0, 0);
    pair.round(&PARAMETERS, None);
    (0..9).for_each(|neuron| pair.stake(neuron, 1 << 63));
    pair.round(&PARAMETERS, None);
    (0..9).for_each(|neuron| pair.stake(neuron, 0));
    pair.round(&PARAMETERS, Some(2));
}

#[test]
fn a_row_grows_through_all_bins_and_shrinks_nobody_elses() {
    let mut pair = Pair::new();
    (0..16).for_each(|neuron| pair.stake(neuron, 3 << (4 * neuron)));
    let mut length = 0;
    for more in [1, 3, 1, 26, 1, 63, 4000, 1, 1, 4095, 1, 9000] {
        pair.grow(length + more + 2);
        pair.link((length..length + more).map(|n| (n % 16, n + 1, 0)));
        pair.link((0..more.min(40)).map(|n| (n % 16, 0, n + 1)));
        length += more;
        pair.round(&PARAMETERS, Some(1));
    }
}

#[test]
fn one_neuron_and_a_chain_of_dangling_particles() {
    let mut pair = Pair::new();
    pair.grow(2_000);
    pair.stake(0, (1 << 63) - 1);
    pair.link((0..1_999).map(|n| (0, n, n + 1)));
    pair.round(&PARAMETERS, Some(30));
    pair.link([(0, 1_999, 0)]);
    pair.round(&PARAMETERS, None);
}

#[test]
fn one_pair_linked_by_thousands_of_neurons_is_one_pair() {
    let mut pair = Pair::new();
    pair.grow(3);
    (0..5_000).for_each(|neuron| pair.stake(neuron, u64::from(neuron) << 40));
    pair.link((0..2_500).map(|neuron| (neuron, neuron % 2, 2)));
    pair.round(&PARAMETERS, None);
    pair.link((2_500..5_000).map(|neuron| (neuron, neuron % 2, 2)));
    pair.link([(4_999, 0, 1), (0, 2, 0)]);
    pair.round(&PARAMETERS, None);
}

#[test]
fn a_hub_of_a_hundred_thousand_in_links_and_one_of_as_many_out_links() {
    const MANY: u32 = 100_000;
    let mut pair = Pair::new();
    pair.grow(MANY + 3);
    (0..7).for_each(|neuron| pair.stake(neuron, (1 << (9 * neuron)) + 1));
    pair.link((0..MANY).map(|n| (n % 7, n + 2, 0)));
    pair.round(&Parameters { sweeps: 3, ..PARAMETERS }, Some(2));
    // In an order that is not the targets'.
    pair.link((0..MANY).map(|n| (n % 5, 1, (n * 7_919) % MANY + 2)));
    pair.link([(1, 0, 1)]);
    pair.round(&Parameters { sweeps: 3, ..PARAMETERS }, None);
    pair.stake(1, 1 << 62);
    pair.round(&Parameters { sweeps: 3, ..PARAMETERS }, None);
}

#[test]
fn a_graph_that_grows_over_a_hundred_rounds() {
    let mut numbers = Numbers(99);
    let mut pair = Pair::new();
    for round in 1..=110 {
        pair.grow(20 + 25 * round);
        let links = numbers.pick(&[1, 5, 40, 400]);
        for _ in 0..links {
            let hub = 1 + numbers.below(pair.particles);
            let link = (numbers.below(16), numbers.below(hub), numbers.below(pair.particles));
            pair.link([link]);
        }
        if numbers.below(5) == 0 || round < 3 {
            pair.stake(numbers.below(16), 1 << numbers.below(45));
        }
        let sample = 1 + numbers.below(64);
        pair.round(&PARAMETERS, Some(sample));
    }
}

#[test]
fn what_does_not_fit_is_refused_before_the_device_is_asked() {
    let mut pair = Pair::new();
    pair.grow(4);
    let kernels = &mut pair.kernels;
    assert!(kernels.grow(3).is_err());
    assert!(kernels.append_links(&[Link { neuron: 0, from: 0, to: 4 }]).is_err());
    assert!(kernels.run(&PARAMETERS, Start::Codes(&[1, 2]), None).is_err());
    let wrong = Parameters { sweeps: 0, ..PARAMETERS };
    assert!(kernels.run(&wrong, Start::LastRound, None).is_err());
}
