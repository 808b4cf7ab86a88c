//! `cyberd run`: application and CometBFT as one supervised pair, in the foreground.

use super::context::Context;
use super::nodes;
use super::output::Answer;
use crate::client::{Exit, Failure};
use crate::node::cometbft;
use crate::node::cometbft::home::CometHome;
use crate::node::supervisor::{self, Event, Log};
use serde_json::json;

/// Run the node: application and CometBFT as one supervised pair
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd run
  cyberd run --home /var/lib/cyberd
When either process ends both are started again in the right order. Ctrl-C or SIGTERM ends both
cleanly. The application's log goes to standard error, CometBFT's to HOME/logs/cometbft.log.")]
pub struct Run {}

/// Runs until it is stopped.
pub fn run(context: &Context, _: &Run) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    if !CometHome::of(&home).genesis().exists() {
        return Err(Failure::new(
            Exit::Error,
            "no-node",
            format!("{} holds no node: config/genesis.json is missing", home.display()),
        )
        .hint("cyberd init makes one, cyberd dev a whole development chain"));
    }
    let program = cometbft::find_or_install(&home, &mut |line| context.talk(line));
    let program = program.map_err(nodes::failure)?;
    let _hold = nodes::hold(&home)?;
    let pair = nodes::pair(&home, program, Log::Passed)?;
    let stop = nodes::stop_flag()?;
    context.talk(&format!(
        "cyberd run: CometBFT {} with GOMAXPROCS={} (at least 4, twice the cores: its socket \
         client keeps one thread spinning), log in {}",
        cometbft::VERSION,
        supervisor::cometbft_threads(),
        home.join("logs/cometbft.log").display()
    ));
    supervisor::supervise(&pair, &stop, &mut |event| {
        if !matches!(event, Event::Height(_)) {
            context.talk(&format!("cyberd run: {event}"));
        }
    })
    .map_err(nodes::failure)?;
    Ok(Answer::new(json!({ "stopped": true }), "stopped"))
}
