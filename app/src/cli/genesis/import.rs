//! `cyberd genesis import`.

use super::add::save;
use super::{failure, read};
use crate::cli::context::Context;
use crate::cli::nodes;
use crate::cli::output::{self, Answer};
use crate::client::Failure;
use crate::node::cometbft::genesis::import::{import, Options};
use crate::node::cometbft::genesis::is_complete;
use std::path::PathBuf;

/// Make a genesis of one that a chain of the Cosmos SDK exported
///
/// Takes over accounts of every kind with keys and sequences, balances in all denominations,
/// validators and gentxs, consensus parameters, go-cyber's parameters and, with --graph, its graph.
/// Says section by section what it took over, what it changed and what it had to leave, and
/// compares the totals.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd genesis import exported.json --to genesis.json
  cyberd genesis import exported.json --to genesis.json --graph export/graph --chain-id next-1
  cyberd genesis import exported.json --to genesis.json --stake-denom boot --divide-stake 1000
  cyberd genesis import exported.json --to genesis.json --report report.txt
  cyberd genesis import exported.json --to genesis.json --report report.json --output json
Bonded and unbonding tokens go back to those who own them. Beyond 10,000 accounts or links the long
lists go into genesis.bin beside the file.")]
pub struct Import {
    /// The genesis that the other chain exported
    file: PathBuf,
    /// Write here; a file that is there is not replaced
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Keep the report in a file of its own, too: text, or JSON with --output json
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The graph that go-cyber exported beside it
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    /// The id of the new chain [default: that of the other]
    #[arg(long, value_name = "ID")]
    chain_id: Option<String>,
    /// When the new chain may begin, RFC 3339 [default: as the other]
    #[arg(long, value_name = "TIME")]
    genesis_time: Option<String>,
    /// The prefix of addresses [default: the one most accounts have]
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// The denomination that weighs links and gives bandwidth [default: the other's bonding one]
    #[arg(long, value_name = "DENOM")]
    stake_denom: Option<String>,
    /// Divide all amounts of the stake denomination by this, rounding down
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    divide_stake: u64,
}

/// Runs `cyberd genesis import`.
pub fn run(context: &Context, args: &Import) -> Result<Answer, Failure> {
    check_places(args)?;
    let source = read(context, Some(&args.file))?;
    let options = Options {
        chain_id: args.chain_id.clone(),
        genesis_time: args.genesis_time.clone(),
        prefix: args.prefix.clone(),
        stake_denom: args.stake_denom.clone(),
        divide_stake: args.divide_stake,
        graph: args.graph.clone(),
    };
    let (file, report) =
        import(&source.document, &options, &args.to).map_err(|fault| failure(&args.file, fault))?;
    drop(source);
    save(&file)?;
    let next = match is_complete(&file.document) {
        true => "a chain can start from it",
        false => "it has no validator yet: cyberd genesis add-validator adds one",
    };
    let mut json = report.to_json();
    json["file"] = serde_json::json!(args.to);
    json["bulk"] = file.document["app_state"]["bulk"].clone();
    let text = format!("{}\n{}: {next}", report.to_text(), args.to.display());
    let answer = Answer::new(json, text);
    if let Some(path) = &args.report {
        nodes::write_file(path, &output::written(context.format, &answer)).map_err(|failure| {
            let there = args.to.display();
            failure.hint(format!("the genesis itself is whole in {there}; its report is not kept"))
        })?;
    }
    Ok(answer)
}

/// Refuses before a long import what could not be written after it.
fn check_places(args: &Import) -> Result<(), Failure> {
    let Import { to, report, .. } = args;
    if report.as_ref() == Some(to) {
        return Err(Failure::usage("--report and --to name the same file")
            .hint("the genesis and its report need a file each"));
    }
    for (flag, path) in [("--to", Some(to)), ("--report", report.as_ref())] {
        let Some(path) = path else { continue };
        if path.exists() {
            let text = format!("{} is there already and stays as it is", path.display());
            let hint = format!("choose another {flag}, or move it away");
            return Err(Failure::usage(text).hint(hint));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let text = format!("{flag}: there is no folder {}", folder.display());
            return Err(Failure::usage(text).hint("make it first: mkdir -p"));
        }
    }
    Ok(())
}
