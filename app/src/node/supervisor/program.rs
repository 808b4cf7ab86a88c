//! One supervised program: started in a process group of its own, its output kept, stopped with
//! SIGTERM and, if that is not heard, SIGKILL.

use crate::error::Fault;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a program may take to end by itself. Two of them stay below the five seconds promised.
const PATIENCE: Duration = Duration::from_millis(2_200);
/// How long its output may take to arrive after its end.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// A log file is put aside when it has grown to this; one older part is kept.
const LOG_BYTES: u64 = 64 << 20;
/// Lines kept for the report of a program that keeps dying.
const LAST_LINES: usize = 20;

/// Where a program's output goes.
#[derive(Clone, Debug)]
pub enum Log {
    /// Appended to a file.
    File(PathBuf),
    /// Passed on to our standard error.
    Passed,
}

/// A program and how to start it.
#[derive(Clone, Debug)]
pub struct Program {
    /// As messages call it.
    pub name: &'static str,
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(&'static str, String)>,
    pub log: Log,
    /// Output lines holding one of these mean that it lives on without doing its work.
    pub fatal: &'static [&'static str],
}

/// How a program ended.
pub(super) struct Ended {
    pub reason: String,
    /// Killed by SIGKILL: by hand, by a test, for want of memory; not by its own mistake.
    pub from_outside: bool,
}

/// A program that was started.
pub(super) struct Running {
    name: &'static str,
    child: Child,
    output: Arc<Mutex<Output>>,
    reader: JoinHandle<()>,
    started: Instant,
}

/// What is known of the output so far.
#[derive(Default)]
struct Output {
    last: VecDeque<String>,
    fatal: Option<String>,
}

impl Program {
    /// Starts it. The calling thread must live as long as the program may: the kernel ends the
    /// program with the thread that started it.
    pub(super) fn spawn(&self) -> Result<Running, Fault> {
        let fault = |error: std::io::Error| {
            Fault::Setup(format!("{} ({}): {error}", self.name, self.path.display()))
        };
        let (output, input) = std::io::pipe().map_err(fault)?;
        let sink = Sink::open(&self.log).map_err(fault)?;
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(input.try_clone().map_err(fault)?)
            .stderr(input)
            // Ctrl-C on a terminal is for us; we stop the two in order.
            .process_group(0);
        end_with_us(&mut command);
        let child = command.spawn().map_err(fault)?;
        // Our copies of the pipe's end go with the command, so that its end is seen.
        drop(command);

        let kept = Arc::new(Mutex::new(Output::default()));
        let reader = {
            let (kept, fatal) = (Arc::clone(&kept), self.fatal);
            std::thread::spawn(move || pass_on(output, sink, &kept, fatal))
        };
        Ok(Running { name: self.name, child, output: kept, reader, started: Instant::now() })
    }
}

impl Running {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether and how it ended, or failed while it goes on running.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        if let Ok(Some(status)) = self.child.try_wait() {
            let lived = self.started.elapsed().as_secs_f32();
            let reason = match status.signal() {
                Some(signal) => format!("was killed by signal {signal} after {lived:.1} s"),
                None => format!("ended after {lived:.1} s ({status})"),
            };
            let from_outside = status.signal() == Some(Signal::SIGKILL as i32);
            return Some(Ended { reason, from_outside });
        }
        let fatal = locked(&self.output).fatal.take()?;
        Some(Ended { reason: format!("failed: {fatal}"), from_outside: false })
    }

    /// Ends it and waits until it is gone and its output is kept.
    pub(super) fn stop(&mut self) {
        let id = Pid::from_raw(self.child.id() as i32);
        let start = Instant::now();
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill(id, Signal::SIGTERM);
        }
        while matches!(self.child.try_wait(), Ok(None)) {
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // The last lines are on their way; a child of the program may keep the pipe open longer.
        let late = Instant::now();
        while !self.reader.is_finished() && late.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The last lines of its output.
    pub(super) fn last_lines(&self) -> Vec<String> {
        locked(&self.output).last.iter().cloned().collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn locked(output: &Mutex<Output>) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Asks the kernel to end the program when the thread that starts it ends.
#[cfg(target_os = "linux")]
fn end_with_us(command: &mut Command) {
    let us = nix::unistd::getpid();
    let in_child = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // We may have ended before the request was in place.
        if nix::unistd::getppid() != us {
            return Err(std::io::Error::other("the supervisor is gone"));
        }
        Ok(())
    };
    #[allow(unsafe_code, reason = "two system calls between fork and exec, both allowed there")]
    unsafe {
        command.pre_exec(in_child);
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_us(_: &mut Command) {}

/// Where output lines are written.
enum Sink {
    File { path: PathBuf, file: File, bytes: u64 },
    Passed,
}

impl Sink {
    fn open(log: &Log) -> std::io::Result<Sink> {
        let Log::File(path) = log else {
            return Ok(Sink::Passed);
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = open_to_append(path)?;
        let bytes = file.metadata()?.len();
        Ok(Sink::File { path: path.clone(), file, bytes })
    }

    /// Writes a line. A full disk must not stop the node for its log.
    fn write(&mut self, line: &[u8]) {
        match self {
            Sink::Passed => {
                let _ = std::io::stderr().write_all(line);
            }
            Sink::File { path, file, bytes } => {
                if *bytes > LOG_BYTES {
                    let _ = std::fs::rename(&*path, older(path));
                    if let Ok(new) = open_to_append(path) {
                        (*file, *bytes) = (new, 0);
                    }
                }
                *bytes += line.len() as u64;
                let _ = file.write_all(line);
            }
        }
    }
}

fn open_to_append(path: &Path) -> std::io::Result<File> {
    File::options().create(true).append(true).open(path)
}

fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// Reads the output to its end, line by line.
fn pass_on(output: PipeReader, mut sink: Sink, kept: &Mutex<Output>, fatal: &[&str]) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match output.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => sink.write(&line),
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut kept = locked(kept);
        if fatal.iter().any(|word| text.contains(word)) {
            kept.fatal.get_or_insert_with(|| text.clone());
        }
        // What was passed on was seen already.
        if matches!(sink, Sink::Passed) {
            continue;
        }
        if kept.last.len() == LAST_LINES {
            kept.last.pop_front();
        }
        kept.last.push_back(text);
    }
}
