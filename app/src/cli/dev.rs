//! `cyberd dev`: a development chain with one command. It makes or continues the chain of a home,
//! runs its nodes, imports the sample graph and shows what the chain answers.

mod accounts;
mod chain;
mod detach;
mod import;
mod machine;
mod session;
mod settings;
mod show;
#[cfg(test)]
mod tests;

use super::context::Context;
use super::nodes;
use super::output::Answer;
use crate::client::Failure;
use crate::node::{cometbft, supervisor};
use chain::Chain;
use serde_json::json;
use session::Session;
use settings::{DevSettings, Genesis, Plan};
use std::path::{Path, PathBuf};

/// Run a development chain: nodes, funded neurons, a sample graph
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  cyberd dev                             make the chain, or continue it
  cyberd dev --no-import                 without the sample graph
  cyberd dev --nodes 4 --block-time 2s   four validators on this machine
  cyberd dev --nodes 4 --full-nodes 1    and a node without a vote beside them
  cyberd dev --reset --seed tomorrow     delete the chain, begin one with other keys
  cyberd dev --detach --config-out c.json   for tests: return when ready
  cyberd dev --genesis load --no-import  a chain for cyberd load
The accounts' keys are made from the seed: they are public, never use them elsewhere.")]
pub struct Dev {
    /// Ports N to N + 5 for RPC, p2p, CometBFT metrics, gRPC, REST, health and metrics; the next
    /// node's are ten higher [default: 26657, 26656, 26660, 9090, 1317, 26661]
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
    /// Validators, all on loopback [default: 1]
    #[arg(long, value_name = "N")]
    nodes: Option<u16>,
    /// Nodes without a vote beside them, their ports after the validators' [default: 0]
    #[arg(long, value_name = "M")]
    full_nodes: Option<u16>,
    /// Funded neurons [default: 8]
    #[arg(long, value_name = "N")]
    accounts: Option<u16>,
    /// The chain's parameters: dev, or load for measurements: forty times the bandwidth, ten
    /// times the limits of a block, and the accounts of `cyberd load` [default: dev]
    #[arg(long, value_enum, value_name = "KIND")]
    genesis: Option<Genesis>,
    /// What the keys are made from [default: cyberd]
    #[arg(long, value_name = "TEXT")]
    seed: Option<String>,
    /// Pause between blocks: 1s, 250ms, 0s [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = block_time)]
    block_time: Option<u64>,
    /// Import these links in place of the sample graph: lines of neuron, from, to with tabs
    /// between, plain or gzip
    #[arg(long, value_name = "FILE", conflicts_with = "no_import")]
    links: Option<PathBuf>,
    /// Import nothing
    #[arg(long)]
    no_import: bool,
    /// Delete the development chain of this home first
    #[arg(long)]
    reset: bool,
    /// When ready, write chain_id, home, URLs and accounts to this JSON file
    #[arg(long, value_name = "FILE")]
    config_out: Option<PathBuf>,
    /// Return when ready and go on in the background
    #[arg(long)]
    detach: bool,
    /// Write the nodes' homes and start nothing: cyberd run --home DIR runs each by itself
    #[arg(long, conflicts_with_all = ["detach", "config_out", "links"])]
    write_only: bool,
}

/// Reads `1s`, `250ms`, `0.5s` or `2m` as milliseconds, up to an hour.
pub fn block_time(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no time: right are 1s, 250ms, 0.5s, up to 1h");
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let unit_ms: u128 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let number = crate::types::Decimal::parse(number).map_err(|_| wrong())?;
    let thousandths = number.atomics() / 1_000_000_000_000_000;
    let time_ms = thousandths.checked_mul(unit_ms).ok_or_else(wrong)? / 1_000;
    u64::try_from(time_ms).ok().filter(|ms| *ms <= 3_600_000).ok_or_else(wrong)
}

/// Runs the chain until it is stopped.
pub fn run(context: &Context, flags: &Dev) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    let plan = settings::plan(flags, &home)?;
    if flags.detach {
        return detach::detach(context, &home);
    }
    let _hold = nodes::hold(&home)?;
    if flags.write_only {
        return write_only(&home, plan);
    }
    let program = cometbft::find_or_install(&home, &mut |line| context.talk(line));
    let program = program.map_err(nodes::failure)?;
    let stop = nodes::stop_flag()?;
    let continued = matches!(plan, Plan::Continue(_));
    let chain = prepare(&home, plan)?;
    context.talk(&format!(
        "CometBFT {} runs with GOMAXPROCS={}: at least 4, twice the cores",
        cometbft::VERSION,
        supervisor::cometbft_threads()
    ));
    if let Some(warning) = machine::crowded(chain.nodes.len()) {
        context.talk(&warning);
    }
    let running = chain.start(&program, &stop)?;
    let session = Session::new(context, &chain, flags, &running, &stop);
    let outcome = session.and_then(|session| context.block_on(session.run(continued)));
    context.talk("stopping …");
    running.stop().and(outcome)?;
    let id = &chain.settings.chain_id;
    let text = format!("{id} is stopped; the same command goes on where it was");
    Ok(Answer::new(json!({ "stopped": true, "home": home }), text))
}

/// Writes the homes of all nodes and tells where they are.
fn write_only(home: &Path, plan: Plan) -> Result<Answer, Failure> {
    let chain = prepare(home, plan)?;
    let balances: Vec<u64> = chain.accounts.iter().map(|account| account.amount).collect();
    let text = format!("{}\n\ncyberd run --home HOME runs a node", show::nodes(&chain));
    Ok(Answer::new(show::description(&chain, &balances), text))
}

/// Deletes what a new chain replaces and writes the files.
fn prepare(home: &Path, plan: Plan) -> Result<Chain, Failure> {
    let settings = match plan {
        Plan::Continue(settings) => settings,
        Plan::New(settings) => {
            if DevSettings::load(home)?.is_some() {
                chain::remove(home)?;
            }
            settings
        }
    };
    let chain = Chain::new(home, settings)?;
    chain.write()?;
    Ok(chain)
}
