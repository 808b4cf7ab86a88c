//! The `auth` section of the genesis file, in the SDK's JSON.

use super::{state, Account, FEE_COLLECTOR};
use crate::error::Fault;
use crate::state::{Read, Write};
use crate::tx::{Multisig, PublicKey};
use crate::types::Address;
use base64::{engine::general_purpose::STANDARD, Engine};
use cyber_proto::cosmos::auth::v1beta1 as proto;
use std::collections::BTreeSet;

/// `app_state.auth`.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthGenesis {
    #[serde(default)]
    pub params: AuthParams,
    #[serde(default)]
    pub accounts: Vec<GenesisAccount>,
}

/// Limits and gas costs of signatures and bytes; 64-bit integers are strings in the SDK's JSON.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthParams {
    pub max_memo_characters: String,
    pub tx_sig_limit: String,
    pub tx_size_cost_per_byte: String,
    pub sig_verify_cost_ed25519: String,
    pub sig_verify_cost_secp256k1: String,
}

impl Default for AuthParams {
    fn default() -> AuthParams {
        AuthParams {
            max_memo_characters: "256".into(),
            tx_sig_limit: "7".into(),
            tx_size_cost_per_byte: "10".into(),
            sig_verify_cost_ed25519: "590".into(),
            sig_verify_cost_secp256k1: "1000".into(),
        }
    }
}

/// An account by its `@type`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "@type", deny_unknown_fields)]
pub enum GenesisAccount {
    #[serde(rename = "/cosmos.auth.v1beta1.BaseAccount")]
    Base {
        address: String,
        #[serde(default)]
        pub_key: Option<GenesisKey>,
        account_number: String,
        sequence: String,
    },
    #[serde(rename = "/cosmos.auth.v1beta1.ModuleAccount")]
    Module { base_account: ModuleBase, name: String, permissions: Vec<String> },
}

/// `base_account` of a module account.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleBase {
    pub address: String,
    #[serde(default)]
    pub pub_key: Option<GenesisKey>,
    pub account_number: String,
    pub sequence: String,
}

/// A public key by its `@type`; keys are base64.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "@type", deny_unknown_fields)]
pub enum GenesisKey {
    #[serde(rename = "/cosmos.crypto.secp256k1.PubKey")]
    Secp256k1 { key: String },
    #[serde(rename = "/cosmos.crypto.ed25519.PubKey")]
    Ed25519 { key: String },
    #[serde(rename = "/cosmos.crypto.multisig.LegacyAminoPubKey")]
    Multisig { threshold: u32, public_keys: Vec<GenesisKey> },
}

/// Reads the section into the state; the module accounts that every chain has are made after it
/// ([`make_module_accounts`]). Numbers may be dense from 0 or absent (all `"0"`, as
/// hand-written files have them); the latter are numbered in order.
pub fn init(state: &mut dyn Write, section: &AuthGenesis, prefix: &str) -> Result<(), Fault> {
    let fault = |text: String| Fault::Genesis(format!("app_state.auth.{text}"));
    let params = section.params.to_proto().map_err(fault)?;
    state::set_params(state, &params);
    let mut accounts = Vec::with_capacity(section.accounts.len());
    for (index, account) in section.accounts.iter().enumerate() {
        let at = |text| fault(format!("accounts[{index}]: {text}"));
        accounts.push(account.to_account(prefix).map_err(at)?);
    }
    let numbered = accounts.iter().any(|account| account.base().account_number != 0);
    if !numbered {
        for (number, account) in (0..).zip(accounts.iter_mut()) {
            account.base_mut().account_number = number;
        }
    }
    let mut seen = BTreeSet::new();
    let mut next = 0;
    for (index, account) in accounts.iter().enumerate() {
        let base = account.base();
        let at = |text: String| fault(format!("accounts[{index}]: {text}"));
        let address = Address::parse(&base.address, prefix)
            .map_err(|error| at(format!("address '{}': {error}", base.address)))?;
        if state::account(state, &address).is_some() {
            let text = &base.address;
            return Err(at(format!("account {text} stands twice: one entry for it is right")));
        }
        if !seen.insert(base.account_number) {
            let (text, number) = (&base.address, base.account_number);
            return Err(at(format!(
                "account_number {number} of {text} stands twice: every account has its own, or \
                 all have \"0\" and are numbered in order"
            )));
        }
        next = next.max(base.account_number.saturating_add(1));
        state::set_account(state, &address, account);
        state::set_number(state, base.account_number, &address);
    }
    state::set_next_number(state, next);
    Ok(())
}

/// Makes the accounts that modules of this chain need and the genesis does not have.
pub fn make_module_accounts(state: &mut dyn Write) {
    state::module_account(state, FEE_COLLECTOR);
}

/// Adds an account that stands outside the section. `account` names an address of the prefix.
///
/// # Errors
/// A text: the address or the number stands twice.
pub fn add(state: &mut dyn Write, address: &Address, account: &Account) -> Result<(), String> {
    let base = account.base();
    if state::account(state, address).is_some() {
        return Err(format!("account {} stands twice: one entry is right", base.address));
    }
    let number = base.account_number;
    if state::address_by_number(state, number).is_some() {
        return Err(format!("account number {number} of {} stands twice", base.address));
    }
    if let Some(key) = &base.pub_key {
        let key = PublicKey::from_any(key).map_err(|refusal| format!("its key: {refusal}"))?;
        if key.address() != *address {
            return Err(format!("the key of {} has another address", base.address));
        }
    }
    state::set_account(state, address, account);
    state::set_number(state, number, address);
    let next = number.checked_add(1).ok_or("numbers are below 2^64 - 1")?;
    let next = next.max(state::next_number(state));
    state::set_next_number(state, next);
    Ok(())
}

/// The section as the state has it.
pub fn export(state: &dyn Read) -> AuthGenesis {
    let mut accounts = Vec::new();
    state::scan_accounts(state, &[], &mut |_, account| {
        accounts.push(account);
        true
    });
    accounts.sort_by_key(|account| account.base().account_number);
    let accounts = accounts.iter().map(GenesisAccount::from_account).collect();
    AuthGenesis { accounts, ..export_params(state) }
}

/// The section without accounts.
pub fn export_params(state: &dyn Read) -> AuthGenesis {
    let params = AuthParams::from_proto(&state::params(state));
    AuthGenesis { params, accounts: Vec::new() }
}

impl AuthParams {
    fn to_proto(&self) -> Result<proto::Params, String> {
        let read = |name: &str, text: &str| {
            text.parse::<u64>().map_err(|_| format!("params.{name} '{text}' is no whole number"))
        };
        Ok(proto::Params {
            max_memo_characters: read("max_memo_characters", &self.max_memo_characters)?,
            tx_sig_limit: read("tx_sig_limit", &self.tx_sig_limit)?,
            tx_size_cost_per_byte: read("tx_size_cost_per_byte", &self.tx_size_cost_per_byte)?,
            sig_verify_cost_ed25519: read(
                "sig_verify_cost_ed25519",
                &self.sig_verify_cost_ed25519,
            )?,
            sig_verify_cost_secp256k1: read(
                "sig_verify_cost_secp256k1",
                &self.sig_verify_cost_secp256k1,
            )?,
        })
    }

    fn from_proto(params: &proto::Params) -> AuthParams {
        AuthParams {
            max_memo_characters: params.max_memo_characters.to_string(),
            tx_sig_limit: params.tx_sig_limit.to_string(),
            tx_size_cost_per_byte: params.tx_size_cost_per_byte.to_string(),
            sig_verify_cost_ed25519: params.sig_verify_cost_ed25519.to_string(),
            sig_verify_cost_secp256k1: params.sig_verify_cost_secp256k1.to_string(),
        }
    }
}

impl GenesisAccount {
    /// An account of a key that signed nothing yet.
    pub fn new(address: String, number: u64) -> GenesisAccount {
        let (account_number, sequence) = (number.to_string(), "0".to_owned());
        GenesisAccount::Base { address, pub_key: None, account_number, sequence }
    }

    /// Its address as the file writes it.
    pub fn address(&self) -> &str {
        match self {
            GenesisAccount::Base { address, .. } => address,
            GenesisAccount::Module { base_account, .. } => &base_account.address,
        }
    }

    /// Its number as the file writes it.
    pub fn number(&self) -> &str {
        match self {
            GenesisAccount::Base { account_number, .. } => account_number,
            GenesisAccount::Module { base_account, .. } => &base_account.account_number,
        }
    }

    /// Gives it another number.
    pub fn set_number(&mut self, number: String) {
        match self {
            GenesisAccount::Base { account_number, .. } => *account_number = number,
            GenesisAccount::Module { base_account, .. } => base_account.account_number = number,
        }
    }

    fn to_account(&self, prefix: &str) -> Result<Account, String> {
        match self {
            GenesisAccount::Base { address, pub_key, account_number, sequence } => Ok(
                Account::Base(base(address, pub_key.as_ref(), account_number, sequence, prefix)?),
            ),
            GenesisAccount::Module { base_account: b, name, permissions } => {
                let base =
                    base(&b.address, b.pub_key.as_ref(), &b.account_number, &b.sequence, prefix)?;
                Ok(Account::Module(proto::ModuleAccount {
                    base_account: Some(base),
                    name: name.clone(),
                    permissions: permissions.clone(),
                }))
            }
        }
    }

    /// An account as the section has it. Its key, if there is one, can be read.
    pub fn from_account(account: &Account) -> GenesisAccount {
        let base = account.base();
        let pub_key = base.pub_key.as_ref().map(|any| {
            let key = PublicKey::from_any(any).expect("stored keys are good");
            GenesisKey::from_key(&key)
        });
        let (number, sequence) = (base.account_number.to_string(), base.sequence.to_string());
        match account {
            Account::Base(base) => GenesisAccount::Base {
                address: base.address.clone(),
                pub_key,
                account_number: number,
                sequence,
            },
            Account::Module(module) => GenesisAccount::Module {
                base_account: ModuleBase {
                    address: base.address.clone(),
                    pub_key,
                    account_number: number,
                    sequence,
                },
                name: module.name.clone(),
                permissions: module.permissions.clone(),
            },
        }
    }
}

fn base(
    address: &str,
    key: Option<&GenesisKey>,
    number: &str,
    sequence: &str,
    prefix: &str,
) -> Result<proto::BaseAccount, String> {
    let parsed =
        Address::parse(address, prefix).map_err(|error| format!("address '{address}': {error}"))?;
    let read = |name: &str, text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("{name} '{text}' of {address}: a whole number in quotes is right"))
    };
    let pub_key = match key {
        None => None,
        Some(key) => {
            let key = key.to_key().map_err(|text| format!("pub_key of {address}: {text}"))?;
            if key.address() != parsed {
                return Err(format!(
                    "pub_key of {address} has another address: the account's own key is right"
                ));
            }
            Some(key.to_any())
        }
    };
    Ok(proto::BaseAccount {
        address: address.to_owned(),
        pub_key,
        account_number: read("account_number", number)?,
        sequence: read("sequence", sequence)?,
    })
}

fn decode_key<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("public key '{text}': base64 of {N} bytes is right"))
}

impl GenesisKey {
    /// The key itself.
    ///
    /// # Errors
    /// A text: it is no base64 of the right length.
    pub fn to_key(&self) -> Result<PublicKey, String> {
        match self {
            GenesisKey::Secp256k1 { key } => decode_key(key).map(PublicKey::Secp256k1),
            GenesisKey::Ed25519 { key } => decode_key(key).map(PublicKey::Ed25519),
            GenesisKey::Multisig { threshold, public_keys } => {
                let keys = public_keys.iter().map(GenesisKey::to_key);
                let keys = keys.collect::<Result<Vec<_>, _>>()?;
                Ok(PublicKey::Multisig(Multisig { threshold: *threshold, keys }))
            }
        }
    }

    fn from_key(key: &PublicKey) -> GenesisKey {
        match key {
            PublicKey::Secp256k1(bytes) => GenesisKey::Secp256k1 { key: STANDARD.encode(bytes) },
            PublicKey::Ed25519(bytes) => GenesisKey::Ed25519 { key: STANDARD.encode(bytes) },
            PublicKey::Multisig(Multisig { threshold, keys }) => GenesisKey::Multisig {
                threshold: *threshold,
                public_keys: keys.iter().map(GenesisKey::from_key).collect(),
            },
        }
    }
}
