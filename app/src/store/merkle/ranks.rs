//! The published ranks of all particles under an RFC 6962 tree: leaf `i` is the value of particle
//! `i` as eight bytes, big endian. Ranks are held as codes (`rank.md`): `code_bits` bits of
//! mantissa below six bits of shift, `value = mantissa << shift`; an unranked particle is 0.
//!
//! Codes and the hashes above them stand in chunks of 256 particles behind `Arc`, 36 bytes a
//! particle; a clone shares all chunks and a publication copies those it changes. Leaf hashes are
//! not kept: they cost one block of SHA-256 and twice the memory. Chunks and upper levels are
//! filled up with zero leaves, which is what new particles get, so growing hashes nothing.
//!
//! Invariants: every kept node over leaves below the length is right between two calls; the root
//! depends on length and codes alone, not on threads or history. Deliberately absent: removal.

use super::leaves;
use super::log::Inclusion;
use super::rfc6962::{self, log_root, node};
use crate::types::{Hash, ParticleNumber};
use rayon::prelude::*;
use std::sync::{Arc, LazyLock};

const CHUNK_LEVELS: u32 = 8;
const CHUNK: usize = 1 << CHUNK_LEVELS;

/// From this many chunks on a change is worth several threads.
const PARALLEL_CHUNKS: usize = 8;

/// Bits of the shift in a code.
const SHIFT_BITS: u32 = 6;

/// The hash of a perfect subtree of zero leaves, by level.
static ZEROS: LazyLock<Vec<Hash>> = LazyLock::new(|| {
    let leaf = rfc6962::leaf(&leaves::rank(0));
    std::iter::successors(Some(leaf), |below| Some(node(below, below))).take(64).collect()
});

/// The rank of every particle, and its tree.
#[derive(Clone, Debug)]
pub struct RankTree {
    len: u32,
    code_bits: u32,
    total: u128,
    chunks: Arc<Vec<Arc<Chunk>>>,
    /// Level by level the hashes above the chunks: `upper[0]` over pairs of chunks, and so on, up
    /// to a level of one. Absent chunks count as zero.
    upper: Arc<Vec<Vec<Hash>>>,
}

/// 256 particles, from a multiple of 256 on.
#[derive(Clone, Debug)]
struct Chunk {
    codes: [u32; CHUNK],
    /// The hashes above the leaves: the root at 1, the children of `n` at `2n` and `2n + 1`; the
    /// children of the last 128 are leaves.
    nodes: [Hash; CHUNK],
}

/// The value of a code; `None` if its bits are no code.
pub fn code_value(code: u32, code_bits: u32) -> Option<u64> {
    let (shift, mantissa) = (code >> code_bits, u64::from(code) & ((1 << code_bits) - 1));
    (shift < 1 << SHIFT_BITS && mantissa.leading_zeros() >= shift).then(|| mantissa << shift)
}

/// The largest code whose value is not above the given one (`floor_P` of `rank.md`).
pub fn floor_code(value: u64, code_bits: u32) -> u32 {
    let length = u64::BITS - value.leading_zeros();
    let shift = length.saturating_sub(code_bits);
    shift << code_bits | (value >> shift) as u32
}

impl RankTree {
    /// No particles. `code_bits` is 8 to 24.
    pub fn new(code_bits: u32) -> RankTree {
        check_bits(code_bits);
        let (chunks, upper) = (Arc::default(), Arc::default());
        RankTree { len: 0, code_bits, total: 0, chunks, upper }
    }

    /// How many particles there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bits of the mantissa in a code.
    pub fn code_bits(&self) -> u32 {
        self.code_bits
    }

    /// The sum of all values.
    pub fn total(&self) -> u128 {
        self.total
    }

    /// The code of a particle; `None` if there is no such particle.
    pub fn code(&self, particle: ParticleNumber) -> Option<u32> {
        let at = particle.0 as usize;
        (particle.0 < self.len).then(|| self.chunks[at / CHUNK].codes[at % CHUNK])
    }

    /// The published value of a particle; `None` if there is no such particle.
    pub fn value(&self, particle: ParticleNumber) -> Option<u64> {
        self.code(particle).map(|code| value_of(code, self.code_bits))
    }

    /// All codes in order of particles, in slices.
    pub fn codes(&self) -> impl Iterator<Item = &[u32]> {
        let rest = |at: usize| (self.len as usize - at * CHUNK).min(CHUNK);
        self.chunks.iter().enumerate().map(move |(at, chunk)| &chunk.codes[..rest(at)])
    }

    /// Particle, old and new code of all whose code is another than in an older tree, ascending;
    /// of all ranked ones when the bits of codes are other. Chunks that both share are not read.
    pub fn differences(&self, before: &RankTree) -> Vec<[u32; 3]> {
        let same_bits = self.code_bits == before.code_bits;
        let zero = [0; CHUNK];
        let mut rows = Vec::new();
        for (at, chunk) in self.chunks.iter().enumerate() {
            let old = before.chunks.get(at);
            if same_bits && old.is_some_and(|old| Arc::ptr_eq(old, chunk)) {
                continue;
            }
            let old = old.map_or(&zero, |old| &old.codes);
            for (within, (old, new)) in old.iter().zip(&chunk.codes).enumerate() {
                if old != new || !same_bits && *new != 0 {
                    rows.push([(at * CHUNK + within) as u32, *old, *new]);
                }
            }
        }
        rows
    }

    /// Adds particles of rank zero until there are `len`; no fewer than there are.
    pub fn grow(&mut self, len: u32) {
        assert!(len >= self.len, "particles are never removed");
        let chunks = (len as usize).div_ceil(CHUNK);
        if chunks > self.chunks.len() {
            let zero = Arc::new(Chunk::zero());
            Arc::make_mut(&mut self.chunks).resize(chunks, zero);
            let upper = Arc::make_mut(&mut self.upper);
            let (mut below, mut level) = (chunks, 0);
            while below > 1 {
                below = below.div_ceil(2);
                if upper.len() == level {
                    upper.push(Vec::new());
                    // Until now the level was one node above all others, with zeros to its right.
                    let left = match level {
                        0 => self.chunks[0].nodes[1],
                        level => upper[level - 1][0],
                    };
                    let zero = &ZEROS[CHUNK_LEVELS as usize + level];
                    upper[level].push(node(&left, zero));
                }
                upper[level].resize(below, ZEROS[CHUNK_LEVELS as usize + level + 1]);
                level += 1;
            }
        }
        self.len = len;
    }

    /// Sets the codes of particles, in ascending order of their numbers.
    ///
    /// # Panics
    /// The order, a number past the end or bits that are no code are programmers' mistakes: what
    /// comes from a disk is checked before.
    pub fn set_codes(&mut self, changes: &[(ParticleNumber, u32)]) {
        let ascending = changes.windows(2).all(|pair| pair[0].0 < pair[1].0);
        assert!(ascending, "codes are set in ascending order of particles");
        let last = changes.last().is_none_or(|(particle, _)| particle.0 < self.len);
        assert!(last, "codes are set for particles of the tree");
        let mut groups = Vec::new();
        for group in changes.chunk_by(|a, b| chunk_of(a.0) == chunk_of(b.0)) {
            groups.push((chunk_of(group[0].0), group));
        }
        let bits = self.code_bits;
        self.change_chunks(groups, |chunk, group| chunk.set_codes(group, bits));
    }

    /// Changes the bits of the mantissa: every code becomes the largest one of so many bits that
    /// is not above its value.
    pub fn set_code_bits(&mut self, code_bits: u32) {
        check_bits(code_bits);
        let old = std::mem::replace(&mut self.code_bits, code_bits);
        if old != code_bits {
            let groups = (0..self.chunks.len()).map(|at| (at, ())).collect();
            self.change_chunks(groups, |chunk, ()| chunk.set_code_bits(old, code_bits));
        }
    }

    /// Changes some chunks, in ascending order, and rehashes what stands above them. `change`
    /// returns by how much the sum of values moves and whether a value moved at all.
    fn change_chunks<T: Send>(
        &mut self,
        groups: Vec<(usize, T)>,
        change: impl Fn(&mut Chunk, T) -> (i128, bool) + Sync,
    ) {
        let parallel = groups.len() >= PARALLEL_CHUNKS;
        let mut work = Vec::with_capacity(groups.len());
        let (mut rest, mut skipped) = (Arc::make_mut(&mut self.chunks).as_mut_slice(), 0);
        for (at, group) in groups {
            let (chunk, tail) = rest[at - skipped..].split_first_mut().expect("a chunk there");
            (rest, skipped) = (tail, at + 1);
            work.push((at, chunk, group));
        }
        let run = |(at, chunk, group): (usize, &mut Arc<Chunk>, T)| {
            let (moved, changed) = change(Arc::make_mut(chunk), group);
            (at, moved, changed)
        };
        let done: Vec<(usize, i128, bool)> = match parallel {
            true => work.into_par_iter().map(run).collect(),
            false => work.into_iter().map(run).collect(),
        };
        let moved: i128 = done.iter().map(|(_, moved, _)| moved).sum();
        self.total = self.total.checked_add_signed(moved).expect("the sum of what is there");
        let dirty = done.iter().filter(|(_, _, changed)| *changed).map(|(at, _, _)| *at).collect();
        self.rehash_upper(dirty);
    }

    /// Rehashes the nodes above chunks that changed.
    fn rehash_upper(&mut self, mut dirty: Vec<usize>) {
        let upper = Arc::make_mut(&mut self.upper);
        for level in 0..upper.len() {
            dirty.iter_mut().for_each(|at| *at /= 2);
            dirty.dedup();
            let (chunks, lower) = (&self.chunks, &upper[..level]);
            let child = |at: usize| match lower.last() {
                Some(below) => below.get(at).copied(),
                None => chunks.get(at).map(|chunk| chunk.nodes[1]),
            };
            let zero = ZEROS[CHUNK_LEVELS as usize + level];
            let hash = |at: &usize| {
                let left = child(2 * at).expect("a node has a left child");
                node(&left, &child(2 * at + 1).unwrap_or(zero))
            };
            let hashes: Vec<Hash> = match dirty.len() >= CHUNK {
                true => dirty.par_iter().map(hash).collect(),
                false => dirty.iter().map(hash).collect(),
            };
            dirty.iter().zip(hashes).for_each(|(at, hash)| upper[level][*at] = hash);
        }
    }

    /// The root in the sense of RFC 6962.
    pub fn rfc6962_root(&self) -> Hash {
        rfc6962::bag(&self.short_tree())
    }

    /// The root that stands in the app hash, with the length bound in.
    pub fn root(&self) -> Hash {
        log_root(u64::from(self.len), &self.rfc6962_root())
    }

    /// The short tree: the roots of the perfect subtrees alone, largest first, at most 64.
    pub fn short_tree(&self) -> Vec<Hash> {
        rfc6962::peaks(u64::from(self.len)).map(|(level, at)| self.subtree(level, at)).collect()
    }

    /// The proof of a particle's value, whose leaf is [`leaves::rank`].
    ///
    /// # Panics
    /// The particle is below the length.
    pub fn prove(&self, particle: ParticleNumber) -> Inclusion {
        let (index, size) = (u64::from(particle.0), u64::from(self.len));
        let path = rfc6962::audit_path(index, size, &|level, at| self.subtree(level, at));
        Inclusion { index, size, path }
    }

    /// The hash of a perfect subtree of particles that are there.
    fn subtree(&self, level: u32, position: u64) -> Hash {
        let position = position as usize;
        if level > CHUNK_LEVELS {
            return self.upper[(level - CHUNK_LEVELS - 1) as usize][position];
        }
        let in_chunk = 1 << (CHUNK_LEVELS - level);
        let (chunk, within) = (&self.chunks[position / in_chunk], position % in_chunk);
        match level {
            0 => chunk.leaf(within, self.code_bits),
            _ => chunk.nodes[in_chunk + within],
        }
    }
}

impl Chunk {
    fn zero() -> Chunk {
        let mut nodes = [[0; 32]; CHUNK];
        for (at, hash) in nodes.iter_mut().enumerate().skip(1) {
            *hash = ZEROS[(CHUNK_LEVELS - at.ilog2()) as usize];
        }
        Chunk { codes: [0; CHUNK], nodes }
    }

    fn leaf(&self, at: usize, code_bits: u32) -> Hash {
        rfc6962::leaf(&leaves::rank(value_of(self.codes[at], code_bits)))
    }

    fn set_codes(&mut self, changes: &[(ParticleNumber, u32)], bits: u32) -> (i128, bool) {
        let (mut moved, mut dirty) = (0, [false; CHUNK / 2]);
        for (particle, code) in changes {
            let at = particle.0 as usize % CHUNK;
            let (old, new) = (value_of(self.codes[at], bits), value_of(*code, bits));
            self.codes[at] = *code;
            moved += i128::from(new) - i128::from(old);
            dirty[at / 2] |= old != new;
        }
        (moved, self.rehash(&dirty, bits))
    }

    fn set_code_bits(&mut self, old_bits: u32, bits: u32) -> (i128, bool) {
        let (mut moved, mut dirty) = (0, [false; CHUNK / 2]);
        for (at, code) in self.codes.iter_mut().enumerate() {
            let old = value_of(*code, old_bits);
            *code = floor_code(old, bits);
            let new = value_of(*code, bits);
            moved += i128::from(new) - i128::from(old);
            dirty[at / 2] |= old != new;
        }
        (moved, self.rehash(&dirty, bits))
    }

    /// Rehashes the nodes above pairs of leaves of which one changed; whether there was one.
    fn rehash(&mut self, dirty_pairs: &[bool; CHUNK / 2], bits: u32) -> bool {
        let mut dirty = [false; CHUNK];
        dirty[CHUNK / 2..].copy_from_slice(dirty_pairs);
        for at in (1..CHUNK).rev() {
            if !dirty[at] {
                continue;
            }
            dirty[at / 2] = true;
            let (left, right) = (2 * at, 2 * at + 1);
            self.nodes[at] = match left < CHUNK {
                true => node(&self.nodes[left], &self.nodes[right]),
                false => node(&self.leaf(left - CHUNK, bits), &self.leaf(right - CHUNK, bits)),
            };
        }
        dirty[1]
    }
}

fn chunk_of(particle: ParticleNumber) -> usize {
    particle.0 as usize / CHUNK
}

fn value_of(code: u32, code_bits: u32) -> u64 {
    code_value(code, code_bits).expect("codes of the tree have values below 2^64")
}

fn check_bits(code_bits: u32) {
    assert!((8..=24).contains(&code_bits), "code_bits is 8 to 24");
}

#[cfg(test)]
mod tests;
