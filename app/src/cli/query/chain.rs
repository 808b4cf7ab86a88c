//! Accounts, coins, bandwidth, parameters, transactions, raw queries.

use crate::cli::context::Context;
use crate::cli::output::{grouped, table, Answer};
use crate::client::rpc::{Client, Included, Lookup};
use crate::client::{Exit, Failure};
use crate::types::{Coin, Decimal};
use serde_json::json;

/// What an account holds of one denomination
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cyberd query balance alice boot")]
pub(super) struct Balance {
    /// An address, or the name of a key of this home
    #[arg(value_name = "ADDRESS|KEY")]
    account: String,
    #[arg(value_name = "DENOMINATION")]
    denom: String,
}

/// A transaction by its hash
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cyberd query tx \
    9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08")]
pub(super) struct Tx {
    /// 64 hexadecimal digits
    hash: String,
}

/// Any query path, bytes in and out in hexadecimal
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cyberd query raw /cyber.graph.v1beta1.Query/GraphStats
  cyberd query raw /cyberd.v1.Query/Roots --data 0878 --height 120")]
pub(super) struct Raw {
    path: String,
    /// The request's bytes
    #[arg(long, value_name = "HEX", default_value = "", hide_default_value = true)]
    data: String,
    /// Ask about this height; 0 is the latest
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    height: u64,
}

pub(super) fn account(context: &Context, who: &str) -> Result<Answer, Failure> {
    let (client, address) = (context.client()?, context.address(who)?);
    let account = context.block_on(client.account(&address))?.ok_or_else(|| {
        Failure::of_chain(Exit::Error, "sdk", 22, &format!("account {address} not found"))
    })?;
    let json = json!({"address": address, "number": account.number, "sequence": account.sequence});
    let text = format!("{address}: number {}, sequence {}", account.number, account.sequence);
    Ok(Answer::new(json, text))
}

pub(super) fn balance(context: &Context, balance: &Balance) -> Result<Answer, Failure> {
    let (client, address) = (context.client()?, context.address(&balance.account)?);
    let coin = context.block_on(client.balance(&address, &balance.denom))?;
    Ok(Answer::new(json!({"address": address, "balance": coin}), coin.to_string()))
}

pub(super) fn balances(context: &Context, who: &str) -> Result<Answer, Failure> {
    let (client, address) = (context.client()?, context.address(who)?);
    let coins = context.block_on(client.balances(&address))?;
    let text = match coins.is_empty() {
        true => "nothing".to_owned(),
        false => lines(&coins),
    };
    Ok(Answer::new(json!({"address": address, "balances": coins}), text))
}

pub(super) fn supply(context: &Context) -> Result<Answer, Failure> {
    let client = context.client()?;
    let coins = context.block_on(client.supply())?;
    Ok(Answer::new(json!({"supply": coins}), lines(&coins)))
}

fn lines(coins: &[Coin]) -> String {
    coins.iter().map(Coin::to_string).collect::<Vec<_>>().join("\n")
}

pub(super) fn load(context: &Context) -> Result<Answer, Failure> {
    let client = context.client()?;
    let load = context.block_on(client.load())?;
    Ok(Answer::new(json!({"load": load}), load.to_string()))
}

pub(super) fn price(context: &Context) -> Result<Answer, Failure> {
    let client = context.client()?;
    let price = context.block_on(client.price())?;
    Ok(Answer::new(json!({"price": price}), price.to_string()))
}

pub(super) fn bandwidth(context: &Context, who: &str) -> Result<Answer, Failure> {
    let (client, address) = (context.client()?, context.address(who)?);
    let (bandwidth, price, params) = context.block_on(async {
        let bandwidth = client.neuron_bandwidth(&address).await?;
        Ok((bandwidth, client.price().await?, client.bandwidth_params().await?))
    })?;
    let links = links_that_fit(bandwidth.remained_value, price, params.link_cost);
    let json = json!({
        "neuron": address,
        "remained": bandwidth.remained_value,
        "max": bandwidth.max_value,
        "height": bandwidth.last_updated_block,
        "price": price,
        "links_that_fit": links,
    });
    let text = format!(
        "{} of {} units at height {}: about {} links at price {price}",
        grouped(bandwidth.remained_value),
        grouped(bandwidth.max_value),
        bandwidth.last_updated_block,
        grouped(links)
    );
    Ok(Answer::new(json, text))
}

/// How many links the units pay for, bytes left aside.
fn links_that_fit(units: u64, price: Decimal, link_cost: u64) -> u64 {
    let one = u128::from(link_cost) * price.atomics();
    let all = u128::from(units) * Decimal::ONE_ATOMICS;
    u64::try_from(all.checked_div(one).unwrap_or_default()).unwrap_or(u64::MAX)
}

pub(super) fn params(context: &Context) -> Result<Answer, Failure> {
    let client = context.client()?;
    let (rank, bandwidth) = context
        .block_on(async { Ok((client.rank_params().await?, client.bandwidth_params().await?)) })?;
    let decimal = |atomics: &str| {
        let known = atomics.parse().map(Decimal::from_atomics);
        known.map_or_else(|_| atomics.to_owned(), |decimal| decimal.to_string())
    };
    let json = json!({
        "rank": {
            "calculation_period": rank.calculation_period,
            "damping_factor": decimal(&rank.damping_factor),
            "code_bits": rank.code_bits,
            "sweeps_max": rank.sweeps_max,
            "stake_bits": rank.stake_bits,
            "source_stake": rank.source_stake,
            "round_work": rank.round_work,
        },
        "bandwidth": {
            "network_bandwidth": bandwidth.network_bandwidth,
            "recovery_period": bandwidth.recovery_period,
            "adjust_price_period": bandwidth.adjust_price_period,
            "base_price": decimal(&bandwidth.base_price),
            "max_block_bandwidth": bandwidth.max_block_bandwidth,
            "link_cost": bandwidth.link_cost,
            "tx_cost": bandwidth.tx_cost,
            "byte_cost": bandwidth.byte_cost,
            "skip_cost": bandwidth.skip_cost,
            "max_links_per_message": bandwidth.max_links_per_message,
        },
    });
    let mut rows = Vec::new();
    for group in ["rank", "bandwidth"] {
        for (name, value) in json[group].as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            rows.push(vec![format!("{group}.{name}"), value]);
        }
    }
    Ok(Answer::new(json, table(&rows)))
}

pub(super) fn tx(context: &Context, tx: &Tx) -> Result<Answer, Failure> {
    let mut hash = [0; 32];
    hex::decode_to_slice(&tx.hash, &mut hash)
        .map_err(|_| Failure::usage(format!("'{}' is no hash: 64 hexadecimal digits", tx.hash)))?;
    let client = context.client()?;
    let found = context.block_on(find(&client, hash))?;
    let hash = hex::encode_upper(hash);
    let json = json!({
        "tx_hash": hash,
        "height": found.height,
        "code": found.code,
        "codespace": found.space,
        "log": found.log,
        "gas_wanted": found.gas_wanted,
        "gas_used": found.gas_used,
    });
    let outcome = match found.code {
        0 => "done".to_owned(),
        code => format!("failed with {}/{code}: {}", found.space, found.log),
    };
    let gas = format!("gas {} of {}", found.gas_used, found.gas_wanted);
    Ok(Answer::new(json, format!("{hash} in block {}: {outcome} ({gas})", found.height)))
}

async fn find(client: &Client, hash: [u8; 32]) -> Result<Included, Failure> {
    let missing = |text: &str| Failure::new(Exit::Error, "tx-not-found", text);
    match client.transaction(hash).await? {
        Lookup::Found(included) => Ok(included),
        Lookup::Absent => Err(missing("no block that this node has holds that transaction")
            .hint("just sent? it may still be waiting for its block")),
        Lookup::NoIndex => Err(missing("this node keeps no index of transactions")
            .hint("ask another node with --node, one with indexer = \"kv\"")),
    }
}

pub(super) fn raw(context: &Context, raw: &Raw) -> Result<Answer, Failure> {
    let data = hex::decode(&raw.data)
        .map_err(|_| Failure::usage(format!("'{}' is not hexadecimal", raw.data)))?;
    let client = context.client()?;
    let (value, height) = context.block_on(client.query_bytes(&raw.path, data, raw.height))?;
    let value = hex::encode(value);
    Ok(Answer::new(json!({"path": raw.path, "height": height, "value": value}), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_counted_in_links_at_the_price() {
        let price = Decimal::parse("0.01").expect("price");
        assert_eq!(links_that_fit(1_000, price, 1_000), 100);
        assert_eq!(links_that_fit(9, price, 1_000), 0);
        assert_eq!(links_that_fit(u64::MAX, price, 1), u64::MAX);
        assert_eq!(links_that_fit(5, Decimal::default(), 1_000), 0);
    }
}
