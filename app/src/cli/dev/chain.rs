//! The files of a development chain and the processes that run it.

use super::accounts::{accounts, store_keys, validator_keys, DevAccount};
use super::settings::{DevSettings, Genesis, MOST_NODES};
use crate::cli::nodes::{self, NodeFiles};
use crate::client::files;
use crate::client::keys::Backend;
use crate::client::settings::ClientSettings;
use crate::client::{load, Failure};
use crate::config::{file_text, Config};
use crate::error::Fault;
use crate::node::cometbft::genesis::{self, Account, Validator};
use crate::node::cometbft::home::{node_id, public_key, CometHome, Ports};
use crate::node::supervisor::{supervise, Event, Log};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{mpsc, Arc};
use std::thread::JoinHandle;

/// Free of charge: transactions other than cyberlinks pay what they like.
const MINIMUM_GAS_PRICES: &str = "0boot";
/// Voting power of each validator.
const POWER: u64 = 10;
/// What a development chain keeps in its home besides `config` and `node…`, whose removal makes
/// it a new one. Keys and a CometBFT that was built there stay.
const REMOVED: [&str; 7] =
    ["data", "logs", "content", "sequences", "imports", "abci.sock", "ready.json"];

/// A development chain: its settings, its neurons, its nodes.
pub struct Chain {
    /// Absolute; the first node's home, and the clients'.
    pub home: PathBuf,
    pub settings: DevSettings,
    pub accounts: Vec<DevAccount>,
    pub nodes: Vec<DevNode>,
}

/// A node of a development chain.
pub struct DevNode {
    pub name: String,
    pub home: PathBuf,
    pub ports: Ports,
    /// Its name among peers.
    pub id: String,
    /// Whether it is a validator.
    pub votes: bool,
}

impl Chain {
    /// The chain that the settings describe, in a home.
    ///
    /// # Errors
    /// When there are no ports for so many nodes.
    pub fn new(home: &Path, settings: DevSettings) -> Result<Chain, Failure> {
        let node = |index: u16| {
            let name = format!("node{index}");
            let home = match index {
                0 => home.to_owned(),
                _ => home.join(&name),
            };
            let ports = Ports::of(settings.port_base, index).map_err(nodes::failure)?;
            let id = node_id(&validator_keys(&settings.seed, index));
            Ok(DevNode { name, home, ports, id, votes: index < settings.nodes })
        };
        let count = settings.nodes + settings.full_nodes;
        let nodes = (0..count).map(node).collect::<Result<_, Failure>>()?;
        let accounts = accounts(&settings.seed, settings.accounts);
        Ok(Chain { home: home.to_owned(), settings, accounts, nodes })
    }

    /// Writes what is missing, and the settings that may have changed.
    ///
    /// # Errors
    /// Those of the files.
    pub fn write(&self) -> Result<(), Failure> {
        // First of all: what follows is then known to be ours, also after a crash.
        self.settings.save(&self.home)?;
        let genesis = self.genesis()?;
        for (index, node) in (0..).zip(&self.nodes) {
            let files = NodeFiles {
                home: &node.home,
                moniker: node.name.clone(),
                ports: node.ports,
                keys: &validator_keys(&self.settings.seed, index),
                block_time_ms: self.settings.block_time_ms,
                development: true,
                peers: self.peers(node),
                minimum_gas_prices: MINIMUM_GAS_PRICES,
            };
            if self.nodes.len() > 1 {
                rank_on_the_cpu(&node.home)?;
            }
            files.write(Some(&genesis))?;
            if self.settings.genesis == Genesis::Load {
                load::spawn::for_load(&CometHome::of(&node.home), node.ports.rpc)
                    .map_err(nodes::failure)?;
            }
        }
        store_keys(&self.home, &self.accounts)?;
        let mut client = ClientSettings::load(&self.home)?;
        client.keyring.get_or_insert(Backend::Test);
        if let Some(first) = self.accounts.first() {
            client.from.get_or_insert_with(|| first.name.clone());
        }
        client.save(&self.home)
    }

    /// The genesis that is there, else a new one.
    fn genesis(&self) -> Result<Value, Failure> {
        let path = CometHome::of(&self.home).genesis();
        let failure = |reason: String| Failure::local(format!("{}: {reason}", path.display()));
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| failure(error.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(self.new_genesis()),
            Err(error) => Err(failure(error.to_string())),
        }
    }

    fn new_genesis(&self) -> Value {
        let validator = |index: u16| Validator {
            name: format!("node{index}"),
            public_key: public_key(&validator_keys(&self.settings.seed, index).validator),
            power: POWER,
        };
        let validators: Vec<Validator> = (0..self.settings.nodes).map(validator).collect();
        let account = |known: &DevAccount| Account { address: known.address, amount: known.amount };
        let mut accounts: Vec<Account> = self.accounts.iter().map(account).collect();
        let document = |accounts: &[Account]| {
            genesis::document(&self.settings.chain_id, &nodes::now(), &validators, accounts)
        };
        match self.settings.genesis {
            Genesis::Dev => document(&accounts),
            Genesis::Load => {
                accounts.extend(load::genesis::accounts());
                let mut document = document(&accounts);
                load::genesis::scale(&mut document);
                document
            }
        }
    }

    /// All validators but one node itself, as that one reaches them.
    fn peers(&self, node: &DevNode) -> Vec<String> {
        let others = self.nodes.iter().filter(|other| other.votes && other.id != node.id);
        others.map(|other| format!("{}@127.0.0.1:{}", other.id, other.ports.p2p)).collect()
    }

    /// Starts all nodes.
    ///
    /// # Errors
    /// When a port is taken or the files contradict each other; nothing runs then.
    pub fn start(&self, cometbft: &Path, stop: &Arc<AtomicBool>) -> Result<Nodes, Failure> {
        for node in &self.nodes {
            nodes::check_ports(&node.ports)?;
        }
        let pair = |node: &DevNode| {
            let log = node.home.join("logs/application.log");
            nodes::pair(&node.home, cometbft.to_owned(), Log::File(log))
        };
        let pairs = self.nodes.iter().map(pair).collect::<Result<Vec<_>, Failure>>()?;
        let (tell, events) = mpsc::channel();
        let start = |(index, pair)| {
            let (stop, tell) = (Arc::clone(stop), mpsc::Sender::clone(&tell));
            // Nobody listens any more only when the chain is being stopped.
            std::thread::spawn(move || {
                supervise(&pair, &stop, &mut |event| drop(tell.send((index, event))))
            })
        };
        let threads = pairs.into_iter().enumerate().map(start).collect();
        Ok(Nodes { threads, events, stop: Arc::clone(stop) })
    }
}

/// Settings for a node that shares its machine, and with it the GPU, with others; where there are
/// some already they stay.
fn rank_on_the_cpu(home: &Path) -> Result<(), Failure> {
    let path = Config::path(home);
    if path.exists() {
        return Ok(());
    }
    files::private_folder(&home.join("config"))
        .map_err(|error| Failure::local(format!("{}: {error}", path.display())))?;
    let values = [("rank.device", "cpu"), ("fees.minimum_gas_prices", MINIMUM_GAS_PRICES)];
    nodes::write_file(&path, &file_text(&values))
}

/// Deletes the development chain of a home; its marker, `config/dev.toml`, goes last.
///
/// # Errors
/// The first thing that cannot be deleted.
pub fn remove(home: &Path) -> Result<(), Failure> {
    let node_homes = (1..MOST_NODES).map(|index| format!("node{index}"));
    let fixed = REMOVED.iter().map(|name| (*name).to_owned());
    for name in node_homes.chain(fixed).chain(["config".to_owned()]) {
        let path = home.join(name);
        let removed = match path.is_dir() {
            true => std::fs::remove_dir_all(&path),
            false => std::fs::remove_file(&path),
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::local(format!("{}: {error}", path.display())));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The running nodes, each with a supervisor's thread.
pub struct Nodes {
    threads: Vec<JoinHandle<Result<(), Fault>>>,
    events: mpsc::Receiver<(usize, Event)>,
    stop: Arc<AtomicBool>,
}

impl Nodes {
    /// What happened since the last call: which node, what.
    pub fn events(&self) -> impl Iterator<Item = (usize, Event)> + '_ {
        self.events.try_iter()
    }

    /// Whether a node has given up.
    pub fn failed(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Stops all nodes and waits for them; the first reason why one had given up.
    ///
    /// # Errors
    /// That reason.
    pub fn stop(self) -> Result<(), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let mut outcome = Ok(());
        for (index, thread) in self.threads.into_iter().enumerate() {
            let ended = thread.join().expect("a supervisor does not panic");
            let failure = |fault: Fault| Failure::local(format!("node{index}: {fault}"));
            outcome = outcome.and(ended.map_err(failure));
        }
        outcome
    }
}
