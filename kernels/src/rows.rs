//! Rows of links in one array, and the links that came since they were built.

use std::collections::BTreeMap;

use crate::{memory, threads};

/// The particle at the other end of a link, and the weight above it, in one word of 8 bytes.
#[inline]
pub fn word(end: u32, weight: u32) -> u64 {
    (u64::from(weight) << 32) | u64::from(end)
}

/// The particle at the other end.
#[inline]
pub fn end(word: u64) -> u32 {
    word as u32
}

/// The weight of the link.
#[inline]
pub fn weight(word: u64) -> u32 {
    (word >> 32) as u32
}

/// Links by row, sorted by other end within a row.
#[derive(Debug)]
pub struct Rows {
    /// Row i is `words[offsets[i]..offsets[i + 1]]`; one more than there are rows.
    pub offsets: Vec<u32>,
    pub words: Vec<u64>,
}

impl Rows {
    /// No rows.
    pub fn new() -> Rows {
        Rows { offsets: vec![0], words: Vec::new() }
    }

    /// Where row `row` stands.
    #[inline]
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// The words of a row.
    #[inline]
    pub fn row(&self, row: usize) -> &[u64] {
        &self.words[self.range(row)]
    }

    /// Appends empty rows.
    pub fn grow(&mut self, rows: usize) {
        let last = self.offsets[self.offsets.len() - 1];
        memory::extend(&mut self.offsets, rows + 1, last);
    }
}

/// A link that came after the rows were built. A pair's weight stands at the first of its links,
/// those in the rows before those here; the others weigh 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddedLink {
    pub target: u32,
    pub neuron: u32,
    pub weight: u32,
}

/// The links that came since the rows were built, by source; few against those in the rows.
#[derive(Debug, Default)]
pub struct Added {
    rows: BTreeMap<u32, Vec<AddedLink>>,
    /// One bit per particle: whether it has a row here.
    marks: Vec<u64>,
    links: usize,
}

impl Added {
    /// Number of links.
    pub fn len(&self) -> usize {
        self.links
    }

    /// Takes in a link, with weight 0.
    pub fn insert(&mut self, source: u32, target: u32, neuron: u32) {
        let row = self.rows.entry(source).or_default();
        let link = AddedLink { target, neuron, weight: 0 };
        let place = row.partition_point(|other| (other.target, other.neuron) < (target, neuron));
        row.insert(place, link);
        self.links += 1;
        let index = source as usize / 64;
        if index >= self.marks.len() {
            self.marks.resize(index + 1, 0);
        }
        self.marks[index] |= 1 << (source % 64);
    }

    /// The links of a source, sorted by target.
    #[inline]
    pub fn row(&self, source: u32) -> &[AddedLink] {
        match self.marks.get(source as usize / 64) {
            Some(marks) if marks >> (source % 64) & 1 == 1 => &self.rows[&source],
            _ => &[],
        }
    }

    /// All rows in order of source.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[AddedLink])> {
        self.rows.iter().map(|(&source, links)| (source, &links[..]))
    }

    /// All rows in order of source, to set weights.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut [AddedLink])> {
        self.rows.iter_mut().map(|(&source, links)| (source, &mut links[..]))
    }
}

/// The part of `links`, sorted by the key, whose key lies in the range.
#[inline]
pub fn within<T>(
    links: &[T],
    range: &std::ops::Range<u32>,
    key: impl Fn(&T) -> u32,
) -> (usize, usize) {
    let from = threads::first(0, links.len(), |n| key(&links[n]) >= range.start);
    let to = threads::first(from, links.len(), |n| key(&links[n]) >= range.end);
    (from, to)
}
