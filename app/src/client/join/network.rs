//! The network file: what somebody needs to join a network, as JSON.
//!
//! ```json
//! { "chain_id": "mine-1",
//!   "genesis": { "url": "http://one.example:1317/cyberd/v1/genesis.json", "sha256": "…" },
//!   "bulk": { "url": "http://one.example:1317/cyberd/v1/genesis.bin", "sha256": "…" },
//!   "rpc": ["http://one.example:26657", "http://two.example:26657"],
//!   "peers": ["ID@one.example:26656"],
//!   "cometbft": "0.38.25", "cyberd": "0.1.0", "app_version": 1,
//!   "snapshot_interval": 1000 }
//! ```
//! `bulk` only where the genesis names a `genesis.bin`; an address without `://` is a file, beside
//! the network file.

use crate::client::{Exit, Failure};
use crate::engine::upgrade::{self, NEWEST};
use std::path::{Path, PathBuf};

/// Something to fetch and its SHA-256, hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub url: String,
    pub sha256: String,
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    pub chain_id: String,
    pub genesis: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<Source>,
    pub rpc: Vec<String>,
    pub peers: Vec<String>,
    /// The version of CometBFT.
    pub cometbft: String,
    /// The version of this software.
    pub cyberd: String,
    pub app_version: u64,
    /// Snapshots are made at the heights that are multiples of this.
    #[serde(default = "usual_interval")]
    pub snapshot_interval: u64,
}

fn usual_interval() -> u64 {
    1_000
}

impl NetworkFile {
    /// Reads the JSON and checks what can be checked without asking anybody.
    ///
    /// # Errors
    /// The field, its value, and what is right.
    pub fn parse(bytes: &[u8], from: &str) -> Result<NetworkFile, Failure> {
        let wrong =
            |text: String| Failure::new(Exit::Error, "network-file", format!("{from}: {text}"));
        let mut input = serde_json::Deserializer::from_slice(bytes);
        let file: NetworkFile = serde_path_to_error::deserialize(&mut input).map_err(|error| {
            let at = match error.path().to_string().as_str() {
                "." => String::new(),
                path => format!("{path}: "),
            };
            wrong(format!("{at}{}", error.inner()))
                .hint("cyberd network-file writes one on a machine that runs a node")
        })?;
        if file.chain_id.is_empty() || file.chain_id.len() > 50 {
            let id = &file.chain_id;
            return Err(wrong(format!("chain_id '{id}': 1 to 50 characters are right")));
        }
        for (name, source) in [("genesis", Some(&file.genesis)), ("bulk", file.bulk.as_ref())] {
            let Some(Source { sha256, .. }) = source else { continue };
            if hex::decode(sha256).ok().is_none_or(|hash| hash.len() != 32) {
                return Err(wrong(format!("{name}.sha256 '{sha256}': 64 hexadecimal digits")));
            }
        }
        for peer in &file.peers {
            let id = peer.split_once('@').map(|(id, _)| id);
            let is_id = id.is_some_and(|id| id.len() == 40 && hex::decode(id).is_ok());
            let port = peer.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if !is_id || port.is_none() {
                return Err(wrong(format!("peers: '{peer}': ID@HOST:PORT is right")));
            }
        }
        let repeated = file.rpc.iter().enumerate().find(|(at, rpc)| file.rpc[..*at].contains(rpc));
        if let Some((_, rpc)) = repeated {
            return Err(wrong(format!("rpc: '{rpc}' stands twice: two servers have to agree")));
        }
        if file.peers.is_empty() {
            return Err(wrong("peers: at least one is needed".to_owned()));
        }
        let (theirs, software) = (file.app_version, &file.cyberd);
        if upgrade::is_known(theirs) {
            return Ok(file);
        }
        let what_to_do = match theirs > NEWEST {
            true => format!("install cyberd {software}"),
            false => format!("use cyberd {software} until the network upgrades"),
        };
        Err(wrong(format!(
            "app_version {theirs}: the network's state machine has this version, this cyberd knows \
             {}: {what_to_do}",
            upgrade::known()
        )))
    }
}

/// Where something is: on the network or on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Url(String),
    File(PathBuf),
}

impl Place {
    /// Of a text; a relative path is one from `folder`.
    pub fn of(text: &str, folder: &Path) -> Place {
        match text.contains("://") {
            true => Place::Url(text.to_owned()),
            false => Place::File(folder.join(text)),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Url(url) => f.write_str(url),
            Place::File(path) => path.display().fmt(f),
        }
    }
}
