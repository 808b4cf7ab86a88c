//! `/cosmos.bank.v1beta1.MsgSend`: coins from one account to another.

use super::{Msg, Reading};
use crate::error::{code, Refusal};
use crate::tx::json;
use crate::tx::wire::{read_coin, Fields};
use crate::types::coin::parse_amount;
use crate::types::{Address, Coin, Coins};

/// Coins to send: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MsgSend {
    pub from: Address,
    pub to: Address,
    pub amount: Coins,
}

pub(super) fn read(bytes: &[u8], prefix: &str) -> Reading {
    let mut fields = Fields::new("cosmos.bank.v1beta1.MsgSend", &[3], bytes);
    let (mut from, mut to, mut coins) = ("", "", Vec::new());
    while let Some(field) = fields.next()? {
        match field.number {
            1 => from = field.text()?,
            2 => to = field.text()?,
            3 => coins.push(read_coin(field.bytes()?)?),
            _ => return Err(field.unknown()),
        }
    }
    Ok(check(from, to, &coins, prefix).map(Msg::Send))
}

fn check(from: &str, to: &str, coins: &[(&str, &str)], prefix: &str) -> Result<MsgSend, Refusal> {
    let from = address("from", from, prefix)?;
    let to = address("to", to, prefix)?;
    let parsed = coins.iter().map(|(denom, amount)| {
        Some(Coin { denom: (*denom).to_owned(), amount: parse_amount(amount).ok()? })
    });
    let amount = parsed.collect::<Option<Vec<_>>>().and_then(|coins| Coins::new(coins).ok());
    match amount {
        Some(amount) if !amount.is_empty() => Ok(MsgSend { from, to, amount }),
        _ => {
            let words: Vec<_> = coins.iter().map(|(d, a)| format!("{a}{d}")).collect();
            let log = format!("{}: invalid coins", words.join(","));
            Err(Refusal::new(code::INVALID_COINS, log))
        }
    }
}

fn address(which: &str, text: &str, prefix: &str) -> Result<Address, Refusal> {
    Address::parse(text, prefix).map_err(|error| {
        let log = format!("invalid {which} address: {error}: invalid address");
        Refusal::new(code::INVALID_ADDRESS, log)
    })
}

impl MsgSend {
    pub(super) fn write_amino(&self, prefix: &str, out: &mut json::Writer) {
        out.raw("{\"amount\":").coins(self.amount.as_slice());
        out.raw(",\"from_address\":").text(&self.from.to_bech32(prefix));
        out.raw(",\"to_address\":").text(&self.to.to_bech32(prefix)).raw("}");
    }
}
