//! The genesis as a state on an empty store, `genesis.bin` included: its records are streamed into
//! the state, its graph into columns of its own.

use super::bulk::{
    AccountRecord, BandwidthRecord, Bulk, LinkRecord, Record as _, Section, StakeRecord,
};
use super::{init_with, AppState};
use crate::engine::Genesis;
use crate::error::Fault;
use crate::modules::auth;
use crate::modules::bandwidth::{self, BandwidthGenesis};
use crate::modules::bank;
use crate::modules::rank::genesis::MoreRanks;
use crate::state::{Overlay, Write};
use crate::store::bulk::GraphBuilder;
use crate::store::graph::Graph;
use crate::store::{Staged, Store};
use crate::types::{Address, Height, Particle};
use std::path::Path;

/// The genesis on top of an empty store. `folder`: where the genesis file lies, and beside it what
/// it names.
///
/// # Errors
/// [`Fault::Genesis`]: the place in the file, the value and what is right.
pub fn stage(store: &Store, genesis: &Genesis, folder: Option<&Path>) -> Result<Staged, Fault> {
    let state = AppState::parse(&genesis.app_state)?;
    let bulk = match (&state.bulk, folder) {
        (None, _) => None,
        (Some(reference), Some(folder)) => Some(Bulk::open(folder, reference)?),
        (Some(reference), None) => {
            let file = &reference.file;
            return Err(Fault::Genesis(format!("app_state.bulk: nowhere to look for {file}")));
        }
    };
    let bulk = bulk.as_ref();
    if let Some(bulk) = bulk {
        check_lists(bulk, &state)?;
    }
    let base = match bulk.filter(|bulk| bulk.count(Section::Particles) > 0) {
        Some(bulk) => store.genesis_base(graph(bulk)?),
        None => store.latest(),
    };
    let mut overlay = Overlay::new(base.as_ref());
    let ranks = init_with(&mut overlay, genesis, &state, bulk)?;
    drop(state);
    let changes = overlay.into_changes();
    let staged = store.stage_genesis_on(&base, genesis.initial_height, changes, ranks.as_ref());
    if let Some(bulk) = bulk.filter(|bulk| bulk.count(Section::Links) > 0) {
        let roots = staged.snapshot().roots();
        let root = roots.iter().find(|(name, _)| name == "cyberlinks").map(|(_, root)| root);
        let root = root.expect("every state has this log");
        if root != bulk.root() {
            let (is, said) = (hex::encode(root), hex::encode(bulk.root()));
            let path = bulk.path().display();
            return Err(Fault::Genesis(format!(
                "{path}: the root of its links is {is}, app_state.bulk.root is {said}"
            )));
        }
    }
    Ok(staged)
}

/// A list stands in one of the two files.
fn check_lists(bulk: &Bulk, state: &AppState) -> Result<(), Fault> {
    let warm = state.rank.state.as_ref();
    let graph = state.graph.particles.len() + state.graph.links.len();
    let lists = [
        (Section::Particles, graph, "graph"),
        (Section::Codes, warm.map_or(0, |warm| warm.codes.len()), "rank.state.codes"),
        (Section::Rounds, warm.map_or(0, |warm| warm.rounds.len()), "rank.state.rounds"),
    ];
    for (section, inline, name) in lists {
        if bulk.count(section) > 0 && inline > 0 {
            return Err(Fault::Genesis(format!(
                "app_state.{name}: {} has {} too: one of the two places is right",
                bulk.path().display(),
                section.name()
            )));
        }
    }
    let missing = |section: Section, name: &str| {
        Fault::Genesis(format!(
            "app_state.{name} is missing: {} has {}, which belong to it",
            bulk.path().display(),
            section.name()
        ))
    };
    if bulk.count(Section::Bandwidth) > 0 && state.bandwidth.neurons.is_none() {
        return Err(missing(Section::Bandwidth, "bandwidth.neurons"));
    }
    for section in [Section::Codes, Section::Stakes, Section::Rounds] {
        if bulk.count(section) > 0 && warm.is_none() {
            return Err(missing(section, "rank.state"));
        }
    }
    Ok(())
}

fn graph(bulk: &Bulk) -> Result<Graph, Fault> {
    let mut graph = GraphBuilder::new();
    bulk.each(&mut |place, particle: Particle| {
        let added = graph.add_particle(&particle);
        added.map_err(|text| bulk.fault(Section::Particles, place, &text))
    })?;
    bulk.each(&mut |place, neuron: Address| {
        let added = graph.add_neuron(neuron);
        added.map_err(|text| bulk.fault(Section::Neurons, place, &text))
    })?;
    bulk.each(&mut |place, link: LinkRecord| {
        let added = graph.add_link(link.neuron, link.from, link.to);
        added.map_err(|text| bulk.fault(Section::Links, place, &text))
    })?;
    let path = bulk.path().display();
    graph.finish().map_err(|text| Fault::Genesis(format!("{path}: {text}")))
}

/// The accounts of the file with their balances; the sums of these.
pub(super) fn accounts(
    state: &mut dyn Write,
    bulk: Option<&Bulk>,
    prefix: &str,
) -> Result<bank::genesis::Sums, Fault> {
    let mut sums = bank::genesis::Sums::new();
    let Some(bulk) = bulk else { return Ok(sums) };
    bulk.each(&mut |place, record: AccountRecord| {
        let (address, account) = (record.address, record.account(prefix));
        let added = auth::genesis::add(state, &address, &account)
            .and_then(|()| bank::genesis::add_balance(state, &address, &record.coins, &mut sums));
        added.map_err(|text| bulk.fault(AccountRecord::SECTION, place, &text))
    })?;
    Ok(sums)
}

/// The bandwidth records of the file.
pub(super) fn bandwidth(
    state: &mut dyn Write,
    bulk: Option<&Bulk>,
    section: &BandwidthGenesis,
) -> Result<(), Fault> {
    let Some(bulk) = bulk else { return Ok(()) };
    bulk.each(&mut |place, BandwidthRecord { neuron, remained, since }: BandwidthRecord| {
        let record = bandwidth::Record { remained, since: Height(since) };
        bandwidth::genesis::add(state, &section.params, &neuron, record)
            .map_err(|text| bulk.fault(BandwidthRecord::SECTION, place, &text))
    })
}

/// Codes, rank-stakes and round records of the file.
pub(super) fn ranks(bulk: Option<&Bulk>) -> Result<MoreRanks, Fault> {
    let mut more = MoreRanks::default();
    let Some(bulk) = bulk else { return Ok(more) };
    bulk.each(&mut |_, code: u32| {
        more.codes.push(code);
        Ok(())
    })?;
    bulk.each(&mut |_, StakeRecord { neuron, stake }: StakeRecord| {
        more.stakes.push((neuron, stake));
        Ok(())
    })?;
    bulk.each(&mut |_, record: Vec<u8>| {
        more.rounds.push(record);
        Ok(())
    })?;
    Ok(more)
}
