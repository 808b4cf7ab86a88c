//! `cyberd export`: the state of a stopped node as a genesis file.

use super::context::Context;
use super::nodes;
use super::output::{grouped, Answer};
use crate::client::Failure;
use crate::config::Config;
use crate::engine::export;
use crate::engine::genesis::bulk::FILE;
use crate::modules::params;
use crate::node;
use crate::node::cometbft::genesis::file::GenesisFile;
use crate::node::cometbft::genesis::lists;
use crate::store::{Options, Snapshot, Store};
use serde_json::{json, Value};
use std::path::{Path, PathBuf};

/// Write the state as a genesis file that a new chain goes on from
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd export > genesis.json
  cyberd export --to genesis.json
  cyberd export --to genesis.json --chain-id next-1 --genesis-time 2027-01-01T00:00:00Z
The node must be stopped. Beyond 10,000 accounts or links the long lists go into genesis.bin beside
the file: the two belong together. They carry all: accounts, balances, bandwidth, particles and
links in order, ranks, the round that was running. A new chain from it begins one height later and
publishes that round bit for bit as this one would.")]
pub struct Export {
    /// Write here instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// The id of the new chain [default: that of this one]
    #[arg(long, value_name = "ID")]
    chain_id: Option<String>,
    /// When the new chain may begin, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    genesis_time: Option<String>,
}

/// Runs `cyberd export`.
pub fn run(context: &Context, export: &Export) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    let snapshot = latest(&home)?;
    let id = params::state::chain(snapshot.as_ref()).chain_id;
    let id = export.chain_id.as_deref().unwrap_or(&id);
    let time = match &export.genesis_time {
        Some(time) => time.clone(),
        None => nodes::now(),
    };
    let (sizes, height) = (snapshot.sizes(), snapshot.height());
    context.talk(&format!(
        "exporting height {height}: {} particles, {} links …",
        grouped(sizes.particles.into()),
        grouped(sizes.links.into())
    ));
    let failed = |error: serde_json::Error| Failure::local(format!("the genesis file: {error}"));
    let Some(to) = &export.to else {
        if export::needs_bulk(&snapshot) {
            let text = "accounts or links beyond 10,000 are written beside the genesis file";
            return Err(Failure::usage(text).hint("cyberd export --to genesis.json"));
        }
        let file = export::genesis_file(&snapshot, id, &time).map_err(failed)?;
        return Ok(Answer::new(file.clone(), serde_json::to_string(&file).map_err(failed)?));
    };
    let mut file = GenesisFile::new(to, Value::Null);
    let state = match export::needs_bulk(&snapshot) {
        false => export::app_state(&snapshot),
        true => {
            let path = lists::pending(file.folder());
            export::app_state_beside(&snapshot, &path, FILE).map_err(nodes::failure)?
        }
    };
    file.document = export::genesis_of(&snapshot, &state, id, &time).map_err(failed)?;
    let bulk = state.bulk.clone();
    if let Some(bulk) = state.bulk {
        file.set_bulk(bulk);
    }
    file.write().map_err(nodes::failure)?;
    let first = file.document["initial_height"].clone();
    let beside = bulk.as_ref().map_or(String::new(), |bulk| {
        format!(", and {} beside it ({} bytes)", bulk.file, grouped(bulk.size))
    });
    let said = format!(
        "{}{beside} has the state of height {height}; the new chain {id} begins at {}",
        to.display(),
        first.as_str().unwrap_or_default()
    );
    let json = json!({
        "file": to,
        "height": height.0,
        "chain_id": id,
        "initial_height": first,
        "bulk": bulk,
    });
    Ok(Answer::new(json, said))
}

/// The latest state of a home.
fn latest(home: &Path) -> Result<std::sync::Arc<Snapshot>, Failure> {
    let config = Config::load(home, &[], std::env::vars());
    let config = config.map_err(|error| Failure::local(error.to_string()))?;
    let folder = node::store_folder(&config);
    if !folder.exists() {
        let text = format!("{} holds no state: {} is missing", home.display(), folder.display());
        return Err(Failure::local(text));
    }
    let store = Store::open(&folder, Options::default()).map_err(|fault| {
        Failure::local(fault.to_string()).hint("stop the node first: its state is in use")
    })?;
    if store.is_empty() {
        let text = format!("{} has no block yet, there is nothing to export", home.display());
        return Err(Failure::local(text));
    }
    Ok(store.latest())
}
