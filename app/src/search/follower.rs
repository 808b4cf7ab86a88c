//! The thread that keeps an index up with what is committed: everything at a start, then block by
//! block, beside the next one. It holds states alone, never the disk.

use super::transactions::Sketch;
use super::Index;
use crate::store::Snapshot;
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::Arc;

/// The handle of the thread, which ends with it.
pub struct Follower {
    index: Arc<Index>,
    states: SyncSender<Arc<Snapshot>>,
}

impl Follower {
    /// Starts with the latest state.
    pub fn start(index: Arc<Index>, latest: Arc<Snapshot>) -> Follower {
        index.note(&latest);
        let noting = Arc::clone(&index);
        let (states, inbox) = sync_channel::<Arc<Snapshot>>(1);
        let body = move || {
            index.follow(&latest);
            drop(latest);
            while let Ok(state) = inbox.recv() {
                index.follow(&state);
            }
        };
        let thread = std::thread::Builder::new().name("search".into()).spawn(body);
        thread.expect("the system gives a thread");
        Follower { index: noting, states }
    }

    /// What the transactions of a height did that is now committed.
    pub fn transacted(&self, state: &Snapshot, sketches: Vec<Sketch>) {
        if self.index.is_on() {
            let links = state.sizes().links;
            self.index.transactions().append(state.height(), links, sketches);
        }
    }

    /// A state was committed. Never waits: while the thread is busy, states are passed over; the
    /// next one brings their links too, or the first question that needs them.
    pub fn committed(&self, state: Arc<Snapshot>) {
        self.index.note(&state);
        drop(self.states.try_send(state));
    }
}
