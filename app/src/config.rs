//! The node's settings: parsed and checked once, passed by reference.
//!
//! Every key stands once, with its comment and default, in `config/app.toml`, which is part of
//! the program; [`keys`] says how each is read. Sources, later ones winning: that file, the
//! home's `config/app.toml`, the environment (`CYBERD_QUERY_ROWS_MAX`), flags. Unknown keys and
//! bad values are errors that name the key, the value and what would be right. Nothing here
//! influences what the chain decides.

mod keys;
#[cfg(test)]
mod tests;

use crate::abci::address::Address;
use crate::telemetry::logs::Format;
use crate::types::Decimal;
use keys::{find, Key, KEYS};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `config/app.toml` as it is delivered: every key, its comment, its default.
pub const TEMPLATE: &str = include_str!("../../config/app.toml");

/// What the names of the environment begin with.
const PREFIX: &str = "CYBERD_";

/// The settings of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub home: PathBuf,
    /// Threads for blocks, transactions and ranks; at least 1.
    pub threads: usize,
    /// Where the ABCI server listens.
    pub abci_listen: Address,
    /// `http://…` of CometBFT's RPC.
    pub cometbft_rpc: String,
    pub minimum_gas_prices: Vec<GasPrice>,
    pub history_memory_bytes: u64,
    pub checkpoint_heights: u64,
    pub free_disk_min_bytes: u64,
    pub reserve_bytes: u64,
    /// Blocks that CometBFT keeps; 0: all.
    pub retain_blocks: u64,
    /// Heights between snapshots; 0: none are made.
    pub snapshot_interval: u64,
    pub start_over: bool,
    pub rank_device: Device,
    /// The GPU worker's program.
    pub rank_worker: PathBuf,
    pub delta_rounds: u64,
    pub search: bool,
    pub query: QueryLimits,
    pub api: ApiSettings,
    /// Where health and metrics are served, if at all.
    pub health_listen: Option<SocketAddr>,
    pub head_age_max: Duration,
    pub log_format: Format,
    pub log_level: String,
}

/// A price of gas: so much of a denomination for a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GasPrice {
    pub amount: Decimal,
    pub denom: String,
}

/// What computes the ranks; the same ranks all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The GPU worker if it starts and computes rightly, else the CPU.
    Auto,
    Cpu,
    /// As auto, but a node without the worker is not ready.
    Gpu,
}

/// What one query may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    pub rows_max: usize,
    pub bytes_max: usize,
    pub time_limit: Duration,
    /// Queries answered at once.
    pub threads: usize,
}

/// The gRPC and REST servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSettings {
    /// Where gRPC and gRPC-web are served, if at all.
    pub grpc_listen: Option<SocketAddr>,
    /// Where REST is served, if at all.
    pub rest_listen: Option<SocketAddr>,
    /// Web pages of these origins may ask; `*`: of all.
    pub cors_origins: Vec<String>,
    /// Connections of each of the two.
    pub connections_max: usize,
    /// The longest request that is read.
    pub body_bytes_max: usize,
    /// Queries of both that wait for their turn.
    pub waiting_max: usize,
    /// Streams of links and rounds of both.
    pub watchers_max: usize,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("{origin}: there is no key '{key}'; there are {there}")]
    Unknown { origin: String, key: String, there: String },
    #[error("{origin}: {key} = {value} is wrong; right is {right}")]
    Value { origin: String, key: &'static str, value: String, right: String },
}

impl Config {
    /// The settings of a home.
    ///
    /// `flags`: pairs of a key's name and its value, from the command line. `environment`: pairs
    /// of name and value, as `std::env::vars` gives them; names of other things are passed over.
    pub fn load(
        home: &Path,
        flags: &[(&str, String)],
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let mut config = Config::of_template(home);
        let path = Config::path(home);
        match std::fs::read_to_string(&path) {
            Ok(text) => config.read(&text, &path.display().to_string())?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => (),
            Err(e) => {
                let path = path.display().to_string();
                return Err(ConfigError::File { path, reason: e.to_string() });
            }
        }
        for (name, value) in environment {
            if let Some(key) = KEYS.iter().find(|key| variable(key.name) == name) {
                config.set(key, &value, &name)?;
            } else if let Some(section) = section_of(&name) {
                let (origin, key) = ("environment".to_owned(), name);
                let near = KEYS.iter().filter(|key| key.section() == section);
                let there = join(near.map(|key| variable(key.name)));
                return Err(ConfigError::Unknown { origin, key, there });
            }
        }
        for (name, value) in flags {
            let key = find(name).expect("flags are written for keys there are");
            config.set(key, value, "command line")?;
        }
        Ok(config)
    }

    /// Where a home keeps its settings.
    pub fn path(home: &Path) -> PathBuf {
        home.join("config").join("app.toml")
    }

    /// The defaults.
    pub fn of_template(home: &Path) -> Config {
        let mut config = Config {
            home: home.to_owned(),
            threads: 1,
            abci_listen: Address::in_home(home),
            cometbft_rpc: String::new(),
            minimum_gas_prices: Vec::new(),
            history_memory_bytes: 0,
            checkpoint_heights: 0,
            free_disk_min_bytes: 0,
            reserve_bytes: 0,
            retain_blocks: 0,
            snapshot_interval: 0,
            start_over: false,
            rank_device: Device::Cpu,
            rank_worker: PathBuf::new(),
            delta_rounds: 0,
            search: false,
            query: QueryLimits {
                rows_max: 0,
                bytes_max: 0,
                time_limit: Duration::ZERO,
                threads: 0,
            },
            api: ApiSettings {
                grpc_listen: None,
                rest_listen: None,
                cors_origins: Vec::new(),
                connections_max: 0,
                body_bytes_max: 0,
                waiting_max: 0,
                watchers_max: 0,
            },
            health_listen: None,
            head_age_max: Duration::ZERO,
            log_format: Format::Text,
            log_level: String::new(),
        };
        config.read(TEMPLATE, "config/app.toml").expect("tests::the_template_is_complete");
        config
    }

    /// Takes over what a file says.
    fn read(&mut self, text: &str, origin: &str) -> Result<(), ConfigError> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            // The parser's text has the line and the place in it.
            ConfigError::File { path: origin.to_owned(), reason: e.to_string().trim().to_owned() }
        })?;
        for (name, value) in entries(&table) {
            let key = find(&name).ok_or_else(|| {
                let section = name.split_once('.').map_or("", |(section, _)| section);
                let is_section = KEYS.iter().any(|key| key.section() == section);
                let near = KEYS.iter().filter(|key| !is_section || key.section() == section);
                let there = join(near.map(|key| key.name.to_owned()));
                ConfigError::Unknown { origin: origin.to_owned(), key: name.clone(), there }
            })?;
            self.set(key, &value, origin)?;
        }
        Ok(())
    }

    fn set(&mut self, key: &Key, value: &str, origin: &str) -> Result<(), ConfigError> {
        (key.set)(self, value).map_err(|reason| ConfigError::Value {
            origin: origin.to_owned(),
            key: key.name,
            value: format!("'{value}'"),
            right: reason.unwrap_or_else(|| key.right.to_owned()),
        })
    }
}

/// The text of a new `app.toml`: the template with some values of its own.
///
/// # Panics
/// If a key does not exist: names are written in the program.
pub fn file_text(values: &[(&str, &str)]) -> String {
    let mut rest: Vec<_> = values.to_vec();
    let mut section = String::new();
    let mut out = String::new();
    for line in TEMPLATE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        }
        let assigned = line.split_once(" = ").filter(|_| !line.starts_with('#'));
        let place = assigned.and_then(|(name, _)| {
            let name = format!("{section}{name}");
            rest.iter().position(|(key, _)| *key == name)
        });
        match (assigned, place) {
            (Some((name, old)), Some(at)) => {
                let (_, value) = rest.swap_remove(at);
                let text = toml::Value::String(value.to_owned()).to_string();
                let value = if old.starts_with('"') { &text } else { value };
                out.push_str(&format!("{name} = {value}\n"));
            }
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    assert!(rest.is_empty(), "keys of app.toml: {rest:?}");
    out
}

/// The name of a key in the environment.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

/// The section a name of the environment means, if it means one of ours.
fn section_of(variable_name: &str) -> Option<&'static str> {
    let sections = KEYS.iter().map(Key::section).filter(|section| !section.is_empty());
    let mut ours =
        sections.filter(|section| variable_name.starts_with(&format!("{}_", variable(section))));
    ours.next()
}

fn join(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The values of a file by their full names, as text.
fn entries(table: &toml::Table) -> Vec<(String, String)> {
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut found = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => {
                found.extend(inner.iter().map(|(key, v)| (format!("{name}.{key}"), text(v))));
            }
            value => found.push((name.clone(), text(value))),
        }
    }
    found
}
