//! `cyberd join`: from a network file to a node of that network.

use super::context::Context;
use super::nodes::{self, NodeFiles};
use super::output::{grouped, table, Answer};
use super::run as running;
use crate::client::files::private_folder;
use crate::client::join::servers::{self, Asked};
use crate::client::join::{fetch, NetworkFile, Place, Trust};
use crate::client::{Exit, Failure};
use crate::engine::genesis::bulk::FILE;
use crate::node::cometbft::genesis::file::{GenesisFile, Summary};
use crate::node::cometbft::home::{CometHome, NodeKeys, Ports, StateSync};
use crate::node::cometbft::VERSION;
use serde_json::json;
use std::path::{Path, PathBuf};

const NETWORK_FILE_BYTES_MAX: u64 = 1 << 20;
const GENESIS_BYTES_MAX: u64 = 1 << 30;
const BULK_BYTES_MAX: u64 = 64 << 30;
/// How long the trusted block may be all that is known: two thirds of an unbonding time. This chain
/// unbonds nothing yet, so a week.
const TRUST_PERIOD: &str = "168h0m0s";
/// Nodes that are not for development take transactions with fees for this price of gas.
const MINIMUM_GAS_PRICES: &str = "0.01boot";

/// Join a network: fetch its genesis, check it, write a home, start
///
/// The genesis must have the hash of the network file. For state sync one block is trusted: below
/// the newest snapshot, with a hash that at least two servers give and none contradicts. The rest
/// is verified from there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd join https://example.org/network.json
  cyberd join network.json --no-start                 write the home only
  cyberd join network.json --trust 120000:9C2A…       a block you know; one server is enough
  cyberd join network.json --block-sync               replay every block, trust only the genesis
Ended at any moment, the same command begins again. cyberd network-file makes such a file.")]
pub struct Join {
    /// The network file, or its address
    #[arg(value_name = "FILE|URL")]
    network: String,
    /// Trust this block: its height and hash, from somebody you trust
    #[arg(long, value_name = "HEIGHT:HASH", value_parser = Trust::parse)]
    #[arg(conflicts_with = "block_sync")]
    trust: Option<Trust>,
    /// Replay every block since genesis instead of restoring a snapshot
    #[arg(long)]
    block_sync: bool,
    /// Write the home, start nothing
    #[arg(long)]
    no_start: bool,
    /// Name of the node among its peers
    #[arg(long, value_name = "NAME", default_value = "cyberd")]
    moniker: String,
    /// Ports N to N + 5, as for cyberd init [default: 26657, 26656, 26660, 9090, 1317, 26661]
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
}

/// Runs `cyberd join`.
pub fn run(context: &Context, join: &Join) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    if CometHome::of(&home).genesis().exists() {
        let text = format!("{} holds a node already; nothing was changed", home.display());
        return Err(Failure::new(Exit::Error, "node-exists", text)
            .hint("cyberd run starts it; --home DIR chooses another place"));
    }
    let hold = nodes::hold(&home)?;
    let mut joined = context.block_on(prepare(context, join, &home))?;
    let sync = write(join, &home, &joined)?;
    joined.genesis.kept = true;
    let answer = told(&home, &joined, sync.as_ref());
    drop(hold);
    if join.no_start {
        return Ok(answer);
    }
    context.talk(&answer.text);
    running::run(context, &running::Run {})
}

/// What was found out before anything of the home is written.
struct Joined {
    network: NetworkFile,
    asked: Asked,
    trust: Option<Trust>,
    /// The genesis, fetched and checked.
    genesis: Fetched,
    summary: Summary,
}

/// The genesis under a temporary name, and `genesis.bin` where there is one. They go when nothing
/// comes of them.
struct Fetched {
    genesis: PathBuf,
    bulk: Option<PathBuf>,
    kept: bool,
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if !self.kept {
            // One may not have come to be.
            let _ = std::fs::remove_file(&self.genesis);
            self.bulk.iter().for_each(|path| drop(std::fs::remove_file(path)));
        }
    }
}

async fn prepare(context: &Context, join: &Join, home: &Path) -> Result<Joined, Failure> {
    let http = fetch::http()?;
    let place = Place::of(&join.network, Path::new(""));
    let bytes = fetch::small(&http, &place, NETWORK_FILE_BYTES_MAX).await?;
    let network = NetworkFile::parse(&bytes, &join.network)?;
    if network.cometbft.trim_start_matches('v') != VERSION {
        let theirs = &network.cometbft;
        context.talk(&format!("note: the network names CometBFT {theirs}, this is for {VERSION}"));
    }
    let (mut asked, mut trust) = (Asked::default(), None);
    if !join.block_sync {
        asked = servers::ask(&http, &network).await;
        asked.dead.iter().for_each(|dead| context.talk(&format!("passed over: {dead}")));
        let wanted = join.trust.as_ref();
        servers::check(&asked, &network, wanted)?;
        let derived = || servers::height(&asked.servers, network.snapshot_interval);
        match wanted.map(|trust| trust.height).or_else(derived) {
            None => context.talk("no server has a snapshot yet: the node replays the blocks"),
            Some(height) => {
                trust = Some(servers::trust(&http, &asked.servers, height, wanted).await?);
            }
        }
    }
    let beside = Path::new(&join.network).parent().unwrap_or(Path::new("")).to_owned();
    let genesis = fetch_genesis(context, &http, &network, &beside, home).await?;
    context.talk("checking the genesis");
    let file = GenesisFile::read(&genesis.genesis).map_err(nodes::failure)?;
    let summary = file.check().map_err(nodes::failure)?;
    if summary.chain_id != network.chain_id {
        let (theirs, right) = (&summary.chain_id, &network.chain_id);
        let text = format!("the genesis is of the chain {theirs}, the network file of {right}");
        return Err(Failure::new(Exit::Error, "wrong-chain", text));
    }
    Ok(Joined { network, asked, trust, genesis, summary })
}

/// Fetches the genesis under a temporary name, and beside it the `genesis.bin` it names.
async fn fetch_genesis(
    context: &Context,
    http: &reqwest::Client,
    network: &NetworkFile,
    beside: &Path,
    home: &Path,
) -> Result<Fetched, Failure> {
    let config = home.join("config");
    private_folder(&config)
        .map_err(|error| Failure::local(format!("{}: {error}", config.display())))?;
    let genesis = config.join("genesis.json.fetched");
    let mut fetched = Fetched { genesis, bulk: None, kept: false };
    let source = &network.genesis;
    context.talk(&format!("fetching {}", source.url));
    let place = Place::of(&source.url, beside);
    fetch::file(http, &place, &fetched.genesis, GENESIS_BYTES_MAX, &source.sha256).await?;
    let bytes =
        std::fs::read(&fetched.genesis).map_err(|error| Failure::local(error.to_string()))?;
    let document: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::local(format!("{place}: {error}")))?;
    let named = document["app_state"]["bulk"]["sha256"].as_str().unwrap_or("none");
    let said = network.bulk.as_ref().map_or("none", |bulk| bulk.sha256.as_str());
    if !said.eq_ignore_ascii_case(named) {
        let text = format!("genesis.bin: the network file names {said}, the genesis {named}");
        return Err(Failure::new(Exit::Error, "wrong-hash", text));
    }
    if let Some(source) = &network.bulk {
        context.talk(&format!("fetching {}", source.url));
        let place = Place::of(&source.url, beside);
        let path = fetched.bulk.insert(config.join(FILE));
        fetch::file(http, &place, path, BULK_BYTES_MAX, &source.sha256).await?;
    }
    Ok(fetched)
}

/// Writes the home; the genesis gets its name last, so that before it there is no node.
fn write(join: &Join, home: &Path, joined: &Joined) -> Result<Option<StateSync>, Failure> {
    let keys = NodeKeys::random().map_err(nodes::failure)?;
    let files = NodeFiles {
        home,
        moniker: join.moniker.clone(),
        ports: Ports::of(join.port_base, 0).map_err(nodes::failure)?,
        keys: &keys,
        block_time_ms: 1_000,
        development: false,
        peers: joined.network.peers.clone(),
        minimum_gas_prices: MINIMUM_GAS_PRICES,
    };
    files.write(None)?;
    let comet = CometHome::of(home);
    let servers = &joined.asked.servers;
    let sync = joined.trust.as_ref().map(|trust| StateSync {
        // CometBFT wants two; one that the user vouches for may stand twice.
        rpc_servers: servers
            .iter()
            .cycle()
            .take(servers.len().max(2))
            .map(|it| it.rpc.clone())
            .collect(),
        trust_height: trust.height,
        trust_hash: trust.hash.clone(),
        trust_period: TRUST_PERIOD,
    });
    if let Some(sync) = &sync {
        comet.write_state_sync(sync).map_err(nodes::failure)?;
    }
    let to = comet.genesis();
    std::fs::rename(&joined.genesis.genesis, &to)
        .and_then(|()| std::fs::File::open(home.join("config"))?.sync_all())
        .map_err(|error| Failure::local(format!("{}: {error}", to.display())))?;
    Ok(sync)
}

fn told(home: &Path, joined: &Joined, sync: Option<&StateSync>) -> Answer {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let Joined { network, summary, .. } = joined;
    let mut rows = vec![
        row("chain", network.chain_id.clone()),
        row("home", home.display().to_string()),
        row("genesis", format!("SHA-256 {}, as the network file says", network.genesis.sha256)),
        row(
            "begins with",
            format!("{} accounts, {} links", grouped(summary.accounts), grouped(summary.links)),
        ),
        row("peers", network.peers.join(", ")),
    ];
    match sync {
        None => rows.push(row("sync", "blocks, from the first on".to_owned())),
        Some(sync) => {
            rows.push(row("sync", "state sync: a snapshot, then blocks".to_owned()));
            rows.push(row("trusted block", format!("{} {}", sync.trust_height, sync.trust_hash)));
            rows.push(row("said by", sync.rpc_servers.join(", ")));
            rows.push(row("trusted for", sync.trust_period.to_owned()));
        }
    }
    rows.push(row("written", "config/: config.toml, app.toml, genesis.json, keys".to_owned()));
    let json = json!({
        "chain_id": network.chain_id,
        "home": home,
        "genesis_sha256": network.genesis.sha256,
        "peers": network.peers,
        "state_sync": sync.map(|sync| json!({
            "trust_height": sync.trust_height,
            "trust_hash": sync.trust_hash,
            "trust_period": sync.trust_period,
            "rpc_servers": sync.rpc_servers,
        })),
        "dead_servers": joined.asked.dead,
    });
    Answer::new(json, table(&rows))
}
