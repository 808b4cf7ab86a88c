//! One supervised program: started in a process group of its own, its output kept, stopped with
//! SIGTERM and, if that is not heard, SIGKILL.

use crate::client::Exit;
use crate::error::Fault;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a program may take to end by itself. Two of them stay below the five seconds promised.
const PATIENCE: Duration = Duration::from_millis(2_100);
/// How long its output may take to arrive after its end.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// A log file is put aside when it has grown to this; one older part is kept.
const LOG_BYTES: u64 = 64 << 20;
/// Lines kept for the report of a program that keeps dying.
const LAST_LINES: usize = 20;

/// The variable that tells a program how often the pair was started again.
pub const RESTARTS: &str = "CYBERD_RESTARTS";
/// Linux counts the time of processors in hundredths of a second, whatever the processor.
const TICK_MS: u64 = 10;

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
    /// What output lines holding these texts mean.
    pub signs: &'static [(&'static str, Sign)],
}

/// What a line of output tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The program lives on without doing its work: the pair is started again.
    Stuck,
    /// The same, but starting it again at once would end alike: the supervisor ends.
    Later,
    /// Starting it again is of no use before something is changed; it ends by itself.
    Unfit,
    /// The network has another state than we.
    Mismatch,
}

/// Whether a program may be started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Again,
    /// Not now.
    Later,
    /// Not before something is changed.
    Unfit,
    /// Not this version.
    Upgrade,
}

/// How a program ended.
pub(super) struct Ended {
    pub reason: String,
    /// Killed by SIGKILL: by hand, by a test, for want of memory; not by its own mistake.
    pub from_outside: bool,
    pub verdict: Verdict,
}

impl Ended {
    /// An end that the supervisor decided on.
    pub fn decided(reason: String) -> Ended {
        Ended { reason, from_outside: false, verdict: Verdict::Again }
    }
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
    /// The first line of each sign.
    signs: Vec<(Sign, String)>,
    /// The last line that begins as our own programs' failures do.
    error: Option<String>,
}

impl Output {
    fn sign(&self, wanted: Sign) -> Option<&str> {
        self.signs.iter().find(|(sign, _)| *sign == wanted).map(|(_, line)| line.as_str())
    }

    fn read(&mut self, line: &str, signs: &[(&str, Sign)]) {
        for (text, sign) in signs {
            if line.contains(text) && self.sign(*sign).is_none() {
                self.signs.push((*sign, line.to_owned()));
            }
        }
        if let Some(error) = line.strip_prefix("error: ") {
            self.error = Some(error.to_owned());
        }
    }
}

impl Program {
    /// Starts it. The calling thread must live as long as the program may: the kernel ends the
    /// program with the thread that started it.
    pub(super) fn spawn(&self, restarts: u64) -> Result<Running, Fault> {
        let fault = |error: std::io::Error| {
            Fault::Setup(format!("{} ({}): {error}", self.name, self.path.display()))
        };
        let (output, input) = std::io::pipe().map_err(fault)?;
        let sink = Sink::open(&self.log).map_err(fault)?;
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(RESTARTS, restarts.to_string())
            // What the service manager hears, it hears from the supervisor.
            .env_remove("NOTIFY_SOCKET")
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
            let (kept, signs) = (Arc::clone(&kept), self.signs);
            std::thread::spawn(move || pass_on(output, sink, &kept, signs))
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
            self.wait_for_last_words();
            return Some(self.end(status));
        }
        let output = locked(&self.output);
        let failed = |sign, verdict| {
            let line = output.sign(sign)?;
            Some(Ended { reason: format!("failed: {line}"), from_outside: false, verdict })
        };
        failed(Sign::Later, Verdict::Later).or_else(|| failed(Sign::Stuck, Verdict::Again))
    }

    fn end(&self, status: ExitStatus) -> Ended {
        let lived = self.started.elapsed().as_secs_f32();
        let mut reason = match status.signal() {
            Some(signal) => format!("was killed by signal {signal} after {lived:.1} s"),
            None => format!("ended after {lived:.1} s ({status})"),
        };
        let output = locked(&self.output);
        let unfit = output.sign(Sign::Unfit);
        let verdict = match status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(code) if code == Exit::Unfit.code() => Verdict::Unfit,
            Some(code) if code == Exit::Upgrade.code() => Verdict::Upgrade,
            _ if unfit.is_some() => Verdict::Unfit,
            _ => Verdict::Again,
        };
        if let Some(said) = unfit.or(output.error.as_deref()) {
            reason.push_str(&format!(": {said}"));
        }
        let from_outside = status.signal() == Some(Signal::SIGKILL as i32);
        Ended { reason, from_outside, verdict }
    }

    /// The line that tells that the network has another state, unless another tells why that is
    /// no wonder.
    pub(super) fn mismatch(&self) -> Option<String> {
        let output = locked(&self.output);
        let line = output.sign(Sign::Mismatch).filter(|_| output.sign(Sign::Unfit).is_none());
        line.map(str::to_owned)
    }

    /// The time of processors it has used; zero where the system does not tell.
    pub(super) fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // The name in brackets may hold anything; after it the state is the first field, the ticks
        // of the program and of the system for it are the twelfth and thirteenth.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        let ticks: u64 =
            fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks.saturating_mul(TICK_MS))
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
        self.wait_for_last_words();
    }

    /// The last lines are on their way; a child of the program may keep the pipe open longer.
    fn wait_for_last_words(&self) {
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
fn pass_on(output: PipeReader, mut sink: Sink, kept: &Mutex<Output>, signs: &[(&str, Sign)]) {
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
        kept.read(&text, signs);
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
