//! A strict reader of protobuf wire bytes, for messages known in advance.
//!
//! Invariants: reads every byte once, allocates nothing, never looks past its slice. Stricter than
//! protobuf where leniency would give one transaction two spellings or hide something from a
//! signer: varints are of minimal length, a field that is not repeated stands at most once, and
//! every consumer refuses the numbers it does not know. Explicit defaults and any order of fields
//! pass. Deliberately absent: groups, fixed-width values (no message of the chain has any), and
//! knowledge of any message.

use crate::error::{code, Refusal};
use std::fmt;

/// Bytes that are not the message they should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WireFault(String);

impl WireFault {
    pub fn new(text: impl Into<String>) -> WireFault {
        WireFault(text.into())
    }

    /// The same fault with the place it was found in front.
    pub fn within(self, place: impl fmt::Display) -> WireFault {
        WireFault(format!("{place}: {}", self.0))
    }
}

impl From<WireFault> for Refusal {
    fn from(fault: WireFault) -> Refusal {
        Refusal::new(code::TX_PARSE, format!("{fault}: tx parse error"))
    }
}

/// The fields of one message, in the order of the wire.
pub struct Fields<'a> {
    message: &'static str,
    repeated: &'static [u32],
    rest: &'a [u8],
    /// Bit n: field n was read. No message of the chain has a single field above 63.
    seen: u64,
}

/// One field: its number and its value.
pub struct Field<'a> {
    pub number: u32,
    message: &'static str,
    value: Value<'a>,
}

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// A wire type no message of the chain uses; its value was not read.
    Other(u8),
}

impl<'a> Fields<'a> {
    /// Reads `bytes` as the named message; `repeated` lists the fields that may stand repeatedly.
    pub fn new(message: &'static str, repeated: &'static [u32], bytes: &'a [u8]) -> Fields<'a> {
        Fields { message, repeated, rest: bytes, seen: 0 }
    }

    /// The next field, `None` at the end.
    pub fn next(&mut self) -> Result<Option<Field<'a>>, WireFault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        if number == 0 || number >= 1 << 29 {
            return Err(WireFault(format!("invalid field number in {}", self.message)));
        }
        let value = match (tag & 7) as u8 {
            0 => Value::Varint(self.varint()?),
            2 => Value::Bytes(self.delimited()?),
            other => Value::Other(other),
        };
        if number < 64 && !self.repeated.contains(&number) {
            let bit = 1 << number;
            if self.seen & bit != 0 {
                return Err(WireFault(format!("field {number} of {} twice", self.message)));
            }
            self.seen |= bit;
        }
        Ok(Some(Field { number, message: self.message, value }))
    }

    fn varint(&mut self) -> Result<u64, WireFault> {
        let mut value = 0u64;
        for (at, byte) in self.rest.iter().take(10).enumerate() {
            let part = u64::from(byte & 0x7f);
            if at == 9 && *byte > 1 {
                return Err(WireFault(format!("varint above 64 bits in {}", self.message)));
            }
            value |= part << (7 * at);
            if byte & 0x80 == 0 {
                if at > 0 && *byte == 0 {
                    let text = format!("varint is not as short as possible in {}", self.message);
                    return Err(WireFault(text));
                }
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(self.truncated())
    }

    fn delimited(&mut self) -> Result<&'a [u8], WireFault> {
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| self.truncated())?;
        let (value, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(value)
    }

    fn truncated(&self) -> WireFault {
        WireFault(format!("unexpected end of {}", self.message))
    }
}

impl<'a> Field<'a> {
    /// The value of a bytes or message field.
    pub fn bytes(&self) -> Result<&'a [u8], WireFault> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Varint(_) => Err(wrong_type(2, 0)),
            Value::Other(got) => Err(wrong_type(2, got)),
        }
    }

    /// The value of a string field: UTF-8.
    pub fn text(&self) -> Result<&'a str, WireFault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| {
            WireFault(format!("field {} of {} is not UTF-8", self.number, self.message))
        })
    }

    /// The value of an integer field.
    pub fn integer(&self) -> Result<u64, WireFault> {
        match self.value {
            Value::Varint(value) => Ok(value),
            Value::Bytes(_) => Err(wrong_type(0, 2)),
            Value::Other(got) => Err(wrong_type(0, got)),
        }
    }

    /// The value of a boolean field: 0 or 1, nothing else.
    pub fn boolean(&self) -> Result<bool, WireFault> {
        match self.integer()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(WireFault(format!(
                "field {} of {} is {other}, 0 or 1 expected",
                self.number, self.message
            ))),
        }
    }

    /// The fault of a field the message does not have.
    pub fn unknown(&self) -> WireFault {
        WireFault(format!("unknown field {} in {}", self.number, self.message))
    }
}

/// In the words other software uses, which clients may match.
fn wrong_type(expected: u8, got: u8) -> WireFault {
    WireFault(format!("expected {expected} wire type, got {got}"))
}

/// The type URL and the value of a `google.protobuf.Any`.
pub fn read_any(bytes: &[u8]) -> Result<(&str, &[u8]), WireFault> {
    let mut fields = Fields::new("google.protobuf.Any", &[], bytes);
    let (mut url, mut value) = ("", &[][..]);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => url = field.text()?,
            2 => value = field.bytes()?,
            _ => return Err(field.unknown()),
        }
    }
    Ok((url, value))
}

/// The denomination and the amount of a `cosmos.base.v1beta1.Coin`, as written.
pub fn read_coin(bytes: &[u8]) -> Result<(&str, &str), WireFault> {
    let mut fields = Fields::new("cosmos.base.v1beta1.Coin", &[], bytes);
    let (mut denom, mut amount) = ("", "");
    while let Some(field) = fields.next()? {
        match field.number {
            1 => denom = field.text()?,
            2 => amount = field.text()?,
            _ => return Err(field.unknown()),
        }
    }
    Ok((denom, amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<u64, WireFault> {
        let mut fields = Fields::new("test.Message", &[], bytes);
        fields.next()?.expect("one field").integer()
    }

    #[test]
    fn varints_are_minimal_and_fit_64_bits() {
        assert_eq!(first(&[0x08, 0x00]), Ok(0));
        assert_eq!(first(&[0x08, 0xac, 0x02]), Ok(300));
        let largest = [&[0x08][..], &[0xff; 9], &[0x01]].concat();
        assert_eq!(first(&largest), Ok(u64::MAX));
        let above = [&[0x08][..], &[0xff; 9], &[0x02]].concat();
        let endless = [&[0x08][..], &[0xff; 12]].concat();
        for bad in [&[0x08, 0x80, 0x00][..], &[0x88, 0x00, 0x01], &above, &endless, &[0x08, 0x80]] {
            assert!(first(bad).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn lengths_stay_inside_the_message() {
        let mut fields = Fields::new("test.Message", &[], &[0x0a, 0x03, 1, 2]);
        assert!(fields.next().is_err());
        let huge = [&[0x0a][..], &[0xff; 9], &[0x01]].concat();
        assert!(Fields::new("test.Message", &[], &huge).next().is_err());
    }

    #[test]
    fn a_single_field_stands_once_and_a_repeated_one_often() {
        let twice = [0x08, 1, 0x08, 1];
        let count = |repeated: &'static [u32]| {
            let mut fields = Fields::new("test.Message", repeated, &twice);
            let mut count = 0;
            while fields.next()?.is_some() {
                count += 1;
            }
            Ok::<_, WireFault>(count)
        };
        assert!(count(&[]).is_err());
        assert_eq!(count(&[1]), Ok(2));
    }

    #[test]
    fn field_zero_groups_and_fixed_values_are_refused() {
        assert!(Fields::new("test.Message", &[], &[0x00, 0x00]).next().is_err());
        for wire_type in [1, 3, 4, 5, 6, 7] {
            assert!(first(&[0x08 | wire_type]).is_err(), "{wire_type}");
        }
    }
}
