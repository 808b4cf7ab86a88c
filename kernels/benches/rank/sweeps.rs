//! Full sweeps of all variants on one graph, in turns.

use std::ops::Range;
use std::time::Instant;

use cyber_kernels::{value, Graph, Outcome, Parameters};

use crate::generator::Input;
use crate::opponents::{self, AsItIs, Pairs};
use crate::report::SweepRow;
use crate::{cold_codes, round, PARAMETERS, RUNS, SHAPE};

/// Sweeps behind one figure.
const SWEEPS: u32 = 6;
const LIMITED: Parameters = Parameters { sweeps: SWEEPS, ..PARAMETERS };
const BASE: (u64, u32) = (1 << 32, SHAPE.0);

/// Names of the figures that `Variants::once` gives.
const NAMES: [&str; 9] = [
    OURS,
    ALONE,
    GAP,
    GAP_RELABELLED,
    LAYOUT,
    "naive u64 gathers, same bits as ours",
    GATHER,
    MEMORY,
    "go-cyber's CPU path as it is, one thread",
];
pub const OURS: &str = "ours, all threads";
pub const ALONE: &str = "ours, one thread";
pub const GAP: &str = "GAP f32 unweighted, original order";
pub const GAP_RELABELLED: &str = "GAP f32 unweighted, relabelled";
pub const LAYOUT: &str = "go-cyber's layout, tight loop, f64";
pub const GATHER: &str = "roof: 8 bytes a pair, 4 gathered, an addition";
pub const MEMORY: &str = "roof: 8 bytes a pair read in order";

/// Minimum and median are over `RUNS` turns; `as_it_is` includes go-cyber's own path.
pub fn measure(input: &Input, ours: &mut Graph, threads: usize, as_it_is: bool) -> Vec<SweepRow> {
    let mut variants = Variants::new(input, threads, as_it_is);
    variants.check(ours);
    let mut rows: Vec<SweepRow> = NAMES[..if as_it_is { 9 } else { 8 }]
        .iter()
        .map(|&name| SweepRow {
            name: name.into(),
            pairs: variants.pairs.sources.len(),
            seconds: Vec::new(),
        })
        .collect();
    eprintln!("measuring sweeps");
    for _ in 0..RUNS {
        let figures = variants.once(ours);
        rows.iter_mut().zip(figures).for_each(|(row, figure)| row.seconds.push(figure));
    }
    eprintln!("measured");
    rows
}

struct Variants<'a> {
    input: &'a Input,
    pairs: Pairs,
    renumbered: Pairs,
    /// Particle number → number by falling out-degree.
    inner: Vec<u32>,
    compressed: Vec<(u64, f64)>,
    words: Vec<u64>,
    as_it_is: Option<AsItIs>,
    cold: Vec<u32>,
    /// Ranges of rows in the original order and by out-degree.
    all: Vec<Range<usize>>,
    own: Vec<Range<usize>>,
    /// Ranks of the layout of go-cyber, of GAP's pull and its relabelled form.
    ranks: (Vec<f64>, Vec<f64>),
    scores: (Vec<f32>, Vec<f32>),
    own_scores: (Vec<f32>, Vec<f32>),
}

impl Variants<'_> {
    fn new(input: &Input, threads: usize, as_it_is: bool) -> Variants<'_> {
        let pairs = Pairs::new(input, PARAMETERS.damping(), PARAMETERS.source_stake);
        let (outer, inner) = pairs.relabelled();
        let renumbered = pairs.renumbered(&outer, &inner);
        let n = pairs.particles;
        let scores = (vec![1.0 / n as f32; n], vec![0.0; n]);
        Variants {
            input,
            compressed: pairs.compressed(),
            words: renumbered.sources.iter().map(|&source| u64::from(source)).collect(),
            as_it_is: as_it_is.then(|| AsItIs::new(input)),
            cold: cold_codes(input),
            all: pairs.split(threads),
            own: renumbered.split(threads),
            ranks: (vec![1.0; n], vec![1.0; n]),
            own_scores: scores.clone(),
            scores,
            pairs,
            renumbered,
            inner,
        }
    }

    /// Right results first; this is also the warm-up.
    fn check(&mut self, ours: &mut Graph) {
        let mut codes = self.cold.clone();
        (0..SWEEPS).for_each(|_| self.naive(&mut codes));
        assert!(round(ours, &LIMITED, &self.cold).codes == codes, "our sweeps are not the naive");
        ours.set_threads(1);
        let alone = round(ours, &LIMITED, &self.cold).codes;
        ours.set_threads(self.all.len());
        assert!(alone == codes, "one thread gives other codes than several");
        for _ in 0..60 {
            self.compressed();
            std::mem::swap(&mut self.ranks.0, &mut self.ranks.1);
        }
        for _ in 0..CHECKED {
            self.gap();
            self.own_gap();
        }
        let (original, relabelled) = (&self.scores.0, &self.own_scores.0);
        check_floats(&self.pairs, original, relabelled, &self.inner);
        let published = round(ours, &PARAMETERS, &self.cold).codes;
        let values: Vec<f64> = published.iter().map(|&code| value(code, SHAPE.0) as f64).collect();
        // The codes' own precision.
        assert!(distance(&values, &self.ranks.0) < 1e-3, "go-cyber's layout differs from ours");
        self.compressed();
        if let Some(slow) = &self.as_it_is {
            let (old, expected) = (&self.ranks.0, &self.ranks.1);
            let mut new = vec![0.0; old.len()];
            slow.step(&self.input.stakes, PARAMETERS.source_stake, old, &mut new);
            assert!(distance(expected, &new) < 1e-12, "go-cyber's path is not its layout");
        }
    }

    /// Seconds of one sweep of each variant, in the order of `NAMES`.
    fn once(&mut self, ours: &mut Graph) -> Vec<f64> {
        let mut codes = self.cold.clone();
        ours.set_threads(1);
        let alone = per_sweep(&round(ours, &LIMITED, &self.cold));
        ours.set_threads(self.all.len());
        let mut figures = vec![
            per_sweep(&round(ours, &LIMITED, &self.cold)),
            alone,
            time(|| self.gap()),
            time(|| self.own_gap()),
            time(|| self.compressed()),
            time(|| self.naive(&mut codes)),
            time(|| self.gather()),
            time(|| self.stream()),
        ];
        if let Some(slow) = &self.as_it_is {
            let start = Instant::now();
            let (old, new) = (&self.ranks.0, &mut self.ranks.1);
            slow.step(&self.input.stakes, PARAMETERS.source_stake, old, new);
            figures.push(start.elapsed().as_secs_f64());
        }
        figures
    }

    fn gap(&mut self) {
        opponents::gap(&self.pairs, &mut self.scores.0, &mut self.scores.1, &self.all);
    }

    fn own_gap(&mut self) {
        let (scores, gives) = (&mut self.own_scores.0, &mut self.own_scores.1);
        opponents::gap(&self.renumbered, scores, gives, &self.own);
    }

    fn compressed(&mut self) {
        let ranks = (&self.ranks.0[..], &mut self.ranks.1[..]);
        opponents::compressed(&self.pairs, &self.compressed, ranks, &self.all);
    }

    fn naive(&self, codes: &mut [u32]) {
        let mut values = vec![0; codes.len()];
        opponents::naive(&self.pairs, codes, &mut values, BASE, &self.all);
    }

    fn stream(&self) {
        let sum = opponents::stream(&self.words, self.all.len());
        std::hint::black_box(sum);
    }

    fn gather(&self) {
        let sum = opponents::gather(&self.words, &self.cold, &self.renumbered, &self.own);
        std::hint::black_box(sum);
    }
}

/// Steps after which the unweighted pulls are compared with `f64`.
const CHECKED: usize = 10;

/// Seconds of `work`, which makes a sweep.
fn time(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..SWEEPS).for_each(|_| work());
    start.elapsed().as_secs_f64() / f64::from(SWEEPS)
}

fn per_sweep(outcome: &Outcome) -> f64 {
    outcome.timing.sweeps.as_secs_f64() / f64::from(outcome.sweeps)
}

/// Both unweighted pulls against the same in `f64`.
fn check_floats(pairs: &Pairs, original: &[f32], relabelled: &[f32], inner: &[u32]) {
    let n = pairs.particles;
    let mut scores = vec![1.0 / n as f64; n];
    for _ in 0..CHECKED {
        let give = |s: u32| scores[s as usize] / f64::from(pairs.degrees[s as usize]);
        let row = |n: usize| pairs.offsets[n] as usize..pairs.offsets[n + 1] as usize;
        let base = (1.0 - opponents::DAMPING) / n as f64;
        let sum = |n| pairs.sources[row(n)].iter().map(|&s| give(s)).sum::<f64>();
        scores = (0..n).map(|n| base + opponents::DAMPING * sum(n)).collect();
    }
    let plain: Vec<f64> = original.iter().map(|&x| f64::from(x)).collect();
    assert!(distance(&plain, &scores) < 1e-6, "the unweighted pull is wrong");
    let back: Vec<f64> = inner.iter().map(|&own| f64::from(relabelled[own as usize])).collect();
    assert!(distance(&back, &scores) < 1e-6, "the relabelled pull is wrong");
}

/// L1 of the two scaled to a sum of 1.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let (x, y): (f64, f64) = (a.iter().sum(), b.iter().sum());
    a.iter().zip(b).map(|(a, b)| (a / x - b / y).abs()).sum()
}
