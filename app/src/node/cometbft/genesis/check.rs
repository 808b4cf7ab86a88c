//! Whether a chain can start from a genesis file: what InitChain would say, before anything runs.

use super::shape::{self, name, number_of};
use crate::engine::{genesis, ConsensusParams, Genesis, Time, ValidatorUpdate};
use crate::error::Fault;
use crate::node::cometbft::home::short_hash;
use crate::store::backend::MemoryDisk;
use crate::store::{Options, Snapshot, Store};
use crate::types::Height;
use base64::prelude::{Engine as _, BASE64_STANDARD};
use prost::bytes::Bytes;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Refuses a genesis file that a chain cannot start from.
///
/// # Errors
/// [`Fault::Genesis`] naming the place in the file, the value and what is right.
pub fn check(document: &Value) -> Result<(), Fault> {
    begin(document, None).map(drop)
}

/// The state that a chain begins with. `folder`: where the file lies, with the `genesis.bin` it may
/// name.
///
/// # Errors
/// As [`check`].
pub fn begin(document: &Value, folder: Option<&Path>) -> Result<Arc<Snapshot>, Fault> {
    let genesis = read(document)?;
    if genesis.validators.is_empty() {
        return Err(Fault::Genesis("validators: at least one is needed".to_owned()));
    }
    let store = Store::open_on(Box::new(MemoryDisk::new()), Options::default())?;
    let staged = genesis::stage(&store, &genesis, folder)?;
    Ok(Arc::clone(staged.snapshot()))
}

/// The request that CometBFT makes of the file.
///
/// # Errors
/// [`Fault::Genesis`], when CometBFT would not start from it.
pub fn read(document: &Value) -> Result<Genesis, Fault> {
    shape::check(document)?;
    let part = |pointer: &str| {
        let missing = || Fault::Genesis(format!("{} is missing", name(pointer)));
        document.pointer(pointer).ok_or_else(missing)
    };
    let number = |pointer: &str| number_of(&name(pointer), part(pointer)?);
    let whole = |value: i64, pointer: &str| {
        let name = name(pointer);
        u64::try_from(value)
            .map_err(|_| Fault::Genesis(format!("{name}: {value}: 0 or more is right")))
    };
    // What CometBFT takes for an absent height, version or extension height.
    let first = number_of("initial_height", &document["initial_height"]).unwrap_or(0).max(1);
    let optional = |pointer: &str| match document.pointer(pointer) {
        Some(value) => number_of(&name(pointer), value),
        None => Ok(0),
    };
    let version = "/consensus_params/version/app";
    Ok(Genesis {
        chain_id: part("/chain_id")?.as_str().unwrap_or_default().to_owned(),
        time: Time::default(),
        initial_height: Height(whole(first, "/initial_height")?),
        consensus_params: ConsensusParams {
            block_max_bytes: number("/consensus_params/block/max_bytes")?,
            block_max_gas: number("/consensus_params/block/max_gas")?,
            evidence_max_age_blocks: number("/consensus_params/evidence/max_age_num_blocks")?,
            evidence_max_age_seconds: number("/consensus_params/evidence/max_age_duration")?
                / 1_000_000_000,
            evidence_max_bytes: number("/consensus_params/evidence/max_bytes")?,
            public_key_types: vec!["ed25519".to_owned()],
            app_version: whole(optional(version)?, version)?,
            vote_extensions_enable_height: optional(
                "/consensus_params/abci/vote_extensions_enable_height",
            )?,
        },
        validators: validators(document)?,
        app_state: Bytes::from(part("/app_state")?.to_string()),
    })
}

/// The validators of a file.
///
/// # Errors
/// [`Fault::Genesis`] naming the one that is wrong.
pub fn validators(document: &Value) -> Result<Vec<ValidatorUpdate>, Fault> {
    shape::validators(document).iter().enumerate().map(validator).collect()
}

fn validator((index, value): (usize, &Value)) -> Result<ValidatorUpdate, Fault> {
    let fault = |text: String| Fault::Genesis(format!("validators[{index}].{text}"));
    let kind = &value["pub_key"]["type"];
    if kind != "tendermint/PubKeyEd25519" {
        return Err(fault(format!("pub_key.type: {kind}: \"tendermint/PubKeyEd25519\" is right")));
    }
    let key = value["pub_key"]["value"].as_str().unwrap_or_default();
    let decoded = BASE64_STANDARD.decode(key).ok().and_then(|key| key.try_into().ok());
    let public_key: [u8; 32] =
        decoded.ok_or_else(|| fault(format!("pub_key.value '{key}': base64 of 32 bytes")))?;
    let right = hex::encode_upper(short_hash(&public_key));
    let address = value["address"].as_str().unwrap_or_default();
    if !address.is_empty() && address != right {
        return Err(fault(format!("address '{address}': that of the key is {right}")));
    }
    let power = number_of(&format!("validators[{index}].power"), &value["power"])?;
    Ok(ValidatorUpdate { public_key, power })
}
