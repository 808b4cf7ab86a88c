//! `cyberd network-file`: what others need to join the network of a running node.

use super::context::Context;
use super::nodes;
use super::output::Answer;
use crate::client::join::{fetch, NetworkFile, Place, Source};
use crate::client::{Exit, Failure};
use crate::config::Config;
use crate::node::cometbft::genesis::file::GenesisFile;
use crate::node::cometbft::home::CometHome;
use crate::node::cometbft::VERSION;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Make the file with which others join the network of this running node
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd network-file --host one.example.org --rpc http://two.example.org:26657 > network.json
  cyberd network-file --to network.json --host 127.0.0.1
The node serves genesis.json and genesis.bin itself, under /cyberd/v1/ of its REST address, which
must be reachable for those who join, as must the RPC address and the p2p port. Two servers are
needed for state sync: give a second one with --rpc.")]
pub struct Ask {
    /// The name or address under which others reach this node
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// The RPC address of a further node
    #[arg(long = "rpc", value_name = "URL")]
    rpc: Vec<String>,
    /// A further peer
    #[arg(long = "peer", value_name = "ID@HOST:PORT")]
    peers: Vec<String>,
    /// Write here instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Runs `cyberd network-file`.
pub fn run(context: &Context, ask: &Ask) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    let genesis = GenesisFile::read(&CometHome::of(&home).genesis()).map_err(nodes::failure)?;
    let config = Config::load(&home, &[], std::env::vars());
    let config = config.map_err(|error| Failure::local(error.to_string()))?;
    let Some(rest) = config.api.rest_listen else {
        return Err(Failure::local("REST is off: the genesis is served there")
            .hint("set api.rest_listen in config/app.toml and start the node again"));
    };
    let status = context.block_on(ask_node(context.node(), "status"))?;
    let text = |pointer: &str| {
        let text = status.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let port = |address: &str| address.rsplit_once(':').map(|(_, port)| port.to_owned());
    let p2p = port(&text("/node_info/listen_addr")).unwrap_or_else(|| "26656".to_owned());
    let rpc = port(context.node()).unwrap_or_else(|| "26657".to_owned());
    let (chain_id, own) = (text("/node_info/network"), &genesis.document["chain_id"]);
    if *own != chain_id.as_str() {
        let text = format!("{} runs {chain_id}, the genesis here is of {own}", context.node());
        return Err(Failure::new(Exit::Error, "wrong-chain", text));
    }
    let host = &ask.host;
    let url = |name: &str| format!("http://{host}:{}/cyberd/v1/{name}", rest.port());
    let bulk = genesis.document["app_state"]["bulk"]["sha256"].as_str();
    let mut all = vec![format!("http://{host}:{rpc}")];
    for rpc in &ask.rpc {
        if !all.contains(rpc) {
            all.push(rpc.clone());
        }
    }
    let mut peers = vec![format!("{}@{host}:{p2p}", text("/node_info/id"))];
    peers.extend(ask.peers.iter().cloned());
    let file = NetworkFile {
        chain_id,
        genesis: Source {
            url: url("genesis.json"),
            sha256: hex::encode(genesis.sha256().map_err(nodes::failure)?),
        },
        bulk: bulk.map(|sha256| Source { url: url("genesis.bin"), sha256: sha256.to_owned() }),
        rpc: all,
        peers,
        cometbft: VERSION.to_owned(),
        cyberd: env!("CARGO_PKG_VERSION").to_owned(),
        app_version: app_version(context)?,
        snapshot_interval: snapshot_interval(&home),
    };
    let json = serde_json::to_value(&file).expect("JSON");
    let text = serde_json::to_string_pretty(&file).expect("JSON");
    match &ask.to {
        None => Ok(Answer::new(json, text)),
        Some(to) => {
            nodes::write_file(to, &format!("{text}\n"))?;
            let said = format!("others join with: cyberd join {}", to.display());
            Ok(Answer::new(json, said))
        }
    }
}

/// `snapshot_interval` of the node's settings, where they have it.
fn snapshot_interval(home: &Path) -> u64 {
    let text = std::fs::read_to_string(Config::path(home)).unwrap_or_default();
    let toml: toml::Table = text.parse().unwrap_or_default();
    let own = |value: &toml::Value| value.get("snapshot_interval")?.as_integer();
    let found = toml.values().find_map(own).and_then(|found| u64::try_from(found).ok());
    found.filter(|found| *found > 0).unwrap_or(1_000)
}

/// The version of the rules that the chain follows now: the program may know a newer one.
fn app_version(context: &Context) -> Result<u64, Failure> {
    let info = context.block_on(ask_node(context.node(), "abci_info"))?;
    let version = info.pointer("/response/app_version").and_then(Value::as_str);
    version.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let text = format!("{} does not say which version of the rules it follows", context.node());
        Failure::new(Exit::Error, "wrong-chain", text).hint("name a node of cyberd: --node URL")
    })
}

async fn ask_node(node: &str, method: &str) -> Result<Value, Failure> {
    let http = fetch::http()?;
    let node = node.trim_end_matches('/').replace("tcp://", "http://");
    let node = if node.contains("://") { node } else { format!("http://{node}") };
    let place = Place::Url(format!("{node}/{method}"));
    let bytes = fetch::small(&http, &place, 1 << 20).await?;
    let answer: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::local(format!("{place}: {error}")))?;
    Ok(answer["result"].clone())
}
