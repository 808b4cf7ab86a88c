//! The long lists of a genesis, wherever they stand: in the genesis file, or, beyond
//! [`INLINE_MAX`], in `genesis.bin`, which is rewritten under a temporary name.

use crate::engine::genesis::bulk::{
    AccountRecord, Bulk, BulkReference, LinkRecord, Section, Writer, FILE, INLINE_MAX,
};
use crate::engine::genesis::AppState;
use crate::error::Fault;
use crate::modules::graph::GraphGenesis;
use crate::types::{Address, Particle};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A link to add, by the addresses of its ends.
#[derive(Clone, Copy, Debug)]
pub struct NewLink {
    pub neuron: Address,
    pub from: Particle,
    pub to: Particle,
}

/// What a list of links became.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddedLinks {
    pub added: u64,
    /// Links their neuron has already.
    pub passed_over: u64,
    pub new_particles: u64,
}

/// Particles, neurons and links in the order of their numbers.
#[derive(Debug, Default)]
pub struct GraphLists {
    particles: Vec<Particle>,
    neurons: Vec<Address>,
    links: Vec<LinkRecord>,
}

impl GraphLists {
    /// The graph of a genesis.
    ///
    /// # Errors
    /// [`Fault::Genesis`] naming what cannot be read.
    pub fn of(state: &AppState, bulk: Option<&Bulk>) -> Result<GraphLists, Fault> {
        let mut lists = GraphLists::default();
        let in_bulk = bulk.filter(|bulk| bulk.count(Section::Particles) > 0);
        let Some(bulk) = in_bulk else {
            lists.take(&state.graph, &state.chain.address_prefix)?;
            return Ok(lists);
        };
        bulk.each(&mut |_, particle: Particle| {
            lists.particles.push(particle);
            Ok(())
        })?;
        bulk.each(&mut |_, neuron: Address| {
            lists.neurons.push(neuron);
            Ok(())
        })?;
        bulk.each(&mut |_, link: LinkRecord| {
            lists.links.push(link);
            Ok(())
        })?;
        Ok(lists)
    }

    /// Particles in the order of their numbers, without links yet.
    ///
    /// # Errors
    /// [`Fault::Genesis`]: one stands twice.
    pub fn of_particles(particles: Vec<Particle>) -> Result<GraphLists, Fault> {
        let mut seen = BTreeSet::new();
        match particles.iter().find(|particle| !seen.insert(**particle)) {
            Some(twice) => Err(Fault::Genesis(format!("particle {twice} stands twice"))),
            None => Ok(GraphLists { particles, ..GraphLists::default() }),
        }
    }

    fn take(&mut self, graph: &GraphGenesis, prefix: &str) -> Result<(), Fault> {
        let fault = |text: String| Fault::Genesis(format!("app_state.graph.{text}"));
        for (index, cid) in graph.particles.iter().enumerate() {
            let particle = Particle::parse(cid);
            let particle = particle.map_err(|e| fault(format!("particles[{index}]: {e}")))?;
            self.particles.push(particle);
        }
        for (index, text) in graph.neurons.iter().enumerate() {
            let neuron = Address::parse(text, prefix);
            let neuron = neuron.map_err(|e| fault(format!("neurons[{index}]: {e}")))?;
            self.neurons.push(neuron);
        }
        let (neurons, particles) = (self.neurons.len() as u64, self.particles.len() as u64);
        for (index, &(neuron, from, to)) in graph.links.iter().enumerate() {
            let inside = u64::from(neuron) < neurons && u64::from(from.max(to)) < particles;
            if !inside {
                return Err(fault(format!(
                    "links[{index}] ({neuron}, {from}, {to}): there are {neurons} neurons and \
                     {particles} particles, numbered from 0"
                )));
            }
            self.links.push(LinkRecord { neuron, from, to });
        }
        Ok(())
    }

    /// Appends links; their ends become particles if they are none, from first, then to.
    ///
    /// # Errors
    /// [`Fault::Genesis`]: an end links to itself.
    pub fn extend(&mut self, links: &[NewLink]) -> Result<AddedLinks, Fault> {
        let mut particles: BTreeMap<Particle, u32> =
            self.particles.iter().copied().zip(0..).collect();
        let mut neurons: BTreeMap<Address, u32> = self.neurons.iter().copied().zip(0..).collect();
        let mut known: BTreeSet<LinkRecord> = self.links.iter().copied().collect();
        let mut added = AddedLinks::default();
        for (index, NewLink { neuron, from, to }) in links.iter().enumerate() {
            if from == to {
                return Err(Fault::Genesis(format!(
                    "link {}: {from} to itself: two different ends are right",
                    index + 1
                )));
            }
            let neuron = *neurons.entry(*neuron).or_insert_with(|| {
                self.neurons.push(*neuron);
                last(&self.neurons)
            });
            let [from, to] = [from, to].map(|particle| {
                *particles.entry(*particle).or_insert_with(|| {
                    added.new_particles += 1;
                    self.particles.push(*particle);
                    last(&self.particles)
                })
            });
            let link = LinkRecord { neuron, from, to };
            if known.insert(link) {
                self.links.push(link);
                added.added += 1;
            } else {
                added.passed_over += 1;
            }
        }
        Ok(added)
    }

    /// Whether it belongs into `genesis.bin`.
    pub fn is_bulk(&self) -> bool {
        self.links.len() > INLINE_MAX
    }

    /// The section of the genesis file.
    pub fn to_section(&self, prefix: &str) -> GraphGenesis {
        GraphGenesis {
            particles: self.particles.iter().map(Particle::to_cid).collect(),
            neurons: self.neurons.iter().map(|neuron| neuron.to_bech32(prefix)).collect(),
            links: self.links.iter().map(|link| (link.neuron, link.from, link.to)).collect(),
        }
    }

    /// Writes the three sections, neurons in the order of their first link.
    fn write(&self, writer: &mut Writer) -> Result<(), Fault> {
        let mut places: Vec<Option<u32>> = vec![None; self.neurons.len()];
        let mut linkers: Vec<Address> = Vec::new();
        for link in &self.links {
            let place = &mut places[link.neuron as usize];
            if place.is_none() {
                linkers.push(self.neurons[link.neuron as usize]);
                *place = Some(last(&linkers));
            }
        }
        self.particles.iter().try_for_each(|particle| writer.put(particle))?;
        linkers.into_iter().try_for_each(|neuron| writer.put_neuron(neuron))?;
        self.links.iter().try_for_each(|link| {
            let neuron = places[link.neuron as usize].expect("numbered above");
            writer.put_link(LinkRecord { neuron, ..*link })
        })
    }
}

fn last<T>(list: &[T]) -> u32 {
    u32::try_from(list.len() - 1).expect("fewer than 2^32 of each")
}

/// What `genesis.bin` gets.
#[derive(Default)]
pub struct More<'a> {
    pub accounts: &'a [AccountRecord],
    /// In place of the graph that is there.
    pub graph: Option<&'a GraphLists>,
    /// Particles without a rank that the graph has more than before.
    pub new_codes: u64,
}

/// The temporary name in a folder.
pub fn pending(folder: &Path) -> PathBuf {
    folder.join(format!("{FILE}.new"))
}

/// Writes `genesis.bin` anew under its temporary name, with more in it.
///
/// # Errors
/// The disk's, and those of reading the old one.
pub fn rewrite(folder: &Path, old: Option<&Bulk>, more: &More) -> Result<BulkReference, Fault> {
    let path = pending(folder);
    let written = rewrite_at(&path, old, more);
    if written.is_err() {
        let _ = std::fs::remove_file(&path);
    }
    written
}

fn rewrite_at(path: &Path, old: Option<&Bulk>, more: &More) -> Result<BulkReference, Fault> {
    let mut writer = Writer::create(path)?;
    for section in Section::ALL {
        let is_graph = matches!(section, Section::Particles | Section::Neurons | Section::Links);
        match (more.graph, section) {
            (Some(graph), Section::Particles) => graph.write(&mut writer)?,
            (Some(_), _) if is_graph => {}
            _ => {
                if let Some(old) = old {
                    writer.copy(section, old)?;
                }
            }
        }
        match section {
            Section::Accounts => more.accounts.iter().try_for_each(|one| writer.put(one))?,
            Section::Codes if old.is_some_and(|old| old.count(Section::Codes) > 0) => {
                (0..more.new_codes).try_for_each(|_| writer.put(&0u32))?;
            }
            _ => {}
        }
    }
    writer.finish(FILE)
}
