//! The bytes of a message as numbered values, and back: no descriptors, nothing copied.

/// A value as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Also the fixed widths.
    Number(u64),
    Bytes(&'a [u8]),
}

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no message of their kind")]
pub struct Malformed;

/// The values of a message in their order.
pub fn read(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while !rest.is_empty() {
        let key = number(&mut rest)?;
        let field = u32::try_from(key >> 3).map_err(|_| Malformed)?;
        let value = match key & 7 {
            0 => Value::Number(number(&mut rest)?),
            1 => Value::Number(u64::from_le_bytes(fixed(&mut rest)?)),
            2 => {
                let length = usize::try_from(number(&mut rest)?).map_err(|_| Malformed)?;
                Value::Bytes(take(&mut rest, length)?)
            }
            5 => Value::Number(u32::from_le_bytes(fixed(&mut rest)?).into()),
            _ => return Err(Malformed),
        };
        found.push((field, value));
    }
    Ok(found)
}

/// The next number of a packed list, or of anything.
pub fn number(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(Malformed)?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn fixed<const SIZE: usize>(rest: &mut &[u8]) -> Result<[u8; SIZE], Malformed> {
    let bytes = take(rest, SIZE)?;
    bytes.try_into().map_err(|_| Malformed)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (bytes, after) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = after;
    Ok(bytes)
}

/// Appends a number under a field's number.
pub fn put_number(field: u32, value: u64, out: &mut Vec<u8>) {
    put(u64::from(field) << 3, out);
    put(value, out);
}

/// Appends bytes under a field's number.
pub fn put_bytes(field: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put(u64::from(field) << 3 | 2, out);
    put(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn put(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
