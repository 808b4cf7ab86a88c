//! `cyberd compact`: the database of a stopped node, written anew without what it no longer needs.

use super::context::Context;
use super::nodes;
use super::output::Answer;
use crate::client::Failure;
use crate::config::Config;
use crate::error::Fault;
use crate::node;
use crate::statesync::megabytes;
use crate::store::compact;
use serde_json::json;

/// Write the state's database anew, without the space that removed records left
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cyberd compact
The node must be stopped, and as much space as the state needs must be free beside it. The copy is
opened and its roots are compared before it takes the original's place, at once, and only if it is
smaller; a kill before that changes nothing. CometBFT has a command for its own databases, which are
not touched here: cometbft experimental-compact-goleveldb.")]
pub struct Compact {}

/// Runs `cyberd compact`.
pub fn run(context: &Context, _: &Compact) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    let config = Config::load(&home, &[], std::env::vars());
    let config = config.map_err(|error| Failure::local(error.to_string()))?;
    let folder = node::store_folder(&config);
    if !folder.exists() {
        let text = format!("{} holds no state: {} is missing", home.display(), folder.display());
        return Err(Failure::local(text));
    }
    let _hold = nodes::hold(&home)?;
    let done = compact::compact(&folder, &mut |line| context.talk(line));
    let done = done.map_err(|fault| {
        let hint = match fault {
            Fault::Damage(_) => "nothing was changed; cyberd run repairs what can be, at its start",
            _ => "nothing was changed",
        };
        Failure::local(fault.to_string()).hint(hint)
    })?;
    let [before, after] = [done.bytes_before, done.bytes_after].map(megabytes);
    let text =
        format!("{} at height {}: {before} before, {after} now", folder.display(), done.height);
    let json = json!({
        "folder": folder,
        "height": done.height.0,
        "bytes_before": done.bytes_before,
        "bytes_after": done.bytes_after,
    });
    Ok(Answer::new(json, text))
}
