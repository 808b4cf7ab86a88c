//! `cyberd run`: application and CometBFT as one supervised pair, in the foreground.

use super::context::Context;
use super::nodes;
use super::output::Answer;
use crate::client::{Exit, Failure};
use crate::node::cometbft;
use crate::node::cometbft::home::CometHome;
use crate::node::notify::Manager;
use crate::node::supervisor::{self, Event, Log};
use crate::telemetry::logs;
use serde_json::json;

/// Run the node: application and CometBFT as one supervised pair
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd run
  cyberd run --home /var/lib/cyberd
When either process ends, or both show no life for 45 s, both are started again in the right order.
Ctrl-C or SIGTERM ends both cleanly within 5 s. The log goes to standard error, as text or JSON
([log] in config/app.toml), CometBFT's to HOME/logs/cometbft.log. Under systemd (Type=notify) it
says when the pair answers, what it does, and that it is alive (WatchdogSec).
It ends with 1 when the pair dies again and again or a state sync failed, 8 when another start is
of no use until something is changed, 9 when the chain goes on with another version.")]
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
        .hint(
            "cyberd init makes one, cyberd join one of a running network, cyberd dev a whole \
             development chain; --home DIR names another place",
        ));
    }
    let program = cometbft::find_or_install(&home, &mut |line| context.talk(line));
    let program = program.map_err(nodes::failure)?;
    let _hold = nodes::hold(&home)?;
    let config = nodes::settings(&home)?;
    logs::install(config.log_format, &config.log_level).map_err(Failure::local)?;
    let pair = nodes::pair(&home, program, Log::Passed)?;
    let stop = nodes::stop_flag()?;
    let mut manager = Manager::of_environment();
    // GOMAXPROCS: at least 4, twice the cores: its socket client keeps one thread spinning.
    tracing::info!(
        cometbft = cometbft::VERSION,
        threads = supervisor::cometbft_threads(),
        log = %home.join("logs/cometbft.log").display(),
        "the pair starts"
    );
    supervisor::supervise(&pair, &stop, &mut |event| {
        manager.hear(&event);
        log(&event);
    })
    .map_err(|fault| with_remedy(nodes::failure(fault)))
    .inspect_err(|failure| manager.status(&failure.message))?;
    Ok(Answer::new(json!({ "stopped": true }), "stopped"))
}

/// What can be done when the blocks to make a lost state again are gone too.
fn with_remedy(failure: Failure) -> Failure {
    match failure.message.contains("is too far below block store base") {
        false => failure,
        true => failure.hint(
            "the state was lost and CometBFT no longer has the blocks after it: cyberd snapshot \
             import FILE, with a snapshot of this chain that another node exported; or cyberd join \
             with a new home",
        ),
    }
}

/// What an operator reads; heights come from the application.
fn log(event: &Event) {
    match event {
        Event::Height(_) | Event::Alive { .. } => (),
        Event::Restarting { reason, pause } => {
            tracing::warn!(reason, pause_ms = pause.as_millis() as u64, "both are started again");
        }
        Event::Mismatch(_) => tracing::error!("{event}"),
        Event::StandsStill { .. } | Event::Waiting { .. } => tracing::warn!("{event}"),
        Event::Started | Event::Answers | Event::Stopping => tracing::info!("{event}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    #[test]
    fn blocks_that_are_gone_too_are_told_with_the_ways_out() {
        let line = "app block height (0) is too far below block store base (1200)";
        let failure = with_remedy(nodes::failure(Fault::Unfit(line.to_owned())));
        assert_eq!(failure.exit, Exit::Unfit);
        let hint = failure.hint.unwrap_or_default();
        assert!(hint.contains("cyberd snapshot import") && hint.contains("cyberd join"), "{hint}");
        assert_eq!(with_remedy(Failure::local("another reason")).hint, None);
    }
}
