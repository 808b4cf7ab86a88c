//! Results of transactions as `cosmos.base.abci.v1beta1.TxResponse`. Logs are built from the
//! events, whether the result carries a log of them or not.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use cyber_proto::cosmos::base::abci::v1beta1 as proto;
use cyber_proto::cosmos::tx::v1beta1::Tx;
use cyber_proto::tendermint::abci::{Event, EventAttribute};
use cyber_proto::Any;
use prost::{Message, Name};
use tendermint::abci;
use tendermint::Time;
use tendermint_rpc::endpoint::tx;

/// The response for a transaction in a block.
pub fn of_included(found: &tx::Response, time: Time) -> proto::TxResponse {
    let result = &found.tx_result;
    let events: Vec<Event> = result.events.iter().map(event).collect();
    let is_ok = result.code.is_ok();
    // The type hands on the text of the JSON, which is base64.
    let data = STANDARD.decode(&result.data).unwrap_or_else(|_| result.data.to_vec());
    proto::TxResponse {
        height: i64::try_from(found.height.value()).unwrap_or(i64::MAX),
        txhash: found.hash.to_string(),
        codespace: result.codespace.clone(),
        code: result.code.value(),
        data: hex::encode_upper(data),
        raw_log: result.log.clone(),
        logs: if is_ok { logs(&events) } else { Vec::new() },
        info: result.info.clone(),
        gas_wanted: result.gas_wanted,
        gas_used: result.gas_used,
        tx: Some(Any { type_url: Tx::type_url(), value: found.tx.clone() }),
        timestamp: seconds(time),
        events,
    }
}

/// A moment as Go's RFC 3339 has it, without fractions.
fn seconds(time: Time) -> String {
    let text = time.to_rfc3339();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

/// The transaction, for those who want it typed.
pub fn decoded(bytes: &[u8]) -> Option<Tx> {
    Tx::decode(bytes).ok()
}

fn event(event: &abci::Event) -> Event {
    let text = |text: Result<&str, _>| text.map(str::to_owned).unwrap_or_default();
    let attribute = |attribute: &abci::EventAttribute| EventAttribute {
        key: text(attribute.key_str()),
        value: text(attribute.value_str()),
        index: attribute.index(),
    };
    let attributes = event.attributes.iter().map(attribute).collect();
    Event { r#type: event.kind.clone(), attributes }
}

/// The events of each message: those from its `message` event with an action on.
pub fn logs(events: &[Event]) -> Vec<proto::AbciMessageLog> {
    let mut logs: Vec<proto::AbciMessageLog> = Vec::new();
    for event in events {
        let first = event.attributes.first();
        if event.r#type == "message" && first.is_some_and(|first| first.key == "action") {
            let msg_index = u32::try_from(logs.len()).unwrap_or(u32::MAX);
            logs.push(proto::AbciMessageLog { msg_index, ..Default::default() });
        }
        let Some(log) = logs.last_mut() else { continue };
        let shown = event.attributes.iter().filter(|attribute| attribute.key != "msg_index");
        let attribute =
            |it: &EventAttribute| proto::Attribute { key: it.key.clone(), value: it.value.clone() };
        let attributes = shown.map(attribute).collect();
        log.events.push(proto::StringEvent { r#type: event.r#type.clone(), attributes });
    }
    logs
}
