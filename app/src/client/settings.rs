//! What a home says about its clients: `<home>/config/client.toml`, every line optional.
//! Flags win over it, it wins over the defaults.

use super::failure::Failure;
use super::files::{self, Access};
use super::keys::Backend;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where a node answers when nothing else is said.
pub const DEFAULT_NODE: &str = "http://127.0.0.1:26657";
/// The prefix of addresses when nothing else is said.
pub const DEFAULT_PREFIX: &str = "bostrom";

/// The settings of the clients of a home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// The node's RPC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Which key store: `file` or `test`; both are read when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyring: Option<Backend>,
    /// The key that signs when `--from` is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The chain's address prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

impl ClientSettings {
    fn path(home: &Path) -> PathBuf {
        home.join("config").join("client.toml")
    }

    /// Reads the settings of a home; none there is the default.
    pub fn load(home: &Path) -> Result<ClientSettings, Failure> {
        let path = ClientSettings::path(home);
        let failure = |reason: String| Failure::local(format!("{}: {reason}", path.display()));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(ClientSettings::default());
            }
            Err(error) => return Err(failure(error.to_string())),
        };
        toml::from_str(&text).map_err(|error| failure(error.to_string()))
    }

    /// Writes the settings of a home.
    pub fn save(&self, home: &Path) -> Result<(), Failure> {
        let path = ClientSettings::path(home);
        let failure =
            |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
        let text = toml::to_string(self).expect("four optional texts are TOML");
        files::private_folder(&home.join("config")).map_err(failure)?;
        files::write_whole(&path, text.as_bytes(), Access::Shared).map_err(failure)
    }

    /// The chain's address prefix.
    pub fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or(DEFAULT_PREFIX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_written_and_default_to_nothing() {
        let home = tempfile::tempdir().expect("folder");
        let none = ClientSettings::load(home.path()).expect("none");
        assert_eq!(none, ClientSettings::default());
        assert_eq!(none.prefix(), "bostrom");
        let settings = ClientSettings {
            node: Some("http://127.0.0.1:5".to_owned()),
            keyring: Some(Backend::Test),
            from: Some("nouns".to_owned()),
            prefix: None,
        };
        settings.save(home.path()).expect("save");
        assert_eq!(ClientSettings::load(home.path()).expect("load"), settings);
    }

    #[test]
    fn an_unknown_setting_is_named() {
        let home = tempfile::tempdir().expect("folder");
        std::fs::create_dir(home.path().join("config")).expect("config");
        std::fs::write(home.path().join("config/client.toml"), "nod = 'x'").expect("write");
        let failure = ClientSettings::load(home.path()).expect_err("unknown");
        assert!(failure.message.contains("nod"), "{failure}");
    }
}
