//! Graphs from a seed: edge e depends on the seed and e alone, integers only.

use cyber_kernels::{hold_stake, Link};

/// How ends are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Recursive matrix with A = .57, B = C = .19.
    Rmat,
    Uniform,
}

/// A graph, and links that come later.
pub struct Input {
    pub particles: u32,
    pub links: Vec<Link>,
    pub later: Vec<Link>,
    /// Rank-stakes by neuron: 10^15 / number^1.1, held to 10 bits.
    pub stakes: Vec<u64>,
}

const SEED: u64 = 0x0063_7962_6572;

/// 2^`scale` particles and about `degree` links for every two; a ninth more links for later.
pub fn generate(kind: Kind, scale: u32, degree: u32) -> Input {
    let particles = 1u32 << scale;
    let neurons = (particles >> 5).max(16);
    let count = u64::from(particles) * u64::from(degree) / 2;
    let mut edges: Vec<(Link, u32)> = (0..count + count / 9)
        .map(|edge| {
            let (from, to) = match kind {
                Kind::Rmat => rmat(edge, scale),
                Kind::Uniform => {
                    let drawn = draw(edge, 0);
                    (drawn as u32 & (particles - 1), (drawn >> 32) as u32 & (particles - 1))
                }
            };
            let neuron = (draw(edge, 99) % u64::from(neurons)) as u32;
            (Link { neuron, from: scatter(from, scale), to: scatter(to, scale) }, edge as u32)
        })
        .collect();
    edges.sort_unstable();
    edges.dedup_by_key(|edge| edge.0);
    edges.sort_unstable_by_key(|edge| edge.1);
    let first = edges.partition_point(|edge| u64::from(edge.1) < count);
    let links: Vec<Link> = edges.iter().map(|edge| edge.0).collect();
    drop(edges);
    let (links, later) = (links[..first].to_vec(), links[first..].to_vec());
    Input { particles, links, later, stakes: (1..=u64::from(neurons)).map(stake).collect() }
}

/// 64 bits for draw `number` of an edge (splitmix64 twice).
fn draw(edge: u64, number: u64) -> u64 {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    mix(mix(SEED ^ edge.wrapping_mul(0x9e37_79b9_7f4a_7c15)) ^ number)
}

fn rmat(edge: u64, scale: u32) -> (u32, u32) {
    // Of 2^32: A, A + B, A + B + C.
    const BOUNDS: [u64; 3] = [2_448_131_359, 3_264_175_145, 4_080_218_931];
    let (mut from, mut to) = (0, 0);
    let mut drawn = 0;
    for level in 0..scale {
        drawn = if level % 2 == 0 { draw(edge, u64::from(level)) } else { drawn >> 32 };
        let quarter = BOUNDS.iter().filter(|&&bound| drawn & 0xffff_ffff >= bound).count() as u32;
        (from, to) = (from << 1 | quarter >> 1, to << 1 | quarter & 1);
    }
    (from, to)
}

/// A one-to-one mapping of `scale` bits, so that numbers say nothing about degrees.
fn scatter(number: u32, scale: u32) -> u32 {
    let mask = (1u32 << scale) - 1;
    let mut mixed = number;
    for _ in 0..3 {
        mixed = mixed.wrapping_mul(0x9e37_79b1).wrapping_add(0x7f4a_7c15) & mask;
        mixed ^= mixed >> (scale / 2);
    }
    mixed
}

/// 10^15 / number^1.1 with the tenth root to ten bits behind the point.
fn stake(number: u64) -> u64 {
    let goal = u128::from(number) << 100;
    let root = (0..13).rev().fold(0u128, |root, bit| {
        let next = root | 1 << bit;
        if next.pow(10) <= goal {
            next
        } else {
            root
        }
    });
    let stake = (1_000_000_000_000_000u128 << 10) / (u128::from(number) * root);
    hold_stake(0, stake as u64, 10)
}
