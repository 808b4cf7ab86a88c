//! Reading `genesis.bin`: found right first, then streamed section by section.

use super::{BulkReference, Record, Section, HEADER_BYTES, MAGIC, SECTIONS};
use crate::error::Fault;
use crate::types::{Address, Hash};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 20;
/// No part of a record is longer.
const PART_BYTES_MAX: usize = 1 << 16;

/// A `genesis.bin` that is what the genesis file says.
pub struct Bulk {
    path: PathBuf,
    /// Records and bytes of each section.
    table: [(u64, u64); SECTIONS],
    root: Hash,
}

impl Bulk {
    /// Finds the file that a genesis names, and compares size, SHA-256 and counts.
    ///
    /// # Errors
    /// [`Fault::Genesis`]: what differs, and where to get the right one.
    pub fn open(folder: &Path, reference: &BulkReference) -> Result<Bulk, Fault> {
        let name = &reference.file;
        if name.is_empty() || name.contains(['/', '\\']) || name == "." || name == ".." {
            return Err(Fault::Genesis(format!(
                "app_state.bulk.file '{name}': a name in the folder of the genesis file is right"
            )));
        }
        let path = folder.join(name);
        let remedy =
            "it belongs to the genesis file and comes with it: copy it from where you got \
                      that, or use cyberd join";
        let fault = |text: String| Fault::Genesis(format!("{}: {text}; {remedy}", path.display()));
        let size = std::fs::metadata(&path).map_err(|error| fault(error.to_string()))?.len();
        if size != reference.size {
            let right = reference.size;
            return Err(fault(format!("{size} bytes, app_state.bulk.size is {right}")));
        }
        let sha256 = sha256_of(&path)?;
        if hex::encode(sha256) != reference.sha256 {
            let (is, right) = (hex::encode(sha256), &reference.sha256);
            return Err(fault(format!("its SHA-256 is {is}, app_state.bulk.sha256 is {right}")));
        }
        let mut root = [0; 32];
        hex::decode_to_slice(&reference.root, &mut root).map_err(|error| {
            Fault::Genesis(format!("app_state.bulk.root '{}': {error}", reference.root))
        })?;
        let bulk = Bulk::unchecked(&path, root)?;
        let counts = [
            ("accounts", Section::Accounts, reference.accounts),
            ("particles", Section::Particles, reference.particles),
            ("links", Section::Links, reference.links),
        ];
        match counts.into_iter().find(|(_, section, said)| bulk.count(*section) != *said) {
            None => Ok(bulk),
            Some((name, section, said)) => {
                let is = bulk.count(section);
                Err(fault(format!("{is} {name}, app_state.bulk.{name} is {said}")))
            }
        }
    }

    /// Reads the header.
    fn unchecked(path: &Path, root: Hash) -> Result<Bulk, Fault> {
        let fault = |text: String| Fault::Genesis(format!("{}: {text}", path.display()));
        let mut header = [0; HEADER_BYTES as usize];
        let mut file = File::open(path).map_err(|error| fault(error.to_string()))?;
        file.read_exact(&mut header).map_err(|_| fault("shorter than its header".into()))?;
        let (magic, rest) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            let text = "does not begin with 'cyberd genesis 1': this version of cyberd reads that";
            return Err(fault(text.into()));
        }
        let mut table = [(0, 0); SECTIONS];
        let number = |bytes: &[u8]| bytes.iter().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
        for (entry, bytes) in table.iter_mut().zip(rest.chunks_exact(16)) {
            *entry = (number(&bytes[..8]), number(&bytes[8..]));
        }
        let size = file.metadata().map_err(|error| fault(error.to_string()))?.len();
        let sum = table.iter().try_fold(HEADER_BYTES, |sum, (_, bytes)| sum.checked_add(*bytes));
        if sum != Some(size) {
            return Err(fault(format!("{size} bytes, its header tells of others")));
        }
        Ok(Bulk { path: path.to_owned(), table, root })
    }

    /// How many records a section has.
    pub fn count(&self, section: Section) -> u64 {
        self.table[section as usize].0
    }

    /// The root of the log `cyberlinks` that the genesis file promises.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Calls with each record of a section and its place.
    ///
    /// # Errors
    /// A record that is none; what the visitor says.
    pub fn each<R: Record>(
        &self,
        visit: &mut dyn FnMut(u64, R) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let count = self.count(R::SECTION);
        let mut input = self.input(R::SECTION)?;
        for place in 0..count {
            input.place = place;
            visit(place, R::read(&mut input)?)?;
        }
        match input.inner.limit() {
            0 => Ok(()),
            left => Err(input.fault(&format!("{left} bytes follow the last record"))),
        }
    }

    /// A refusal of a record for what it says.
    pub fn fault(&self, section: Section, place: u64, text: &str) -> Fault {
        let (path, section) = (self.path.display(), section.name());
        Fault::Genesis(format!("{path}: {section}[{place}]: {text}"))
    }

    /// The bytes of a section, for copying.
    pub(super) fn raw(&self, section: Section) -> Result<impl Read, Fault> {
        Ok(self.input(section)?.inner)
    }

    fn input(&self, section: Section) -> Result<Input, Fault> {
        let before = self.table[..section as usize].iter().map(|(_, bytes)| bytes).sum::<u64>();
        let storage = |error| Fault::Storage(format!("{}: {error}", self.path.display()));
        let mut file = File::open(&self.path).map_err(storage)?;
        file.seek(SeekFrom::Start(HEADER_BYTES + before)).map_err(storage)?;
        let bytes = self.table[section as usize].1;
        let inner = BufReader::with_capacity(BUFFER_BYTES, file).take(bytes);
        Ok(Input { inner, section, place: 0, path: self.path.clone() })
    }
}

/// The SHA-256 of a file, streamed.
///
/// # Errors
/// [`Fault::Storage`]: it cannot be read.
pub fn sha256_of(path: &Path) -> Result<Hash, Fault> {
    let storage = |error| Fault::Storage(format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(storage)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer).map_err(storage)? {
            0 => return Ok(hasher.finalize().into()),
            bytes => hasher.update(&buffer[..bytes]),
        }
    }
}

/// The bytes of a section, taken from the front.
pub struct Input {
    inner: Take<BufReader<File>>,
    section: Section,
    place: u64,
    path: PathBuf,
}

impl Input {
    /// A record that cannot be.
    pub fn fault(&self, text: &str) -> Fault {
        let (path, section) = (self.path.display(), self.section.name());
        Fault::Genesis(format!("{path}: {section}[{}]: {text}", self.place))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        match self.inner.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) => Err(self.fault(&format!("ends early ({error})"))),
        }
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        if length > PART_BYTES_MAX {
            return Err(self.fault(&format!("a part of {length} bytes")));
        }
        let mut bytes = vec![0; length];
        match self.inner.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) => Err(self.fault(&format!("ends early ({error})"))),
        }
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn address(&mut self) -> Result<Address, Fault> {
        let length = self.u8()?;
        let bytes = self.bytes(length.into())?;
        Address::new(&bytes).map_err(|error| self.fault(&error.to_string()))
    }

    pub(super) fn short_text(&mut self) -> Result<String, Fault> {
        let length = self.u8()?;
        let bytes = self.bytes(length.into())?;
        String::from_utf8(bytes).map_err(|_| self.fault("a text that is not UTF-8"))
    }
}
