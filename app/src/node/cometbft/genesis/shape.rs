//! The part of a genesis file that CometBFT reads: which fields there are, and what it would refuse
//! at its start. CometBFT itself passes over fields it does not know, so a misspelt one would
//! silently keep its default; here it is refused.
//!
//! Deliberately absent: `app_state`, whose fields are the engine's.

use crate::error::Fault;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

/// The largest block CometBFT knows, in bytes.
const BLOCK_BYTES_MAX: i64 = 100 << 20;

/// The objects and their fields.
const FIELDS: [(&str, &[&str]); 7] = [
    (
        "",
        &[
            "genesis_time",
            "chain_id",
            "initial_height",
            "consensus_params",
            "validators",
            "app_hash",
            "app_state",
        ],
    ),
    ("/consensus_params", &["block", "evidence", "validator", "version", "abci"]),
    ("/consensus_params/block", &["max_bytes", "max_gas"]),
    ("/consensus_params/evidence", &["max_age_num_blocks", "max_age_duration", "max_bytes"]),
    ("/consensus_params/validator", &["pub_key_types"]),
    ("/consensus_params/version", &["app"]),
    ("/consensus_params/abci", &["vote_extensions_enable_height"]),
];

/// Refuses what CometBFT would refuse or pass over.
///
/// # Errors
/// [`Fault::Genesis`] with the place in the file, the value and what is right.
pub fn check(document: &Value) -> Result<(), Fault> {
    for (pointer, fields) in FIELDS {
        if let Some(value) = document.pointer(pointer) {
            known(&name(pointer), value, fields)?;
        }
    }
    for (index, validator) in validators(document).iter().enumerate() {
        let at = format!("validators[{index}]");
        known(&at, validator, &["address", "pub_key", "power", "name"])?;
        known(&format!("{at}.pub_key"), &validator["pub_key"], &["type", "value"])?;
    }
    let time = document["genesis_time"].as_str().unwrap_or_default();
    if time::OffsetDateTime::parse(time, &Rfc3339).is_err() {
        let time = &document["genesis_time"];
        return fault(format!("genesis_time: {time}: right is a time as 2026-01-01T00:00:00Z"));
    }
    if document["app_hash"].as_str().is_none_or(|hash| !hash.is_empty()) {
        let hash = &document["app_hash"];
        return fault(format!("app_hash: {hash}: \"\" is right, the chain computes its own"));
    }
    limits(document)
}

/// The ranges of consensus parameters.
fn limits(document: &Value) -> Result<(), Fault> {
    let number = |pointer: &str| match document.pointer(pointer) {
        Some(value) => number_of(&name(pointer), value),
        None => fault(format!("{} is missing", name(pointer))),
    };
    let within = |pointer: &str, low: i64, high: i64| match number(pointer)? {
        value if (low..=high).contains(&value) => Ok(value),
        value => fault(format!("{}: {value}: {low} to {high} is right", name(pointer))),
    };
    let block = within("/consensus_params/block/max_bytes", 1, BLOCK_BYTES_MAX)?;
    within("/consensus_params/evidence/max_age_num_blocks", 1, i64::MAX)?;
    within("/consensus_params/evidence/max_age_duration", 1, i64::MAX)?;
    within("/consensus_params/evidence/max_bytes", 0, block)?;
    let types = &document["consensus_params"]["validator"]["pub_key_types"];
    if *types != serde_json::json!(["ed25519"]) {
        let place = "consensus_params.validator.pub_key_types";
        return fault(format!("{place}: {types}: [\"ed25519\"] is right"));
    }
    Ok(())
}

/// The validators of a file, none if there is no list.
pub fn validators(document: &Value) -> &[Value] {
    document["validators"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn known(place: &str, value: &Value, fields: &[&str]) -> Result<(), Fault> {
    let shown = if place.is_empty() { "the file" } else { place };
    let Some(object) = value.as_object() else {
        return fault(format!("{shown}: {value} is no object, with {fields:?} it is right"));
    };
    match object.keys().find(|field| !fields.contains(&field.as_str())) {
        None => Ok(()),
        Some(field) => {
            let dot = if place.is_empty() { "" } else { "." };
            let value = shortened(&object[field]);
            fault(format!(
                "{place}{dot}{field}: unknown field with the value {value}; known are {}",
                fields.join(", ")
            ))
        }
    }
}

/// A value for a message.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// 64-bit integers are texts in CometBFT's JSON; plain numbers are taken too.
pub fn number_of(place: &str, value: &Value) -> Result<i64, Fault> {
    let number = value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_i64());
    number.map_or_else(
        || fault(format!("{place}: {value} is no number: right is one in quotes, as \"10\"")),
        Ok,
    )
}

/// `/a/b` as messages write it.
pub fn name(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

fn fault<T>(text: String) -> Result<T, Fault> {
    Err(Fault::Genesis(text))
}
