//! The note that the network has another state than this node: written by the supervisor, who reads
//! CometBFT's output, read by `/ready` and the metrics, removed by the operator.
//!
//! It stands in `HOME/data/root-mismatch.json` and outlives restarts: a node that once computed
//! another state than the network must be looked at, even if it goes on.

use crate::client::files::{self, Access};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootMismatch {
    /// The last height seen before.
    pub height: u64,
    /// What CometBFT said.
    pub line: String,
}

impl RootMismatch {
    /// Where a home keeps it.
    pub fn path(home: &Path) -> PathBuf {
        home.join("data/root-mismatch.json")
    }

    /// Writes it, unless one is there: the first one is nearest to the cause.
    pub fn write(&self, path: &Path) {
        let text = serde_json::to_string_pretty(self).expect("JSON");
        if path.exists() {
            return;
        }
        if let Err(error) = files::write_whole(path, text.as_bytes(), Access::Shared) {
            tracing::error!(path = %path.display(), %error, "the note of a root mismatch");
        }
    }

    /// The note of a home, if there is one. One that cannot be read counts.
    pub fn read(home: &Path) -> Option<RootMismatch> {
        let text = match std::fs::read_to_string(RootMismatch::path(home)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => return Some(RootMismatch { height: 0, line: error.to_string() }),
        };
        let unread = |_| RootMismatch { height: 0, line: text.trim().to_owned() };
        Some(serde_json::from_str(&text).unwrap_or_else(unread))
    }
}
