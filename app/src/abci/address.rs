//! Where the server listens: a Unix socket or a loopback port, nothing else. ABCI knows no
//! authentication: whoever connects may commit blocks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The longest path of a Unix socket, in bytes; the kernel's structure ends there.
pub const SOCKET_PATH_MAX: usize = 107;

/// An address to listen on. Its display is what CometBFT's `proxy_app` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Unix(PathBuf),
    /// A loopback address; port 0 lets the system choose.
    Tcp(SocketAddr),
}

/// Why an address is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    #[error("'{0}' is no address; right are unix:///path/to/abci.sock and tcp://127.0.0.1:26658")]
    Form(String),
    #[error(
        "'{0}' is not loopback: ABCI has no authentication, whoever connects may commit blocks; \
         right are unix:///path/to/abci.sock and tcp://127.0.0.1:26658"
    )]
    Public(String),
    #[error(
        "the socket's path has {length} bytes, at most {SOCKET_PATH_MAX} are possible: {path}; \
         choose a shorter one or tcp://127.0.0.1:26658"
    )]
    TooLong { path: String, length: usize },
}

impl Address {
    /// Reads `unix:///path` or `tcp://loopback:port`.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        let form = || AddressError::Form(text.to_owned());
        if let Some(path) = text.strip_prefix("unix://") {
            if !path.starts_with('/') {
                return Err(form());
            }
            return Address::unix(Path::new(path));
        }
        let place = text.strip_prefix("tcp://").ok_or_else(form)?;
        let (host, port) = place.rsplit_once(':').ok_or_else(form)?;
        let port = port.parse().map_err(|_| form())?;
        let ip = match host {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => host.trim_matches(['[', ']']).parse().map_err(|_| form())?,
        };
        if !ip.is_loopback() {
            return Err(AddressError::Public(text.to_owned()));
        }
        Ok(Address::Tcp(SocketAddr::new(ip, port)))
    }

    /// A Unix socket, if its path is short enough.
    pub fn unix(path: &Path) -> Result<Address, AddressError> {
        let length = path.as_os_str().len();
        if length > SOCKET_PATH_MAX {
            return Err(AddressError::TooLong { path: path.display().to_string(), length });
        }
        Ok(Address::Unix(path.to_owned()))
    }

    /// The default in a home: its `abci.sock`, or a loopback port of the system's choice where
    /// the home's path is too long for a socket.
    pub fn in_home(home: &Path) -> Address {
        let any = Address::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
        Address::unix(&home.join("abci.sock")).unwrap_or(any)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp(place) => write!(f, "tcp://{place}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_sockets_are_taken() {
        for text in ["unix:///tmp/a.sock", "tcp://127.0.0.1:26658", "tcp://[::1]:0"] {
            assert_eq!(Address::parse(text).expect("address").to_string(), text);
        }
        let local = Address::parse("tcp://localhost:1").expect("address");
        assert_eq!(local.to_string(), "tcp://127.0.0.1:1");
    }

    #[test]
    fn anything_open_to_others_is_refused() {
        for text in ["tcp://0.0.0.0:26658", "tcp://10.0.0.1:26658", "tcp://[::]:26658"] {
            assert_eq!(Address::parse(text), Err(AddressError::Public(text.to_owned())));
        }
        for text in ["", "unix://a.sock", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "http://x:1"] {
            assert!(matches!(Address::parse(text), Err(AddressError::Form(_))), "{text}");
        }
    }

    #[test]
    fn a_long_home_falls_back_to_loopback() {
        let long = PathBuf::from(format!("/{}", "x".repeat(SOCKET_PATH_MAX)));
        assert!(matches!(Address::unix(&long), Err(AddressError::TooLong { .. })));
        assert_eq!(Address::in_home(&long).to_string(), "tcp://127.0.0.1:0");
        let just = PathBuf::from(format!("/{}", "x".repeat(SOCKET_PATH_MAX - 11)));
        assert!(matches!(Address::in_home(&just), Address::Unix(_)));
    }
}
