//! Reading a genesis of the Cosmos SDK: values with their places, addresses of any prefix.

use crate::error::Fault;
use crate::types::coin::{check_denom, parse_amount};
use crate::types::{Address, Decimal};
use bech32::primitives::decode::CheckedHrpstring;
use serde_json::Value;
use std::collections::BTreeMap;

/// A refusal that names the place.
pub fn fault<T>(text: String) -> Result<T, Fault> {
    Err(Fault::Genesis(text))
}

/// The list at a pointer; none if there is no such.
pub fn list<'a>(document: &'a Value, pointer: &str) -> &'a [Value] {
    document.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The text of a field, empty if there is none.
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// A whole number, which the SDK writes as a text.
pub fn number(value: &Value, field: &str, place: &str) -> Result<u64, Fault> {
    let value = &value[field];
    let number = value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_u64());
    match number {
        Some(number) => Ok(number),
        None if value.is_null() || value == "" => Ok(0),
        None => fault(format!("{place}.{field}: {value}: a whole number below 2^64 is right")),
    }
}

/// The prefix and bytes of an address; none if it is one this chain cannot have.
pub fn address(text: &str) -> Option<(String, Address)> {
    let checked = CheckedHrpstring::new::<bech32::Bech32>(text).ok()?;
    let bytes: Vec<u8> = checked.byte_iter().collect();
    Some((checked.hrp().to_lowercase(), Address::new(&bytes).ok()?))
}

/// Sums by denomination.
pub type Sums = BTreeMap<String, u128>;

/// Adds an amount.
pub fn add(sums: &mut Sums, denom: &str, amount: u128, place: &str) -> Result<(), Fault> {
    if !sums.contains_key(denom) {
        sums.insert(denom.to_owned(), 0);
    }
    let sum = sums.get_mut(denom).expect("inserted above");
    match sum.checked_add(amount) {
        Some(total) => {
            *sum = total;
            Ok(())
        }
        None => fault(format!("{place}: with it the sum of {denom} is over 2^128 - 1")),
    }
}

/// A coin of a list.
pub fn coin(value: &Value, place: &str) -> Result<(String, u128), Fault> {
    let (denom, amount) = (text(value, "denom"), text(value, "amount"));
    let wrong = |reason: String| Fault::Genesis(format!("{place}: {reason}"));
    check_denom(denom).map_err(|error| wrong(error.to_string()))?;
    let amount = parse_amount(amount).map_err(|error| wrong(error.to_string()))?;
    Ok((denom.to_owned(), amount.0))
}

/// An amount.
pub fn amount(value: &str, place: &str) -> Result<u128, Fault> {
    match parse_amount(value) {
        Ok(amount) => Ok(amount.0),
        Err(error) => fault(format!("{place}: {error}")),
    }
}

/// Shares of a validator: a decimal of the SDK whose whole part may have 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    whole: u128,
    /// In atomics of 10^-18.
    part: u128,
}

impl Shares {
    /// Reads one; whole numbers are taken too.
    pub fn parse(value: &str, place: &str) -> Result<Shares, Fault> {
        let (whole, part) = value.split_once('.').unwrap_or((value, "0"));
        let part = Decimal::parse(&format!("0.{part}"));
        let part = part.map_err(|_| {
            let text = "digits with at most 18 decimals are right, such as 12.5";
            Fault::Genesis(format!("{place}: invalid decimal '{value}': {text}"))
        })?;
        Ok(Shares { whole: amount(whole, place)?, part: part.atomics() })
    }

    /// These and all of them in one unit: atomics, or whole ones where all of them have too many
    /// atomics for 128 bits. Rounded down like that they are still at most their part.
    pub fn of(self, all: &Shares) -> (u128, u128) {
        let atomics = |Shares { whole, part }: Shares| {
            whole.checked_mul(Decimal::ONE_ATOMICS).and_then(|whole| whole.checked_add(part))
        };
        match (atomics(self), atomics(*all)) {
            (Some(own), Some(all)) => (own, all),
            _ => (self.whole, all.whole),
        }
    }
}

/// `a · b / c`, rounded down, where the product may have 256 bits; none if it has no room or `c`
/// is zero.
pub fn product_over(a: u128, b: u128, c: u128) -> Option<u128> {
    if c == 0 {
        return None;
    }
    let (mut quotient, mut rest) = (0u128, 0u128);
    // Long multiplication and division by bits of `a`, highest first: never more than 129 bits.
    let (step_quotient, step_rest) = (b / c, b % c);
    for bit in (0..128).rev() {
        quotient = quotient.checked_mul(2)?;
        let (doubled, carried) = double(rest, c);
        (quotient, rest) = (quotient.checked_add(carried)?, doubled);
        if a >> bit & 1 == 1 {
            let (sum, carried) = sum(rest, step_rest, c);
            quotient = quotient.checked_add(step_quotient)?.checked_add(carried)?;
            rest = sum;
        }
    }
    Some(quotient)
}

/// `2 · rest` modulo `c` and how often `c` was in it; `rest` is below `c`.
fn double(rest: u128, c: u128) -> (u128, u128) {
    sum(rest, rest, c)
}

/// `one + other` modulo `c` and how often `c` was in it; both are below `c`.
fn sum(one: u128, other: u128, c: u128) -> (u128, u128) {
    let room = c - one;
    match other >= room {
        true => (other - room, 1),
        false => (one + other, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_compared_in_atomics_as_long_as_these_fit() {
        let shares = |text: &str| Shares::parse(text, "here").expect(text);
        let one = Decimal::ONE_ATOMICS;
        assert_eq!(shares("1.5").of(&shares("3")), (one + one / 2, 3 * one));
        let most = u128::MAX.to_string();
        assert_eq!(shares("1.5").of(&shares(&most)), (1, u128::MAX));
        assert_eq!(shares(&most).of(&shares("2.5")), (u128::MAX, 2));
        for bad in ["", "-1", "1.", ".5", "1.-5", "1e3", "0.0000000000000000001", "+1", "1.2.3"] {
            let text = Shares::parse(bad, "here").expect_err(bad).to_string();
            assert!(text.contains("here: invalid"), "{text}");
        }
    }

    #[test]
    fn a_product_of_256_bits_is_divided_rightly() {
        assert_eq!(product_over(7, 11, 2), Some(38));
        assert_eq!(product_over(u128::MAX, u128::MAX, u128::MAX), Some(u128::MAX));
        assert_eq!(product_over(u128::MAX, 2, 4), Some(u128::MAX / 2));
        assert_eq!(product_over(u128::MAX, 2, 1), None);
        assert_eq!(product_over(1, 1, 0), None);
        let (a, b, c) = (10u128.pow(33), 10u128.pow(30) + 7, 10u128.pow(31));
        assert_eq!(product_over(a, b, c), Some(10u128.pow(32) + 700));
        for (a, b, c) in [(12345, 678, 9), (0, 5, 3), (99, 98, 97)] {
            assert_eq!(product_over(a, b, c), Some(a * b / c));
        }
    }
}
