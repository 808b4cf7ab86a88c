//! How far an import is and how it ended; a bar on a terminal, plain lines elsewhere.

use crate::client::failure::Failure;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;
use tokio::time::Instant;

/// How far an import is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Links on the chain, those of earlier runs included.
    pub done: u64,
    pub total: u64,
    /// Links that became done in this run.
    pub done_now: u64,
    pub elapsed: Duration,
    /// Units of bandwidth that all neurons of the import have left.
    pub bandwidth_left: u64,
    pub height: u64,
}

impl State {
    /// Links a second in this run.
    pub fn links_per_second(&self) -> u64 {
        let milliseconds = self.elapsed.as_millis().max(1) as u64;
        self.done_now.saturating_mul(1000) / milliseconds
    }

    /// What is left at this pace; `None` before there is one.
    pub fn seconds_left(&self) -> Option<u64> {
        let left = self.total.saturating_sub(self.done);
        left.checked_div(self.links_per_second())
    }

    /// What stands beside a bar: pace, bandwidth, height, time to go.
    pub fn words(&self) -> String {
        let left = match self.seconds_left() {
            Some(seconds) => clock(seconds),
            None => "…".to_owned(),
        };
        format!(
            "{} links/s, bandwidth left {}, height {}, {left} to go",
            self.links_per_second(),
            self.bandwidth_left,
            self.height
        )
    }
}

fn clock(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// How an import ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Links of the plan that are on the chain.
    pub done: u64,
    pub total: u64,
    /// Those of them that this run brought there (or found there).
    pub done_now: u64,
    pub transactions: u64,
    pub elapsed: Duration,
    /// The height at which the last of them was there.
    pub height: u64,
    /// Neurons that could not go on.
    pub stopped: Vec<StoppedLane>,
}

/// A neuron that could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedLane {
    pub key: String,
    pub neuron: String,
    pub links_left: u64,
    pub failure: Failure,
}

/// Whoever shows it.
pub trait Progress {
    /// Called several times a second.
    fn step(&mut self, state: &State);
    /// Something that stays readable.
    fn say(&mut self, line: &str);
    /// The last state stands.
    fn end(&mut self) {}
}

/// Shows nothing.
pub struct Silent;

impl Progress for Silent {
    fn step(&mut self, _: &State) {}
    fn say(&mut self, _: &str) {}
}

/// A bar at the foot of a terminal.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    pub fn new() -> Bar {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} links, {msg}")
            .expect("the template is well formed");
        bar.set_style(style);
        Bar { bar }
    }
}

impl Default for Bar {
    fn default() -> Bar {
        Bar::new()
    }
}

impl Progress for Bar {
    fn step(&mut self, state: &State) {
        self.bar.set_length(state.total);
        self.bar.set_position(state.done);
        self.bar.set_message(state.words());
    }

    fn say(&mut self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    fn end(&mut self) {
        self.bar.abandon();
    }
}

/// A line on standard error every two seconds.
pub struct Lines {
    last: Option<Instant>,
    shown: u64,
    state: State,
}

const BETWEEN_LINES: Duration = Duration::from_secs(2);

impl Lines {
    pub fn new() -> Lines {
        Lines { last: None, shown: u64::MAX, state: State::default() }
    }

    fn print(&mut self) {
        let State { done, total, .. } = self.state;
        eprintln!("{done}/{total} links, {}", self.state.words());
        self.shown = done;
    }
}

impl Default for Lines {
    fn default() -> Lines {
        Lines::new()
    }
}

impl Progress for Lines {
    fn step(&mut self, state: &State) {
        self.state = state.clone();
        if self.last.is_none_or(|last| last.elapsed() >= BETWEEN_LINES) {
            self.last = Some(Instant::now());
            self.print();
        }
    }

    fn say(&mut self, line: &str) {
        eprintln!("{line}");
    }

    fn end(&mut self) {
        if self.shown != self.state.done {
            self.print();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_and_time_to_go_follow_from_what_this_run_did() {
        let state = State {
            done: 5_000,
            total: 25_000,
            done_now: 4_000,
            elapsed: Duration::from_secs(2),
            ..State::default()
        };
        assert_eq!((state.links_per_second(), state.seconds_left()), (2_000, Some(10)));
        assert_eq!(State::default().seconds_left(), None);
        assert_eq!(clock(59), "59 s");
        assert_eq!(clock(125), "2 min 05 s");
        assert_eq!(clock(7_260), "2 h 01 min");
    }
}
