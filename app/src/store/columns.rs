//! Append-only columns in memory: the digests of the particles, the rows of the links, the
//! addresses of the neurons, the records of the rounds. One writer appends, any number of
//! readers read, without locks and without `unsafe`: elements are atomics or set once, and lie in
//! buckets that are never moved.
//!
//! Invariants: a reader asks only below the length its snapshot carries, and the writer published
//! that snapshot after it had written those elements; what stands there never changes. So relaxed
//! loads suffice: the hand-over of the snapshot orders them.
//! Deliberately absent: lengths (snapshots carry them), removal, any order but that of numbers.

use crate::state::Link;
use crate::types::{Address, Height, LinkNumber, NeuronNumber, Particle, ParticleNumber};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::OnceLock;

/// The first power of two that is cut into buckets.
const FIRST_BITS: u32 = 10;
/// Each power of two is cut into this many buckets, so at most an eighth is unused.
const CUTS_BITS: u32 = 3;
/// Buckets for every index below 2^32.
const BUCKETS: usize = ((33 - FIRST_BITS) as usize) << CUTS_BITS;

/// An array that grows by whole buckets. The search index has its chains in such arrays too.
pub(crate) struct Buckets<T>([OnceLock<Box<[T]>>; BUCKETS]);

/// The bucket of an index, the place in it, and how many elements the bucket has.
fn place(index: u32) -> (usize, usize, usize) {
    let shifted = u64::from(index) + (1 << FIRST_BITS);
    let exponent = 63 - shifted.leading_zeros();
    let size = 1u64 << (exponent - CUTS_BITS);
    let cut = (shifted >> (exponent - CUTS_BITS)) & ((1 << CUTS_BITS) - 1);
    let bucket = (u64::from(exponent - FIRST_BITS) << CUTS_BITS) + cut;
    (bucket as usize, (shifted & (size - 1)) as usize, size as usize)
}

impl<T: Default> Buckets<T> {
    pub(crate) fn new() -> Buckets<T> {
        Buckets([const { OnceLock::new() }; BUCKETS])
    }

    /// An element the writer grew before.
    pub(crate) fn get(&self, index: u32) -> &T {
        let (bucket, offset, _) = place(index);
        let bucket = self.0[bucket].get();
        &bucket.expect("readers ask below the length of their snapshot")[offset]
    }

    /// An element whose bucket is made if it is not there. The writer's alone.
    pub(crate) fn grow(&self, index: u32) -> &T {
        let (bucket, offset, size) = place(index);
        let bucket =
            self.0[bucket].get_or_init(|| std::iter::repeat_with(T::default).take(size).collect());
        &bucket[offset]
    }
}

/// A link as the columns hold it: neuron, from, to and height, 4 bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkRow {
    pub neuron: NeuronNumber,
    pub from: ParticleNumber,
    pub to: ParticleNumber,
    /// Below 2^32: a genesis with a greater initial height is refused.
    pub height: u32,
}

impl LinkRow {
    /// The link itself.
    pub fn link(self, neuron: Address) -> Link {
        let LinkRow { from, to, height, .. } = self;
        Link { neuron, from, to, height: Height(u64::from(height)) }
    }
}

/// How many elements of each column there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub particles: u32,
    pub links: u32,
    pub neurons: u32,
    pub rounds: u32,
}

/// All columns.
pub struct Columns {
    particles: Buckets<[AtomicU64; 4]>,
    links: Buckets<[AtomicU32; 4]>,
    neurons: Buckets<OnceLock<Address>>,
    rounds: Buckets<OnceLock<Box<[u8]>>>,
}

impl Columns {
    /// Empty columns.
    pub fn new() -> Columns {
        Columns {
            particles: Buckets::new(),
            links: Buckets::new(),
            neurons: Buckets::new(),
            rounds: Buckets::new(),
        }
    }

    /// The digest of a particle.
    pub fn particle(&self, number: ParticleNumber) -> Particle {
        let words = self.particles.get(number.0);
        let mut digest = [0; 32];
        for (bytes, word) in digest.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
        Particle(digest)
    }

    /// The row of a link.
    pub fn link(&self, number: LinkNumber) -> LinkRow {
        let [neuron, from, to, height] = self.links.get(number.0).each_ref();
        LinkRow {
            neuron: NeuronNumber(neuron.load(Relaxed)),
            from: ParticleNumber(from.load(Relaxed)),
            to: ParticleNumber(to.load(Relaxed)),
            height: height.load(Relaxed),
        }
    }

    /// The address of a neuron.
    pub fn neuron(&self, number: NeuronNumber) -> Address {
        *self.neurons.get(number.0).get().expect("set before its snapshot was published")
    }

    /// The record of a round, by its place in the log of rounds.
    pub fn round(&self, index: u32) -> &[u8] {
        self.rounds.get(index).get().expect("set before its snapshot was published")
    }

    /// Writes a particle. The writer's alone, as all that follow.
    pub fn set_particle(&self, number: ParticleNumber, particle: &Particle) {
        let words = self.particles.grow(number.0);
        for (word, bytes) in words.iter().zip(particle.0.chunks_exact(8)) {
            let bytes = bytes.try_into().expect("chunks of 8");
            word.store(u64::from_le_bytes(bytes), Relaxed);
        }
    }

    /// Writes a link.
    pub fn set_link(&self, number: LinkNumber, row: LinkRow) {
        let fields = [row.neuron.0, row.from.0, row.to.0, row.height];
        for (place, field) in self.links.grow(number.0).iter().zip(fields) {
            place.store(field, Relaxed);
        }
    }

    /// Writes a neuron, once.
    pub fn set_neuron(&self, number: NeuronNumber, address: Address) {
        let set = self.neurons.grow(number.0).set(address);
        assert!(set.is_ok(), "neuron {number} is written once");
    }

    /// Writes a round's record, once.
    pub fn set_round(&self, index: u32, record: &[u8]) {
        let set = self.rounds.grow(index).set(record.into());
        assert!(set.is_ok(), "round record {index} is written once");
    }
}

impl Default for Columns {
    fn default() -> Columns {
        Columns::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_a_place_of_its_own() {
        let mut expected = (0, 0);
        for index in 0..200_000 {
            let (bucket, offset, size) = place(index);
            assert_eq!((bucket, offset), expected);
            expected = if offset + 1 == size { (bucket + 1, 0) } else { (bucket, offset + 1) };
        }
        let (bucket, offset, size) = place(u32::MAX);
        assert!(bucket < BUCKETS && offset < size);
    }

    #[test]
    fn a_reader_sees_what_the_writer_wrote() {
        let columns = Columns::new();
        for number in 0..5_000u32 {
            let particle = Particle(crate::types::sha256(&number.to_be_bytes()));
            columns.set_particle(ParticleNumber(number), &particle);
            let row = LinkRow {
                neuron: NeuronNumber(number / 7),
                from: ParticleNumber(number),
                to: ParticleNumber(number + 1),
                height: number * 3,
            };
            columns.set_link(LinkNumber(number), row);
            columns.set_round(number, &number.to_be_bytes()[..number as usize % 4]);
            assert_eq!(columns.particle(ParticleNumber(number)), particle);
            assert_eq!(columns.link(LinkNumber(number)), row);
            assert_eq!(columns.round(number).len(), number as usize % 4);
        }
    }
}
