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
use super::codec::{put_u32, put_u64, put_u8, seal, unseal, Input};
use super::columns::Sizes;
use super::commitment::ROOTS;
use super::journal::{check_format, format_entry};
use super::sections::{self, Contents, Sink, Source};
use super::snapshot::Snapshot;
use super::tables::{self, Table, MANIFEST_KEY};
use crate::error::Fault;
use crate::state::{StoreName, STORES};
use crate::types::{Hash, Height};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Bytes collected before they are written at once.
const BATCH_BYTES: usize = 256 << 10;

/// What a checkpoint is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub contents: Contents,
    pub app_hash: Hash,
    /// Parts of each tree.
    pub parts: [u32; STORES],
    /// Bytes of everything but the manifest.
    pub bytes: u64,
}

impl Manifest {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let Contents { height, roots, sizes, code_bits } = &self.contents;
        put_u64(&mut out, height.0);
        out.extend_from_slice(&self.app_hash);
        roots.iter().for_each(|root| out.extend_from_slice(root));
        let Sizes { particles, links, neurons, rounds } = *sizes;
        [particles, links, neurons, rounds].iter().for_each(|size| put_u32(&mut out, *size));
        put_u8(&mut out, *code_bits as u8);
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
        let contents = Contents { height, roots, sizes, code_bits };
        Ok(Manifest { contents, app_hash, parts, bytes })
    }

    /// The height it is of.
    pub fn height(&self) -> Height {
        self.contents.height
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
    let (height, parts) = (snapshot.height(), [0; STORES]);
    let mut writer = Writer { backend, stop, height, parts, set: Vec::new(), bytes: 0 };
    sections::write(snapshot, &mut writer)?;
    writer.write()?;
    backend.flush()?;
    let manifest = Manifest {
        contents: Contents::of(snapshot),
        app_hash: snapshot.app_hash(),
        parts: writer.parts,
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
    parts: [u32; STORES],
    set: WriteSet,
    /// Bytes of all values, written now or earlier.
    bytes: u64,
}

impl Writer<'_> {
    fn write(&mut self) -> Result<(), Fault> {
        match self.set.is_empty() {
            true => Ok(()),
            false => self.backend.write(std::mem::take(&mut self.set)),
        }
    }
}

impl Sink for Writer<'_> {
    /// Puts a value among those to write, unless it stands there already.
    fn part(&mut self, table: Table, part: u32, body: Vec<u8>, full: bool) -> Result<(), Fault> {
        if self.stop.load(Relaxed) {
            return Err(Fault::Setup("stopped on the way".into()));
        }
        let key = table.key(part);
        let body = match table.is_stamped() {
            true => [&self.height.0.to_be_bytes(), body.as_slice()].concat(),
            false => body,
        };
        let value = seal(&key, body);
        self.bytes += value.len() as u64;
        // A value that reads as it should is not written again; any other is.
        if full && self.backend.get(&key)?.as_ref() == Some(&value) {
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

    /// Removes what an earlier checkpoint left after the last part of a table.
    fn end(&mut self, table: Table, parts: u32) -> Result<(), Fault> {
        if let Table::Tree(store) = table {
            self.parts[store as usize] = parts;
        }
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
}

/// Reads the checkpoint of a manifest, on all cores, and verifies it.
pub fn load(backend: &dyn Backend, manifest: &Manifest) -> Result<Snapshot, Fault> {
    let snapshot = sections::read(&Stored { backend, manifest }, &manifest.contents)?;
    match snapshot.app_hash() == manifest.app_hash {
        true => Ok(snapshot),
        false => Err(Fault::Damage("the app hash is not that of the roots".into())),
    }
}

/// The parts under their keys.
struct Stored<'a> {
    backend: &'a dyn Backend,
    manifest: &'a Manifest,
}

impl Source for Stored<'_> {
    fn tree_parts(&self, store: StoreName) -> u32 {
        self.manifest.parts[store as usize]
    }

    fn part(&self, table: Table, part: u32) -> Result<Vec<u8>, Fault> {
        let key = table.key(part);
        let missing = || Fault::Damage(format!("{} is missing", tables::describe(&key)));
        let value = self.backend.get(&key)?.ok_or_else(missing)?;
        let mut body = unseal(&key, &value)?.to_vec();
        if !table.is_stamped() {
            return Ok(body);
        }
        match body.split_first_chunk() {
            Some((stamp, _)) if u64::from_be_bytes(*stamp) == self.manifest.contents.height.0 => {
                body.drain(..8);
                Ok(body)
            }
            _ => Err(Fault::Damage(format!("{} is of another height", tables::describe(&key)))),
        }
    }
}
