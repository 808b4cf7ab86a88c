//! `cyberd query`: one question to the chain, one answer.

mod chain;
mod graph;

use super::context::Context;
use super::output::Answer;
use crate::client::Failure;

pub use graph::round_json;

/// Ask the chain one thing: accounts, bandwidth, ranks, rounds, transactions
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd query balances alice
  cyberd query bandwidth alice
  cyberd query rank dog
  cyberd query rounds --limit 3 --output json
  cyberd query tx 3F2A…")]
pub struct Query {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Number and sequence of an account
    #[command(after_help = "Example:\n  cyberd query account alice")]
    Account(Who),
    Balance(chain::Balance),
    /// Everything an account holds
    #[command(after_help = "Example:\n  cyberd query balances alice")]
    Balances(Who),
    /// What exists of every denomination
    #[command(after_help = "Example:\n  cyberd query supply")]
    Supply,
    Tx(chain::Tx),
    Raw(chain::Raw),
    /// All parameters of rank and bandwidth
    #[command(after_help = "Example:\n  cyberd query params --output json")]
    Params,
    /// How much of the network's bandwidth is in use
    #[command(after_help = "Example:\n  cyberd query load")]
    Load,
    /// The price of a raw unit of bandwidth
    #[command(after_help = "Example:\n  cyberd query price")]
    Price,
    /// What a neuron may still write
    #[command(after_help = "Example:\n  cyberd query bandwidth alice")]
    Bandwidth(Who),
    /// How many links and particles there are
    #[command(visible_alias = "stats", after_help = "Example:\n  cyberd query graph")]
    Graph,
    /// The rank of a particle
    #[command(after_help = "Example:\n  cyberd query rank dog")]
    Rank(graph::What),
    /// How much a particle's rank tells, in units of 10^-15
    #[command(after_help = "Example:\n  cyberd query entropy dog")]
    Entropy(graph::What),
    /// The order in the whole graph, in bits
    #[command(after_help = "Example:\n  cyberd query negentropy")]
    Negentropy,
    /// The weight of all a neuron's links
    #[command(after_help = "Example:\n  cyberd query karma alice")]
    Karma(Who),
    Rounds(graph::Rounds),
    Deltas(graph::Deltas),
    Link(graph::Link),
}

/// One account.
#[derive(Debug, clap::Args)]
struct Who {
    /// An address, or the name of a key of this home
    #[arg(value_name = "ADDRESS|KEY")]
    account: String,
}

/// Runs `cyberd query …`.
pub fn run(context: &Context, query: &Query) -> Result<Answer, Failure> {
    match &query.command {
        Command::Account(who) => chain::account(context, &who.account),
        Command::Balance(balance) => chain::balance(context, balance),
        Command::Balances(who) => chain::balances(context, &who.account),
        Command::Supply => chain::supply(context),
        Command::Tx(tx) => chain::tx(context, tx),
        Command::Raw(raw) => chain::raw(context, raw),
        Command::Params => chain::params(context),
        Command::Load => chain::load(context),
        Command::Price => chain::price(context),
        Command::Bandwidth(who) => chain::bandwidth(context, &who.account),
        Command::Graph => graph::stats(context),
        Command::Rank(what) => graph::rank(context, what),
        Command::Entropy(what) => graph::entropy(context, what),
        Command::Negentropy => graph::negentropy(context),
        Command::Karma(who) => graph::karma(context, &who.account),
        Command::Rounds(rounds) => graph::rounds(context, rounds),
        Command::Deltas(deltas) => graph::deltas(context, deltas),
        Command::Link(link) => graph::link(context, link),
    }
}
