//! Where a target's in-links stand on the device, and which kernel reads them.
//!
//! The host keeps only the places: a row has room for more words than it holds and moves to the
//! end when it is full; the contents stay on the device and are moved there. Particles of one bin
//! stand in a list in no order; leaving one is a swap with its last.

/// Bins by the length of a row: none, 1–4, 5–31, 32–4095, and hubs above.
pub const BINS: usize = 5;
/// The bin of rows that are read in chunks.
pub const HUBS: usize = 4;
/// Words of a chunk (`CHUNK_WORDS` of cuda/rank.cu).
pub const CHUNK_WORDS: u32 = 4096;
/// Words of a group, the unit of rows' places.
const GROUP: u32 = 4;

/// The bin of a row of so many words.
pub fn bin_of(length: u32) -> usize {
    match length {
        0 => 0,
        1..=4 => 1,
        5..=31 => 2,
        32..CHUNK_WORDS => 3,
        _ => HUBS,
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// First group of four words.
    start: u32,
    length: u32,
    /// Groups it may fill.
    room: u32,
    /// Length when it was last placed.
    placed: u32,
    /// Its index in the list of its bin.
    index: u32,
}

/// A row that goes elsewhere: groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub from: u32,
    pub to: u32,
    pub groups: u32,
}

/// The places of all rows.
#[derive(Debug, Default)]
pub struct Rows {
    rows: Vec<Row>,
    bins: [Vec<u32>; BINS],
    /// Rows that are longer than when they were placed.
    longer: Vec<u32>,
    /// Places in the lists that hold another particle since they were last sent.
    relisted: Vec<(usize, u32)>,
    /// Groups given out.
    end: u64,
}

/// What the device has to be told after rows became longer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Placing {
    pub moves: Vec<Move>,
    /// Particle and its range: first group, length above bit 32.
    pub ranges: Vec<(u32, u64)>,
    /// Bin, index in its list, particle.
    pub listed: Vec<(usize, u32, u32)>,
}

impl Rows {
    /// Empty rows for new particles.
    pub fn grow(&mut self, particles: u32) {
        for particle in self.rows.len() as u32..particles {
            let index = self.bins[0].len() as u32;
            self.bins[0].push(particle);
            self.relisted.push((0, index));
            self.rows.push(Row { index, ..Row::default() });
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Particles of a bin.
    pub fn bin(&self, bin: usize) -> &[u32] {
        &self.bins[bin]
    }

    /// Groups that the rows take, holes included.
    pub fn groups(&self) -> u64 {
        self.end
    }

    /// Words of a row.
    pub fn length(&self, particle: u32) -> u32 {
        self.rows[particle as usize].length
    }

    /// Lengthens a row by one word; gives its index in the row.
    pub fn push(&mut self, particle: u32) -> u32 {
        let row = &mut self.rows[particle as usize];
        if row.length == row.placed {
            self.longer.push(particle);
        }
        row.length += 1;
        row.length - 1
    }

    /// Where the word of this index stands, once the row is placed.
    pub fn word(&self, particle: u32, index: u32) -> u64 {
        u64::from(self.rows[particle as usize].start) * u64::from(GROUP) + u64::from(index)
    }

    /// Gives every row that became longer a place that is large enough, and its bin. `None` if
    /// there are more words than can be numbered.
    pub fn place(&mut self) -> Option<Placing> {
        let mut placing = Placing::default();
        for particle in std::mem::take(&mut self.longer) {
            let row = &mut self.rows[particle as usize];
            let groups = row.length.div_ceil(GROUP);
            if groups > row.room {
                // A row that grew once will grow again.
                let room = if row.room == 0 { groups } else { groups + groups / 2 };
                let to = u32::try_from(self.end).ok()?;
                if row.room > 0 {
                    placing.moves.push(Move { from: row.start, to, groups: row.room });
                }
                (row.start, row.room) = (to, room);
                self.end += u64::from(room);
            }
            let (before, after) = (bin_of(row.placed), bin_of(row.length));
            row.placed = row.length;
            let range = (u64::from(row.length) << 32) | u64::from(row.start);
            placing.ranges.push((particle, range));
            if before != after {
                self.rebin(particle, before, after);
            }
        }
        let mut relisted = std::mem::take(&mut self.relisted);
        relisted.sort_unstable();
        relisted.dedup();
        let now = |(bin, index): (usize, u32)| {
            self.bins[bin].get(index as usize).map(|&particle| (bin, index, particle))
        };
        placing.listed = relisted.into_iter().filter_map(now).collect();
        Some(placing)
    }

    fn rebin(&mut self, particle: u32, before: usize, after: usize) {
        let index = self.rows[particle as usize].index;
        self.bins[before].swap_remove(index as usize);
        if let Some(&moved) = self.bins[before].get(index as usize) {
            self.rows[moved as usize].index = index;
            self.relisted.push((before, index));
        }
        let index = self.bins[after].len() as u32;
        self.bins[after].push(particle);
        self.rows[particle as usize].index = index;
        self.relisted.push((after, index));
    }

    /// The chunks of all hubs: index of the hub, number of the chunk above bit 32.
    pub fn chunks(&self) -> Vec<u64> {
        let hubs = (0u64..).zip(&self.bins[HUBS]);
        hubs.flat_map(|(hub, &particle)| {
            let chunks = self.length(particle).div_ceil(CHUNK_WORDS);
            (0..u64::from(chunks)).map(move |chunk| (chunk << 32) | hub)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_its_words_when_it_moves_and_changes_its_bin() {
        let mut rows = Rows::default();
        rows.grow(3);
        assert_eq!(rows.place().map(|placing| placing.listed.len()), Some(3));
        (0..4).for_each(|word| assert_eq!(rows.push(1), word));
        rows.push(0);
        let first = rows.place().expect("few words");
        assert_eq!(first.ranges, [(1, 4 << 32), (0, (1 << 32) | 1)]);
        assert!(first.moves.is_empty() && rows.bin(0) == [2] && rows.bin(1) == [1, 0]);
        rows.push(1);
        let second = rows.place().expect("few words");
        assert_eq!(second.moves, [Move { from: 0, to: 2, groups: 1 }]);
        assert_eq!(second.ranges, [(1, (5 << 32) | 2)]);
        assert_eq!(second.listed, [(1, 0, 0), (2, 0, 1)]);
        assert_eq!((rows.word(1, 4), rows.groups()), (12, 5));
        (0..4091).for_each(|_| _ = rows.push(1));
        assert!(rows.place().is_some() && rows.chunks() == [0]);
        rows.push(1);
        assert!(rows.place().is_some() && rows.chunks() == [0, 1 << 32]);
    }
}
