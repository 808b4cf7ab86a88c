//! CometBFT's part of a node's home: `config/config.toml`, the two key files, `data`. It is laid
//! out as every Cosmos node's home, so the tools and guides for those apply.
//!
//! Settings are those of `config/cometbft.toml` with the node's addresses put in; an existing file
//! keeps whatever else its owner changed. Keys are written once and never replaced: a validator
//! that loses or shares its key, or its memory of what it signed, is punished for it.

use crate::client::files::{self, Access};
use crate::error::Fault;
use crate::types::sha256;
use base64::prelude::{Engine as _, BASE64_STANDARD};
use serde_json::json;
use std::path::{Path, PathBuf};
use tendermint::private_key::{Ed25519, PrivateKey};

/// What differs from CometBFT's defaults, with the reasons.
pub const SETTINGS: &str = include_str!("../../../../config/cometbft.toml");

/// The ports of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    pub rpc: u16,
    pub p2p: u16,
    /// CometBFT's own metrics.
    pub cometbft_metrics: u16,
    pub grpc: u16,
    pub rest: u16,
    /// Health and metrics of the application.
    pub health: u16,
}

impl Ports {
    /// The usual ports, moved by ten for each further node of one machine.
    const USUAL: Ports = Ports {
        rpc: 26657,
        p2p: 26656,
        cometbft_metrics: 26660,
        grpc: 9090,
        rest: 1317,
        health: 26661,
    };

    /// The ports of node `index`: six in a row from `base + 10 · index`, or the usual ones.
    ///
    /// # Errors
    /// When they would go beyond 65,535 or below 1,024.
    pub fn of(base: Option<u16>, index: u16) -> Result<Ports, Fault> {
        let usual = Ports::USUAL;
        let highest = u32::from(base.unwrap_or(usual.health)) + base.map_or(0, |_| 5);
        let highest = highest + u32::from(index) * 10;
        if base.is_some_and(|base| base < 1024) || highest > u32::from(u16::MAX) {
            let base = base.unwrap_or(usual.p2p);
            return Err(Fault::Setup(format!(
                "port base {base} leaves no ports for node {index}: it must be at least 1024 and \
                 base + 10 · node + 5 at most 65535"
            )));
        }
        let port = |usual: u16, place: u16| base.map_or(usual, |base| base + place) + index * 10;
        Ok(Ports {
            rpc: port(usual.rpc, 0),
            p2p: port(usual.p2p, 1),
            cometbft_metrics: port(usual.cometbft_metrics, 2),
            grpc: port(usual.grpc, 3),
            rest: port(usual.rest, 4),
            health: port(usual.health, 5),
        })
    }

    /// All six with what they are for.
    pub fn named(&self) -> [(&'static str, u16); 6] {
        [
            ("RPC", self.rpc),
            ("p2p", self.p2p),
            ("CometBFT metrics", self.cometbft_metrics),
            ("gRPC", self.grpc),
            ("REST", self.rest),
            ("health and metrics", self.health),
        ]
    }
}

/// What the settings of one node depend on.
#[derive(Clone, Debug)]
pub struct Settings {
    pub moniker: String,
    pub ports: Ports,
    /// `unix:///…` or `tcp://127.0.0.1:…`, where the application listens.
    pub proxy_app: String,
    /// The pause after a block.
    pub block_time_ms: u64,
    /// Everything on loopback, several nodes on one address, pages of any origin welcome.
    pub development: bool,
    /// `ID@HOST:PORT` of the nodes to stay connected with.
    pub peers: Vec<String>,
}

/// The two secret keys of a node, ed25519 seeds of 32 bytes.
#[derive(Clone)]
pub struct NodeKeys {
    pub node: [u8; 32],
    pub validator: [u8; 32],
}

impl NodeKeys {
    /// Keys nobody else has.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn random() -> Result<NodeKeys, Fault> {
        let mut keys = NodeKeys { node: [0; 32], validator: [0; 32] };
        for key in [&mut keys.node, &mut keys.validator] {
            getrandom::fill(key).map_err(|error| Fault::Setup(format!("randomness: {error}")))?;
        }
        Ok(keys)
    }
}

/// The files CometBFT reads and writes in a home.
#[derive(Clone, Debug)]
pub struct CometHome {
    root: PathBuf,
}

impl CometHome {
    /// CometBFT's part of a node's home.
    pub fn of(home: &Path) -> CometHome {
        CometHome { root: home.to_owned() }
    }

    /// What CometBFT's `--home` takes.
    pub fn path(&self) -> &Path {
        &self.root
    }

    pub fn genesis(&self) -> PathBuf {
        self.root.join("config/genesis.json")
    }

    pub fn settings(&self) -> PathBuf {
        self.root.join("config/config.toml")
    }

    fn node_key(&self) -> PathBuf {
        self.root.join("config/node_key.json")
    }

    /// The secret key that signs blocks.
    pub fn validator_key(&self) -> PathBuf {
        self.root.join("config/priv_validator_key.json")
    }

    fn signed_state(&self) -> PathBuf {
        self.root.join("data/priv_validator_state.json")
    }

    /// Writes keys where there are none, and an empty memory of signatures beside new ones.
    ///
    /// # Errors
    /// [`Fault::Setup`] naming the file.
    pub fn write_keys(&self, keys: &NodeKeys) -> Result<(), Fault> {
        for folder in ["config", "data"] {
            let folder = self.root.join(folder);
            files::private_folder(&folder).map_err(|error| at(&folder, error))?;
        }
        write_once(&self.node_key(), &json!({ "priv_key": secret(&keys.node) }))?;
        let public = public_key(&keys.validator);
        let validator = json!({
            "address": hex::encode_upper(short_hash(&public)),
            "pub_key": public_json(&public),
            "priv_key": secret(&keys.validator),
        });
        write_once(&self.validator_key(), &validator)?;
        let nothing_signed = json!({ "height": "0", "round": 0, "step": 0 });
        write_once(&self.signed_state(), &nothing_signed)
    }

    /// Switches state sync on in the settings that are there.
    ///
    /// # Errors
    /// When the file is no TOML, or cannot be written.
    pub fn write_state_sync(&self, sync: &StateSync) -> Result<(), Fault> {
        let path = self.settings();
        let before = std::fs::read_to_string(&path).map_err(|error| at(&path, error))?;
        let text = with_state_sync(&before, sync)
            .map_err(|error| Fault::Setup(format!("{}: {error}", path.display())))?;
        write(&path, text.as_bytes(), Access::Shared)
    }

    /// Changes settings that are there already.
    ///
    /// # Errors
    /// [`Fault::Setup`] naming the file.
    pub fn amend(&self, change: impl FnOnce(&mut toml_edit::DocumentMut)) -> Result<(), Fault> {
        let path = self.settings();
        let text = std::fs::read_to_string(&path).map_err(|error| at(&path, error))?;
        let mut toml: toml_edit::DocumentMut =
            text.parse().map_err(|error| Fault::Setup(format!("{}: {error}", path.display())))?;
        change(&mut toml);
        write(&path, toml.to_string().as_bytes(), Access::Shared)
    }

    /// Writes the settings: the shipped ones, or those already there, with the node's own values.
    ///
    /// # Errors
    /// When the file there is no TOML, or cannot be written.
    pub fn write_settings(&self, settings: &Settings) -> Result<(), Fault> {
        let path = self.settings();
        let before = std::fs::read_to_string(&path).unwrap_or_else(|_| SETTINGS.to_owned());
        let text = with_values(&before, settings)
            .map_err(|error| Fault::Setup(format!("{}: {error}", path.display())))?;
        write(&path, text.as_bytes(), Access::Shared)
    }

    /// Sets where a remote signer is waited for; the settings must be there.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn set_signer(&self, address: &str) -> Result<(), Fault> {
        let path = self.settings();
        let text = std::fs::read_to_string(&path).map_err(|error| at(&path, error))?;
        let mut toml: toml_edit::DocumentMut =
            text.parse().map_err(|error| Fault::Setup(format!("{}: {error}", path.display())))?;
        toml["priv_validator_laddr"] = toml_edit::value(address);
        write(&path, toml.to_string().as_bytes(), Access::Shared)
    }
}

/// What CometBFT needs for state sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSync {
    /// Two at least.
    pub rpc_servers: Vec<String>,
    pub trust_height: u64,
    pub trust_hash: String,
    /// As Go writes durations.
    pub trust_period: &'static str,
}

fn with_state_sync(text: &str, sync: &StateSync) -> Result<String, toml_edit::TomlError> {
    let mut toml: toml_edit::DocumentMut = text.parse()?;
    let height = i64::try_from(sync.trust_height).unwrap_or(i64::MAX);
    toml["statesync"]["enable"] = toml_edit::value(true);
    toml["statesync"]["rpc_servers"] = toml_edit::value(sync.rpc_servers.join(","));
    toml["statesync"]["trust_height"] = toml_edit::value(height);
    toml["statesync"]["trust_hash"] = toml_edit::value(&sync.trust_hash);
    toml["statesync"]["trust_period"] = toml_edit::value(sync.trust_period);
    // Above 0 and below 5 s CometBFT makes 25 s of it.
    toml["statesync"]["discovery_time"] = toml_edit::value("5s");
    Ok(toml.to_string())
}

/// The public half of an ed25519 seed.
pub fn public_key(seed: &[u8; 32]) -> [u8; 32] {
    let mut public = [0; 32];
    public.copy_from_slice(ed25519(seed).verification_key().as_bytes());
    public
}

/// A node's name among peers: the first 20 bytes of its key's SHA-256, in hex.
pub fn node_id(keys: &NodeKeys) -> String {
    hex::encode(short_hash(&public_key(&keys.node)))
}

/// A public key as CometBFT's JSON writes it.
pub fn public_json(key: &[u8; 32]) -> serde_json::Value {
    json!({ "type": "tendermint/PubKeyEd25519", "value": BASE64_STANDARD.encode(key) })
}

/// The first 20 bytes of a key's SHA-256.
pub fn short_hash(key: &[u8; 32]) -> [u8; 20] {
    let mut short = [0; 20];
    short.copy_from_slice(&sha256(key)[..20]);
    short
}

fn ed25519(seed: &[u8; 32]) -> Ed25519 {
    Ed25519::try_from(&seed[..]).expect("an ed25519 seed has 32 bytes")
}

fn secret(seed: &[u8; 32]) -> serde_json::Value {
    serde_json::to_value(PrivateKey::Ed25519(ed25519(seed))).expect("a key is JSON")
}

fn with_values(text: &str, settings: &Settings) -> Result<String, toml_edit::TomlError> {
    let mut toml: toml_edit::DocumentMut = text.parse()?;
    let Settings { ports, development, .. } = settings;
    let loopback = |port: u16| format!("tcp://127.0.0.1:{port}");
    let origins: toml_edit::Array = development.then_some("*").into_iter().collect();

    toml["moniker"] = toml_edit::value(&settings.moniker);
    toml["proxy_app"] = toml_edit::value(&settings.proxy_app);
    toml["rpc"]["laddr"] = toml_edit::value(loopback(ports.rpc));
    let peers_listen = match development {
        true => loopback(ports.p2p),
        false => format!("tcp://0.0.0.0:{}", ports.p2p),
    };
    toml["p2p"]["laddr"] = toml_edit::value(peers_listen);
    toml["p2p"]["persistent_peers"] = toml_edit::value(settings.peers.join(","));
    let metrics = format!("127.0.0.1:{}", ports.cometbft_metrics);
    toml["instrumentation"]["prometheus_listen_addr"] = toml_edit::value(metrics);
    toml["consensus"]["timeout_commit"] = toml_edit::value(format!("{}ms", settings.block_time_ms));
    if *development && settings.peers.is_empty() {
        toml["consensus"]["timeout_propose"] = toml_edit::value("10s");
    }
    if *development {
        toml["rpc"]["cors_allowed_origins"] = toml_edit::value(origins);
        toml["p2p"]["addr_book_strict"] = toml_edit::value(false);
        toml["p2p"]["allow_duplicate_ip"] = toml_edit::value(true);
    }
    Ok(toml.to_string())
}

fn write_once(path: &Path, content: &serde_json::Value) -> Result<(), Fault> {
    if path.exists() {
        return Ok(());
    }
    let text = serde_json::to_string_pretty(content).expect("JSON");
    write(path, text.as_bytes(), Access::Private)
}

fn write(path: &Path, bytes: &[u8], access: Access) -> Result<(), Fault> {
    files::write_whole(path, bytes, access).map_err(|error| at(path, error))
}

fn at(path: &Path, error: std::io::Error) -> Fault {
    Fault::Setup(format!("{}: {error}", path.display()))
}
