//! Writing `genesis.bin`: sections in their order, records one by one, the header last. The caller
//! writes to a temporary name and renames when all is durable.

use super::read::sha256_of;
use super::{Bulk, BulkReference, LinkRecord, Record, Section, HEADER_BYTES, MAGIC, SECTIONS};
use crate::error::Fault;
use crate::state::Link;
use crate::store::merkle::{leaves, Log};
use crate::types::{Address, Height, ParticleNumber};
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file being written.
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    table: [(u64, u64); SECTIONS],
    current: Section,
    buffer: Vec<u8>,
    /// For the leaves of links.
    neurons: Vec<Address>,
    links: Log,
}

impl Writer {
    /// Begins a file; one that is there is replaced.
    ///
    /// # Errors
    /// [`Fault::Storage`]: what the disk says.
    pub fn create(path: &Path) -> Result<Writer, Fault> {
        let storage = |error| Fault::Storage(format!("{}: {error}", path.display()));
        let file = File::create(path).map_err(storage)?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        file.write_all(&[0; HEADER_BYTES as usize]).map_err(storage)?;
        Ok(Writer {
            path: path.to_owned(),
            file,
            table: [(0, 0); SECTIONS],
            current: Section::Accounts,
            buffer: Vec::new(),
            neurons: Vec::new(),
            links: Log::new(),
        })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// [`Fault::Storage`]: what the disk says.
    ///
    /// # Panics
    /// Sections come in their order.
    pub fn put<R: Record>(&mut self, record: &R) -> Result<(), Fault> {
        self.enter(R::SECTION);
        self.buffer.clear();
        record.write(&mut self.buffer);
        let entry = &mut self.table[R::SECTION as usize];
        *entry = (entry.0 + 1, entry.1 + self.buffer.len() as u64);
        let written = self.file.write_all(&self.buffer);
        written.map_err(|error| self.storage(&error))
    }

    /// Appends the next neuron; links name it by its place.
    ///
    /// # Errors
    /// As [`Writer::put`].
    pub fn put_neuron(&mut self, neuron: Address) -> Result<(), Fault> {
        self.neurons.push(neuron);
        self.put(&neuron)
    }

    /// Appends a link of a neuron that was appended.
    ///
    /// # Errors
    /// As [`Writer::put`].
    pub fn put_link(&mut self, link: LinkRecord) -> Result<(), Fault> {
        let neuron = self.neurons[link.neuron as usize];
        let (from, to) = (ParticleNumber(link.from), ParticleNumber(link.to));
        self.links.append(&leaves::link(&Link { neuron, from, to, height: Height(0) }));
        self.put(&link)
    }

    /// Appends all records of another file's section.
    ///
    /// # Errors
    /// As [`Writer::put`], and those of reading.
    pub fn copy(&mut self, section: Section, from: &Bulk) -> Result<(), Fault> {
        match section {
            Section::Neurons => from.each(&mut |_, neuron: Address| self.put_neuron(neuron)),
            Section::Links => from.each(&mut |_, link: LinkRecord| self.put_link(link)),
            _ => {
                self.enter(section);
                let copied = std::io::copy(&mut from.raw(section)?, &mut self.file);
                let copied = copied.map_err(|error| self.storage(&error))?;
                let entry = &mut self.table[section as usize];
                *entry = (entry.0 + from.count(section), entry.1 + copied);
                Ok(())
            }
        }
    }

    /// Writes the header and makes the file durable. `name`: what it will be called.
    ///
    /// # Errors
    /// [`Fault::Storage`]: what the disk says.
    pub fn finish(mut self, name: &str) -> Result<BulkReference, Fault> {
        let mut header = MAGIC.to_vec();
        for (records, bytes) in self.table {
            header.extend_from_slice(&records.to_be_bytes());
            header.extend_from_slice(&bytes.to_be_bytes());
        }
        let done = self.file.seek(SeekFrom::Start(0));
        let done = done.and_then(|_| self.file.write_all(&header));
        let done = done.and_then(|()| self.file.flush());
        let done = done.and_then(|()| self.file.get_ref().sync_all());
        done.map_err(|error| self.storage(&error))?;
        let count = |section: Section| self.table[section as usize].0;
        Ok(BulkReference {
            file: name.to_owned(),
            size: HEADER_BYTES + self.table.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            accounts: count(Section::Accounts),
            particles: count(Section::Particles),
            links: count(Section::Links),
            sha256: hex::encode(sha256_of(&self.path)?),
            root: hex::encode(self.links.root()),
        })
    }

    fn enter(&mut self, section: Section) {
        assert!(self.current <= section, "sections are written in their order");
        self.current = section;
    }

    fn storage(&self, error: &std::io::Error) -> Fault {
        Fault::Storage(format!("{}: {error}", self.path.display()))
    }
}
