//! The processes of a node, as the system shows them.

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: i32,
    /// `cyberd` or `cometbft`.
    pub name: String,
}

/// The children of a process that have not ended.
pub fn children(parent: u32) -> Vec<Seen> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("a system with /proc").flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // id (name) state parent …; a name may hold blanks and brackets.
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        let rest: Vec<&str> = stat[close + 1..].split_whitespace().take(2).collect();
        let [state, of] = rest[..] else { continue };
        if of == parent.to_string() && state != "Z" {
            let id = stat[..open].trim().parse().expect("a number");
            found.push(Seen { id, name: stat[open + 1..close].to_owned() });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Application and CometBFT of a supervisor, once both run.
pub fn pair(supervisor: u32) -> Option<[Seen; 2]> {
    let [cometbft, application] = <[Seen; 2]>::try_from(children(supervisor)).ok()?;
    (cometbft.name == "cometbft" && application.name == "cyberd").then_some([application, cometbft])
}

/// `kill -9`; whether it was still there.
pub fn kill_now(process: &Seen) -> bool {
    kill(Pid::from_raw(process.id), Signal::SIGKILL).is_ok()
}

/// Processes with a text among their arguments.
pub fn mentioning(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("a system with /proc").flatten() {
        let Ok(bytes) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
        if line.contains(text) {
            found.push(format!("{} {line}", entry.file_name().to_string_lossy()));
        }
    }
    found
}
