//! One transaction of a block: admit, run every message, keep or drop.

use super::route;
use super::TxResult;
use crate::ante::{self, Budget, Context};
use crate::error::{code, Refusal};
use crate::modules::bandwidth;
use crate::state::{Event, Overlay, Write};
use crate::tx::Tx;
use cyber_proto::cosmos::base::abci::v1beta1::TxMsgData;
use cyber_proto::Any;
use prost::bytes::Bytes;
use prost::Message;

/// Success logs are JSON up to this many links and bytes, else empty; they are not hashed.
const LOG_LINKS_MAX: usize = 16;
const LOG_BYTES_MAX: usize = 8 * 1024;

/// A transaction's result, and the raw units of bandwidth it was charged.
pub struct Delivered {
    pub result: TxResult,
    pub raw_units: u64,
}

/// Runs a transaction on top of the block's overlay. A refusal at the door changes nothing; a
/// message that fails takes all messages of the transaction with it, while the charge and the
/// sequence stay.
pub fn deliver_tx(
    block: &mut Overlay<'_>,
    tx: &Result<Tx, Refusal>,
    context: &Context<'_>,
    budget: &mut Budget,
) -> Delivered {
    let tx = match tx {
        Ok(tx) => tx,
        Err(refusal) => {
            let result = TxResult::refused(refusal.clone(), 0, 0);
            return Delivered { result, raw_units: 0 };
        }
    };
    let gas_wanted = signed(tx.fee.gas_limit);
    let mut door = Overlay::new(&*block);
    let admitted = match ante::admit(&mut door, tx, context, budget) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            let used = signed(tx.size_gas());
            return Delivered {
                result: TxResult::refused(refusal, gas_wanted, used),
                raw_units: 0,
            };
        }
    };
    let (gas_used, raw_units) = (signed(tx.gas()), admitted.raw_units());
    let mut events = door.take_events();
    let mut inner = Overlay::new(&door);
    let ran = run_messages(&mut inner, admitted.tx(), context);
    let mut changes = inner.into_changes();
    let result = match ran {
        Ok(data) => {
            let of_messages = std::mem::take(&mut changes.events);
            door.apply(changes);
            let log = success_log(&of_messages);
            events.extend(of_messages);
            TxResult { code: code::OK, data, log, gas_wanted, gas_used, events }
        }
        Err(Refusal { code, log }) => {
            TxResult { code, data: Bytes::new(), log, gas_wanted, gas_used, events }
        }
    };
    bandwidth::hooks::stake_moved(&mut door, &*block, context.rules, context.height);
    let changes = door.into_changes();
    block.apply(changes);
    Delivered { result, raw_units }
}

/// Runs every message in order and encodes their responses.
fn run_messages(state: &mut Overlay<'_>, tx: &Tx, context: &Context<'_>) -> Result<Bytes, Refusal> {
    let prefix = &context.rules.chain.address_prefix;
    let mut data = TxMsgData::default();
    for (index, message) in tx.messages.iter().enumerate() {
        let sender = message.signers()[0].to_bech32(prefix);
        let mut before = state.take_events();
        let ran = route::route(state, message, prefix, context.height);
        let response = ran.map_err(|refusal| {
            refusal.within(format_args!("failed to execute message; message index: {index}"))
        })?;
        let handled = state.take_events();
        let mut action = Event::new("message").with("action", message.kind().type_url);
        action = action.with("sender", sender);
        if !handled.iter().any(names_its_module) {
            action = action.with("module", message.kind().module);
        }
        before.push(action);
        before.extend(handled);
        before
            .into_iter()
            .map(|event| with_index(event, index))
            .for_each(|event| state.emit(event));
        let type_url = message.kind().response_url.to_owned();
        data.msg_responses.push(Any { type_url, value: response });
    }
    Ok(data.encode_to_vec().into())
}

fn names_its_module(event: &Event) -> bool {
    event.kind == "message" && event.attributes.iter().any(|(key, _)| *key == "module")
}

/// `msg_index` stands in `message` events only, as SDK 0.50 has it.
fn with_index(event: Event, index: usize) -> Event {
    let has = event.attributes.iter().any(|(key, _)| *key == "msg_index");
    match event.kind == "message" && !has {
        true => event.with("msg_index", index),
        false => event,
    }
}

/// A message's part of a success log.
#[derive(serde::Serialize)]
struct MessageLog<'a> {
    msg_index: usize,
    events: Vec<EventLog<'a>>,
}

#[derive(serde::Serialize)]
struct EventLog<'a> {
    r#type: &'a str,
    attributes: Vec<AttributeLog<'a>>,
}

#[derive(serde::Serialize)]
struct AttributeLog<'a> {
    key: &'a str,
    value: &'a str,
}

/// The log of SDK 0.47: the events of each message, as JSON.
fn success_log(events: &[Event]) -> String {
    let is_link = |event: &&Event| {
        event.kind == "cyberlink" && event.attributes.iter().any(|(key, _)| *key == "particleTo")
    };
    if events.iter().filter(is_link).count() > LOG_LINKS_MAX {
        return String::new();
    }
    let mut messages: Vec<MessageLog<'_>> = Vec::new();
    for event in events {
        let action = event.attributes.first().is_some_and(|(key, _)| *key == "action");
        if event.kind == "message" && action {
            messages.push(MessageLog { msg_index: messages.len(), events: Vec::new() });
        }
        let shown = event.attributes.iter().filter(|(key, _)| *key != "msg_index");
        let attributes = shown.map(|(key, value)| AttributeLog { key, value }).collect();
        if let Some(message) = messages.last_mut() {
            message.events.push(EventLog { r#type: event.kind, attributes });
        }
    }
    let log = serde_json::to_string(&messages).expect("texts become JSON");
    match log.len() > LOG_BYTES_MAX {
        true => String::new(),
        false => log,
    }
}

/// Gas as ABCI carries it.
pub fn signed(gas: u64) -> i64 {
    i64::try_from(gas).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(count: usize, bytes: usize) -> Vec<Event> {
        let link = || Event::new("cyberlink").with("particleTo", "Q".repeat(bytes));
        let mut events = vec![Event::new("message").with("action", "/a").with("msg_index", 0)];
        events.extend((0..count).map(|_| link()));
        events
    }

    #[test]
    fn success_logs_end_at_sixteen_links_or_eight_kilobytes() {
        let log = success_log(&links(16, 46));
        let json: serde_json::Value = serde_json::from_str(&log).expect("JSON");
        assert_eq!(json[0]["events"].as_array().map(Vec::len), Some(17));
        assert_eq!(json[0]["events"][0]["attributes"].as_array().map(Vec::len), Some(1));
        assert_eq!(success_log(&links(17, 46)), "");
        assert_eq!(success_log(&links(10, 1_000)), "");
    }
}
