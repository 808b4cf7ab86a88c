//! The load generator: as many signed transactions as a node takes, and what that cost.
//!
//! A run looks up its accounts, signs ahead, sends over many connections, never fills the mempool
//! beyond a limit, stops by itself, and reads from block headers and block results what really
//! happened. The same code drives our chain, CometBFT's own example application (the ceiling of
//! what CometBFT can carry) and another node with the same cyberlink message, so that figures of
//! the three compare.
//!
//! ```no_run
//! use cyberd::client::load::{self, Options};
//! # async fn example() -> Result<(), cyberd::client::Failure> {
//! let mut options = Options::new("http://127.0.0.1:26657");
//! options.work = load::Work::Links(10);
//! let report = load::run(&options, &mut load::Quiet).await?;
//! println!("{:.0} links/s", report.steady.links_per_second);
//! # Ok(())
//! # }
//! ```
//!
//! | part | what |
//! |---|---|
//! | [`genesis`] | the chain that is loaded, as changes to the development chain |
//! | [`make`], [`stock`] | transactions, made and encoded ahead on all cores |
//! | [`send`], [`http`] | connections |
//! | [`watch`], `pace`, [`process`] | heights, mempool, what may be sent, processor time, memory |
//! | [`blocks`], [`report`] | what the chain says afterwards |
//! | [`flood`] | bad transactions beside the good ones |
//! | [`spawn`] | a node to load, for one run |
//!
//! It trusts no answer to a broadcast: committed is what stands in a block. It deliberately never
//! sends a transaction again; what is refused is counted.

mod accounts;
pub mod blocks;
pub mod flood;
pub mod genesis;
pub mod http;
pub mod make;
pub mod options;
mod pace;
pub mod process;
pub mod report;
pub mod send;
mod session;
pub mod spawn;
pub mod stock;
pub mod watch;

pub use flood::Flood;
pub use make::Work;
pub use options::{Options, Target, Until};
pub use report::Report;
pub use stock::Mode;

use super::Failure;
use session::Session;

/// Whoever shows how far a run is.
pub trait Show {
    /// Something that stays readable.
    fn say(&mut self, line: &str);
    /// How much of something is done, and words beside it.
    fn step(&mut self, done: u64, total: u64, words: &str);
    /// The last step is over.
    fn end(&mut self) {}
}

/// Shows nothing.
pub struct Quiet;

impl Show for Quiet {
    fn say(&mut self, _: &str) {}
    fn step(&mut self, _: u64, _: u64, _: &str) {}
}

/// Loads a node and reports.
///
/// # Errors
/// Wrong options, a node that is not there or goes away, accounts it does not know.
pub async fn run(options: &Options, show: &mut dyn Show) -> Result<Report, Failure> {
    options.check()?;
    let mut session = Session::open(options).await?;
    if options.fill > 0 {
        session.fill(show).await?;
    }
    session.measure(show).await
}
