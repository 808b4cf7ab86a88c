//! A development chain for tests: `cyberd dev` with the real CometBFT as another process, on free
//! ports, in a folder of its own, with funded accounts whose keys are known.
//!
//! It ends with the value: on drop, also when a test panics. Nothing of it stays behind. It
//! deliberately says nothing about blocks and links; whoever uses it asks the chain.

#![allow(clippy::disallowed_methods, reason = "waits for another process")]

use crate::client::keys::Secret;
use crate::client::{Client, Failure, SigningKey};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use serde::Deserialize;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// The first start of a machine builds CometBFT.
const READY: Duration = Duration::from_secs(300);
/// What a chain gets to end by itself.
const END: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(20);

/// What kind of chain to start.
#[derive(Clone, Debug)]
pub struct DevChainOptions {
    /// The binary of cyberd.
    pub program: PathBuf,
    /// The pause between blocks.
    pub block_time_ms: u64,
    /// Further flags of `cyberd dev`; `--no-import` goes in unless `--links` is among them.
    pub flags: Vec<String>,
}

impl DevChainOptions {
    /// Blocks every 100 ms, nothing imported. In tests of this project the program is
    /// `env!("CARGO_BIN_EXE_cyberd")`; elsewhere `cyberd` is looked for as any command.
    pub fn new(program: impl Into<PathBuf>) -> DevChainOptions {
        DevChainOptions { program: program.into(), block_time_ms: 100, flags: Vec::new() }
    }
}

/// A running development chain.
#[derive(Debug)]
pub struct DevChain {
    process: Child,
    folder: PathBuf,
    ports: u16,
    config: Config,
}

/// What `cyberd dev --config-out` writes, as far as it is used here.
#[derive(Debug, Deserialize)]
struct Config {
    chain_id: String,
    accounts: Vec<DevAccount>,
}

/// A funded account of the chain.
#[derive(Clone, Debug, Deserialize)]
pub struct DevAccount {
    pub name: String,
    pub address: String,
    /// Twenty-four words, known to everybody.
    pub mnemonic: String,
}

impl DevAccount {
    /// The key of the account.
    ///
    /// # Panics
    /// When the words are none: those of a chain are.
    pub fn key(&self) -> SigningKey {
        let secret = Secret::of_words(&self.mnemonic, 0).expect("the words of a development chain");
        SigningKey::of_secret(&self.name, secret)
    }
}

impl DevChain {
    /// Starts a chain and waits until it answers.
    ///
    /// # Errors
    /// When the program cannot be started, or ends before the chain is ready: with all it said.
    pub fn start(options: &DevChainOptions) -> Result<DevChain, Failure> {
        // Another process may take a port between the look and the use.
        let taken = |failure: &Failure| failure.message.contains("Address already in use");
        match DevChain::start_once(options) {
            Err(failure) if taken(&failure) => DevChain::start_once(options),
            outcome => outcome,
        }
    }

    fn start_once(options: &DevChainOptions) -> Result<DevChain, Failure> {
        let ports = free_ports();
        let folder = std::env::temp_dir().join(format!("cyberd-{}-{ports}", std::process::id()));
        let failure =
            |error: std::io::Error| Failure::local(format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(failure)?;
        let log = File::create(folder.join("dev.log")).map_err(failure)?;
        let mut command = Command::new(&options.program);
        command.arg("--home").arg(folder.join("home")).arg("dev");
        command.args(["--port-base", &ports.to_string()]);
        command.args(["--block-time", &format!("{}ms", options.block_time_ms)]);
        command.arg("--config-out").arg(folder.join("config.json"));
        if !options.flags.iter().any(|flag| flag == "--links") {
            command.arg("--no-import");
        }
        command.args(&options.flags).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(failure)?).stderr(log);
        let process = command.spawn().map_err(|error| {
            Failure::local(format!("{} cannot be run: {error}", options.program.display()))
        })?;
        let config = Config { chain_id: String::new(), accounts: Vec::new() };
        let mut chain = DevChain { process, folder, ports, config };
        chain.config = chain.ready()?;
        Ok(chain)
    }

    fn ready(&mut self) -> Result<Config, Failure> {
        let begin = Instant::now();
        loop {
            // Asked first: what was written at the very end is then not missed.
            let ended = self.process.try_wait().ok().flatten();
            if let Ok(text) = std::fs::read_to_string(self.folder.join("config.json")) {
                let read = serde_json::from_str(&text);
                return read.map_err(|error| Failure::local(format!("config.json: {error}")));
            }
            if ended.is_some() || begin.elapsed() > READY {
                let said = self.said();
                return Err(Failure::local(format!("no chain within {READY:?}:\n{said}")));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// All that `cyberd dev` has said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.join("dev.log")).unwrap_or_default()
    }

    /// The chain's name.
    pub fn chain_id(&self) -> &str {
        &self.config.chain_id
    }

    /// The home of the node and of its clients.
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// The first of its six ports.
    pub fn port_base(&self) -> u16 {
        self.ports
    }

    /// Where CometBFT's RPC answers.
    pub fn rpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports)
    }

    /// Where gRPC answers.
    pub fn grpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports + 3)
    }

    /// Where REST answers.
    pub fn rest(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports + 4)
    }

    /// The funded accounts.
    pub fn accounts(&self) -> &[DevAccount] {
        &self.config.accounts
    }

    /// A funded account by its name: `alice`, `bob`, …
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn account(&self, name: &str) -> &DevAccount {
        let found = self.accounts().iter().find(|account| account.name == name);
        found.unwrap_or_else(|| panic!("the chain has no account {name}"))
    }

    /// A client of its node.
    pub fn client(&self) -> Client {
        Client::new(&self.rpc()).expect("a loopback address")
    }

    fn stop(&mut self) {
        let running = matches!(self.process.try_wait(), Ok(None));
        // CometBFT and the application end with the process that supervises them.
        if running && kill(Pid::from_raw(self.process.id() as i32), Signal::SIGTERM).is_ok() {
            let begin = Instant::now();
            while matches!(self.process.try_wait(), Ok(None)) && begin.elapsed() < END {
                std::thread::sleep(LOOK);
            }
        }
        // Nothing is left to do about a process that cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for DevChain {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("the development chain said:\n{}", self.said());
        }
        remove(&self.folder);
    }
}

fn remove(folder: &Path) {
    // What cannot be removed from the temporary folder is the system's to remove.
    let _ = std::fs::remove_dir_all(folder);
}

/// The first of ten ports that nobody listens on, others for each call of a process. They lie below
/// those that a system gives to outgoing connections, of which any could be in the way.
pub fn free_ports() -> u16 {
    const FIRST: u16 = 18_000;
    const ROWS: u16 = 190;
    static ROW: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 19) as u16 * 10;
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut rows = (0..ROWS).map(|_| {
        let row = ROW.fetch_add(1, Ordering::Relaxed) % ROWS;
        FIRST + (start + row) % ROWS * 10
    });
    rows.find(|base| (*base..base + 10).all(free)).expect("a free row of ports")
}
