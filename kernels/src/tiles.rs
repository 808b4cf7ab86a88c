//! In-links as a full sweep reads them.
//!
//! Targets are cut into blocks and sources into chunks, both of at most 2^16; the pairs from one
//! chunk to one block stand together in a tile, sources ascending. A thread takes a block and goes
//! through its tiles in order of memory: pairs and shares come one after the other, so they are
//! asked for in time, and what is reached out of order, the sums of the block, stays in the
//! thread's own cache. Gathering at random from all shares waits for memory at most links instead.
//!
//! Numbers inside a tile have 16 bits, so a pair with its weight is one word of 8 bytes.

use std::ops::Range;

use crate::rows::{end, weight, Rows};
use crate::{memory, threads};

/// Most targets of a block and most sources of a chunk.
pub const SPAN: usize = 1 << 16;
/// Blocks are made smaller than `SPAN` until there are about that many: they are what threads
/// share a sweep in.
const BLOCKS: usize = 32;
/// Blocks begin at multiples of a granule of targets; about as many granules there are.
const GRANULES: usize = 1 << 12;

/// A source, a target, both counted from where their chunk and block begin, and the weight.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    pub target: u16,
    pub source: u16,
    pub weight: u32,
}

#[derive(Debug)]
pub struct Tiles {
    /// Block b has the targets from `starts[b]` to `starts[b + 1]`.
    starts: Vec<u32>,
    chunks: usize,
    /// The tile of block b and chunk c is `pairs[offsets[b · chunks + c]..][..next offset]`.
    offsets: Vec<u32>,
    pairs: Vec<Pair>,
    /// Targets of a granule, as a power of two, and the block of each granule.
    granule: u32,
    blocks: Vec<u32>,
}

impl Tiles {
    /// No tiles.
    pub fn new() -> Tiles {
        Tiles {
            starts: vec![0],
            chunks: 0,
            offsets: vec![0],
            pairs: Vec::new(),
            granule: 0,
            blocks: Vec::new(),
        }
    }

    /// Tiles of the right lengths for the pairs of `out`, not yet filled.
    pub fn shape(out: &Rows, thread_count: usize) -> Tiles {
        let particles = out.offsets.len() - 1;
        let bits = particles.next_power_of_two().ilog2();
        let granule = bits.saturating_sub(GRANULES.ilog2()).min(SPAN.ilog2());
        let granules = particles.div_ceil(1 << granule);
        let counts =
            threads::queue(chunks(particles), &mut vec![(); thread_count], |(), sources| {
                let mut counts = vec![0u32; granules];
                each_pair(out, sources, |_, target, _| counts[(target >> granule) as usize] += 1);
                counts
            });
        let mut tiles = Tiles { granule, chunks: counts.len(), ..Tiles::new() };
        tiles.cut(&counts, granules, particles);
        for block in 0..tiles.starts.len() - 1 {
            let from = tiles.starts[block] as usize >> granule;
            let to = (tiles.starts[block + 1] as usize).div_ceil(1 << granule);
            for counts in &counts {
                let last = tiles.offsets[tiles.offsets.len() - 1];
                tiles.offsets.push(last + counts[from..to].iter().sum::<u32>());
            }
        }
        tiles.pairs = memory::zeros(tiles.offsets[tiles.offsets.len() - 1] as usize);
        tiles
    }

    /// Cuts the granules into blocks; `counts` are pairs by chunk and granule.
    fn cut(&mut self, counts: &[Vec<u32>], granules: usize, particles: usize) {
        let mut by_granule = vec![0usize; granules];
        for counts in counts {
            by_granule.iter_mut().zip(counts).for_each(|(sum, &count)| *sum += count as usize);
        }
        let most = by_granule.iter().sum::<usize>().div_ceil(BLOCKS).max(1);
        let (mut rows, mut pairs, mut block) = (0, 0, 0);
        for (number, &count) in by_granule.iter().enumerate() {
            if rows > 0 && (pairs + count > most || rows + (1 << self.granule) > SPAN) {
                self.starts.push((number << self.granule) as u32);
                (rows, pairs, block) = (0, 0, block + 1);
            }
            self.blocks.push(block);
            rows += 1 << self.granule;
            pairs += count;
        }
        if particles > 0 {
            self.starts.push(particles as u32);
        }
    }

    /// Writes the pairs of `out`, unchanged since [`Tiles::shape`], with their weights.
    pub fn fill(&mut self, out: &Rows, thread_count: usize) {
        let particles = self.starts[self.starts.len() - 1] as usize;
        let mut columns: Vec<Vec<&mut [Pair]>> = (0..self.chunks).map(|_| Vec::new()).collect();
        let mut rest = &mut self.pairs[..];
        for (tile, ends) in self.offsets.windows(2).enumerate() {
            let (head, tail) = rest.split_at_mut((ends[1] - ends[0]) as usize);
            columns[tile % self.chunks].push(head);
            rest = tail;
        }
        let tasks: Vec<_> = chunks(particles).into_iter().zip(columns).collect();
        let (starts, blocks, granule) = (&self.starts, &self.blocks, self.granule);
        threads::queue(tasks, &mut vec![(); thread_count], |(), (sources, mut column)| {
            let first = sources.start as u32;
            let mut cursors = vec![0u32; column.len()];
            each_pair(out, sources, |source, target, weight| {
                let block = blocks[(target >> granule) as usize] as usize;
                let (target, source) = ((target - starts[block]) as u16, (source - first) as u16);
                column[block][cursors[block] as usize] = Pair { target, source, weight };
                cursors[block] += 1;
            });
        });
    }

    /// Sets the weights of some sources, ascending, from their rows in `out`.
    pub fn set(&mut self, sources: &[u32], out: &Rows) {
        let chunks = self.chunks;
        let (pairs, offsets) = (&mut self.pairs, &self.offsets);
        for &source in sources {
            // The pairs of a source in a block stand one after the other, in order of target.
            let (mut place, mut after) = (0, 0);
            let number = source as usize;
            each_pair(out, number..number + 1, |source, target, weight| {
                if target >= after {
                    let block = self.blocks[(target >> self.granule) as usize] as usize;
                    after = self.starts[block + 1];
                    let tile = block * chunks + number / SPAN;
                    let range = offsets[tile] as usize..offsets[tile + 1] as usize;
                    let below = |pair: &Pair| pair.source < source as u16;
                    place = range.start + pairs[range].partition_point(below);
                }
                let pair = &mut pairs[place];
                assert!(pair.source == source as u16, "the pair has a place");
                pair.weight = weight;
                place += 1;
            });
        }
    }

    fn range(&self, block: usize, chunk: usize) -> Range<usize> {
        let tile = block * self.chunks + chunk;
        self.offsets[tile] as usize..self.offsets[tile + 1] as usize
    }

    /// The tiles of a block by chunk: none for a block of particles that came later.
    pub fn of(&self, block: usize) -> impl Iterator<Item = &[Pair]> {
        let chunks = if block + 1 < self.starts.len() { self.chunks } else { 0 };
        (0..chunks).map(move |chunk| &self.pairs[self.range(block, chunk)])
    }

    /// The targets of each block; particles that came later have blocks of their own.
    pub fn targets(&self, particles: usize) -> Vec<Range<usize>> {
        let built = self.starts[self.starts.len() - 1] as usize;
        let later = (built..particles).step_by(SPAN);
        let blocks = self.starts.windows(2).map(|ends| ends[0] as usize..ends[1] as usize);
        blocks.chain(later.map(|start| start..(start + SPAN).min(particles))).collect()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let fours = [&self.starts, &self.offsets, &self.blocks];
        fours.iter().map(|array| array.capacity() * 4).sum::<usize>() + self.pairs.capacity() * 8
    }
}

/// The sources of each chunk.
fn chunks(particles: usize) -> Vec<Range<usize>> {
    (0..particles).step_by(SPAN).map(|start| start..(start + SPAN).min(particles)).collect()
}

/// Calls `visit(source, target, weight)` for each pair of these sources, in order.
fn each_pair(out: &Rows, sources: Range<usize>, mut visit: impl FnMut(u32, u32, u32)) {
    for source in sources {
        let mut before = u32::MAX;
        for &link in out.row(source) {
            let target = end(link);
            if target != before {
                visit(source as u32, target, weight(link));
            }
            before = target;
        }
    }
}
