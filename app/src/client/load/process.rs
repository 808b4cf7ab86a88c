//! What processes of this machine use, from `/proc`: processor time and memory. Where there is no
//! `/proc`, or the node runs on another machine, there are no figures, which the report says.

use std::fs;
use std::path::Path;

/// Linux counts processor time for `/proc` in hundredths of a second on every architecture.
const TICK_MS: u64 = 10;
/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// A process by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

/// What a process has used and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all threads since its start.
    pub cpu_ms: u64,
    /// Resident memory now.
    pub memory_bytes: u64,
}

impl Process {
    /// This one.
    pub fn own() -> Process {
        Process(std::process::id())
    }

    /// The one that listens on a port of this machine.
    pub fn listening_on(port: u16) -> Option<Process> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let inode =
            tables.iter().find_map(|table| listener(&fs::read_to_string(table).ok()?, port));
        let link = format!("socket:[{}]", inode?);
        all().into_iter().find(|process| process.has_open(&link))
    }

    /// The application beside a CometBFT that a supervisor of ours started: the supervisor's other
    /// program, which is the same file as the supervisor.
    pub fn application(self) -> Option<Process> {
        let supervisor = self.parent()?;
        let name = supervisor.name()?;
        let beside = |process: &Process| {
            *process != self
                && process.parent() == Some(supervisor)
                && process.name().as_ref() == Some(&name)
        };
        all().into_iter().find(beside)
    }

    /// What it uses; `None` when it has ended.
    pub fn usage(self) -> Option<Usage> {
        let fields = self.stat()?;
        let number = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().ok()?;
        let ticks = number(11)? + number(12)?;
        Some(Usage { cpu_ms: ticks * TICK_MS, memory_bytes: kilobytes * 1024 })
    }

    fn name(self) -> Option<String> {
        let name = fs::read_to_string(format!("/proc/{}/comm", self.0)).ok()?;
        Some(name.trim().to_owned())
    }

    fn parent(self) -> Option<Process> {
        self.stat()?.get(1)?.parse().ok().map(Process)
    }

    /// The fields of its `stat` after number and name, which may hold anything.
    fn stat(self) -> Option<Vec<String>> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        let (_, rest) = text.rsplit_once(") ")?;
        Some(rest.split_whitespace().map(str::to_owned).collect())
    }

    fn has_open(self, link: &str) -> bool {
        let Ok(files) = fs::read_dir(format!("/proc/{}/fd", self.0)) else { return false };
        let mut targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| target.as_path() == Path::new(link))
    }
}

fn all() -> Vec<Process> {
    let Ok(folders) = fs::read_dir("/proc") else { return Vec::new() };
    let number = |name: std::ffi::OsString| name.to_str()?.parse().ok().map(Process);
    folders.flatten().filter_map(|folder| number(folder.file_name())).collect()
}

/// The inode of the socket that listens on a port, in a table of `/proc/net`.
fn listener(table: &str, port: u16) -> Option<String> {
    let suffix = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut matching = rows.filter(|row| {
        row.get(1).is_some_and(|local| local.ends_with(&suffix)) && row.get(3) == Some(&LISTENING)
    });
    matching.next().and_then(|row| row.get(9).map(|inode| (*inode).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_listener_of_this_process_is_found_by_its_port() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        let port = socket.local_addr().expect("address").port();
        assert_eq!(Process::listening_on(port), Some(Process::own()));
        let usage = Process::own().usage().expect("we run");
        assert!(usage.memory_bytes > 1 << 20, "{usage:?}");
        assert_eq!(Process::own().application(), None);
        drop(socket);
        assert_eq!(Process::listening_on(port), None);
    }
}
