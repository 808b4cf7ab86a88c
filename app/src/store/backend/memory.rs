//! The databases in memory, with faults for tests: the backend dies at the n-th write or flush,
//! before or after it took effect, and a crash loses what was not flushed, keeping any number of
//! the write sets before the loss, in order.

use super::{assert_sizes, Backend, Disk, VisitValue, WriteSet};
use crate::error::Fault;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// One database: what is durable, and what came after it.
#[derive(Clone, Default)]
struct Contents {
    durable: Map,
    unsynced: Vec<WriteSet>,
    current: Map,
    /// Every key ever set, in order.
    written: Vec<Vec<u8>>,
}

#[derive(Default)]
struct State {
    databases: BTreeMap<String, Contents>,
    /// Writes and flushes so far.
    operations: u64,
    /// The operation at which the backend dies, and whether it takes effect first.
    dies_at: Option<(u64, bool)>,
    dead: bool,
    set_aside: u32,
    free_bytes: Option<u64>,
    reserve: u64,
}

/// Databases in memory; clones share them.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

impl MemoryDisk {
    /// An empty disk that does not fail.
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// From now on the `operation`-th write or flush fails and all after it; `after` says whether
    /// it takes effect before it fails.
    pub fn die_at(&self, operation: u64, after: bool) {
        let mut state = self.state();
        state.dies_at = Some((state.operations + operation, after));
    }

    /// Writes and flushes so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What a restart after a loss of power finds: of each database the durable state and the
    /// first write sets after it, as many as `kept` says (given how many there are).
    pub fn crash(&self, mut kept: impl FnMut(usize) -> usize) -> MemoryDisk {
        let mut databases = self.state().databases.clone();
        for contents in databases.values_mut() {
            let keep = kept(contents.unsynced.len()).min(contents.unsynced.len());
            let mut map = std::mem::take(&mut contents.durable);
            for set in contents.unsynced.drain(..).take(keep) {
                apply(&mut map, set);
            }
            *contents = Contents { durable: map.clone(), current: map, ..Contents::default() };
        }
        MemoryDisk(Arc::new(Mutex::new(State { databases, ..State::default() })))
    }

    /// Says how many bytes are free.
    pub fn set_free_bytes(&self, bytes: u64) {
        self.state().free_bytes = Some(bytes);
    }

    /// How many bytes are kept in reserve.
    pub fn reserve(&self) -> u64 {
        self.state().reserve
    }

    /// Changes a stored value behind the store's back. Returns whether there was one.
    pub fn damage(&self, name: &str, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.state();
        let Some(contents) = state.databases.get_mut(name) else { return false };
        let Some(value) = contents.current.get_mut(key) else { return false };
        change(value);
        contents.durable = contents.current.clone();
        contents.unsynced.clear();
        true
    }

    /// The keys of a database.
    pub fn keys(&self, name: &str) -> Vec<Vec<u8>> {
        let state = self.state();
        state.databases.get(name).map_or(Vec::new(), |all| all.current.keys().cloned().collect())
    }

    /// The keys that were set in a database, in order, also those that were set again.
    pub fn written(&self, name: &str) -> Vec<Vec<u8>> {
        self.state().databases.get(name).map_or(Vec::new(), |contents| contents.written.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds this lock")
    }
}

fn apply(map: &mut Map, set: WriteSet) {
    for (key, value) in set {
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }
}

impl State {
    /// Counts an operation; says whether it takes effect and what it answers.
    fn operate(&mut self) -> (bool, Result<(), Fault>) {
        let died = || Err(Fault::Storage("the backend died".into()));
        if self.dead {
            return (false, died());
        }
        self.operations += 1;
        match self.dies_at {
            Some((at, after)) if at == self.operations => {
                self.dead = true;
                (after, died())
            }
            _ => (true, Ok(())),
        }
    }
}

impl Disk for MemoryDisk {
    fn open(&self, name: &str) -> Result<Arc<dyn Backend>, Fault> {
        self.state().databases.entry(name.to_owned()).or_default();
        Ok(Arc::new(Memory { disk: self.clone(), name: name.to_owned() }))
    }

    fn set_aside(&self, name: &str) -> Result<String, Fault> {
        let mut state = self.state();
        state.set_aside += 1;
        let aside = format!("{name}.damaged-{}", state.set_aside);
        if let Some(contents) = state.databases.remove(name) {
            state.databases.insert(aside.clone(), contents);
        }
        Ok(aside)
    }

    fn discard(&self, name: &str) -> Result<(), Fault> {
        let mut state = self.state();
        let (effect, answer) = state.operate();
        if effect {
            state.databases.remove(name);
        }
        answer
    }

    fn free_bytes(&self) -> Result<Option<u64>, Fault> {
        Ok(self.state().free_bytes)
    }

    fn set_reserve(&self, bytes: u64) -> Result<(), Fault> {
        let mut state = self.state();
        let free = state.free_bytes.map(|free| free.saturating_add(state.reserve));
        state.free_bytes = free.map(|free| free.saturating_sub(bytes));
        state.reserve = bytes;
        Ok(())
    }

    fn describe(&self) -> String {
        "memory".into()
    }
}

/// One database of a [`MemoryDisk`].
struct Memory {
    disk: MemoryDisk,
    name: String,
}

impl Backend for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let state = self.disk.state();
        Ok(state.databases.get(&self.name).and_then(|all| all.current.get(key)).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8], visit: VisitValue<'_>) -> Result<(), Fault> {
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let found: Vec<_> = {
            let state = self.disk.state();
            let contents = state.databases.get(&self.name);
            let range = contents.map(|all| all.current.range::<[u8], _>(bounds));
            range.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        for (key, value) in found {
            if !visit(&key, &value)? {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, set: WriteSet) -> Result<(), Fault> {
        assert_sizes(&set);
        let mut state = self.disk.state();
        let (effect, answer) = state.operate();
        if effect {
            let contents = state.databases.entry(self.name.clone()).or_default();
            let keys = set.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key.clone());
            contents.written.extend(keys);
            apply(&mut contents.current, set.clone());
            contents.unsynced.push(set);
        }
        answer
    }

    fn flush(&self) -> Result<(), Fault> {
        let mut state = self.disk.state();
        let (effect, answer) = state.operate();
        if effect {
            let contents = state.databases.entry(self.name.clone()).or_default();
            contents.unsynced.clear();
            contents.durable = contents.current.clone();
        }
        answer
    }
}
