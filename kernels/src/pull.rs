//! The full sweep: every particle sums what its in-links give it.
//!
//! A link is one 8-byte word, source below weight, and a source is read as one 4-byte word, its
//! [`share`]; rows are split over threads by links. Sums are exact, so the split shows nowhere.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::code::{towards, unpack};

/// Low bits of a share: the shift to the right.
const SHIFT_MASK: u32 = 63;
/// The rest of a share above its free bit: the mantissa, so far up that the product with a weight
/// just stays below 2^63.
const MANTISSA_MASK: u32 = !127;
/// Links from which a second thread is worth its start.
const LINKS_PER_THREAD: usize = 1 << 16;

/// Code and exponent of a source in the form a sweep reads: with
/// `contribution = (weight · (share & MANTISSA_MASK)) >> (share & 63)`.
///
/// The product is `w · m · 2^(31 - bits)`, below 2^63 as the mantissa is below 2^bits; a shift of
/// 63 or more gives 0 and is kept as 63. It is never negative: values are below 2^63.
#[inline]
pub fn share(code: u32, exponent: u32, bits: u32) -> u32 {
    let (mantissa, shift) = unpack(code, bits);
    let down = (63 + exponent - shift - bits).min(63);
    (mantissa << (31 - bits)) | down
}

/// What a source gives through a link of this weight.
#[inline]
pub fn contribution(weight: u32, share: u32) -> u64 {
    (u64::from(weight) * u64::from(share & MANTISSA_MASK)) >> (share & SHIFT_MASK)
}

/// The in-links of all particles, row after row.
#[derive(Debug, Default)]
pub struct InLinks {
    /// Row i is `words[offsets[i]..offsets[i + 1]]`.
    pub offsets: Vec<u32>,
    /// Source in the low half, weight in the high half.
    pub words: Vec<u64>,
}

/// Splits rows into at most `threads` ranges of about equal work, a row counting as one link more.
pub fn split(offsets: &[u32], threads: usize) -> Vec<Range<usize>> {
    let rows = offsets.len().saturating_sub(1);
    let work = |row: usize| offsets[row] as usize + row;
    let total = if rows == 0 { 0 } else { work(rows) };
    let parts = threads.min(total / LINKS_PER_THREAD).max(1);
    let mut ranges = Vec::with_capacity(parts);
    let mut start = 0;
    for part in 1..=parts {
        let end = match part == parts {
            true => rows,
            false => first_row(start, rows, |row| work(row) >= total * part / parts),
        };
        ranges.push(start..end);
        start = end;
    }
    ranges
}

/// The first row in `from..to` that fulfils `reached`, which stays true once true; else `to`.
fn first_row(mut from: usize, mut to: usize, reached: impl Fn(usize) -> bool) -> usize {
    while from < to {
        let middle = from + (to - from) / 2;
        if reached(middle) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}

/// One full sweep: `codes` in place from `shares`. Gives how many codes changed; `None` if `abort`
/// was raised, and then the codes are of no use.
pub fn sweep(
    links: &InLinks,
    shares: &[u32],
    codes: &mut [u32],
    (base, bits): (u64, u32),
    (ranges, abort): (&[Range<usize>], &AtomicBool),
) -> Option<u64> {
    std::thread::scope(|scope| {
        let mut rest = codes;
        let mut handles = Vec::new();
        for range in ranges {
            let (part, after) = rest.split_at_mut(range.len());
            rest = after;
            let rows = range.clone();
            handles.push(move || sweep_rows(links, shares, part, (base, bits), (rows, abort)));
        }
        let first = handles.pop();
        let running: Vec<_> = handles.into_iter().map(|task| scope.spawn(task)).collect();
        let mut changed = first.map_or(Some(0), |task| task());
        for thread in running {
            let part = thread.join().expect("a sweep does not panic");
            changed = changed.zip(part).map(|(a, b)| a + b);
        }
        changed
    })
}

/// The rows of one thread.
fn sweep_rows(
    links: &InLinks,
    shares: &[u32],
    codes: &mut [u32],
    (base, bits): (u64, u32),
    (rows, abort): (Range<usize>, &AtomicBool),
) -> Option<u64> {
    let mut changed = 0;
    let mut seen = 0;
    for (count, (row, code)) in rows.zip(codes).enumerate() {
        if count % 4096 == 0 && abort.load(Ordering::Relaxed) {
            return None;
        }
        let words = &links.words[links.offsets[row] as usize..links.offsets[row + 1] as usize];
        let sum = words.iter().fold(base, |sum, &word| {
            sum.wrapping_add(contribution((word >> 32) as u32, shares[word as u32 as usize]))
        });
        seen |= sum;
        let after = towards(*code, sum, bits);
        changed += u64::from(after != *code);
        *code = after;
    }
    assert!(seen >> 63 == 0, "all ranks together are below 2^63");
    Some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::floor;
    use crate::cpu;
    use proptest::prelude::*;

    #[test]
    fn a_split_covers_every_row_once() {
        let offsets: Vec<u32> = (0..=100_000).map(|row| row * 3).collect();
        for threads in [1, 2, 3, 16] {
            let ranges = split(&offsets, threads);
            assert_eq!(ranges.len(), threads.min(6));
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, 100_000));
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
        assert_eq!(split(&[], 4).as_slice(), std::slice::from_ref(&(0..0)));
        assert_eq!(split(&[0], 4).as_slice(), std::slice::from_ref(&(0..0)));
    }

    proptest! {
        #[test]
        fn a_share_gives_what_the_definition_gives(
            mantissa in 0..=3_865_470_566u32, exponent in 0u32..=24,
            x in 0u64..1 << 63, drop in 0u32..63, bits in 8u32..=24,
        ) {
            let code = floor(x >> drop, bits);
            let defined = cpu::contribution(cpu::Weight { mantissa, exponent }, code, bits);
            prop_assert_eq!(contribution(mantissa, share(code, exponent, bits)), defined);
        }
    }
}
