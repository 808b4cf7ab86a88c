//! Whole chains for tests: the real binary, the real CometBFT, in a folder of their own.
//!
//! A chain is `cyberd dev`, asked for by its flags and read through `--config-out`, its exit code
//! and what it says; commands are other processes of the same binary. Whatever a test leaves
//! running ends with it. Nothing here looks into the node's files but to copy them.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]
#![allow(dead_code, reason = "every test file uses a part of it")]

pub mod http;
pub mod links;
pub mod processes;

#[allow(unused_imports, reason = "every test file uses a part of it")]
pub use cyberd::testkit::devchain::free_ports;

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// Waits until something holds; fails, naming it, if it does not come to hold.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "no {what} within {PATIENCE:?}");
        std::thread::sleep(LOOK);
    }
}

fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cyberd"));
    command.arg("--home").arg(home).stdin(Stdio::null());
    for name in ["HOME", "NODE", "OUTPUT", "KEYRING", "PASSWORD_FILE", "DEV_COMMAND"] {
        command.env_remove(format!("CYBERD_{name}"));
    }
    command
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    /// Standard output.
    pub said: String,
    /// Standard error.
    pub talk: String,
}

impl Ran {
    /// Its answer, or its failure, which is one JSON value alone on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.said).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of its failure: `graph/2`.
    pub fn failure(&self) -> String {
        let json = self.json();
        let text = |name: &str| json["error"][name].as_str().map(str::to_owned);
        assert!(text("message").is_some_and(|text| !text.is_empty()), "{self:?}");
        text("code").unwrap_or_else(|| panic!("no code: {self:?}"))
    }
}

/// Runs a command of the client to its end, with JSON answers.
pub fn cyberd(home: &Path, arguments: &[&str]) -> Ran {
    let output = program(home).args(["--output", "json"]).args(arguments).output();
    let output = output.expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("it speaks UTF-8");
    let code = output.status.code().unwrap_or_else(|| panic!("{arguments:?}: {}", output.status));
    Ran { code, said: text(output.stdout), talk: text(output.stderr) }
}

/// The same, for commands that have to succeed.
pub fn answer(home: &Path, arguments: &[&str]) -> Value {
    let ran = cyberd(home, arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    ran.json()
}

/// A command that goes on while the test does; killed when dropped.
pub struct Process {
    child: Child,
    pub log: PathBuf,
    pub started: Instant,
}

impl Process {
    /// Starts it; both outputs go to the file.
    pub fn start(home: &Path, arguments: &[&str], log: &Path) -> Process {
        Process::with_environment(home, arguments, log, &[])
    }

    /// The same with variables of its environment.
    pub fn with_environment(
        home: &Path,
        arguments: &[&str],
        log: &Path,
        environment: &[(&str, &str)],
    ) -> Process {
        Process::of_command(program(home), arguments, log, environment)
    }

    /// The same with another version of the program.
    pub fn of_program(path: &Path, home: &Path, arguments: &[&str], log: &Path) -> Process {
        let mut command = Command::new(path);
        command.arg("--home").arg(home).stdin(Stdio::null());
        Process::of_command(command, arguments, log, &[])
    }

    fn of_command(
        mut command: Command,
        arguments: &[&str],
        log: &Path,
        environment: &[(&str, &str)],
    ) -> Process {
        let file = File::create(log).expect("a log");
        command.envs(environment.iter().copied());
        command.args(arguments).stdout(file.try_clone().expect("a log")).stderr(file);
        // Every height that a replay passes through can then be asked for.
        command.env("CYBERD_STORE_HISTORY_MEMORY_MB", "16000");
        let child = command.spawn().expect("the binary runs");
        Process { child, log: log.to_owned(), started: Instant::now() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All it has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits until something holds; fails if the process ends before.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        let log = self.log.clone();
        wait_until(what, || {
            // Asked first: what holds at the end is then not missed.
            let ended = self.child.try_wait().expect("a child of ours");
            let held = holds();
            let said = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(held || ended.is_none(), "no {what}, it ended ({ended:?}):\n{}", said());
            held
        });
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("end of the process", || {
            status = self.child.try_wait().expect("a child of ours");
            status.is_some()
        });
        status.expect("waited for")
    }

    /// Sends a signal and waits for the end: how it ended, after how long.
    pub fn signal(&mut self, signal: Signal) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("it runs");
        (self.wait(), begin.elapsed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; what it had started ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A development chain that is ready, or a single node.
pub struct Chain {
    pub process: Process,
    pub home: PathBuf,
    pub ports: u16,
}

impl Chain {
    /// `cyberd dev` with further flags, waited for until it has written its `--config-out`.
    pub fn dev(home: &Path, ports: u16, flags: &[&str]) -> (Chain, Value) {
        let folder = home.parent().expect("a home in a folder");
        let config = folder.join("config-out.json");
        let _ = std::fs::remove_file(&config);
        let base = ports.to_string();
        let written = config.to_str().expect("UTF-8");
        let mut arguments = vec!["dev", "--port-base", &base, "--config-out", written];
        arguments.extend(flags);
        let process = Process::start(home, &arguments, &folder.join("dev.log"));
        let mut chain = Chain { process, home: home.to_owned(), ports };
        chain.process.until("config-out", || config.exists());
        let text = std::fs::read_to_string(&config).expect("written");
        (chain, serde_json::from_str(&text).expect("JSON, and whole as soon as it is there"))
    }

    /// `cyberd run` on a home that exists.
    pub fn run(home: &Path, ports: u16) -> Chain {
        let log = home.parent().expect("a home in a folder").join("run.log");
        Chain { process: Process::start(home, &["run"], &log), home: home.to_owned(), ports }
    }

    /// An answer of CometBFT's RPC.
    pub fn rpc(&self, path: &str) -> Option<Value> {
        let answer: Value = serde_json::from_str(&get(self.ports, path)?).ok()?;
        answer.get("result").cloned()
    }

    /// The latest height; 0 while there is no answer.
    pub fn height(&self) -> u64 {
        let status = self.rpc("/status").unwrap_or_default();
        let height = status["sync_info"]["latest_block_height"].as_str();
        height.and_then(|height| height.parse().ok()).unwrap_or(0)
    }

    /// Waits for a height.
    pub fn reach(&mut self, height: u64) {
        let ports = self.ports;
        let home = self.home.clone();
        self.process.until(&format!("height {height} of {}", home.display()), || {
            cyberd::node::supervisor::latest_height(ports).is_some_and(|at| at >= height)
        });
    }

    /// Links on the chain; `None` while there is no answer.
    pub fn links(&self) -> Option<u64> {
        let ran = cyberd(&self.home, &["query", "graph"]);
        (ran.code == 0).then(|| ran.json()["links"].as_u64()).flatten()
    }

    /// Waits for a round that covers all links there are.
    pub fn ranked(&mut self) {
        let home = self.home.clone();
        self.process.until("round of all links", || {
            let status = answer(&home, &["status"]);
            status["round"]["links"] == status["links"] && status["links"] != 0
        });
    }
}

/// A node that joins by state sync: waits until it has restored a state.
pub fn until_restored(process: &mut Process) {
    let log = process.log.clone();
    process.until("state sync", || {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        said.contains("restored, all roots verified")
    });
}

/// A node that has restored a state answers at once, replayed nothing up to a height, comes to the
/// head.
pub fn is_whole(node: &Chain, head: &Chain, behind: u64, begin: Instant) {
    let restored = begin.elapsed();
    let top = answer(&node.home, &["top"]);
    assert!(top.to_string().contains("Qm"), "ranks are answered at once: {top}");
    let found = answer(&node.home, &["search", "dog"]);
    assert!(found["results"].as_array().is_some_and(|all| all.len() > 3), "{found}");
    wait_until("height of the network", || node.height() + 2 >= head.height());
    eprintln!("restored after {restored:?}, at the head after {:?}", begin.elapsed());
    let status = node.rpc("/status").expect("it answers");
    let earliest: u64 =
        text(&status, "/sync_info/earliest_block_height").parse().expect("a number");
    assert!(earliest > behind, "nothing was replayed: {status}");
}

/// Makes a home whose node makes a snapshot every 20 heights.
pub fn with_snapshots(home: &Path) {
    with_settings(home, &[("store.snapshot_interval", "20")]);
}

/// A chain in this home for others to join, with a snapshot every 20 heights, and how many links of
/// the sample it holds.
///
/// CometBFT ends block sync at the height its peers last told, up to ten seconds old, and hands on
/// what is missing then at ten blocks a second: a chain of ten a second is never caught up with.
pub fn joinable(home: &Path) -> (Chain, usize) {
    with_snapshots(home);
    let beside = home.parent().expect("a home in a folder");
    let lines = links::around("dog", 400);
    let file = links::write(&beside.join("links.tsv"), &lines);
    let flags = ["--block-time", "300ms", "--links", file.to_str().expect("UTF-8")];
    (Chain::dev(home, free_ports(), &flags).0, lines.len())
}

/// Makes a home with settings of the application.
pub fn with_settings(home: &Path, settings: &[(&str, &str)]) {
    let text = cyberd::config::file_text(settings);
    std::fs::create_dir_all(home.join("config")).expect("a home");
    std::fs::write(home.join("config/app.toml"), text).expect("settings");
}

/// A text in an answer.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

/// The body of an answer over HTTP, however long it takes.
pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split_whitespace().nth(1).filter(|status| *status == "200")?;
    Some(body.to_owned())
}
