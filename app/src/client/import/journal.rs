//! Where an import stands: a file beside the home's other files, one line for each stretch of
//! links that is on the chain.
//!
//! The chain is the truth, the journal saves work: lost, the import sends everything again and the
//! chain passes over what it has. A journal of another chain with the same name is noticed because
//! its links are not there.

use super::plan::Plan;
use crate::client::failure::Failure;
use crate::client::files;
use crate::client::rpc::Client;
use nix::fcntl::Flock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Stretches of links that are on the chain, by neuron.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    ranges: BTreeMap<String, Vec<Range<usize>>>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    neuron: String,
    start: usize,
    end: usize,
}

/// The open journal: this process alone has it.
pub struct Journal {
    file: Flock<File>,
    path: PathBuf,
}

impl Journal {
    /// Opens the journal of a file and a chain; gives what is done already.
    pub fn open(
        home: &Path,
        chain_id: &str,
        source: &[u8; 32],
    ) -> Result<(Journal, Done), Failure> {
        let folder = home.join("imports");
        let name = crate::types::sha256(&[chain_id.as_bytes(), source].concat());
        let path = folder.join(format!("{}.jsonl", hex::encode(&name[..12])));
        let failure =
            |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
        files::private_folder(&folder).map_err(failure)?;
        let file = files::try_lock(&path).map_err(failure)?.ok_or_else(|| {
            Failure::local("another import of the same file is running")
                .hint("wait for it, or end it: the next one goes on where it stopped")
        })?;
        let mut journal = Journal { file, path: path.clone() };
        let done = journal.read().map_err(failure)?;
        Ok((journal, done))
    }

    fn read(&mut self) -> std::io::Result<Done> {
        let mut done = Done::default();
        let mut whole = 0;
        for line in std::io::BufReader::new(&*self.file).split(b'\n') {
            let line = line?;
            // A line cut off by a kill ends the reading; it is written over.
            let Ok(one) = serde_json::from_slice::<Line>(&line) else { break };
            whole += line.len() as u64 + 1;
            done.add(&one.neuron, one.start..one.end);
        }
        let length = self.file.metadata()?.len();
        self.file.set_len(whole.min(length))?;
        self.file.seek(std::io::SeekFrom::End(0))?;
        if whole > length {
            self.file.write_all(b"\n")?;
        }
        Ok(done)
    }

    /// Notes a stretch that is on the chain.
    pub fn note(&mut self, neuron: &str, range: &Range<usize>) -> Result<(), Failure> {
        let line = Line { neuron: neuron.to_owned(), start: range.start, end: range.end };
        let mut text = serde_json::to_vec(&line).expect("a text and two numbers are JSON");
        text.push(b'\n');
        let path = &self.path;
        let failure =
            |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
        (&*self.file).write_all(&text).map_err(failure)
    }

    /// Starts over: what it said is not so.
    pub fn rewrite(&mut self, done: &Done) -> Result<(), Failure> {
        let path = self.path.display().to_string();
        let failure = |error: std::io::Error| Failure::local(format!("{path}: {error}"));
        self.file.set_len(0).map_err(failure)?;
        self.file.rewind().map_err(failure)?;
        for (neuron, ranges) in &done.ranges {
            for range in ranges {
                self.note(neuron, range)?;
            }
        }
        Ok(())
    }
}

impl Done {
    /// Adds a stretch; stretches that touch become one.
    pub fn add(&mut self, neuron: &str, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let ranges = self.ranges.entry(neuron.to_owned()).or_default();
        ranges.push(range);
        ranges.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
        for range in ranges.drain(..) {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        *ranges = merged;
    }

    /// How many links of a neuron are done.
    pub fn count(&self, neuron: &str) -> u64 {
        self.of(neuron).iter().map(|range| range.len() as u64).sum()
    }

    /// The stretches of a neuron that are done, in order, apart from each other.
    pub fn of(&self, neuron: &str) -> &[Range<usize>] {
        self.ranges.get(neuron).map(Vec::as_slice).unwrap_or_default()
    }

    /// The stretches of `0..links` that are not done.
    pub fn open(&self, neuron: &str, links: usize) -> Vec<Range<usize>> {
        let mut open = Vec::new();
        let mut at = 0;
        for range in self.of(neuron) {
            if range.start > at {
                open.push(at..range.start.min(links));
            }
            at = range.end;
        }
        if at < links {
            open.push(at..links);
        }
        open
    }

    /// Keeps the stretches for which the answer is yes.
    pub fn keep(&mut self, neuron: &str, stays: &[bool]) {
        if let Some(ranges) = self.ranges.get_mut(neuron) {
            let mut answers = stays.iter();
            ranges.retain(|_| answers.next().copied().unwrap_or(false));
        }
    }
}

/// Whether what the journal says is so: the first and the last link of each stretch must be there.
/// They are not when the chain began anew under the same name.
pub async fn check_journal(
    client: &Client,
    plan: &Plan,
    done: &mut Done,
    journal: &mut Journal,
) -> Result<(), Failure> {
    let mut changed = false;
    for lane in &plan.lanes {
        let mut stays = Vec::new();
        for range in done.of(&lane.neuron) {
            let mut there = range.end <= lane.links.len();
            for at in [range.start, range.end - 1] {
                if there {
                    let (from, to) = plan.pair(lane.links[at]);
                    there = client.link_exists(Some(&lane.neuron), from, to).await?;
                }
            }
            stays.push(there);
        }
        changed |= stays.contains(&false);
        done.keep(&lane.neuron, &stays);
    }
    match changed {
        true => journal.rewrite(done),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_known_after_a_restart() {
        let home = tempfile::tempdir().expect("folder");
        let (mut journal, done) = Journal::open(home.path(), "c", &[1; 32]).expect("open");
        assert_eq!(done, Done::default());
        journal.note("a", &(0..10)).expect("note");
        journal.note("b", &(0..5)).expect("note");
        journal.note("a", &(20..30)).expect("note");
        assert!(Journal::open(home.path(), "c", &[1; 32]).is_err(), "one import at a time");
        drop(journal);
        let (_journal, done) = Journal::open(home.path(), "c", &[1; 32]).expect("again");
        assert_eq!((done.count("a"), done.count("b"), done.count("c")), (20, 5, 0));
        assert_eq!(done.open("a", 40), vec![10..20, 30..40]);
        let (_other, done) = Journal::open(home.path(), "other", &[1; 32]).expect("other chain");
        assert_eq!(done, Done::default());
    }

    #[test]
    fn a_line_cut_off_by_a_kill_is_written_over() {
        let home = tempfile::tempdir().expect("folder");
        let (mut journal, _) = Journal::open(home.path(), "c", &[1; 32]).expect("open");
        journal.note("a", &(0..10)).expect("note");
        journal.note("a", &(10..20)).expect("note");
        let path = journal.path.clone();
        drop(journal);
        let whole = std::fs::read(&path).expect("read");
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("cut");
            let (mut journal, done) = Journal::open(home.path(), "c", &[1; 32]).expect("open");
            assert!(done.count("a") <= 20);
            journal.note("a", &(20..30)).expect("note");
            drop(journal);
            let (_journal, done) = Journal::open(home.path(), "c", &[1; 32]).expect("again");
            assert!(done.open("a", 30).iter().all(|range| range.end <= 20), "{cut}: {done:?}");
        }
    }

    #[test]
    fn stretches_that_touch_become_one_and_false_ones_go() {
        let mut done = Done::default();
        for range in [10..20, 0..5, 5..10, 30..40, 30..30] {
            done.add("a", range);
        }
        assert_eq!(done.of("a"), [0..20, 30..40]);
        assert_eq!(done.open("a", 40), vec![20..30]);
        assert_eq!(done.open("b", 3), vec![0..3]);
        done.keep("a", &[false, true]);
        assert_eq!(done.open("a", 40), vec![0..30]);
    }
}
