//! Simulation: what a transaction would do and cost if it came next.

use super::{Context, QueryError, Status};
use crate::engine::TxResult;
use crate::error::Refusal;
use crate::state::Event;
use base64::{engine::general_purpose::STANDARD, Engine};
use cyber_proto::cosmos::base::abci::v1beta1 as abci;
use cyber_proto::cosmos::tx::v1beta1 as proto;
use cyber_proto::cosmos::tx::v1beta1::{SimulateRequest, SimulateResponse};
use cyber_proto::tendermint::abci as tendermint;
use prost::bytes::Bytes;
use prost::Message;
use serde_json::{json, Value};

/// `cosmos.tx.v1beta1.Service/Simulate`.
pub fn simulate(
    context: &Context<'_>,
    request: SimulateRequest,
) -> Result<SimulateResponse, QueryError> {
    // Old clients send the transaction itself instead of its bytes.
    #[allow(deprecated, reason = "the field is served for as long as clients send it")]
    let whole = request.tx.map(|tx| tx.encode_to_vec());
    let bytes = match (request.tx_bytes.is_empty(), whole) {
        (true, Some(bytes)) => bytes,
        _ => request.tx_bytes,
    };
    if bytes.is_empty() {
        return Err(QueryError::invalid("empty txBytes is not allowed"));
    }
    let result = run(context, bytes.into())?;
    if !result.is_ok() {
        let TxResult { log, gas_wanted, gas_used, .. } = result;
        let text = format!("{log} With gas wanted: '{gas_wanted}' and gas used: '{gas_used}' ");
        return Err(QueryError::Status(Status::Unknown, text));
    }
    let gas_info = abci::GasInfo {
        gas_wanted: result.gas_wanted.unsigned_abs(),
        gas_used: result.gas_used.unsigned_abs(),
    };
    let responses = abci::TxMsgData::decode(&*result.data).expect("encoded by this software");
    let result = abci::Result {
        data: result.data.to_vec(),
        log: result.log,
        events: result.events.iter().map(event).collect(),
        msg_responses: responses.msg_responses,
    };
    Ok(SimulateResponse { gas_info: Some(gas_info), result: Some(result) })
}

/// The bytes of a transaction, taken apart as far as this chain takes transactions.
pub fn decode(
    context: &Context<'_>,
    request: proto::TxDecodeRequest,
) -> Result<proto::TxDecodeResponse, QueryError> {
    if request.tx_bytes.is_empty() {
        return Err(QueryError::invalid("invalid empty tx bytes"));
    }
    let prefix = context.chain().address_prefix;
    crate::tx::decode(request.tx_bytes.clone().into(), &prefix)
        .map_err(|refusal| QueryError::invalid(refusal.log))?;
    let tx = proto::Tx::decode(request.tx_bytes.as_slice());
    let tx = tx.map_err(|error| QueryError::invalid(error.to_string()))?;
    Ok(proto::TxDecodeResponse { tx: Some(tx) })
}

/// The bytes of a transaction: those of `TxRaw`, which has the same fields.
pub fn encode(
    _: &Context<'_>,
    request: proto::TxEncodeRequest,
) -> Result<proto::TxEncodeResponse, QueryError> {
    let tx = request.tx.ok_or_else(|| QueryError::invalid("invalid empty tx"))?;
    Ok(proto::TxEncodeResponse { tx_bytes: tx.encode_to_vec() })
}

/// `/app/simulate`: the same for the bytes of a transaction, in JSON.
pub fn simulate_json(context: &Context<'_>, bytes: &Bytes) -> Result<Vec<u8>, Refusal> {
    let result = run(context, bytes.clone()).map_err(|error| error.refusal())?;
    if !result.is_ok() {
        return Err(Refusal::new(result.code, result.log));
    }
    let responses = abci::TxMsgData::decode(&*result.data).expect("encoded by this software");
    let response = |any: &cyber_proto::Any| {
        let value = STANDARD.encode(&any.value);
        json!({"@type": any.type_url, "value": value})
    };
    let attribute =
        |(key, value): &(&str, String)| json!({"key": key, "value": value, "index": true});
    let event = |event: &Event| {
        let attributes: Vec<Value> = event.attributes.iter().map(attribute).collect();
        json!({"type": event.kind, "attributes": attributes})
    };
    let answer = json!({
        "gas_info": {
            "gas_wanted": result.gas_wanted.to_string(),
            "gas_used": result.gas_used.to_string(),
        },
        "result": {
            "data": STANDARD.encode(&result.data),
            "log": result.log,
            "events": result.events.iter().map(event).collect::<Vec<Value>>(),
            "msg_responses": responses.msg_responses.iter().map(response).collect::<Vec<Value>>(),
        },
    });
    Ok(answer.to_string().into_bytes())
}

fn run(context: &Context<'_>, bytes: Bytes) -> Result<TxResult, QueryError> {
    let Some(simulator) = context.simulator else {
        let text = "this node does not simulate transactions".to_owned();
        return Err(QueryError::Status(Status::Unavailable, text));
    };
    Ok(simulator(bytes))
}

fn event(event: &Event) -> tendermint::Event {
    let attribute = |(key, value): &(&str, String)| tendermint::EventAttribute {
        key: (*key).to_owned(),
        value: value.clone(),
        index: true,
    };
    tendermint::Event {
        r#type: event.kind.to_owned(),
        attributes: event.attributes.iter().map(attribute).collect(),
    }
}
