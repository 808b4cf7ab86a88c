//! Hash tables of numbers: from a digest, a link or an address to its number in the columns.
//! A slot is a number of 4 bytes and a tag of one, 8 bits of the hash (0: free). What a number
//! stands for is compared in the columns, which the tag spares all but one of 255 others: tags that
//! are looked at lie together, columns far apart. A link costs about 8 bytes here. Only insertion;
//! open addressing; cut into 256 shards so that growth rehashes a shard. One writer, any number of
//! readers without locks.
//!
//! Invariants: a number at or above the reader's length counts as absent, so one table serves
//! every snapshot. The hash is SipHash 1-3 under a random secret of the process: nobody outside
//! can aim at collisions, and nothing derived from the order of slots leaves this file (tables
//! are never iterated but to rehash). Deliberately absent: removal, iteration, persistence: the
//! tables are rebuilt from the columns at start.

use arc_swap::ArcSwap;
use rayon::prelude::*;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::hint::black_box;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU8};
use std::sync::Arc;

const SHARDS: usize = 256;
const SHARD_SHIFT: u32 = 64 - SHARDS.trailing_zeros();
const SMALLEST: usize = 12;

/// The slots of a shard. `used` is the writer's.
struct Table {
    /// A tag is stored after its number, so whoever sees the one sees the other.
    tags: Box<[AtomicU8]>,
    numbers: Box<[AtomicU32]>,
    used: AtomicU32,
}

impl Table {
    fn with_slots(slots: usize) -> Table {
        let tags = std::iter::repeat_with(AtomicU8::default).take(slots).collect();
        let numbers = std::iter::repeat_with(AtomicU32::default).take(slots).collect();
        Table { tags, numbers, used: AtomicU32::new(0) }
    }

    /// The places of a search for a hash, in its order.
    fn places(&self, hash: u64) -> impl Iterator<Item = usize> {
        let low = hash & u64::from(u32::MAX);
        let slots = self.tags.len();
        let start = ((low * slots as u64) >> 32) as usize;
        (start..slots).chain(0..start)
    }

    /// Puts the number into the first free slot; there is one, since tables grow in time.
    fn put(&self, hash: u64, number: u32) {
        let free = self.places(hash).find(|place| self.tags[*place].load(Relaxed) == 0);
        let free = free.expect("a quarter of the slots is free");
        self.numbers[free].store(number, Relaxed);
        self.tags[free].store(tag_of(hash), Release);
        self.used.store(self.used.load(Relaxed) + 1, Relaxed);
    }

    /// The numbers that a search for a hash compares, in its order.
    fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let wanted = tag_of(hash);
        let tags = self.places(hash).map(|place| (place, self.tags[place].load(Acquire)));
        let taken = tags.take_while(|(_, tag)| *tag != 0);
        let alike = taken.filter(move |(_, tag)| *tag == wanted);
        alike.map(|(place, _)| self.numbers[place].load(Relaxed))
    }

    /// All numbers, in no order.
    fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let taken = self.tags.iter().zip(&self.numbers).filter(|(tag, _)| tag.load(Relaxed) != 0);
        taken.map(|(_, number)| number.load(Relaxed))
    }

    /// Whether one more number would leave less than a quarter of the slots free.
    fn is_full(&self) -> bool {
        (self.used.load(Relaxed) as usize + 1) * 4 > self.tags.len() * 3
    }
}

/// Numbers found by what stands under them in a column.
pub struct Index {
    secret: RandomState,
    shards: Box<[ArcSwap<Table>]>,
}

impl Index {
    /// An empty index with a secret of its own.
    pub fn new() -> Index {
        let shard = || ArcSwap::from_pointee(Table::with_slots(SMALLEST));
        let shards = std::iter::repeat_with(shard).take(SHARDS).collect();
        Index { secret: RandomState::new(), shards }
    }

    /// The index of the numbers below `length`, made on all cores. `write` feeds what stands
    /// under a number to the hasher, just as [`Index::hash`] is fed later.
    pub fn build(length: u32, write: impl Fn(u32, &mut dyn Hasher) + Sync) -> Index {
        let secret = RandomState::new();
        let hash = |number: u32| {
            let mut hasher = secret.build_hasher();
            write(number, &mut hasher);
            hasher.finish()
        };
        let hashes: Vec<u64> = (0..length).into_par_iter().map(hash).collect();
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); SHARDS];
        for (number, hash) in hashes.iter().enumerate() {
            members[shard_of(*hash)].push(number as u32);
        }
        let shards = members
            .par_iter()
            .map(|members| {
                let table = Table::with_slots((members.len() * 3 / 2).max(SMALLEST));
                for number in members {
                    table.put(hashes[*number as usize], *number);
                }
                ArcSwap::from_pointee(table)
            })
            .collect();
        Index { secret, shards }
    }

    /// The hash of what `write` feeds to the hasher.
    pub fn hash(&self, write: impl FnOnce(&mut dyn Hasher)) -> u64 {
        let mut hasher = self.secret.build_hasher();
        write(&mut hasher);
        hasher.finish()
    }

    /// The number below `length` with this hash for which `same` holds.
    pub fn find(&self, hash: u64, length: u32, same: impl Fn(u32) -> bool) -> Option<u32> {
        let table = self.shards[shard_of(hash)].load();
        let found = table.candidates(hash).find(|number| *number < length && same(*number));
        found
    }

    /// Reads ahead what finding these hashes will read, and gives what is most likely found:
    /// `column` reads what stands under a number. Nothing waits for what is read, so that all of
    /// it comes from memory at once, where searches would wait for one place after the other.
    pub fn expect(&self, hashes: &[u64], length: u32, column: impl Fn(u32)) -> Vec<Option<u32>> {
        for hash in hashes {
            let table = self.shards[shard_of(*hash)].load();
            let place = table.places(*hash).next().unwrap_or(0);
            black_box((table.tags[place].load(Relaxed), table.numbers[place].load(Relaxed)));
        }
        let candidate = |hash: &u64| self.shards[shard_of(*hash)].load().candidates(*hash).next();
        let within = |hash| candidate(hash).filter(|number| *number < length);
        let numbers: Vec<Option<u32>> = hashes.iter().map(within).collect();
        numbers.iter().flatten().for_each(|number| column(*number));
        numbers
    }

    /// Adds a number that is not there. The writer's alone; `hash_of` gives the hash of a number
    /// that is there, for a rehash.
    pub fn insert(&self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        let shard = &self.shards[shard_of(hash)];
        let table = shard.load();
        if !table.is_full() {
            return table.put(hash, number);
        }
        let bigger = Table::with_slots(table.tags.len() * 3 / 2);
        for number in table.numbers() {
            bigger.put(hash_of(number), number);
        }
        bigger.put(hash, number);
        shard.store(Arc::new(bigger));
    }

    /// Memory of the slots in bytes.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.load().tags.len() * 5).sum()
    }
}

impl Default for Index {
    fn default() -> Index {
        Index::new()
    }
}

/// Of bits that neither the shard nor the first place of a search depends on much; never 0.
fn tag_of(hash: u64) -> u8 {
    ((hash >> 48) as u8).max(1)
}

fn shard_of(hash: u64) -> usize {
    (hash >> SHARD_SHIFT) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(number: u32, hasher: &mut dyn Hasher) {
        hasher.write_u32(number.wrapping_mul(2_654_435_761));
    }

    #[test]
    fn finds_what_was_inserted_below_the_length_of_the_reader() {
        let index = Index::new();
        let hash = |number: u32| index.hash(|hasher| write(number, hasher));
        for number in 0..20_000 {
            index.insert(hash(number), number, hash);
        }
        for number in 0..20_000 {
            let same = |other| other == number;
            assert_eq!(index.find(hash(number), 20_000, same), Some(number));
            assert_eq!(index.find(hash(number), number, same), None);
        }
        // Beside another with its tag a number may be taken for it, but most are not.
        let hashes: Vec<u64> = (0..20_000).map(hash).collect();
        let expected = index.expect(&hashes, 20_000, |number| assert!(number < 20_000));
        let right = (0..).zip(&expected).filter(|(number, it)| **it == Some(*number)).count();
        assert!(right > 19_500, "{right}");
        let beyond = index.expect(&hashes[10_000..], 10_000, |_| ());
        assert!(beyond.iter().flatten().count() < 500, "taken for others");
        let absent = hash(20_000);
        assert_eq!(index.find(absent, u32::MAX, |other| other == 20_000), None);
        let bytes = index.bytes();
        assert!((20_000 * 6..20_000 * 11).contains(&bytes), "{bytes} bytes for 20,000 numbers");
    }

    #[test]
    fn a_built_index_answers_like_a_grown_one_and_grows_on() {
        let index = Index::build(5_000, write);
        let hash = |number: u32| index.hash(|hasher| write(number, hasher));
        for number in 5_000..9_000 {
            index.insert(hash(number), number, hash);
        }
        for number in 0..9_000 {
            assert_eq!(index.find(hash(number), 9_000, |other| other == number), Some(number));
        }
    }

    #[test]
    fn readers_find_everything_while_the_writer_grows_the_tables() {
        let index = Index::new();
        let hash = |number: u32| index.hash(|hasher| write(number, hasher));
        let published = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| loop {
                let length = published.load(std::sync::atomic::Ordering::Acquire);
                for number in (0..length).step_by(97) {
                    assert_eq!(index.find(hash(number), length, |n| n == number), Some(number));
                }
                if length == 50_000 {
                    break;
                }
            });
            for number in 0..50_000 {
                index.insert(hash(number), number, hash);
                published.store(number + 1, std::sync::atomic::Ordering::Release);
            }
        });
    }
}
