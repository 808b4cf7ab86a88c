//! The `bank` section of the genesis file, in the SDK's JSON.

use super::{keys, state, STAKE_SUPPLY_MAX};
use crate::error::Fault;
use crate::state::{prefix_end, Read, StoreName, Write};
use crate::types::coin::check_denom;
use crate::types::{Address, Amount, Coin, Coins};
use cyber_proto::cosmos::bank::v1beta1 as proto;
use std::collections::BTreeMap;

/// `app_state.bank`.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankGenesis {
    pub params: BankParams,
    pub balances: Vec<Balance>,
    /// Empty, or equal to the sum of the balances.
    #[serde(default)]
    pub supply: Vec<Coin>,
    #[serde(default)]
    pub denom_metadata: Vec<Metadata>,
    #[serde(default)]
    pub send_enabled: Vec<SendEnabled>,
}

/// `params`: whether coins may be sent unless `send_enabled` says otherwise.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankParams {
    #[serde(default)]
    pub send_enabled: Vec<SendEnabled>,
    pub default_send_enabled: bool,
}

impl Default for BankParams {
    fn default() -> BankParams {
        BankParams { send_enabled: Vec::new(), default_send_enabled: true }
    }
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendEnabled {
    pub denom: String,
    pub enabled: bool,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    pub address: String,
    pub coins: Coins,
}

/// How wallets show a denomination.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    #[serde(default)]
    pub description: String,
    pub denom_units: Vec<DenomUnit>,
    pub base: String,
    pub display: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub symbol: String,
    #[serde(default)]
    pub uri: String,
    #[serde(default)]
    pub uri_hash: String,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenomUnit {
    pub denom: String,
    pub exponent: u32,
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// Sums of balances by denomination.
pub type Sums = BTreeMap<String, u128>;

/// Writes the balance of an address that has none yet, and adds it to the sums.
///
/// # Errors
/// A text: what is wrong with it.
pub fn add_balance(
    state: &mut dyn Write,
    address: &Address,
    coins: &[Coin],
    sums: &mut Sums,
) -> Result<(), String> {
    Coins::new(coins.to_vec()).map_err(|error| format!("coins: {error}"))?;
    if !state::balances(state, address).is_empty() {
        return Err("two balances of one address: one entry is right".to_owned());
    }
    for Coin { denom, amount } in coins {
        state::set_balance(state, address, denom, *amount);
        let sum = match sums.get_mut(denom) {
            Some(sum) => sum,
            None => sums.entry(denom.clone()).or_default(),
        };
        let total = sum.checked_add(amount.0);
        *sum = total.ok_or_else(|| format!("with it the supply of {denom} is over 2^128 - 1"))?;
    }
    Ok(())
}

/// Reads the section into the state. `supply`: sums of balances that stand outside of it.
pub fn init(
    state: &mut dyn Write,
    section: &BankGenesis,
    prefix: &str,
    stake_denom: &str,
    mut supply: Sums,
) -> Result<(), Fault> {
    let fault = |text: String| Fault::Genesis(format!("app_state.bank.{text}"));
    state::set_params(
        state,
        &proto::Params {
            send_enabled: Vec::new(),
            default_send_enabled: section.params.default_send_enabled,
        },
    );
    for entry in section.params.send_enabled.iter().chain(&section.send_enabled) {
        check_denom(&entry.denom).map_err(|error| fault(format!("send_enabled: {error}")))?;
        state::set_send_enabled(state, &entry.denom, entry.enabled);
    }
    for (index, balance) in section.balances.iter().enumerate() {
        let at = |text: String| fault(format!("balances[{index}]{text}"));
        let address = Address::parse(&balance.address, prefix)
            .map_err(|error| at(format!(".address '{}': {error}", balance.address)))?;
        add_balance(state, &address, balance.coins.as_slice(), &mut supply)
            .map_err(|text| at(format!(" of {}: {text}", balance.address)))?;
    }
    check_supply(section, &supply).map_err(fault)?;
    let stake = supply.get(stake_denom).copied().unwrap_or(0);
    if stake == 0 || stake > STAKE_SUPPLY_MAX.0 {
        return Err(fault(format!(
            "supply: that of the stake denomination {stake_denom} is {stake}: 1 to {} is right",
            STAKE_SUPPLY_MAX
        )));
    }
    for (denom, total) in supply {
        state::set_supply(state, &denom, Amount(total));
    }
    for metadata in &section.denom_metadata {
        state::set_metadata(state, &metadata.to_proto());
    }
    Ok(())
}

/// A stated supply must be the sum of the balances.
fn check_supply(section: &BankGenesis, sums: &Sums) -> Result<(), String> {
    if section.supply.is_empty() {
        return Ok(());
    }
    let stated: Sums =
        section.supply.iter().map(|coin| (coin.denom.clone(), coin.amount.0)).collect();
    for denom in stated.keys().chain(sums.keys()) {
        let (said, sum) = (stated.get(denom), sums.get(denom));
        if said != sum {
            let show = |amount: Option<&u128>| amount.copied().unwrap_or(0);
            return Err(format!(
                "supply: that of {denom} is {}, the balances sum to {}: their sum is right, or no \
                 supply at all",
                show(said),
                show(sum)
            ));
        }
    }
    Ok(())
}

/// The section as the state has it.
pub fn export(state: &dyn Read, prefix: &str) -> BankGenesis {
    let mut balances: BTreeMap<Address, Vec<Coin>> = BTreeMap::new();
    scan(state, keys::BALANCES, &mut |key, value| {
        let (address, denom) = keys::parse_balance(key).expect("a balance's key");
        let amount = String::from_utf8_lossy(value);
        let amount = crate::types::coin::parse_amount(&amount).expect("stored amounts are text");
        balances.entry(address).or_default().push(Coin::new(denom, amount));
    });
    let balances = balances.into_iter().map(|(address, coins)| Balance {
        address: address.to_bech32(prefix),
        coins: Coins::new(coins).expect("the store's order is by denomination"),
    });
    BankGenesis { balances: balances.collect(), ..export_but_balances(state) }
}

/// The section without balances.
pub fn export_but_balances(state: &dyn Read) -> BankGenesis {
    let mut section = BankGenesis {
        params: BankParams {
            send_enabled: Vec::new(),
            default_send_enabled: state::params(state).default_send_enabled,
        },
        ..BankGenesis::default()
    };
    scan(state, keys::SUPPLY, &mut |key, value| {
        let denom = String::from_utf8_lossy(&key[1..]);
        let amount = String::from_utf8_lossy(value);
        let amount = crate::types::coin::parse_amount(&amount).expect("stored amounts are text");
        section.supply.push(Coin::new(&denom, amount));
    });
    scan(state, keys::METADATA, &mut |_, value| {
        let stored: proto::Metadata = crate::state::codec::record("metadata", value);
        section.denom_metadata.push(Metadata::from_proto(stored));
    });
    scan(state, keys::SEND_ENABLED, &mut |key, value| {
        let denom = String::from_utf8_lossy(&key[1..]).into_owned();
        section.send_enabled.push(SendEnabled { denom, enabled: value == [1] });
    });
    section
}

fn scan(state: &dyn Read, prefix: u8, visit: &mut dyn FnMut(&[u8], &[u8])) {
    let end = prefix_end(&[prefix]);
    state.scan(StoreName::Bank, &[prefix], end.as_deref(), &mut |key, value| {
        visit(key, value);
        true
    });
}

impl Metadata {
    fn to_proto(&self) -> proto::Metadata {
        let unit = |unit: &DenomUnit| proto::DenomUnit {
            denom: unit.denom.clone(),
            exponent: unit.exponent,
            aliases: unit.aliases.clone(),
        };
        proto::Metadata {
            description: self.description.clone(),
            denom_units: self.denom_units.iter().map(unit).collect(),
            base: self.base.clone(),
            display: self.display.clone(),
            name: self.name.clone(),
            symbol: self.symbol.clone(),
            uri: self.uri.clone(),
            uri_hash: self.uri_hash.clone(),
        }
    }

    fn from_proto(stored: proto::Metadata) -> Metadata {
        let unit = |unit: proto::DenomUnit| DenomUnit {
            denom: unit.denom,
            exponent: unit.exponent,
            aliases: unit.aliases,
        };
        Metadata {
            description: stored.description,
            denom_units: stored.denom_units.into_iter().map(unit).collect(),
            base: stored.base,
            display: stored.display,
            name: stored.name,
            symbol: stored.symbol,
            uri: stored.uri,
            uri_hash: stored.uri_hash,
        }
    }
}

/// The wire form must survive a round trip: what is exported can be read again.
#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn metadata_keeps_every_field() {
        let metadata = Metadata {
            description: "d".into(),
            denom_units: vec![DenomUnit { denom: "boot".into(), exponent: 0, aliases: vec![] }],
            base: "boot".into(),
            display: "boot".into(),
            name: "Boot".into(),
            symbol: "BOOT".into(),
            uri: "u".into(),
            uri_hash: "h".into(),
        };
        let bytes = metadata.to_proto().encode_to_vec();
        let stored = proto::Metadata::decode(bytes.as_slice()).expect("decodes");
        assert_eq!(format!("{:?}", Metadata::from_proto(stored)), format!("{metadata:?}"));
    }
}
