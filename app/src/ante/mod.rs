//! The door: who may enter, in one written order, the same code for CheckTx, proposals and blocks.
//!
//! [`admit`] alone makes an [`Admitted`]. It runs on an overlay of the transaction's own, which
//! the caller drops when it refuses: a transaction refused here changes nothing, whatever the
//! reason. The order of the checks is that of the table in `clients.md` §6: cheap ones first, the
//! signature last.

mod fee;
mod gas;
mod signers;

use crate::error::{code, Refusal};
use crate::modules::bandwidth::{self, BandwidthError, Cost};
use crate::modules::graph::{self, GraphError};
use crate::modules::{bank, Rules};
use crate::state::Overlay;
use crate::tx::message::Msg;
use crate::tx::{PublicKey, Tx};
use crate::types::{Coin, Decimal, Height};

/// Largest transaction, in bytes.
pub const TX_BYTES_MAX: usize = 128 * 1024;
/// Most messages in a transaction.
pub const MESSAGES_MAX: usize = 32;

/// Why the door is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A transaction new to the mempool, or left over in it: the node's own minimum gas price
    /// holds besides.
    Check,
    /// A block, or a proposal for one.
    Block,
    /// What would it cost: neither gas nor signatures are asked for.
    Simulate,
}

/// A price of gas: a decimal amount of a denomination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GasPrice {
    pub denom: String,
    pub amount: Decimal,
}

/// Checks one signature: (transaction, index of the signer, key, account number).
pub type Verify<'a> = &'a dyn Fn(&Tx, usize, &PublicKey, u64) -> Result<(), Refusal>;

/// What the door knows besides the state.
pub struct Context<'a> {
    pub mode: Mode,
    pub rules: &'a Rules,
    /// The block's height; in CheckTx the last committed one.
    pub height: Height,
    pub minimum_gas_prices: &'a [GasPrice],
    pub verify: Verify<'a>,
}

/// What the block still has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Gas limits of transactions that pay fees.
    pub gas: u64,
    /// Raw units of bandwidth.
    pub bandwidth: u64,
}

impl Budget {
    /// A block's whole budget.
    pub fn of_block(rules: &Rules) -> Budget {
        Budget { gas: rules.block_max_gas, bandwidth: rules.bandwidth.max_block_bandwidth }
    }
}

/// A transaction that passed the door. Its messages may run.
pub struct Admitted<'a> {
    tx: &'a Tx,
    raw_units: u64,
}

impl<'a> Admitted<'a> {
    /// The transaction.
    pub fn tx(&self) -> &'a Tx {
        self.tx
    }

    /// Raw units of bandwidth charged, 0 for transactions that pay fees.
    pub fn raw_units(&self) -> u64 {
        self.raw_units
    }
}

/// Checks a transaction, charges it and advances its signers' sequences, all in `state`.
pub fn admit<'a>(
    state: &mut Overlay<'_>,
    tx: &'a Tx,
    context: &Context<'_>,
    budget: &mut Budget,
) -> Result<Admitted<'a>, Refusal> {
    tx.validate_messages()?;
    check_limits(tx, context)?;
    let links = is_cyberlinks(tx)?;
    if context.mode != Mode::Simulate {
        gas::check(tx)?;
    }
    let raw_units = match links {
        true => charge_bandwidth(state, tx, context, budget)?,
        false => {
            fee::charge(state, tx, context, budget)?;
            0
        }
    };
    signers::check(state, tx, context)?;
    if links {
        budget.bandwidth -= raw_units;
    } else if context.mode != Mode::Simulate {
        budget.gas -= tx.fee.gas_limit;
    }
    Ok(Admitted { tx, raw_units })
}

/// Refuses a transaction of too many bytes; the mempool does before it decodes them.
pub fn check_size(bytes: usize) -> Result<(), Refusal> {
    if bytes <= TX_BYTES_MAX {
        return Ok(());
    }
    let text = format!("{bytes} bytes, at most {TX_BYTES_MAX} are right: tx too large");
    Err(Refusal::new(code::TX_TOO_LARGE, text))
}

/// Sizes, counts, the gas limit, the height it is good until, the memo.
fn check_limits(tx: &Tx, context: &Context<'_>) -> Result<(), Refusal> {
    let auth_params = &context.rules.auth;
    check_size(tx.bytes.len())?;
    if tx.messages.len() > MESSAGES_MAX {
        let count = tx.messages.len();
        let text = format!("{count} messages, at most {MESSAGES_MAX} are right: invalid request");
        return Err(Refusal::new(code::INVALID_REQUEST, text));
    }
    let simulated = context.mode == Mode::Simulate;
    let max_gas = context.rules.block_max_gas;
    let gas = tx.fee.gas_limit;
    if !simulated && gas > max_gas {
        let text = format!("tx gas limit {gas} exceeds block max gas {max_gas}: invalid gas limit");
        return Err(Refusal::new(code::INVALID_GAS_LIMIT, text));
    }
    if tx.has_extension_options {
        return Err(Refusal::new(code::UNKNOWN_EXTENSION, "unknown extension options"));
    }
    if !simulated {
        tx.validate_fee()?;
        tx.validate_signatures()?;
    }
    if tx.timeout_height != 0 && context.height.0 > tx.timeout_height {
        let text = format!(
            "block height: {}, timeout height: {}: tx timeout height",
            context.height, tx.timeout_height
        );
        return Err(Refusal::new(code::TX_TIMEOUT_HEIGHT, text));
    }
    if tx.memo.len() as u64 > auth_params.max_memo_characters {
        let text = format!(
            "maximum number of characters is {} but received {} characters: memo too large",
            auth_params.max_memo_characters,
            tx.memo.len()
        );
        return Err(Refusal::new(code::MEMO_TOO_LARGE, text));
    }
    Ok(())
}

/// Whether a transaction is one of cyberlinks: only such messages, of one neuron.
fn is_cyberlinks(tx: &Tx) -> Result<bool, Refusal> {
    let links = tx.messages.iter().filter(|message| matches!(message, Msg::Cyberlink(_))).count();
    if links == 0 {
        return Ok(false);
    }
    let refuse = |text: &str| Err(Refusal::new(code::NOT_SUPPORTED, text));
    if links != tx.messages.len() {
        return refuse("Support only batch of cyberlinks: feature not supported");
    }
    let mut neurons = tx.messages.iter().flat_map(Msg::signers);
    let first = neurons.next();
    if neurons.any(|neuron| Some(neuron) != first) {
        return refuse("cyberlinks of one neuron only in a transaction: feature not supported");
    }
    Ok(true)
}

/// The right to write: the neuron's own, and the block's.
fn charge_bandwidth(
    state: &mut Overlay<'_>,
    tx: &Tx,
    context: &Context<'_>,
    budget: &Budget,
) -> Result<u64, Refusal> {
    let Rules { chain, bandwidth: limits, .. } = context.rules;
    let neuron = tx.messages[0].signers()[0];
    let prefix = &chain.address_prefix;
    if !tx.fee.granter.is_empty() || tx.fee_payer() != Some(neuron) {
        let text = "cyberlinks are paid with the neuron's own bandwidth, without fee payer or \
                    granter: invalid request";
        return Err(Refusal::new(code::INVALID_REQUEST, text));
    }
    if bank::state::balance(state, &neuron, &chain.stake_denom).0 == 0 {
        let (neuron, denom) = (neuron.to_bech32(prefix), chain.stake_denom.clone());
        return Err(GraphError::ZeroPower { neuron, denom }.into());
    }
    let mut cost = Cost { bytes: tx.bytes.len() as u64, ..Cost::default() };
    let mut earlier = graph::handler::Earlier::new();
    for message in &tx.messages {
        let Msg::Cyberlink(message) = message else { continue };
        let count = message.links.len();
        if count > limits.max_links_per_message as usize {
            let limit = limits.max_links_per_message;
            return Err(GraphError::TooManyLinks { count, limit }.into());
        }
        let several = tx.messages.len() > 1;
        let counted = graph::handler::count(state, message, several.then_some(&mut earlier));
        cost.new_links += counted.new;
        if message.skip_existing {
            cost.passed_over += counted.existing;
        }
    }
    let raw = bandwidth::consume(state, context.rules, &neuron, cost, context.height)?;
    if raw > budget.bandwidth {
        let limit = limits.max_block_bandwidth;
        let error = BandwidthError::BlockFull { needed: raw, left: budget.bandwidth, limit };
        return Err(error.into());
    }
    Ok(raw)
}

/// What a gas limit costs at least by one price: rounded up.
fn least_fee(price: &GasPrice, gas_limit: u64) -> Option<Coin> {
    let product = price.amount.atomics().checked_mul(gas_limit.into())?;
    let amount = product.div_ceil(Decimal::ONE_ATOMICS);
    Some(Coin::new(&price.denom, crate::types::Amount(amount)))
}
