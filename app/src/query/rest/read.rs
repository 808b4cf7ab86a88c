//! Requests from JSON, and from paths and query parameters, which become JSON objects first.
//!
//! Names in either spelling, integers as numbers or texts, enums by name or number, bytes as
//! base64, `Any` by its `@type`. From paths and parameters, everything is a text and unknown names
//! are passed over; in a body an unknown name is an error.

use super::shape::{Field, Form, Kind, Shape, Shapes};
use super::wire;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::Engine;
use serde_json::{Map, Value};

/// Parts of a parameter's name, at most.
const PARTS_MAX: usize = 8;
/// Values of one parameter, at most.
const VALUES_MAX: usize = 1_000;

/// Why a request cannot be read: what is said to its sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

fn wrong<T>(text: impl Into<String>) -> Result<T, Unreadable> {
    Err(Unreadable(text.into()))
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Path and query parameters.
    Parameters,
    /// A JSON body.
    Body,
}

/// The bytes of a message.
pub fn message(
    shapes: &Shapes,
    shape: &Shape,
    value: &Value,
    source: Source,
) -> Result<Vec<u8>, Unreadable> {
    let reader = Reader { shapes, source };
    let mut out = Vec::new();
    match (shape.form, value) {
        (Form::Object, Value::Object(object)) => reader.fields(shape, object, &mut out)?,
        (Form::Any, Value::Object(object)) => reader.any(object, &mut out)?,
        (Form::Object | Form::Any, _) => {
            return wrong(format!("{}: right is an object", shape.name))
        }
        (Form::Timestamp | Form::Duration, _) => {
            return wrong(format!("{} is not read here", shape.name))
        }
    }
    Ok(out)
}

/// Puts a parameter into an object by its name, `a.b.c`. Repeated ones become lists.
pub fn put_parameter(
    shapes: &Shapes,
    shape: &Shape,
    into: &mut Map<String, Value>,
    name: &str,
    text: &str,
) -> Result<(), Unreadable> {
    let parts: Vec<&str> = name.split('.').collect();
    if parts.len() > PARTS_MAX {
        return wrong(format!("parameter {name} has more than {PARTS_MAX} parts"));
    }
    let (mut shape, mut into) = (shape, into);
    for (depth, part) in parts.iter().enumerate() {
        // What nobody knows is passed over.
        let Some(field) = shape.field(part) else { return Ok(()) };
        let is_last = depth + 1 == parts.len();
        match (&field.kind, is_last) {
            (Kind::Message(_), true) => return Ok(()),
            (Kind::Message(place), false) if !field.is_list => {
                let inner = into.entry(&field.name).or_insert_with(|| Map::new().into());
                let Value::Object(inner) = inner else { return Ok(()) };
                (shape, into) = (shapes.at(*place), inner);
            }
            (_, false) => return Ok(()),
            (_, true) => return put(field, into, text),
        }
    }
    Ok(())
}

fn put(field: &Field, into: &mut Map<String, Value>, text: &str) -> Result<(), Unreadable> {
    let text = Value::String(text.to_owned());
    if !field.is_list {
        into.insert(field.name.clone(), text);
        return Ok(());
    }
    let list = into.entry(&field.name).or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(list) = list else { return Ok(()) };
    if list.len() >= VALUES_MAX {
        return wrong(format!("parameter {} comes more than {VALUES_MAX} times", field.name));
    }
    list.push(text);
    Ok(())
}

struct Reader<'a> {
    shapes: &'a Shapes,
    source: Source,
}

impl Reader<'_> {
    fn fields(
        &self,
        shape: &Shape,
        object: &Map<String, Value>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        for (name, value) in object {
            match shape.field(name) {
                Some(field) => self.field(field, value, out)?,
                None if self.source == Source::Parameters => (),
                None => return wrong(format!("unknown field \"{name}\" in {}", shape.name)),
            }
        }
        Ok(())
    }

    fn field(&self, field: &Field, value: &Value, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        match (field.is_list, value) {
            (_, Value::Null) => Ok(()),
            (true, Value::Array(list)) => {
                list.iter().try_for_each(|value| self.single(field, value, out))
            }
            (true, _) => wrong(format!("{}: right is a list", field.name)),
            (false, value) => self.single(field, value, out),
        }
    }

    fn single(&self, field: &Field, value: &Value, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let name = &field.name;
        let number = match &field.kind {
            Kind::Bool => self.boolean(value).ok_or("true or false"),
            Kind::Int32 => integer::<i32>(value).map(|it| i64::from(it) as u64).ok_or("an integer"),
            Kind::Int64 => integer::<i64>(value).map(|it| it as u64).ok_or("an integer"),
            Kind::Uint32 => integer::<u32>(value).map(u64::from).ok_or("an integer from 0"),
            Kind::Uint64 => integer::<u64>(value).ok_or("an integer from 0"),
            Kind::Enum(names) => {
                let found = match value {
                    Value::String(text) => names.iter().find(|(_, name)| name == text),
                    _ => None,
                };
                let number = found.map(|(number, _)| *number).or_else(|| integer::<i32>(value));
                number.map(|it| i64::from(it) as u64).ok_or("a name of the enumeration")
            }
            Kind::Text | Kind::Decimal | Kind::Bytes | Kind::Message(_) => {
                return self.bytes(field, value, out);
            }
        };
        match number {
            Ok(number) => wire::put_number(field.number, number, out),
            Err(right) => {
                return wrong(format!("{name} = {} is wrong: right is {right}", short(value)))
            }
        }
        Ok(())
    }

    fn bytes(&self, field: &Field, value: &Value, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let name = &field.name;
        match (&field.kind, value) {
            (Kind::Message(place), value) => {
                let inner = message(self.shapes, self.shapes.at(*place), value, self.source)?;
                wire::put_bytes(field.number, &inner, out);
            }
            (Kind::Text, Value::String(text)) => {
                wire::put_bytes(field.number, text.as_bytes(), out);
            }
            (Kind::Decimal, Value::String(text)) => {
                let decimal = crate::types::Decimal::parse(text);
                let Ok(decimal) = decimal else {
                    return wrong(format!("{name} = {} is no decimal", short(value)));
                };
                wire::put_bytes(field.number, decimal.atomics().to_string().as_bytes(), out);
            }
            (Kind::Bytes, Value::String(text)) => match base64(text) {
                Some(bytes) => wire::put_bytes(field.number, &bytes, out),
                None => return wrong(format!("{name} = {} is no base64", short(value))),
            },
            _ => return wrong(format!("{name} = {} is wrong: right is a text", short(value))),
        }
        Ok(())
    }

    fn any(&self, object: &Map<String, Value>, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let Some(Value::String(url)) = object.get("@type") else {
            return wrong("an Any needs its \"@type\"");
        };
        let Some(shape) = self.shapes.of_url(url).filter(|shape| shape.form == Form::Object) else {
            return wrong(format!("type {url} is not known here"));
        };
        let mut rest = object.clone();
        rest.remove("@type");
        let mut value = Vec::new();
        self.fields(shape, &rest, &mut value)?;
        wire::put_bytes(1, url.as_bytes(), out);
        wire::put_bytes(2, &value, out);
        Ok(())
    }

    fn boolean(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Bool(value) => Some(u64::from(*value)),
            Value::String(text) if self.source == Source::Parameters => match text.as_str() {
                "true" | "True" | "TRUE" | "t" | "1" => Some(1),
                "false" | "False" | "FALSE" | "f" | "0" => Some(0),
                _ => None,
            },
            _ => None,
        }
    }
}

/// An integer as a number or a text.
fn integer<T: TryFrom<i128>>(value: &Value) -> Option<T> {
    let value: i128 = match value {
        Value::Number(number) => number.as_i128()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    T::try_from(value).ok()
}

/// Either alphabet, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    // A plus in a query that was not escaped arrives as a space.
    let text = text.replace(' ', "+");
    let decode = |alphabet| GeneralPurpose::new(alphabet, config).decode(&text).ok();
    decode(&alphabet::STANDARD).or_else(|| decode(&alphabet::URL_SAFE))
}

/// A value as an error shows it.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
