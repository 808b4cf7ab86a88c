//! A listening socket, its connections, and what each may cost.
//!
//! Invariants: at most [`Limits::connections_max`] connections; one that sends no whole head in
//! time, takes no bytes for some time or answers no ping is closed. What is being answered when the
//! node stops is given up. Deliberately absent: what is served.

#[cfg(test)]
mod tests;

use axum::body::Body;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::io;
use std::pin::{pin, Pin};
use std::sync::Arc;
use std::task::{ready, Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use tower::ServiceExt;

/// A request's head has to come whole within this time; idle connections end after it too.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// A connection that takes nothing of what is written to it for so long is closed.
const STALLED_AFTER: Duration = Duration::from_secs(20);
/// How often an HTTP/2 connection is asked whether it lives, and how long it may think.
const PING_EVERY: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// Calls at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// What an HTTP/2 connection begins with has so many bytes.
const GREETING_BYTES: usize = 24;
/// The buffer of an HTTP/1 connection, which bounds its heads, and of an HTTP/2 stream, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// Heads of HTTP/2, in bytes.
const HEADERS_BYTES: u32 = 16 * 1024;

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections_max: usize,
    pub head_within: Duration,
    pub stalled_after: Duration,
}

impl Limits {
    /// With the usual patience.
    pub fn new(connections_max: usize) -> Limits {
        Limits { connections_max, head_within: HEAD_WITHIN, stalled_after: STALLED_AFTER }
    }
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    let free = Arc::new(Semaphore::new(limits.connections_max));
    let server = Arc::new(server(&limits));
    loop {
        // What is too much waits in the system's own queue.
        let place = free.clone().acquire_owned().await.expect("never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Of one connection, or no descriptors are left: those that are open go on.
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let (server, router) = (server.clone(), router.clone());
        tokio::spawn(async move {
            let _place = place;
            let service =
                router.map_request(|request: axum::http::Request<_>| request.map(Body::new));
            let io = TokioIo::new(Guarded::new(stream, &limits));
            let mut connection =
                pin!(server.serve_connection(io, TowerToHyperService::new(service)));
            if let Err(error) = connection.as_mut().await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
}

fn server(limits: &Limits) -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(BUFFER_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_BYTES)
        .max_send_buf_size(BUFFER_BYTES);
    server
}

/// A stream that ends when the other side stops taking what is written to it.
struct Guarded {
    stream: TcpStream,
    stalled: Option<Pin<Box<Sleep>>>,
    stalled_after: Duration,
    /// Bytes that are missing until it is clear which HTTP this is, and when they have to be there:
    /// no other limit holds before.
    missing: usize,
    greeted_by: Pin<Box<Sleep>>,
}

impl Guarded {
    fn new(stream: TcpStream, limits: &Limits) -> Guarded {
        let Limits { stalled_after, head_within, .. } = *limits;
        let greeted_by = Box::pin(tokio::time::sleep(head_within));
        Guarded { stream, stalled: None, stalled_after, missing: GREETING_BYTES, greeted_by }
    }

    /// Passes a write's outcome on, an error once it has waited for too long.
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let after = self.stalled_after;
        let sleep = || Box::pin(tokio::time::sleep(after));
        ready!(self.stalled.get_or_insert_with(sleep).as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the reader takes nothing")))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        self.missing = self.missing.saturating_sub(read);
        if outcome.is_pending() && self.missing > 0 {
            ready!(self.greeted_by.as_mut().poll(context));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing is asked")));
        }
        outcome
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watched(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watched(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
