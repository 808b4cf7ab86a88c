//! What every command is given: the home and its settings, the global flags, ways to ask.

use super::output::Format;
use crate::client::keys::{Backend, KeyError};
use crate::client::settings::{ClientSettings, DEFAULT_NODE};
use crate::client::{Client, Failure, KeyStore};
use crate::types::Address;
use std::future::Future;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Flags that stand before or after every command.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// The folder with settings, keys and data [default: ~/.cyberd]
    #[arg(long, global = true, env = "CYBERD_HOME", value_name = "DIR", hide_env_values = true)]
    pub home: Option<PathBuf>,
    /// The node's RPC address [default: client.toml of the home, else http://127.0.0.1:26657]
    #[arg(long, global = true, env = "CYBERD_NODE", value_name = "URL", hide_env_values = true)]
    pub node: Option<String>,
    /// Show answers and errors as text or as JSON
    #[arg(long, global = true, env = "CYBERD_OUTPUT", value_enum, default_value_t = Format::Text)]
    #[arg(hide_env_values = true)]
    pub output: Format,
    /// Key store: file (encrypted) or test (plain) [default: both are read, new keys go to file]
    #[arg(long, global = true, env = "CYBERD_KEYRING", value_enum, value_name = "STORE")]
    #[arg(hide_env_values = true)]
    pub keyring: Option<Backend>,
    /// Read the key store's password from the first line of this file
    #[arg(long, global = true, env = "CYBERD_PASSWORD_FILE", value_name = "FILE")]
    #[arg(hide_env_values = true)]
    pub password_file: Option<PathBuf>,
}

/// The global flags, resolved.
#[derive(Clone, Debug)]
pub struct Context {
    pub home: PathBuf,
    pub settings: ClientSettings,
    pub format: Format,
    node: Option<String>,
    keyring: Option<Backend>,
    password_file: Option<PathBuf>,
}

impl Context {
    /// Resolves the flags and reads the home's settings.
    pub fn new(global: &Global) -> Result<Context, Failure> {
        let home = match &global.home {
            Some(home) => home.clone(),
            None => default_home()?,
        };
        let settings = ClientSettings::load(&home)?;
        Ok(Context {
            node: global.node.clone(),
            keyring: global.keyring.or(settings.keyring),
            password_file: global.password_file.clone(),
            format: global.output,
            settings,
            home,
        })
    }

    /// The node's address: flag, settings, default.
    pub fn node(&self) -> &str {
        self.node.as_deref().or(self.settings.node.as_deref()).unwrap_or(DEFAULT_NODE)
    }

    /// The node's address, when it was asked for by flag or environment.
    pub fn node_asked(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// The keys of the home.
    pub fn keys(&self) -> KeyStore {
        KeyStore::new(&self.home, self.keyring)
    }

    /// The node.
    pub fn client(&self) -> Result<Client, Failure> {
        Client::new(self.node())
    }

    /// An address: given as one, or as the name of a key.
    pub fn address(&self, text: &str) -> Result<String, Failure> {
        if Address::parse(text, self.prefix()).is_ok() {
            return Ok(text.to_owned());
        }
        match self.keys().show(text) {
            Ok(info) => Ok(info.address().to_bech32(self.prefix())),
            Err(KeyError::Missing { .. } | KeyError::Name(_)) => {
                let reason = Address::parse(text, self.prefix()).expect_err("tried above");
                Err(Failure::usage(format!("'{text}' is neither an address nor a key: {reason}")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs what waits for the network.
    pub fn block_on<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let failure = |error| Failure::local(format!("cannot start waiting: {error}"));
        runtime.map_err(failure)?.block_on(work)
    }

    /// The prefix of addresses.
    pub fn prefix(&self) -> &str {
        self.settings.prefix()
    }

    /// Asks for the password of an existing key.
    pub fn password(&self) -> impl FnMut(&str) -> Result<Zeroizing<String>, KeyError> + '_ {
        |name| match &self.password_file {
            Some(path) => first_line(path),
            None => hidden(&format!("Password of the key '{name}': ")),
        }
    }

    /// Asks for the password of a new key, twice.
    pub fn new_password(&self) -> impl FnMut(&str) -> Result<Zeroizing<String>, KeyError> + '_ {
        |name| {
            let password = match &self.password_file {
                Some(path) => first_line(path)?,
                None => twice(name)?,
            };
            match password.chars().count() {
                0..8 => Err(KeyError::NoPassword("a new one has at least 8 characters".into())),
                _ => Ok(password),
            }
        }
    }

    /// Asks a question that only `yes` answers with yes; refuses where nobody can answer.
    pub fn confirm(&self, question: &str) -> Result<bool, Failure> {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(format!("{question} Nobody can answer here: add --yes")));
        }
        eprint!("{question} Type yes to go on: ");
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        read.map_err(|error| Failure::local(format!("standard input: {error}")))?;
        Ok(line.trim().eq_ignore_ascii_case("yes"))
    }

    /// Something said on the way, not part of the answer.
    pub fn talk(&self, text: &str) {
        eprintln!("{text}");
    }
}

fn default_home() -> Result<PathBuf, Failure> {
    match std::env::var_os("HOME") {
        Some(home) => Ok(Path::new(&home).join(".cyberd")),
        None => Err(Failure::usage("HOME is not set: give --home DIR")),
    }
}

fn twice(name: &str) -> Result<Zeroizing<String>, KeyError> {
    let first = hidden(&format!("New password for the key '{name}' (8 characters or more): "))?;
    let second = hidden("The same again: ")?;
    match *first == *second {
        true => Ok(first),
        false => Err(KeyError::NoPassword("the two are not the same".into())),
    }
}

/// Asks on the terminal without showing what is typed.
pub fn hidden(prompt: &str) -> Result<Zeroizing<String>, KeyError> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| KeyError::NoPassword(format!("no terminal to ask on ({error})")))
}

/// The first line of a file that holds a secret.
pub fn first_line(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let at_path = |error| KeyError::File { path: path.display().to_string(), error };
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(at_path)?);
    let line = text.lines().next().unwrap_or_default();
    match line.is_empty() {
        true => Err(KeyError::NoPassword(format!("{} is empty", path.display()))),
        false => Ok(Zeroizing::new(line.to_owned())),
    }
}
