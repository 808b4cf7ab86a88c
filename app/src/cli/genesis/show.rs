//! `cyberd genesis validate` and `hash`.

use super::add::coins_text;
use super::{failure, read};
use crate::cli::context::Context;
use crate::cli::output::{grouped, table, Answer};
use crate::client::Failure;
use crate::node::cometbft::genesis::file::{GenesisFile, Summary};
use serde_json::{json, Value};
use std::path::PathBuf;

/// Say whether a chain can start from a genesis file, and what is in it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd genesis validate
  cyberd genesis validate genesis.json --output json
A file that cannot work is refused with the place in it, the value there and what is right.")]
pub struct Validate {
    /// The file [default: config/genesis.json of the home]
    file: Option<PathBuf>,
}

/// Show the SHA-256 of a genesis file and the app hash its chain begins with
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd genesis hash
  cyberd genesis hash genesis.json --output json
Nodes of one chain have one genesis: compare the SHA-256 before you join. The app hash stands in the
header of the first block.")]
pub struct Hash {
    /// The file [default: config/genesis.json of the home]
    file: Option<PathBuf>,
}

/// Runs `cyberd genesis validate`.
pub fn validate(context: &Context, validate: &Validate) -> Result<Answer, Failure> {
    let file = read(context, validate.file.as_deref())?;
    let summary = file.check().map_err(|fault| failure(&file.path, fault))?;
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let json = summary_json(&file, &summary);
    let text = table(&[
        row("chain", summary.chain_id.clone()),
        row("first height", grouped(summary.initial_height)),
        row(
            "validators",
            format!("{} with the power {}", summary.validators, grouped(summary.power)),
        ),
        row("accounts", grouped(summary.accounts)),
        row("supply", coins_text(&json["supply"])),
        row(
            "graph",
            format!(
                "{} particles, {} links of {} neurons",
                grouped(summary.particles),
                grouped(summary.links),
                grouped(summary.neurons)
            ),
        ),
        row("app hash", hex::encode_upper(summary.app_hash)),
    ]);
    Ok(Answer::new(json, format!("{text}\n{}: a chain can start from it", file.path.display())))
}

fn summary_json(file: &GenesisFile, summary: &Summary) -> Value {
    let coin =
        |(denom, amount): &(String, u128)| json!({ "denom": denom, "amount": amount.to_string() });
    json!({
        "file": file.path,
        "chain_id": summary.chain_id,
        "initial_height": summary.initial_height,
        "validators": summary.validators,
        "power": summary.power,
        "accounts": summary.accounts,
        "supply": summary.supply.iter().map(coin).collect::<Vec<_>>(),
        "particles": summary.particles,
        "neurons": summary.neurons,
        "links": summary.links,
        "app_hash": hex::encode_upper(summary.app_hash),
    })
}

/// Runs `cyberd genesis hash`.
pub fn hash(context: &Context, hash: &Hash) -> Result<Answer, Failure> {
    let file = read(context, hash.file.as_deref())?;
    let wrong = |fault| failure(&file.path, fault);
    let summary = file.check().map_err(wrong)?;
    let sha256 = hex::encode(file.sha256().map_err(wrong)?);
    let app_hash = hex::encode_upper(summary.app_hash);
    let bulk = file.document["app_state"]["bulk"].clone();
    let mut text = format!("{sha256}  {}", file.path.display());
    if let (Some(name), Some(sha256)) = (bulk["file"].as_str(), bulk["sha256"].as_str()) {
        text.push_str(&format!("\n{sha256}  {}", file.folder().join(name).display()));
    }
    text.push_str(&format!("\n{app_hash}  app hash of the first block's header"));
    let json = json!({
        "file": file.path,
        "sha256": sha256,
        "bulk": bulk,
        "app_hash": app_hash,
    });
    Ok(Answer::new(json, text))
}
