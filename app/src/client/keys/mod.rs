//! The key store: one JSON file per key under `<home>/keyring` (encrypted, the default) or
//! `<home>/keyring-test` (plain, for development).
//!
//! Invariants: files are written whole, mode 0600; a key is never overwritten; secrets live in
//! memory that is wiped when dropped and are never part of an error text. Only the private key is
//! kept, never the words it came from. It deliberately does not ask for passwords: whoever calls
//! hands over how to get one.

mod cipher;
mod derive;
mod file;

pub use derive::{KeySource, Secret, HD_PATH};
pub use file::Backend;

use crate::client::failure::{Exit, Failure};
use crate::client::files;
use crate::types::Address;
use file::KeyFile;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What can be wrong with keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("no key '{name}' in {folder}")]
    Missing { name: String, folder: String },
    #[error("a key '{0}' exists already")]
    Exists(String),
    #[error("'{0}' is no name for a key: 1 to 64 letters, digits, '-', '_' or '.', not '.' first")]
    Name(String),
    #[error("wrong password for the key '{0}'")]
    Password(String),
    #[error("the key file {path} is damaged: {reason}")]
    Damaged { path: String, reason: String },
    #[error("{0}")]
    Words(String),
    #[error("a private key is 64 hexadecimal digits, a number below the order of the curve")]
    Hex,
    #[error("{path}: {error}")]
    File { path: String, error: std::io::Error },
    #[error("no password: {0}")]
    NoPassword(String),
    #[error("the key belongs to {actual}, its file says {stated}")]
    Mismatch { stated: String, actual: String },
}

impl KeyError {
    fn word(&self) -> &'static str {
        match self {
            KeyError::Missing { .. } => "key-missing",
            KeyError::Exists(_) => "key-exists",
            KeyError::Name(_) => "key-name",
            KeyError::Password(_) => "wrong-password",
            KeyError::Damaged { .. } | KeyError::Mismatch { .. } => "key-damaged",
            KeyError::Words(_) => "mnemonic",
            KeyError::Hex => "private-key",
            KeyError::File { .. } => "key-file",
            KeyError::NoPassword(_) => "no-password",
        }
    }

    fn advice(&self) -> Option<&'static str> {
        Some(match self {
            KeyError::Missing { .. } => {
                "cyberd keys list shows what there is; cyberd keys add NAME makes one"
            }
            KeyError::Exists(_) => {
                "choose another name, or delete it first: cyberd keys delete NAME"
            }
            KeyError::NoPassword(_) => "give --password-file FILE or set CYBERD_PASSWORD_FILE",
            _ => return None,
        })
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Failure {
        let failure = Failure::new(Exit::Key, error.word(), error.to_string());
        match error.advice() {
            Some(advice) => failure.hint(advice),
            None => failure,
        }
    }
}

/// What everyone may know of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    pub name: String,
    pub backend: Backend,
    /// Compressed secp256k1.
    pub public_key: [u8; 33],
}

impl KeyInfo {
    /// The account of the key.
    pub fn address(&self) -> Address {
        Address::of_key(&self.public_key)
    }
}

/// A key ready to sign.
pub struct SigningKey {
    pub info: KeyInfo,
    secret: Secret,
}

impl SigningKey {
    /// A key that stands in no store, for programs that make their own.
    pub fn of_secret(name: &str, secret: Secret) -> SigningKey {
        let info = KeyInfo {
            name: name.to_owned(),
            backend: Backend::Test,
            public_key: secret.public_key(),
        };
        SigningKey { info, secret }
    }

    /// The account it signs for.
    pub fn address(&self) -> Address {
        self.info.address()
    }

    /// The signer that cosmrs wants.
    pub fn signer(&self) -> cosmrs::crypto::secp256k1::SigningKey {
        self.secret.signer()
    }

    /// The private key, 32 bytes.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// How a password is got: called with the name of the key, only when one is needed.
pub type AskPassword<'a> = &'a mut dyn FnMut(&str) -> Result<Zeroizing<String>, KeyError>;

/// The keys of a home.
#[derive(Clone, Debug)]
pub struct KeyStore {
    home: PathBuf,
    /// `None`: read from both, write to the encrypted one.
    backend: Option<Backend>,
    /// Cost of guessing a password, as a power of two.
    work: u8,
}

impl KeyStore {
    /// The store of a home. Without a backend, keys are looked up in both and made encrypted.
    pub fn new(home: &Path, backend: Option<Backend>) -> KeyStore {
        KeyStore { home: home.to_owned(), backend, work: cipher::WORK }
    }

    /// The same with cheap passwords: for tests only.
    #[cfg(test)]
    pub fn with_work(mut self, work: u8) -> KeyStore {
        self.work = work;
        self
    }

    /// Where new keys go.
    pub fn default_backend(&self) -> Backend {
        self.backend.unwrap_or(Backend::File)
    }

    fn backends(&self) -> Vec<Backend> {
        match self.backend {
            Some(backend) => vec![backend],
            None => vec![Backend::File, Backend::Test],
        }
    }

    fn path(&self, backend: Backend, name: &str) -> PathBuf {
        self.home.join(backend.folder()).join(format!("{name}.json"))
    }

    /// Stores a key under a new name. The password is asked for by the encrypted store only.
    pub fn add(&self, name: &str, secret: &Secret, ask: AskPassword) -> Result<KeyInfo, KeyError> {
        self.free(name)?;
        let backend = self.default_backend();
        let info = KeyInfo { name: name.to_owned(), backend, public_key: secret.public_key() };
        let file = match backend {
            Backend::Test => KeyFile::plain(&info, secret),
            Backend::File => KeyFile::encrypted(&info, secret, &ask(name)?, self.work),
        };
        let path = self.path(backend, name);
        let at_path = |error| KeyError::File { path: path.display().to_string(), error };
        files::private_folder(&self.home.join(backend.folder())).map_err(at_path)?;
        files::write_new(&path, &file.to_bytes(), files::Access::Private).map_err(at_path)?;
        Ok(info)
    }

    /// Checks that a name is good and not taken.
    pub fn free(&self, name: &str) -> Result<(), KeyError> {
        check_name(name)?;
        match self.find(name) {
            Ok(_) => Err(KeyError::Exists(name.to_owned())),
            Err(KeyError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What is known of a key without its password.
    pub fn show(&self, name: &str) -> Result<KeyInfo, KeyError> {
        Ok(self.find(name)?.0)
    }

    /// All keys, by name.
    pub fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        let mut all = Vec::new();
        for backend in self.backends() {
            for name in self.names(backend)? {
                let path = self.path(backend, &name);
                all.push(KeyFile::read(&path)?.info(&name, backend, &path)?);
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name).then(a.backend.cmp(&b.backend)));
        all.dedup_by(|a, b| a.name == b.name);
        Ok(all)
    }

    /// The key of an address, if it is in the store.
    pub fn by_address(&self, address: &Address) -> Result<Option<KeyInfo>, KeyError> {
        Ok(self.list()?.into_iter().find(|info| info.address() == *address))
    }

    /// A key ready to sign.
    pub fn open(&self, name: &str, ask: AskPassword) -> Result<SigningKey, KeyError> {
        let (info, file) = self.find(name)?;
        let path = self.path(info.backend, name);
        let secret = file.open(&info, ask, &path)?;
        let (stated, actual) = (info.public_key, secret.public_key());
        if stated != actual {
            let text = |key: [u8; 33]| hex::encode(Address::of_key(&key).as_bytes());
            return Err(KeyError::Mismatch { stated: text(stated), actual: text(actual) });
        }
        Ok(SigningKey { info, secret })
    }

    /// Removes a key for good.
    pub fn delete(&self, name: &str) -> Result<KeyInfo, KeyError> {
        let (info, _) = self.find(name)?;
        let path = self.path(info.backend, name);
        let at_path = |error| KeyError::File { path: path.display().to_string(), error };
        std::fs::remove_file(&path).map_err(at_path)?;
        Ok(info)
    }

    fn find(&self, name: &str) -> Result<(KeyInfo, KeyFile), KeyError> {
        check_name(name)?;
        for backend in self.backends() {
            let path = self.path(backend, name);
            if path.exists() {
                let file = KeyFile::read(&path)?;
                return Ok((file.info(name, backend, &path)?, file));
            }
        }
        let folder = self.home.join(self.default_backend().folder());
        Err(KeyError::Missing { name: name.to_owned(), folder: folder.display().to_string() })
    }

    fn names(&self, backend: Backend) -> Result<Vec<String>, KeyError> {
        let folder = self.home.join(backend.folder());
        let at_folder = |error| KeyError::File { path: folder.display().to_string(), error };
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(at_folder(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(at_folder)?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".json"));
            names.extend(name.filter(|name| check_name(name).is_ok()).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }
}

/// Names become file names: nothing that leads out of the folder.
fn check_name(name: &str) -> Result<(), KeyError> {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    match letters && (1..=64).contains(&name.len()) && !name.starts_with('.') {
        true => Ok(()),
        false => Err(KeyError::Name(name.to_owned())),
    }
}

#[cfg(test)]
mod tests;
