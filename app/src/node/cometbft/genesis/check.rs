//! Whether a chain can start from a genesis file: what InitChain would say, before anything runs.

use crate::engine::genesis::{init, AppState};
use crate::engine::{ConsensusParams, Genesis, Time, ValidatorUpdate};
use crate::error::Fault;
use crate::state::{Overlay, Read, StoreName, Visit};
use crate::types::{Address, Height, LinkNumber, Particle, ParticleNumber};
use base64::prelude::{Engine as _, BASE64_STANDARD};
use prost::bytes::Bytes;
use serde_json::Value;

/// Refuses a genesis file that a chain cannot start from.
///
/// # Errors
/// [`Fault::Genesis`] naming the part and the reason.
pub fn check(document: &Value) -> Result<(), Fault> {
    let genesis = read(document)?;
    if genesis.validators.is_empty() {
        return Err(Fault::Genesis("validators: at least one is needed".to_owned()));
    }
    let state = AppState::parse(&genesis.app_state)?;
    init(&mut Overlay::new(&Nothing), &genesis, &state).map(drop)
}

/// The request that CometBFT makes of the file.
fn read(document: &Value) -> Result<Genesis, Fault> {
    let part = |pointer: &str| {
        let missing = || Fault::Genesis(format!("{} is missing", name(pointer)));
        document.pointer(pointer).ok_or_else(missing)
    };
    let number = |pointer: &str| number_of(pointer, part(pointer)?);
    let key_types = "/consensus_params/validator/pub_key_types";
    let key_types: Vec<String> = serde_json::from_value(part(key_types)?.clone())
        .map_err(|error| Fault::Genesis(format!("{}: {error}", name(key_types))))?;
    let validators = document["validators"].as_array().map(Vec::as_slice).unwrap_or_default();
    let whole = |value: i64, pointer: &str| {
        u64::try_from(value).map_err(|_| Fault::Genesis(format!("{}: {value}", name(pointer))))
    };
    // What CometBFT takes for an absent height, version or extension height.
    let first = number_of("/initial_height", &document["initial_height"]).unwrap_or(0).max(1);
    let optional = |pointer: &str| match document.pointer(pointer) {
        Some(value) => number_of(pointer, value),
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
            public_key_types: key_types,
            app_version: whole(optional(version)?, version)?,
            vote_extensions_enable_height: optional(
                "/consensus_params/abci/vote_extensions_enable_height",
            )?,
        },
        validators: validators.iter().map(validator).collect::<Result<_, _>>()?,
        app_state: Bytes::from(part("/app_state")?.to_string()),
    })
}

fn validator(value: &Value) -> Result<ValidatorUpdate, Fault> {
    let fault = |reason: &str| Fault::Genesis(format!("validators: {reason}: {value}"));
    if value["pub_key"]["type"] != "tendermint/PubKeyEd25519" {
        return Err(fault("the type of a key is not tendermint/PubKeyEd25519"));
    }
    let key = value["pub_key"]["value"].as_str().unwrap_or_default();
    let key = BASE64_STANDARD.decode(key).ok().and_then(|key| key.try_into().ok());
    let public_key = key.ok_or_else(|| fault("a key is not 32 bytes in base64"))?;
    Ok(ValidatorUpdate { public_key, power: number_of("/validators/power", &value["power"])? })
}

/// 64-bit integers are texts in CometBFT's JSON; plain numbers are taken too.
fn number_of(pointer: &str, value: &Value) -> Result<i64, Fault> {
    let number = value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_i64());
    number.ok_or_else(|| Fault::Genesis(format!("{}: {value} is no number", name(pointer))))
}

/// `/a/b` as messages write it.
fn name(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// The state before genesis.
struct Nothing;

impl Read for Nothing {
    fn get(&self, _: StoreName, _: &[u8]) -> Option<&[u8]> {
        None
    }

    fn scan(&self, _: StoreName, _: &[u8], _: Option<&[u8]>, _: Visit<'_>) {}

    fn particle_number(&self, _: &Particle) -> Option<ParticleNumber> {
        None
    }

    fn has_link(&self, _: &Address, _: ParticleNumber, _: ParticleNumber) -> bool {
        false
    }

    fn graph_size(&self) -> (ParticleNumber, LinkNumber) {
        (ParticleNumber(0), LinkNumber(0))
    }
}
