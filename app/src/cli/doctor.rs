//! `cyberd doctor`: looks at a home and, where it runs, at its node, and says what to do about what
//! it finds. It changes nothing.
//!
//! Every finding is one line: what was looked at, ok, warn or fail, what is the case, and for the
//! last two a remedy. Failures are what keeps a node from running or endangers it. The checks:
//! [`files`] reads the home, [`system`] the machine, [`chain`] asks the running node.

mod chain;
mod files;
mod system;
#[cfg(test)]
mod tests;

use super::context::Context;
use super::nodes;
use super::output::{table, Answer};
use crate::client::{Exit, Failure};
use crate::config::Config;
use crate::node::cometbft::home::CometHome;
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Look at the node of a home and say what to do about what is found
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd doctor
  cyberd doctor --home /var/lib/cyberd
  cyberd doctor --output json | jq '.findings[] | select(.level != \"ok\")'
Works on a node that is stopped and on one that runs. Looks at settings, genesis, keys, ports, disk,
clock, versions, peers, limits. Ends with 1 if a check fails; warnings are no failures.")]
pub struct Doctor {}

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub level: Level,
    pub found: String,
    /// What to do; none where all is well.
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { check, level: Level::Ok, found: found.into(), remedy: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        let remedy = Some(remedy.into());
        Finding { check, level: Level::Warn, found: found.into(), remedy }
    }

    fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        let remedy = Some(remedy.into());
        Finding { check, level: Level::Fail, found: found.into(), remedy }
    }
}

/// What the checks look at.
pub struct Patient {
    /// Absolute.
    home: PathBuf,
    config: Config,
    /// CometBFT's settings.
    comet: toml::Table,
    /// The supervisor that runs the home, if one does.
    process: Option<u32>,
}

impl Patient {
    fn comet_home(&self) -> CometHome {
        CometHome::of(&self.home)
    }

    /// A setting of CometBFT's, `section.key` or `key`, as text.
    fn comet(&self, name: &str) -> Option<String> {
        text_of(&self.comet, name)
    }

    /// The port of a setting that ends with one.
    fn comet_port(&self, name: &str) -> Option<u16> {
        self.comet(name)?.rsplit_once(':')?.1.parse().ok()
    }
}

/// A value of a table, `section.key` or `key`, as text.
fn text_of(table: &toml::Table, name: &str) -> Option<String> {
    let value = match name.split_once('.') {
        Some((section, key)) => table.get(section)?.get(key)?,
        None => table.get(name)?,
    };
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Runs all checks.
pub fn run(context: &Context, _: &Doctor) -> Result<Answer, Failure> {
    let home = nodes::absolute(&context.home)?;
    Ok(answer(&home, &examine(&home)))
}

/// What there is to say about a home.
pub fn examine(home: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let patient = match files::open(home, &mut findings) {
        Some(patient) => patient,
        None => return findings,
    };
    files::look(&patient, &mut findings);
    system::look(&patient, &mut findings);
    chain::look(&patient, &mut findings);
    findings
}

fn answer(home: &Path, findings: &[Finding]) -> Answer {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (warnings, failures) = (count(Level::Warn), count(Level::Fail));
    let word = |level| match level {
        Level::Ok => "ok",
        Level::Warn => "WARN",
        Level::Fail => "FAIL",
    };
    let mut rows = Vec::new();
    for finding in findings {
        let cells = [word(finding.level), finding.check, &finding.found];
        rows.push(cells.map(str::to_owned).to_vec());
        if let Some(remedy) = &finding.remedy {
            rows.push(["", "", &format!("→ {remedy}")].map(str::to_owned).to_vec());
        }
    }
    let summary = match (failures, warnings) {
        (0, 0) => "all is well".to_owned(),
        _ => format!("{failures} failures, {warnings} warnings"),
    };
    let json = json!({
        "home": home,
        "failures": failures,
        "warnings": warnings,
        "findings": findings,
    });
    let exit = if failures > 0 { Exit::Error } else { Exit::Done };
    Answer { exit, ..Answer::new(json, format!("{}\n{summary}", table(&rows))) }
}
