//! `--detach`: the same command in the background, watched until it is ready.

use super::show;
use crate::cli::context::Context;
use crate::cli::nodes;
use crate::cli::output::Answer;
use crate::client::Failure;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(50);

/// Starts this command again without `--detach`, shows what it says until it is ready.
///
/// # Errors
/// When it ends before that; Ctrl-C until then ends it too.
pub fn detach(context: &Context, home: &Path) -> Result<Answer, Failure> {
    // Two at once would wait for each other's files.
    drop(nodes::hold(home)?);
    let ready = show::ready_file(home);
    let _ = std::fs::remove_file(&ready);
    let path = home.join("logs/dev.log");
    let at_path = |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(home.join("logs")).map_err(at_path)?;
    let log = File::create(&path).map_err(at_path)?;
    let stop = nodes::stop_flag()?;
    let mut child = start(&log).map_err(|error| Failure::local(format!("starting: {error}")))?;
    let mut shown = File::open(&path).map_err(at_path)?;
    loop {
        // Asked before the output is read, so that nothing said before is missed.
        let ended = child.try_wait().map_err(at_path)?;
        let is_ready = ready.exists();
        show_more(&mut shown);
        if let Some(status) = ended {
            let message = format!("it ended before it was ready ({status})");
            return Err(Failure::local(message).hint(format!("all it said: {}", path.display())));
        }
        if is_ready {
            break;
        }
        if stop.load(Ordering::Relaxed) {
            end(&mut child);
            show_more(&mut shown);
            return Err(Failure::local("stopped before it was ready"));
        }
        #[allow(clippy::disallowed_methods, reason = "waits for another process")]
        std::thread::sleep(LOOK);
    }
    let text = std::fs::read_to_string(&ready).map_err(at_path)?;
    let json = serde_json::from_str(&text).expect("the ready file is JSON that we wrote");
    context.talk(&format!(
        "It goes on in the background as process {}; testnet/down or kill {} stops it.",
        child.id(),
        child.id()
    ));
    Ok(Answer::new(json, ""))
}

fn start(log: &File) -> std::io::Result<Child> {
    let arguments: Vec<OsString> =
        std::env::args_os().skip(1).filter(|argument| argument != "--detach").collect();
    Command::new(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        // The terminal's signals stay with us.
        .process_group(0)
        .spawn()
}

fn end(child: &mut Child) {
    let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
    let _ = child.wait();
}

fn show_more(log: &mut File) {
    let mut new = Vec::new();
    let _ = log.read_to_end(&mut new);
    let _ = std::io::stderr().write_all(&new);
}
