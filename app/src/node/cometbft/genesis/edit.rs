//! Changes to a genesis: accounts, validators, links. Every list stays as the engine exports it
//! (balances by address, accounts by number, links by the numbers of their ends), whatever else
//! stands in the file is left as it is, and what becomes too long goes into `genesis.bin`.
//!
//! Invariant: a change is made whole or the file is dropped by the caller; nothing reaches the
//! file itself before [`GenesisFile::write`].

use super::file::GenesisFile;
use super::lists::{rewrite, AddedLinks, GraphLists, More, NewLink};
use super::{check, public_json, short_hash, SOURCE_STAKE_SHARE};
use crate::engine::genesis::bulk::{AccountRecord, Bulk, Section, INLINE_MAX};
use crate::engine::genesis::{AppState, VOTING_POWER_MAX};
use crate::error::Fault;
use crate::modules::auth::genesis::GenesisAccount;
use crate::modules::bank::genesis::Balance;
use crate::types::{Address, Amount, Coin, Coins};
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// An account to add.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub address: Address,
    pub coins: Coins,
}

/// Adds accounts with what they hold; the supply follows, and the source stake if it was the usual
/// millionth of the supply.
///
/// # Errors
/// [`Fault::Genesis`]: an account is there already or twice in the list; a sum is too large.
pub fn add_accounts(file: &mut GenesisFile, accounts: &[NewAccount]) -> Result<(), Fault> {
    let mut state = file.state()?;
    let bulk = file.bulk(&state)?;
    let prefix = state.chain.address_prefix.clone();
    let known = Known::of(&mut state, bulk.as_ref())?;
    let Known { mut places, mut supply, mut next } = known;
    let was_usual = is_usual_source_stake(&state);
    let in_bulk = bulk.as_ref().map_or(0, |bulk| bulk.count(Section::Accounts)) as usize;
    let is_bulk = state.auth.accounts.len() + in_bulk + accounts.len() > INLINE_MAX;
    let mut records = Vec::new();
    for NewAccount { address, coins } in accounts {
        if let Some(place) = places.insert(*address, Place::List) {
            let text = address.to_bech32(&prefix);
            return Err(Fault::Genesis(format!(
                "{place}: {text} is there already: each account is added once"
            )));
        }
        sum(&mut supply, coins.as_slice())?;
        match is_bulk {
            true => records.push(AccountRecord {
                address: *address,
                number: next,
                sequence: 0,
                key: None,
                module: None,
                coins: coins.as_slice().to_vec(),
            }),
            false => {
                let text = address.to_bech32(&prefix);
                if !coins.is_empty() {
                    let (address, coins) = (text.clone(), coins.clone());
                    state.bank.balances.push(Balance { address, coins });
                }
                state.auth.accounts.push(GenesisAccount::new(text, next));
            }
        }
        next += 1;
    }
    let by_bytes = |balance: &Balance| Address::parse(&balance.address, &prefix).ok();
    state.bank.balances.sort_by_cached_key(by_bytes);
    let coins = supply.into_iter().map(|(denom, amount)| Coin { denom, amount: Amount(amount) });
    state.bank.supply = coins.collect();
    if was_usual {
        state.rank.params.source_stake = Some(usual_source_stake(&state));
    }
    if is_bulk {
        let more = More { accounts: &records, ..More::default() };
        file.set_bulk(rewrite(file.folder(), bulk.as_ref(), &more)?);
    }
    file.set("auth", &state.auth);
    file.set("bank", &state.bank);
    file.set("rank", &state.rank);
    Ok(())
}

/// Where an account stands.
enum Place {
    Inline(&'static str, usize),
    Bulk(u64),
    List,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Inline(list, index) => write!(f, "app_state.{list}[{index}]"),
            Place::Bulk(index) => write!(f, "genesis.bin: accounts[{index}]"),
            Place::List => f.write_str("this list"),
        }
    }
}

/// The accounts that are there.
struct Known {
    places: BTreeMap<Address, Place>,
    supply: BTreeMap<String, u128>,
    /// The number of the next account.
    next: u64,
}

impl Known {
    /// Numbers the accounts of the file by their order, if nobody did.
    fn of(state: &mut AppState, bulk: Option<&Bulk>) -> Result<Known, Fault> {
        let prefix = &state.chain.address_prefix;
        let mut known = Known { places: BTreeMap::new(), supply: BTreeMap::new(), next: 0 };
        let address = |list: &str, index: usize, text: &str| {
            let address = Address::parse(text, prefix);
            let place = format!("app_state.{list}[{index}].address");
            address.map_err(|error| Fault::Genesis(format!("{place}: {error}")))
        };
        let is_numbered = state.auth.accounts.iter().any(|account| account.number() != "0");
        for (index, account) in state.auth.accounts.iter_mut().enumerate() {
            let list = "auth.accounts";
            let address = address(list, index, account.address())?;
            known.places.insert(address, Place::Inline(list, index));
            if !is_numbered {
                account.set_number(index.to_string());
            }
            let number = account.number().parse().unwrap_or(0u64);
            known.next = known.next.max(number.saturating_add(1));
        }
        for (index, balance) in state.bank.balances.iter().enumerate() {
            let list = "bank.balances";
            let address = address(list, index, &balance.address)?;
            known.places.entry(address).or_insert(Place::Inline(list, index));
            sum(&mut known.supply, balance.coins.as_slice())?;
        }
        if let Some(bulk) = bulk {
            bulk.each(&mut |place, account: AccountRecord| {
                known.places.insert(account.address, Place::Bulk(place));
                known.next = known.next.max(account.number.saturating_add(1));
                sum(&mut known.supply, &account.coins)
            })?;
        }
        Ok(known)
    }
}

fn sum(supply: &mut BTreeMap<String, u128>, coins: &[Coin]) -> Result<(), Fault> {
    for coin in coins {
        let total = supply.entry(coin.denom.clone()).or_default();
        let more = total.checked_add(coin.amount.0);
        *total = more.ok_or_else(|| {
            let denom = &coin.denom;
            Fault::Genesis(format!("app_state.bank.supply: that of {denom} is over 2^128 - 1"))
        })?;
    }
    Ok(())
}

/// What a new genesis has: a millionth of the supply of the stake denomination.
pub fn usual_source_stake(state: &AppState) -> u64 {
    let stake = state.bank.supply.iter().find(|coin| coin.denom == state.chain.stake_denom);
    let stake = stake.map_or(0, |coin| coin.amount.0) / u128::from(SOURCE_STAKE_SHARE);
    u64::try_from(stake).unwrap_or(u64::MAX).max(1)
}

/// Whether the source stake is what a new genesis has; the shipped one without accounts has 0.
fn is_usual_source_stake(state: &AppState) -> bool {
    match state.rank.params.source_stake {
        None => false,
        Some(0) => state.bank.balances.is_empty(),
        Some(stake) => stake == usual_source_stake(state),
    }
}

/// Adds a validator.
///
/// # Errors
/// [`Fault::Genesis`]: its key is there already, its power is out of range.
pub fn add_validator(
    document: &mut Value,
    public_key: &[u8; 32],
    power: u64,
    name: &str,
) -> Result<(), Fault> {
    let fault = |text: String| Err(Fault::Genesis(text));
    let read = check::validators(document)?;
    if let Some(index) = read.iter().position(|validator| validator.public_key == *public_key) {
        return fault(format!("validators[{index}]: this key is there already"));
    }
    let total = read.iter().try_fold(0i64, |sum, validator| sum.checked_add(validator.power));
    let total = total.unwrap_or(i64::MAX);
    let power = i64::try_from(power).unwrap_or(i64::MAX);
    let room = VOTING_POWER_MAX.saturating_sub(total);
    if !(1..=room).contains(&power) {
        return fault(format!(
            "power {power}: 1 to {room} is right, since CometBFT counts {VOTING_POWER_MAX} in all \
             and the others have {total}"
        ));
    }
    let validator = json!({
        "address": hex::encode_upper(short_hash(public_key)),
        "pub_key": public_json(public_key),
        "power": power.to_string(),
        "name": name,
    });
    match document.get_mut("validators").and_then(Value::as_array_mut) {
        Some(validators) => validators.push(validator),
        None => document["validators"] = json!([validator]),
    }
    Ok(())
}

/// Adds links in their order; their ends become particles if they are none, from first, then to.
/// Where the file carries ranks, new particles have none yet.
///
/// # Errors
/// [`Fault::Genesis`]: an end links to itself, or what is there cannot be read.
pub fn add_links(file: &mut GenesisFile, links: &[NewLink]) -> Result<AddedLinks, Fault> {
    let mut state = file.state()?;
    let bulk = file.bulk(&state)?;
    let in_bulk = |section| bulk.as_ref().is_some_and(|bulk| bulk.count(section) > 0);
    let mut graph = GraphLists::of(&state, bulk.as_ref())?;
    let added = graph.extend(links)?;
    if let Some(warm) = state.rank.state.as_mut().filter(|_| !in_bulk(Section::Codes)) {
        warm.codes.extend((0..added.new_particles).map(|_| 0));
    }
    if graph.is_bulk() || in_bulk(Section::Particles) {
        let more = More { graph: Some(&graph), new_codes: added.new_particles, ..More::default() };
        file.set_bulk(rewrite(file.folder(), bulk.as_ref(), &more)?);
        state.graph = Default::default();
    } else {
        state.graph = graph.to_section(&state.chain.address_prefix);
    }
    file.set("graph", &state.graph);
    file.set("rank", &state.rank);
    Ok(added)
}
