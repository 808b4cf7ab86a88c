//! Unix and TCP sockets behind one face, and the listener that hands them out.

use super::address::Address;
use crate::error::Fault;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// A connection.
#[derive(Debug)]
pub enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    /// Ends reading, writing or both; threads waiting in either return.
    pub fn shutdown(&self, how: Shutdown) {
        // A socket already gone is as good as shut.
        let _ = match self {
            Socket::Unix(stream) => stream.shutdown(how),
            Socket::Tcp(stream) => stream.shutdown(how),
        };
    }

    /// Whether the other end is gone, even if bytes of its are still unread.
    pub fn is_hung_up(&self) -> bool {
        ready(&[(self.as_fd(), EpollFlags::EPOLLRDHUP)], Some(0)).is_ok_and(|gone| gone.is_some())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Unix(stream) => stream.as_fd(),
            Socket::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Read for &Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(stream) => (&*stream).read(into),
            Socket::Tcp(stream) => (&*stream).read(into),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(stream) => (&*stream).write(from),
            Socket::Tcp(stream) => (&*stream).write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until one of the descriptors has one of its events (or an error); its place in the
/// list. `timeout_ms`: none waits for ever.
fn ready(
    of: &[(BorrowedFd<'_>, EpollFlags)],
    timeout_ms: Option<u16>,
) -> io::Result<Option<usize>> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (at, (descriptor, events)) in of.iter().enumerate() {
        epoll.add(descriptor, EpollEvent::new(*events, at as u64))?;
    }
    let mut events = [EpollEvent::empty()];
    let timeout = timeout_ms.map_or(EpollTimeout::NONE, EpollTimeout::from);
    loop {
        match epoll.wait(&mut events, timeout) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(usize::try_from(events[0].data()).ok()),
            Err(nix::errno::Errno::EINTR) => (),
            Err(e) => return Err(e.into()),
        }
    }
}

/// What listens, until it is woken.
#[derive(Debug)]
pub struct Listener {
    inner: Inner,
    address: Address,
    wake: (UnixStream, UnixStream),
}

#[derive(Debug)]
enum Inner {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    /// Listens. A Unix socket left behind by a dead process is replaced, one that answers is not.
    pub fn bind(address: &Address) -> Result<Listener, Fault> {
        let fault = |e: io::Error| Fault::Setup(format!("cannot listen on {address}: {e}"));
        let wake = UnixStream::pair().map_err(fault)?;
        let (inner, address) = match address {
            Address::Unix(path) => {
                clear(path, address)?;
                let listener = UnixListener::bind(path).map_err(fault)?;
                // For this user alone: whoever connects may commit blocks.
                fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fault)?;
                listener.set_nonblocking(true).map_err(fault)?;
                (Inner::Unix(listener), address.clone())
            }
            Address::Tcp(place) => {
                let listener = TcpListener::bind(place).map_err(fault)?;
                listener.set_nonblocking(true).map_err(fault)?;
                let place = listener.local_addr().map_err(fault)?;
                (Inner::Tcp(listener), Address::Tcp(place))
            }
        };
        Ok(Listener { inner, address, wake })
    }

    /// Where it listens: with the port the system chose, if it was to choose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection; none once woken.
    pub fn accept(&self) -> io::Result<Option<Socket>> {
        let listener = match &self.inner {
            Inner::Unix(listener) => listener.as_fd(),
            Inner::Tcp(listener) => listener.as_fd(),
        };
        loop {
            let readable = EpollFlags::EPOLLIN;
            let first = [(self.wake.1.as_fd(), readable), (listener, readable)];
            if ready(&first, None)? == Some(0) {
                return Ok(None);
            }
            match self.take() {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => (),
                other => return other.map(Some),
            }
        }
    }

    fn take(&self) -> io::Result<Socket> {
        match &self.inner {
            Inner::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(false)?;
                Ok(Socket::Unix(stream))
            }
            Inner::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(false)?;
                // Without it every call waits some 40 ms for the other side's acknowledgement.
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
        }
    }

    /// Makes [`Listener::accept`] return none, now and from now on.
    pub fn wake(&self) {
        self.wake.0.shutdown(Shutdown::Both).expect("a pair of our own");
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address {
            // Gone already or not ours to remove: the next start deals with it.
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes a socket nobody listens on.
fn clear(path: &Path, address: &Address) -> Result<(), Fault> {
    if UnixStream::connect(path).is_ok() {
        let text = format!("another process listens on {address}: stop it, or choose another home");
        return Err(Fault::Setup(text));
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(Fault::Setup(format!("cannot replace the old socket {address}: {e}")))
        }
        _ => Ok(()),
    }
}
