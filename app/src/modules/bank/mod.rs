//! Balances, supply and sends, in any number of denominations, with the keys and values of the
//! SDK's bank (0.47), so that wallets' proofs and tools read them.
//!
//! Invariants: the supply of a denomination is the sum of its balances; no stored balance or
//! supply is zero; the supply of the stake denomination is at most 2^63.
//! Deliberately absent: minting (a module with the right to it comes later), locked coins.

pub mod genesis;
pub mod handler;
pub mod keys;
pub mod query;
pub mod state;

pub use genesis::BankGenesis;

use crate::error::{code, Code, Refusal};
use crate::types::{Amount, Coin};

/// The largest supply of the stake denomination.
pub const STAKE_SUPPLY_MAX: Amount = Amount(1 << 63);

/// Why coins do not move.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BankError {
    #[error("spendable balance {spendable} is smaller than {needed}: insufficient funds")]
    InsufficientFunds { spendable: Coin, needed: Coin },
    #[error("{0} transfers are currently disabled: send transactions are disabled")]
    SendDisabled(String),
    #[error("{0} is not allowed to receive funds: unauthorized")]
    BlockedRecipient(String),
    #[error("the balance of {recipient} would exceed 2^128: invalid coins")]
    Overflow { recipient: String },
}

impl BankError {
    /// The stable code of each.
    pub fn code(&self) -> Code {
        match self {
            BankError::InsufficientFunds { .. } => code::INSUFFICIENT_FUNDS,
            BankError::SendDisabled(_) => code::SEND_DISABLED,
            BankError::BlockedRecipient(_) => code::UNAUTHORIZED,
            BankError::Overflow { .. } => code::INVALID_COINS,
        }
    }
}

impl From<BankError> for Refusal {
    fn from(error: BankError) -> Refusal {
        Refusal::new(error.code(), error.to_string())
    }
}
