//! Work split over threads: ranges of rows in, one answer per range out, in order. Nothing that is
//! computed depends on the number of threads.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::helpers;

/// How many threads there may be.
#[derive(Clone, Copy, Debug)]
pub struct Crew {
    pub most: usize,
    /// Work from which one more is worth its start.
    pub least: usize,
}

impl Crew {
    /// Threads for that much work, 1 or more.
    pub fn size(self, work: usize) -> usize {
        self.most.min(work / self.least.max(1)).max(1)
    }
}

/// Runs `work` on every task, each on a thread of its own where there are threads for all.
pub fn each<T: Send, R: Send>(tasks: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let mut workers = vec![(); tasks.len()];
    queue(tasks, &mut workers, |(), task| work(task))
}

/// Runs `work` on every task. Each worker is with one thread, this one or a helper of it, which
/// takes the next task when it is done with one.
pub fn queue<T: Send, W: Send, R: Send>(
    tasks: Vec<T>,
    workers: &mut [W],
    work: impl Fn(&mut W, T) -> R + Sync,
) -> Vec<R> {
    let most = workers.len().min(tasks.len()).saturating_sub(1);
    let mut answers = Vec::with_capacity(tasks.len());
    let (queue, workers) = (Mutex::new(tasks.into_iter().enumerate()), workers.iter_mut());
    let (workers, all) = (Mutex::new(workers), Mutex::new(&mut answers));
    helpers::call(most, &|| {
        let Some(worker) = lock(&workers).next() else { return };
        let mut own = Vec::new();
        let next = || lock(&queue).next();
        while let Some((number, task)) = next() {
            own.push((number, work(worker, task)));
        }
        lock(&all).append(&mut own);
    });
    answers.sort_unstable_by_key(|answer: &(usize, R)| answer.0);
    answers.into_iter().map(|answer| answer.1).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cuts `slice` at consecutive ranges that begin at 0 and end with it.
pub fn parts<'a, T>(mut slice: &'a mut [T], ranges: &[Range<usize>]) -> Vec<&'a mut [T]> {
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (part, rest) = slice.split_at_mut(range.len());
        parts.push(part);
        slice = rest;
    }
    assert!(slice.is_empty(), "the ranges cover the slice");
    parts
}

/// Splits rows into at most `threads` consecutive ranges of about equal work: `offsets` as in
/// [`crate::rows::Rows`], a row counting as one word more. A range has `least` work or more, or
/// there is only one.
pub fn split(offsets: &[u32], threads: usize, least: usize) -> Vec<Range<usize>> {
    let rows = offsets.len() - 1;
    let work = |row: usize| offsets[row] as usize + row;
    let parts = threads.min(work(rows) / least.max(1)).max(1);
    let mut ranges = Vec::with_capacity(parts);
    let mut start = 0;
    for part in 1..=parts {
        let goal = work(rows) * part / parts;
        let end = if part == parts { rows } else { first(start, rows, |row| work(row) >= goal) };
        ranges.push(start..end);
        start = end;
    }
    ranges
}

/// The first number in `from..to` that fulfils `reached`, which stays true once true; else `to`.
pub fn first(mut from: usize, mut to: usize, reached: impl Fn(usize) -> bool) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_covers_every_row_once_and_balances_words() {
        let offsets: Vec<u32> = (0..=100_000u64).map(|row| (row * row / 100_000) as u32).collect();
        for threads in [1, 2, 3, 16] {
            let ranges = split(&offsets, threads, 50_000);
            assert_eq!(ranges.len(), threads.min(4));
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, 100_000));
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
        let two = split(&offsets, 2, 1);
        let work = |row: usize| offsets[row] as usize + row;
        assert!(work(two[0].end).abs_diff(100_000) < 4);
        assert_eq!(split(&[0], 4, 1), vec![0..0]);
    }

    #[test]
    fn answers_come_in_the_order_of_the_tasks() {
        assert_eq!(each((0..9).collect(), |task| task * 2), [0, 2, 4, 6, 8, 10, 12, 14, 16]);
        assert!(each(Vec::<u8>::new(), |task| task).is_empty());
        for workers in 1..4 {
            let mut done = vec![0; workers];
            let answers = queue((0..50).collect(), &mut done, |done, task| {
                *done += 1;
                task * 2
            });
            assert!(answers.into_iter().eq((0..50).map(|task| task * 2)));
            assert_eq!(done.iter().sum::<i32>(), 50);
        }
    }
}
