//! `cyberd chain-info`: what a wallet wants to know of the chain, from the files of a node's home.

use super::context::Context;
use super::nodes;
use super::output::Answer;
use crate::client::Failure;
use crate::config::Config;
use crate::node::cometbft::home::CometHome;
use crate::query::rest::chain_info::ChainInfo;

/// The stake denomination of the shipped genesis.
const DENOMINATION: &str = "boot";

/// Show what Keplr and other wallets want to know of the chain, as JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd chain-info
  cyberd chain-info --rpc https://rpc.example --rest https://api.example
A running node answers the same at REST's /chain-info.")]
pub struct Ask {
    /// CometBFT's RPC as wallets reach it [default: this node's]
    #[arg(long, value_name = "URL")]
    rpc: Option<String>,
    /// REST as wallets reach it [default: this node's]
    #[arg(long, value_name = "URL")]
    rest: Option<String>,
}

/// Reads the home.
pub fn run(context: &Context, ask: &Ask) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    let config = Config::load(&home, &[], std::env::vars())
        .map_err(|error| Failure::local(error.to_string()))?;
    let genesis = CometHome::of(&home).genesis();
    let failure = |reason: String| Failure::local(format!("{}: {reason}", genesis.display()));
    let text = std::fs::read_to_string(&genesis).map_err(|error| {
        failure(error.to_string()).hint("cyberd init makes a node's home, cyberd dev a chain")
    })?;
    let genesis: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| failure(error.to_string()))?;
    let price = config.minimum_gas_prices.iter().find(|price| price.denom == DENOMINATION);
    let rest = config.api.rest_listen.map(|at| format!("http://{at}"));
    let info = ChainInfo {
        chain_id: genesis["chain_id"].as_str().unwrap_or_default().to_owned(),
        prefix: context.prefix().to_owned(),
        denom: DENOMINATION.to_owned(),
        gas_price: price.map_or_else(|| "0".to_owned(), |price| price.amount.to_string()),
        rpc: ask.rpc.clone().unwrap_or(config.cometbft_rpc),
        rest: ask.rest.clone().or(rest).unwrap_or_default(),
    };
    let json = info.json();
    let text = serde_json::to_string_pretty(&json).expect("JSON");
    Ok(Answer::new(json, text))
}
