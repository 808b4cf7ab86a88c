//! One neuron's way through an import: which stretch of its links goes out next, with which
//! sequence, and what the chain's answers mean for it. Pure: no clock, no network.
//!
//! Invariants: a stretch is done only when the account's committed sequence has passed it and its
//! links are there; a transaction is made anew only with a sequence that can enter a block once;
//! what is sent twice does no harm, because messages pass over links that exist.

use std::collections::VecDeque;
use std::ops::Range;

/// Transactions of one neuron on the way at once.
pub const LANE_WINDOW: usize = 40;
/// Blocks without a step forward after which the first transaction is handed over again.
pub const PATIENCE_BLOCKS: u64 = 6;

/// A transaction on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Which of the neuron's links.
    pub range: Range<usize>,
    pub sequence: u64,
    /// The height at which a node took it; `None`: to be handed over.
    pub sent: Option<u64>,
    /// All it was ever sent as.
    pub hashes: Vec<[u8; 32]>,
}

/// What a node answered, as far as the lane cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Taken,
    /// The node knows it already, or did not answer.
    Open,
    /// The node wants this sequence.
    Expected(u64),
    /// Not now: too little bandwidth, a full mempool.
    Later,
}

/// The links of one neuron that are still to be done.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Stretches nobody has in hand.
    todo: VecDeque<Range<usize>>,
    /// In order of sequence, without gaps between them.
    pending: VecDeque<Item>,
    /// Links of one transaction.
    per_transaction: usize,
    /// Nothing new goes out before this height.
    rests_until: u64,
    /// The committed sequence and the height at which it last moved.
    committed: u64,
    moved: u64,
}

impl Lane {
    /// A lane for the stretches that are open.
    pub fn new(open: Vec<Range<usize>>, per_transaction: usize) -> Lane {
        Lane {
            todo: open.into(),
            pending: VecDeque::new(),
            per_transaction: per_transaction.max(1),
            rests_until: 0,
            committed: 0,
            moved: 0,
        }
    }

    /// Whether everything is on the chain.
    pub fn is_done(&self) -> bool {
        self.todo.is_empty() && self.pending.is_empty()
    }

    /// Links on their way to a block.
    pub fn links_pending(&self) -> usize {
        self.pending.iter().map(|item| item.range.len()).sum()
    }

    /// Links of one transaction from now on.
    pub fn per_transaction(&self) -> usize {
        self.per_transaction
    }

    /// The height before which nothing goes out; in the past when it does.
    pub fn rests_until(&self) -> u64 {
        self.rests_until
    }

    /// A transaction on the way.
    pub fn item(&self, place: usize) -> &Item {
        &self.pending[place]
    }

    /// The place of the next transaction to hand over: one that waits for it, else a new one with
    /// the sequence `fresh` (or the one after the last, when that is higher).
    pub fn next(&mut self, fresh: u64, height: u64) -> Option<usize> {
        if height < self.rests_until {
            return None;
        }
        if let Some(place) = self.pending.iter().position(|item| item.sent.is_none()) {
            return Some(place);
        }
        if self.pending.len() >= LANE_WINDOW {
            return None;
        }
        let range = self.cut()?;
        let after = self.pending.back().map_or(0, |item| item.sequence + 1);
        let sequence = fresh.max(after).max(self.committed);
        self.pending.push_back(Item { range, sequence, sent: None, hashes: Vec::new() });
        Some(self.pending.len() - 1)
    }

    fn cut(&mut self) -> Option<Range<usize>> {
        let whole = self.todo.pop_front()?;
        let end = whole.end.min(whole.start + self.per_transaction);
        if end < whole.end {
            self.todo.push_front(end..whole.end);
        }
        Some(whole.start..end)
    }

    /// Whether no transaction on the way has a higher sequence.
    pub fn is_last(&self, sequence: u64) -> bool {
        self.pending.back().is_none_or(|item| item.sequence <= sequence)
    }

    /// A node has answered to the transaction with this sequence.
    pub fn answered(&mut self, sequence: u64, hash: [u8; 32], answer: &Answer, height: u64) {
        let Some(place) = self.pending.iter().position(|item| item.sequence == sequence) else {
            return;
        };
        let again = !self.pending[place].hashes.is_empty();
        self.pending[place].hashes.push(hash);
        match answer {
            Answer::Taken | Answer::Open => {
                self.pending[place].sent = Some(height);
                // Taken anew: it had been lost, and those after it cannot have stayed without it.
                if again && *answer == Answer::Taken {
                    self.pending.range_mut(place + 1..).for_each(|item| item.sent = None);
                }
            }
            Answer::Expected(wanted) if *wanted > sequence => {
                // It is waiting already, or another program used its place: the chain will tell.
                self.pending[place].sent = Some(height);
            }
            Answer::Expected(wanted) => self.renumber(*wanted),
            Answer::Later => self.pull_back(place),
        }
    }

    /// Everything from the wanted sequence on was lost or had a wrong number.
    fn renumber(&mut self, wanted: u64) {
        let lost = self.pending.iter_mut().filter(|item| item.sequence >= wanted);
        for (sequence, item) in (wanted..).zip(lost) {
            item.sequence = sequence;
            item.sent = None;
        }
    }

    /// The transaction at this place and those after it go back among what is to be done.
    fn pull_back(&mut self, place: usize) {
        for item in self.pending.drain(place..).rev() {
            self.todo.push_front(item.range);
        }
    }

    /// Nothing goes out before a height.
    pub fn rest(&mut self, until: u64) {
        self.rests_until = until;
    }

    /// Transactions become smaller; `false` when they cannot.
    pub fn shrink(&mut self, links: usize) -> bool {
        let smaller = links.clamp(1, self.per_transaction);
        let shrunk = smaller < self.per_transaction;
        self.per_transaction = smaller;
        shrunk
    }

    /// The account's sequence after the block at `height`: what it has passed comes out.
    pub fn committed(&mut self, sequence: u64, height: u64) -> Vec<Item> {
        if sequence != self.committed || self.pending.is_empty() {
            self.committed = sequence;
            self.moved = height;
        }
        let mut out = Vec::new();
        while self.pending.front().is_some_and(|item| item.sequence < sequence) {
            out.extend(self.pending.pop_front());
        }
        self.nudge(height);
        out
    }

    /// When nothing has moved for a while, the first one is handed over again: if it still waits
    /// somewhere the node says so, if it was lost it is not any more.
    fn nudge(&mut self, height: u64) {
        let moved = self.moved;
        if let Some(first) = self.pending.front_mut() {
            let since = first.sent.map(|sent| sent.max(moved));
            if since.is_some_and(|since| height >= since + PATIENCE_BLOCKS) {
                first.sent = None;
            }
        }
    }

    /// A stretch that was passed and is not there: it is to be done again.
    pub fn missing(&mut self, range: Range<usize>) {
        self.todo.push_front(range);
    }

    /// The node was away: whatever waited in its memory may be gone.
    pub fn doubt(&mut self) {
        self.pending.iter_mut().for_each(|item| item.sent = None);
    }

    /// Gives up: nothing more goes out.
    pub fn stop(&mut self) {
        self.todo.clear();
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: [u8; 32] = [0; 32];

    fn one(open: Range<usize>, per_transaction: usize) -> Lane {
        Lane::new(std::iter::once(open).collect(), per_transaction)
    }

    /// Hands over the next one and answers.
    fn hand(lane: &mut Lane, fresh: u64, height: u64, answer: Answer) -> Option<u64> {
        let place = lane.next(fresh, height)?;
        let sequence = lane.item(place).sequence;
        lane.answered(sequence, HASH, &answer, height);
        Some(sequence)
    }

    fn sent_until_full(lane: &mut Lane, fresh: u64, height: u64) -> Vec<u64> {
        std::iter::from_fn(|| hand(lane, fresh, height, Answer::Taken)).collect()
    }

    fn ranges(items: &[Item]) -> Vec<Range<usize>> {
        items.iter().map(|item| item.range.clone()).collect()
    }

    #[test]
    fn links_go_out_in_order_and_are_done_when_the_sequence_has_passed() {
        let mut lane = Lane::new(vec![0..25, 30..35], 10);
        assert_eq!(sent_until_full(&mut lane, 7, 1), [7, 8, 9, 10]);
        assert_eq!(lane.links_pending(), 30);
        assert_eq!(ranges(&lane.committed(9, 2)), [0..10, 10..20]);
        assert!(!lane.is_done());
        assert_eq!(ranges(&lane.committed(11, 3)), [20..25, 30..35]);
        assert!(lane.is_done());
    }

    #[test]
    fn no_more_than_the_window_is_on_the_way() {
        let mut lane = one(0..1000, 1);
        assert_eq!(sent_until_full(&mut lane, 0, 1).len(), LANE_WINDOW);
        lane.committed(3, 2);
        assert_eq!(sent_until_full(&mut lane, 0, 2), [40, 41, 42]);
    }

    #[test]
    fn a_wrong_guess_of_the_sequence_is_corrected_by_the_node() {
        let mut lane = one(0..20, 10);
        assert_eq!(hand(&mut lane, 9, 1, Answer::Expected(5)), Some(9));
        assert_eq!(sent_until_full(&mut lane, 9, 1), [5, 9]);
        // The one after it was never right: the node says which it wants.
        let mut lane = one(0..20, 10);
        hand(&mut lane, 9, 1, Answer::Expected(5));
        assert_eq!(hand(&mut lane, 6, 1, Answer::Taken), Some(5));
        assert_eq!(hand(&mut lane, 6, 1, Answer::Taken), Some(6));
    }

    #[test]
    fn what_a_restarted_node_forgot_is_handed_over_again() {
        let mut lane = one(0..30, 10);
        sent_until_full(&mut lane, 0, 1);
        lane.committed(1, 2);
        lane.doubt();
        assert_eq!(sent_until_full(&mut lane, 1, 3), [1, 2]);
        assert_eq!(ranges(&lane.committed(3, 4)), [10..20, 20..30]);
    }

    #[test]
    fn what_still_waits_is_left_alone_when_handed_over_again() {
        let mut lane = one(0..30, 10);
        sent_until_full(&mut lane, 0, 1);
        lane.doubt();
        let answers: Vec<_> =
            std::iter::from_fn(|| hand(&mut lane, 3, 2, Answer::Expected(3))).collect();
        assert_eq!(answers, [0, 1, 2]);
        assert_eq!(lane.committed(3, 3).len(), 3);
    }

    #[test]
    fn the_first_is_nudged_when_nothing_moves_and_the_rest_follows_if_it_was_lost() {
        let mut lane = one(0..30, 10);
        sent_until_full(&mut lane, 0, 1);
        lane.committed(0, 1 + PATIENCE_BLOCKS - 1);
        assert_eq!(lane.next(3, 6), None);
        lane.committed(0, 1 + PATIENCE_BLOCKS);
        // Still waiting: nothing else is sent, and it is left in peace for a while.
        assert_eq!(hand(&mut lane, 3, 7, Answer::Expected(3)), Some(0));
        assert_eq!(lane.next(3, 7), None);
        lane.committed(0, 7 + PATIENCE_BLOCKS);
        // Lost: all go again.
        assert_eq!(sent_until_full(&mut lane, 3, 13), [0, 1, 2]);
    }

    #[test]
    fn without_bandwidth_the_stretch_goes_back_and_waits() {
        let mut lane = one(0..30, 10);
        assert_eq!(hand(&mut lane, 0, 1, Answer::Taken), Some(0));
        assert_eq!(hand(&mut lane, 1, 1, Answer::Later), Some(1));
        lane.rest(9);
        assert_eq!(lane.next(1, 8), None);
        assert!(lane.shrink(5) && !lane.shrink(8));
        let place = lane.next(1, 9).expect("goes on");
        assert_eq!((lane.item(place).range.clone(), lane.item(place).sequence), (10..15, 1));
    }

    #[test]
    fn a_place_that_another_program_took_gives_its_links_back() {
        let mut lane = one(0..10, 10);
        hand(&mut lane, 4, 1, Answer::Expected(5));
        let passed = lane.committed(5, 2);
        assert_eq!((passed.len(), passed[0].range.clone()), (1, 0..10));
        lane.missing(passed[0].range.clone());
        assert_eq!(hand(&mut lane, 5, 2, Answer::Taken), Some(5));
    }
}
