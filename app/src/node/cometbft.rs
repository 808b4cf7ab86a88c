//! The consensus engine's program: found, or built from its Go module.
//!
//! Exactly one version fits, [`VERSION`]. It is looked for in `CYBERD_COMETBFT`, in the project's
//! hidden folder `.tools/bin` when we run from a checkout, in `HOME/bin`, and in `PATH`; if none
//! fits, `go install` builds it into the first of the two folders that applies. Nothing outside
//! these folders and Go's own cache is written.

pub mod genesis;
pub mod home;
#[cfg(test)]
mod tests;

use crate::client::files;
use crate::error::Fault;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The version this application is made and tested for.
pub const VERSION: &str = "0.38.25";
const MODULE: &str = "github.com/cometbft/cometbft/cmd/cometbft";
/// The oldest Go that can build it (a newer toolchain, where needed, Go gets by itself).
const OLDEST_GO: (u32, u32) = (1, 21);
const VARIABLE: &str = "CYBERD_COMETBFT";

/// The program, built first when no fitting one is there. `say` gets a line now and then.
///
/// # Errors
/// [`Fault::Setup`] naming what is missing and the command that installs it.
pub fn find_or_install(home: &Path, say: &mut dyn FnMut(&str)) -> Result<PathBuf, Fault> {
    let folder = install_folder(home);
    if let Some(found) = find_in(&folder)? {
        return Ok(found);
    }
    let fault = |error| Fault::Setup(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(&folder).map_err(fault)?;
    // Commands and tests that start together build it once.
    let _alone = files::lock(&folder.join(".install.lock")).map_err(fault)?;
    match find_in(&folder)? {
        Some(found) => Ok(found),
        None => install(&folder, say),
    }
}

/// A fitting program, if one is there for the node of a home.
///
/// # Errors
/// When `CYBERD_COMETBFT` is set and names something else.
pub fn find(home: &Path) -> Result<Option<PathBuf>, Fault> {
    find_in(&install_folder(home))
}

/// A fitting program where it may be.
fn find_in(folder: &Path) -> Result<Option<PathBuf>, Fault> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return match version(&named).as_deref() {
            Ok(VERSION) => Ok(Some(named)),
            Ok(other) => Err(named_unfit(&named, &format!("is version {other}"))),
            Err(reason) => Err(named_unfit(&named, reason)),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    let mut programs = folders.map(|folder| folder.join("cometbft")).filter(|file| file.is_file());
    Ok(programs.find(|program| version(program).is_ok_and(|found| found == VERSION)))
}

fn named_unfit(named: &Path, what: &str) -> Fault {
    Fault::Setup(format!("{VARIABLE}={} {what}; CometBFT {VERSION} is needed", named.display()))
}

/// What the program says its version is, without a `v` before it or a commit after it.
fn version(program: &Path) -> Result<String, String> {
    let output = Command::new(program).arg("version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.trim().trim_start_matches('v').split(['+', '-', '\n']).next();
    match first {
        Some(version) if output.status.success() && !version.is_empty() => Ok(version.to_owned()),
        _ => Err(format!("does not tell its version ({})", output.status)),
    }
}

/// Where the program is put: beside the sources, or in the home without them.
fn install_folder(home: &Path) -> PathBuf {
    checkout().map_or_else(|| home.join("bin"), |root| root.join(".tools/bin"))
}

/// The root of the checkout we were built in or are called from.
pub fn checkout() -> Option<PathBuf> {
    let places = [std::env::current_exe().ok(), std::env::current_dir().ok()];
    let is_root = |folder: &&Path| {
        folder.join("testnet/up").is_file() && folder.join("app/Cargo.toml").is_file()
    };
    places.iter().flatten().find_map(|place| place.ancestors().find(is_root).map(Path::to_owned))
}

fn install(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<PathBuf, Fault> {
    check_go()?;
    say(&format!("building CometBFT v{VERSION} with go install (once, about a minute) …"));
    let mut child = Command::new("go")
        .args(["install", &format!("{MODULE}@v{VERSION}")])
        .env("GOBIN", folder)
        // Pure Go is all it needs: no C compiler. Flags of the user's other projects do not apply.
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Fault::Setup(format!("go install does not start: {error}")))?;
    let mut last = Vec::new();
    for line in child.stderr.take().into_iter().flat_map(|pipe| BufReader::new(pipe).lines()) {
        let line = line.unwrap_or_default();
        say(&format!("  {line}"));
        last.push(line);
    }
    let status = child.wait().map_err(|error| Fault::Setup(format!("go install: {error}")))?;
    let program = folder.join("cometbft");
    if status.success() && version(&program).is_ok_and(|found| found == VERSION) {
        say(&format!("CometBFT v{VERSION} is at {}", program.display()));
        return Ok(program);
    }
    let tail = last.split_off(last.len().saturating_sub(8)).join("\n  ");
    Err(Fault::Setup(format!(
        "CometBFT {VERSION} could not be built ({status}):\n  {tail}\n\
         build it where the network allows it and name it:\n  \
         GOBIN={} go install {MODULE}@v{VERSION}\n  \
         or set {VARIABLE} to a CometBFT {VERSION}",
        folder.display()
    )))
}

fn check_go() -> Result<(), Fault> {
    let output = Command::new("go").arg("version").stdin(Stdio::null()).output();
    let Ok(output) = output else {
        return Err(go_wanted("Go is not installed"));
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match go_version(&text) {
        Some(version) if version < OLDEST_GO => Err(go_wanted(&format!("too old: {text}"))),
        _ => Ok(()),
    }
}

/// Reads `go version go1.22.5 linux/amd64`; `None` for development builds.
fn go_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(2)?.strip_prefix("go")?.split(['.', 'r', 'b']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn go_wanted(why: &str) -> Fault {
    let processor = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let command = match std::env::consts::OS {
        "macos" => "brew install go".to_owned(),
        _ => format!(
            "curl -fsSL https://go.dev/dl/go1.24.0.linux-{processor}.tar.gz \
             | sudo tar -C /usr/local -xz && export PATH=$PATH:/usr/local/go/bin"
        ),
    };
    let (major, minor) = OLDEST_GO;
    Fault::Setup(format!(
        "CometBFT {VERSION} is built with Go {major}.{minor} or newer, {}; install it with:\n  \
         {command}\nor set {VARIABLE} to a CometBFT {VERSION}",
        why.trim()
    ))
}
