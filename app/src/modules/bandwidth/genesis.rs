//! The `bandwidth` section of the genesis file.

use super::params::text;
use super::{neuron_maximum, state, Params, Record};
use crate::error::Fault;
use crate::modules::{bank, params as chain_params};
use crate::state::{prefix_end, Read, StoreName, Write};
use crate::types::{Address, Decimal, Height};
use std::collections::BTreeSet;

/// `app_state.bandwidth`. Without `neurons` every account begins with its maximum; with it, the
/// listed records go on and the others begin with nothing.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandwidthGenesis {
    #[serde(default)]
    pub params: Params,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neurons: Option<Vec<NeuronRecord>>,
    /// Raw units admitted at the heights of the last recovery period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ring: Vec<RingEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeuronRecord {
    pub neuron: String,
    /// Millionths of a unit.
    pub remained: String,
    #[serde(with = "text")]
    pub since: u64,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingEntry {
    #[serde(with = "text")]
    pub height: u64,
    #[serde(with = "text")]
    pub units: u64,
}

/// Reads the section into the state, after the bank's.
pub fn init(
    state: &mut dyn Write,
    section: &BandwidthGenesis,
    prefix: &str,
    genesis_height: Height,
) -> Result<(), Fault> {
    let fault = |text: String| Fault::Genesis(format!("app_state.bandwidth.{text}"));
    section.params.check().map_err(|text| fault(format!("params.{text}")))?;
    state::set_params(state, &section.params);
    state::set_price(state, section.price.unwrap_or(section.params.base_price));
    let mut total: u64 = 0;
    for entry in &section.ring {
        state::set_ring(state, Height(entry.height), entry.units);
        let sum = total.checked_add(entry.units);
        total = sum.ok_or_else(|| fault("ring: the units exceed 2^64".into()))?;
    }
    state::set_ring_total(state, total);
    let denom = chain_params::state::chain(state).stake_denom;
    match &section.neurons {
        None => fill(state, &section.params, &denom, genesis_height),
        Some(neurons) => {
            for (index, entry) in neurons.iter().enumerate() {
                let at = |text: String| fault(format!("neurons[{index}]{text}"));
                let address = Address::parse(&entry.neuron, prefix)
                    .map_err(|error| at(format!(".neuron '{}': {error}", entry.neuron)))?;
                let remained = entry.remained.parse().map_err(|_| {
                    at(format!(".remained '{}': a whole number in quotes", entry.remained))
                })?;
                let record = Record { remained, since: Height(entry.since) };
                add(state, &section.params, &address, record)
                    .map_err(|text| at(format!(".remained of {}: {text}", entry.neuron)))?;
            }
        }
    }
    Ok(())
}

/// Writes what remained to a neuron, at most its maximum.
///
/// # Errors
/// A text: it is more.
pub fn add(
    state: &mut dyn Write,
    params: &Params,
    neuron: &Address,
    record: Record,
) -> Result<(), String> {
    let denom = chain_params::state::chain(state).stake_denom;
    let most = neuron_maximum(state, params, &denom, neuron);
    if record.remained > most {
        return Err(format!("{}, at most {most} is right", record.remained));
    }
    state::set_record(state, neuron, record);
    Ok(())
}

/// A genesis account begins with its maximum.
fn fill(state: &mut dyn Write, params: &Params, denom: &str, height: Height) {
    let mut holders = BTreeSet::new();
    let prefix = bank::keys::holders_of(denom);
    let end = prefix_end(&prefix);
    state.scan(StoreName::Bank, &prefix, end.as_deref(), &mut |key, _| {
        let address = Address::new(&key[prefix.len() + 1..]);
        holders.insert(address.expect("stored addresses are good"));
        true
    });
    for holder in holders {
        let remained = neuron_maximum(state, params, denom, &holder);
        state::set_record(state, &holder, Record { remained, since: height });
    }
}

/// The section as the state has it.
pub fn export(state: &dyn Read, prefix: &str) -> BandwidthGenesis {
    let neurons = state::records(state).into_iter().map(|(address, record)| NeuronRecord {
        neuron: address.to_bech32(prefix),
        remained: record.remained.to_string(),
        since: record.since.0,
    });
    BandwidthGenesis { neurons: Some(neurons.collect()), ..export_but_neurons(state) }
}

/// The section with an empty list of neurons.
pub fn export_but_neurons(state: &dyn Read) -> BandwidthGenesis {
    let ring = state::ring(state).into_iter();
    BandwidthGenesis {
        params: state::params(state),
        neurons: Some(Vec::new()),
        ring: ring.map(|(height, units)| RingEntry { height: height.0, units }).collect(),
        price: Some(state::price(state)),
    }
}
