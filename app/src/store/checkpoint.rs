//! Checkpoints: a whole height in a database of its own, so that a start need not replay the
//! chain and older records of the journal can go. Written in the background from a snapshot
//! (`checkpointer.rs`), read at start on all cores.
//!
//! Bytes of the manifest: height (8) ‖ app hash (32) ‖ ten roots (32 each) ‖ particles, links,
//! neurons, rounds (4 each) ‖ code bits (1) ‖ parts of each tree (4 each) ‖ bytes of all (8).
//! The tables are on one screen in `tables.rs`.
//!
//! Invariants: the manifest is removed first and written last, each made durable, so with a
//! manifest everything else is whole; what is read counts only if every checksum fits and every
//! root comes out. Deliberately absent: which database to write to, when.

use super::backend::{Backend, WriteSet};
use super::codec::{put_bytes, put_u32, put_u64, put_u8, seal, unseal, Input};
use super::columns::{Columns, Sizes};
use super::commitment::{app_hash, Commitment, NewCodes, Roots, ROOTS};
use super::graph::{Graph, Indexed};
use super::journal::{check_format, check_links, decode_link, format_entry};
use super::merkle::export::{Builder, ExportedNode};
use super::merkle::{RankTree, Tree};
use super::snapshot::Snapshot;
use super::tables::{self, Table, MANIFEST_KEY, PART_BYTES};
use crate::error::Fault;
use crate::state::{StoreName, STORES};
use crate::types::{Address, Hash, Height, LinkNumber, NeuronNumber, Particle, ParticleNumber};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;

/// Bytes collected before they are written at once.
const BATCH_BYTES: usize = 256 << 10;

/// What a checkpoint is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub height: Height,
    pub app_hash: Hash,
    pub roots: Roots,
    pub sizes: Sizes,
    pub code_bits: u32,
    /// Parts of each tree.
    pub parts: [u32; STORES],
    /// Bytes of everything but the manifest.
    pub bytes: u64,
}

impl Manifest {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_u64(&mut out, self.height.0);
        out.extend_from_slice(&self.app_hash);
        self.roots.iter().for_each(|root| out.extend_from_slice(root));
        let Sizes { particles, links, neurons, rounds } = self.sizes;
        [particles, links, neurons, rounds].iter().for_each(|size| put_u32(&mut out, *size));
        put_u8(&mut out, self.code_bits as u8);
        self.parts.iter().for_each(|parts| put_u32(&mut out, *parts));
        put_u64(&mut out, self.bytes);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Manifest, Fault> {
        let mut input = Input::new(bytes, "manifest of the checkpoint");
        let (height, app_hash) = (Height(input.u64()?), input.array()?);
        let mut roots = [[0; 32]; ROOTS];
        for root in &mut roots {
            *root = input.array()?;
        }
        let [particles, links] = [input.u32()?, input.u32()?];
        let sizes = Sizes { particles, links, neurons: input.u32()?, rounds: input.u32()? };
        let code_bits = u32::from(input.u8()?);
        let mut parts = [0; STORES];
        for count in &mut parts {
            *count = input.u32()?;
        }
        let bytes = input.u64()?;
        input.end()?;
        Ok(Manifest { height, app_hash, roots, sizes, code_bits, parts, bytes })
    }

    /// The manifest in a database; none if there is no whole checkpoint in it.
    pub fn read(backend: &dyn Backend) -> Result<Option<Manifest>, Fault> {
        check_format(backend, "the checkpoint")?;
        let value = backend.get(MANIFEST_KEY)?;
        value.map(|value| Manifest::decode(unseal(MANIFEST_KEY, &value)?)).transpose()
    }

    /// Declares the database to hold no checkpoint.
    pub fn remove(backend: &dyn Backend) -> Result<(), Fault> {
        backend.write(vec![format_entry(), (MANIFEST_KEY.to_vec(), None)])?;
        backend.flush()
    }
}

/// Writes a checkpoint; none if `stop` was raised on the way, which leaves none behind.
pub fn write(
    backend: &dyn Backend,
    snapshot: &Snapshot,
    stop: &AtomicBool,
) -> Result<Option<Manifest>, Fault> {
    match write_all(backend, snapshot, stop) {
        Err(_) if stop.load(Relaxed) => Ok(None),
        written => written.map(Some),
    }
}

fn write_all(
    backend: &dyn Backend,
    snapshot: &Snapshot,
    stop: &AtomicBool,
) -> Result<Manifest, Fault> {
    Manifest::remove(backend)?;
    let commitment = snapshot.commitment();
    let mut writer = Writer { backend, stop, height: snapshot.height(), set: Vec::new(), bytes: 0 };
    let mut parts = [0; STORES];
    for store in StoreName::ALL {
        parts[store as usize] = writer.tree(store, commitment.tree(store))?;
    }
    writer.columns(snapshot.graph())?;
    writer.codes(&commitment.ranks)?;
    writer.write()?;
    backend.flush()?;
    let manifest = Manifest {
        height: snapshot.height(),
        app_hash: snapshot.app_hash(),
        roots: *snapshot.plain_roots(),
        sizes: snapshot.sizes(),
        code_bits: commitment.ranks.code_bits(),
        parts,
        bytes: writer.bytes,
    };
    let value = seal(MANIFEST_KEY, manifest.encode());
    backend.write(vec![(MANIFEST_KEY.to_vec(), Some(value))])?;
    backend.flush()?;
    Ok(manifest)
}

struct Writer<'a> {
    backend: &'a dyn Backend,
    stop: &'a AtomicBool,
    height: Height,
    set: WriteSet,
    /// Bytes of all values, written now or earlier.
    bytes: u64,
}

impl Writer<'_> {
    /// Puts a value among those to write, unless it stands there already.
    fn put(&mut self, key: Vec<u8>, body: Vec<u8>, may_stand: bool) -> Result<(), Fault> {
        if self.stop.load(Relaxed) {
            return Err(Fault::Setup("stopped on the way".into()));
        }
        let value = seal(&key, body);
        self.bytes += value.len() as u64;
        // A value that reads as it should is not written again; any other is.
        if may_stand && self.backend.get(&key)?.as_ref() == Some(&value) {
            return Ok(());
        }
        self.set.push((key, Some(value)));
        let waiting: usize =
            self.set.iter().filter_map(|(_, value)| value.as_ref()).map(Vec::len).sum();
        match waiting >= BATCH_BYTES {
            true => self.write(),
            false => Ok(()),
        }
    }

    fn write(&mut self) -> Result<(), Fault> {
        match self.set.is_empty() {
            true => Ok(()),
            false => self.backend.write(std::mem::take(&mut self.set)),
        }
    }

    /// Removes what an earlier checkpoint left after the last part of a table.
    fn end(&mut self, table: Table, parts: u32) -> Result<(), Fault> {
        let mut left = Vec::new();
        let (from, mut to) = (table.key(parts), table.key(u32::MAX));
        to.push(0);
        self.backend.range(&from, &to, &mut |key, _| {
            left.push((key.to_vec(), None));
            Ok(true)
        })?;
        self.set.extend(left);
        Ok(())
    }

    /// Writes a tree's nodes. Returns the number of parts.
    fn tree(&mut self, store: StoreName, tree: &Tree) -> Result<u32, Fault> {
        let table = Table::Tree(store);
        let stamp = self.height.0.to_be_bytes();
        let mut part = 0;
        let mut body = stamp.to_vec();
        for node in tree.export() {
            node.encode(&mut body);
            while body.len() > PART_BYTES {
                let rest = body.split_off(PART_BYTES);
                let full = std::mem::replace(&mut body, [&stamp, rest.as_slice()].concat());
                self.put(table.key(part), full, false)?;
                part += 1;
            }
        }
        if body.len() > stamp.len() {
            self.put(table.key(part), body, false)?;
            part += 1;
        }
        self.end(table, part)?;
        Ok(part)
    }

    fn columns(&mut self, graph: &Graph) -> Result<(), Fault> {
        let sizes = graph.sizes();
        self.column(Table::Particles, sizes.particles, |number, out| {
            out.extend_from_slice(&graph.particle(ParticleNumber(number)).0);
        })?;
        self.column(Table::Neurons, sizes.neurons, |number, out| {
            let address = graph.neuron(NeuronNumber(number));
            let mut padded = [0; 33];
            padded[0] = address.as_bytes().len() as u8;
            padded[1..=address.as_bytes().len()].copy_from_slice(address.as_bytes());
            out.extend_from_slice(&padded);
        })?;
        self.column(Table::Links, sizes.links, |number, out| {
            let row = graph.row(LinkNumber(number));
            for field in [row.neuron.0, row.from.0, row.to.0, row.height] {
                put_u32(out, field);
            }
        })?;
        self.column(Table::Rounds, sizes.rounds, |index, out| put_bytes(out, graph.round(index)))
    }

    fn column(
        &mut self,
        table: Table,
        length: u32,
        put: impl Fn(u32, &mut Vec<u8>),
    ) -> Result<(), Fault> {
        let segments = length.div_ceil(table.segment());
        for segment in 0..segments {
            let numbers = numbers_of(table, segment, length);
            let full = numbers.len() as u32 == table.segment();
            let mut body = Vec::new();
            numbers.for_each(|number| put(number, &mut body));
            self.put(table.key(segment), body, full)?;
        }
        self.end(table, segments)
    }

    fn codes(&mut self, ranks: &RankTree) -> Result<(), Fault> {
        let (mut codes, stamp) = (ranks.codes().flatten(), self.height.0.to_be_bytes());
        let segments = ranks.len().div_ceil(Table::Codes.segment());
        for segment in 0..segments {
            let mut body = stamp.to_vec();
            for code in codes.by_ref().take(Table::Codes.segment() as usize) {
                put_u32(&mut body, *code);
            }
            self.put(Table::Codes.key(segment), body, false)?;
        }
        self.end(Table::Codes, segments)
    }
}

/// The numbers in a segment of a column of a length.
fn numbers_of(table: Table, segment: u32, length: u32) -> std::ops::Range<u32> {
    let from = segment * table.segment();
    from..from + table.segment().min(length - from)
}

/// Reads the checkpoint of a manifest, on all cores, and verifies it.
pub fn load(backend: &dyn Backend, manifest: &Manifest) -> Result<Snapshot, Fault> {
    let (trees, rest) = rayon::join(
        || load_trees(backend, manifest),
        || {
            let graph = load_graph(backend, manifest)?;
            let mut commitment = Commitment::new();
            commitment.extend_logs(&graph);
            commitment.ranks = load_codes(backend, manifest)?;
            Ok::<_, Fault>((graph, commitment))
        },
    );
    let (graph, mut commitment) = rest?;
    commitment.trees = trees?;
    let snapshot = Snapshot::new(manifest.height, commitment, graph);
    let named = snapshot.roots().into_iter().zip(manifest.roots);
    let wrong: Vec<String> =
        named.filter(|((_, own), stored)| own != stored).map(|((name, _), _)| name).collect();
    if !wrong.is_empty() || app_hash(&manifest.roots) != manifest.app_hash {
        return Err(Fault::Damage(format!("the roots of {wrong:?} do not come out")));
    }
    Ok(snapshot)
}

/// The body under a key that must be there.
fn body(backend: &dyn Backend, key: &[u8]) -> Result<Vec<u8>, Fault> {
    let value = backend.get(key)?;
    let value =
        value.ok_or_else(|| Fault::Damage(format!("{} is missing", tables::describe(key))))?;
    Ok(unseal(key, &value)?.to_vec())
}

/// The body of a part that carries the height of its checkpoint.
fn stamped(backend: &dyn Backend, key: &[u8], height: Height) -> Result<Vec<u8>, Fault> {
    let mut body = body(backend, key)?;
    match body.split_first_chunk() {
        Some((stamp, _)) if u64::from_be_bytes(*stamp) == height.0 => {
            body.drain(..8);
            Ok(body)
        }
        _ => Err(Fault::Damage(format!("{} is of another height", tables::describe(key)))),
    }
}

fn load_trees(backend: &dyn Backend, manifest: &Manifest) -> Result<[Tree; STORES], Fault> {
    let trees: Vec<Tree> = StoreName::ALL
        .into_par_iter()
        .map(|store| load_tree(backend, manifest, store))
        .collect::<Result<_, Fault>>()?;
    Ok(trees.try_into().unwrap_or_else(|_| unreachable!("one tree per store")))
}

fn load_tree(backend: &dyn Backend, manifest: &Manifest, store: StoreName) -> Result<Tree, Fault> {
    let damage = |why: &dyn std::fmt::Display| {
        Fault::Damage(format!("tree of store '{}': {why}", store.name()))
    };
    let parts = manifest.parts[store as usize];
    let mut builder = Builder::new();
    let mut bytes: Vec<u8> = Vec::new();
    for part in 0..parts {
        bytes.extend(stamped(backend, &Table::Tree(store).key(part), manifest.height)?);
        // A node may go on in the next part: take the whole ones.
        let mut rest = bytes.as_slice();
        let mut taken = 0;
        while !rest.is_empty() {
            match ExportedNode::decode(&mut rest) {
                Ok(node) => builder.push(node).map_err(|error| damage(&error))?,
                Err(_) if part + 1 < parts => break,
                Err(error) => return Err(damage(&error)),
            }
            taken = bytes.len() - rest.len();
        }
        bytes.drain(..taken);
    }
    let name = super::merkle::simple::NAMES.iter().position(|name| *name == store.name());
    let root = manifest.roots[name.expect("every store is under the app hash")];
    builder.finish(&root).map_err(|error| damage(&error))
}

fn load_graph(backend: &dyn Backend, manifest: &Manifest) -> Result<Graph, Fault> {
    let (columns, sizes) = (Columns::new(), manifest.sizes);
    let each = |table: Table,
                length: u32,
                set: &(dyn Fn(u32, &mut Input<'_>) -> Result<(), Fault> + Sync)| {
        (0..length.div_ceil(table.segment())).into_par_iter().try_for_each(|segment| {
            let key = table.key(segment);
            let (body, what) = (body(backend, &key)?, tables::describe(&key));
            let mut input = Input::new(&body, &what);
            numbers_of(table, segment, length).try_for_each(|number| set(number, &mut input))?;
            input.end()
        })
    };
    each(Table::Particles, sizes.particles, &|number, input| {
        columns.set_particle(ParticleNumber(number), &Particle(input.array()?));
        Ok(())
    })?;
    each(Table::Neurons, sizes.neurons, &|number, input| {
        let padded: [u8; 33] = input.array()?;
        let bytes = padded[1..].get(..usize::from(padded[0])).unwrap_or_default();
        let address = Address::new(bytes).map_err(|error| input.damage(error))?;
        columns.set_neuron(NeuronNumber(number), address);
        Ok(())
    })?;
    each(Table::Links, sizes.links, &|number, input| {
        columns.set_link(LinkNumber(number), decode_link(input)?);
        Ok(())
    })?;
    each(Table::Rounds, sizes.rounds, &|index, input| {
        columns.set_round(index, input.bytes()?);
        Ok(())
    })?;
    let rows = (0..sizes.links).map(|number| columns.link(LinkNumber(number)));
    if check_links(rows, 0, sizes.particles) != Some(sizes.neurons) {
        return Err(Fault::Damage("links that name what is not there".into()));
    }
    Ok(Graph::new(Arc::new(Indexed::over(columns, sizes)), sizes))
}

fn load_codes(backend: &dyn Backend, manifest: &Manifest) -> Result<RankTree, Fault> {
    let (length, table) = (manifest.sizes.particles, Table::Codes);
    let mut codes: Vec<(ParticleNumber, u32)> = Vec::with_capacity(length as usize);
    for segment in 0..length.div_ceil(table.segment()) {
        let key = table.key(segment);
        let (body, what) = (stamped(backend, &key, manifest.height)?, tables::describe(&key));
        let mut input = Input::new(&body, &what);
        for number in numbers_of(table, segment, length) {
            match input.u32()? {
                0 => {}
                code => codes.push((ParticleNumber(number), code)),
            }
        }
        input.end()?;
    }
    NewCodes::new(manifest.code_bits, &codes).check(length)?;
    let mut ranks = RankTree::new(manifest.code_bits);
    ranks.grow(length);
    ranks.set_codes(&codes);
    Ok(ranks)
}
