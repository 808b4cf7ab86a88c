//! `MsgSend`.

use super::{state, BankError};
use crate::modules::auth;
use crate::state::{Event, Read, Write};
use crate::tx::MsgSend;
use crate::types::{Address, Coins};

/// Sends coins; the recipient's account comes into being if it is new.
pub fn send(state: &mut dyn Write, message: &MsgSend, prefix: &str) -> Result<(), BankError> {
    for coin in message.amount.as_slice() {
        if !state::send_enabled(state, &coin.denom) {
            return Err(BankError::SendDisabled(coin.denom.clone()));
        }
    }
    if auth::is_module_account(state, &message.to) {
        return Err(BankError::BlockedRecipient(message.to.to_bech32(prefix)));
    }
    state::transfer(state, &message.from, &message.to, &message.amount, prefix)?;
    if auth::state::account(state, &message.to).is_none() {
        auth::state::create_account(state, &message.to);
    }
    emit_transfer(state, &message.from, &message.to, &message.amount, prefix);
    let sender = message.from.to_bech32(prefix);
    state.emit(Event::new("message").with("sender", sender));
    Ok(())
}

/// The three events of every movement of coins.
pub fn emit_transfer(
    state: &mut dyn Write,
    from: &Address,
    to: &Address,
    coins: &Coins,
    prefix: &str,
) {
    let (from, to) = (from.to_bech32(prefix), to.to_bech32(prefix));
    state.emit(Event::new("coin_spent").with("spender", &from).with("amount", coins));
    state.emit(Event::new("coin_received").with("receiver", &to).with("amount", coins));
    let transfer = Event::new("transfer").with("recipient", &to).with("sender", &from);
    state.emit(transfer.with("amount", coins));
}

/// What the address could send now.
pub fn spendable(state: &dyn Read, address: &Address) -> Coins {
    state::balances(state, address)
}
