//! What the machine offers: programs, ports, disk, clock, limits.

use super::{Finding, Patient};
use crate::config::Device;
use crate::node::cometbft;
use crate::node::supervisor::cometbft_threads;
use nix::sys::resource::{getrlimit, Resource};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Below so much free space a node will soon need somebody.
const DISK_SOON_BYTES: u64 = 5_000_000_000;
/// Open files that databases, peers and clients of a busy node take.
const OPEN_FILES: u64 = 8_192;

/// All checks of the machine.
pub fn look(patient: &Patient, findings: &mut Vec<Finding>) {
    findings.push(versions(patient));
    findings.push(ports(patient));
    findings.push(disk(patient));
    findings.push(clock());
    findings.push(open_files(patient));
    findings.push(threads(patient));
    findings.extend(gpu(patient));
}

fn versions(patient: &Patient) -> Finding {
    let (cyberd, tested) = (env!("CARGO_PKG_VERSION"), cometbft::VERSION);
    match cometbft::find(&patient.home) {
        Ok(Some(program)) => {
            let program = program.display();
            Finding::ok("versions", format!("cyberd {cyberd}, CometBFT {tested} at {program}"))
        }
        Ok(None) => Finding::warn(
            "versions",
            format!("cyberd {cyberd}, no CometBFT {tested} found"),
            "cyberd run builds it with Go; or set CYBERD_COMETBFT to one",
        ),
        Err(fault) => Finding::fail(
            "versions",
            fault.to_string(),
            format!(
                "set CYBERD_COMETBFT to a CometBFT {tested}, which this version is tested with"
            ),
        ),
    }
}

fn ports(patient: &Patient) -> Finding {
    let config = &patient.config;
    let own = |at: Option<SocketAddr>| at.map(|at| at.port()).filter(|port| *port != 0);
    let ports = [
        ("RPC", patient.comet_port("rpc.laddr")),
        ("p2p", patient.comet_port("p2p.laddr")),
        ("CometBFT metrics", patient.comet_port("instrumentation.prometheus_listen_addr")),
        ("gRPC", own(config.api.grpc_listen)),
        ("REST", own(config.api.rest_listen)),
        ("health and metrics", own(config.health_listen)),
    ];
    let ports = ports.into_iter().filter_map(|(name, port)| Some((name, port?)));
    let ports: Vec<(&str, u16)> = ports.collect();
    let named = |(name, port): &(&str, u16)| format!("{port} ({name})");
    if patient.process.is_some() {
        let silent = |(_, port): &&(&str, u16)| {
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_err()
        };
        let silent: Vec<String> = ports.iter().filter(silent).map(named).collect();
        return match silent.is_empty() {
            true => Finding::ok("ports", format!("the node listens on its {}", ports.len())),
            false => Finding::warn(
                "ports",
                format!("nobody listens on {}", silent.join(", ")),
                "it may be starting; else the logs tell why",
            ),
        };
    }
    let is_taken =
        |(_, port): &&(&str, u16)| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_err();
    let taken: Vec<String> = ports.iter().filter(is_taken).map(named).collect();
    match taken.is_empty() {
        true => Finding::ok("ports", format!("the {} ports of the node are free", ports.len())),
        false => Finding::fail(
            "ports",
            format!("another program listens on {}", taken.join(", ")),
            "stop it (ss -ltnp shows it), or change the ports in config/app.toml and \
             config/config.toml",
        ),
    }
}

fn disk(patient: &Patient) -> Finding {
    let found = match nix::sys::statvfs::statvfs(&patient.home) {
        Ok(found) => found,
        Err(error) => {
            let found = format!("{}: {error}", patient.home.display());
            return Finding::fail("disk", found, "make the folder readable");
        }
    };
    let free = found.blocks_available().saturating_mul(found.fragment_size());
    let reserve = patient.config.free_disk_min_bytes;
    let text = format!(
        "{} MB are free, below {} MB the node stops",
        free / 1_000_000,
        reserve / 1_000_000
    );
    match free {
        _ if free < reserve.saturating_mul(2) => {
            Finding::fail("disk", text, "free some space, or move the home to a larger disk")
        }
        _ if free < DISK_SOON_BYTES => Finding::warn(
            "disk",
            text,
            "free some space soon; checkpoints need as much as they hold",
        ),
        _ => Finding::ok("disk", text),
    }
}

/// Whether something keeps the clock right, as far as the system tells.
fn clock() -> Finding {
    let output = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let said = output.ok().filter(|output| output.status.success());
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let remedy = "timedatectl set-ntp true, or install chrony: a validator whose clock is wrong \
                  has its proposals refused";
    match said.as_deref() {
        Some("yes") => Finding::ok("time service", "the clock is kept by NTP"),
        Some("no") => Finding::warn("time service", "the clock is not kept by NTP", remedy),
        _ => Finding::warn("time service", "the system does not tell whether NTP is used", remedy),
    }
}

/// The limit of the running node, else that of this command.
fn open_files(patient: &Patient) -> Finding {
    let of_process = patient.process.and_then(|id| {
        let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).ok()?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.to_owned();
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    let own = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    let (whose, limit) = match of_process {
        Some(limit) => ("the node", limit),
        None => ("this shell", own),
    };
    let found = format!("{whose} may open {limit} files");
    match limit < OPEN_FILES {
        true => Finding::warn(
            "open files",
            found,
            format!("ulimit -n 65536, or LimitNOFILE=65536 in the unit; {OPEN_FILES} are enough"),
        ),
        false => Finding::ok("open files", found),
    }
}

fn threads(patient: &Patient) -> Finding {
    let wanted = cometbft_threads();
    let found = match running_threads(patient) {
        Some(threads) => threads,
        None if patient.process.is_some() => {
            return Finding::ok("GOMAXPROCS", format!("cyberd run sets {wanted}"));
        }
        None => return Finding::ok("GOMAXPROCS", format!("cyberd run will set {wanted}")),
    };
    let text = format!("CometBFT runs with GOMAXPROCS={found}");
    match found.parse::<usize>().is_ok_and(|threads| threads >= 4) {
        true => Finding::ok("GOMAXPROCS", text),
        false => Finding::warn(
            "GOMAXPROCS",
            text,
            format!("start it with {wanted}: its socket client keeps one thread spinning"),
        ),
    }
}

/// What the CometBFT of the running pair was given.
fn running_threads(patient: &Patient) -> Option<String> {
    let supervisor = patient.process?;
    let children = format!("/proc/{supervisor}/task");
    for task in std::fs::read_dir(children).ok()?.flatten() {
        let ids = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for id in ids.split_whitespace() {
            let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
            if name.trim() == "cometbft" {
                let environment = std::fs::read(format!("/proc/{id}/environ")).ok()?;
                let environment = String::from_utf8_lossy(&environment).into_owned();
                let of = |entry: &str| entry.strip_prefix("GOMAXPROCS=").map(str::to_owned);
                return environment.split('\0').find_map(of);
            }
        }
    }
    None
}

fn gpu(patient: &Patient) -> Option<Finding> {
    let (config, worker) = (&patient.config, &patient.config.rank_worker);
    match (config.rank_device, worker.is_file()) {
        (Device::Cpu, _) | (Device::Auto, false) => None,
        (_, true) => Some(Finding::ok("gpu", format!("the worker is {}", worker.display()))),
        (Device::Gpu, false) => Some(Finding::fail(
            "gpu",
            format!("rank.device = gpu, but {} is missing", worker.display()),
            "build cyber-gpu (README, Rank on a GPU) or set rank.device = auto",
        )),
    }
}
