//! What a round gives back.

use std::time::Duration;

/// The codes after a round and how it went. All but `timing` is a function of the input alone.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// One packed code per particle, in order of particle number.
    pub codes: Vec<u32>,
    /// Sweeps done, the one that changed nothing included.
    pub sweeps: u32,
    /// Codes that the last sweep changed: 0 when the round came to rest by itself.
    pub changed_in_last_sweep: u64,
    /// For logs and metrics only.
    pub timing: Timing,
}

/// Where the time of a round went; different on every run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Taking in new links and stakes, and computing weights.
    pub weights: Duration,
    /// All sweeps.
    pub sweeps: Duration,
    /// Putting the codes in order of particle number.
    pub codes: Duration,
    /// Sweeps over all links.
    pub full_sweeps: u32,
    /// Sweeps over what had changed.
    pub delta_sweeps: u32,
    /// Whether the links were put in order again.
    pub built: bool,
}
