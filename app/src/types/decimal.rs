//! Decimals with 18 places, as the SDK's `Dec`: an integer of atomics on the protobuf wire,
//! `0.850000000000000000` in JSON.

use std::fmt;

/// A non-negative decimal number of 18 places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal {
    atomics: u128,
}

/// A text that is no decimal.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("invalid decimal '{0}': digits with at most 18 decimals are right, such as 0.85")]
pub struct DecimalError(String);

impl Decimal {
    /// Atomics in one.
    pub const ONE_ATOMICS: u128 = 1_000_000_000_000_000_000;

    pub const fn from_atomics(atomics: u128) -> Decimal {
        Decimal { atomics }
    }

    pub const fn atomics(self) -> u128 {
        self.atomics
    }

    /// Reads `12`, `12.5`, up to 18 decimals.
    pub fn parse(text: &str) -> Result<Decimal, DecimalError> {
        let fault = || DecimalError(text.to_owned());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 18 {
            return Err(fault());
        }
        let whole: u128 = whole.parse().map_err(|_| fault())?;
        let part: u128 = format!("{part:0<18}").parse().map_err(|_| fault())?;
        let atomics = whole.checked_mul(Self::ONE_ATOMICS).and_then(|w| w.checked_add(part));
        atomics.map(Decimal::from_atomics).ok_or_else(fault)
    }

    /// `numerator / denominator`, rounded down to 18 places; `None` where it does not fit.
    pub fn ratio(numerator: u128, denominator: u128) -> Option<Decimal> {
        let atomics = numerator.checked_mul(Self::ONE_ATOMICS)?.checked_div(denominator)?;
        Some(Decimal { atomics })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.atomics / Self::ONE_ATOMICS, self.atomics % Self::ONE_ATOMICS);
        write!(f, "{whole}.{part:018}")
    }
}

impl serde::Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.to_string())
    }
}

impl<'de> serde::Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Decimal, D::Error> {
        let text = String::deserialize(input)?;
        Decimal::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["0.850000000000000000", "0.000000000000000001", "12.000000000000000000"] {
            assert_eq!(Decimal::parse(text).expect("decimal").to_string(), text);
        }
        assert_eq!(Decimal::parse("0.25").expect("decimal").atomics(), 250_000_000_000_000_000);
        for bad in ["", ".5", "1.", "-1", "1e3", "0.0000000000000000001"] {
            assert!(Decimal::parse(bad).is_err(), "{bad}");
        }
    }
}
