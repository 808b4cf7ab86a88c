//! The files that make a node who it is: its keys, and what its validator signed last. Where one is
//! missing CometBFT makes a new key and goes on as somebody else, so a node does not start then.
//!
//! Invariant: with a remote signer only the key of the node itself is asked for. Deliberately
//! absent: what is in the files.

use std::path::{Path, PathBuf};

/// CometBFT's settings with their usual values.
const FILES: [(&str, &str); 3] = [
    ("node_key_file", "config/node_key.json"),
    ("priv_validator_key_file", "config/priv_validator_key.json"),
    (SIGNED, "data/priv_validator_state.json"),
];
const SIGNED: &str = "priv_validator_state_file";
const REMOTE: &str = "priv_validator_laddr";

/// A file that is not there.
pub struct Missing {
    pub found: String,
    pub remedy: &'static str,
}

/// Where a remote signer is waited for, if one is.
pub fn remote_signer(comet: &toml::Table) -> Option<String> {
    let own = comet.get(REMOTE).and_then(toml::Value::as_str).unwrap_or_default();
    let at = std::env::var("CMT_PRIV_VALIDATOR_LADDR").unwrap_or_else(|_| own.to_owned());
    (!at.is_empty()).then_some(at)
}

/// The files that a home needs by CometBFT's settings.
pub fn files(home: &Path, comet: &toml::Table) -> Vec<PathBuf> {
    needed(home, comet).map(|(_, path)| path).collect()
}

fn needed<'a>(
    home: &'a Path,
    comet: &'a toml::Table,
) -> impl Iterator<Item = (&'static str, PathBuf)> + 'a {
    let is_remote = remote_signer(comet).is_some();
    let here = FILES.into_iter().filter(move |(key, _)| !is_remote || *key == FILES[0].0);
    here.map(|(key, usual)| {
        let set = comet.get(key).and_then(toml::Value::as_str).filter(|path| !path.is_empty());
        (key, home.join(set.unwrap_or(usual)))
    })
}

/// The first file that cannot be looked at, and what to do.
pub fn missing(home: &Path, comet: &toml::Table) -> Option<Missing> {
    needed(home, comet).find_map(|(key, path)| {
        let error = std::fs::metadata(&path).err()?;
        let remedy = match key {
            SIGNED => {
                "it keeps a validator from signing a height twice: put the newest copy back, or \
                 write {\"height\": \"N\", \"round\": 0, \"step\": 3} with N at least the height \
                 of the chain"
            }
            _ => {
                "restore it from a backup (never run a key in two places); cyberd init makes new \
                 ones in an empty home"
            }
        };
        Some(Missing { found: format!("{}: {error}", path.display()), remedy })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> toml::Table {
        text.parse().expect("TOML")
    }

    #[test]
    fn a_home_without_one_of_its_keys_is_told_from_one_with_a_remote_signer() {
        let home = tempfile::tempdir().expect("a folder");
        let usual = table("moniker = 'x'");
        for name in ["config", "data"] {
            std::fs::create_dir(home.path().join(name)).expect("made");
        }
        for (key, path) in FILES {
            let said = missing(home.path(), &usual).expect(key);
            assert!(said.found.contains(path), "{}", said.found);
            assert_eq!(key == SIGNED, said.remedy.contains("signing a height twice"));
            std::fs::write(home.path().join(path), "{}").expect("written");
        }
        assert!(missing(home.path(), &usual).is_none());
        let elsewhere = table("priv_validator_key_file = '/nowhere/key.json'");
        let said = missing(home.path(), &elsewhere).expect("not there");
        assert!(said.found.starts_with("/nowhere/key.json"), "{}", said.found);
        std::fs::remove_file(home.path().join(FILES[1].1)).expect("removed");
        let remote = table("priv_validator_laddr = 'tcp://127.0.0.1:26659'");
        assert!(missing(home.path(), &remote).is_none());
        assert_eq!(files(home.path(), &remote), [home.path().join(FILES[0].1)]);
    }
}
