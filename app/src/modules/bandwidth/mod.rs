//! Bandwidth: the right to write, which recovers with time in proportion to stake.
//!
//! A neuron's `max` is its share of the network's bandwidth by stake, always computed, never
//! stored. What remains is kept in millionths of a unit with the height it was settled at.
//! The price follows demand: the raw units admitted in the last recovery period over what the
//! network offers, never below the base price.
//!
//! Invariants (`tests`): the ring's total is the sum of its heights; no settled remainder exceeds
//! `max`; the sum of all `max` is at most the network's bandwidth; stake that moves brings no
//! bandwidth with it.

pub mod genesis;
pub mod hooks;
pub mod keys;
pub mod params;
pub mod query;
pub mod state;
#[cfg(test)]
mod tests;

pub use genesis::BandwidthGenesis;
pub use params::Params;

use super::Rules;
use crate::error::{code, Code, Refusal};
use crate::state::{Read, Write};
use crate::types::{Address, Amount, Decimal, Height};

/// Millionths of a bandwidth unit.
pub const MICRO: u128 = 1_000_000;

/// What remains to a neuron, and the height at which that was true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Millionths of a unit.
    pub remained: u128,
    pub since: Height,
}

/// What a transaction asks for, in raw units before the price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub bytes: u64,
    pub new_links: u64,
    pub passed_over: u64,
}

/// Why a transaction has no bandwidth.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BandwidthError {
    #[error("{0}: not enough personal bandwidth")]
    NotEnough(Shortage),
    #[error(
        "the transaction takes {needed} units of the block's bandwidth, {left} of {limit} are \
         left: exceeded max block bandwidth"
    )]
    BlockFull { needed: u64, left: u64, limit: u64 },
}

/// The numbers of a refusal for lack of bandwidth, in millionths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    pub needed: u128,
    pub available: u128,
    pub max: u128,
    /// How many single new links of the same transaction form would fit now.
    pub links_fit: u64,
    /// The first height at which the charge would be affordable, if ever.
    pub affordable_at: Option<Height>,
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = |micro: u128| format!("{}.{:06}", micro / MICRO, micro % MICRO);
        let (needed, available) = (units(self.needed), units(self.available));
        write!(f, "needed {needed}, available {available}, {} links fit now, ", self.links_fit)?;
        match self.affordable_at {
            Some(height) => write!(f, "affordable at height {height}"),
            None => write!(f, "never affordable: the neuron's maximum is {}", units(self.max)),
        }
    }
}

impl BandwidthError {
    /// The stable code of each.
    pub fn code(&self) -> Code {
        match self {
            BandwidthError::NotEnough(_) => code::NOT_ENOUGH_BANDWIDTH,
            BandwidthError::BlockFull { .. } => code::BLOCK_BANDWIDTH,
        }
    }
}

impl From<BandwidthError> for Refusal {
    fn from(error: BandwidthError) -> Refusal {
        Refusal::new(error.code(), error.to_string())
    }
}

/// `floor(B · 10^6 · stake / supply)`, exact for any permitted parameters.
pub fn maximum(params: &Params, stake: Amount, supply: Amount) -> u128 {
    if supply.0 == 0 {
        return 0;
    }
    // B · 10^6 < 2^68 and stake ≤ supply ≤ 2^63: the product may pass 2^128, its parts do not.
    let network = u128::from(params.network_bandwidth) * MICRO;
    let (whole, rest) = (network / supply.0, network % supply.0);
    whole * stake.0 + rest * stake.0 / supply.0
}

/// What remains at a height: linear recovery, up to the maximum.
pub fn settled(record: Record, maximum: u128, period: u64, height: Height) -> u128 {
    let elapsed = height.0.saturating_sub(record.since.0);
    if elapsed >= period {
        return maximum;
    }
    // maximum < 2^68 and elapsed < 2^32: the period's range is checked.
    let recovered = maximum * u128::from(elapsed) / u128::from(period);
    maximum.min(record.remained + recovered)
}

/// Raw units of a cost.
pub fn raw_units(params: &Params, cost: Cost) -> Option<u64> {
    let part = |price: u64, count: u64| price.checked_mul(count);
    params
        .tx_cost
        .checked_add(part(params.byte_cost, cost.bytes)?)?
        .checked_add(part(params.link_cost, cost.new_links)?)?
        .checked_add(part(params.skip_cost, cost.passed_over)?)
}

/// `raw · price` in millionths, rounded up; saturates at what nobody can pay.
pub fn charge(raw: u64, price: Decimal) -> u128 {
    let atomics_per_micro = Decimal::ONE_ATOMICS / MICRO;
    match u128::from(raw).checked_mul(price.atomics()) {
        Some(product) => product.div_ceil(atomics_per_micro),
        None => u128::MAX,
    }
}

/// Takes the charge from a neuron or says what is missing. Settles first.
pub fn consume(
    state: &mut dyn Write,
    rules: &Rules,
    neuron: &Address,
    cost: Cost,
    height: Height,
) -> Result<u64, BandwidthError> {
    let params = &rules.bandwidth;
    let quote = quote(state, rules, neuron, height);
    let raw = raw_units(params, cost).unwrap_or(u64::MAX);
    let needed = charge(raw, quote.price);
    let Some(remained) = quote.available.checked_sub(needed) else {
        return Err(BandwidthError::NotEnough(shortage(params, &quote, needed, cost, height)));
    };
    state::set_record(state, neuron, Record { remained, since: height });
    Ok(raw)
}

/// What a neuron has at a height, and the price it pays.
#[derive(Clone, Copy, Debug)]
pub struct Quote {
    pub available: u128,
    pub maximum: u128,
    pub price: Decimal,
}

/// The numbers behind a charge.
pub fn quote(state: &dyn Read, rules: &Rules, neuron: &Address, height: Height) -> Quote {
    let Rules { chain, bandwidth: params, .. } = rules;
    let maximum = neuron_maximum(state, params, &chain.stake_denom, neuron);
    let record = state::record(state, neuron).unwrap_or(Record { remained: 0, since: height });
    let available = settled(record, maximum, params.recovery_period, height);
    Quote { available, maximum, price: state::price(state) }
}

/// A neuron's `max` by its present stake.
pub fn neuron_maximum(state: &dyn Read, params: &Params, denom: &str, neuron: &Address) -> u128 {
    let stake = super::bank::state::balance(state, neuron, denom);
    maximum(params, stake, super::bank::state::supply(state, denom))
}

fn shortage(params: &Params, quote: &Quote, needed: u128, cost: Cost, height: Height) -> Shortage {
    // Bytes go with links: what one link of this transaction costs, bytes included.
    let links = cost.new_links + cost.passed_over;
    let fixed = charge(params.tx_cost, quote.price);
    let per_link = needed.saturating_sub(fixed).checked_div(u128::from(links));
    let links_fit = quote.available.saturating_sub(fixed).checked_div(per_link.unwrap_or(0));
    let affordable_at = (needed <= quote.maximum && quote.maximum > 0).then(|| {
        let missing = needed - quote.available;
        let period = u128::from(params.recovery_period);
        let blocks = (missing * period).div_ceil(quote.maximum).min(period);
        Height(height.0.saturating_add(blocks as u64))
    });
    Shortage {
        needed,
        available: quote.available,
        max: quote.maximum,
        links_fit: u64::try_from(links_fit.unwrap_or(0)).unwrap_or(u64::MAX).min(links),
        affordable_at,
    }
}
