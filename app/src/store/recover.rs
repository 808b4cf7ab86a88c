//! Opening: from what is on disk to the newest height whose roots come out.
//!
//! 1. The base is the newest checkpoint that verifies; failing both, the empty state, if the
//!    journal reaches back to the beginning of the chain; failing that, the newest state that is
//!    kept elsewhere and verifies ([`Spare`]).
//! 2. Every record of the journal after it is applied like a block, and the roots of every height
//!    are compared with the recorded ones, up to the first that is missing or damaged.
//! 3. What was damaged is repaired: lost heights are replayed by the consensus engine, a damaged
//!    database is put aside under another name and a new one takes its place.
//!
//! Invariants: nothing is served that does not verify; nothing is put aside before there is a
//! state that stands without it; what was damaged and done is said. A start that dies on the way
//! is repeated by the next one.

use super::backend::{self, Disk};
use super::checkpoint::{self, Manifest};
use super::checkpointer::Slot;
use super::commitment::Commitment;
use super::graph::{Graph, Indexed};
use super::history::History;
use super::journal::Journal;
use super::snapshot::Snapshot;
use super::tables::{CHECKPOINTS, JOURNAL};
use super::{staged, Options};
use crate::error::Fault;
use crate::types::Height;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// The newest state that is kept elsewhere and verifies, with what it was read from, in words. What
/// it had to pass over goes to the list. Asked when nothing in the store verifies, and when there
/// is nothing in it: a database that lost everything opens like a new one.
pub type Spare<'a> = &'a dyn Fn(&mut Vec<String>) -> Option<(Arc<Snapshot>, String)>;

/// What opening found and did.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// The height the store is at; 0 if it is empty.
    pub height: Height,
    /// The height of the checkpoint it started from.
    pub checkpoint: Option<Height>,
    /// The height of the state from elsewhere that it started from.
    pub restored: Option<Height>,
    /// How many heights were applied from the journal.
    pub replayed: u64,
    /// What was damaged, in words. Empty after a clean start and after a plain kill.
    pub damage: Vec<String>,
    /// What was done about it.
    pub repairs: Vec<String>,
}

impl Recovery {
    /// Writes it to the log.
    pub fn log(&self) {
        let checkpoint = self.checkpoint.map(|height| height.0);
        tracing::info!(height = self.height.0, checkpoint, replayed = self.replayed, "store open");
        self.damage.iter().for_each(|text| tracing::error!("store: {text}"));
        if !self.repairs.is_empty() {
            tracing::warn!("store: repaired: {}", self.repairs.join("; "));
        }
    }
}

/// An opened store's parts.
pub(super) struct Recovered {
    pub journal: Journal,
    pub slots: [Slot; 2],
    pub history: History,
    pub recovery: Recovery,
    pub is_empty: bool,
    /// Bytes of the records after the newest checkpoint.
    pub journal_bytes: u64,
}

/// Opens what a disk holds.
pub(super) fn recover(
    disk: &dyn Disk,
    options: &Options,
    spare: Spare<'_>,
) -> Result<Recovered, Fault> {
    check_space(disk, options)?;
    let mut opening = Opening { disk, options, spare, recovery: Recovery::default() };
    let slots = [opening.slot(0)?, opening.slot(1)?];
    let journal = opening.journal()?;
    match opening.base(&slots, journal.as_ref())? {
        Some(base) => opening.on_base(base, slots, journal),
        None => opening.without_base(slots, journal),
    }
}

/// A disk that is full keeps the database from opening, which must not look like damage. The
/// reserve goes first.
fn check_space(disk: &dyn Disk, options: &Options) -> Result<(), Fault> {
    let needed = options.free_bytes_min / 4;
    if backend::check_space(disk, needed, "opening").is_err() {
        disk.set_reserve(0)?;
        tracing::warn!("store: the disk is nearly full, its reserve is given up to open");
    }
    backend::check_space(disk, needed, "opening")
}

/// Damage goes on without a value; every other fault ends the opening.
fn unless_damaged<T>(
    result: Result<T, Fault>,
    damage: &mut Vec<String>,
) -> Result<Option<T>, Fault> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Fault::Damage(text)) => {
            damage.push(text);
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// Says where the damage is.
fn within<T>(place: &str, result: Result<T, Fault>) -> Result<T, Fault> {
    result.map_err(|fault| match fault {
        Fault::Damage(text) => Fault::Damage(format!("{place}: {text}")),
        other => other,
    })
}

struct Opening<'a> {
    disk: &'a dyn Disk,
    options: &'a Options,
    spare: Spare<'a>,
    recovery: Recovery,
}

/// The journal's state as far as it was read.
struct Replayed {
    history: History,
    bytes: u64,
    /// Records that should follow are missing or damaged.
    is_damaged: bool,
}

impl Opening<'_> {
    fn slot(&mut self, place: usize) -> Result<Slot, Fault> {
        let name = CHECKPOINTS[place];
        let opened = within(name, self.disk.open(name)).and_then(|backend| {
            let manifest = within(name, Manifest::read(&*backend))?;
            Ok(Slot { name, backend: Some(backend), manifest })
        });
        let slot = unless_damaged(opened, &mut self.recovery.damage)?;
        Ok(slot.unwrap_or(Slot { name, backend: None, manifest: None }))
    }

    fn journal(&mut self) -> Result<Option<Journal>, Fault> {
        let opened = self.disk.open(JOURNAL).and_then(Journal::open);
        unless_damaged(opened, &mut self.recovery.damage)
    }

    /// The newest checkpoint that verifies, or the empty state where the journal can carry it.
    fn base(
        &mut self,
        slots: &[Slot; 2],
        journal: Option<&Journal>,
    ) -> Result<Option<Arc<Snapshot>>, Fault> {
        let whole = |slot: &'_ Slot| Some((slot.backend.clone()?, slot.manifest.clone()?));
        let mut found: Vec<_> = slots.iter().filter_map(whole).collect();
        found.sort_by_key(|(_, manifest)| std::cmp::Reverse(manifest.height()));
        for (backend, manifest) in found {
            let height = manifest.height();
            let what = format!("the checkpoint of height {height} does not verify");
            let loaded = within(&what, checkpoint::load(&*backend, &manifest));
            if let Some(snapshot) = unless_damaged(loaded, &mut self.recovery.damage)? {
                self.recovery.checkpoint = Some(height);
                return Ok(Some(Arc::new(snapshot)));
            }
        }
        let Some(journal) = journal else { return Ok(None) };
        let damage = &mut self.recovery.damage;
        let first = unless_damaged(journal.first_after(None), damage)?.flatten();
        let Some(first) = first else { return Ok(None) };
        let record = unless_damaged(journal.record(first), damage)?.flatten();
        let begins = record.is_some_and(|record| record.before.is_none());
        Ok(begins.then(|| Arc::new(empty())))
    }

    /// Applies the journal on top of a base, as far as it goes.
    fn replay(&mut self, base: Arc<Snapshot>, journal: &Journal) -> Result<Replayed, Fault> {
        let is_genesis = base.height() == Height(0);
        let mut next = match is_genesis {
            true => journal.first_after(None)?,
            false => base.height().next(),
        };
        let mut replayed = Replayed { history: History::new(base), bytes: 0, is_damaged: false };
        let budget = self.options.history_memory_bytes;
        while let Some(height) = next {
            let latest = replayed.history.latest().clone();
            let staged = journal.record(height).and_then(|record| {
                let Some(record) = record else { return Ok(None) };
                Ok(Some((staged::replay(&latest, &record)?, record.bytes())))
            });
            let staged = unless_damaged(staged, &mut self.recovery.damage)?;
            replayed.is_damaged |= staged.is_none();
            let Some((staged, bytes)) = staged.flatten() else { break };
            let snapshot = staged::settled(&staged);
            replayed.history = match is_genesis && replayed.bytes == 0 {
                true => History::new(snapshot),
                false => replayed.history.with(snapshot, staged.retained(), budget),
            };
            replayed.bytes += bytes;
            self.recovery.replayed += 1;
            next = height.next();
        }
        replayed.is_damaged |= self.is_cut_short(&replayed, journal)?;
        Ok(replayed)
    }

    /// Whether the journal says that there is more than could be applied.
    fn is_cut_short(&mut self, replayed: &Replayed, journal: &Journal) -> Result<bool, Fault> {
        let reached = replayed.history.latest().height();
        let damage = &mut self.recovery.damage;
        let Some(head) = unless_damaged(journal.head(), damage)? else { return Ok(true) };
        let later = unless_damaged(journal.first_after(Some(reached)), damage)?;
        let Some(later) = later else { return Ok(true) };
        let newest = head.map(|head| head.height).max(later);
        match newest {
            Some(newest) if newest > reached => {
                let text = format!("the journal knows of height {newest}, only {reached} verifies");
                damage.push(text);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The store on top of a base that verifies, repaired.
    fn on_base(
        mut self,
        base: Arc<Snapshot>,
        mut slots: [Slot; 2],
        journal: Option<Journal>,
    ) -> Result<Recovered, Fault> {
        let base_height = base.height();
        let replayed = match &journal {
            Some(journal) => self.replay(base, journal)?,
            None => Replayed { history: History::new(base), bytes: 0, is_damaged: true },
        };
        let Replayed { history, mut bytes, is_damaged } = replayed;
        if self.recovery.checkpoint.is_none() && self.recovery.replayed == 0 {
            return self.without_base(slots, journal);
        }
        let latest = history.latest().clone();
        self.drop_unverified(&mut slots);
        let journal = journal.filter(|_| !is_damaged);
        // Records that a new journal will not have must stand in a checkpoint first.
        if journal.is_none() && latest.height() > base_height {
            self.save(&latest, &mut slots)?;
            bytes = 0;
        }
        self.standing(history, bytes, slots, journal)
    }

    /// The store at the latest height of a history that a checkpoint or the journal holds.
    fn standing(
        mut self,
        history: History,
        journal_bytes: u64,
        slots: [Slot; 2],
        journal: Option<Journal>,
    ) -> Result<Recovered, Fault> {
        let latest = history.latest().clone();
        let journal = match journal {
            None => self.new_journal(&latest)?,
            Some(journal) => {
                let head = journal.head()?.map(|head| head.height);
                if head != Some(latest.height()) {
                    let text = format!("the journal goes on from height {}", latest.height());
                    self.recovery.repairs.push(text);
                    journal.cut(latest.height(), latest.app_hash())?;
                }
                journal
            }
        };
        self.recovery.height = latest.height();
        let recovery = self.recovery;
        Ok(Recovered { journal, slots, history, recovery, is_empty: false, journal_bytes })
    }

    /// The store on top of a state from elsewhere, since nothing here verifies.
    fn on_spare(
        mut self,
        base: Arc<Snapshot>,
        source: &str,
        mut slots: [Slot; 2],
        journal: Option<Journal>,
    ) -> Result<Recovered, Fault> {
        let height = base.height();
        self.recovery.restored = Some(height);
        if self.recovery.damage.is_empty() {
            self.recovery.damage.push("there is nothing in the store of this node".to_owned());
        }
        let Replayed { history, is_damaged, .. } = match &journal {
            Some(journal) => self.replay(base, journal)?,
            None => Replayed { history: History::new(base), bytes: 0, is_damaged: true },
        };
        let text = match self.recovery.replayed {
            0 => format!("the state of height {height} was restored from {source}"),
            more => format!(
                "the state of height {height} was restored from {source}, {more} heights of the \
                 journal were applied to it"
            ),
        };
        self.recovery.repairs.push(text);
        for slot in &mut slots {
            if slot.backend.is_none() || slot.manifest.is_some() {
                self.renew(slot)?;
            }
        }
        let latest = history.latest().clone();
        slots[0].write(self.disk, &latest, &AtomicBool::new(false))?;
        self.standing(history, 0, slots, journal.filter(|_| !is_damaged))
    }

    /// Puts a damaged database aside and makes a new one.
    fn renew(&mut self, slot: &mut Slot) -> Result<(), Fault> {
        let aside = slot.renew(self.disk)?;
        self.recovery.repairs.push(format!("the damaged {} is now {aside}", slot.name));
        Ok(())
    }

    /// Checkpoints newer than the one that verified are none.
    fn drop_unverified(&mut self, slots: &mut [Slot; 2]) {
        for slot in slots {
            let height = slot.manifest.as_ref().map(|manifest| manifest.height());
            let is_wrong = height.is_some() && height > self.recovery.checkpoint;
            if is_wrong || slot.backend.is_none() {
                slot.manifest = None;
                let text = format!("{} is damaged and will be written anew", slot.name);
                self.recovery.repairs.push(text);
            }
        }
    }

    /// Writes a checkpoint of the state, not over the one it came from.
    fn save(&mut self, latest: &Snapshot, slots: &mut [Slot; 2]) -> Result<(), Fault> {
        let height = |slot: &Slot| slot.manifest.as_ref().map(|manifest| manifest.height());
        let place = usize::from(height(&slots[1]) < height(&slots[0]));
        slots[place].write(self.disk, latest, &AtomicBool::new(false))?;
        let text = format!("a checkpoint of height {} was written", latest.height());
        self.recovery.repairs.push(text);
        Ok(())
    }

    fn new_journal(&mut self, latest: &Snapshot) -> Result<Journal, Fault> {
        let aside = self.disk.set_aside(JOURNAL)?;
        let journal = Journal::open(self.disk.open(JOURNAL)?)?;
        journal.cut(latest.height(), latest.app_hash())?;
        self.recovery.repairs.push(format!(
            "the damaged journal is now {aside}; the node goes on from height {}, the consensus \
             engine replays what came after it",
            latest.height()
        ));
        Ok(journal)
    }

    /// Without a base: a new store if there never was anything, else a refusal or a new start.
    fn without_base(
        mut self,
        mut slots: [Slot; 2],
        journal: Option<Journal>,
    ) -> Result<Recovered, Fault> {
        let head = match &journal {
            Some(journal) => unless_damaged(journal.head(), &mut self.recovery.damage)?.flatten(),
            None => None,
        };
        if let Some(head) = head {
            let text = format!("the journal knows of height {}, nothing verifies", head.height);
            self.recovery.damage.push(text);
        }
        let is_damaged = !self.recovery.damage.is_empty();
        if let Some((state, source)) = (self.spare)(&mut self.recovery.damage) {
            return self.on_spare(state, &source, slots, journal);
        }
        let journal = match journal.filter(|_| !is_damaged) {
            Some(journal) => journal,
            None if !self.options.start_over => return Err(self.refusal()),
            None => {
                for slot in &mut slots {
                    self.renew(slot)?;
                }
                let aside = self.disk.set_aside(JOURNAL)?;
                self.recovery.repairs.push(format!(
                    "the damaged journal is now {aside}; the store starts over empty, the \
                     consensus engine replays its blocks from the first on"
                ));
                Journal::open(self.disk.open(JOURNAL)?)?
            }
        };
        let (history, recovery) = (History::new(Arc::new(empty())), self.recovery);
        Ok(Recovered { journal, slots, history, recovery, is_empty: true, journal_bytes: 0 })
    }

    fn refusal(&self) -> Fault {
        let place = self.disk.describe();
        Fault::Damage(format!(
            "nothing in {place} verifies, so nothing is served from it: {}. Ways out: cyberd \
             snapshot import FILE --replace, with a snapshot of this chain; or copy the folder \
             back from a backup; or move it away (mv {place} {place}.damaged) and start: the \
             consensus engine then replays all blocks it has from genesis; or join by state sync \
             with a new home (cyberd join)",
            self.recovery.damage.join("; ")
        ))
    }
}

fn empty() -> Snapshot {
    let graph = Graph::new(Arc::new(Indexed::default()), Default::default());
    Snapshot::new(Height(0), Commitment::new(), graph)
}
