//! Fees of transactions that are not cyberlinks.

use super::{least_fee, Budget, Context, Mode};
use crate::error::{code, Refusal};
use crate::modules::{auth, bank};
use crate::state::{Event, Overlay, Write};
use crate::tx::Tx;
use crate::types::Coins;

/// Takes the fee, which may be nothing, to the fee collector.
pub fn charge(
    state: &mut Overlay<'_>,
    tx: &Tx,
    context: &Context<'_>,
    budget: &Budget,
) -> Result<(), Refusal> {
    let prefix = &context.rules.chain.address_prefix;
    if context.mode != Mode::Simulate && tx.fee.gas_limit > budget.gas {
        return Err(Refusal::new(code::OUT_OF_GAS, "no block gas left to run tx: out of gas"));
    }
    if !tx.fee.granter.is_empty() {
        let text = "fee allowances do not exist on this chain, leave the granter empty: feature \
                    not supported";
        return Err(Refusal::new(code::NOT_SUPPORTED, text));
    }
    let fee = tx.fee.coins()?;
    if context.mode == Mode::Check {
        check_minimum(&fee, tx.fee.gas_limit, context)?;
    }
    let payer = tx.fee_payer().expect("a validated transaction has a message");
    let text = payer.to_bech32(prefix);
    if auth::state::account(state, &payer).is_none() {
        let text = format!("fee payer address: {text} does not exist: unknown address");
        return Err(Refusal::new(code::UNKNOWN_ADDRESS, text));
    }
    if !fee.is_empty() {
        let collector = auth::state::module_account(state, auth::FEE_COLLECTOR);
        bank::state::transfer(state, &payer, &collector, &fee, prefix).map_err(|error| {
            let code = error.code();
            Refusal::new(code, format!("{error}: insufficient funds"))
        })?;
        bank::handler::emit_transfer(state, &payer, &collector, &fee, prefix);
        state.emit(Event::new("message").with("sender", &text));
    }
    state.tell(|| Event::new("tx").with("fee", &fee).with("fee_payer", &text));
    Ok(())
}

/// The node's own price: any of its denominations will do.
fn check_minimum(fee: &Coins, gas_limit: u64, context: &Context<'_>) -> Result<(), Refusal> {
    let prices = context.minimum_gas_prices;
    if prices.iter().all(|price| price.amount.atomics() == 0) {
        return Ok(());
    }
    let required: Vec<_> = prices.iter().filter_map(|price| least_fee(price, gas_limit)).collect();
    if required.iter().any(|coin| fee.amount_of(&coin.denom) >= coin.amount) {
        return Ok(());
    }
    let required: Vec<_> = required.iter().map(ToString::to_string).collect();
    let text =
        format!("insufficient fees; got: {fee} required: {}: insufficient fee", required.join(","));
    Err(Refusal::new(code::INSUFFICIENT_FEE, text))
}
