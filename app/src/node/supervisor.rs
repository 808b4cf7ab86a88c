//! Application and CometBFT as one pair of processes, started, watched and restarted in the right
//! order.
//!
//! The application listens before CometBFT is started (whose dial is repeated every three seconds
//! only). When either ends, or CometBFT stays alive without doing its work, both are stopped,
//! CometBFT first, and started again. A pair that dies five times in a row without making a block
//! is given up, with the reason and the last lines of its logs; a pair killed from outside is not
//! blamed for it. Both processes end when this one does, however it ends.
//!
//! It never looks into the two programs beyond their output, their exit and two questions: does
//! the application answer, and which height is the latest.

#![allow(
    clippy::disallowed_methods,
    reason = "watching processes takes clocks and pauses; nothing here is consensus"
)]

mod probe;
mod program;
#[cfg(test)]
mod tests;

pub use probe::{get, get_from, latest_height, Probe};
pub use program::{Log, Program};

use crate::error::Fault;
use program::{Ended, Running};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Two programs that live and die together, and how to see that they are well.
pub struct Pair {
    pub application: Program,
    pub cometbft: Program,
    pub probe: Probe,
    /// Without a new height for this long the pair is reported as standing still.
    pub still_after: Duration,
}

/// What happened to a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Both run.
    Started,
    /// A new height.
    Height(u64),
    /// One of the two ended or failed; both will be started again after the pause.
    Restarting { reason: String, pause: Duration },
    /// No new height for too long; said once until there is one.
    StandsStill { height: Option<u64>, since: Duration },
    /// The application takes long to answer after its start; said every ten seconds.
    Waiting { since: Duration },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started => write!(f, "application and CometBFT run"),
            Event::Height(height) => write!(f, "height {height}"),
            Event::Restarting { reason, pause } => {
                let pause = pause.as_millis();
                write!(f, "{reason}; both are started again in {pause} ms")
            }
            Event::StandsStill { height: Some(height), since } => {
                write!(f, "no new height for {} s, the latest is {height}", since.as_secs())
            }
            Event::StandsStill { height: None, since } => {
                write!(f, "no height since the start {} s ago", since.as_secs())
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
/// [`Fault::Setup`] when a program cannot be started at all, or the pair dies again and again.
pub fn supervise(pair: &Pair, stop: &AtomicBool, tell: &mut dyn FnMut(Event)) -> Result<(), Fault> {
    let mut deaths = 0;
    let mut kills = 0;
    loop {
        let mut life = Life { height: None, progress: false };
        let Some(death) = live(pair, stop, tell, &mut life)? else {
            return Ok(());
        };
        if life.progress {
            (deaths, kills) = (0, 0);
        }
        match death.from_outside {
            true => kills += 1,
            false => deaths += 1,
        }
        if deaths >= GIVE_UP {
            return Err(Fault::Setup(given_up(&death)));
        }
        let at: usize = (deaths + kills).clamp(1, PAUSES_MS.len()) - 1;
        let pause = Duration::from_millis(PAUSES_MS[at]);
        tell(Event::Restarting { reason: death.reason, pause });
        if wait(pause, stop) {
            return Ok(());
        }
    }
}

/// What one life of the pair has come to.
struct Life {
    height: Option<u64>,
    /// Whether there was a height above the first one seen.
    progress: bool,
}

/// Why a life ended.
struct Death {
    reason: String,
    from_outside: bool,
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

/// From start to the end of one of the two (or `None`: asked to stop). Both are gone afterwards.
fn live(
    pair: &Pair,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event),
    life: &mut Life,
) -> Result<Option<Death>, Fault> {
    let mut application = pair.application.spawn()?;
    if let Some(end) = until_ready(&mut application, pair, stop, tell) {
        application.stop();
        return Ok(end.death(&application));
    }
    let mut cometbft = pair.cometbft.spawn()?;
    tell(Event::Started);
    let end = watch(&mut application, &mut cometbft, pair, stop, tell, life);
    // CometBFT first: losing the application it would report errors on its way out.
    cometbft.stop();
    application.stop();
    let culprit = if matches!(end, End::Cometbft(_)) { &cometbft } else { &application };
    Ok(end.death(culprit))
}

/// Why watching ended.
enum End {
    Stopped,
    Application(Ended),
    Cometbft(Ended),
}

impl End {
    fn death(self, culprit: &Running) -> Option<Death> {
        let ended = match self {
            End::Stopped => return None,
            End::Application(ended) | End::Cometbft(ended) => ended,
        };
        Some(Death {
            reason: format!("{} {}", culprit.name(), ended.reason),
            from_outside: ended.from_outside,
            last_lines: culprit.last_lines(),
        })
    }
}

fn until_ready(
    application: &mut Running,
    pair: &Pair,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event),
) -> Option<End> {
    let start = Instant::now();
    let mut said = Duration::ZERO;
    while !(pair.probe.ready)() {
        if let Some(ended) = application.ended() {
            return Some(End::Application(ended));
        }
        let since = start.elapsed();
        if since.as_secs() >= said.as_secs() + 10 {
            said = since;
            tell(Event::Waiting { since });
        }
        if wait(LOOK, stop) {
            return Some(End::Stopped);
        }
    }
    None
}

fn watch(
    application: &mut Running,
    cometbft: &mut Running,
    pair: &Pair,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event),
    life: &mut Life,
) -> End {
    let mut asked = Instant::now();
    let mut moved = Instant::now();
    let mut told_still = false;
    loop {
        if wait(LOOK, stop) {
            return End::Stopped;
        }
        // The application first: when it dies, CometBFT follows within milliseconds.
        if let Some(ended) = application.ended() {
            return End::Application(ended);
        }
        if let Some(ended) = cometbft.ended() {
            return End::Cometbft(ended);
        }
        if asked.elapsed() < ASK {
            continue;
        }
        asked = Instant::now();
        match (pair.probe.height)() {
            Some(height) if life.height.is_none_or(|before| height > before) => {
                life.progress |= life.height.is_some();
                life.height = Some(height);
                (moved, told_still) = (Instant::now(), false);
                tell(Event::Height(height));
            }
            _ if moved.elapsed() >= pair.still_after && !told_still => {
                told_still = true;
                tell(Event::StandsStill { height: life.height, since: moved.elapsed() });
            }
            _ => {}
        }
    }
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
