//! A node's home and the pair of processes that runs it: what `init`, `run` and `dev` share.

use super::identity;
use crate::abci::address::Address;
use crate::client::files::{self, Access};
use crate::client::settings::ClientSettings;
use crate::client::{Exit, Failure};
use crate::config::{Config, TEMPLATE};
use crate::error::Fault;
use crate::node::cometbft::home::{CometHome, NodeKeys, Ports, Settings};
use crate::node::mismatch::RootMismatch;
use crate::node::supervisor::{cometbft_threads, Log, Pair, Probe, Program, Sign};
use nix::fcntl::Flock;
use serde_json::Value;
use std::fs::File;
use std::io::{IsTerminal, Seek, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// A stalled chain is reported after so many block times, but not before so many seconds.
const STILL_BLOCKS: u64 = 30;
const STILL_AT_LEAST: Duration = Duration::from_secs(15);
/// Without a sign of life for so long a pair is started again.
const HUNG_AFTER: Duration = Duration::from_secs(45);
/// What CometBFT's output tells beyond its exit code, which is always 1. A proposal that is merely
/// refused may be somebody else's mistake; these lines are written about blocks that the others
/// agreed on, or that we had.
const COMETBFT_SIGNS: &[(&str, Sign)] = &[
    ("CONSENSUS FAILURE!!!", Sign::Stuck),
    ("State sync failed", Sign::Later),
    ("no space left on device", Sign::Later),
    ("committed an invalid block", Sign::Mismatch),
    ("prevoted for an invalid block", Sign::Mismatch),
    ("does not match AppHash after replay", Sign::Mismatch),
    ("couldn't read GenesisDoc", Sign::Unfit),
    ("error reading GenesisDoc", Sign::Unfit),
    ("is higher than core", Sign::Unfit),
    ("is too far below block store base", Sign::Unfit),
    // Of the hash it expects there is none: it begins anew under a state that does not.
    (ANEW, Sign::Unfit),
];
const ANEW: &str = ", expected .";
/// What to do about some of them, and about what the system says.
const REMEDIES: &[(&str, &str)] = &[
    (
        "Address already in use",
        "another program listens there: stop it, or set another address in config/app.toml; \
         cyberd doctor names the ports that are taken",
    ),
    (ANEW, BEHIND),
    ("is higher than core", BEHIND),
    (
        "is too far below block store base",
        "CometBFT no longer has the blocks that the state lacks: cyberd snapshot import --replace \
         takes a newer state, cyberd join begins in a new home",
    ),
];
const BEHIND: &str =
    "CometBFT has fewer blocks than the state of the application: restore data/ from one copy, or \
     move data/cyberd away as well, and all blocks are taken and executed anew";

/// What a node's files depend on.
pub struct NodeFiles<'a> {
    /// Absolute.
    pub home: &'a Path,
    pub moniker: String,
    pub ports: Ports,
    pub keys: &'a NodeKeys,
    pub block_time_ms: u64,
    pub development: bool,
    pub peers: Vec<String>,
    pub minimum_gas_prices: &'a str,
}

impl NodeFiles<'_> {
    /// Writes settings, and keys and genesis where there are none yet.
    ///
    /// # Errors
    /// Those of the files, each with its path.
    pub fn write(&self, genesis: Option<&Value>) -> Result<(), Failure> {
        let listen = self.abci_address();
        let comet = CometHome::of(self.home);
        comet.write_keys(self.keys).map_err(failure)?;
        comet
            .write_settings(&Settings {
                moniker: self.moniker.clone(),
                ports: self.ports,
                proxy_app: listen.to_string(),
                block_time_ms: self.block_time_ms,
                development: self.development,
                peers: self.peers.clone(),
            })
            .map_err(failure)?;
        if let Some(genesis) = genesis {
            let text = serde_json::to_string_pretty(genesis).expect("JSON");
            write_file(&comet.genesis(), &text)?;
        }
        self.write_app_settings(&listen)?;
        let mut client = ClientSettings::load(self.home)?;
        client.node = Some(format!("http://127.0.0.1:{}", self.ports.rpc));
        client.save(self.home)
    }

    /// The application's settings: those there, or the shipped ones, with the node's own values.
    fn write_app_settings(&self, listen: &Address) -> Result<(), Failure> {
        let path = Config::path(self.home);
        let there = std::fs::read_to_string(&path).ok();
        let mut toml: toml_edit::DocumentMut = there
            .as_deref()
            .unwrap_or(TEMPLATE)
            .parse()
            .map_err(|error| Failure::local(format!("{}: {error}", path.display())))?;
        toml["abci"]["listen"] = toml_edit::value(listen.to_string());
        toml["cometbft"]["rpc"] = toml_edit::value(format!("http://127.0.0.1:{}", self.ports.rpc));
        let loopback = |port: u16| toml_edit::value(format!("127.0.0.1:{port}"));
        toml["health"]["listen"] = loopback(self.ports.health);
        toml["api"]["grpc_listen"] = loopback(self.ports.grpc);
        toml["api"]["rest_listen"] = loopback(self.ports.rest);
        if there.is_none() {
            toml["fees"]["minimum_gas_prices"] = toml_edit::value(self.minimum_gas_prices);
        }
        write_file(&path, &toml.to_string())
    }

    /// A socket in the home, or a loopback port where its path would be too long.
    fn abci_address(&self) -> Address {
        let port = self.ports.rpc.saturating_add(6);
        let port = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Address::unix(&self.home.join("abci.sock")).unwrap_or(Address::Tcp(port))
    }
}

/// The pair of processes of a home, by the settings in its files.
///
/// # Errors
/// When a setting is missing or the two files contradict each other.
pub fn pair(home: &Path, cometbft: PathBuf, application_log: Log) -> Result<Pair, Failure> {
    let unfit = |text: String| failure(Fault::Unfit(text));
    let config = settings(home)?;
    let comet = CometSettings::load(home)?;
    if let Some(missing) = identity::missing(home, &comet.table) {
        return Err(unfit(missing.found).hint(missing.remedy));
    }
    let listen = config.abci_listen.to_string();
    if comet.proxy_app != listen {
        return Err(unfit(format!(
            "the application listens at {listen} ({}), CometBFT dials {} ({}): set both alike",
            Config::path(home).display(),
            comet.proxy_app,
            CometHome::of(home).settings().display()
        )));
    }
    let Some(health) = config.health_listen else {
        return Err(unfit(format!(
            "the supervisor asks the application's /health: set health.listen in {}",
            Config::path(home).display()
        )));
    };
    let socket = match config.abci_listen {
        Address::Unix(path) => Some(path),
        Address::Tcp(_) => None,
    };
    let own = std::env::current_exe()
        .map_err(|error| Failure::local(format!("the path of this program: {error}")))?;
    let log = home.join("logs/cometbft.log");
    // Its output goes through a pipe: it cannot see where that ends.
    let colours = matches!(application_log, Log::Passed) && std::io::stderr().is_terminal();
    let plain = if colours { Vec::new() } else { vec![("NO_COLOR", "1".to_owned())] };
    Ok(Pair {
        application: Program {
            name: "the application",
            path: own,
            arguments: ["start".into(), "--home".into(), home.into()].to_vec(),
            environment: plain,
            log: application_log,
            signs: &[],
        },
        cometbft: Program {
            name: "CometBFT",
            path: cometbft,
            arguments: ["start".into(), "--home".into(), home.into()].to_vec(),
            environment: vec![("GOMAXPROCS", cometbft_threads().to_string())],
            log: Log::File(log),
            signs: COMETBFT_SIGNS,
        },
        probe: Probe::of_node(health.port(), comet.rpc_port, socket),
        hung_after: HUNG_AFTER,
        mismatch: Some(RootMismatch::path(home)),
        still_after: comet.block_time.saturating_mul(STILL_BLOCKS as u32).max(STILL_AT_LEAST),
    })
}

/// The application's settings of a home.
///
/// # Errors
/// When they cannot be: another start is of no use.
pub fn settings(home: &Path) -> Result<Config, Failure> {
    let config = Config::load(home, &[], std::env::vars());
    config.map_err(|error| failure(Fault::Unfit(error.to_string())))
}

/// What we need of CometBFT's settings.
struct CometSettings {
    proxy_app: String,
    rpc_port: u16,
    block_time: Duration,
    /// All of them.
    table: toml::Table,
}

impl CometSettings {
    fn load(home: &Path) -> Result<CometSettings, Failure> {
        let path = CometHome::of(home).settings();
        let wrong = |what: &str| failure(Fault::Unfit(format!("{}: {what}", path.display())));
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error.to_string()))?;
        let toml: toml::Table = text.parse().map_err(|error| wrong(&format!("{error}")))?;
        let text = |section: &str, key: &str| {
            let value = match section {
                "" => toml.get(key),
                _ => toml.get(section).and_then(|section| section.get(key)),
            };
            value.and_then(|value| value.as_str()).map(str::to_owned)
        };
        let rpc = text("rpc", "laddr").unwrap_or_default();
        let rpc_port = rpc.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let block_time = text("consensus", "timeout_commit").unwrap_or_default();
        Ok(CometSettings {
            proxy_app: text("", "proxy_app").ok_or_else(|| wrong("proxy_app is missing"))?,
            rpc_port: rpc_port.ok_or_else(|| wrong("rpc.laddr has no port"))?,
            block_time: super::dev::block_time(&block_time).map_or(Duration::from_secs(1), ms),
            table: toml,
        })
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The right to run a home, until it is dropped. Its file tells the process that has it.
pub struct Hold {
    _file: Flock<File>,
}

/// Takes the right to run a home.
///
/// # Errors
/// When another process has it, with its number.
pub fn hold(home: &Path) -> Result<Hold, Failure> {
    let path = home.join("cyberd.lock");
    let at_path = |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
    files::private_folder(home).map_err(at_path)?;
    let Some(mut file) = files::try_lock(&path).map_err(at_path)? else {
        let process = std::fs::read_to_string(&path).unwrap_or_default();
        let process = process.trim();
        return Err(Failure::local(format!(
            "process {process} runs the node of {} already",
            home.display()
        ))
        .hint(format!("stop it first (Ctrl-C there, testnet/down, or kill {process})")));
    };
    file.set_len(0).and_then(|()| file.rewind()).map_err(at_path)?;
    // The number is for the message above; on a full disk it is missing there.
    let _ = writeln!(file, "{}", std::process::id());
    Ok(Hold { _file: file })
}

/// Checks that nobody listens on the ports of a node.
///
/// # Errors
/// The first port that is taken, and how to choose others.
pub fn check_ports(ports: &Ports) -> Result<(), Failure> {
    for (what, port) in ports.named() {
        if let Err(error) = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Err(Failure::local(format!("port {port} ({what}): {error}"))
                .hint("another node may run here; --port-base N chooses other ports"));
        }
    }
    Ok(())
}

/// A flag that Ctrl-C, SIGTERM and the end of the terminal set.
///
/// # Errors
/// When signals cannot be watched.
pub fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    use tokio::signal::unix::{signal, SignalKind};
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let failure = |error: std::io::Error| Failure::local(format!("watching signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failure)?;
    // Registered before anything is started, so that no signal is lost.
    let (mut interrupt, mut terminate, mut hang_up) = {
        let _entered = runtime.enter();
        let watch = |kind| signal(kind).map_err(failure);
        (
            watch(SignalKind::interrupt())?,
            watch(SignalKind::terminate())?,
            watch(SignalKind::hangup())?,
        )
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
        });
        flag.store(true, Ordering::Relaxed);
    });
    Ok(stop)
}

/// The absolute form of a home, which child processes and sockets need.
///
/// # Errors
/// When there is no current folder.
pub fn absolute(home: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(home)
        .map_err(|error| Failure::local(format!("{}: {error}", home.display())))
}

/// A fault of the node as the command line shows it.
pub fn failure(fault: Fault) -> Failure {
    let text = fault.to_string();
    let remedy = REMEDIES.iter().find(|(sign, _)| text.contains(sign));
    let failure = match fault {
        Fault::Genesis(_) | Fault::Unfit(_) => Failure::new(Exit::Unfit, "unfit", text),
        Fault::Upgrade(_) => Failure::new(Exit::Upgrade, "upgrade", text),
        _ => Failure::local(text),
    };
    match remedy {
        Some((_, remedy)) => failure.hint(*remedy),
        None => failure,
    }
}

/// Writes a file whole or not at all.
///
/// # Errors
/// The disk's, with the path.
pub fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    files::write_whole(path, text.as_bytes(), Access::Shared)
        .map_err(|error| Failure::local(format!("{}: {error}", path.display())))
}

/// The present moment as a genesis file writes it.
pub fn now() -> String {
    #[allow(clippy::disallowed_methods, reason = "the time a new chain begins")]
    let now = std::time::SystemTime::now();
    let now = time::OffsetDateTime::from(now).replace_nanosecond(0).expect("0 is in range");
    now.format(&time::format_description::well_known::Rfc3339).expect("a date of this age")
}
