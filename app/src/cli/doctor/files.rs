//! What stands in the home: settings and whether they fit together, genesis, keys, the path of
//! the socket, CometBFT's settings against the recommended ones.

use super::{text_of, Finding, Patient};
use crate::abci::address::Address;
use crate::cli::identity;
use crate::config::Config;
use crate::node::cometbft::genesis;
use crate::node::cometbft::home::{CometHome, SETTINGS};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The most bytes of a Unix socket's path.
const SOCKET_PATH_MAX: usize = 107;
/// A genesis larger than this is not read just to look at it.
const GENESIS_READ_MAX: u64 = 64 << 20;

/// Settings of `config/cometbft.toml` that are not each node's own affair.
const RECOMMENDED: [&str; 9] = [
    "rpc.max_request_batch_size",
    "rpc.max_body_bytes",
    "p2p.send_rate",
    "p2p.recv_rate",
    "p2p.flush_throttle_timeout",
    "mempool.size",
    "mempool.cache_size",
    "mempool.max_tx_bytes",
    "consensus.create_empty_blocks",
];

/// Reads the settings, which all other checks need.
pub fn open(home: &Path, findings: &mut Vec<Finding>) -> Option<Patient> {
    let comet_home = CometHome::of(home);
    if !comet_home.settings().exists() {
        let found = format!("{} holds no node", home.display());
        let remedy = "cyberd init makes one, cyberd join one of a running network; --home DIR \
                      names another place";
        findings.push(Finding::fail("home", found, remedy));
        return None;
    }
    let config = match Config::load(home, &[], std::env::vars()) {
        Ok(config) => config,
        Err(error) => {
            let remedy = "correct config/app.toml or the environment as the text says";
            findings.push(Finding::fail("settings", error.to_string(), remedy));
            return None;
        }
    };
    let path = comet_home.settings();
    let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    let comet = text.and_then(|text| text.parse::<toml::Table>().map_err(|e| e.to_string()));
    let comet = match comet {
        Ok(comet) => comet,
        Err(error) => {
            let found = format!("{}: {}", path.display(), error.trim());
            findings.push(Finding::fail("settings", found, "correct the file as the text says"));
            return None;
        }
    };
    let lock = std::fs::read_to_string(home.join("cyberd.lock")).unwrap_or_default();
    let is_held = matches!(crate::client::files::try_lock(&home.join("cyberd.lock")), Ok(None));
    let process = lock.trim().parse().ok().filter(|_| is_held);
    let runs = process.map_or("is stopped".to_owned(), |id| format!("is run by process {id}"));
    findings.push(Finding::ok("home", format!("the node of {} {runs}", home.display())));
    Some(Patient { home: home.to_owned(), config, comet, process })
}

/// All checks of files.
pub fn look(patient: &Patient, findings: &mut Vec<Finding>) {
    findings.push(settings(patient));
    findings.push(socket(patient));
    findings.push(recommended(patient));
    findings.extend(dangerous(patient));
    findings.push(genesis_file(patient));
    findings.push(keys(patient));
}

fn settings(patient: &Patient) -> Finding {
    let listens = patient.config.abci_listen.to_string();
    let dials = patient.comet("proxy_app").unwrap_or_default();
    if listens != dials {
        return Finding::fail(
            "settings",
            format!("the application listens at {listens}, CometBFT dials {dials}"),
            "set abci.listen in config/app.toml and proxy_app in config/config.toml alike",
        );
    }
    if patient.config.health_listen.is_none() {
        let remedy = "set health.listen in config/app.toml: cyberd run needs it";
        return Finding::fail("settings", "health.listen is empty", remedy);
    }
    Finding::ok("settings", "config/app.toml and config/config.toml fit together")
}

fn socket(patient: &Patient) -> Finding {
    let Address::Unix(path) = &patient.config.abci_listen else {
        return Finding::ok("socket", format!("{}", patient.config.abci_listen));
    };
    let length = path.as_os_str().len();
    let found = format!("the path of the socket takes {length} of {SOCKET_PATH_MAX} bytes");
    match length > SOCKET_PATH_MAX {
        true => Finding::fail("socket", found, "move the home to a shorter path"),
        false => Finding::ok("socket", found),
    }
}

fn recommended(patient: &Patient) -> Finding {
    let shipped: toml::Table = SETTINGS.parse().expect("tests::settings_are_toml");
    let differs = |name: &&str| {
        let (here, right) = (patient.comet(name), text_of(&shipped, name)?);
        let here = here.unwrap_or_else(|| "CometBFT's default".to_owned());
        (here != right).then(|| format!("{name} = {here}, recommended {right}"))
    };
    let differing: Vec<String> = RECOMMENDED.iter().filter_map(differs).collect();
    match differing.is_empty() {
        true => Finding::ok("recommended", "CometBFT's settings are the recommended ones"),
        false => Finding::warn(
            "recommended",
            differing.join("; "),
            "set them in config/config.toml unless you know why not; config/cometbft.toml of the \
             sources has the reasons",
        ),
    }
}

/// Settings that endanger a node.
fn dangerous(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rpc = patient.comet("rpc.laddr").unwrap_or_default();
    if !["127.0.0.1:", "localhost:", "[::1]:", "unix://"].iter().any(|at| rpc.contains(at)) {
        findings.push(Finding::warn(
            "open rpc",
            format!("CometBFT's RPC listens at {rpc}"),
            "its searches load all matches before they page: put a filter before it and set \
             rpc.laddr to loopback",
        ));
    }
    if patient.comet("rpc.unsafe").as_deref() == Some("true") {
        let remedy = "set rpc.unsafe = false: others can empty the mempool and dial peers with it";
        findings.push(Finding::fail("open rpc", "rpc.unsafe = true", remedy));
    }
    let discovery = patient.comet("statesync.discovery_time").unwrap_or_default();
    let short = ["1s", "2s", "3s", "4s"].contains(&discovery.as_str());
    if short && patient.comet("statesync.enable").as_deref() == Some("true") {
        findings.push(Finding::warn(
            "state sync",
            format!("statesync.discovery_time = {discovery}, which becomes 25 s"),
            "set it to 5s or more",
        ));
    }
    findings
}

fn genesis_file(patient: &Patient) -> Finding {
    let path = patient.comet_home().genesis();
    let fail = |found: String| {
        let remedy = "put the genesis file of the network there: cyberd join does, and compares it";
        Finding::fail("genesis", found, remedy)
    };
    let bytes = match std::fs::metadata(&path) {
        Ok(found) => found.len(),
        Err(error) => return fail(format!("{}: {error}", path.display())),
    };
    if bytes > GENESIS_READ_MAX {
        return Finding::ok("genesis", format!("{} MB, not read", bytes / 1_000_000));
    }
    let text = std::fs::read(&path).map_err(|error| error.to_string());
    let document = text.and_then(|text| {
        serde_json::from_slice::<serde_json::Value>(&text).map_err(|error| error.to_string())
    });
    match document.and_then(|it| genesis::check(&it).map(|()| it).map_err(|e| e.to_string())) {
        Ok(document) => {
            let chain = document["chain_id"].as_str().unwrap_or_default().to_owned();
            Finding::ok("genesis", format!("of chain {chain}, as this version reads it"))
        }
        Err(error) => fail(error),
    }
}

fn keys(patient: &Patient) -> Finding {
    if let Some(missing) = identity::missing(&patient.home, &patient.comet) {
        return Finding::fail("keys", missing.found, missing.remedy);
    }
    let files = identity::files(&patient.home, &patient.comet).into_iter();
    let is_open = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    };
    let open: Vec<String> = files.filter(is_open).map(|path| path.display().to_string()).collect();
    if !open.is_empty() {
        let found = format!("others may read {}", open.join(", "));
        return Finding::fail("keys", found, format!("chmod 600 {}", open.join(" ")));
    }
    Finding::ok(
        "keys",
        match identity::remote_signer(&patient.comet) {
            Some(at) => format!("a remote signer is waited for at {at}"),
            None => "nobody else may read the key files".to_owned(),
        },
    )
}
