//! A genesis of the Cosmos SDK, as chains like go-cyber export it, becomes one of ours: section by
//! section it is said what was taken over, what was changed and what stays behind, and the totals
//! of both sides stand against each other.
//!
//! Invariants: no coin comes into being; what is taken over keeps its owner; the result is one a
//! chain can start from, or there is none. Deliberately absent: modules this chain does not have.

mod accounts;
mod graph;
mod report;
mod settings;
mod source;
mod staking;

pub use report::{Report, SectionReport, Total};

use super::edit::usual_source_stake;
use super::file::GenesisFile;
use super::lists::{rewrite, GraphLists, More};
use super::template;
use crate::engine::genesis::bulk::{AccountRecord, INLINE_MAX};
use crate::engine::genesis::{development, AppState};
use crate::error::Fault;
use crate::modules::auth::genesis::GenesisAccount;
use crate::modules::bank::genesis::Balance;
use crate::modules::bank::STAKE_SUPPLY_MAX;
use crate::types::{Amount, Coin, Coins};
use accounts::Ledger;
use serde_json::{json, Value};
use source::{coin, fault, list, text, Sums};
use std::path::{Path, PathBuf};

/// What the user may choose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// None: that of the source.
    pub chain_id: Option<String>,
    /// None: that of the source.
    pub genesis_time: Option<String>,
    /// None: the prefix most accounts have.
    pub prefix: Option<String>,
    /// None: the source's bonding denomination.
    pub stake_denom: Option<String>,
    /// Every amount of the stake denomination is divided by this.
    pub divide_stake: u64,
    /// The graph that go-cyber exported beside it.
    pub graph: Option<PathBuf>,
}

/// Makes a genesis for `to` of a source. Nothing is written there yet.
///
/// # Errors
/// [`Fault::Genesis`]: the place in the source, the value and what is right.
pub fn import(
    source: &Value,
    options: &Options,
    to: &Path,
) -> Result<(GenesisFile, Report), Fault> {
    check_kind(source)?;
    let mut reports = Vec::new();
    let mut ledger = Ledger::read(source, options.prefix.as_deref(), &mut reports)?;
    let denom = stake_denom(source, options);
    let mut totals = Vec::new();
    let mut staking = SectionReport::new("staking and genutil");
    staking::unbond(source, &mut ledger, &denom, &mut staking)?;
    let lost = divide(&mut ledger, &denom, options, &mut staking);
    let mut document = head(source, options, &mut reports);
    document["validators"] = staking::validators(source, &mut staking);
    reports.push(staking);
    let supply = ledger.supply();
    check_stake(&supply, &denom)?;
    let mut state = development(&ledger.prefix, &denom, &[]);
    let mut bank = SectionReport::new("parameters and metadata");
    settings::bank(source, &mut state, &mut bank);
    reports.push(bank);
    settings::cyber(source, &mut state, &mut reports);
    let mut section = SectionReport::new("graph");
    let graph = match &options.graph {
        Some(path) => Some(graph::read(path, &ledger, &mut section, &mut totals)?),
        None => {
            section.left(
                "go-cyber exports the graph into a file of its own, export/graph: give it with \
                 --graph, or the chain begins without links",
            );
            None
        }
    };
    reports.push(section);
    settings::left_over(source, &mut reports);
    let accounts = ledger.into_records();
    compare(source, &supply, &accounts, (&denom, options.divide_stake, lost), &mut totals)?;
    state.bank.supply = coins(supply);
    state.rank.params.source_stake = Some(usual_source_stake(&state));
    let file = assemble(document, state, accounts, graph, to)?;
    let mut report = Report { totals, ..Report::default() };
    reports.into_iter().for_each(|section| report.add(section));
    Ok((file, report))
}

fn check_kind(source: &Value) -> Result<(), Fault> {
    let state = &source["app_state"];
    if !state["auth"].is_object() || !state["bank"].is_object() {
        return fault(
            "app_state.auth and app_state.bank are missing: a genesis that a chain of the Cosmos \
             SDK exported is right"
                .to_owned(),
        );
    }
    match state["chain"]["stake_denom"].is_string() {
        true => fault("app_state.chain: it is a genesis of cyberd already, nothing to do".into()),
        false => Ok(()),
    }
}

fn stake_denom(source: &Value, options: &Options) -> String {
    let bonded = text(&source["app_state"]["staking"]["params"], "bond_denom");
    match (&options.stake_denom, bonded) {
        (Some(denom), _) => denom.clone(),
        (None, "") => "boot".to_owned(),
        (None, denom) => denom.to_owned(),
    }
}

/// Chain id, times, heights and consensus parameters.
fn head(source: &Value, options: &Options, reports: &mut Vec<SectionReport>) -> Value {
    let mut document = template();
    let mut report = SectionReport::new("head and consensus parameters");
    for (field, chosen) in
        [("chain_id", &options.chain_id), ("genesis_time", &options.genesis_time)]
    {
        document[field] = match (chosen, source[field].as_str()) {
            (Some(chosen), _) => {
                report.changed(format!("{field} became {chosen}, as you said"));
                json!(chosen)
            }
            (None, there) => {
                report.took(format!("{field} {}", there.unwrap_or_default()));
                json!(there.unwrap_or_default())
            }
        };
    }
    let first = match &source["initial_height"] {
        Value::String(text) => text.parse().unwrap_or(1u64),
        value => value.as_u64().unwrap_or(1),
    };
    document["initial_height"] = json!(first.max(1).to_string());
    report.took(format!("initial_height {}", first.max(1)));
    settings::consensus(source, &mut document["consensus_params"], &mut report);
    reports.push(report);
    document
}

/// Divides the stake denomination; what rounding lost.
fn divide(ledger: &mut Ledger, denom: &str, options: &Options, report: &mut SectionReport) -> u128 {
    let by = u128::from(options.divide_stake.max(1));
    if by == 1 {
        return 0;
    }
    let lost = ledger.divide(denom, by);
    report.changed(format!(
        "every amount of {denom} was divided by {by}, as you said; rounding down lost {lost} of \
         the source's units"
    ));
    lost
}

/// The stake denomination has its limits, other denominations have 2^128.
fn check_stake(supply: &Sums, denom: &str) -> Result<(), Fault> {
    let stake = supply.get(denom).copied().unwrap_or(0);
    let most = STAKE_SUPPLY_MAX.0;
    if stake == 0 {
        let there: Vec<&str> = supply.keys().take(10).map(String::as_str).collect();
        return fault(format!(
            "nobody holds the stake denomination {denom}: --stake-denom chooses one of {}",
            there.join(", ")
        ));
    }
    if stake > most {
        let least = stake.div_ceil(most);
        return fault(format!(
            "the supply of the stake denomination {denom} is {stake}, at most 2^63 ({most}) is \
             right for it: --divide-stake {least}, or a rounder number above it, divides all its \
             amounts"
        ));
    }
    Ok(())
}

fn compare(
    source: &Value,
    ours: &Sums,
    accounts: &[AccountRecord],
    (denom, divided_by, lost): (&str, u64, u128),
    totals: &mut Vec<Total>,
) -> Result<(), Fault> {
    let there = list(source, "/app_state/auth/accounts").len() as u128;
    let here = accounts.len() as u128;
    let reason = match here > there {
        true => "holders of coins without an account got one".to_owned(),
        false => "those that were left, as said above".to_owned(),
    };
    let mut found = vec![Total { what: "accounts".into(), source: there, ours: here, reason }];
    let mut stated = Sums::new();
    for (index, value) in list(source, "/app_state/bank/supply").iter().enumerate() {
        let (denom, amount) = coin(value, &format!("app_state.bank.supply[{index}]"))?;
        stated.insert(denom, amount);
    }
    let is_stated = !stated.is_empty();
    let names: std::collections::BTreeSet<&String> = match is_stated {
        true => stated.keys().chain(ours.keys()).collect(),
        false => ours.keys().collect(),
    };
    for name in names {
        let here = ours.get(name).copied().unwrap_or(0);
        let there = if is_stated { stated.get(name).copied().unwrap_or(0) } else { here };
        let reason = match name == denom && divided_by > 1 {
            true => format!("divided by {divided_by}, {lost} lost by rounding"),
            false => "balances that were left, or a supply that was not their sum".to_owned(),
        };
        found.push(Total { what: name.clone(), source: there, ours: here, reason });
    }
    totals.splice(0..0, found);
    Ok(())
}

fn coins(sums: Sums) -> Vec<Coin> {
    let coins = sums.into_iter().filter(|(_, amount)| *amount > 0);
    coins.map(|(denom, amount)| Coin { denom, amount: Amount(amount) }).collect()
}

/// Puts the parts into the file, and what is too long into `genesis.bin`.
fn assemble(
    mut document: Value,
    mut state: AppState,
    accounts: Vec<AccountRecord>,
    graph: Option<GraphLists>,
    to: &Path,
) -> Result<GenesisFile, Fault> {
    let prefix = state.chain.address_prefix.clone();
    let is_bulk = accounts.len() > INLINE_MAX;
    let in_file: &[AccountRecord] = if is_bulk { &[] } else { &accounts };
    for record in in_file {
        let address = record.address.to_bech32(&prefix);
        if !record.coins.is_empty() {
            let coins = Coins::new(record.coins.clone());
            let coins = coins.map_err(|error| Fault::Genesis(format!("{address}: {error}")))?;
            state.bank.balances.push(Balance { address, coins });
        }
        state.auth.accounts.push(GenesisAccount::from_account(&record.account(&prefix)));
    }
    state.bank.balances.sort_by(|one, other| one.address.cmp(&other.address));
    let bulk_graph = graph.as_ref().filter(|graph| graph.is_bulk());
    if let (Some(graph), None) = (&graph, bulk_graph) {
        state.graph = graph.to_section(&prefix);
    }
    document["app_state"] = json!({});
    let mut file = GenesisFile::new(to, document);
    for (name, section) in
        serde_json::to_value(&state).expect("JSON").as_object().expect("sections")
    {
        file.set(name, section);
    }
    if is_bulk || bulk_graph.is_some() {
        let accounts = if is_bulk { accounts.as_slice() } else { &[] };
        let more = More { accounts, graph: bulk_graph, new_codes: 0 };
        file.set_bulk(rewrite(file.folder(), None, &more)?);
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
