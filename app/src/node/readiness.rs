//! Whether the node does its work: what `/ready` answers, with every reason against it.

use super::application::Heart;
use super::mismatch::RootMismatch;
use super::supervisor;
use crate::config::{Config, Device};
use crate::modules::rank;
use crate::rank::device::Status;
use crate::store::Reader;
use crate::telemetry::{self, Condition};
use crate::types::Height;
use serde::Serialize;
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub ready: bool,
    /// The last committed height.
    pub height: u64,
    /// Seconds since the last block, or since the start.
    pub head_age_s: u64,
    /// The last published rank round, 0 before the first.
    pub round: u64,
    /// Why not; empty if ready.
    pub reasons: Vec<Reason>,
}

/// What is looked at: whether CometBFT is reachable; whether it has caught up; the age of the
/// head; the last round; the GPU, where the operator counts on it; the free space of the disk;
/// whether the network had another state.
pub const CHECKS: [&str; 7] = ["cometbft", "catching_up", "head", "rank", "gpu", "store", "root"];

/// Something that keeps the node from its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// One of [`CHECKS`].
    pub check: &'static str,
    pub reason: String,
}

/// Looks at the node.
pub struct Readiness {
    /// `http://HOST:PORT`.
    rpc: String,
    home: PathBuf,
    head_age_max: Duration,
    free_disk_min_bytes: u64,
    reader: Reader,
    heart: Arc<Heart>,
    /// The GPU worker, where the operator counts on it.
    gpu: Option<Status>,
}

impl Readiness {
    pub(super) fn new(
        config: &Config,
        reader: Reader,
        heart: Arc<Heart>,
        gpu: Option<Status>,
    ) -> Readiness {
        Readiness {
            rpc: config.cometbft_rpc.clone(),
            home: config.home.clone(),
            head_age_max: config.head_age_max,
            free_disk_min_bytes: config.free_disk_min_bytes,
            reader,
            heart,
            gpu: gpu.filter(|_| config.rank_device == Device::Gpu),
        }
    }

    /// The last committed height.
    pub fn height(&self) -> Height {
        self.reader.latest().height()
    }

    /// Looks. Asks CometBFT, so it may take a second.
    pub fn report(&self) -> Report {
        let latest = self.reader.latest();
        let is_empty = latest.height() == Height(0);
        let published = (!is_empty).then(|| rank::state::published(&*latest)).flatten();
        let (cometbft, caught_up) = match self.cometbft() {
            Ok(caught_up) => (Ok(()), caught_up),
            Err(reason) => (Err(reason), Ok(())),
        };
        let found = [
            cometbft,
            caught_up,
            self.head(latest.height()),
            if is_empty { Ok(()) } else { round(&latest) },
            self.gpu(),
            self.disk(),
            self.root(),
        ];
        let reasons = CHECKS
            .into_iter()
            .zip(found)
            .filter_map(|(check, found)| found.err().map(|reason| Reason { check, reason }));
        let reasons: Vec<_> = reasons.collect();
        Report {
            ready: reasons.is_empty(),
            height: latest.height().0,
            head_age_s: self.heart.age().as_secs(),
            round: published.map_or(0, |published| published.round),
            reasons,
        }
    }

    /// The same as metrics.
    pub fn sample(&self) {
        let report = self.report();
        let speaks = |check| report.reasons.iter().any(|reason| reason.check == check);
        let latest = self.reader.latest();
        let is_empty = latest.height() == Height(0);
        let published = (!is_empty).then(|| rank::state::published(&*latest)).flatten();
        telemetry::condition(&Condition {
            head_age: self.heart.age(),
            is_ready: report.ready,
            checks: CHECKS.into_iter().map(|check| (check, speaks(check))).collect(),
            disk_free_bytes: self.free_bytes().ok(),
            disk_reserve_bytes: self.free_disk_min_bytes,
            round_height: published.map_or(0, |published| published.height),
            round_period: match is_empty {
                true => 0,
                false => rank::state::params(&*latest).calculation_period,
            },
            has_mismatch: speaks("root"),
        });
    }

    /// Whether CometBFT answers; then, whether it has caught up.
    fn cometbft(&self) -> Result<Result<(), String>, String> {
        let host = self.rpc.trim_start_matches("http://").trim_end_matches('/');
        let place = host.to_socket_addrs().ok().and_then(|mut places| places.next());
        let answer = place.and_then(|place| supervisor::get_from(place, "/status"));
        let answer = answer.ok_or_else(|| format!("not reachable at {}", self.rpc))?;
        let status: serde_json::Value = serde_json::from_str(&answer)
            .map_err(|e| format!("{} answers oddly: {e}", self.rpc))?;
        let sync = &status["result"]["sync_info"];
        match sync["catching_up"].as_bool() {
            Some(false) => Ok(Ok(())),
            Some(true) => {
                let height = sync["latest_block_height"].as_str().unwrap_or("?");
                Ok(Err(format!("catching up, at height {height}")))
            }
            None => Err(format!("{} answers without sync_info", self.rpc)),
        }
    }

    fn head(&self, height: Height) -> Result<(), String> {
        let (age, most) = (self.heart.age().as_secs(), self.head_age_max.as_secs());
        match (height, age > most) {
            (Height(0), _) => Err("no block yet".to_owned()),
            (_, true) => Err(format!("block {height} is {age} s old, at most {most} s are right")),
            _ => Ok(()),
        }
    }

    /// The ranks come all the same, from the CPU.
    fn gpu(&self) -> Result<(), String> {
        let missing = self.gpu.as_ref().and_then(Status::missing);
        missing.map_or(Ok(()), |why| Err(format!("rank.device = gpu, but the worker {why}")))
    }

    fn free_bytes(&self) -> Result<u64, String> {
        let found = nix::sys::statvfs::statvfs(&self.home);
        let found = found.map_err(|e| format!("{}: {e}", self.home.display()))?;
        Ok(found.blocks_available().saturating_mul(found.fragment_size()))
    }

    fn disk(&self) -> Result<(), String> {
        let free = self.free_bytes()?;
        // A warning before the store stops the node.
        let least = self.free_disk_min_bytes.saturating_mul(2);
        if free < least {
            let (free, stop) = (free / 1_000_000, self.free_disk_min_bytes / 1_000_000);
            return Err(format!("{free} MB of disk are free, below {stop} MB the node stops"));
        }
        Ok(())
    }

    /// What the supervisor wrote down.
    fn root(&self) -> Result<(), String> {
        let Some(RootMismatch { height, line }) = RootMismatch::read(&self.home) else {
            return Ok(());
        };
        let path = RootMismatch::path(&self.home);
        Err(format!(
            "after height {height} the network had another state than this node: {line}; compare \
             cyberd roots {height} with another node's, and remove {} when it is settled",
            path.display()
        ))
    }
}

/// A frozen round is published one period later; two periods allow for a period that changed.
fn round(state: &crate::store::Snapshot) -> Result<(), String> {
    let Some(frozen) = rank::state::frozen(state) else { return Ok(()) };
    let period = rank::state::params(state).calculation_period;
    let due = frozen.height.saturating_add(period.saturating_mul(2));
    if state.height().0 > due {
        let (round, height) = (frozen.round, frozen.height);
        return Err(format!("round {round}, frozen at height {height}, is not published"));
    }
    Ok(())
}
