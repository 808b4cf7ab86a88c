//! What a run does, and which numbers go together.

use super::flood::Flood;
use super::genesis;
use super::make::Work;
use super::stock::{Form, Mode};
use crate::client::Failure;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// What is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Our chain, made with the load genesis.
    Cyberd,
    /// CometBFT's built-in key-value application: what CometBFT alone can carry.
    Kvstore,
    /// Another node with the same message of cyberlinks.
    GoCyber,
}

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    Seconds(u64),
    /// So many transactions.
    Count(u64),
}

/// What a run does.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address of the node's RPC.
    pub node: String,
    pub target: Target,
    pub work: Work,
    pub mode: Mode,
    pub connections: usize,
    /// Transactions in one parcel: a JSON-RPC batch, or what goes over a WebSocket before the
    /// answers are read.
    pub batch: usize,
    /// Whether each answer waits for the door of the chain.
    pub sync: bool,
    /// Transactions a second; `None`: as many as the node takes.
    pub rate: Option<u64>,
    pub until: Until,
    /// Transactions that may wait in the mempool.
    pub mempool: u64,
    /// Links the graph is filled up to before anything is measured.
    pub fill: u64,
    pub accounts: u32,
    pub particles: u32,
    pub prefix: String,
    /// The gas limit; `None`: what our chain's formula comes to.
    pub gas: Option<u64>,
    /// Bytes of a key-value transaction.
    pub bytes: usize,
    pub flood: Option<Flood>,
    pub flood_connections: usize,
    /// Memory for requests signed ahead.
    pub ahead_mb: u64,
    /// Ends the run early, with a report of what was done until then.
    pub stop: Arc<AtomicBool>,
}

impl Options {
    /// Thirty seconds of single-link transactions in batches.
    pub fn new(node: &str) -> Options {
        Options {
            node: node.to_owned(),
            target: Target::Cyberd,
            work: Work::Links(1),
            mode: Mode::Batch,
            connections: 16,
            batch: 100,
            sync: false,
            rate: None,
            until: Until::Seconds(30),
            mempool: 20_000,
            fill: 0,
            accounts: genesis::NEURONS,
            particles: 100_000,
            prefix: "bostrom".to_owned(),
            gas: None,
            bytes: 330,
            flood: None,
            flood_connections: 4,
            ahead_mb: 1_024,
            stop: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Refuses numbers that cannot work together.
    ///
    /// # Errors
    /// A usage failure naming the flag.
    pub fn check(&self) -> Result<(), Failure> {
        let out = |flag: &str, value: u64, range: &str| {
            Err(Failure::usage(format!("--{flag} {value}: {range}")))
        };
        let connections = self.connections as u64;
        match () {
            () if !(1..=1_000).contains(&connections) => {
                out("connections", connections, "from 1 to 1000 are possible")
            }
            () if !(1..=1_000).contains(&self.batch) => {
                out("batch", self.batch as u64, "from 1 to 1000 are possible")
            }
            () if self.rate == Some(0) => out("rate", 0, "leave it out for no limit"),
            () if matches!(self.until, Until::Seconds(0) | Until::Count(0)) => {
                out("seconds", 0, "nothing would be sent")
            }
            () if u64::from(self.accounts) < connections || self.accounts > genesis::NEURONS => {
                let range = format!(
                    "at least one for each of {connections} connections, at most the {} of the \
                     load genesis",
                    genesis::NEURONS
                );
                out("accounts", self.accounts.into(), &range)
            }
            () if self.target == Target::Kvstore && (self.fill > 0 || self.flood.is_some()) => {
                Err(Failure::usage("the key-value application has no links: no --fill, no --flood"))
            }
            () => Ok(()),
        }
    }

    pub(super) fn form(&self) -> Form {
        let batch = if self.mode == Mode::Single { 1 } else { self.batch };
        Form { mode: self.mode, batch, sync: self.sync }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_cannot_work_are_refused_with_their_flag() {
        type Change = fn(&mut Options);
        let refused = |change: Change| {
            let mut options = Options::new("http://127.0.0.1:1");
            change(&mut options);
            options.check().map_err(|failure| failure.message)
        };
        assert_eq!(refused(|_| ()), Ok(()));
        let flags: [(Change, &str); 6] = [
            (|options| options.connections = 0, "--connections 0"),
            (|options| options.batch = 1_001, "--batch 1001"),
            (|options| options.rate = Some(0), "--rate 0"),
            (|options| options.until = Until::Count(0), "--seconds 0"),
            (|options| options.accounts = 15, "--accounts 15"),
            (|options| (options.target, options.fill) = (Target::Kvstore, 1), "no --fill"),
        ];
        for (change, flag) in flags {
            let said = refused(change).expect_err(flag);
            assert!(said.contains(flag), "{said}");
        }
    }
}
