//! `cyberd genesis add-account`, `add-validator` and `add-links`.

use super::{failure, Target};
use crate::cli::context::Context;
use crate::cli::nodes;
use crate::cli::output::{grouped, Answer};
use crate::cli::words::Named;
use crate::client::import::read_rows;
use crate::client::Failure;
use crate::node::cometbft::genesis::edit::{self, NewAccount};
use crate::node::cometbft::genesis::file::GenesisFile;
use crate::node::cometbft::genesis::is_complete;
use crate::node::cometbft::genesis::lists::NewLink;
use crate::node::cometbft::home::CometHome;
use crate::types::{Address, Coin, Coins};
use base64::prelude::{Engine as _, BASE64_STANDARD};
use serde_json::{json, Value};
use std::path::PathBuf;

/// Add an account with its coins, or a file of them
///
/// A line of the file is ADDRESS <tab> COINS (.csv: with a comma between), coins as 10boot,5mine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd genesis add-account alice 1000000000boot
  cyberd genesis add-account bostrom1… 1000000000boot,500mine --genesis genesis.json
  cyberd genesis add-account --file accounts.tsv")]
pub struct AddAccount {
    /// Its address, or the name of a key of this home
    #[arg(value_name = "WHO", required_unless_present = "file")]
    who: Option<String>,
    /// What it holds
    #[arg(value_name = "COINS", required_unless_present = "file")]
    coins: Option<String>,
    /// Accounts, one a line; gzip is unpacked, - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "who")]
    file: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Add a validator
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd genesis add-validator --name one                 the key of this home
  cyberd genesis add-validator KEYINBASE64= --power 100 --name two --genesis genesis.json
A validator's key stands in its home's config/priv_validator_key.json under pub_key.value.")]
pub struct AddValidator {
    /// Its ed25519 public key, base64 or hexadecimal [default: that of this home]
    key: Option<String>,
    /// Its voting power
    #[arg(long, value_name = "N", default_value_t = 10)]
    power: u64,
    /// Its name
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
    #[command(flatten)]
    target: Target,
}

/// Add links that the chain begins with
///
/// A line is FROM <tab> TO (with --from WHO) or NEURON <tab> FROM <tab> TO; .csv files have commas;
/// gzip is unpacked. Ends are texts or CIDs, neurons are addresses or names of keys of this home.
/// A wrong line stops it. Links that their neuron has already are passed over.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd genesis add-links links.tsv --from alice
  cyberd genesis add-links testnet/sample/links.tsv.gz --from bostrom1… --genesis genesis.json")]
pub struct AddLinks {
    /// The file; - is standard input
    file: PathBuf,
    /// The neuron of lines without one: an address, or the name of a key of this home
    #[arg(long, value_name = "WHO")]
    from: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// Runs `cyberd genesis add-account`.
pub fn account(context: &Context, add: &AddAccount) -> Result<Answer, Failure> {
    let mut file = add.target.read(context)?;
    let prefix = prefix(&file)?;
    let accounts = match (&add.file, &add.who, &add.coins) {
        (Some(path), ..) => {
            let rows = read_rows(path, 2..=2)?;
            let account = |(line, row): (u64, Vec<String>)| {
                one_account(context, &row[0], &row[1], &prefix).map_err(|reason| {
                    Failure::local(format!("{} line {line}: {reason}", path.display()))
                })
            };
            rows.into_iter().map(account).collect::<Result<Vec<_>, _>>()?
        }
        (None, Some(who), Some(coins)) => {
            vec![one_account(context, who, coins, &prefix).map_err(Failure::usage)?]
        }
        _ => return Err(Failure::usage("an account needs coins, as in add-account alice 10boot")),
    };
    edit::add_accounts(&mut file, &accounts).map_err(|fault| failure(&file.path, fault))?;
    save(&file)?;
    let supply = &file.document["app_state"]["bank"]["supply"];
    let json = json!({ "file": file.path, "added": accounts.len(), "supply": supply });
    let text = format!(
        "{}: {} account(s) added; the supply is {}",
        file.path.display(),
        grouped(accounts.len() as u64),
        coins_text(supply)
    );
    Ok(Answer::new(json, text))
}

fn one_account(
    context: &Context,
    who: &str,
    coins: &str,
    prefix: &str,
) -> Result<NewAccount, String> {
    let address = address(context, who, prefix)?;
    let mut list = Vec::new();
    for coin in coins.split(',').filter(|coin| !coin.trim().is_empty()) {
        let coin = Coin::parse(coin.trim()).map_err(|error| format!("'{coin}': {error}"))?;
        if coin.amount.0 > 0 {
            list.push(coin);
        }
    }
    list.sort_by(|one, other| one.denom.cmp(&other.denom));
    let coins = Coins::new(list).map_err(|error| format!("'{coins}': {error}"))?;
    Ok(NewAccount { address, coins })
}

/// Runs `cyberd genesis add-validator`.
pub fn validator(context: &Context, add: &AddValidator) -> Result<Answer, Failure> {
    let mut file = add.target.read(context)?;
    let key = match &add.key {
        Some(text) => public_key(text)?,
        None => own_key(context)?,
    };
    edit::add_validator(&mut file.document, &key, add.power, &add.name)
        .map_err(|fault| failure(&file.path, fault))?;
    save(&file)?;
    let count = file.document["validators"].as_array().map_or(0, Vec::len);
    let json = json!({
        "file": file.path,
        "pub_key": BASE64_STANDARD.encode(key),
        "power": add.power,
        "validators": count,
    });
    let text = format!(
        "{}: validator {} with power {} added, {count} in all",
        file.path.display(),
        BASE64_STANDARD.encode(key),
        add.power
    );
    Ok(Answer::new(json, text))
}

fn public_key(text: &str) -> Result<[u8; 32], Failure> {
    let bytes = match text.len() {
        64 => hex::decode(text).ok(),
        _ => BASE64_STANDARD.decode(text).ok(),
    };
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        Failure::usage(format!("'{text}' is no ed25519 public key: base64 or hex of 32 bytes is"))
    })
}

fn own_key(context: &Context) -> Result<[u8; 32], Failure> {
    let path = CometHome::of(&nodes::absolute(&context.home)?).validator_key();
    let wrong = |reason: String| {
        Failure::local(format!("{}: {reason}", path.display()))
            .hint("give the validator's public key as an argument")
    };
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    public_key(json["pub_key"]["value"].as_str().unwrap_or_default())
}

/// Runs `cyberd genesis add-links`.
pub fn links(context: &Context, add: &AddLinks) -> Result<Answer, Failure> {
    let mut file = add.target.read(context)?;
    let prefix = prefix(&file)?;
    let from = match &add.from {
        Some(who) => Some(address(context, who, &prefix).map_err(Failure::usage)?),
        None => None,
    };
    let rows = read_rows(&add.file, 2..=3)?;
    let mut links = Vec::with_capacity(rows.len());
    let mut known = std::collections::BTreeMap::new();
    for (line, row) in rows {
        let wrong = |reason: String| {
            Failure::local(format!("{} line {line}: {reason}", add.file.display()))
        };
        let (who, [from_end, to_end]) = match row.as_slice() {
            [who, one, two] => (Some(who), [one, two]),
            [one, two] => (None, [one, two]),
            _ => unreachable!("two or three columns were asked for"),
        };
        let neuron = match (who, from) {
            (Some(who), _) => match known.get(who) {
                Some(neuron) => *neuron,
                None => {
                    let neuron = address(context, who, &prefix).map_err(wrong)?;
                    known.insert(who.clone(), neuron);
                    neuron
                }
            },
            (None, Some(from)) => from,
            (None, None) => {
                return Err(wrong("no neuron in the line and none given with --from".to_owned()))
            }
        };
        let end = |text: &str| {
            let named = Named::parse(text, false);
            named.map(|named| named.particle).map_err(|failure| wrong(failure.message))
        };
        links.push(NewLink { neuron, from: end(from_end)?, to: end(to_end)? });
    }
    let added = edit::add_links(&mut file, &links);
    let added = added.map_err(|fault| failure(&file.path, fault))?;
    save(&file)?;
    let json = json!({
        "file": file.path,
        "added": added.added,
        "passed_over": added.passed_over,
        "new_particles": added.new_particles,
    });
    let text = format!(
        "{}: {} link(s) and {} particle(s) added, {} link(s) were there",
        file.path.display(),
        grouped(added.added),
        grouped(added.new_particles),
        grouped(added.passed_over)
    );
    Ok(Answer::new(json, text))
}

/// Writes a changed file, unless a chain could not start from what it would then hold. One that
/// still lacks accounts or validators is checked when it is complete.
pub fn save(file: &GenesisFile) -> Result<(), Failure> {
    let checked = match is_complete(&file.document) {
        true => file.check().map(drop),
        false => Ok(()),
    };
    checked.and_then(|()| file.write()).map_err(|fault| {
        file.abandon();
        failure(&file.path, fault)
    })
}

fn address(context: &Context, who: &str, prefix: &str) -> Result<Address, String> {
    match Address::parse(who, prefix) {
        Ok(address) => Ok(address),
        Err(error) => match context.keys().show(who) {
            Ok(info) => Ok(info.address()),
            Err(_) => Err(format!("'{who}': {error}, and no key has this name")),
        },
    }
}

/// The prefix of addresses of a file.
fn prefix(file: &GenesisFile) -> Result<String, Failure> {
    let prefix = file.document["app_state"]["chain"]["address_prefix"].as_str();
    let missing = "app_state.chain.address_prefix is missing: bostrom is usual";
    prefix
        .map(str::to_owned)
        .ok_or_else(|| failure(&file.path, crate::error::Fault::Genesis(missing.to_owned())))
}

/// A list of coins for people.
pub fn coins_text(coins: &Value) -> String {
    let coins = coins.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |coin: &Value| {
        let field = |name: &str| coin[name].as_str().unwrap_or_default().to_owned();
        format!("{}{}", field("amount"), field("denom"))
    };
    match coins.len() {
        0 => "nothing".to_owned(),
        1..=4 => coins.iter().map(text).collect::<Vec<_>>().join(", "),
        count => {
            let first: Vec<String> = coins.iter().take(3).map(text).collect();
            format!("{} and {} more denominations", first.join(", "), count - 3)
        }
    }
}
