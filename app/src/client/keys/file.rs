//! The file of a key, version 1. In the open: name and public key. Secret: the private key,
//! sealed or (test store) plain.

use super::cipher::{self, SealError, Sealed};
use super::{AskPassword, KeyError, KeyInfo, Secret};
use serde::{Deserialize, Serialize};
use std::path::Path;

const VERSION: u32 = 1;

/// Which store a key is in.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Encrypted with a password.
    File,
    /// Plain: for development only.
    Test,
}

impl Backend {
    /// Its folder in the home.
    pub fn folder(self) -> &'static str {
        match self {
            Backend::File => "keyring",
            Backend::Test => "keyring-test",
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Backend::File => "file",
            Backend::Test => "test",
        }
    }
}

/// What stands in the file.
#[derive(Serialize, Deserialize)]
pub(super) struct KeyFile {
    version: u32,
    name: String,
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<Sealed>,
    /// Test store only.
    #[serde(skip_serializing_if = "Option::is_none")]
    plain_private_key: Option<String>,
}

impl KeyFile {
    fn of(info: &KeyInfo) -> KeyFile {
        KeyFile {
            version: VERSION,
            name: info.name.clone(),
            public_key: hex::encode(info.public_key),
            sealed: None,
            plain_private_key: None,
        }
    }

    pub fn plain(info: &KeyInfo, secret: &Secret) -> KeyFile {
        KeyFile { plain_private_key: Some(secret.to_hex().to_string()), ..KeyFile::of(info) }
    }

    pub fn encrypted(info: &KeyInfo, secret: &Secret, password: &str, work: u8) -> KeyFile {
        let sealed = cipher::seal(secret, &context(info), password, work);
        KeyFile { sealed: Some(sealed), ..KeyFile::of(info) }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a key file is plain JSON");
        bytes.push(b'\n');
        bytes
    }

    pub fn read(path: &Path) -> Result<KeyFile, KeyError> {
        let at_path = |error| KeyError::File { path: path.display().to_string(), error };
        let bytes = std::fs::read(path).map_err(at_path)?;
        let file: KeyFile =
            serde_json::from_slice(&bytes).map_err(|error| damaged(path, &error.to_string()))?;
        match file.version {
            VERSION => Ok(file),
            other => Err(damaged(path, &format!("version {other}, this program knows 1"))),
        }
    }

    pub fn info(&self, name: &str, backend: Backend, path: &Path) -> Result<KeyInfo, KeyError> {
        let mut public_key = [0; 33];
        hex::decode_to_slice(&self.public_key, &mut public_key)
            .map_err(|_| damaged(path, "the public key is not 33 bytes"))?;
        if self.name != name {
            return Err(damaged(path, &format!("it states the name '{}'", self.name)));
        }
        Ok(KeyInfo { name: name.to_owned(), backend, public_key })
    }

    pub fn open(&self, info: &KeyInfo, ask: AskPassword, path: &Path) -> Result<Secret, KeyError> {
        match (&self.sealed, &self.plain_private_key) {
            (Some(sealed), None) => {
                let password = ask(&info.name)?;
                cipher::open(sealed, &context(info), &password).map_err(|error| match error {
                    SealError::Password => KeyError::Password(info.name.clone()),
                    SealError::Damaged(reason) => damaged(path, &reason),
                })
            }
            (None, Some(text)) => {
                Secret::of_hex(text).map_err(|_| damaged(path, "it holds no private key"))
            }
            _ => Err(damaged(path, "it must hold a sealed or a plain key, not both")),
        }
    }
}

/// What is sealed along with the secret.
fn context(info: &KeyInfo) -> Vec<u8> {
    let mut bytes = format!("cyberd key 1\n{}\n", info.name).into_bytes();
    bytes.extend_from_slice(&info.public_key);
    bytes
}

fn damaged(path: &Path, reason: &str) -> KeyError {
    KeyError::Damaged { path: path.display().to_string(), reason: reason.to_owned() }
}
