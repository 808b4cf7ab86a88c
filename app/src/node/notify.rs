//! What the service manager is told, in systemd's protocol: datagrams to the socket that
//! `NOTIFY_SOCKET` names. Without that variable nothing is told, and nothing can go wrong.
//!
//! | line | when |
//! |---|---|
//! | `READY=1` | `run`: application and CometBFT answer; `start`: ABCI listens |
//! | `STATUS=` | each height (at most one a second) and whatever happens to the pair |
//! | `WATCHDOG=1` | `run`: the pair is alive ([`super::supervisor`]); `start`: its main loop is |
//! | `EXTEND_TIMEOUT_USEC=` | while a start takes long, but goes on |
//! | `STOPPING=1` | the end was asked for |

#![allow(clippy::disallowed_methods, reason = "telling at most so often takes a clock")]

use super::supervisor::Event;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// How much longer a start may take, told again long before it is over.
const EXTENSION: Duration = Duration::from_secs(30);
/// How often a start is said to go on, and the sign of life is given at most.
const OFTEN: Duration = Duration::from_secs(5);
/// How often a height is told.
const HEIGHTS: Duration = Duration::from_secs(1);

/// The service manager, if there is one.
pub struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// Between two signs of life; none: nobody waits for them.
    watchdog: Option<Duration>,
    alive: Option<Instant>,
    height: Option<Instant>,
}

impl Manager {
    /// The one that the environment names.
    pub fn of_environment() -> Manager {
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        // Meant for another process of the unit, if it names another.
        let for_us = of("WATCHDOG_PID").is_none_or(|id| id == std::process::id().to_string());
        let usec = of("WATCHDOG_USEC").filter(|_| for_us).and_then(|usec| usec.parse().ok());
        let socket = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        Manager::at(socket.as_deref(), usec.map(Duration::from_micros))
    }

    /// The one behind a socket: a path, or `@NAME` without a file. `watchdog`: how soon it misses a
    /// sign of life.
    pub fn at(socket: Option<&OsStr>, watchdog: Option<Duration>) -> Manager {
        let socket = socket.and_then(|name| match connect(name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET: the service manager is told nothing");
                None
            }
        });
        let watchdog = watchdog.map(|usec| (usec / 2).min(OFTEN));
        Manager { socket, watchdog, alive: None, height: None }
    }

    /// Between two signs of life, if they are waited for.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.socket.is_some())
    }

    /// Ready to work.
    pub fn ready(&mut self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// A line for people.
    pub fn status(&mut self, status: &str) {
        self.send(&format!("STATUS={}", status.lines().next().unwrap_or_default()));
    }

    /// Ending, as it was asked to.
    pub fn stopping(&mut self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// A sign of life. While starting, a request for time as well.
    pub fn alive(&mut self, starting: bool) {
        let often = self.watchdog.unwrap_or(OFTEN);
        if self.alive.is_some_and(|told| told.elapsed() < often) {
            return;
        }
        self.alive = Some(Instant::now());
        if self.watchdog.is_some() {
            self.send("WATCHDOG=1");
        }
        if starting {
            self.send(&format!("EXTEND_TIMEOUT_USEC={}", EXTENSION.as_micros()));
        }
    }

    /// What happened to a pair, in the manager's words.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Alive { starting } => self.alive(*starting),
            Event::Answers => self.ready(&event.to_string()),
            Event::Stopping => self.stopping(),
            Event::Height(height) => {
                if self.height.is_none_or(|told| told.elapsed() >= HEIGHTS) {
                    self.height = Some(Instant::now());
                    self.status(&format!("height {height}"));
                }
            }
            other => self.status(&other.to_string()),
        }
    }

    fn send(&mut self, text: &str) {
        let Some((socket, to)) = &self.socket else { return };
        // A manager that is gone is no reason to stop.
        if let Err(error) = socket.send_to_addr(text.as_bytes(), to) {
            tracing::debug!(%error, "the service manager does not listen");
        }
    }
}

fn connect(name: &OsStr) -> std::io::Result<(UnixDatagram, SocketAddr)> {
    let to = match name.as_bytes() {
        [b'@', name @ ..] => without_file(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, to))
}

#[cfg(target_os = "linux")]
fn without_file(name: &[u8]) -> std::io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn without_file(_: &[u8]) -> std::io::Result<SocketAddr> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_hears_ready_status_life_and_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let mut manager = Manager::at(Some(path.as_os_str()), Some(Duration::from_secs(60)));
        assert_eq!(manager.watchdog(), Some(OFTEN));
        let restarting = Event::Restarting { reason: "it ended".into(), pause: Duration::ZERO };
        for event in [
            Event::Alive { starting: true },
            Event::Alive { starting: false },
            Event::Answers,
            Event::Height(7),
            Event::Height(8),
            restarting,
            Event::Stopping,
        ] {
            manager.hear(&event);
        }
        socket.set_nonblocking(true).expect("a socket");
        let mut heard = Vec::new();
        let mut buffer = [0; 500];
        while let Ok(length) = socket.recv(&mut buffer) {
            heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        assert_eq!(
            heard,
            [
                "WATCHDOG=1",
                "EXTEND_TIMEOUT_USEC=30000000",
                "READY=1\nSTATUS=application and CometBFT answer",
                "STATUS=height 7",
                "STATUS=it ended; both are started again in 0 ms",
                "STOPPING=1\nSTATUS=stopping",
            ]
        );
    }

    #[test]
    fn without_a_socket_nothing_is_told_and_nothing_fails() {
        for name in [None, Some(OsStr::new("/nowhere/notify"))] {
            let mut manager = Manager::at(name, None);
            manager.ready("");
            manager.alive(true);
            manager.stopping();
        }
        assert_eq!(Manager::at(None, Some(OFTEN)).watchdog(), None);
    }
}
