//! The halt for an upgrade, as operators' tools see it: `HOME/data/upgrade-info.json`, which
//! Cosmovisor watches. It is on the disk before the node says that it halts.

use crate::client::files::{self, Access};
use crate::engine::upgrade::Plan;
use crate::engine::Engine;
use crate::modules::params;
use std::path::{Path, PathBuf};

/// Where a home has it.
pub fn path(home: &Path) -> PathBuf {
    home.join("data/upgrade-info.json")
}

/// Writes the plan that the engine halts for.
pub(super) fn write(home: &Path, engine: &Engine) {
    let Some(plan) = engine.base().ok().and_then(|base| params::state::plan(&*base)) else {
        return;
    };
    let path = path(home);
    let text = serde_json::to_string(&plan).expect("JSON");
    if let Err(error) = files::write_whole(&path, text.as_bytes(), Access::Shared) {
        // The halt is what counts; the file is for tools.
        tracing::error!(path = %path.display(), %error, "upgrade-info.json is not written");
    }
}

/// Reads it.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(home: &Path) -> Result<Option<Plan>, String> {
    let path = path(home);
    let failure = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure(&error)),
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| failure(&error)),
    }
}
