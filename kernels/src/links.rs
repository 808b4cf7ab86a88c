//! The links of a graph in both directions, under private numbers.
//!
//! Particles are renumbered by falling out-degree when the rows are built, so that the sources that
//! most links read stand together. Consensus knows particle numbers only; nothing computed depends
//! on the private ones. Links that come later are held apart ([`Added`]) until they are more than
//! a small part of all; then everything is built again.
//!
//! Out-rows are the truth: each link with its neuron, weights at the first link of a pair. Tiles
//! hold each pair once; their weights are brought up to date only before a full sweep reads them.

use std::ops::Range;

use crate::rows::{end, within, word, Added, AddedLink, Rows};
use crate::tiles::Tiles;
use crate::{memory, threads, Link};

/// A pair of a target and a source that the tiles do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddedPair {
    pub target: u32,
    pub source: u32,
    pub weight: u32,
}

/// Which weights of the tiles differ from those of the out-rows.
#[derive(Debug)]
enum Stale {
    All,
    /// Of these sources, which have that many links.
    Sources(Vec<u32>, usize),
}

#[derive(Debug)]
pub struct Links {
    /// Private number → particle number.
    pub outer: Vec<u32>,
    /// Particle number → private number.
    pub inner: Vec<u32>,
    pub out: Rows,
    /// Who made the link, beside each word of `out`.
    pub neurons: Vec<u32>,
    pub added: Added,
    /// The pairs as a full sweep reads them.
    pub tiles: Tiles,
    /// What `added` adds to them, sorted; pairs that `tiles` has are not here.
    pub added_into: Vec<AddedPair>,
    stale: Stale,
    /// Link number of `added` that `added_into` has seen.
    added_seen: usize,
}

impl Links {
    pub fn new() -> Links {
        Links {
            outer: Vec::new(),
            inner: Vec::new(),
            out: Rows::new(),
            neurons: Vec::new(),
            added: Added::default(),
            tiles: Tiles::new(),
            added_into: Vec::new(),
            stale: Stale::Sources(Vec::new(), 0),
            added_seen: 0,
        }
    }

    /// Number of links.
    pub fn len(&self) -> usize {
        self.out.words.len() + self.added.len()
    }

    /// Number of particles.
    pub fn particles(&self) -> usize {
        self.outer.len()
    }

    /// New particles, without links: their private numbers follow the others.
    pub fn grow(&mut self, particles: u32) {
        for number in self.outer.len() as u32..particles {
            self.outer.push(number);
            self.inner.push(number);
        }
        self.out.grow(particles as usize);
    }

    /// Adds one link beside the rows, weight 0; gives its source.
    pub fn add(&mut self, link: &Link) -> u32 {
        let (source, target) = (self.inner[link.from as usize], self.inner[link.to as usize]);
        self.added.insert(source, target, link.neuron);
        source
    }

    /// Links of a source.
    #[inline]
    pub fn degree(&self, source: u32) -> usize {
        self.out.range(source as usize).len() + self.added.row(source).len()
    }

    /// Links of these sources, and the sources themselves.
    pub fn work(&self, sources: &[u32]) -> usize {
        const AHEAD: usize = 16;
        let mut work = 0;
        for (number, &source) in sources.iter().enumerate() {
            if let Some(&later) = sources.get(number + AHEAD) {
                memory::prefetch(&self.out.offsets, later as usize);
            }
            work += self.degree(source) + 1;
        }
        work
    }

    /// Sources with a link of one of these neurons, in any order, some of them twice.
    pub fn sources_of(&self, neurons: &[u32], ranges: &[Range<usize>]) -> Vec<u32> {
        let most = neurons.iter().copied().max().unwrap_or(0) as usize;
        let mut marks = vec![0u64; most / 64 + 1];
        for &neuron in neurons {
            marks[neuron as usize / 64] |= 1 << (neuron % 64);
        }
        let marked = |neuron: u32| {
            marks.get(neuron as usize / 64).is_some_and(|word| word >> (neuron % 64) & 1 == 1)
        };
        let found = threads::each(ranges.to_vec(), |rows| {
            let hit = |row: &usize| self.neurons[self.out.range(*row)].iter().any(|&n| marked(n));
            rows.filter(hit).map(|row| row as u32).collect::<Vec<u32>>()
        });
        let added = self.added.iter().filter(|(_, row)| row.iter().any(|link| marked(link.neuron)));
        found.into_iter().flatten().chain(added.map(|(source, _)| source)).collect()
    }

    /// Says that the out-weights of `sources` changed.
    pub fn touch(&mut self, sources: &[u32]) {
        let more: usize = sources.iter().map(|&source| self.degree(source)).sum();
        let limit = self.len() / 8;
        if let Stale::Sources(stale, links) = &mut self.stale {
            stale.extend_from_slice(sources);
            *links += more;
            // Finding a pair in its tile costs as much as writing many in order.
            if *links > limit {
                self.stale = Stale::All;
            }
        }
    }

    /// Says that all weights changed.
    pub fn touch_all(&mut self) {
        self.stale = Stale::All;
    }

    /// Links whose weights in the tiles are not up to date.
    pub fn stale(&self) -> usize {
        match &self.stale {
            Stale::All => self.len(),
            Stale::Sources(_, links) => *links,
        }
    }

    /// Brings the tiles up to date with the out-rows.
    pub fn settle(&mut self, thread_count: usize) {
        let stale = std::mem::replace(&mut self.stale, Stale::Sources(Vec::new(), 0));
        let unchanged = matches!(&stale, Stale::Sources(sources, _) if sources.is_empty());
        if unchanged && self.added_seen == self.added.len() {
            return;
        }
        match stale {
            Stale::All => self.tiles.fill(&self.out, thread_count),
            Stale::Sources(mut sources, _) => {
                sources.sort_unstable();
                sources.dedup();
                self.tiles.set(&sources, &self.out);
            }
        }
        self.settle_added();
    }

    fn settle_added(&mut self) {
        self.added_into.clear();
        for (source, links) in self.added.iter() {
            let pairs = links.iter().filter(|link| link.weight > 0);
            self.added_into.extend(pairs.map(|&AddedLink { target, weight, .. }| AddedPair {
                target,
                source,
                weight,
            }));
        }
        self.added_into.sort_unstable();
        self.added_seen = self.added.len();
    }

    /// The added pairs of the targets in a range.
    pub fn added_into(&self, rows: &Range<usize>) -> &[AddedPair] {
        let range = rows.start as u32..rows.end as u32;
        let (from, to) = within(&self.added_into, &range, |pair| pair.target);
        &self.added_into[from..to]
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let fours = [&self.outer, &self.inner, &self.neurons, &self.out.offsets];
        fours.iter().map(|array| array.capacity() * 4).sum::<usize>()
            + self.out.words.capacity() * 8
            + self.tiles.bytes()
            + self.added_into.capacity() * size_of::<AddedPair>()
            + self.added.len() * 2 * size_of::<AddedLink>()
    }
}

/// Builds rows from all links of `old` and `new`, without weights, for `particles` particles.
pub fn build(mut old: Links, new: Vec<Link>, particles: u32, thread_count: usize) -> Links {
    old.grow(particles);
    old.tiles = Tiles::new();
    let (outer, inner, offsets) = order(&old, &new);
    let mut words = scatter(&old, new, &inner, &offsets);
    drop(old);
    let ranges = threads::split(&offsets, thread_count, 1 << 16);
    let pieces: Vec<Range<usize>> = ranges
        .iter()
        .map(|rows| offsets[rows.start] as usize..offsets[rows.end] as usize)
        .collect();
    let mut neurons: Vec<u32> = memory::zeros(words.len());
    let (word_parts, neuron_parts) =
        (threads::parts(&mut words, &pieces), threads::parts(&mut neurons, &pieces));
    let tasks: Vec<_> = ranges.iter().zip(word_parts.into_iter().zip(neuron_parts)).collect();
    threads::each(tasks, |(rows, (words, neurons))| {
        let begin = offsets[rows.start] as usize;
        for row in rows.clone() {
            words[offsets[row] as usize - begin..offsets[row + 1] as usize - begin].sort_unstable();
        }
        for (link, neuron) in words.iter_mut().zip(neurons) {
            *neuron = *link as u32;
            *link = word((*link >> 32) as u32, 0);
        }
    });
    let out = Rows { offsets, words };
    let tiles = Tiles::shape(&out, thread_count);
    Links { outer, inner, out, neurons, tiles, stale: Stale::All, ..Links::new() }
}

/// Private numbers by falling out-degree, and where each out-row begins.
fn order(old: &Links, new: &[Link]) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    // Above this degree the order does not matter: such sources are few.
    const DEGREES: usize = 1 << 12;
    let particles = old.particles();
    let mut degrees: Vec<u32> = memory::zeros(particles);
    for (private, &number) in old.outer.iter().enumerate() {
        degrees[number as usize] = old.degree(private as u32) as u32;
    }
    for link in new {
        degrees[link.from as usize] += 1;
    }
    let bucket = |degree: u32| DEGREES - 1 - (degree as usize).min(DEGREES - 1);
    let mut places = vec![0u32; DEGREES];
    for &degree in &degrees {
        places[bucket(degree)] += 1;
    }
    let mut sum = 0;
    for place in &mut places {
        sum += std::mem::replace(place, sum);
    }
    let mut outer = memory::zeros(particles);
    let mut inner = memory::zeros(particles);
    for (number, &degree) in (0..).zip(&degrees) {
        let place = &mut places[bucket(degree)];
        outer[*place as usize] = number;
        inner[number as usize] = *place;
        *place += 1;
    }
    let mut offsets: Vec<u32> = memory::zeros(particles + 1);
    for (private, &number) in outer.iter().enumerate() {
        let next = offsets[private].checked_add(degrees[number as usize]);
        offsets[private + 1] = next.expect("a graph has fewer than 2^32 links");
    }
    (outer, inner, offsets)
}

/// Target above neuron of every link in its row, in any order.
fn scatter(old: &Links, new: Vec<Link>, inner: &[u32], offsets: &[u32]) -> Vec<u64> {
    let mut words: Vec<u64> = memory::zeros(offsets[offsets.len() - 1] as usize);
    let mut cursors = offsets.to_vec();
    let mut put = |source: u32, target: u32, neuron: u32| {
        let cursor = &mut cursors[source as usize];
        words[*cursor as usize] = (u64::from(target) << 32) | u64::from(neuron);
        *cursor += 1;
    };
    let renumbered = |private: u32| inner[old.outer[private as usize] as usize];
    for source in 0..old.particles() as u32 {
        let range = old.out.range(source as usize);
        let to = renumbered(source);
        for (&link, &neuron) in old.out.words[range.clone()].iter().zip(&old.neurons[range]) {
            put(to, renumbered(end(link)), neuron);
        }
        for link in old.added.row(source) {
            put(to, renumbered(link.target), link.neuron);
        }
    }
    for link in new {
        put(inner[link.from as usize], inner[link.to as usize], link.neuron);
    }
    words
}
