//! `staking`, `genutil` and the validators of the source. This chain has no staking yet: what is
//! bonded or unbonding goes back to those who own it, so that every neuron keeps its weight, and
//! the validators stand in the genesis file.

use super::accounts::Ledger;
use super::report::SectionReport;
use super::source::{address, amount, list, product_over, text, Shares};
use crate::engine::genesis::VOTING_POWER_MAX;
use crate::error::Fault;
use crate::node::cometbft::home::{public_json, short_hash};
use crate::types::Address;
use base64::prelude::{Engine as _, BASE64_STANDARD};
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// Tokens for one of voting power, as in the SDK.
const POWER_REDUCTION: u128 = 1_000_000;

/// Gives bonded and unbonding tokens back to their owners.
///
/// # Errors
/// [`Fault::Genesis`]: a number that is none.
pub fn unbond(
    document: &Value,
    ledger: &mut Ledger,
    denom: &str,
    report: &mut SectionReport,
) -> Result<(), Fault> {
    let [bonded, unbonded] = pools();
    let validators = validators_of(document)?;
    let (mut back, mut delegations, mut lost) = (0u128, 0u64, 0u64);
    for (index, value) in list(document, "/app_state/staking/delegations").iter().enumerate() {
        let place = format!("app_state.staking.delegations[{index}].shares");
        let shares = Shares::parse(text(value, "shares"), &place)?;
        let validator = validators.get(text(value, "validator_address"));
        let owner = address(text(value, "delegator_address"));
        let (Some((tokens, total, pool)), Some((_, owner))) = (validator, owner) else {
            lost += 1;
            continue;
        };
        let (shares, total) = shares.of(total);
        let share = product_over(*tokens, shares, total).unwrap_or(0);
        // What a pool owns of itself is there to be counted again.
        back = back.saturating_add(ledger.transfer(pool, &owner, denom, share));
        delegations += 1;
    }
    let mut unbonding = 0u128;
    for value in list(document, "/app_state/staking/unbonding_delegations") {
        let Some((_, owner)) = address(text(value, "delegator_address")) else {
            lost += 1;
            continue;
        };
        for entry in list(value, "/entries") {
            let place = "app_state.staking.unbonding_delegations: balance";
            let amount = amount(text(entry, "balance"), place)?;
            let moved = ledger.transfer(&unbonded, &owner, denom, amount);
            unbonding = unbonding.saturating_add(moved);
        }
    }
    if delegations > 0 {
        report.changed(format!(
            "{delegations} delegations: {back}{denom} went back to the delegators, at the present \
             value of their shares; this chain has no staking yet, so the weight of a neuron is \
             what it holds"
        ));
    }
    if unbonding > 0 {
        report.changed(format!("{unbonding}{denom} that were unbonding went to their owners"));
    }
    let rest = ledger.holding(&bonded, denom) + ledger.holding(&unbonded, denom);
    if rest > 0 {
        report.changed(format!(
            "{rest}{denom} of rounding stay with the two accounts of the staking pools"
        ));
    }
    if lost > 0 {
        report.left(format!("{lost} delegations of addresses or to validators that are not there"));
    }
    let redelegations = list(document, "/app_state/staking/redelegations").len();
    if redelegations > 0 {
        report.left(format!("{redelegations} redelegations: nothing is left to move"));
    }
    Ok(())
}

/// Tokens, shares and pool of each validator.
type Validators = BTreeMap<String, (u128, Shares, Address)>;

fn pools() -> [Address; 2] {
    ["bonded_tokens_pool", "not_bonded_tokens_pool"].map(Address::of_module)
}

fn validators_of(document: &Value) -> Result<Validators, Fault> {
    let [bonded, unbonded] = pools();
    let mut validators = BTreeMap::new();
    for (index, value) in list(document, "/app_state/staking/validators").iter().enumerate() {
        let place = format!("app_state.staking.validators[{index}]");
        let tokens = amount(text(value, "tokens"), &format!("{place}.tokens"))?;
        let shares = text(value, "delegator_shares");
        let shares = Shares::parse(shares, &format!("{place}.delegator_shares"))?;
        let pool = match text(value, "status") {
            "BOND_STATUS_BONDED" => bonded,
            _ => unbonded,
        };
        let name = text(value, "operator_address").to_owned();
        validators.insert(name, (tokens, shares, pool));
    }
    Ok(validators)
}

/// A validator of the new chain.
struct Candidate {
    key: [u8; 32],
    power: u128,
    name: String,
}

/// The validators: those of the file's head, else the bonded ones, and those of the gentxs.
pub fn validators(document: &Value, report: &mut SectionReport) -> Value {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut left = 0u64;
    let mut add = |found: Option<Candidate>| match found {
        Some(one) if candidates.iter().any(|other| other.key == one.key) => {}
        Some(one) if one.power > 0 => candidates.push(one),
        _ => left += 1,
    };
    let head = list(document, "/validators").iter().chain(list(document, "/consensus/validators"));
    let mut from = "the head of the file";
    let mut count = 0;
    for value in head {
        let key = key(text(&value["pub_key"], "value"), text(&value["pub_key"], "type"));
        let power = text(value, "power").parse().unwrap_or(0);
        let name = text(value, "name").to_owned();
        add(key.map(|key| Candidate { key, power, name }));
        count += 1;
    }
    if count == 0 {
        from = "staking";
        for value in list(document, "/app_state/staking/validators") {
            if text(value, "status") == "BOND_STATUS_BONDED" {
                let tokens: u128 = text(value, "tokens").parse().unwrap_or(0);
                add(candidate(value, "consensus_pubkey", tokens));
                count += 1;
            }
        }
    }
    let gentxs = list(document, "/app_state/genutil/gen_txs");
    for gentx in gentxs {
        let message = &gentx["body"]["messages"][0];
        let amount: u128 = text(&message["value"], "amount").parse().unwrap_or(0);
        add(candidate(message, "pubkey", amount));
    }
    if count > 0 {
        report.took(format!("{count} validators of {from}, with their keys and powers"));
    }
    if !gentxs.is_empty() {
        report.changed(format!(
            "{} gentxs became validators with a millionth of their self-delegation as power; their \
             signatures were not checked, their coins stay with their accounts",
            gentxs.len()
        ));
    }
    if left > 0 {
        report.left(format!("{left} validators without power or without an ed25519 key"));
    }
    scale(&mut candidates, report);
    let validator = |one: &Candidate| {
        json!({
            "address": hex::encode_upper(short_hash(&one.key)),
            "pub_key": public_json(&one.key),
            "power": one.power.to_string(),
            "name": one.name,
        })
    };
    candidates.iter().map(validator).collect()
}

fn candidate(value: &Value, key_field: &str, tokens: u128) -> Option<Candidate> {
    let key = key(text(&value[key_field], "key"), text(&value[key_field], "@type"))?;
    let name = text(&value["description"], "moniker").to_owned();
    Some(Candidate { key, power: tokens / POWER_REDUCTION, name })
}

fn key(base64: &str, kind: &str) -> Option<[u8; 32]> {
    let is_right = kind == "tendermint/PubKeyEd25519" || kind.ends_with("ed25519.PubKey");
    let bytes = is_right.then(|| BASE64_STANDARD.decode(base64).ok()).flatten()?;
    bytes.try_into().ok()
}

/// Divides the powers if CometBFT could not count them.
fn scale(candidates: &mut [Candidate], report: &mut SectionReport) {
    let total: u128 = candidates.iter().map(|one| one.power).fold(0, u128::saturating_add);
    let most = VOTING_POWER_MAX as u128;
    if total > most {
        let by = total / most + 1;
        candidates.iter_mut().for_each(|one| one.power = (one.power / by).max(1));
        report.changed(format!("powers divided by {by}: CometBFT counts {most} in all"));
    }
}
