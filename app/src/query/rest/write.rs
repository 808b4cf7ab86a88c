//! Answers as JSON, by the rules of Cosmos' REST (`clients.md` §3.4): names as declared, every
//! default written, 64-bit integers as text, bytes as base64 and null when there are none,
//! decimals with their point, `Any` with `@type`, absent messages null.

use super::shape::{Field, Form, Kind, Shape, Shapes};
use super::wire::{self, Malformed, Value};
use base64::prelude::{Engine, BASE64_STANDARD};
use time::OffsetDateTime;

/// Messages in messages, at most.
const DEPTH_MAX: usize = 64;
/// Digits after a decimal's point.
const DECIMALS: usize = 18;
/// What Go calls the time that was never set, in seconds of Unix time.
const ZERO_TIME: i64 = -62_135_596_800;

/// Writes a message.
///
/// # Errors
/// When the bytes are no such message.
pub fn message(shapes: &Shapes, shape: &Shape, bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut writer = Writer { shapes, out: Vec::with_capacity(bytes.len() * 2 + 128) };
    writer.message(shape, bytes, 0)?;
    Ok(writer.out)
}

struct Writer<'a> {
    shapes: &'a Shapes,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn message(&mut self, shape: &Shape, bytes: &[u8], depth: usize) -> Result<(), Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed);
        }
        let values = wire::read(bytes)?;
        match shape.form {
            Form::Object => {
                self.out.push(b'{');
                self.fields(shape, &values, depth)?;
                self.out.push(b'}');
            }
            Form::Any => self.any(&values, depth)?,
            Form::Timestamp => self.timestamp(&values)?,
            Form::Duration => self.duration(&values),
        }
        Ok(())
    }

    fn fields(
        &mut self,
        shape: &Shape,
        values: &[(u32, Value<'_>)],
        depth: usize,
    ) -> Result<(), Malformed> {
        for field in &shape.fields {
            let mut own = values.iter().filter(|(number, _)| *number == field.number);
            if field.is_choice && own.clone().next().is_none() {
                continue;
            }
            self.name(&field.name);
            if field.is_list {
                self.list(field, own.map(|(_, value)| *value), depth)?;
            } else {
                let last = own.next_back().map(|(_, value)| *value);
                self.single(field, last, depth)?;
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &str) {
        if !self.out.ends_with(b"{") {
            self.out.push(b',');
        }
        self.text(name);
        self.out.push(b':');
    }

    fn list<'v>(
        &mut self,
        field: &Field,
        values: impl Iterator<Item = Value<'v>>,
        depth: usize,
    ) -> Result<(), Malformed> {
        let is_packable =
            !matches!(field.kind, Kind::Text | Kind::Decimal | Kind::Bytes | Kind::Message(_));
        self.out.push(b'[');
        let mut is_first = true;
        for value in values {
            match value {
                Value::Bytes(mut packed) if is_packable => {
                    while !packed.is_empty() {
                        let number = wire::number(&mut packed)?;
                        self.element(field, Value::Number(number), &mut is_first, depth)?;
                    }
                }
                value => self.element(field, value, &mut is_first, depth)?,
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn element(
        &mut self,
        field: &Field,
        value: Value<'_>,
        is_first: &mut bool,
        depth: usize,
    ) -> Result<(), Malformed> {
        if !std::mem::take(is_first) {
            self.out.push(b',');
        }
        match (&field.kind, value) {
            // In a list there is no null.
            (Kind::Bytes, Value::Bytes(bytes)) => self.base64(bytes),
            _ => return self.single(field, Some(value), depth),
        }
        Ok(())
    }

    /// A value, or what stands for one that is absent.
    fn single(
        &mut self,
        field: &Field,
        value: Option<Value<'_>>,
        depth: usize,
    ) -> Result<(), Malformed> {
        let number = match value {
            Some(Value::Number(number)) => Ok(number),
            None => Ok(0),
            Some(Value::Bytes(_)) => Err(Malformed),
        };
        let bytes = match value {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            None => Ok(&[][..]),
            Some(Value::Number(_)) => Err(Malformed),
        };
        match &field.kind {
            Kind::Bool => self.put(if number? == 0 { "false" } else { "true" }),
            Kind::Int32 => self.put(&(number? as i32).to_string()),
            Kind::Uint32 => self.put(&(number? as u32).to_string()),
            Kind::Int64 => self.quoted(&(number? as i64).to_string()),
            Kind::Uint64 => self.quoted(&number?.to_string()),
            Kind::Text => self.text(std::str::from_utf8(bytes?).map_err(|_| Malformed)?),
            Kind::Decimal => {
                let text = std::str::from_utf8(bytes?).map_err(|_| Malformed)?;
                self.text(&decimal(text));
            }
            Kind::Bytes if bytes?.is_empty() => self.put("null"),
            Kind::Bytes => self.base64(bytes?),
            Kind::Enum(names) => {
                let number = number? as i32;
                match names.iter().find(|(known, _)| *known == number) {
                    Some((_, name)) => self.text(name),
                    None => self.put(&number.to_string()),
                }
            }
            Kind::Message(place) => {
                let shape = self.shapes.at(*place);
                match value {
                    None if !field.has_defaults => self.put("null"),
                    None if shape.form == Form::Timestamp => {
                        self.put("\"0001-01-01T00:00:00Z\"");
                    }
                    _ => self.message(shape, bytes?, depth + 1)?,
                }
            }
        }
        Ok(())
    }

    fn any(&mut self, values: &[(u32, Value<'_>)], depth: usize) -> Result<(), Malformed> {
        let of = |wanted: u32| {
            let found = values.iter().rev().find(|(number, _)| *number == wanted);
            match found.map(|(_, value)| *value) {
                Some(Value::Bytes(bytes)) => Ok(bytes),
                None => Ok(&[][..]),
                Some(Value::Number(_)) => Err(Malformed),
            }
        };
        let url = std::str::from_utf8(of(1)?).map_err(|_| Malformed)?;
        let bytes = of(2)?;
        self.out.push(b'{');
        self.name("@type");
        self.text(url);
        let start = self.out.len();
        let known = self.shapes.of_url(url).filter(|shape| shape.form == Form::Object);
        let inner = known.map(|shape| {
            if depth >= DEPTH_MAX {
                return Err(Malformed);
            }
            self.fields(shape, &wire::read(bytes)?, depth + 1)
        });
        // Somebody put in what is no such message: then it is shown as it came.
        if !matches!(inner, Some(Ok(()))) {
            self.out.truncate(start);
            self.name("value");
            self.base64(bytes);
        }
        self.out.push(b'}');
        Ok(())
    }

    fn timestamp(&mut self, values: &[(u32, Value<'_>)]) -> Result<(), Malformed> {
        let (seconds, nanos) = moment(values);
        let time = OffsetDateTime::from_unix_timestamp(seconds.max(ZERO_TIME));
        let time = time.map_err(|_| Malformed)?;
        let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
        let (hour, minute, second) = time.to_hms();
        let fraction = fraction(nanos.unsigned_abs());
        let text =
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z");
        self.quoted(&text);
        Ok(())
    }

    fn duration(&mut self, values: &[(u32, Value<'_>)]) {
        let (seconds, nanos) = moment(values);
        let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
        let fraction = fraction(nanos.unsigned_abs());
        self.quoted(&format!("{sign}{}{fraction}s", seconds.unsigned_abs()));
    }

    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A text that needs no escapes.
    fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        self.put(text);
        self.out.push(b'"');
    }

    fn text(&mut self, text: &str) {
        serde_json::to_writer(&mut self.out, text).expect("memory takes everything");
    }

    fn base64(&mut self, bytes: &[u8]) {
        let text = BASE64_STANDARD.encode(bytes);
        self.quoted(&text);
    }
}

/// Seconds and nanoseconds of a timestamp or a duration.
fn moment(values: &[(u32, Value<'_>)]) -> (i64, i32) {
    let of = |wanted: u32| {
        let found = values.iter().rev().find(|(number, _)| *number == wanted);
        match found {
            Some((_, Value::Number(number))) => *number as i64,
            _ => 0,
        }
    };
    (of(1), of(2) as i32)
}

/// A fraction of a second with 0, 3, 6 or 9 digits.
fn fraction(nanos: u32) -> String {
    let mut text = format!(".{nanos:09}");
    for _ in 0..3 {
        match text.strip_suffix("000") {
            Some(shorter) => text.truncate(shorter.len()),
            None => break,
        }
    }
    if text == "." {
        text.clear();
    }
    text
}

/// The integer of 18 decimals with its point; what is no integer stays as it is.
pub fn decimal(atomics: &str) -> String {
    let (sign, digits) = match atomics.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", atomics),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return atomics.to_owned();
    }
    let padded = format!("{digits:0>width$}", width = DECIMALS + 1);
    let (whole, part) = padded.split_at(padded.len() - DECIMALS);
    format!("{sign}{whole}.{part}")
}
