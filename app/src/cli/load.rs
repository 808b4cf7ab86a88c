//! `cyberd load`: how much a node takes, and what that costs.

mod show;

use super::context::Context;
use super::nodes;
use super::output::Answer;
use crate::client::load::spawn::{Node, Place};
use crate::client::load::{self, Flood, Mode, Options, Target, Until, Work};
use crate::client::{Exit, Failure};
use serde_json::json;
use std::path::PathBuf;

/// Load a node with signed transactions and measure it
///
/// Without --node it starts a chain of its own from the load genesis (forty times the bandwidth of
/// the development chain, ten times the limits of a block), loads it, reports and removes it. All
/// figures come from blocks, block results and /proc, not from answers to broadcasts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd load                                 single links in batches, half a minute
  cyberd load --links 100 --batch 10 --seconds 60
  cyberd load --sends --rate 4000             what the latency is at that rate
  cyberd load --mode single --connections 64  one call at a time on each connection
  cyberd load --target kvstore                what CometBFT alone carries
  cyberd load --flood unsigned --rate 2000    honest transactions beside bad ones
  cyberd dev --genesis load --no-import       a chain that stays, for
  cyberd load --node http://127.0.0.1:26657 --fill 10000000 --output json
  cyberd load --target go-cyber --node http://127.0.0.1:26657 --gas 400000")]
pub struct Load {
    /// What is loaded
    #[arg(long, value_enum, default_value = "cyberd")]
    target: Target,
    /// How transactions are handed over
    #[arg(long, value_enum, default_value = "batch")]
    mode: Mode,
    /// Connections to the node [default: 16; single: 64]
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
    /// Transactions in a batch, or in flight on a WebSocket
    #[arg(long, value_name = "N", default_value_t = 100)]
    batch: usize,
    /// Links in a transaction
    #[arg(long, value_name = "N", default_value_t = 1)]
    links: u32,
    /// Send a coin in each transaction instead
    #[arg(long, conflicts_with = "links")]
    sends: bool,
    /// Transactions a second [default: as many as the node takes]
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// How long to send
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u64,
    /// How many transactions to send, instead of how long
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    count: Option<u64>,
    /// Wait for the chain's door with each answer: always with --mode single
    #[arg(long)]
    sync: bool,
    /// Transactions that may wait in the mempool
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    mempool: u64,
    /// Fill the graph up to so many links first, which is not measured
    #[arg(long, value_name = "N", default_value_t = 0)]
    fill: u64,
    /// Accounts that sign, of the 10,000 of the load genesis
    #[arg(long, value_name = "N", default_value_t = load::genesis::NEURONS)]
    accounts: u32,
    /// Particles that links are made between
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    particles: u32,
    /// Bad transactions beside the good ones, as many as some connections carry
    #[arg(long, value_enum, value_name = "KIND")]
    flood: Option<Flood>,
    /// Connections of the flood
    #[arg(long, value_name = "N", default_value_t = 4)]
    flood_connections: usize,
    /// Gas limit of each transaction [default: what this chain's formula comes to]
    #[arg(long, value_name = "N")]
    gas: Option<u64>,
    /// Bytes of a transaction of --target kvstore
    #[arg(long, value_name = "N", default_value_t = 330)]
    bytes: usize,
    /// Memory for requests that are signed ahead
    #[arg(long, value_name = "MB", default_value_t = 1_024)]
    ahead_mb: u64,
    /// Pause between blocks of the chain that is started
    #[arg(long, value_name = "TIME", value_parser = super::dev::block_time, default_value = "1s")]
    block_time: u64,
    /// Its ports, N to N + 7 [default: free ones]
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
    /// Keep its files in this folder, which must be empty
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Show the addresses of the accounts, to fund them on another chain; nothing is sent
    #[arg(long)]
    list_accounts: bool,
}

/// Runs `cyberd load`.
pub fn run(context: &Context, load: &Load) -> Result<Answer, Failure> {
    if load.list_accounts {
        return Ok(list(context, load.accounts));
    }
    let mut options = load.options(context)?;
    options.check()?;
    options.stop = nodes::stop_flag()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::local(format!("cannot start: {error}")))?;
    let mut progress = show::Progress::new();
    let report = runtime.block_on(async {
        // Lives until the report is made.
        let node = load.node(context, &mut progress).await?;
        if let Some(node) = &node {
            options.node = node.rpc();
        }
        load::run(&options, &mut progress).await
    })?;
    if report.committed == 0 {
        let refused = show::refused(&report.refused);
        let text = format!("of {} transactions none is in a block: {refused}", report.sent);
        return Err(Failure::new(Exit::Error, "nothing-committed", text));
    }
    let mut json = json!({ "options": load.shown(&options) });
    json["report"] = serde_json::to_value(&report).expect("figures are JSON");
    Ok(Answer::new(json, show::text(&options, &report)))
}

impl Load {
    fn options(&self, context: &Context) -> Result<Options, Failure> {
        let mut options = Options::new(context.node_asked().unwrap_or_default());
        let single = self.mode == Mode::Single;
        (options.target, options.mode, options.batch) = (self.target, self.mode, self.batch);
        options.work = if self.sends { Work::Send } else { Work::Links(self.links) };
        options.connections = self.connections.unwrap_or(if single { 64 } else { 16 });
        options.sync = self.sync || single;
        options.rate = self.rate;
        options.until = self.count.map_or(Until::Seconds(self.seconds), Until::Count);
        (options.mempool, options.fill) = (self.mempool, self.fill);
        (options.accounts, options.particles) = (self.accounts, self.particles);
        options.prefix = context.prefix().to_owned();
        (options.gas, options.bytes, options.ahead_mb) = (self.gas, self.bytes, self.ahead_mb);
        (options.flood, options.flood_connections) = (self.flood, self.flood_connections);
        if self.target == Target::GoCyber && context.node_asked().is_none() {
            return Err(Failure::usage(
                "--target go-cyber needs --node URL: it is not started here",
            )
            .hint("cyberd load --target go-cyber --list-accounts shows whom to fund there"));
        }
        Ok(options)
    }

    /// The node that is started for the run, when none was named.
    async fn node(
        &self,
        context: &Context,
        progress: &mut show::Progress,
    ) -> Result<Option<Node>, Failure> {
        use load::Show;
        let place = Place {
            port_base: self.port_base,
            block_time_ms: self.block_time,
            keep: self.keep.as_deref().map(nodes::absolute).transpose()?,
        };
        match (context.node_asked(), self.target) {
            (Some(_), _) | (None, Target::GoCyber) => Ok(None),
            (None, Target::Cyberd) => {
                progress.say("starting a chain from the load genesis …");
                Node::cyberd(&place).await.map(Some)
            }
            (None, Target::Kvstore) => {
                progress.say("starting CometBFT with its key-value application …");
                Node::kvstore(&place, &mut |line| progress.say(line)).await.map(Some)
            }
        }
    }

    fn shown(&self, options: &Options) -> serde_json::Value {
        json!({
            "target": options.target,
            "mode": options.mode,
            "connections": options.connections,
            "batch": options.batch,
            "sync": options.sync,
            "links": if self.sends { 0 } else { self.links },
            "sends": self.sends,
            "rate": options.rate,
            "seconds": if self.count.is_none() { Some(self.seconds) } else { None },
            "count": self.count,
            "mempool": options.mempool,
            "fill": options.fill,
            "accounts": options.accounts,
            "particles": options.particles,
            "block_time_ms": self.block_time,
            "flood": options.flood,
        })
    }
}

fn list(context: &Context, count: u32) -> Answer {
    let address = |account: &crate::node::cometbft::genesis::Account| {
        account.address.to_bech32(context.prefix())
    };
    let accounts = load::genesis::accounts();
    let addresses: Vec<String> = accounts.iter().take(count as usize).map(address).collect();
    Answer::new(json!({ "addresses": addresses }), addresses.join("\n"))
}
