//! The journal: one record per height with everything that height changed, written as one atomic
//! write set together with the head, durable before a commit answers.
//!
//! Bytes of a record (integers big endian), cut into parts of `PART_BYTES`:
//! ```text
//! length of the record (8) ‖ height (8) ‖ app hash (32) ‖ first (1): 1 if it begins the chain
//! ‖ app hash before (32, zeros if first) ‖ ten roots (32 each, order of `commitment::NAMES`)
//! ‖ number of passes (4) ‖ each pass: length (8) ‖ bytes
//! pass: tree version (8) ‖ per store: changes (4) ‖ each: key, 0 | 1 ‖ value
//!     ‖ sizes before: particles, links, neurons, rounds (4 each)
//!     ‖ particles (4) ‖ 32 each ‖ neurons (4) ‖ length (1), address each
//!     ‖ links (4) ‖ neuron, from, to, height (4 each) ‖ round records (4) ‖ each
//!     ‖ codes: 0 | 1 ‖ code bits (1) ‖ codes (4) ‖ particle, code (4 each)
//! ```
//! Keys, values and records have their length (4) before them. The record of the first height
//! holds two passes, genesis and block.
//!
//! Invariants: records of consecutive heights follow one another up to the head; a record is there
//! whole or not at all. Deliberately absent: what the records mean (`staged.rs` makes and applies
//! them).

use super::backend::{Backend, WriteSet};
use super::codec::{
    put_bytes, put_count, put_u32, put_u64, put_u8, seal, unseal, Input, SEAL_BYTES,
};
use super::columns::{LinkRow, Sizes};
use super::commitment::{Keys, NewCodes, Roots, ROOTS};
use super::graph::Additions;
use super::tables::{record_key, split_record_key, FORMAT, FORMAT_KEY, HEAD_KEY, PART_BYTES};
use crate::error::Fault;
use crate::state::STORES;
use crate::types::{Address, Hash, Height, NeuronNumber, Particle, ParticleNumber};
use rayon::prelude::*;
use std::sync::Arc;

/// Bytes of a record without passes.
const HEADER_BYTES: u64 = 85 + 32 * ROOTS as u64;

/// The newest height of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub height: Height,
    pub app_hash: Hash,
    parts: u32,
}

/// A height's record. The passes are encoded when they are staged.
#[derive(Clone, Debug)]
pub struct Record {
    pub height: Height,
    pub app_hash: Hash,
    /// The app hash of the height before; none if this height begins the chain.
    pub before: Option<Hash>,
    pub roots: Roots,
    pub passes: Vec<Vec<u8>>,
}

/// A pass read back.
#[derive(Debug)]
pub struct Pass {
    pub version: u64,
    pub keys: [Keys; STORES],
    pub additions: Additions,
    pub codes: Option<(u32, Vec<(ParticleNumber, u32)>)>,
}

impl Record {
    /// Its bytes in the journal.
    pub fn bytes(&self) -> u64 {
        self.passes.iter().map(|pass| pass.len() as u64 + 8).sum::<u64>() + HEADER_BYTES
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes() as usize);
        put_u64(&mut out, 0);
        put_u64(&mut out, self.height.0);
        out.extend_from_slice(&self.app_hash);
        put_u8(&mut out, u8::from(self.before.is_none()));
        out.extend_from_slice(&self.before.unwrap_or_default());
        self.roots.iter().for_each(|root| out.extend_from_slice(root));
        put_count(&mut out, self.passes.len());
        for pass in &self.passes {
            put_u64(&mut out, pass.len() as u64);
            out.extend_from_slice(pass);
        }
        let length = out.len() as u64;
        assert_eq!(length, self.bytes(), "the size of a record is known before");
        out[..8].copy_from_slice(&length.to_be_bytes());
        out
    }

    fn decode(bytes: &[u8], what: &str) -> Result<Record, Fault> {
        let mut input = Input::new(bytes, what);
        if input.u64()? != bytes.len() as u64 {
            return Err(input.damage("parts are missing"));
        }
        let (height, app_hash) = (Height(input.u64()?), input.array()?);
        let (first, before) = (input.u8()?, input.array()?);
        let before = (first == 0).then_some(before);
        let mut roots = [[0; 32]; ROOTS];
        for root in &mut roots {
            *root = input.array()?;
        }
        let mut passes = Vec::new();
        for _ in 0..input.count(8)? {
            let length = usize::try_from(input.u64()?);
            let length = length.map_err(|_| input.damage("a pass is too long"))?;
            passes.push(input.take(length)?.to_vec());
        }
        input.end()?;
        Ok(Record { height, app_hash, before, roots, passes })
    }
}

/// The bytes of a pass.
pub fn encode_pass(
    version: u64,
    keys: &[Keys; STORES],
    additions: &Additions,
    codes: Option<NewCodes<'_>>,
) -> Vec<u8> {
    let mut out = Vec::new();
    put_u64(&mut out, version);
    for changes in keys {
        put_count(&mut out, changes.len());
        for (key, value) in changes {
            put_bytes(&mut out, key);
            put_u8(&mut out, u8::from(value.is_some()));
            if let Some(value) = value {
                put_bytes(&mut out, value);
            }
        }
    }
    encode_additions(&mut out, additions);
    put_u8(&mut out, u8::from(codes.is_some()));
    if let Some(NewCodes { code_bits, codes, .. }) = codes {
        put_u8(&mut out, code_bits as u8);
        put_count(&mut out, codes.len());
        for (particle, code) in codes {
            put_u32(&mut out, particle.0);
            put_u32(&mut out, *code);
        }
    }
    out
}

fn encode_additions(out: &mut Vec<u8>, additions: &Additions) {
    let before = additions.before;
    for size in [before.particles, before.links, before.neurons, before.rounds] {
        put_u32(out, size);
    }
    put_count(out, additions.particles.len());
    additions.particles.iter().for_each(|particle| out.extend_from_slice(&particle.0));
    put_count(out, additions.neurons.len());
    for address in &additions.neurons {
        put_u8(out, address.as_bytes().len() as u8);
        out.extend_from_slice(address.as_bytes());
    }
    put_count(out, additions.links.len());
    for row in &additions.links {
        for field in [row.neuron.0, row.from.0, row.to.0, row.height] {
            put_u32(out, field);
        }
    }
    put_count(out, additions.rounds.len());
    additions.rounds.iter().for_each(|record| put_bytes(out, record));
}

/// Reads a pass that belongs on top of a graph of the given sizes.
pub fn decode_pass(bytes: &[u8], before: Sizes, what: &str) -> Result<Pass, Fault> {
    let mut input = Input::new(bytes, what);
    let version = input.u64()?;
    let mut keys: [Keys; STORES] = Default::default();
    for changes in &mut keys {
        for _ in 0..input.count(6)? {
            let key = input.bytes()?.to_vec();
            let value = match input.u8()? {
                0 => None,
                _ => Some(input.bytes()?.to_vec()),
            };
            changes.insert(key, value);
        }
    }
    let additions = decode_additions(&mut input, before)?;
    let codes = match input.u8()? {
        0 => None,
        _ => {
            let bits = u32::from(input.u8()?);
            let mut codes = Vec::new();
            for _ in 0..input.count(8)? {
                codes.push((ParticleNumber(input.u32()?), input.u32()?));
            }
            NewCodes::new(bits, &codes).check(additions.after().particles)?;
            Some((bits, codes))
        }
    };
    input.end()?;
    Ok(Pass { version, keys, additions, codes })
}

fn decode_additions(input: &mut Input<'_>, before: Sizes) -> Result<Additions, Fault> {
    let [particles, links] = [input.u32()?, input.u32()?];
    let stored = Sizes { particles, links, neurons: input.u32()?, rounds: input.u32()? };
    if stored != before {
        return Err(input.damage(format!("follows a graph of {stored:?}, not {before:?}")));
    }
    let mut additions = Additions::new(before);
    for _ in 0..input.count(32)? {
        additions.particles.push(Particle(input.array()?));
    }
    for _ in 0..input.count(21)? {
        let length = usize::from(input.u8()?);
        let address = Address::new(input.take(length)?);
        additions.neurons.push(address.map_err(|error| input.damage(error))?);
    }
    for _ in 0..input.count(16)? {
        additions.links.push(decode_link(input)?);
    }
    for _ in 0..input.count(4)? {
        additions.rounds.push(input.bytes()?.to_vec());
    }
    let after = additions.after();
    let neurons = check_links(additions.links.iter().copied(), before.neurons, after.particles);
    if neurons != Some(after.neurons) {
        return Err(input.damage("links that name what is not there"));
    }
    Ok(additions)
}

/// Reads one link.
pub fn decode_link(input: &mut Input<'_>) -> Result<LinkRow, Fault> {
    let neuron = NeuronNumber(input.u32()?);
    let (from, to) = (ParticleNumber(input.u32()?), ParticleNumber(input.u32()?));
    Ok(LinkRow { neuron, from, to, height: input.u32()? })
}

/// Checks that links name particles that are there and number new neurons in the order of their
/// first link. Returns how many neurons there are after them.
pub fn check_links(
    links: impl IntoIterator<Item = LinkRow>,
    mut neurons: u32,
    particles: u32,
) -> Option<u32> {
    for row in links {
        if row.neuron.0 > neurons || row.from.0 >= particles || row.to.0 >= particles {
            return None;
        }
        neurons = neurons.max(row.neuron.0.checked_add(1)?);
    }
    Some(neurons)
}

/// The records in their database.
#[derive(Clone)]
pub struct Journal {
    backend: Arc<dyn Backend>,
}

impl Journal {
    /// The journal in a database; an empty one gets its format mark with the first record.
    pub fn open(backend: Arc<dyn Backend>) -> Result<Journal, Fault> {
        check_format(&*backend, "the journal")?;
        Ok(Journal { backend })
    }

    /// The newest height; none if there is no record.
    pub fn head(&self) -> Result<Option<Head>, Fault> {
        let Some(value) = self.backend.get(HEAD_KEY)? else { return Ok(None) };
        let mut input = Input::new(unseal(HEAD_KEY, &value)?, "head of the journal");
        let height = Height(input.u64()?);
        let head = Head { height, app_hash: input.array()?, parts: input.u32()? };
        input.end()?;
        Ok(Some(head))
    }

    /// The database below.
    pub(super) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Writes the record, with what else belongs to its height, and makes it durable.
    pub fn append(&self, record: &Record, more: WriteSet) -> Result<(), Fault> {
        let bytes = record.encode();
        let (height, app_hash) = (record.height, record.app_hash);
        let parts = u32::try_from(bytes.len().div_ceil(PART_BYTES)).expect("less than 2^47 bytes");
        let mut set = more;
        let sealed = |(part, body): (usize, &[u8])| {
            let key = record_key(height, part as u32);
            let mut value = Vec::with_capacity(body.len() + SEAL_BYTES);
            value.extend_from_slice(body);
            let value = seal(&key, value);
            (key, Some(value))
        };
        set.par_extend(bytes.par_chunks(PART_BYTES).enumerate().map(sealed));
        set.push(format_entry());
        set.push(head_entry(Head { height, app_hash, parts }));
        self.backend.write(set)?;
        self.backend.flush()
    }

    /// The record of a height; none if the journal no longer has it.
    pub fn record(&self, height: Height) -> Result<Option<Record>, Fault> {
        let what = format!("journal record of height {height}");
        let mut bytes = Vec::new();
        let mut next = 0;
        let (from, to) = (record_key(height, 0), record_key(after(height), 0));
        self.backend.range(&from, &to, &mut |key, value| {
            if split_record_key(key) != Some((height, next)) {
                return Err(Fault::Damage(format!("{what}: part {next} is missing")));
            }
            next += 1;
            bytes.extend_from_slice(unseal(key, value)?);
            Ok(true)
        })?;
        match bytes.is_empty() {
            true => Ok(None),
            false => {
                let record = Record::decode(&bytes, &what)?;
                match record.height == height {
                    true => Ok(Some(record)),
                    false => Err(Fault::Damage(format!("{what} is that of {}", record.height))),
                }
            }
        }
    }

    /// The oldest height with a record after `height`.
    pub fn first_after(&self, height: Option<Height>) -> Result<Option<Height>, Fault> {
        let from = height.map_or(Height(0), after);
        let keys = self.keys(from, Height(u64::MAX), 1)?;
        Ok(keys.first().and_then(|key| split_record_key(key)).map(|(height, _)| height))
    }

    /// Forgets the records up to and with a height, a few at a time so that commits get through.
    /// Not durable before the next flush; it may be done again.
    pub fn prune(&self, height: Height) -> Result<(), Fault> {
        const KEYS: usize = 256;
        loop {
            let keys = self.keys(Height(0), after(height), KEYS)?;
            if keys.is_empty() {
                return Ok(());
            }
            self.backend.write(keys.into_iter().map(|key| (key, None)).collect())?;
        }
    }

    /// Makes `head` the newest height, which the journal need not hold, and forgets what is after
    /// it.
    pub fn cut(&self, height: Height, app_hash: Hash) -> Result<(), Fault> {
        let keys = self.keys(after(height), Height(u64::MAX), usize::MAX)?;
        let mut set: WriteSet = keys.into_iter().map(|key| (key, None)).collect();
        set.push(format_entry());
        set.push(head_entry(Head { height, app_hash, parts: 0 }));
        self.backend.write(set)?;
        self.backend.flush()
    }

    /// Forgets everything. The newest records go first: what a kill leaves still begins somewhere
    /// and has no gap.
    pub fn clear(&self) -> Result<(), Fault> {
        const KEYS: usize = 256;
        self.backend.write(vec![(HEAD_KEY.to_vec(), None)])?;
        let mut keys = Vec::new();
        self.backend.range(&[], &[0xff], &mut |key, _| {
            keys.push(key.to_vec());
            Ok(true)
        })?;
        for some in keys.rchunks(KEYS) {
            self.backend.write(some.iter().map(|key| (key.clone(), None)).collect())?;
        }
        self.backend.flush()
    }

    /// The first keys of records of `from ≤ height < to`.
    fn keys(&self, from: Height, to: Height, most: usize) -> Result<Vec<Vec<u8>>, Fault> {
        let mut keys = Vec::new();
        self.backend.range(&record_key(from, 0), &record_key(to, 0), &mut |key, _| {
            keys.push(key.to_vec());
            Ok(keys.len() < most)
        })?;
        Ok(keys)
    }
}

fn after(height: Height) -> Height {
    height.next().expect("heights are below 2^32")
}

fn head_entry(head: Head) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut body = Vec::with_capacity(52);
    put_u64(&mut body, head.height.0);
    body.extend_from_slice(&head.app_hash);
    put_u32(&mut body, head.parts);
    (HEAD_KEY.to_vec(), Some(seal(HEAD_KEY, body)))
}

/// The format mark as an entry of a write set.
pub fn format_entry() -> (Vec<u8>, Option<Vec<u8>>) {
    (FORMAT_KEY.to_vec(), Some(seal(FORMAT_KEY, FORMAT.to_vec())))
}

/// Refuses a database of another version.
pub fn check_format(backend: &dyn Backend, what: &str) -> Result<(), Fault> {
    match backend.get(FORMAT_KEY)? {
        None => Ok(()),
        Some(value) if unseal(FORMAT_KEY, &value)? == FORMAT => Ok(()),
        Some(value) => Err(Fault::Unfit(format!(
            "{what} has the format '{}', this version of cyberd reads '{}': start the version \
             that wrote it",
            String::from_utf8_lossy(unseal(FORMAT_KEY, &value)?),
            String::from_utf8_lossy(FORMAT),
        ))),
    }
}
