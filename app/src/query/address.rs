//! Addresses in queries. What is wrong with one is said in the words of the SDK, which clients
//! and their tests know; the chain itself words it otherwise (`types/address.rs`).

use crate::types::{Address, AddressError};
use bech32::primitives::iter::Fe32IterExt;
use bech32::{Bech32, Fe32, Hrp};

/// Reads an address of the chain.
///
/// # Errors
/// The text of the SDK's error.
pub fn parse(text: &str, prefix: &str) -> Result<Address, String> {
    Address::parse(text, prefix).map_err(|error| match error {
        AddressError::Bech32(own) => {
            format!("decoding bech32 failed: {}", reason(text).unwrap_or(own))
        }
        AddressError::Case(_) => match reason(text) {
            Some(reason) => format!("decoding bech32 failed: {reason}"),
            None => error.to_string(),
        },
        other => other.to_string(),
    })
}

/// Why a text is no bech32, by the checks of the SDK's library in its order; none if it finds
/// nothing wrong.
fn reason(text: &str) -> Option<String> {
    if !(8..=1023).contains(&text.len()) {
        return Some(format!("invalid bech32 string length {}", text.len()));
    }
    if let Some(byte) = text.bytes().find(|byte| !(33..=126).contains(byte)) {
        return Some(format!("invalid character in string: '{}'", char::from(byte)));
    }
    let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
    if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) {
        return Some("string not all lowercase or all uppercase".into());
    }
    let text = text.to_ascii_lowercase();
    let separator = text.rfind('1').filter(|at| *at >= 1 && at + 7 <= text.len());
    let Some(separator) = separator else {
        let at = text.rfind('1').map_or(-1, |at| at as i64);
        return Some(format!("invalid separator index {at}"));
    };
    let (prefix, data) = (&text[..separator], &text[separator + 1..]);
    let digits: Result<Vec<Fe32>, char> =
        data.chars().map(|letter| Fe32::from_char(letter).map_err(|_| letter)).collect();
    let digits = match digits {
        Ok(digits) => digits,
        Err(letter) => {
            return Some(format!("invalid character not part of charset: {}", letter as u32))
        }
    };
    let hrp = Hrp::parse(prefix).ok()?;
    let (payload, _) = digits.split_at(digits.len() - 6);
    let right: String = payload.iter().copied().with_checksum::<Bech32>(&hrp).chars().collect();
    let (expected, got) = (&right[right.len() - 6..], &text[text.len() - 6..]);
    (expected != got).then(|| format!("invalid checksum (expected {expected} got {got})"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn words_are_those_of_the_sdk() {
        let good = "bostrom1phaxpevm5wecex2jyaqty2a4v02qj7qm5n94ug";
        assert!(parse(good, "bostrom").is_ok());
        let cases = [
            ("", "empty address string is not allowed"),
            ("xyz", "decoding bech32 failed: invalid bech32 string length 3"),
            ("with space", "decoding bech32 failed: invalid character in string: ' '"),
            ("Bostrom1qqqqqq", "decoding bech32 failed: string not all lowercase or all uppercase"),
            ("nothingofit", "decoding bech32 failed: invalid separator index -1"),
            ("bostrom1qqb", "decoding bech32 failed: invalid separator index 7"),
            (
                "bostrom1qqbqqqq",
                "decoding bech32 failed: invalid character not part of charset: 98",
            ),
            (
                "bostrom1phaxpevm5wecex2jyaqty2a4v02qj7qm5n94uq",
                "decoding bech32 failed: invalid checksum (expected 5n94ug got 5n94uq)",
            ),
        ];
        for (text, words) in cases {
            assert_eq!(parse(text, "bostrom"), Err(words.to_owned()), "{text}");
        }
        let other = parse(good, "cyber");
        let words = "invalid Bech32 prefix; expected cyber, got bostrom";
        assert_eq!(other, Err(words.to_owned()));
    }
}
