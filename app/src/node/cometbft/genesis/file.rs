//! A genesis file on disk: read whole, written whole or not at all.

use super::lists::pending;
use super::{begin, read};
use crate::client::files::{write_whole, Access};
use crate::engine::genesis::bulk::{sha256_of, Bulk, BulkReference, FILE};
use crate::engine::genesis::AppState;
use crate::error::Fault;
use crate::modules::{auth, bank};
use crate::types::Hash;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A file longer than this is no genesis.json: CometBFT takes nine times its size of memory.
/// Accounts and links by the million belong into genesis.bin.
const BYTES_MAX: u64 = 1 << 30;

/// Longer files are written without spaces: nobody reads them line by line.
const PRETTY_BYTES_MAX: usize = 1 << 18;

/// What is in a genesis that a chain can start from.
pub struct Summary {
    pub chain_id: String,
    pub initial_height: u64,
    pub validators: usize,
    pub power: u64,
    /// Accounts, module accounts included.
    pub accounts: u64,
    pub supply: Vec<(String, u128)>,
    pub particles: u64,
    pub neurons: u64,
    pub links: u64,
    /// What the header of the first block carries.
    pub app_hash: Hash,
}

/// A genesis file and where it lies.
pub struct GenesisFile {
    pub path: PathBuf,
    pub document: Value,
    /// A `genesis.bin` for it lies ready under its temporary name.
    is_pending: bool,
}

impl GenesisFile {
    /// A file that is not there yet.
    pub fn new(path: &Path, document: Value) -> GenesisFile {
        GenesisFile { path: path.to_owned(), document, is_pending: false }
    }

    /// Reads a file. If a change of it and its `genesis.bin` was ended between the two, it is
    /// finished.
    ///
    /// # Errors
    /// [`Fault::Genesis`]: not there, too long, no JSON.
    pub fn read(path: &Path) -> Result<GenesisFile, Fault> {
        let fault = |text: String| Fault::Genesis(format!("{}: {text}", path.display()));
        let size = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?.len();
        if size > BYTES_MAX {
            return Err(fault(format!(
                "{size} bytes, at most {BYTES_MAX} are right: bulk data belong into genesis.bin, \
                 where cyberd genesis import and cyberd export put them"
            )));
        }
        let bytes = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
        let document = serde_json::from_slice(&bytes).map_err(|error| fault(error.to_string()))?;
        let file = GenesisFile::new(path, document);
        let wanted = &file.document["app_state"]["bulk"]["sha256"];
        let pending = pending(file.folder());
        if wanted.is_string() && pending.exists() {
            let is_ours = *wanted == hex::encode(sha256_of(&pending)?);
            match is_ours {
                true => file.settle()?,
                false => std::fs::remove_file(&pending).map_err(|e| storage(&pending, &e))?,
            }
        }
        Ok(file)
    }

    /// Writes it in one step, durable when this returns, then gives its `genesis.bin` its name.
    ///
    /// # Errors
    /// [`Fault::Storage`]: what the disk says.
    pub fn write(&self) -> Result<(), Fault> {
        let mut text = serde_json::to_string(&self.document).expect("JSON");
        if text.len() <= PRETTY_BYTES_MAX {
            text = serde_json::to_string_pretty(&self.document).expect("JSON");
        }
        text.push('\n');
        write_whole(&self.path, text.as_bytes(), Access::Shared)
            .map_err(|error| storage(&self.path, &error))?;
        match self.is_pending {
            true => self.settle(),
            false => Ok(()),
        }
    }

    fn settle(&self) -> Result<(), Fault> {
        let (pending, path) = (pending(self.folder()), self.folder().join(FILE));
        let renamed = std::fs::rename(&pending, &path);
        let done = renamed.and_then(|()| std::fs::File::open(self.folder())?.sync_all());
        done.map_err(|error| storage(&path, &error))
    }

    /// Drops a change that will not be written.
    pub fn abandon(&self) {
        if self.is_pending {
            let _ = std::fs::remove_file(pending(self.folder()));
        }
    }

    /// `app_state`, typed.
    ///
    /// # Errors
    /// [`Fault::Genesis`] naming the place.
    pub fn state(&self) -> Result<AppState, Fault> {
        match self.document.get("app_state") {
            Some(state) => AppState::parse(state.to_string().as_bytes()),
            None => Err(Fault::Genesis("app_state is missing".to_owned())),
        }
    }

    /// The bulk file it names.
    ///
    /// # Errors
    /// [`Fault::Genesis`]: it is not what the genesis says.
    pub fn bulk(&self, state: &AppState) -> Result<Option<Bulk>, Fault> {
        state.bulk.as_ref().map(|bulk| Bulk::open(self.folder(), bulk)).transpose()
    }

    /// Replaces a section of `app_state`.
    pub fn set(&mut self, section: &str, value: &impl serde::Serialize) {
        self.document["app_state"][section] =
            serde_json::to_value(value).expect("sections are JSON");
    }

    /// Names a bulk file that lies ready under its temporary name.
    pub fn set_bulk(&mut self, reference: BulkReference) {
        self.is_pending = true;
        self.set("bulk", &reference);
    }

    /// Reads all of it as a chain would, `genesis.bin` included.
    ///
    /// # Errors
    /// [`Fault::Genesis`]: why a chain cannot start from it.
    pub fn check(&self) -> Result<Summary, Fault> {
        let state = match self.is_pending {
            false => begin(&self.document, Some(self.folder()))?,
            true => {
                let mut document = self.document.clone();
                document["app_state"]["bulk"]["file"] = format!("{FILE}.new").into();
                begin(&document, Some(self.folder()))?
            }
        };
        let genesis = read(&self.document)?;
        let snapshot = state.as_ref();
        let sizes = snapshot.sizes();
        Ok(Summary {
            chain_id: genesis.chain_id,
            initial_height: genesis.initial_height.0,
            validators: genesis.validators.len(),
            power: genesis.validators.iter().map(|validator| validator.power).sum::<i64>() as u64,
            accounts: auth::state::next_number(snapshot),
            supply: bank::state::supplies(snapshot),
            particles: sizes.particles.into(),
            neurons: sizes.neurons.into(),
            links: sizes.links.into(),
            app_hash: snapshot.app_hash(),
        })
    }

    /// The SHA-256 of the file as it lies there.
    ///
    /// # Errors
    /// [`Fault::Storage`]: it cannot be read.
    pub fn sha256(&self) -> Result<Hash, Fault> {
        sha256_of(&self.path)
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

fn storage(path: &Path, error: &std::io::Error) -> Fault {
    Fault::Storage(format!("{}: {error}", path.display()))
}
