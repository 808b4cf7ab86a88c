//! From a message to its handler: everything the chain does, on one screen.

use crate::error::Refusal;
use crate::modules::{bank, graph};
use crate::state::Overlay;
use crate::tx::Msg;
use crate::types::Height;
use cyber_proto::cyber::graph::v1beta1::MsgCyberlinkResponse;
use prost::Message;

/// Runs a message; the answer is its encoded response.
pub fn route(
    state: &mut Overlay<'_>,
    message: &Msg,
    prefix: &str,
    height: Height,
) -> Result<Vec<u8>, Refusal> {
    match message {
        Msg::Send(send) => {
            bank::handler::send(state, send, prefix)?;
            Ok(Vec::new())
        }
        Msg::Cyberlink(links) => {
            let accepted = graph::handler::cyberlink(state, links, prefix, height)?;
            let mut response = MsgCyberlinkResponse::default();
            if links.skip_existing {
                response.accepted = accepted.accepted;
                response.skipped = accepted.skipped;
            }
            Ok(response.encode_to_vec())
        }
    }
}
