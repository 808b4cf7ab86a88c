//! The module's parameters: typed, with their ranges; on the wire the go-cyber message with our
//! fields from 16 on.

use crate::types::Decimal;
use cyber_proto::cyber::bandwidth::v1beta1 as proto;

/// Checked parameters.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Blocks in which a spent neuron recovers its maximum.
    #[serde(with = "text")]
    pub recovery_period: u64,
    /// The price changes at heights that are multiples of this.
    #[serde(with = "text")]
    pub adjust_price_period: u64,
    pub base_price: Decimal,
    /// Other software's; shown only.
    pub base_load: Decimal,
    /// Raw units a block may take.
    #[serde(with = "text")]
    pub max_block_bandwidth: u64,
    /// Units the network offers in a recovery period.
    #[serde(with = "text")]
    pub network_bandwidth: u64,
    /// Raw units of a new link, of a transaction, of one of its bytes, of a link passed over.
    #[serde(with = "text")]
    pub link_cost: u64,
    #[serde(with = "text")]
    pub tx_cost: u64,
    #[serde(with = "text")]
    pub byte_cost: u64,
    #[serde(with = "text")]
    pub skip_cost: u64,
    pub max_links_per_message: u32,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            recovery_period: 100,
            adjust_price_period: 5,
            base_price: Decimal::from_atomics(Decimal::ONE_ATOMICS / 100),
            base_load: Decimal::default(),
            max_block_bandwidth: 40_000_000,
            network_bandwidth: 2_000_000_000,
            link_cost: 1000,
            tx_cost: 300,
            byte_cost: 1,
            skip_cost: 50,
            max_links_per_message: 500,
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
        let costs = 1 << 32;
        within("network_bandwidth", self.network_bandwidth, 1, 1 << 48)?;
        within("recovery_period", self.recovery_period, 1, 1 << 32)?;
        within("adjust_price_period", self.adjust_price_period, 1, u64::MAX)?;
        within("link_cost", self.link_cost, 0, costs)?;
        within("tx_cost", self.tx_cost, 0, costs)?;
        within("byte_cost", self.byte_cost, 0, costs)?;
        within("skip_cost", self.skip_cost, 0, costs)?;
        within("max_links_per_message", self.max_links_per_message.into(), 1, 10_000)?;
        let least = self.tx_cost + self.link_cost;
        within("max_block_bandwidth", self.max_block_bandwidth, least, u64::MAX)?;
        let (low, high) = (Decimal::ONE_ATOMICS / 1_000_000, Decimal::ONE_ATOMICS);
        if !(low..=high).contains(&self.base_price.atomics()) {
            let price = self.base_price;
            return Err(format!("base_price is {price}: 0.000001 to 1 is right"));
        }
        Ok(())
    }

    /// The message that queries answer with and the state keeps.
    pub fn to_proto(&self) -> proto::Params {
        proto::Params {
            recovery_period: self.recovery_period,
            adjust_price_period: self.adjust_price_period,
            base_price: self.base_price.atomics().to_string(),
            base_load: self.base_load.atomics().to_string(),
            max_block_bandwidth: self.max_block_bandwidth,
            network_bandwidth: self.network_bandwidth,
            link_cost: self.link_cost,
            tx_cost: self.tx_cost,
            byte_cost: self.byte_cost,
            skip_cost: self.skip_cost,
            max_links_per_message: self.max_links_per_message,
        }
    }

    /// From the state's own message.
    pub fn from_proto(stored: &proto::Params) -> Params {
        let decimal =
            |text: &str| Decimal::from_atomics(text.parse().expect("stored decimals are atomics"));
        Params {
            recovery_period: stored.recovery_period,
            adjust_price_period: stored.adjust_price_period,
            base_price: decimal(&stored.base_price),
            base_load: decimal(&stored.base_load),
            max_block_bandwidth: stored.max_block_bandwidth,
            network_bandwidth: stored.network_bandwidth,
            link_cost: stored.link_cost,
            tx_cost: stored.tx_cost,
            byte_cost: stored.byte_cost,
            skip_cost: stored.skip_cost,
            max_links_per_message: stored.max_links_per_message,
        }
    }
}

/// 64-bit integers are strings in the SDK's JSON; numbers are read too.
pub mod text {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }

    /// Writes `"5"`.
    pub fn serialize<S: Serializer>(value: &u64, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&value.to_string())
    }

    /// Reads `"5"` or `5`.
    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
        match Either::deserialize(input)? {
            Either::Number(value) => Ok(value),
            Either::Text(text) => text
                .parse()
                .map_err(|_| serde::de::Error::custom(format!("'{text}' is no whole number"))),
        }
    }
}
