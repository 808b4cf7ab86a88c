//! `cyberd keys`: making, showing and removing keys. Secrets are shown once or when asked for.

use super::context::{first_line, hidden, Context};
use super::output::{table, Answer};
use crate::client::files::{self, Access};
use crate::client::keys::{Backend, KeyInfo, KeySource, HD_PATH};
use crate::client::Failure;
use serde_json::{json, Value};
use std::path::{Path, PathBuf};

/// Make, recover, show and remove keys
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd keys add alice                         make a key, show its 24 words once
  cyberd keys add alice --mnemonic-out words    the words go to a file only
  cyberd keys recover alice                     type the words, nothing is shown
  cyberd keys recover alice --mnemonic-file words
  cyberd keys show alice --address
  cyberd keys export alice --out alice.hex
  cyberd keys delete alice --yes")]
pub struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Add(Add),
    Recover(Recover),
    /// List the keys of this home
    #[command(visible_alias = "ls", after_help = "Example:\n  cyberd keys list --output json")]
    List,
    Show(Show),
    Export(Export),
    Delete(Delete),
}

/// Make a new key and show its mnemonic once
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd keys add alice
  cyberd keys add alice --mnemonic-out words
  cyberd keys add robot --keyring test          plain file, for development only")]
struct Add {
    /// Name of the new key
    name: String,
    /// Write the words to this new file (mode 0600) instead of showing them
    #[arg(long, value_name = "FILE")]
    mnemonic_out: Option<PathBuf>,
}

/// Bring back a key from its mnemonic or its private key
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd keys recover alice                     asks for the words, hidden
  cyberd keys recover alice --mnemonic-file words
  cyberd keys recover second --mnemonic-file words --account 1
  cyberd keys recover alice --private-key-file alice.hex")]
struct Recover {
    /// Name of the key here
    name: String,
    /// Read the words from this file
    #[arg(long, value_name = "FILE", conflicts_with = "private_key_file")]
    mnemonic_file: Option<PathBuf>,
    /// Read the private key (64 hexadecimal digits) from this file
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// Which account of the words: m/44'/118'/0'/0/N
    #[arg(long, value_name = "N", default_value_t = 0)]
    account: u32,
}

/// Show the address and public key of a key
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd keys show alice
  cyberd send $(cyberd keys show alice --address) 100boot --from bob")]
struct Show {
    name: String,
    /// The address and nothing else
    #[arg(long)]
    address: bool,
}

/// Hand out the private key, to a file or (asked for) to the screen
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd keys export alice --out alice.hex
  cyberd keys export alice --show-secret")]
#[command(group(clap::ArgGroup::new("where").required(true)))]
struct Export {
    name: String,
    /// Write it to this new file (mode 0600)
    #[arg(long, value_name = "FILE", group = "where")]
    out: Option<PathBuf>,
    /// Print it: whoever sees it owns the account
    #[arg(long, group = "where")]
    show_secret: bool,
}

/// Remove a key for good
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cyberd keys delete alice --yes")]
struct Delete {
    name: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Runs `cyberd keys …`.
pub fn run(context: &Context, keys: Keys) -> Result<Answer, Failure> {
    match keys.command {
        Command::Add(add) => run_add(context, &add),
        Command::Recover(recover) => run_recover(context, &recover),
        Command::List => run_list(context),
        Command::Show(show) => run_show(context, &show),
        Command::Export(export) => run_export(context, &export),
        Command::Delete(delete) => run_delete(context, &delete),
    }
}

fn describe(context: &Context, info: &KeyInfo) -> Value {
    json!({
        "name": info.name,
        "address": info.address().to_bech32(context.prefix()),
        "public_key": hex::encode(info.public_key),
        "keyring": info.backend.name(),
    })
}

fn describe_text(context: &Context, info: &KeyInfo) -> String {
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    table(&[
        line("name", info.name.clone()),
        line("address", info.address().to_bech32(context.prefix())),
        line("public key", hex::encode(info.public_key)),
        line("key store", info.backend.name().to_owned()),
    ])
}

fn run_add(context: &Context, add: &Add) -> Result<Answer, Failure> {
    let store = context.keys();
    store.free(&add.name)?;
    let (secret, words) = KeySource::New.secret()?;
    let words = words.expect("a new key has words");
    // The file first: a key whose words could not be kept must not come into being.
    if let Some(path) = &add.mnemonic_out {
        write_secret(path, &words)?;
    }
    let info = store.add(&add.name, &secret, &mut context.new_password())?;
    let mut json = describe(context, &info);
    let mut text = describe_text(context, &info);
    match &add.mnemonic_out {
        Some(path) => {
            json["mnemonic_file"] = json!(path);
            text.push_str(&format!("\n\nThe words stand in {}.", path.display()));
        }
        None => {
            json["mnemonic"] = json!(*words);
            text.push_str(&format!(
                "\n\nWrite these words down, they are shown this once. Whoever has them owns the \
                 account:\n\n{}",
                *words
            ));
        }
    }
    if info.backend == Backend::Test {
        context.talk("This key is stored in plain text: for development only.");
    }
    Ok(Answer::new(json, text))
}

fn run_recover(context: &Context, recover: &Recover) -> Result<Answer, Failure> {
    let store = context.keys();
    store.free(&recover.name)?;
    let source = match (&recover.private_key_file, &recover.mnemonic_file) {
        (Some(path), _) => KeySource::Hex(first_line(path)?),
        (None, Some(path)) => KeySource::Words { words: first_line(path)?, index: recover.account },
        (None, None) => {
            let words = hidden("The words of the mnemonic (not shown): ")?;
            KeySource::Words { words, index: recover.account }
        }
    };
    let (secret, _) = source.secret()?;
    if let Some(known) = store.by_address(&crate::types::Address::of_key(&secret.public_key()))? {
        context.talk(&format!("The same key is here already as '{}'.", known.name));
    }
    let info = store.add(&recover.name, &secret, &mut context.new_password())?;
    Ok(Answer::new(describe(context, &info), describe_text(context, &info)))
}

fn run_list(context: &Context) -> Result<Answer, Failure> {
    let all = context.keys().list()?;
    let json = all.iter().map(|info| describe(context, info)).collect::<Vec<_>>();
    let row = |info: &KeyInfo| {
        let address = info.address().to_bech32(context.prefix());
        vec![info.name.clone(), address, info.backend.name().to_owned()]
    };
    let text = match all.is_empty() {
        true => "no keys yet; cyberd keys add NAME makes one".to_owned(),
        false => table(&all.iter().map(row).collect::<Vec<_>>()),
    };
    Ok(Answer::new(json!({ "keys": json }), text))
}

fn run_show(context: &Context, show: &Show) -> Result<Answer, Failure> {
    let info = context.keys().show(&show.name)?;
    let text = match show.address {
        true => info.address().to_bech32(context.prefix()),
        false => describe_text(context, &info),
    };
    Ok(Answer::new(describe(context, &info), text))
}

fn run_export(context: &Context, export: &Export) -> Result<Answer, Failure> {
    let key = context.keys().open(&export.name, &mut context.password())?;
    let hex = key.secret().to_hex();
    match &export.out {
        Some(path) => {
            write_secret(path, &hex)?;
            let text =
                format!("The private key of '{}' stands in {}.", export.name, path.display());
            Ok(Answer::new(json!({"name": export.name, "file": path}), text))
        }
        None => {
            let json = json!({"name": export.name, "private_key": *hex, "path": HD_PATH});
            Ok(Answer::new(json, hex.as_str()))
        }
    }
}

fn run_delete(context: &Context, delete: &Delete) -> Result<Answer, Failure> {
    let store = context.keys();
    let info = store.show(&delete.name)?;
    let address = info.address().to_bech32(context.prefix());
    let question = format!("This removes the key '{}' ({address}) for good.", info.name);
    if !delete.yes && !context.confirm(&question)? {
        return Err(Failure::usage(format!("the key '{}' stays", info.name)));
    }
    store.delete(&delete.name)?;
    let text = format!("The key '{}' ({address}) is gone.", info.name);
    Ok(Answer::new(json!({"deleted": describe(context, &info)}), text))
}

fn write_secret(path: &Path, text: &str) -> Result<(), Failure> {
    let line = zeroize::Zeroizing::new(format!("{text}\n"));
    files::write_new(path, line.as_bytes(), Access::Private)
        .map_err(|error| Failure::local(format!("{}: {error}", path.display())))
}
