//! Accounts: address, public key, number, sequence, with the keys and values of the SDK's auth
//! (0.47), so that wallets' queries and proofs read them.
//!
//! Invariants: account numbers are dense and never change; the sequence only grows, once for each
//! admitted transaction of a signer.

pub mod genesis;
pub mod query;
pub mod state;

pub use genesis::AuthGenesis;

use crate::state::{Read, Write};
use crate::types::Address;
use cyber_proto::cosmos::auth::v1beta1 as proto;
use cyber_proto::Any;

/// The module account that collects fees.
pub const FEE_COLLECTOR: &str = "fee_collector";

/// Module accounts and what each may do.
pub const MODULE_ACCOUNTS: &[(&str, &[&str])] = &[(FEE_COLLECTOR, &[])];

/// An account of either kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Account {
    Base(proto::BaseAccount),
    Module(proto::ModuleAccount),
}

impl Account {
    /// The part every account has.
    pub fn base(&self) -> &proto::BaseAccount {
        match self {
            Account::Base(base) => base,
            Account::Module(module) => {
                module.base_account.as_ref().expect("module accounts are stored with a base")
            }
        }
    }

    /// The same, to change it.
    pub fn base_mut(&mut self) -> &mut proto::BaseAccount {
        match self {
            Account::Base(base) => base,
            Account::Module(module) => {
                module.base_account.as_mut().expect("module accounts are stored with a base")
            }
        }
    }
}

/// Whether an address belongs to a module, which nobody may send to.
pub fn is_module_account(state: &dyn Read, address: &Address) -> bool {
    MODULE_ACCOUNTS.iter().any(|(name, _)| Address::of_module(name) == *address)
        || matches!(state::account(state, address), Some(Account::Module(_)))
}

/// Adds one to a signer's sequence and remembers its key.
pub fn advance(
    state: &mut dyn Write,
    address: &Address,
    account: &mut Account,
    key: impl FnOnce() -> Option<Any>,
) {
    let base = account.base_mut();
    if base.pub_key.is_none() {
        base.pub_key = key();
    }
    base.sequence = base.sequence.checked_add(1).expect("fewer than 2^64 transactions");
    state::set_account(state, address, account);
}
