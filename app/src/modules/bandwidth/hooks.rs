//! What happens to bandwidth when stake moves, and at the end of a block.

use super::{maximum, settled, state, Record};
use crate::modules::{bank, Rules};
use crate::state::{Changes, Overlay, Read, StoreName};
use crate::types::coin::parse_amount;
use crate::types::{Address, Amount, Decimal, Height};
use std::collections::BTreeMap;

/// Once per transaction or hook phase: accounts whose stake changed in sum are settled with the
/// old stake, then held to the new maximum. So incoming stake brings no bandwidth with it, and
/// stake that goes round within the phase changes nothing.
pub fn stake_moved(overlay: &mut Overlay<'_>, before: &dyn Read, rules: &Rules, height: Height) {
    let (denom, params) = (&rules.chain.stake_denom, &rules.bandwidth);
    let moved = changed_stakes(overlay.changes(), before, denom);
    if moved.is_empty() {
        return;
    }
    let old_supply = bank::state::supply(before, denom);
    let new_supply = bank::state::supply(overlay, denom);
    for (address, (old, new)) in moved {
        let old_maximum = maximum(params, old, old_supply);
        let new_maximum = maximum(params, new, new_supply);
        let record = state::record(overlay, &address);
        let record = record.unwrap_or(Record { remained: 0, since: height });
        let remained = settled(record, old_maximum, params.recovery_period, height);
        let remained = remained.min(new_maximum);
        state::set_record(overlay, &address, Record { remained, since: height });
    }
}

/// The accounts whose stake differs from before: (old, new).
pub fn changed_stakes(
    changes: &Changes,
    before: &dyn Read,
    denom: &str,
) -> BTreeMap<Address, (Amount, Amount)> {
    let mut moved = BTreeMap::new();
    let balances = &changes.keys[StoreName::Bank as usize];
    for (key, value) in balances.range(vec![bank::keys::BALANCES]..) {
        let Some((address, of)) = bank::keys::parse_balance(key) else { break };
        if of != denom {
            continue;
        }
        let text = value.as_deref().map(|bytes| std::str::from_utf8(bytes));
        let new = match text {
            Some(text) => parse_amount(text.expect("amounts are text")).expect("amounts are text"),
            None => Amount(0),
        };
        let old = bank::state::balance(before, &address, denom);
        if old != new {
            moved.insert(address, (old, new));
        }
    }
    moved
}

/// Enters the block's raw units into the ring, drops what is older than the period, and at the
/// heights for it sets the price of the next block on.
pub fn end_block(state: &mut Overlay<'_>, height: Height, raw: u64) {
    let params = state::params(state);
    let mut total = state::ring_total(state);
    if raw > 0 {
        state::set_ring(state, height, raw);
        total = total.checked_add(raw).expect("a ring of blocks within their limit");
    }
    if let Some(last) = height.0.checked_sub(params.recovery_period) {
        for (old, units) in state::ring_until(state, Height(last)) {
            state::remove_ring(state, old);
            total = total.checked_sub(units).expect("the total is the sum of the ring");
        }
    }
    state::set_ring_total(state, total);
    if height.0.is_multiple_of(params.adjust_price_period) {
        let load = Decimal::ratio(total.into(), params.network_bandwidth.into());
        let load = load.expect("2^64 · 10^18 fits 128 bits");
        state::set_price(state, load.max(params.base_price));
    }
}
