//! What the engine is measured against: the same graph the way others walk it.

use std::ops::Range;

use cyber_kernels::{code, cpu, value, Link};

use crate::generator::Input;

pub const DAMPING: f64 = 0.85;

/// The pairs of a graph by target, sources ascending, in the forms the opponents read.
pub struct Pairs {
    pub particles: usize,
    pub offsets: Vec<u32>,
    pub sources: Vec<u32>,
    /// Integer weights and, by source, exponents.
    pub weights: Vec<u32>,
    pub exponents: Vec<u8>,
    /// Out-pairs by source.
    pub degrees: Vec<u32>,
    /// Summed stake of each pair, and of each source with its source stake.
    stakes: Vec<u64>,
    totals: Vec<u64>,
}

impl Pairs {
    pub fn new(input: &Input, damping: u32, source_stake: u64) -> Pairs {
        let particles = input.particles as usize;
        let mut links: Vec<(u32, u32, u64)> = input
            .links
            .iter()
            .map(|link| (link.to, link.from, input.stakes[link.neuron as usize]))
            .collect();
        links.sort_unstable();
        links.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            kept.2 += if same { next.2 } else { 0 };
            same
        });
        let mut pairs = Pairs {
            particles,
            offsets: vec![0; particles + 1],
            sources: links.iter().map(|link| link.1).collect(),
            weights: Vec::new(),
            exponents: vec![0; particles],
            degrees: vec![0; particles],
            stakes: links.iter().map(|link| link.2).collect(),
            totals: vec![source_stake; particles],
        };
        let mut largest = vec![0; particles];
        for &(target, source, stake) in &links {
            pairs.offsets[target as usize + 1] += 1;
            pairs.degrees[source as usize] += 1;
            pairs.totals[source as usize] += stake;
            largest[source as usize] = stake.max(largest[source as usize]);
        }
        for row in 0..particles {
            pairs.offsets[row + 1] += pairs.offsets[row];
        }
        let total = |source: u32| u128::from(pairs.totals[source as usize]);
        for (source, &largest) in largest.iter().enumerate().filter(|(_, &stake)| stake > 0) {
            let exponent = cpu::exponent(total(source as u32), u128::from(largest));
            pairs.exponents[source] = exponent as u8;
        }
        let weight = |&(_, source, stake): &(u32, u32, u64)| {
            let exponent = u32::from(pairs.exponents[source as usize]);
            cpu::mantissa(damping, u128::from(stake), exponent, total(source))
        };
        pairs.weights = links.iter().map(weight).collect();
        pairs
    }

    /// Rows for `threads` threads, by pairs.
    pub fn split(&self, threads: usize) -> Vec<Range<usize>> {
        let row = |part: usize| match part == threads {
            true => self.particles,
            false => self
                .offsets
                .partition_point(|&offset| (offset as usize) < self.sources.len() * part / threads),
        };
        (0..threads).map(|part| row(part)..row(part + 1)).collect()
    }

    fn row(&self, row: usize) -> Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// The same pairs with particles numbered by falling out-degree.
    pub fn relabelled(&self) -> (Vec<u32>, Vec<u32>) {
        let mut outer: Vec<u32> = (0..self.particles as u32).collect();
        outer.sort_by_key(|&particle| std::cmp::Reverse(self.degrees[particle as usize]));
        let mut inner = vec![0; self.particles];
        for (private, &number) in (0..).zip(&outer) {
            inner[number as usize] = private;
        }
        (outer, inner)
    }

    /// Only what the unweighted pull reads, under other numbers.
    pub fn renumbered(&self, outer: &[u32], inner: &[u32]) -> Pairs {
        let mut offsets = vec![0];
        let mut sources = Vec::with_capacity(self.sources.len());
        for &number in outer {
            let begin = sources.len();
            let row = &self.sources[self.row(number as usize)];
            sources.extend(row.iter().map(|&source| inner[source as usize]));
            sources[begin..].sort_unstable();
            offsets.push(sources.len() as u32);
        }
        Pairs {
            particles: self.particles,
            offsets,
            sources,
            degrees: outer.iter().map(|&number| self.degrees[number as usize]).collect(),
            weights: Vec::new(),
            exponents: Vec::new(),
            stakes: Vec::new(),
            totals: Vec::new(),
        }
    }

    /// go-cyber's array of in-links: source and weight, 8 bytes each.
    pub fn compressed(&self) -> Vec<(u64, f64)> {
        let weight = |(&stake, &source): (&u64, &u32)| {
            (u64::from(source), stake as f64 / self.totals[source as usize] as f64)
        };
        self.stakes.iter().zip(&self.sources).map(weight).collect()
    }
}

/// Fills `out` row by row, each range on a thread.
fn rows<T: Send>(out: &mut [T], ranges: &[Range<usize>], row: impl Fn(usize) -> T + Sync) {
    std::thread::scope(|scope| {
        let (mut rest, row) = (out, &row);
        for range in ranges {
            let (part, after) = rest.split_at_mut(range.len());
            rest = after;
            let mut fill =
                move || part.iter_mut().zip(range.clone()).for_each(|(x, n)| *x = row(n));
            if range.end == ranges[ranges.len() - 1].end {
                fill();
            } else {
                scope.spawn(fill);
            }
        }
    });
}

/// GAP's `pr` pull: one step, unweighted, `f32`. `scores` in place through `gives`.
pub fn gap(pairs: &Pairs, scores: &mut [f32], gives: &mut [f32], ranges: &[Range<usize>]) {
    let old = &*scores;
    let base = (1.0 - DAMPING as f32) / pairs.particles as f32;
    rows(gives, ranges, |n| old[n] / pairs.degrees[n] as f32);
    let gives = &*gives;
    rows(scores, ranges, |n| {
        let incoming: f32 = pairs.sources[pairs.row(n)].iter().map(|&s| gives[s as usize]).sum();
        base + DAMPING as f32 * incoming
    });
}

/// go-cyber's layout as a tight loop: 16 bytes a link, `f64` ranks.
pub fn compressed(
    pairs: &Pairs,
    links: &[(u64, f64)],
    (old, new): (&[f64], &mut [f64]),
    ranges: &[Range<usize>],
) {
    rows(new, ranges, |n| {
        let sum: f64 =
            links[pairs.row(n)].iter().map(|&(source, w)| w * old[source as usize]).sum();
        1.0 + DAMPING * sum
    });
}

/// The definition's sweep with 8-byte values gathered and 128-bit products.
pub fn naive(
    pairs: &Pairs,
    codes: &mut [u32],
    values: &mut [u64],
    (base, bits): (u64, u32),
    ranges: &[Range<usize>],
) {
    let old = &*codes;
    rows(values, ranges, |n| value(old[n], bits));
    let values = &*values;
    let mut after = vec![0; codes.len()];
    rows(&mut after, ranges, |n| {
        let sum = pairs.row(n).fold(base, |sum, at| {
            let source = pairs.sources[at] as usize;
            let product = u128::from(values[source]) * u128::from(pairs.weights[at]);
            sum + (product >> (32 + pairs.exponents[source])) as u64
        });
        code::towards(old[n], sum, bits)
    });
    codes.copy_from_slice(&after);
}

/// The reads of our sweep and an addition: what gathering costs on this machine.
pub fn gather(words: &[u64], shares: &[u32], pairs: &Pairs, ranges: &[Range<usize>]) -> u64 {
    let mut sums = vec![0u64; pairs.particles];
    rows(&mut sums, ranges, |n| {
        words[pairs.row(n)].iter().fold(0u64, |sum, &word| {
            sum.wrapping_add(u64::from(shares[word as u32 as usize]) ^ (word >> 32))
        })
    });
    sums.iter().fold(0, |sum, &x| sum.wrapping_add(x))
}

/// What reading the pairs alone costs, in order.
pub fn stream(words: &[u64], threads: usize) -> u64 {
    std::thread::scope(|scope| {
        let sum = |part: &[u64]| part.iter().fold(0u64, |sum, &word| sum.wrapping_add(word));
        let parts = words.chunks(words.len().div_ceil(threads).max(1));
        let running: Vec<_> = parts.map(|part| scope.spawn(move || sum(part))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, u64>| thread.join().expect("a sum");
        running.into_iter().map(join).fold(0, u64::wrapping_add)
    })
}

/// go-cyber's CPU path as it is: for every in-link the stake of the pair and of all out-links of
/// its source are summed up again.
pub struct AsItIs {
    /// Links sorted by target and source, and by source.
    into: Vec<Link>,
    out: Vec<Link>,
    into_offsets: Vec<u32>,
    out_offsets: Vec<u32>,
}

impl AsItIs {
    pub fn new(input: &Input) -> AsItIs {
        let offsets = |end: fn(&Link) -> u32| {
            let mut offsets = vec![0; input.particles as usize + 1];
            input.links.iter().for_each(|link| offsets[end(link) as usize + 1] += 1);
            (1..offsets.len()).for_each(|n| offsets[n] += offsets[n - 1]);
            offsets
        };
        let (mut into, mut out) = (input.links.clone(), input.links.clone());
        into.sort_unstable_by_key(|link| (link.to, link.from));
        out.sort_unstable_by_key(|link| link.from);
        let (into_offsets, out_offsets) = (offsets(|link| link.to), offsets(|link| link.from));
        AsItIs { into, out, into_offsets, out_offsets }
    }

    pub fn step(&self, stakes: &[u64], source_stake: u64, old: &[f64], new: &mut [f64]) {
        let stake =
            |links: &[Link]| -> u64 { links.iter().map(|link| stakes[link.neuron as usize]).sum() };
        for (n, new) in new.iter_mut().enumerate() {
            let links =
                &self.into[self.into_offsets[n] as usize..self.into_offsets[n + 1] as usize];
            let mut sum = 0.0;
            for pair in links.chunk_by(|a, b| a.from == b.from) {
                let source = pair[0].from as usize;
                let (from, to) = (self.out_offsets[source], self.out_offsets[source + 1]);
                let total = source_stake + stake(&self.out[from as usize..to as usize]);
                sum += stake(pair) as f64 / total as f64 * old[source];
            }
            *new = 1.0 + DAMPING * sum;
        }
    }
}
