//! Application and CometBFT as one pair of processes, started, watched and restarted in the right
//! order.
//!
//! The application listens before CometBFT is started (whose dial is repeated every three seconds
//! only). When either ends, CometBFT stays alive without doing its work, or the pair shows no life
//! ([`watch`]), both are stopped, CometBFT first, and started again. A pair that dies five times in
//! a row without making a block is given up, with the reason and the last lines of its logs; a pair
//! killed from outside is not blamed for it; one that says itself that another start is of no use
//! is not started again. Both processes end when this one does, however it ends.
//!
//! It never looks into the two programs beyond their output, their exit, the processor time they
//! take and three questions: does the application answer, which height is the latest, why does
//! none come.

#![allow(
    clippy::disallowed_methods,
    reason = "watching processes takes clocks and pauses; nothing here is consensus"
)]

mod probe;
mod program;
#[cfg(test)]
mod tests;
mod watch;

pub use probe::{get, get_from, latest_height, result, Probe};
pub use program::{Log, Program, Sign, RESTARTS};

use super::mismatch::RootMismatch;
use crate::error::Fault;
use program::{Ended, Running, Verdict};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use watch::Life;

/// Two programs that live and die together, and how to see that they are well.
pub struct Pair {
    pub application: Program,
    pub cometbft: Program,
    pub probe: Probe,
    /// Without a new height for this long the pair is reported as standing still.
    pub still_after: Duration,
    /// Without a sign of life for this long the pair is started again.
    pub hung_after: Duration,
    /// Where it is written down that the network has another state than we.
    pub mismatch: Option<PathBuf>,
}

/// What happened to a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Both run.
    Started,
    /// Both answer, for the first time since they were started.
    Answers,
    /// The pair is alive: it answers and its head moves, or there is a reason why it does not; or
    /// it is being started. Told twice a second.
    Alive { starting: bool },
    /// The network has another state than we; the line that says so.
    Mismatch(String),
    /// Both are being stopped, because that was asked for.
    Stopping,
    /// A new height.
    Height(u64),
    /// One of the two ended or failed; both will be started again after the pause.
    Restarting { reason: String, pause: Duration },
    /// No new height for too long; said once until there is one.
    StandsStill { height: Option<u64>, since: Duration, reason: Option<String> },
    /// The application takes long to answer after its start; said every ten seconds.
    Waiting { since: Duration },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started => write!(f, "application and CometBFT run"),
            Event::Answers => write!(f, "application and CometBFT answer"),
            Event::Alive { .. } => write!(f, "alive"),
            Event::Stopping => write!(f, "CometBFT and application are being stopped"),
            Event::Mismatch(line) => {
                write!(f, "the network has another state than this node: {line}")
            }
            Event::Height(height) => write!(f, "height {height}"),
            Event::Restarting { reason, pause } => {
                let pause = pause.as_millis();
                write!(f, "{reason}; both are started again in {pause} ms")
            }
            Event::StandsStill { height, since, reason } => {
                let since = since.as_secs();
                match height.filter(|height| *height > 0) {
                    Some(height) => {
                        write!(f, "no new height for {since} s, the latest is {height}")?;
                    }
                    None => write!(f, "no height since the start {since} s ago")?,
                }
                let reason = reason.as_deref();
                write!(f, " ({})", reason.unwrap_or("CometBFT knows no reason"))
            }
            Event::Waiting { since } => {
                write!(f, "the application does not answer yet after {} s", since.as_secs())
            }
        }
    }
}

/// How often the processes are looked at, and the height asked for.
const LOOK: Duration = Duration::from_millis(50);
const ASK: Duration = Duration::from_millis(500);
/// Pauses before the first restart without a block between, the second, …; the last repeats.
const PAUSES_MS: [u64; 5] = [100, 500, 1_000, 3_000, 10_000];
/// Deaths in a row without a block, not counting kills from outside, that end the attempts.
const GIVE_UP: usize = 5;

/// CometBFT's threads: at least four, twice the cores. Its socket client keeps one of them
/// spinning whenever requests flow (a pause of 20 ns where 20 ms were meant), so with as many
/// threads as cores it takes a core from the work: 5,800 instead of 10,250 transactions a second.
pub fn cometbft_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (2 * cores).max(4)
}

/// Runs a pair until `stop` is set, which ends it cleanly within five seconds.
///
/// # Errors
/// [`Fault::Setup`] when a program cannot be started at all, or the pair dies again and again;
/// [`Fault::Unfit`] and [`Fault::Upgrade`] when one of the two says that another start is no use.
pub fn supervise(pair: &Pair, stop: &AtomicBool, tell: &mut dyn FnMut(Event)) -> Result<(), Fault> {
    let mut deaths = 0;
    let mut kills = 0;
    let mut restarts = 0;
    loop {
        let mut life = Life::new(pair, stop, tell, restarts);
        let Some(death) = life.live()? else {
            return Ok(());
        };
        if life.progress {
            (deaths, kills) = (0, 0);
        }
        match death.from_outside {
            true => kills += 1,
            false => deaths += 1,
        }
        match death.verdict {
            Verdict::Again if deaths < GIVE_UP => (),
            Verdict::Again => return Err(Fault::Setup(given_up(&death))),
            Verdict::Later => return Err(Fault::Setup(death.reason)),
            Verdict::Unfit => return Err(Fault::Unfit(death.reason)),
            Verdict::Upgrade => return Err(Fault::Upgrade(death.reason)),
        }
        let at: usize = (deaths + kills).clamp(1, PAUSES_MS.len()) - 1;
        let pause = Duration::from_millis(PAUSES_MS[at]);
        tell(Event::Restarting { reason: death.reason, pause });
        tell(Event::Alive { starting: true });
        restarts += 1;
        if wait(pause, stop) {
            tell(Event::Stopping);
            return Ok(());
        }
    }
}

/// Why a life ended.
struct Death {
    reason: String,
    from_outside: bool,
    verdict: Verdict,
    /// Of the program that ended first.
    last_lines: Vec<String>,
}

fn given_up(death: &Death) -> String {
    let mut text = format!(
        "given up: application and CometBFT ended {GIVE_UP} times without making a block, last: {}",
        death.reason
    );
    if !death.last_lines.is_empty() {
        text.push_str(&format!("\nlast lines of its log:\n  {}", death.last_lines.join("\n  ")));
    }
    text
}

/// Pauses; true as soon as `stop` is set.
fn wait(pause: Duration, stop: &AtomicBool) -> bool {
    let start = Instant::now();
    loop {
        if stop.load(Ordering::Relaxed) {
            return true;
        }
        let left = pause.saturating_sub(start.elapsed());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(LOOK));
    }
}
