//! `cyberd init`: the home of a node, for a new chain or one that exists.

use super::context::Context;
use super::nodes::{self, NodeFiles};
use super::output::{table, Answer};
use crate::client::{Exit, Failure};
use crate::node::cometbft::genesis::{self, Account, Validator};
use crate::node::cometbft::home::{node_id, public_key, CometHome, NodeKeys, Ports};
use crate::types::{Address, Coin};
use serde_json::{json, Value};
use std::path::PathBuf;

/// Nodes that are not for development take transactions with fees for this price of gas.
const MINIMUM_GAS_PRICES: &str = "0.01boot";
const POWER: u64 = 10;

/// Make the home of a node: keys, settings, genesis
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd init --chain-id mine-1 --account alice=1000000000boot    a new chain, this its validator
  cyberd init --genesis genesis.json --peer ID@HOST:26656         a node of a chain that exists
  cyberd init --chain-id mine-1 --account alice=1000boot --signer unix:///run/signer/cyberd.sock
With --signer the key made here (config/priv_validator_key.json, data/priv_validator_state.json)
moves to where the signer is: tmkms, or CometBFT's priv_val_server, which takes both files.
Then: cyberd run. `cyberd dev` does all of it for a development chain.")]
pub struct Init {
    /// Name of the new chain
    #[arg(long, value_name = "ID", required_unless_present = "genesis")]
    #[arg(conflicts_with = "genesis")]
    chain_id: Option<String>,
    /// An account of the new chain: address or name of a key, and what it holds
    #[arg(long = "account", value_name = "WHO=AMOUNTboot", required_unless_present = "genesis")]
    #[arg(conflicts_with = "genesis")]
    accounts: Vec<String>,
    /// Use this genesis
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// A node to stay connected with, as often as there are
    #[arg(long = "peer", value_name = "ID@HOST:PORT")]
    peers: Vec<String>,
    /// Name of the node among its peers
    #[arg(long, value_name = "NAME", default_value = "cyberd")]
    moniker: String,
    /// Ports N to N + 5 for RPC, p2p, CometBFT metrics, gRPC, REST, health and metrics [default:
    /// 26657, 26656, 26660, 9090, 1317, 26661]
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
    /// A remote signer has the validator's key and dials this: tcp://127.0.0.1:PORT or unix:///PATH
    #[arg(long, value_name = "ADDRESS", value_parser = signer_address)]
    signer: Option<String>,
    /// Pause between blocks
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = super::dev::block_time)]
    block_time: u64,
}

/// Writes the home.
pub fn run(context: &Context, init: &Init) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    let comet = CometHome::of(&home);
    if comet.genesis().exists() {
        return Err(Failure::new(
            Exit::Error,
            "node-exists",
            format!("{} holds a node already; nothing was changed", home.display()),
        )
        .hint("cyberd run starts it; --home DIR chooses another place"));
    }
    let keys = NodeKeys::random().map_err(nodes::failure)?;
    let document = match &init.genesis {
        Some(path) => read_genesis(path)?,
        None => new_genesis(context, init, &keys)?,
    };
    genesis::check(&document).map_err(nodes::failure)?;
    let ports = Ports::of(init.port_base, 0).map_err(nodes::failure)?;
    let files = NodeFiles {
        home: &home,
        moniker: init.moniker.clone(),
        ports,
        keys: &keys,
        block_time_ms: init.block_time,
        development: false,
        peers: init.peers.clone(),
        minimum_gas_prices: MINIMUM_GAS_PRICES,
    };
    files.write(Some(&document))?;
    if let Some(address) = &init.signer {
        comet.set_signer(address).map_err(nodes::failure)?;
    }
    let chain_id = document["chain_id"].as_str().unwrap_or_default();
    let peer = format!("{}@HOST:{}", node_id(&keys), ports.p2p);
    let row = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
    let text = table(&[
        row("chain", chain_id),
        row("home", &home.display().to_string()),
        row("RPC", &format!("http://127.0.0.1:{}", ports.rpc)),
        row("REST", &format!("http://127.0.0.1:{}", ports.rest)),
        row("gRPC", &format!("http://127.0.0.1:{}", ports.grpc)),
        row("peers reach it at", &peer),
    ]);
    let json = json!({ "chain_id": chain_id, "home": home, "rpc_port": ports.rpc, "peer": peer });
    Ok(Answer::new(json, format!("{text}\n\ncyberd run starts it")))
}

/// Whoever reaches the address first signs, so it is this machine's own.
fn signer_address(text: &str) -> Result<String, String> {
    let port = text.strip_prefix("tcp://127.0.0.1:").or_else(|| text.strip_prefix("tcp://[::1]:"));
    let is_port = port.is_some_and(|port| port.parse::<u16>().is_ok());
    match is_port || text.starts_with("unix:///") {
        true => Ok(text.to_owned()),
        false => Err("tcp://127.0.0.1:PORT or unix:///PATH is right".to_owned()),
    }
}

fn read_genesis(path: &std::path::Path) -> Result<Value, Failure> {
    let failure = |reason: String| Failure::local(format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failure(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| failure(error.to_string()))
}

fn new_genesis(context: &Context, init: &Init, keys: &NodeKeys) -> Result<Value, Failure> {
    let accounts = init.accounts.iter().map(|text| account(context, text));
    let accounts = accounts.collect::<Result<Vec<Account>, Failure>>()?;
    let validator = Validator {
        name: init.moniker.clone(),
        public_key: public_key(&keys.validator),
        power: POWER,
    };
    let chain_id = init.chain_id.as_deref().unwrap_or_default();
    Ok(genesis::document(chain_id, &nodes::now(), &[validator], &accounts))
}

/// Reads `alice=10boot` or `bostrom1…=10boot`.
fn account(context: &Context, text: &str) -> Result<Account, Failure> {
    let wrong = |reason: String| Failure::usage(format!("--account {text}: {reason}"));
    let (who, coin) = text
        .split_once('=')
        .ok_or_else(|| wrong("right is ADDRESS=10boot or NAME=10boot".to_owned()))?;
    let coin = Coin::parse(coin).map_err(|error| wrong(error.to_string()))?;
    if coin.denom != "boot" {
        return Err(wrong(format!("the stake denomination is boot, not {}", coin.denom)));
    }
    let amount = u64::try_from(coin.amount.0).ok().filter(|amount| *amount < 1 << 63);
    let amount = amount.ok_or_else(|| wrong("at most 2^63 - 1 are possible".to_owned()))?;
    let address = match Address::parse(who, context.prefix()) {
        Ok(address) => address,
        Err(error) => match context.keys().show(who) {
            Ok(info) => info.address(),
            Err(_) => return Err(wrong(format!("{error}, and no key has this name"))),
        },
    };
    Ok(Account { address, amount })
}
