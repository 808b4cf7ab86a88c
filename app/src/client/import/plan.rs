//! What an import would send: links by neuron, each once, ends by number. Pure.
//!
//! Invariant: the same file gives the same plan, so that a place in it means the same after a
//! restart.

use super::journal::Done;
use crate::client::content::ContentTable;
use crate::client::failure::Failure;
use crate::client::keys::KeyInfo;
use crate::types::cid::{canonical_text, parse_any_cid, particle_of_bytes, CidError};
use crate::types::Particle;
use std::collections::{BTreeMap, BTreeSet};

/// A link by the numbers of its ends in the plan.
pub type PlanLink = (u32, u32);

/// A line that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongLine {
    /// From 1.
    pub line: u64,
    pub reason: String,
}

/// The links of one neuron, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanePlan {
    /// Name of the key.
    pub key: String,
    /// The neuron's address.
    pub neuron: String,
    pub links: Vec<PlanLink>,
}

/// Everything a file asks for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// SHA-256 of the file.
    pub source: [u8; 32],
    pub lanes: Vec<LanePlan>,
    pub wrong: Vec<WrongLine>,
    /// Links that stand in the file more than once for the same neuron.
    pub repeated: u64,
    ends: Vec<End>,
}

#[derive(Clone, Debug)]
struct End {
    particle: Particle,
    cid: String,
    /// The canonical text, where the file has one.
    text: Option<String>,
}

impl Plan {
    /// All links.
    pub fn total(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.links.len() as u64).sum()
    }

    /// All particles.
    pub fn particles(&self) -> u64 {
        self.ends.len() as u64
    }

    /// The CIDs of a link's ends.
    pub fn ends(&self, link: PlanLink) -> (&str, &str) {
        (&self.ends[link.0 as usize].cid, &self.ends[link.1 as usize].cid)
    }

    /// The texts of a link's ends, where the file has texts.
    pub fn texts(&self, link: PlanLink) -> (Option<&str>, Option<&str>) {
        let text = |end: u32| self.ends[end as usize].text.as_deref();
        (text(link.0), text(link.1))
    }

    /// The particles of a link.
    pub fn pair(&self, link: PlanLink) -> (&Particle, &Particle) {
        (&self.ends[link.0 as usize].particle, &self.ends[link.1 as usize].particle)
    }

    /// Remembers the texts of the plan, so that answers can show them.
    pub fn remember(&self, content: &mut ContentTable) -> Result<(), Failure> {
        let with_text = |end: &'_ End| end.text.is_some();
        let texts = self.ends.iter().filter(|end| with_text(end));
        content.add(texts.map(|end| (&end.particle, end.text.as_deref().unwrap_or_default())))
    }

    /// How many links of each lane are not among those already done.
    pub fn open(&self, done: &Done) -> u64 {
        let lanes = self.lanes.iter();
        lanes.map(|lane| lane.links.len() as u64 - done.count(&lane.neuron)).sum()
    }
}

/// A plan in the making.
pub(super) struct PlanBuilder {
    plan: Plan,
    /// A cell of the file → the number of its end, or why it is none.
    cells: BTreeMap<String, Result<u32, String>>,
    particles: BTreeMap<Particle, u32>,
    /// Public key → the number of its lane.
    lanes: BTreeMap<[u8; 33], usize>,
    keys: Vec<KeyInfo>,
    seen: Vec<BTreeSet<PlanLink>>,
}

impl PlanBuilder {
    pub fn new(source: [u8; 32]) -> PlanBuilder {
        let plan =
            Plan { source, lanes: Vec::new(), wrong: Vec::new(), repeated: 0, ends: Vec::new() };
        PlanBuilder {
            plan,
            cells: BTreeMap::new(),
            particles: BTreeMap::new(),
            lanes: BTreeMap::new(),
            keys: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Adds a link, or says what is wrong with it.
    pub fn add(&mut self, neuron: KeyInfo, from: &str, to: &str) -> Result<(), String> {
        let link = (self.end(from)?, self.end(to)?);
        if link.0 == link.1 {
            return Err(format!("'{}' would be linked with itself", from.trim()));
        }
        let lane = self.lane(neuron);
        match self.seen[lane].insert(link) {
            true => self.plan.lanes[lane].links.push(link),
            false => self.plan.repeated += 1,
        }
        Ok(())
    }

    pub fn wrong(&mut self, line: u64, reason: String) {
        self.plan.wrong.push(WrongLine { line, reason });
    }

    pub fn finish(mut self, prefix: &str) -> Plan {
        for (lane, key) in self.plan.lanes.iter_mut().zip(&self.keys) {
            lane.neuron = key.address().to_bech32(prefix);
        }
        self.plan
    }

    fn lane(&mut self, neuron: KeyInfo) -> usize {
        let next = self.keys.len();
        let lane = *self.lanes.entry(neuron.public_key).or_insert(next);
        if lane == next {
            let key = neuron.name.clone();
            self.plan.lanes.push(LanePlan { key, neuron: String::new(), links: Vec::new() });
            self.keys.push(neuron);
            self.seen.push(BTreeSet::new());
        }
        lane
    }

    /// The number of an end; each spelling is worked out once.
    fn end(&mut self, cell: &str) -> Result<u32, String> {
        if let Some(known) = self.cells.get(cell) {
            return known.clone();
        }
        let made = self.new_end(cell);
        self.cells.insert(cell.to_owned(), made.clone());
        made
    }

    fn new_end(&mut self, cell: &str) -> Result<u32, String> {
        let (particle, text) = match parse_any_cid(cell) {
            Ok(particle) => (particle, None),
            Err(CidError::NotACid(_)) => {
                let text = canonical_text(cell);
                if text.is_empty() {
                    return Err("an end is empty".to_owned());
                }
                (particle_of_bytes(text.as_bytes()), Some(text))
            }
            Err(error) => return Err(error.to_string()),
        };
        let next = u32::try_from(self.plan.ends.len()).map_err(|_| "too many particles")?;
        let number = *self.particles.entry(particle).or_insert(next);
        if number == next {
            self.plan.ends.push(End { particle, cid: particle.to_cid(), text });
        } else if text.is_some() {
            self.plan.ends[number as usize].text = text;
        }
        Ok(number)
    }
}
