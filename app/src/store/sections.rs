//! What a stored state consists of: tables of parts, in one order. Checkpoints hold them under
//! keys (`checkpoint.rs`), snapshot files one after the other (`statesync/file.rs`): one format in
//! two containers. The tables are on one screen in `tables.rs`.
//!
//! Invariants: parts are a function of the state alone, equal on all nodes; what is read counts
//! only if every root comes out, and nothing of what is read is looked up before the roots of the
//! logs did. Deliberately absent: where parts lie, checksums, heights in them.

use super::codec::{put_bytes, put_u32, Input};
use super::columns::{Columns, Sizes};
use super::commitment::{Commitment, NewCodes, Roots};
use super::graph::{Graph, Indexed};
use super::journal::{check_links, decode_link};
use super::merkle::export::{Builder, ExportedNode};
use super::merkle::{simple, RankTree, Tree};
use super::snapshot::Snapshot;
use super::tables::{self, Table, ADDRESS_BYTES, TREE_PART_BYTES};
use crate::error::Fault;
use crate::state::{StoreName, STORES};
use crate::types::{Address, Height, LinkNumber, NeuronNumber, Particle, ParticleNumber};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// More bytes than any node of a tree has: what claims more is damage, not worth reading on.
const NODE_BYTES_MAX: usize = 16 << 20;

/// What the parts are of, told apart from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub height: Height,
    pub roots: Roots,
    pub sizes: Sizes,
    pub code_bits: u32,
}

impl Contents {
    /// Of a state.
    pub fn of(snapshot: &Snapshot) -> Contents {
        Contents {
            height: snapshot.height(),
            roots: *snapshot.plain_roots(),
            sizes: snapshot.sizes(),
            code_bits: snapshot.rank().code_bits(),
        }
    }

    /// How many elements a table other than a tree has.
    pub fn length(&self, table: Table) -> u32 {
        let Sizes { particles, links, neurons, rounds } = self.sizes;
        match table {
            Table::Tree(_) => unreachable!("trees are counted in bytes"),
            Table::Particles | Table::Codes => particles,
            Table::Neurons => neurons,
            Table::Links => links,
            Table::Rounds => rounds,
        }
    }

    /// How many parts a table other than a tree has.
    fn parts(&self, table: Table) -> u32 {
        self.length(table).div_ceil(table.segment())
    }

    /// The numbers in a part of a table other than a tree.
    fn numbers(&self, table: Table, part: u32) -> Range<u32> {
        let from = part * table.segment();
        from..from + table.segment().min(self.length(table) - from)
    }
}

/// Takes the parts, table by table in the order of [`Table::all`].
pub trait Sink {
    /// The next part. `full`: the table's later states have the same.
    fn part(&mut self, table: Table, part: u32, body: Vec<u8>, full: bool) -> Result<(), Fault>;

    /// The table has so many parts.
    fn end(&mut self, table: Table, parts: u32) -> Result<(), Fault>;
}

/// Gives the parts, any of them at any time.
pub trait Source: Sync {
    /// How many parts a tree has.
    fn tree_parts(&self, store: StoreName) -> u32;

    /// A part that must be there.
    fn part(&self, table: Table, part: u32) -> Result<Vec<u8>, Fault>;
}

/// Gives all parts of a state to a sink.
pub fn write(snapshot: &Snapshot, sink: &mut dyn Sink) -> Result<(), Fault> {
    let (contents, graph) = (Contents::of(snapshot), snapshot.graph());
    let mut codes = snapshot.rank().codes().flatten();
    for table in Table::all() {
        let parts = match table {
            Table::Tree(store) => write_tree(store, snapshot.commitment().tree(store), sink)?,
            _ => contents.parts(table),
        };
        if !matches!(table, Table::Tree(_)) {
            for part in 0..parts {
                let numbers = contents.numbers(table, part);
                let full = numbers.len() as u32 == table.segment() && table != Table::Codes;
                let mut body = Vec::new();
                numbers.for_each(|number| match table {
                    Table::Codes => put_u32(&mut body, *codes.next().expect("one per particle")),
                    _ => put_element(graph, table, number, &mut body),
                });
                sink.part(table, part, body, full)?;
            }
        }
        sink.end(table, parts)?;
    }
    Ok(())
}

/// Gives a tree's nodes, cut anywhere. Returns the number of parts.
fn write_tree(store: StoreName, tree: &Tree, sink: &mut dyn Sink) -> Result<u32, Fault> {
    let table = Table::Tree(store);
    let mut part = 0;
    let mut body = Vec::new();
    for node in tree.export() {
        node.encode(&mut body);
        while body.len() > TREE_PART_BYTES {
            let rest = body.split_off(TREE_PART_BYTES);
            sink.part(table, part, std::mem::replace(&mut body, rest), false)?;
            part += 1;
        }
    }
    if !body.is_empty() {
        sink.part(table, part, body, false)?;
        part += 1;
    }
    Ok(part)
}

/// Appends an element of a column.
fn put_element(graph: &Graph, table: Table, number: u32, out: &mut Vec<u8>) {
    match table {
        Table::Tree(_) | Table::Codes => unreachable!("no columns"),
        Table::Particles => out.extend_from_slice(&graph.particle(ParticleNumber(number)).0),
        Table::Neurons => {
            let address = graph.neuron(NeuronNumber(number));
            let mut padded = [0; ADDRESS_BYTES];
            padded[0] = address.as_bytes().len() as u8;
            padded[1..=address.as_bytes().len()].copy_from_slice(address.as_bytes());
            out.extend_from_slice(&padded);
        }
        Table::Links => {
            let row = graph.row(LinkNumber(number));
            for field in [row.neuron.0, row.from.0, row.to.0, row.height] {
                put_u32(out, field);
            }
        }
        Table::Rounds => put_bytes(out, graph.round(number)),
    }
}

/// Reads a state from its parts, on all cores, and verifies it.
///
/// # Errors
/// [`Fault::Damage`] if the parts are not those of a state with these roots; what the source says.
pub fn read(source: &dyn Source, contents: &Contents) -> Result<Snapshot, Fault> {
    let (trees, rest) = rayon::join(
        || read_trees(source, contents),
        || {
            let columns = read_columns(source, contents)?;
            let graph = Graph::new(Arc::new(Indexed::bare(columns)), contents.sizes);
            let mut commitment = Commitment::new();
            commitment.extend_logs(&graph);
            commitment.ranks = read_codes(source, contents)?;
            Ok::<_, Fault>((graph, commitment))
        },
    );
    let (graph, mut commitment) = rest?;
    commitment.trees = trees?;
    let named = super::commitment::named(&commitment.roots()).into_iter().zip(contents.roots);
    let wrong: Vec<String> =
        named.filter(|((_, own), stored)| own != stored).map(|((name, _), _)| name).collect();
    if !wrong.is_empty() {
        return Err(Fault::Damage(format!("the roots of {wrong:?} do not come out")));
    }
    Ok(Snapshot::new(contents.height, commitment, graph.indexed()))
}

fn read_trees(source: &dyn Source, contents: &Contents) -> Result<[Tree; STORES], Fault> {
    let trees: Vec<Tree> = StoreName::ALL
        .into_par_iter()
        .map(|store| read_tree(source, contents, store))
        .collect::<Result<_, Fault>>()?;
    Ok(trees.try_into().unwrap_or_else(|_| unreachable!("one tree per store")))
}

fn read_tree(source: &dyn Source, contents: &Contents, store: StoreName) -> Result<Tree, Fault> {
    let damage = |why: &dyn std::fmt::Display| {
        Fault::Damage(format!("tree of store '{}': {why}", store.name()))
    };
    let parts = source.tree_parts(store);
    let mut builder = Builder::new();
    let mut bytes: Vec<u8> = Vec::new();
    for part in 0..parts {
        bytes.extend(source.part(Table::Tree(store), part)?);
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
        if bytes.len() > NODE_BYTES_MAX {
            return Err(damage(&"a node is longer than any can be"));
        }
    }
    let name = simple::NAMES.iter().position(|name| *name == store.name());
    let root = contents.roots[name.expect("every store is under the app hash")];
    builder.finish(&root).map_err(|error| damage(&error))
}

fn read_columns(source: &dyn Source, contents: &Contents) -> Result<Columns, Fault> {
    let columns = Columns::new();
    let each = |table: Table, set: &(dyn Fn(u32, &mut Input<'_>) -> Result<(), Fault> + Sync)| {
        (0..contents.parts(table)).into_par_iter().try_for_each(|part| {
            let (body, what) = (source.part(table, part)?, tables::describe(&table.key(part)));
            let mut input = Input::new(&body, &what);
            contents.numbers(table, part).try_for_each(|number| set(number, &mut input))?;
            input.end()
        })
    };
    each(Table::Particles, &|number, input| {
        columns.set_particle(ParticleNumber(number), &Particle(input.array()?));
        Ok(())
    })?;
    each(Table::Neurons, &|number, input| {
        let padded: [u8; ADDRESS_BYTES] = input.array()?;
        let (bytes, padding) =
            padded[1..].split_at_checked(usize::from(padded[0])).unwrap_or_default();
        if padding.iter().any(|byte| *byte != 0) {
            return Err(input.damage("bytes after an address"));
        }
        let address = Address::new(bytes).map_err(|error| input.damage(error))?;
        columns.set_neuron(NeuronNumber(number), address);
        Ok(())
    })?;
    each(Table::Links, &|number, input| {
        columns.set_link(LinkNumber(number), decode_link(input)?);
        Ok(())
    })?;
    each(Table::Rounds, &|index, input| {
        columns.set_round(index, input.bytes()?);
        Ok(())
    })?;
    let Sizes { particles, links, neurons, .. } = contents.sizes;
    let rows = (0..links).map(|number| columns.link(LinkNumber(number)));
    match check_links(rows, 0, particles) == Some(neurons) {
        true => Ok(columns),
        false => Err(Fault::Damage("links that name what is not there".into())),
    }
}

fn read_codes(source: &dyn Source, contents: &Contents) -> Result<RankTree, Fault> {
    let (length, table) = (contents.sizes.particles, Table::Codes);
    let mut codes: Vec<(ParticleNumber, u32)> = Vec::new();
    for part in 0..contents.parts(table) {
        let (body, what) = (source.part(table, part)?, tables::describe(&table.key(part)));
        let mut input = Input::new(&body, &what);
        for number in contents.numbers(table, part) {
            match input.u32()? {
                0 => {}
                code => codes.push((ParticleNumber(number), code)),
            }
        }
        input.end()?;
    }
    NewCodes::new(contents.code_bits, &codes).check(length)?;
    let mut ranks = RankTree::new(contents.code_bits);
    ranks.grow(length);
    ranks.set_codes(&codes);
    Ok(ranks)
}
