//! Transactions: bytes become typed messages and signatures are checked, no state read.
//!
//! [`decode`](decode()) reads the bytes strictly, [`Tx`] says what they hold and which stateless
//! rules they break, [`verify`] checks one signature with what the state knows of its signer.
//! [`message`] lists every message the chain accepts.

mod decode;
mod json;
mod key;
pub mod message;
mod signbytes;
mod wire;

#[cfg(test)]
mod tests;

pub use decode::{decode, decode_simulation, Fee, SignerInfo, Tx};
pub use key::{BitArray, Mode, Multisig, PublicKey, SignMode};
pub use message::{Kind, Link, Msg, MsgCyberlink, MsgSend};
pub use signbytes::{verify, Signed};
