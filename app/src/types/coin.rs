//! Coins: an amount of a denomination, as the SDK writes them.

use crate::types::Amount;
use std::fmt;

/// An amount of one denomination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Coin {
    pub denom: String,
    #[serde(with = "amount_text")]
    pub amount: Amount,
}

/// Coins sorted by denomination, each once, none zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Coins(Vec<Coin>);

/// Why a text or a list is no coin or coins.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CoinError {
    #[error("invalid denom: {0}")]
    Denom(String),
    #[error("invalid amount '{0}': digits only, without sign or leading zero, below 2^128")]
    Amount(String),
    #[error("coin {0} amount is not positive")]
    Zero(String),
    #[error("denominations must be sorted and unique, got {0}")]
    Order(String),
}

/// Reads an amount: digits only, no leading zero.
pub fn parse_amount(text: &str) -> Result<Amount, CoinError> {
    let fault = || CoinError::Amount(text.to_owned());
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(fault());
    }
    text.parse().map(Amount).map_err(|_| fault())
}

/// A denomination: a letter, then 2 to 127 letters, digits or `/ : . _ -`.
pub fn check_denom(denom: &str) -> Result<(), CoinError> {
    let mut bytes = denom.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || b"/:._-".contains(&b));
    if first && rest && (3..=128).contains(&denom.len()) {
        return Ok(());
    }
    Err(CoinError::Denom(denom.to_owned()))
}

impl Coin {
    /// A coin of a denomination already known to be good.
    pub fn new(denom: &str, amount: Amount) -> Coin {
        Coin { denom: denom.to_owned(), amount }
    }

    /// Reads `10boot`.
    pub fn parse(text: &str) -> Result<Coin, CoinError> {
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (amount, denom) = text.split_at(split);
        check_denom(denom)?;
        Ok(Coin { denom: denom.to_owned(), amount: parse_amount(amount)? })
    }
}

impl Coins {
    /// No coins.
    pub fn none() -> Coins {
        Coins(Vec::new())
    }

    /// Checks the list: sorted, unique, positive.
    pub fn new(coins: Vec<Coin>) -> Result<Coins, CoinError> {
        for coin in &coins {
            check_denom(&coin.denom)?;
            if coin.amount.0 == 0 {
                return Err(CoinError::Zero(coin.to_string()));
            }
        }
        if let Some(pair) = coins.windows(2).find(|pair| pair[0].denom >= pair[1].denom) {
            return Err(CoinError::Order(format!("{},{}", pair[0], pair[1])));
        }
        Ok(Coins(coins))
    }

    /// The coins, sorted by denomination.
    pub fn as_slice(&self) -> &[Coin] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The amount of one denomination, zero when absent.
    pub fn amount_of(&self, denom: &str) -> Amount {
        let place = self.0.binary_search_by(|coin| coin.denom.as_str().cmp(denom));
        place.map(|at| self.0[at].amount).unwrap_or_default()
    }
}

impl fmt::Display for Coin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.amount, self.denom)
    }
}

impl fmt::Display for Coins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, coin) in self.0.iter().enumerate() {
            write!(f, "{}{coin}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Amounts in JSON are strings, as everywhere in the SDK.
mod amount_text {
    use super::{parse_amount, Amount};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(amount: &Amount, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&amount.to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Amount, D::Error> {
        let text = String::deserialize(input)?;
        parse_amount(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_plain_digits() {
        assert_eq!(parse_amount("0"), Ok(Amount(0)));
        assert_eq!(parse_amount(&u128::MAX.to_string()), Ok(Amount(u128::MAX)));
        for bad in ["", "+5", "-5", "005", "1.0", "٣", "340282366920938463463374607431768211456"] {
            assert!(parse_amount(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn coins_are_sorted_unique_and_positive() {
        let coin = |text: &str| Coin::parse(text).expect("coin");
        assert!(Coins::new(vec![coin("1abc"), coin("2boot")]).is_ok());
        assert!(Coins::new(vec![coin("2boot"), coin("1abc")]).is_err());
        assert!(Coins::new(vec![coin("1abc"), coin("1abc")]).is_err());
        assert!(Coins::new(vec![coin("0abc")]).is_err());
        assert!(Coin::parse("boot").is_err() && Coin::parse("5").is_err());
    }
}
