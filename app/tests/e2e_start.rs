//! `cyberd start` as a process: how it ends, and what it says then. The partner is a socket and a
//! few raw frames; no CometBFT is needed.

#![allow(clippy::disallowed_methods, reason = "waits for another process")]

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use prost::Message;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tendermint_proto::abci::request::Value;
use tendermint_proto::abci::{Request, RequestCommit, RequestInfo, Response};

const PATIENCE: Duration = Duration::from_secs(30);

/// The application of a home, killed when dropped before its end.
struct Application {
    child: Option<Child>,
    begin: Instant,
}

impl Application {
    fn start(home: &Path, arguments: &[&str]) -> Application {
        let child = Command::new(env!("CARGO_BIN_EXE_cyberd"))
            .args(["start", "--home"])
            .arg(home)
            .args(arguments)
            .env("CYBERD_HEALTH_LISTEN", "")
            .env("CYBERD_API_GRPC_LISTEN", "")
            .env("CYBERD_API_REST_LISTEN", "")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Application { child: Some(child.expect("it starts")), begin: Instant::now() }
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        kill(Pid::from_raw(child.id() as i32), signal).expect("it runs");
    }

    /// Waits for its end.
    fn ended(mut self) -> (Output, Duration) {
        self.begin = Instant::now();
        let child = self.child.as_mut().expect("it runs");
        while child.try_wait().expect("a child of ours").is_none() {
            assert!(self.begin.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let took = self.begin.elapsed();
        let child = self.child.take().expect("it ran");
        (child.wait_with_output().expect("its output"), took)
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn connect(home: &Path) -> UnixStream {
    let begin = Instant::now();
    loop {
        match UnixStream::connect(home.join("abci.sock")) {
            Ok(stream) => return stream,
            Err(error) => assert!(begin.elapsed() < PATIENCE, "it does not listen: {error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(stream: &mut UnixStream, value: Value) {
    let frame = Request { value: Some(value) }.encode_length_delimited_to_vec();
    stream.write_all(&frame).expect("it reads");
}

/// Waits until it answers.
fn info(stream: &mut UnixStream) {
    send(stream, Value::Info(RequestInfo::default()));
    let mut length = [0];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; usize::from(length[0])];
    stream.read_exact(&mut answer).expect("a short answer");
    let answer = Response::decode(&answer[..]).expect("protobuf").value.expect("an answer");
    let tendermint_proto::abci::response::Value::Info(info) = answer else { panic!("no Info") };
    assert_eq!((info.data.as_str(), info.last_block_height), ("cyberd", 0));
}

#[test]
fn a_signal_ends_it_cleanly_within_five_seconds() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let home = tempfile::tempdir().expect("a folder");
        let application = Application::start(home.path(), &[]);
        let mut stream = connect(home.path());
        info(&mut stream);
        application.signal(signal);
        let (output, took) = application.ended();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{signal}: {text}");
        assert!(took < Duration::from_secs(5), "{signal}: {took:?}");
        assert!(text.contains(signal.as_str()), "{text}");
        assert!(!home.path().join("abci.sock").exists());
    }
}

#[test]
fn a_fault_ends_it_with_its_reason_and_no_answer() {
    let home = tempfile::tempdir().expect("a folder");
    let application = Application::start(home.path(), &[]);
    let mut stream = connect(home.path());
    // No block can be committed before one was executed.
    send(&mut stream, Value::Commit(RequestCommit {}));
    let (output, _) = application.ended();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("its end");
    assert!(answer.is_empty());
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.trim_end().lines().last().unwrap_or_default();
    assert!(last.contains("consensus: Commit without a block"), "{text}");
}

#[test]
fn a_second_one_on_the_same_home_is_refused_and_the_first_goes_on() {
    let home = tempfile::tempdir().expect("a folder");
    let first = Application::start(home.path(), &[]);
    let mut stream = connect(home.path());
    info(&mut stream);
    let second = Application::start(home.path(), &[]);
    let (output, _) = second.ended();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(&home.path().display().to_string()), "{text}");
    info(&mut stream);
    first.signal(Signal::SIGTERM);
    assert!(first.ended().0.status.success());
}

#[test]
fn settings_that_cannot_be_are_refused_with_what_would_be_right() {
    let home = tempfile::tempdir().expect("a folder");
    let open = Application::start(home.path(), &["--abci-listen", "tcp://0.0.0.0:26658"]);
    let (output, _) = open.ended();
    assert_eq!(output.status.code(), Some(8));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("no authentication") && text.contains("tcp://127.0.0.1"), "{text}");
}
