//! One life of a pair, from the start of the application to the end of both.
//!
//! A pair is alive while both answer and the head moves, or CometBFT knows why it does not (it is
//! catching up, votes of others are missing), or the application computes: a long block, a rank
//! round that is waited for and a large store that is opened answer nothing for a while, but take
//! processor time, which a process that hangs or was stopped does not. Questions are asked on a
//! thread of their own, so that a program that does not answer delays nothing else.

use super::{wait, Death, Ended, Event, Fault, Pair, RootMismatch, Running, Verdict, ASK, LOOK};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the other program has to say why the first one ended.
const AFTER_AN_END: Duration = Duration::from_millis(500);

/// One life of a pair.
pub(super) struct Life<'a> {
    pair: &'a Pair,
    stop: &'a AtomicBool,
    tell: &'a mut dyn FnMut(Event),
    /// How often the pair was started again before.
    restarts: u64,
    height: Option<u64>,
    /// Whether there was a height above the first one seen.
    pub progress: bool,
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
            verdict: ended.verdict,
            last_lines: culprit.last_lines(),
        })
    }
}

/// What was answered last.
#[derive(Clone, Default)]
struct Answers {
    /// Counts the rounds of questions.
    number: u64,
    application: bool,
    height: Option<u64>,
    reason: Option<String>,
}

/// When a pair showed its last sign of life.
struct Pulse {
    alive: Instant,
    looked: Instant,
    worked: Duration,
}

impl Pulse {
    fn new() -> Pulse {
        let now = Instant::now();
        Pulse { alive: now, looked: now, worked: Duration::ZERO }
    }

    /// Looks: `worked` is the processor time taken so far. True if there is a sign of life, which
    /// a tenth of a processor is.
    fn look(&mut self, answers: bool, worked: Duration) -> bool {
        let passed = self.looked.elapsed();
        let computes = worked.saturating_sub(self.worked).saturating_mul(10) >= passed;
        (self.looked, self.worked) = (Instant::now(), worked);
        if answers || computes {
            self.alive = self.looked;
        }
        answers || computes
    }
}

impl<'a> Life<'a> {
    pub fn new(
        pair: &'a Pair,
        stop: &'a AtomicBool,
        tell: &'a mut dyn FnMut(Event),
        restarts: u64,
    ) -> Life<'a> {
        Life { pair, stop, tell, restarts, height: None, progress: false }
    }

    /// From start to the end of one of the two (`None`: asked to stop). Both are gone afterwards.
    pub fn live(&mut self) -> Result<Option<Death>, Fault> {
        let mut application = self.pair.application.spawn(self.restarts)?;
        if let Some(end) = self.until_ready(&mut application) {
            application.stop();
            return Ok(end.death(&application));
        }
        let mut cometbft = self.pair.cometbft.spawn(self.restarts)?;
        (self.tell)(Event::Started);
        let (answers, done) = (Mutex::new(Answers::default()), AtomicBool::new(false));
        let pair = self.pair;
        let end = std::thread::scope(|scope| {
            scope.spawn(|| ask(pair, &answers, &done));
            let end = self.watch(&mut application, &mut cometbft, &answers);
            done.store(true, Ordering::Relaxed);
            // CometBFT first: losing the application it would report errors on its way out.
            cometbft.stop();
            application.stop();
            end
        });
        self.note_mismatch(&cometbft);
        let culprit = if matches!(end, End::Cometbft(_)) { &cometbft } else { &application };
        Ok(end.death(culprit))
    }

    fn until_ready(&mut self, application: &mut Running) -> Option<End> {
        let start = Instant::now();
        let mut said = Duration::ZERO;
        let mut pulse = Pulse::new();
        while !(self.pair.probe.ready)() {
            if let Some(ended) = application.ended() {
                return Some(End::Application(ended));
            }
            let since = start.elapsed();
            if since.as_secs() >= said.as_secs() + 10 {
                said = since;
                (self.tell)(Event::Waiting { since });
            }
            if pulse.looked.elapsed() >= ASK {
                pulse.look(false, application.processor_time());
                if pulse.alive.elapsed() >= self.pair.hung_after {
                    return Some(End::Application(hung(self.pair.hung_after)));
                }
                (self.tell)(Event::Alive { starting: true });
            }
            if self.stopped() {
                return Some(End::Stopped);
            }
        }
        None
    }

    /// Pauses; whether the end was asked for.
    fn stopped(&mut self) -> bool {
        let stopped = wait(LOOK, self.stop);
        if stopped {
            (self.tell)(Event::Stopping);
        }
        stopped
    }

    fn watch(
        &mut self,
        application: &mut Running,
        cometbft: &mut Running,
        answers: &Mutex<Answers>,
    ) -> End {
        let mut seen = 0;
        let mut moved = Instant::now();
        let (mut told_still, mut told_answers) = (false, false);
        let mut pulse = Pulse::new();
        loop {
            if self.stopped() {
                return End::Stopped;
            }
            if let Some(end) = ended(application, cometbft) {
                return end;
            }
            let now = answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if now.number == seen {
                continue;
            }
            seen = now.number;
            let answer = now.application && now.height.is_some();
            if answer && !told_answers {
                told_answers = true;
                (self.tell)(Event::Answers);
            }
            if self.moves(now.height) {
                (moved, told_still) = (Instant::now(), false);
            }
            let still = moved.elapsed() >= self.pair.still_after;
            if still && !told_still {
                told_still = true;
                let (height, reason) = (self.height, now.reason.clone());
                let since = moved.elapsed();
                (self.tell)(Event::StandsStill { height, since, reason });
            }
            // Until it answers for the first time CometBFT reads its files and replays blocks.
            let starting = !told_answers;
            let worked = application.processor_time()
                + if starting { cometbft.processor_time() } else { Duration::ZERO };
            if pulse.look(answer && (!still || now.reason.is_some()), worked) {
                (self.tell)(Event::Alive { starting });
            } else if pulse.alive.elapsed() >= self.pair.hung_after {
                return End::Application(hung(self.pair.hung_after));
            }
        }
    }

    /// Takes a height in; whether it is a new one.
    fn moves(&mut self, height: Option<u64>) -> bool {
        let Some(height) = height.filter(|height| *height > 0) else { return false };
        let moves = self.height.is_none_or(|before| height > before);
        if moves {
            self.progress |= self.height.is_some();
            self.height = Some(height);
            (self.tell)(Event::Height(height));
        }
        moves
    }

    fn note_mismatch(&mut self, cometbft: &Running) {
        let Some(line) = cometbft.mismatch() else { return };
        if let Some(path) = &self.pair.mismatch {
            RootMismatch { height: self.height.unwrap_or(0), line: line.clone() }.write(path);
        }
        (self.tell)(Event::Mismatch(line));
    }
}

/// Whether and why one of the two ended. The application first: when it dies, CometBFT follows
/// within milliseconds, or says something about it before it is gone.
fn ended(application: &mut Running, cometbft: &mut Running) -> Option<End> {
    if let Some(ended) = application.ended() {
        return Some(End::Application(ended));
    }
    let of_cometbft = cometbft.ended()?;
    let late = Instant::now();
    while late.elapsed() < AFTER_AN_END {
        match application.ended() {
            Some(ended) if ended.verdict != Verdict::Again => return Some(End::Application(ended)),
            Some(_) => break,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    Some(End::Cometbft(of_cometbft))
}

fn hung(after: Duration) -> Ended {
    let after = after.as_secs();
    Ended::decided(format!(
        "or CometBFT shows no life: for {after} s no answers, or no blocks without a reason, and \
         nothing is computed"
    ))
}

/// Asks until it is done.
fn ask(pair: &Pair, answers: &Mutex<Answers>, done: &AtomicBool) {
    let (mut last, mut moved) = (None, Instant::now());
    let mut number = 0;
    while !wait(ASK, done) {
        number += 1;
        let application = (pair.probe.ready)();
        let height = (pair.probe.height)();
        if height != last {
            (last, moved) = (height, Instant::now());
        }
        // Before it is said that the pair stands still.
        let nearly_still = moved.elapsed().saturating_mul(2) >= pair.still_after;
        let reason = nearly_still.then(|| (pair.probe.reason)()).flatten();
        let new = Answers { number, application, height, reason };
        *answers.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}
