//! `cyberd genesis`: making, changing and checking a genesis file. Every change is checked and
//! written in one step; a refused one leaves the file as it was.

mod add;
mod import;
mod show;

use super::context::Context;
use super::nodes;
use super::output::Answer;
use crate::client::Failure;
use crate::error::Fault;
use crate::node::cometbft::genesis::file::GenesisFile;
use crate::node::cometbft::home::CometHome;
use std::path::{Path, PathBuf};

/// Make a genesis file: accounts, validators, links, another chain's export; check it; hash it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd genesis add-account alice 1000000000boot
  cyberd genesis add-account --file accounts.tsv
  cyberd genesis add-validator --name one --power 10
  cyberd genesis add-links links.tsv.gz --from alice
  cyberd genesis import exported.json --to genesis.json
  cyberd genesis validate genesis.json
  cyberd genesis hash genesis.json
cyberd init --chain-id NAME makes a genesis to begin with.")]
pub struct Genesis {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    AddAccount(add::AddAccount),
    AddValidator(add::AddValidator),
    AddLinks(add::AddLinks),
    Import(import::Import),
    Validate(show::Validate),
    Hash(show::Hash),
}

/// The file that a command changes.
#[derive(Debug, clap::Args)]
struct Target {
    /// The genesis file [default: config/genesis.json of the home]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

impl Target {
    fn read(&self, context: &Context) -> Result<GenesisFile, Failure> {
        read(context, self.genesis.as_deref())
    }
}

/// Runs `cyberd genesis`.
pub fn run(context: &Context, genesis: &Genesis) -> Result<Answer, Failure> {
    match &genesis.command {
        Command::AddAccount(add) => add::account(context, add),
        Command::AddValidator(add) => add::validator(context, add),
        Command::AddLinks(add) => add::links(context, add),
        Command::Import(args) => import::run(context, args),
        Command::Validate(validate) => show::validate(context, validate),
        Command::Hash(hash) => show::hash(context, hash),
    }
}

fn read(context: &Context, path: Option<&Path>) -> Result<GenesisFile, Failure> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => CometHome::of(&nodes::absolute(&context.home)?).genesis(),
    };
    GenesisFile::read(&path).map_err(|fault| {
        let failure = Failure::new(crate::client::Exit::Error, "genesis", text_of(fault));
        match path.exists() {
            true => failure,
            false => failure.hint("cyberd init --chain-id NAME --account WHO=AMOUNTboot makes one"),
        }
    })
}

/// A fault of a genesis file, with the file's name before it.
fn failure(path: &Path, fault: Fault) -> Failure {
    let text = format!("{}: {}", path.display(), text_of(fault));
    Failure::new(crate::client::Exit::Error, "genesis", text)
}

fn text_of(fault: Fault) -> String {
    match fault {
        Fault::Genesis(text) => text,
        other => other.to_string(),
    }
}
