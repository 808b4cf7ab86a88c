//! A validator whose key is elsewhere: CometBFT's own `priv_val_server` signs for it.

#![allow(clippy::disallowed_methods, reason = "waits for other processes")]

mod support;

use cyberd::node::cometbft;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::{answer, free_ports, wait_until, Chain};

/// CometBFT's signer, built like CometBFT where it is missing.
fn program() -> PathBuf {
    let root = cometbft::checkout().expect("tests run in a checkout");
    let folder = root.join(".tools/bin");
    let program = folder.join("priv_val_server");
    std::fs::create_dir_all(&folder).expect("a folder");
    let _alone = cyberd::client::files::lock(&folder.join(".signer.lock")).expect("a lock");
    if !program.is_file() {
        let module = "github.com/cometbft/cometbft/cmd/priv_val_server";
        let status = Command::new("go")
            .args(["install", &format!("{module}@v{}", cometbft::VERSION)])
            .env("GOBIN", &folder)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "")
            .status();
        assert!(status.expect("Go is installed").success(), "go install {module}");
    }
    program
}

/// A signer that is killed when dropped.
struct Signer(Child);

impl Signer {
    /// Dials the node's socket, which has to be there: it tries for a second only.
    fn start(socket: &Path, keys: &Path) -> Signer {
        wait_until("socket for the signer", || socket.exists());
        let log = File::create(keys.join("signer.log")).expect("a log");
        let child = Command::new(program())
            .arg(format!("-addr=unix://{}", socket.display()))
            .arg("-chain-id=signer-1")
            .arg(format!("-priv-key={}", keys.join("priv_validator_key.json").display()))
            .arg(format!("-priv-state={}", keys.join("priv_validator_state.json").display()))
            .stdin(Stdio::null())
            .stdout(log)
            .spawn();
        Signer(child.expect("it starts"))
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn blocks_are_made_with_a_remote_signer_and_wait_for_it_when_it_is_gone() {
    program();
    let folder = tempfile::tempdir().expect("a folder");
    let (home, keys) = (folder.path().join("home"), folder.path().join("keys"));
    let socket = folder.path().join("signer.sock");
    let (ports, laddr) = (free_ports(), format!("unix://{}", socket.display()));
    let (base, address) = (ports.to_string(), cyberd::types::Address::new(&[7; 20]));
    let account = format!("{}=1000boot", address.expect("twenty bytes").to_bech32("bostrom"));
    let arguments = ["init", "--chain-id", "signer-1", "--account", &account, "--signer", &laddr];
    answer(&home, &[&arguments[..], &["--port-base", &base, "--block-time", "200ms"]].concat());

    // The key goes where the signer is, and is nowhere else.
    std::fs::create_dir(&keys).expect("a folder");
    for (from, name) in
        [("config", "priv_validator_key.json"), ("data", "priv_validator_state.json")]
    {
        std::fs::rename(home.join(from).join(name), keys.join(name)).expect("moved");
    }
    let findings = answer(&home, &["doctor"])["findings"].to_string();
    assert!(findings.contains(&format!("a remote signer is waited for at {laddr}")), "{findings}");

    let mut chain = Chain::run(&home, ports);
    let signer = Signer::start(&socket, &keys);
    chain.reach(3);

    drop(signer);
    // A block may have been on its way.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let stands = chain.height();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(chain.height(), stands, "nobody signs");
    let _signer = Signer::start(&socket, &keys);
    chain.reach(stands + 3);
}
