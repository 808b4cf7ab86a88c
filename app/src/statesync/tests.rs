//! Snapshots: equal on all nodes, served while they are asked for, restored whole or not at all.

mod forged;
mod histories;
mod kills;
mod serving;
mod spare;

use super::taker::Settings;
use super::*;
use crate::engine::{
    ChunkVerdict, ConsensusParams, OfferVerdict, Snapshot as Offered, APP_VERSION,
};
use crate::modules::params;
use crate::state::{Changes, Link, Overlay};
use crate::store::backend::MemoryDisk;
use crate::store::{Options, Snapshot, Store};
use crate::testkit::chain::{genesis, ChainOptions};
use crate::types::{sha256, Address, Height, Particle, ParticleNumber};
use prost::bytes::Bytes;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

/// Nothing is made by itself, all of the disk may be taken.
const BY_HAND: Settings = Settings { interval: 0, newest_version: APP_VERSION, free_bytes_min: 0 };

fn service(folder: &Path) -> Service {
    Service::start(folder, BY_HAND).unwrap()
}

/// Makes the snapshot of a state in a folder.
fn made(folder: &Path, state: &Snapshot) -> SnapshotFile {
    let path = folder.join(file::name(state.height()));
    let made = file::write(&path, state, APP_VERSION, &AtomicBool::new(false)).unwrap();
    made.expect("nobody stops it")
}

/// What a peer that has this file offers.
fn offer_of(file: &SnapshotFile) -> Offered {
    Offered {
        height: file.height(),
        format: FORMAT,
        chunks: file.metadata().count(),
        hash: Bytes::copy_from_slice(&file.hash()),
        metadata: file.metadata().encode().into(),
    }
}

/// What a chain's state has beside its graph.
fn under_the_rules_of_the_first_version(store: &Store) -> Changes {
    let base = store.latest();
    let mut overlay = Overlay::new(base.as_ref());
    let options = ChainOptions::default();
    let right = genesis(&options, Bytes::new()).consensus_params;
    params::state::set_consensus(&mut overlay, &ConsensusParams { app_version: 1, ..right });
    overlay.into_changes()
}

/// A state of so many particles, each linked to the next by neurons that take turns.
fn state_of(particles: u32) -> Arc<Snapshot> {
    let mut store = Store::open_on(Box::new(MemoryDisk::new()), Options::default()).unwrap();
    let neuron = |number: u32| Address::new(&sha256(&number.to_le_bytes())[..20]).unwrap();
    let link = |number: u32| Link {
        neuron: neuron(number % 97),
        from: ParticleNumber(number),
        to: ParticleNumber((number + 1) % particles),
        height: Height(0),
    };
    let mut genesis = under_the_rules_of_the_first_version(&store);
    genesis.particles = (0..particles).map(|n| Particle(sha256(&n.to_be_bytes()))).collect();
    genesis.links = (0..particles).map(link).collect();
    let genesis = store.stage_genesis(Height(1), genesis, None);
    let block = store.stage_on(&genesis, Height(1), &Changes::default(), None);
    store.commit(block).unwrap()
}

/// A state whose snapshot has three chunks.
fn large() -> Arc<Snapshot> {
    static STATE: OnceLock<Arc<Snapshot>> = OnceLock::new();
    STATE.get_or_init(|| state_of(420_000)).clone()
}

/// Gives all chunks in an order; the last verdict, and the state if one came out.
fn feed(
    service: &Service,
    file: &SnapshotFile,
    order: &[u32],
) -> (ChunkVerdict, Option<Arc<Snapshot>>) {
    let (mut verdict, mut restored) = (ChunkVerdict::Accept, None);
    for index in order {
        let chunk = file.chunk(*index).unwrap();
        let install = |state| {
            restored = Some(state);
            Ok(())
        };
        verdict = service.apply(*index, &chunk, "peer", install).unwrap();
    }
    (verdict, restored)
}
