//! The commands of `cyberd`, one file per group: parse, call, print. No rules live here.

mod chain_info;
mod cid;
mod compact;
pub mod context;
mod deliver;
mod dev;
mod doctor;
mod export;
mod faucet;
mod genesis;
mod identity;
mod import;
mod init;
mod join;
mod keys;
mod link;
mod load;
mod network_file;
mod nodes;
pub mod output;
mod pre_upgrade;
mod query;
mod run;
mod search;
mod send;
mod snapshot;
mod start;
mod status;
mod version;
pub mod words;

#[cfg(test)]
mod tests;

use crate::client::{Exit, Failure};
use clap::{CommandFactory, Parser};
use context::{Context, Global};
use output::{Answer, Format};
use std::ffi::OsString;
use std::process::ExitCode;

const EXIT_CODES: &str = "Exit codes:
  0 done              1 error             2 wrong usage
  3 refused by the node (nothing changed)  4 key or password
  5 node not reachable  6 in a block, but failed
  7 outcome unknown (the transaction's hash is printed)
  8 the node cannot run until something is changed  9 halted for an upgrade";

/// A knowledge graph chain: signed cyberlinks in, ranked answers out
#[derive(Debug, Parser)]
#[command(name = "cyberd", version, after_help = EXIT_CODES, infer_subcommands = false)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Dev(dev::Dev),
    Init(init::Init),
    Join(join::Join),
    NetworkFile(network_file::Ask),
    Run(run::Run),
    Start(start::Start),
    Doctor(doctor::Doctor),
    PreUpgrade(pre_upgrade::PreUpgrade),
    Faucet(faucet::FaucetFlags),
    Link(link::Link),
    Import(import::Import),
    Load(load::Load),
    Send(send::Send),
    Search(search::Search),
    Backlinks(search::Backlinks),
    Top(search::Top),
    #[command(visible_alias = "q")]
    Query(query::Query),
    Cid(cid::Cid),
    Keys(keys::Keys),
    /// Show the node and the chain at one look; as JSON where no terminal is
    #[command(after_help = "Examples:\n  cyberd status\n  cyberd status | jq .SyncInfo")]
    Status,
    Roots(status::Roots),
    ChainInfo(chain_info::Ask),
    Export(export::Export),
    Genesis(genesis::Genesis),
    Snapshot(snapshot::Snapshot),
    Compact(compact::Compact),
    /// Show the version of this program
    #[command(after_help = "Example:\n  cyberd version --output json")]
    Version,
    Completions(version::Completions),
}

/// The whole program: arguments in, exit code out.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    ExitCode::from(run(arguments).code())
}

fn run(arguments: Vec<OsString>) -> Exit {
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, asks_for_json(&arguments)),
    };
    let format = cli.global.output;
    let result = Context::new(&cli.global).and_then(|context| dispatch(&context, cli.command));
    match result {
        Ok(answer) => {
            output::show(format, &answer);
            answer.exit
        }
        Err(failure) => {
            output::show_failure(format, &failure);
            failure.exit
        }
    }
}

fn dispatch(context: &Context, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Dev(dev) => dev::run(context, &dev),
        Command::Init(init) => init::run(context, &init),
        Command::Join(join) => join::run(context, &join),
        Command::NetworkFile(ask) => network_file::run(context, &ask),
        Command::Run(run) => run::run(context, &run),
        Command::Start(start) => start::run(context, &start),
        Command::Doctor(doctor) => doctor::run(context, &doctor),
        Command::PreUpgrade(_) => pre_upgrade::run(context),
        Command::Faucet(flags) => faucet::run(context, &flags),
        Command::Link(link) => link::run(context, &link),
        Command::Import(import) => import::run(context, &import),
        Command::Load(load) => load::run(context, &load),
        Command::Send(send) => send::run(context, &send),
        Command::Search(search) => search::search(context, &search),
        Command::Backlinks(backlinks) => search::backlinks(context, &backlinks),
        Command::Top(top) => search::top(context, &top),
        Command::Query(query) => query::run(context, &query),
        Command::Cid(cid) => cid::run(&cid),
        Command::Keys(keys) => keys::run(context, keys),
        Command::Status => status::status(context),
        Command::Roots(roots) => status::roots(context, &roots),
        Command::ChainInfo(ask) => chain_info::run(context, &ask),
        Command::Export(export) => export::run(context, &export),
        Command::Genesis(genesis) => genesis::run(context, &genesis),
        Command::Snapshot(snapshot) => snapshot::run(context, &snapshot),
        Command::Compact(compact) => compact::run(context, &compact),
        Command::Version => Ok(version::version()),
        Command::Completions(completions) => Ok(version::completions(&completions, Cli::command())),
    }
}

/// Help and version are answers; the rest is a usage failure in the form that was asked for.
fn not_parsed(error: &clap::Error, json: bool) -> Exit {
    if error.use_stderr() && json {
        let failure = usage_failure(error);
        output::show_failure(Format::Json, &failure);
        return failure.exit;
    }
    let _ = error.print();
    if error.use_stderr() {
        return Exit::Usage;
    }
    Exit::Done
}

fn usage_failure(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let text = text.trim().trim_start_matches("error: ");
    let message = text.split("\n\nUsage:").next().unwrap_or(text);
    let message = message.split("\n\nFor more").next().unwrap_or(message);
    let (message, tip) = message.split_once("\n\n  tip: ").unwrap_or((message, ""));
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    Failure::usage(message).hint(match tip.trim() {
        "" => "cyberd help shows the commands, --help after one shows its flags",
        tip => tip,
    })
}

/// Whether JSON was asked for, when the arguments as a whole could not be read.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let texts: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let flag = texts.windows(2).any(|pair| pair == ["--output", "json"]);
    let environment = std::env::var("CYBERD_OUTPUT").is_ok_and(|value| value == "json");
    flag || texts.contains(&"--output=json") || environment
}
