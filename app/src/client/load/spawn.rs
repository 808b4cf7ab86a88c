//! A node for one run: our chain from the load genesis, or CometBFT with its built-in key-value
//! application and the same settings. It ends with the value, and nothing of it stays behind.

use super::http::Connection;
use crate::client::Failure;
use crate::node::cometbft;
use crate::node::cometbft::genesis::{document, Validator};
use crate::node::cometbft::home::{public_key, CometHome, NodeKeys, Ports, Settings};
use crate::node::supervisor::cometbft_threads;
use crate::testkit::devchain::free_ports;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::{sleep, Instant};

/// The first start of a machine builds CometBFT.
const READY: Duration = Duration::from_secs(300);
/// What a node gets to end by itself.
const END: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(100);

/// Where and how a node is made.
#[derive(Clone, Debug)]
pub struct Place {
    /// Ports from here on; `None`: free ones.
    pub port_base: Option<u16>,
    pub block_time_ms: u64,
    /// Keeps the node's files here; `None`: a temporary folder that is removed.
    pub keep: Option<PathBuf>,
}

/// A running node.
pub struct Node {
    child: Child,
    folder: PathBuf,
    log: PathBuf,
    remove: bool,
    port: u16,
}

impl Node {
    /// Our chain, made with the load genesis, by this program itself.
    ///
    /// # Errors
    /// When it does not come up: with all it said.
    pub async fn cyberd(place: &Place) -> Result<Node, Failure> {
        let own = std::env::current_exe().map_err(|error| failure(Path::new("cyberd"), &error))?;
        let mut command = Command::new(own);
        let (folder, port) = prepare(place)?;
        command.arg("--home").arg(folder.join("home")).arg("dev");
        command.args(["--genesis", "load", "--no-import", "--port-base", &port.to_string()]);
        command.args(["--block-time", &format!("{}ms", place.block_time_ms)]);
        command.env_remove("CYBERD_NODE").env_remove("CYBERD_OUTPUT");
        Node::start(command, folder, port, place).await
    }

    /// CometBFT alone with its own application.
    ///
    /// # Errors
    /// When it does not come up: with all it said.
    pub async fn kvstore(place: &Place, say: &mut dyn FnMut(&str)) -> Result<Node, Failure> {
        let (folder, port) = prepare(place)?;
        let home = folder.join("home");
        let fault = |fault: crate::error::Fault| Failure::local(fault.to_string());
        let program = cometbft::find_or_install(&home, say).map_err(fault)?;
        let keys = NodeKeys { node: [1; 32], validator: [2; 32] };
        let comet = CometHome::of(&home);
        comet.write_keys(&keys).map_err(fault)?;
        let settings = Settings {
            moniker: "kvstore".to_owned(),
            ports: Ports::of(Some(port), 0).map_err(fault)?,
            proxy_app: "kvstore".to_owned(),
            block_time_ms: place.block_time_ms,
            development: true,
            peers: Vec::new(),
        };
        comet.write_settings(&settings).map_err(fault)?;
        for_load(&comet, port).map_err(fault)?;
        let validator = Validator {
            name: "kvstore".to_owned(),
            public_key: public_key(&keys.validator),
            power: 10,
        };
        let mut genesis = document("kvstore", "2026-01-01T00:00:00Z", &[validator], &[]);
        super::genesis::scale(&mut genesis);
        genesis["app_state"] = json!({});
        let path = comet.genesis();
        std::fs::write(&path, genesis.to_string()).map_err(|error| failure(&path, &error))?;
        let mut command = Command::new(program);
        command.arg("start").arg("--home").arg(&home);
        command.env("GOMAXPROCS", cometbft_threads().to_string()).env("NO_COLOR", "1");
        Node::start(command, folder, port, place).await
    }

    async fn start(
        mut command: Command,
        folder: PathBuf,
        port: u16,
        place: &Place,
    ) -> Result<Node, Failure> {
        let log = folder.join("node.log");
        let at_log = |error: std::io::Error| failure(&log, &error);
        let file = File::create(&log).map_err(at_log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone().map_err(at_log)?).stderr(file);
        let child =
            command.spawn().map_err(|error| failure(Path::new(command.get_program()), &error))?;
        let mut node = Node { child, folder, log, remove: place.keep.is_none(), port };
        node.ready().await?;
        Ok(node)
    }

    /// Waits for the first two blocks.
    async fn ready(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            let ended = self.child.try_wait().ok().flatten();
            if self.height().await.is_some_and(|height| height >= 2) {
                return Ok(());
            }
            if ended.is_some() || begin.elapsed() > READY {
                let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                let last: Vec<&str> = said.lines().rev().take(20).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                let text = format!("the node did not come up:\n{}", last.join("\n"));
                return Err(Failure::local(text));
            }
            sleep(LOOK).await;
        }
    }

    async fn height(&self) -> Option<u64> {
        let mut connection = Connection::open(&format!("127.0.0.1:{}", self.port)).await.ok()?;
        let info = connection.call("abci_info", json!([])).await.ok()?;
        Some(super::http::number(&info["response"]["last_block_height"]))
    }

    /// Where its RPC answers.
    pub fn rpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Node {
    #[allow(clippy::disallowed_methods, reason = "waits for another process")]
    fn drop(&mut self) {
        let begin = std::time::Instant::now();
        let running = matches!(self.child.try_wait(), Ok(None));
        if running && kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).is_ok() {
            while matches!(self.child.try_wait(), Ok(None)) && begin.elapsed() < END {
                std::thread::sleep(LOOK);
            }
        }
        // Nothing is left to do about a process that cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.remove {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// What differs on a chain that is loaded: no index of transactions, which is a validator's setting
/// and costs about half of the throughput; Go's profiles on the port after the node's six and ABCI.
///
/// # Errors
/// Those of the file.
pub fn for_load(comet: &CometHome, port_base: u16) -> Result<(), crate::error::Fault> {
    comet.amend(|toml| {
        toml["tx_index"]["indexer"] = toml_edit::value("null");
        let profiles = format!("127.0.0.1:{}", port_base.saturating_add(7));
        toml["rpc"]["pprof_laddr"] = toml_edit::value(profiles);
    })
}

/// The folder and the first port of a node.
fn prepare(place: &Place) -> Result<(PathBuf, u16), Failure> {
    let port = place.port_base.unwrap_or_else(free_ports);
    let folder = place.keep.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("cyberd-load-{}-{port}", std::process::id()))
    });
    std::fs::create_dir_all(&folder).map_err(|error| failure(&folder, &error))?;
    Ok((folder, port))
}

fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::local(format!("{}: {error}", path.display()))
}
