//! Weights of out-links, source by source, as [`crate::cpu::weights`] defines them.

use std::ops::Range;

use crate::links::Links;
use crate::rows::{end, word, AddedLink};
use crate::{cpu, threads};

/// What weights are computed from besides the links.
#[derive(Clone, Copy)]
pub struct Weigher<'a> {
    /// By neuron.
    pub stakes: &'a [u64],
    /// Damping factor · 2^32.
    pub damping: u32,
    pub source_stake: u64,
}

/// The sources one thread weighs, and what it writes to.
struct Task<'a> {
    rows: Range<usize>,
    words: &'a mut [u64],
    exponents: &'a mut [u8],
    added: Vec<(u32, &'a mut [AddedLink])>,
}

impl Weigher<'_> {
    /// Sets the weights of all sources.
    pub fn all(&self, links: &mut Links, exponents: &mut [u8], ranges: &[Range<usize>]) {
        self.run(links, exponents, ranges, |rows, visit| rows.for_each(visit));
        links.touch_all();
    }

    /// Sets the weights of `sources`, ascending.
    pub fn some(
        &self,
        links: &mut Links,
        exponents: &mut [u8],
        sources: &[u32],
        thread_count: usize,
    ) {
        let ranges = spread(sources, links, thread_count);
        self.run(links, exponents, &ranges, |rows, visit| {
            let place = |row: usize| sources.partition_point(|&source| (source as usize) < row);
            sources[place(rows.start)..place(rows.end)].iter().for_each(|&row| visit(row as usize));
        });
        links.touch(sources);
    }

    /// Splits the rows and calls `choose` on each thread with its range and what to do with a row.
    fn run(
        &self,
        links: &mut Links,
        exponents: &mut [u8],
        ranges: &[Range<usize>],
        choose: impl Fn(Range<usize>, &mut dyn FnMut(usize)) + Sync,
    ) {
        let (offsets, neurons) = (&links.out.offsets, &links.neurons);
        let pieces: Vec<Range<usize>> = ranges
            .iter()
            .map(|rows| offsets[rows.start] as usize..offsets[rows.end] as usize)
            .collect();
        let mut added = links.added.iter_mut().peekable();
        let words = threads::parts(&mut links.out.words, &pieces);
        let exponents = threads::parts(exponents, ranges);
        let tasks = ranges.iter().zip(words.into_iter().zip(exponents)).map(
            |(rows, (words, exponents))| {
                let in_range = |entry: &(u32, _)| (entry.0 as usize) < rows.end;
                let added = std::iter::from_fn(|| added.next_if(in_range)).collect();
                Task { rows: rows.clone(), words, exponents, added }
            },
        );
        threads::each(tasks.collect(), |mut task| {
            let begin = offsets[task.rows.start] as usize;
            choose(task.rows.clone(), &mut |row| {
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                let words = &mut task.words[range.start - begin..range.end - begin];
                let place = task.added.binary_search_by_key(&(row as u32), |entry| entry.0);
                let added = place.ok().map(|place| &mut *task.added[place].1);
                task.exponents[row - task.rows.start] = match added {
                    None => self.row(words, &neurons[range]),
                    Some(added) => self.row_with_added(words, &neurons[range], added),
                };
            });
        });
    }

    fn stake(&self, neuron: u32) -> u128 {
        u128::from(self.stakes[neuron as usize])
    }

    /// Weighs a source; gives its exponent.
    fn row(&self, words: &mut [u64], neurons: &[u32]) -> u8 {
        let (mut total, mut largest) = (u128::from(self.source_stake), 0);
        let mut at = 0;
        while at < words.len() {
            let (stake, next) = self.pair(words, neurons, at);
            total += stake;
            largest = stake.max(largest);
            at = next;
        }
        let scale = Scale::new(self.damping, total, largest);
        let mut at = 0;
        while at < words.len() {
            let (stake, next) = self.pair(words, neurons, at);
            words[at] = word(end(words[at]), scale.weight(stake));
            at = next;
        }
        scale.exponent as u8
    }

    /// The stake of the pair whose links begin at `at`, and where they end.
    #[inline]
    fn pair(&self, words: &[u64], neurons: &[u32], at: usize) -> (u128, usize) {
        let target = end(words[at]);
        let mut stake = self.stake(neurons[at]);
        let mut next = at + 1;
        while next < words.len() && end(words[next]) == target {
            stake += self.stake(neurons[next]);
            next += 1;
        }
        (stake, next)
    }

    /// The same for a source with added links.
    fn row_with_added(&self, words: &mut [u64], neurons: &[u32], added: &mut [AddedLink]) -> u8 {
        let rows = words.iter().map(|&word| end(word)).zip(neurons.iter().copied());
        let later = added.iter().map(|link| (link.target, link.neuron));
        let mut links: Vec<(u32, u32)> = rows.chain(later).collect();
        links.sort_by_key(|&(target, _)| target); // merges the two sorted runs
        let mut pairs: Vec<(u32, u128)> = Vec::with_capacity(links.len());
        for (target, neuron) in links {
            match pairs.last_mut() {
                Some((last, stake)) if *last == target => *stake += self.stake(neuron),
                _ => pairs.push((target, self.stake(neuron))),
            }
        }
        let total =
            pairs.iter().fold(u128::from(self.source_stake), |total, (_, stake)| total + stake);
        let largest = pairs.iter().map(|&(_, stake)| stake).max().unwrap_or(0);
        let scale = Scale::new(self.damping, total, largest);
        // Each pair's weight goes to its first link, in the rows if it has one there.
        let (mut in_rows, mut in_added) = (0, 0);
        for (target, stake) in pairs {
            let mut weight = scale.weight(stake);
            while in_rows < words.len() && end(words[in_rows]) == target {
                words[in_rows] = word(target, std::mem::take(&mut weight));
                in_rows += 1;
            }
            while in_added < added.len() && added[in_added].target == target {
                added[in_added].weight = std::mem::take(&mut weight);
                in_added += 1;
            }
        }
        scale.exponent as u8
    }
}

/// Total and exponent of a source; `total` 0 stands for a source without stake.
struct Scale {
    damping: u32,
    total: u128,
    exponent: u32,
}

impl Scale {
    fn new(damping: u32, total: u128, largest: u128) -> Scale {
        match largest {
            0 => Scale { damping, total: 0, exponent: 0 },
            _ => Scale { damping, total, exponent: cpu::exponent(total, largest) },
        }
    }

    #[inline]
    fn weight(&self, stake: u128) -> u32 {
        match self.total {
            0 => 0,
            total => cpu::mantissa(self.damping, stake, self.exponent, total),
        }
    }
}

/// Ranges of rows that hold about equal work of `sources`, ascending.
fn spread(sources: &[u32], links: &Links, thread_count: usize) -> Vec<Range<usize>> {
    let work: usize = sources.iter().map(|&source| links.degree(source) + 1).sum();
    let parts = thread_count.min(work >> 14).max(1);
    let mut ranges = Vec::with_capacity(parts);
    let (mut start, mut done) = (0, 0);
    for &source in sources {
        if done >= work * (ranges.len() + 1) / parts && ranges.len() + 1 < parts {
            ranges.push(start..source as usize);
            start = source as usize;
        }
        done += links.degree(source) + 1;
    }
    ranges.push(start..links.particles());
    ranges
}
