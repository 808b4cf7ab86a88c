//! The module's parameters: typed, with their ranges; on the wire the go-cyber message with our
//! fields from 16 on.

use crate::modules::bandwidth::params::text;
use crate::types::Decimal;
use cyber_proto::cyber::rank::v1beta1 as proto;

/// Checked parameters.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Blocks between two boundaries.
    #[serde(with = "text")]
    pub calculation_period: u64,
    pub damping_factor: Decimal,
    /// Other software's; shown only.
    pub tolerance: Decimal,
    /// Significant bits of a rank.
    pub code_bits: u32,
    pub sweeps_max: u32,
    /// Significant bits of a rank-stake.
    pub stake_bits: u32,
    /// Stake that every source has beside its links'. Absent in a genesis file: a millionth of
    /// the supply.
    #[serde(with = "optional", skip_serializing_if = "Option::is_none")]
    pub source_stake: Option<u64>,
    /// Links and particles a round may go through, all sweeps together.
    #[serde(with = "text")]
    pub round_work: u64,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            calculation_period: 5,
            damping_factor: Decimal::from_atomics(Decimal::ONE_ATOMICS / 100 * 85),
            tolerance: Decimal::default(),
            code_bits: 15,
            sweeps_max: 64,
            stake_bits: 10,
            source_stake: None,
            round_work: 2_000_000_000,
        }
    }
}

impl Params {
    /// Refuses values out of range, naming the field.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: u64, low: u64, high: u64| match value {
            v if v < low || v > high => Err(format!("{name} is {value}: {low} to {high} is right")),
            _ => Ok(()),
        };
        within("calculation_period", self.calculation_period, 1, i64::MAX as u64)?;
        within("code_bits", self.code_bits.into(), 8, 24)?;
        within("sweeps_max", self.sweeps_max.into(), 1, 1000)?;
        within("stake_bits", self.stake_bits.into(), 6, 24)?;
        within("round_work", self.round_work, 1, u64::MAX)?;
        if self.damping_factor.atomics() > Decimal::ONE_ATOMICS / 10 * 9 {
            return Err(format!("damping_factor is {}: 0 to 0.9 is right", self.damping_factor));
        }
        Ok(())
    }

    /// Sweeps a round over a graph may make: a bound on work that everyone computes alike.
    pub fn sweeps_allowed(&self, particles: u32, links: u32) -> u32 {
        let size = (u64::from(particles) + u64::from(links)).max(1);
        let sweeps = (self.round_work / size).clamp(1, self.sweeps_max.into());
        u32::try_from(sweeps).expect("clamped to sweeps_max")
    }

    /// The message that queries answer with and the state keeps.
    pub fn to_proto(&self) -> proto::Params {
        proto::Params {
            calculation_period: i64::try_from(self.calculation_period).expect("checked range"),
            damping_factor: self.damping_factor.atomics().to_string(),
            tolerance: self.tolerance.atomics().to_string(),
            code_bits: self.code_bits,
            sweeps_max: self.sweeps_max,
            stake_bits: self.stake_bits,
            source_stake: self.source_stake.unwrap_or(0),
            round_work: self.round_work,
        }
    }

    /// From the state's own message.
    pub fn from_proto(stored: &proto::Params) -> Params {
        let decimal =
            |text: &str| Decimal::from_atomics(text.parse().expect("stored decimals are atomics"));
        Params {
            calculation_period: stored.calculation_period.unsigned_abs(),
            damping_factor: decimal(&stored.damping_factor),
            tolerance: decimal(&stored.tolerance),
            code_bits: stored.code_bits,
            sweeps_max: stored.sweeps_max,
            stake_bits: stored.stake_bits,
            source_stake: Some(stored.source_stake),
            round_work: stored.round_work,
        }
    }
}

/// An optional 64-bit integer, as a string.
mod optional {
    use crate::modules::bandwidth::params::text;
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<u64>, out: S) -> Result<S::Ok, S::Error> {
        text::serialize(&value.expect("absent values are not written"), out)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
        text::deserialize(input).map(Some)
    }
}
