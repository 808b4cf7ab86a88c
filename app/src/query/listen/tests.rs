//! Connections that cost too much: half a head, no reading, too many of them.

use super::*;
use axum::routing::get;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as Client};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_millis(300);
/// More than sockets buffer.
const LARGE: usize = 64 << 20;

/// A server of one small and one large answer, whose bodies are counted while they live.
fn server(connections_max: usize) -> (Runtime, SocketAddr, Arc<AtomicUsize>) {
    struct Counted(Arc<AtomicUsize>, Vec<u8>);
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.1
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let alive = Arc::new(AtomicUsize::new(0));
    let own = alive.clone();
    let large = get(|| async move {
        own.fetch_add(1, Ordering::SeqCst);
        Body::from(bytes::Bytes::from_owner(Counted(own, vec![0; LARGE])))
    });
    let router = Router::new().route("/small", get(|| async { "small" })).route("/large", large);
    let runtime = Runtime::new().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("bound");
    let limits = Limits { connections_max, head_within: PATIENCE, stalled_after: PATIENCE };
    runtime.spawn(serve(listener, router, limits));
    (runtime, address, alive)
}

fn send(at: SocketAddr, text: &str) -> Client {
    let mut client = Client::connect(at).expect("it listens");
    client.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    client.write_all(text.as_bytes()).expect("it reads");
    client
}

fn rest(mut client: Client) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).expect("it closes");
    text
}

const SMALL: &str = "GET /small HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[test]
fn half_a_head_is_not_waited_for_and_others_are_answered_meanwhile() {
    let (_runtime, at, _) = server(10);
    let silent = send(at, "");
    let undecided = send(at, "PRI * HTT");
    let half = send(at, "GET /small HT");
    let slow = send(at, "GET /small HTTP/1.1\r\nhost: x\r\n");
    assert!(rest(send(at, SMALL)).ends_with("\r\n\r\nsmall"));
    for client in [silent, undecided, half, slow] {
        assert!(!rest(client).contains("200 OK"));
    }
}

#[test]
fn an_answer_that_nobody_takes_is_let_go() {
    let (_runtime, at, alive) = server(10);
    let client = send(at, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n");
    let wait = |wanted: usize| {
        (0..600).any(|_| {
            #[allow(clippy::disallowed_methods, reason = "a test waits for another thread")]
            std::thread::sleep(Duration::from_millis(50));
            alive.load(Ordering::SeqCst) == wanted
        })
    };
    assert!(wait(1), "it is on its way");
    assert!(wait(0), "a reader who takes nothing holds an answer");
    drop(client);
}

#[test]
fn connections_beyond_the_limit_wait_for_their_turn() {
    let (_runtime, at, _) = server(1);
    let first = send(at, "GET /small HTTP/1.1\r\n");
    // Answered when the first one was given up.
    assert!(rest(send(at, SMALL)).ends_with("\r\n\r\nsmall"));
    assert!(!rest(first).contains("200 OK"));
}
