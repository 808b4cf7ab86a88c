//! The messages of the chain: everything it accepts stands in one table.
//!
//! A new message is a variant of [`Msg`], a file below this one with its reading and its stateless
//! checks, a row of [`KINDS`] and the arms the compiler then asks for. Deliberately absent:
//! messages inside messages, and any look at the state.

mod cyberlink;
mod send;

pub use cyberlink::{Link, MsgCyberlink};
pub use send::MsgSend;

use crate::error::Refusal;
use crate::tx::json;
use crate::tx::wire::WireFault;
use crate::types::Address;

/// A message whose stateless checks passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Msg {
    Send(MsgSend),
    Cyberlink(MsgCyberlink),
}

/// What the chain knows about one type of message.
pub struct Kind {
    /// Its type URL.
    pub type_url: &'static str,
    /// The type URL of its response.
    pub response_url: &'static str,
    /// The second word of the type URL: `module` in events that handlers leave to the router.
    pub module: &'static str,
    /// Its names in amino JSON, the usual one first: software disagrees, and each name commits to
    /// the same fields.
    pub amino_names: &'static [&'static str],
    /// Gas of a message and of each item in it ([`Msg::items`]).
    pub gas: u64,
    pub gas_per_item: u64,
    read: Reader,
}

/// Reads a message from its bytes and the chain's address prefix: bytes that are no such message
/// are a fault, one that breaks a rule of its own a refusal.
type Reader = fn(&[u8], &str) -> Reading;
type Reading = Result<Result<Msg, Refusal>, WireFault>;

/// Every message the chain accepts.
pub static KINDS: [&Kind; 2] = [&SEND, &CYBERLINK];

static SEND: Kind = Kind {
    type_url: "/cosmos.bank.v1beta1.MsgSend",
    response_url: "/cosmos.bank.v1beta1.MsgSendResponse",
    module: "bank",
    amino_names: &["cosmos-sdk/MsgSend"],
    gas: 0,
    gas_per_item: 20_000,
    read: send::read,
};

static CYBERLINK: Kind = Kind {
    type_url: "/cyber.graph.v1beta1.MsgCyberlink",
    response_url: "/cyber.graph.v1beta1.MsgCyberlinkResponse",
    module: "graph",
    amino_names: &["cyber/MsgCyberlink", "/cyber.graph.v1beta1.MsgCyberlink"],
    gas: 1_000,
    gas_per_item: 100,
    read: cyberlink::read,
};

impl Msg {
    /// The message's row of the table.
    pub fn kind(&self) -> &'static Kind {
        match self {
            Msg::Send(_) => &SEND,
            Msg::Cyberlink(_) => &CYBERLINK,
        }
    }

    /// Whose signatures it needs, in order.
    pub fn signers(&self) -> &[Address] {
        match self {
            Msg::Send(send) => std::slice::from_ref(&send.from),
            Msg::Cyberlink(cyberlink) => std::slice::from_ref(&cyberlink.neuron),
        }
    }

    /// How many coins or links it holds.
    pub fn items(&self) -> usize {
        match self {
            Msg::Send(send) => send.amount.as_slice().len(),
            Msg::Cyberlink(cyberlink) => cyberlink.links.len(),
        }
    }

    /// The gas it uses, besides what its transaction's bytes and signatures use.
    pub fn gas(&self) -> u64 {
        let kind = self.kind();
        kind.gas + kind.gas_per_item * self.items() as u64
    }

    /// Writes `{"type":…,"value":…}` with the amino name of a dialect: the n-th name, or the last
    /// where a message has fewer.
    pub(super) fn write_amino(&self, dialect: usize, prefix: &str, out: &mut json::Writer) {
        let names = self.kind().amino_names;
        out.raw("{\"type\":").text(names[dialect.min(names.len() - 1)]).raw(",\"value\":");
        match self {
            Msg::Send(send) => send.write_amino(prefix, out),
            Msg::Cyberlink(cyberlink) => cyberlink.write_amino(prefix, out),
        }
        out.raw("}");
    }
}

/// Reads a message of the given type URL.
pub(super) fn read(
    url: &str,
    value: &[u8],
    prefix: &str,
) -> Result<Result<Msg, Refusal>, WireFault> {
    match KINDS.iter().find(|kind| kind.type_url == url) {
        Some(kind) => (kind.read)(value, prefix),
        None => Err(WireFault::new(format!("unable to resolve type URL {url}"))),
    }
}
