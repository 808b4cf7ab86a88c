//! What messages look like, in tables made once from the descriptors: fields in the order they are
//! declared, what JSON calls them and how it writes them.
//!
//! Options decide what the wire does not: `gogoproto.nullable` (an absent message is written with
//! its defaults), `cosmos_proto.scalar` (a text is a decimal).

use prost_reflect::{
    Cardinality, DescriptorPool, ExtensionDescriptor, FieldDescriptor, Kind as Wire,
    MessageDescriptor, Value,
};
use std::collections::BTreeMap;

/// All messages of the descriptors.
#[derive(Debug)]
pub struct Shapes {
    messages: Vec<Shape>,
    places: BTreeMap<String, usize>,
}

/// One message.
#[derive(Debug)]
pub struct Shape {
    /// With the package, without a leading point.
    pub name: String,
    pub form: Form,
    pub fields: Vec<Field>,
}

/// How JSON writes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Object,
    /// `google.protobuf.Any`: an object with `@type`.
    Any,
    /// Text as RFC 3339.
    Timestamp,
    /// Text, seconds with an `s`.
    Duration,
}

/// One field.
#[derive(Debug)]
pub struct Field {
    pub number: u32,
    /// As declared: `next_key`.
    pub name: String,
    /// The other spelling: `nextKey`.
    pub camel: String,
    pub kind: Kind,
    pub is_list: bool,
    /// Written only when it is set: one of several.
    pub is_choice: bool,
    /// An absent message is written with its defaults instead of as null.
    pub has_defaults: bool,
}

/// What a value is.
#[derive(Debug)]
pub enum Kind {
    Bool,
    /// Signed, two's complement, 32 bits.
    Int32,
    Int64,
    Uint32,
    Uint64,
    Text,
    /// A text with the integer of 18 decimals.
    Decimal,
    Bytes,
    /// Names by number.
    Enum(Vec<(i32, String)>),
    /// A place among the messages.
    Message(usize),
}

impl Shapes {
    /// The tables of a pool.
    ///
    /// # Panics
    /// For kinds of fields the chain does not use: floats, fixed widths, maps, groups.
    pub fn new(pool: &DescriptorPool) -> Shapes {
        let all: Vec<MessageDescriptor> = pool.all_messages().collect();
        let places: BTreeMap<String, usize> = (0..)
            .zip(&all)
            .map(|(place, message)| (message.full_name().to_owned(), place))
            .collect();
        let options = Options {
            nullable: pool.get_extension_by_name("gogoproto.nullable"),
            scalar: pool.get_extension_by_name("cosmos_proto.scalar"),
        };
        let messages = all.iter().map(|message| shape(message, &places, &options)).collect();
        Shapes { messages, places }
    }

    /// A message by its full name.
    pub fn find(&self, name: &str) -> Option<&Shape> {
        self.places.get(name).map(|place| &self.messages[*place])
    }

    /// A message by its place.
    pub fn at(&self, place: usize) -> &Shape {
        &self.messages[place]
    }

    /// A message by the URL of its type, such as `/cosmos.bank.v1beta1.MsgSend`.
    pub fn of_url(&self, url: &str) -> Option<&Shape> {
        self.find(url.rsplit('/').next().unwrap_or_default())
    }
}

impl Shape {
    /// A field by its name in either spelling.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name || field.camel == name)
    }
}

struct Options {
    nullable: Option<ExtensionDescriptor>,
    scalar: Option<ExtensionDescriptor>,
}

fn shape(
    message: &MessageDescriptor,
    places: &BTreeMap<String, usize>,
    options: &Options,
) -> Shape {
    let form = match message.full_name() {
        "google.protobuf.Any" => Form::Any,
        "google.protobuf.Timestamp" => Form::Timestamp,
        "google.protobuf.Duration" => Form::Duration,
        _ => Form::Object,
    };
    // Options and descriptors themselves are never in an answer.
    let is_own = !message.package_name().starts_with("google.") || form != Form::Object;
    let declared = message.descriptor_proto().field.iter().filter(|_| is_own);
    let fields = declared.map(|field| {
        let field = message.get_field_by_name(field.name()).expect("declared in this message");
        self::field(&field, places, options)
    });
    Shape { name: message.full_name().to_owned(), form, fields: fields.collect() }
}

fn field(field: &FieldDescriptor, places: &BTreeMap<String, usize>, options: &Options) -> Field {
    let own = field.options();
    let option = |extension: &Option<ExtensionDescriptor>| {
        let extension = extension.as_ref().filter(|extension| own.has_extension(extension))?;
        Some(own.get_extension(extension).into_owned())
    };
    let is_decimal = option(&options.scalar) == Some(Value::String("cosmos.Dec".to_owned()));
    let has_defaults = option(&options.nullable) == Some(Value::Bool(false));
    let kind = match field.kind() {
        Wire::Bool => Kind::Bool,
        Wire::Int32 => Kind::Int32,
        Wire::Int64 => Kind::Int64,
        Wire::Uint32 => Kind::Uint32,
        Wire::Uint64 => Kind::Uint64,
        Wire::String if is_decimal => Kind::Decimal,
        Wire::String => Kind::Text,
        Wire::Bytes => Kind::Bytes,
        Wire::Enum(of) => {
            Kind::Enum(of.values().map(|value| (value.number(), value.name().to_owned())).collect())
        }
        Wire::Message(of) => Kind::Message(places[of.full_name()]),
        other => panic!("{} is a {other:?}: JSON is not written for it", field.full_name()),
    };
    Field {
        number: field.number(),
        name: field.name().to_owned(),
        camel: field.json_name().to_owned(),
        kind,
        is_list: field.cardinality() == Cardinality::Repeated,
        is_choice: field.containing_oneof().is_some(),
        has_defaults,
    }
}
