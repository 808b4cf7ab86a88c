//! The genesis file's `app_state`: read at InitChain, checked before, written by export. What it
//! has by the million stands in `genesis.bin` ([`bulk`]), which is read here too.

pub mod bulk;
mod load;

pub use load::stage;

use super::{Genesis, ValidatorUpdate};
use crate::error::Fault;
use crate::modules::auth::{self, AuthGenesis};
use crate::modules::bandwidth::{self, BandwidthGenesis};
use crate::modules::bank::{self, BankGenesis};
use crate::modules::graph::{self, GraphGenesis};
use crate::modules::params::{self, ParamsGenesis};
use crate::modules::rank::{self, RankGenesis};
use crate::state::{prefix_end, Overlay, Read, StoreName};
use crate::store::GenesisRanks;
use crate::types::{Address, Height};
use std::collections::BTreeSet;

/// `app_state`, a section per module.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppState {
    pub chain: ParamsGenesis,
    #[serde(default)]
    pub auth: AuthGenesis,
    #[serde(default)]
    pub bank: BankGenesis,
    #[serde(default)]
    pub bandwidth: BandwidthGenesis,
    #[serde(default)]
    pub graph: GraphGenesis,
    #[serde(default)]
    pub rank: RankGenesis,
    /// What stands in a file beside the genesis file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<bulk::BulkReference>,
}

impl AppState {
    /// Reads the JSON; a failure names the place in it.
    pub fn parse(json: &[u8]) -> Result<AppState, Fault> {
        let mut input = serde_json::Deserializer::from_slice(json);
        let state = serde_path_to_error::deserialize(&mut input).map_err(|error| {
            let place = error.path().to_string();
            let text = error.into_inner().to_string();
            // The line and column are those of CometBFT's request, not of the file.
            let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
            Fault::Genesis(match place.as_str() {
                "." => format!("app_state: {text}"),
                place => format!("app_state.{place}: {text}"),
            })
        })?;
        let end = input.end();
        end.map_err(|error| Fault::Genesis(format!("app_state: {error}")))?;
        Ok(state)
    }
}

/// Writes the genesis state into an overlay over nothing. What is no key comes back: the codes
/// and round records a warm genesis carries.
pub fn init(
    overlay: &mut Overlay<'_>,
    genesis: &Genesis,
    state: &AppState,
) -> Result<Option<GenesisRanks>, Fault> {
    init_with(overlay, genesis, state, None)
}

/// The same with the accounts, bandwidth records and ranks of a bulk file, over a base that has
/// its graph.
fn init_with(
    overlay: &mut Overlay<'_>,
    genesis: &Genesis,
    state: &AppState,
    bulk: Option<&bulk::Bulk>,
) -> Result<Option<GenesisRanks>, Fault> {
    let prefix = &state.chain.address_prefix;
    let denom = &state.chain.stake_denom;
    if genesis.chain_id.is_empty() || genesis.chain_id.len() > 50 {
        let id = &genesis.chain_id;
        return Err(Fault::Genesis(format!("chain_id '{id}': 1 to 50 characters are right")));
    }
    let first = genesis.initial_height;
    if first.0 == 0 || u32::try_from(first.0).is_err() {
        return Err(Fault::Genesis(format!("initial_height is {first}: 1 to 4294967295 is right")));
    }
    check_validators(&genesis.validators)?;
    params::genesis::init(overlay, &state.chain, genesis)?;
    auth::genesis::init(overlay, &state.auth, prefix)?;
    let supply = load::accounts(overlay, bulk, prefix)?;
    auth::genesis::make_module_accounts(overlay);
    bank::genesis::init(overlay, &state.bank, prefix, denom, supply)?;
    create_holders(overlay);
    let before = first.previous().expect("checked above");
    bandwidth::genesis::init(overlay, &state.bandwidth, prefix, before)?;
    load::bandwidth(overlay, bulk, &state.bandwidth)?;
    graph::genesis::init(overlay, &state.graph, prefix)?;
    let more = load::ranks(bulk)?;
    let ranks = rank::genesis::init(overlay, &state.rank, prefix, denom, more)?;
    check_heights(overlay, before)?;
    Ok(ranks)
}

/// CometBFT's limit of the sum of all voting powers: an eighth of the largest 64-bit integer.
pub const VOTING_POWER_MAX: i64 = i64::MAX / 8;

/// Validators come from the genesis file alone until staking exists.
fn check_validators(validators: &[ValidatorUpdate]) -> Result<(), Fault> {
    let (mut total, mut seen) = (0i64, BTreeSet::new());
    for (index, ValidatorUpdate { public_key, power }) in validators.iter().enumerate() {
        let fault = |text: String| Fault::Genesis(format!("validators[{index}].{text}"));
        if *power <= 0 {
            return Err(fault(format!("power is {power}: a positive one is right")));
        }
        if !seen.insert(public_key) {
            let key = hex::encode(public_key);
            return Err(fault(format!("pub_key {key} stands twice: one validator has one key")));
        }
        let sum = total.checked_add(*power).filter(|sum| *sum <= VOTING_POWER_MAX);
        total = sum.ok_or_else(|| {
            fault(format!(
                "power {power}: with those before it more than {VOTING_POWER_MAX}, the most that \
                 CometBFT counts; divide all powers by the same number"
            ))
        })?;
    }
    Ok(())
}

/// Holders of coins without an account get one, in the order of addresses.
fn create_holders(overlay: &mut Overlay<'_>) {
    let mut holders = BTreeSet::new();
    let start = [bank::keys::BALANCES];
    let end = prefix_end(&start);
    overlay.scan(StoreName::Bank, &start, end.as_deref(), &mut |key, _| {
        let (address, _) = bank::keys::parse_balance(key).expect("a balance's key");
        holders.insert(address);
        true
    });
    for holder in holders {
        if auth::state::account(overlay, &holder).is_none() {
            auth::state::create_account(overlay, &holder);
        }
    }
}

/// Nothing in a genesis file may come from after it.
fn check_heights(overlay: &Overlay<'_>, before: Height) -> Result<(), Fault> {
    let fault = |what: &str, height: Height| {
        Fault::Genesis(format!("{what} of height {height}, but the chain begins after {before}"))
    };
    let records = bandwidth::state::records(overlay);
    if let Some((_, record)) = records.iter().find(|(_, record)| record.since > before) {
        return Err(fault("app_state.bandwidth.neurons: a record", record.since));
    }
    if let Some((height, _)) =
        bandwidth::state::ring(overlay).into_iter().find(|(height, _)| *height > before)
    {
        return Err(fault("app_state.bandwidth.ring: an entry", height));
    }
    Ok(())
}

/// A chain to develop on: accounts with balances, everything else at its default.
pub fn development(
    prefix: &str,
    denom: &str,
    accounts: &[(Address, crate::types::Amount)],
) -> AppState {
    use bank::genesis::{Balance, DenomUnit, Metadata};
    let coins = |amount| {
        let coin = crate::types::Coin::new(denom, amount);
        crate::types::Coins::new(vec![coin]).expect("a positive amount of a good denomination")
    };
    let balances = accounts.iter().map(|(address, amount)| Balance {
        address: address.to_bech32(prefix),
        coins: coins(*amount),
    });
    let metadata = Metadata {
        description: "The stake of the chain: bandwidth and weight".into(),
        denom_units: vec![DenomUnit { denom: denom.into(), exponent: 0, aliases: Vec::new() }],
        base: denom.into(),
        display: denom.into(),
        name: denom.to_uppercase(),
        symbol: denom.to_uppercase(),
        uri: String::new(),
        uri_hash: String::new(),
    };
    let bank = BankGenesis {
        balances: balances.collect(),
        denom_metadata: vec![metadata],
        ..BankGenesis::default()
    };
    AppState {
        chain: ParamsGenesis {
            address_prefix: prefix.into(),
            stake_denom: denom.into(),
            upgrade: None,
        },
        auth: AuthGenesis::default(),
        bank,
        bandwidth: BandwidthGenesis::default(),
        graph: GraphGenesis::default(),
        rank: RankGenesis::default(),
        bulk: None,
    }
}
