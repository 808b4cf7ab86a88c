//! What a development chain was made with, and what the flags of this run ask for.
//!
//! `config/dev.toml` marks a home as a development chain: without it nothing is continued, and
//! nothing is ever deleted. What is part of genesis cannot change while the chain goes on; ports
//! and block time can.

use super::accounts::{MOST, SEED};
use super::Dev;
use crate::client::files::{self, Access};
use crate::client::Failure;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub const CHAIN_ID: &str = "cyberd-dev";
const ACCOUNTS: u16 = 8;
/// The sample graph names so many neurons.
const SAMPLE_NEURONS: usize = 8;
const BLOCK_TIME_MS: u64 = 1_000;
/// More nodes than this on one machine answer no question.
pub const MOST_NODES: u16 = 20;

/// The settings of a development chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevSettings {
    pub chain_id: String,
    /// Part of genesis: these four cannot change.
    #[serde(default, skip_serializing_if = "Genesis::is_dev")]
    pub genesis: Genesis,
    pub nodes: u16,
    pub accounts: u16,
    pub seed: String,
    /// Nodes without a vote, numbered after the validators; there can be more or fewer later.
    #[serde(default)]
    pub full_nodes: u16,
    pub block_time_ms: u64,
    /// `None`: the usual ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_base: Option<u16>,
    pub links: Links,
    /// Whether all of these links are on the chain.
    pub imported: bool,
}

/// Which parameters and accounts a development chain begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Genesis {
    /// The shipped ones.
    #[default]
    Dev,
    /// Those of [`crate::client::load::genesis`].
    Load,
}

impl Genesis {
    fn is_dev(&self) -> bool {
        *self == Genesis::Dev
    }

    fn name(self) -> &'static str {
        match self {
            Genesis::Dev => "dev",
            Genesis::Load => "load",
        }
    }
}

/// The links that belong to a development chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Links {
    Sample,
    None,
    /// A file, by its absolute path.
    File(PathBuf),
}

/// What to do with a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// A chain from its genesis.
    New(DevSettings),
    /// The chain that is there.
    Continue(DevSettings),
}

impl DevSettings {
    fn path(home: &Path) -> PathBuf {
        home.join("config/dev.toml")
    }

    /// The settings of the development chain of a home, if there is one.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn load(home: &Path) -> Result<Option<DevSettings>, Failure> {
        let path = DevSettings::path(home);
        let failure = |reason: String| Failure::local(format!("{}: {reason}", path.display()));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failure(error.to_string())),
        };
        toml::from_str(&text).map(Some).map_err(|error| failure(error.to_string()))
    }

    /// Writes them.
    ///
    /// # Errors
    /// Those of the file.
    pub fn save(&self, home: &Path) -> Result<(), Failure> {
        let path = DevSettings::path(home);
        let text = toml::to_string(self).expect("numbers and texts are TOML");
        let text = format!("# A development chain, made and continued by `cyberd dev`.\n{text}");
        files::private_folder(&home.join("config"))
            .and_then(|()| files::write_whole(&path, text.as_bytes(), Access::Shared))
            .map_err(|error| Failure::local(format!("{}: {error}", path.display())))
    }
}

/// Decides between a new chain and the one that is there.
///
/// # Errors
/// A usage failure with the commands that would work when flags contradict the chain, when the
/// home holds a node of another kind, or when a number is out of its range.
pub fn plan(flags: &Dev, home: &Path) -> Result<Plan, Failure> {
    let before = DevSettings::load(home)?;
    check_ranges(flags, before.as_ref())?;
    if before.is_none() && home.join("config/genesis.json").exists() {
        return Err(Failure::usage(format!(
            "{} holds a node that `cyberd dev` did not make; it is left alone",
            home.display()
        ))
        .hint(format!("choose another home:\n  {} --home DIR", command(None))));
    }
    let Some(mut settings) = before.filter(|_| !flags.reset) else {
        check_sample(flags)?;
        return Ok(Plan::New(DevSettings {
            chain_id: CHAIN_ID.to_owned(),
            genesis: flags.genesis.unwrap_or_default(),
            nodes: flags.nodes.unwrap_or(1),
            full_nodes: flags.full_nodes.unwrap_or(0),
            accounts: flags.accounts.unwrap_or(ACCOUNTS),
            seed: flags.seed.clone().unwrap_or_else(|| SEED.to_owned()),
            block_time_ms: flags.block_time.unwrap_or(BLOCK_TIME_MS),
            port_base: flags.port_base,
            links: links_asked(flags)?.unwrap_or(Links::Sample),
            imported: false,
        }));
    };
    let contradictions = contradictions(flags, &settings);
    if !contradictions.is_empty() {
        return Err(contradiction(flags, home, &settings, &contradictions));
    }
    settings.block_time_ms = flags.block_time.unwrap_or(settings.block_time_ms);
    settings.port_base = flags.port_base.or(settings.port_base);
    settings.full_nodes = flags.full_nodes.unwrap_or(settings.full_nodes);
    // What is imported once stays; a file given again is looked through again.
    if let Some(Links::File(path)) = links_asked(flags)? {
        (settings.links, settings.imported) = (Links::File(path), false);
    }
    Ok(Plan::Continue(settings))
}

fn check_ranges(flags: &Dev, there: Option<&DevSettings>) -> Result<(), Failure> {
    let out = |what: &str, value: u16, most: u16| {
        Failure::usage(format!("{what} {value}: from 1 to {most} are possible"))
    };
    let nodes = flags.nodes.or(there.map(|there| there.nodes)).unwrap_or(1);
    if let Some(full) = flags.full_nodes.filter(|full| nodes.saturating_add(*full) > MOST_NODES) {
        return Err(Failure::usage(format!(
            "--full-nodes {full}: with {nodes} validators at most {} are possible",
            MOST_NODES.saturating_sub(nodes)
        )));
    }
    match (flags.nodes, flags.accounts) {
        (Some(nodes), _) if !(1..=MOST_NODES).contains(&nodes) => {
            Err(out("--nodes", nodes, MOST_NODES))
        }
        (_, Some(accounts)) if !(1..=MOST).contains(&accounts) => {
            Err(out("--accounts", accounts, MOST))
        }
        _ => Ok(()),
    }
}

/// The links that the flags name.
fn links_asked(flags: &Dev) -> Result<Option<Links>, Failure> {
    match &flags.links {
        Some(path) => crate::cli::nodes::absolute(path).map(|path| Some(Links::File(path))),
        None if flags.no_import => Ok(Some(Links::None)),
        None => Ok(None),
    }
}

/// The sample graph needs its neurons.
fn check_sample(flags: &Dev) -> Result<(), Failure> {
    let few = flags.accounts.filter(|accounts| usize::from(*accounts) < SAMPLE_NEURONS);
    match few {
        Some(few) if flags.links.is_none() && !flags.no_import => Err(Failure::usage(format!(
            "--accounts {few}: the sample graph is linked by {SAMPLE_NEURONS} neurons"
        ))
        .hint("add --no-import, or give links of your own with --links FILE")),
        _ => Ok(()),
    }
}

/// The flags that ask for another genesis: name, what is asked, what is there.
fn contradictions(flags: &Dev, there: &DevSettings) -> Vec<(&'static str, String, String)> {
    let number = |flag, asked: Option<u16>, there: u16| {
        asked.filter(|asked| *asked != there).map(|a| (flag, a.to_string(), there.to_string()))
    };
    let seed = flags.seed.as_ref().filter(|seed| **seed != there.seed);
    let genesis = flags.genesis.filter(|genesis| *genesis != there.genesis);
    let names = |asked: Genesis| (asked.name().to_owned(), there.genesis.name().to_owned());
    let genesis = genesis.map(names).map(|(asked, there)| ("--genesis", asked, there));
    [
        genesis,
        number("--nodes", flags.nodes, there.nodes),
        number("--accounts", flags.accounts, there.accounts),
        seed.map(|seed| ("--seed", seed.clone(), there.seed.clone())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn contradiction(
    flags: &Dev,
    home: &Path,
    there: &DevSettings,
    found: &[(&'static str, String, String)],
) -> Failure {
    let said = found.iter().map(|(flag, asked, there)| {
        format!("{flag} {asked} was asked for, the chain was made with {there}")
    });
    let said = said.collect::<Vec<_>>().join("; ");
    let same: Vec<String> = changeable(flags).collect();
    let anew = found.iter().map(|(flag, asked, _)| format!("{flag} {}", quoted(asked)));
    let anew: Vec<String> = anew.chain(changeable(flags)).collect();
    let command = command(Some(home));
    let words = |flags: &[String]| flags.iter().map(|flag| format!(" {flag}")).collect::<String>();
    let continued = format!("{command}{}", words(&same));
    let anew = format!("{command} --reset{}", words(&anew));
    Failure::usage(format!("{} holds the chain {}: {said}", home.display(), there.chain_id)).hint(
        format!("continue that chain:\n  {continued}\nor delete it and begin a new one:\n  {anew}"),
    )
}

/// The flags of this run that both commands keep.
fn changeable(flags: &Dev) -> impl Iterator<Item = String> {
    let base = flags.port_base.map(|base| format!("--port-base {base}"));
    let full = flags.full_nodes.map(|full| format!("--full-nodes {full}"));
    let time = flags.block_time.map(|time| format!("--block-time {time}ms"));
    let links = flags.links.as_ref();
    let links = links.map(|file| format!("--links {}", quoted(&file.display().to_string())));
    let bare = [(flags.no_import, "--no-import"), (flags.detach, "--detach")];
    let bare = bare.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag.to_owned());
    [full, base, time, links].into_iter().flatten().chain(bare)
}

/// How this program was called: `testnet/up` says so itself.
fn command(home: Option<&Path>) -> String {
    match (std::env::var("CYBERD_DEV_COMMAND"), home) {
        (Ok(command), _) if !command.is_empty() => command,
        (_, Some(home)) => format!("cyberd dev --home {}", quoted(&home.display().to_string())),
        (_, None) => "cyberd dev".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
