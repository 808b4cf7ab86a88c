//! Wire ↔ engine types: the only file that names a protocol version.
//!
//! What the wire may say and the chain cannot (a negative height, a validator without an ed25519
//! key) is a [`Fault`]: CometBFT never sends it. Every event attribute is indexed.

use super::frame;
use crate::engine as own;
use crate::error::Fault;
use crate::state::Event;
use crate::types::{Hash, Height};
use prost::bytes::Bytes;
use prost::Message;
use rayon::prelude::*;

/// The wire's types, for the other files of this folder.
pub use tendermint_proto::v0_38::abci as wire;

use tendermint_proto::google::protobuf::{Duration, Timestamp};
use tendermint_proto::v0_38::crypto::{public_key, ProofOp, ProofOps, PublicKey};
use tendermint_proto::v0_38::types as params;

/// `RequestCheckTx.type` of a transaction checked again. Everything else is a first check: later
/// versions of CometBFT send 2 for it.
const RECHECK: i32 = 1;

fn height(value: i64) -> Result<Height, Fault> {
    let positive = u64::try_from(value).ok().filter(|value| *value > 0);
    positive.map(Height).ok_or_else(|| Fault::Consensus(format!("height {value} in a request")))
}

/// A height as the wire writes it.
fn signed(height: Height) -> i64 {
    i64::try_from(height.0).expect("heights come from CometBFT, which counts in i64")
}

fn time(stamp: Option<Timestamp>) -> own::Time {
    let stamp = stamp.unwrap_or_default();
    own::Time { seconds: stamp.seconds, nanos: stamp.nanos }
}

pub fn info(info: own::Info) -> wire::ResponseInfo {
    wire::ResponseInfo {
        data: "cyberd".to_owned(),
        version: info.version.to_owned(),
        app_version: info.app_version,
        last_block_height: signed(info.height),
        last_block_app_hash: info.app_hash.into(),
    }
}

pub fn genesis(request: wire::RequestInitChain) -> Result<own::Genesis, Fault> {
    let given = request.consensus_params;
    let given = given.ok_or_else(|| Fault::Genesis("consensus_params are missing".into()))?;
    let validators = request.validators.into_iter().map(validator);
    Ok(own::Genesis {
        chain_id: request.chain_id,
        time: time(request.time),
        initial_height: height(request.initial_height)?,
        consensus_params: consensus_params(given)?,
        validators: validators.collect::<Result<_, _>>()?,
        app_state: request.app_state_bytes,
    })
}

pub fn genesis_outcome(outcome: own::GenesisOutcome) -> wire::ResponseInitChain {
    wire::ResponseInitChain {
        consensus_params: outcome.consensus_params.map(wire_params),
        validators: outcome.validators.into_iter().map(wire_validator).collect(),
        app_hash: Bytes::copy_from_slice(&outcome.app_hash),
    }
}

fn validator(update: wire::ValidatorUpdate) -> Result<own::ValidatorUpdate, Fault> {
    let fault = |what: &str| Fault::Genesis(format!("a validator {what}"));
    let key = update.pub_key.and_then(|key| key.sum).ok_or_else(|| fault("without a key"))?;
    let public_key::Sum::Ed25519(key) = key else {
        return Err(fault("with a key that is not ed25519"));
    };
    let length = |key: Vec<u8>| fault(&format!("with a key of {} bytes", key.len()));
    Ok(own::ValidatorUpdate { public_key: key.try_into().map_err(length)?, power: update.power })
}

fn wire_validator(update: own::ValidatorUpdate) -> wire::ValidatorUpdate {
    let sum = Some(public_key::Sum::Ed25519(update.public_key.to_vec()));
    wire::ValidatorUpdate { pub_key: Some(PublicKey { sum }), power: update.power }
}

fn consensus_params(given: params::ConsensusParams) -> Result<own::ConsensusParams, Fault> {
    let missing = |part: &str| Fault::Genesis(format!("consensus_params.{part} is missing"));
    let block = given.block.ok_or_else(|| missing("block"))?;
    let evidence = given.evidence.ok_or_else(|| missing("evidence"))?;
    let age = evidence.max_age_duration.ok_or_else(|| missing("evidence.max_age_duration"))?;
    if age.nanos != 0 {
        let text = "consensus_params.evidence.max_age_duration must be whole seconds";
        return Err(Fault::Genesis(text.into()));
    }
    Ok(own::ConsensusParams {
        block_max_bytes: block.max_bytes,
        block_max_gas: block.max_gas,
        evidence_max_age_blocks: evidence.max_age_num_blocks,
        evidence_max_age_seconds: age.seconds,
        evidence_max_bytes: evidence.max_bytes,
        public_key_types: given.validator.ok_or_else(|| missing("validator"))?.pub_key_types,
        app_version: given.version.unwrap_or_default().app,
        vote_extensions_enable_height: given.abci.unwrap_or_default().vote_extensions_enable_height,
    })
}

fn wire_params(own: own::ConsensusParams) -> params::ConsensusParams {
    let age = Duration { seconds: own.evidence_max_age_seconds, nanos: 0 };
    params::ConsensusParams {
        block: Some(params::BlockParams {
            max_bytes: own.block_max_bytes,
            max_gas: own.block_max_gas,
        }),
        evidence: Some(params::EvidenceParams {
            max_age_num_blocks: own.evidence_max_age_blocks,
            max_age_duration: Some(age),
            max_bytes: own.evidence_max_bytes,
        }),
        validator: Some(params::ValidatorParams { pub_key_types: own.public_key_types }),
        version: Some(params::VersionParams { app: own.app_version }),
        abci: Some(params::AbciParams {
            vote_extensions_enable_height: own.vote_extensions_enable_height,
        }),
    }
}

pub fn check_request(request: wire::RequestCheckTx) -> own::CheckRequest {
    let kind = match request.r#type {
        RECHECK => own::CheckKind::Recheck,
        _ => own::CheckKind::New,
    };
    own::CheckRequest { tx: request.tx, kind }
}

pub fn checked(result: own::TxResult) -> wire::ResponseCheckTx {
    wire::ResponseCheckTx {
        code: result.code.number,
        data: result.data,
        log: result.log,
        info: String::new(),
        gas_wanted: result.gas_wanted,
        gas_used: result.gas_used,
        events: events(result.events),
        codespace: result.code.space.to_owned(),
    }
}

pub fn own_proposal(request: wire::RequestPrepareProposal) -> Result<own::Proposal, Fault> {
    let limit = request.max_tx_bytes;
    let max_tx_bytes =
        u64::try_from(limit).map_err(|_| Fault::Consensus(format!("max_tx_bytes {limit}")))?;
    Ok(own::Proposal {
        height: height(request.height)?,
        time: time(request.time),
        max_tx_bytes,
        txs: request.txs,
    })
}

pub fn others_proposal(request: wire::RequestProcessProposal) -> Result<own::Proposal, Fault> {
    Ok(own::Proposal {
        height: height(request.height)?,
        time: time(request.time),
        max_tx_bytes: 0,
        txs: request.txs,
    })
}

pub fn block(request: wire::RequestFinalizeBlock) -> Result<own::Block, Fault> {
    Ok(own::Block {
        height: height(request.height)?,
        time: time(request.time),
        proposer: request.proposer_address.to_vec(),
        txs: request.txs,
    })
}

pub fn block_outcome(outcome: own::BlockOutcome) -> wire::ResponseFinalizeBlock {
    wire::ResponseFinalizeBlock {
        events: events(outcome.events),
        tx_results: outcome.results.into_par_iter().map(delivered).collect(),
        validator_updates: outcome.validator_updates.into_iter().map(wire_validator).collect(),
        consensus_param_updates: outcome.consensus_params.map(wire_params),
        app_hash: Bytes::copy_from_slice(&outcome.app_hash),
    }
}

fn delivered(result: own::TxResult) -> wire::ExecTxResult {
    wire::ExecTxResult {
        code: result.code.number,
        data: result.data,
        log: result.log,
        info: String::new(),
        gas_wanted: result.gas_wanted,
        gas_used: result.gas_used,
        events: events(result.events),
        codespace: result.code.space.to_owned(),
    }
}

fn events(events: Vec<Event>) -> Vec<wire::Event> {
    let attribute = |(key, value): (&str, String)| wire::EventAttribute {
        key: key.to_owned(),
        value,
        index: true,
    };
    let event = |event: Event| wire::Event {
        r#type: event.kind.to_owned(),
        attributes: event.attributes.into_iter().map(attribute).collect(),
    };
    events.into_iter().map(event).collect()
}

/// An answer as it goes over the wire.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(message, optional, tag = "21")]
    finalize_block: Option<FinalizedBlock>,
}

/// `ResponseFinalizeBlock` with results that are encoded already: on the wire a message and bytes
/// are the same.
#[derive(Clone, PartialEq, prost::Message)]
struct FinalizedBlock {
    #[prost(message, repeated, tag = "1")]
    events: Vec<wire::Event>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    tx_results: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "3")]
    validator_updates: Vec<wire::ValidatorUpdate>,
    #[prost(message, optional, tag = "4")]
    consensus_param_updates: Option<params::ConsensusParams>,
    #[prost(bytes = "bytes", tag = "5")]
    app_hash: Bytes,
}

/// Puts an answer behind those waiting to be written. The results of a block, which may be tens of
/// megabytes, are encoded, and let go, on all cores.
pub fn put(answer: wire::response::Value, out: &mut Vec<u8>) {
    let block = match answer {
        wire::response::Value::FinalizeBlock(block) => block,
        other => return frame::put(&wire::Response { value: Some(other) }, out),
    };
    let encoded = |result: wire::ExecTxResult| result.encode_to_vec();
    let block = FinalizedBlock {
        events: block.events,
        tx_results: block.tx_results.into_par_iter().map(encoded).collect(),
        validator_updates: block.validator_updates,
        consensus_param_updates: block.consensus_param_updates,
        app_hash: block.app_hash,
    };
    frame::put(&Answer { finalize_block: Some(block) }, out);
}

pub fn committed(retain: Height) -> wire::ResponseCommit {
    wire::ResponseCommit { retain_height: signed(retain) }
}

pub fn query_request(request: wire::RequestQuery) -> own::QueryRequest {
    own::QueryRequest {
        path: request.path,
        data: request.data,
        height: request.height,
        prove: request.prove,
    }
}

pub fn query_answer(answer: own::QueryAnswer) -> wire::ResponseQuery {
    let proof = |(r#type, key, data)| ProofOp { r#type, key, data };
    let ops: Vec<_> = answer.proof.into_iter().map(proof).collect();
    wire::ResponseQuery {
        code: answer.code,
        log: answer.log,
        info: String::new(),
        index: 0,
        key: answer.key,
        value: answer.value,
        proof_ops: (!ops.is_empty()).then_some(ProofOps { ops }),
        height: answer.height,
        codespace: answer.codespace,
    }
}

/// The snapshot offered and the app hash its state must have.
pub fn offer(request: wire::RequestOfferSnapshot) -> Result<(own::Snapshot, Hash), Fault> {
    let fault = |what: &str| Fault::Consensus(format!("a snapshot offered {what}"));
    let offered = request.snapshot.ok_or_else(|| fault("without a snapshot"))?;
    let hash = request.app_hash.as_ref().try_into();
    let hash = hash.map_err(|_| fault("with an app hash that is not 32 bytes"))?;
    let snapshot = own::Snapshot {
        height: Height(offered.height),
        format: offered.format,
        chunks: offered.chunks,
        hash: offered.hash,
        metadata: offered.metadata,
    };
    Ok((snapshot, hash))
}

pub fn snapshot(own: own::Snapshot) -> wire::Snapshot {
    wire::Snapshot {
        height: own.height.0,
        format: own.format,
        chunks: own.chunks,
        hash: own.hash,
        metadata: own.metadata,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::code;

    fn parameters() -> params::ConsensusParams {
        wire_params(own::ConsensusParams {
            block_max_bytes: 1,
            block_max_gas: 2,
            evidence_max_age_blocks: 3,
            evidence_max_age_seconds: 4,
            evidence_max_bytes: 5,
            public_key_types: vec!["ed25519".into()],
            app_version: 1,
            vote_extensions_enable_height: 0,
        })
    }

    fn genesis_with(change: impl FnOnce(&mut wire::RequestInitChain)) -> Result<(), Fault> {
        let validator = wire_validator(own::ValidatorUpdate { public_key: [7; 32], power: 10 });
        let mut request = wire::RequestInitChain {
            chain_id: "test".into(),
            consensus_params: Some(parameters()),
            validators: vec![validator],
            initial_height: 1,
            ..Default::default()
        };
        change(&mut request);
        genesis(request).map(|_| ())
    }

    #[test]
    fn a_genesis_that_cannot_work_is_a_fault() {
        assert!(genesis_with(|_| ()).is_ok());
        assert!(genesis_with(|g| g.consensus_params = None).is_err());
        assert!(genesis_with(|g| g.initial_height = 0).is_err());
        assert!(genesis_with(|g| g.validators[0].pub_key = None).is_err());
        let secp = public_key::Sum::Secp256k1(vec![2; 33]);
        let key = PublicKey { sum: Some(secp) };
        assert!(genesis_with(|g| g.validators[0].pub_key = Some(key)).is_err());
        let nanos = Some(Duration { seconds: 1, nanos: 1 });
        let change = |g: &mut wire::RequestInitChain| {
            let params = g.consensus_params.as_mut().expect("set above");
            params.evidence.as_mut().expect("set above").max_age_duration = nanos;
        };
        assert!(genesis_with(change).is_err());
    }

    #[test]
    fn parameters_come_back_as_they_went() {
        let own = consensus_params(parameters()).expect("complete");
        assert_eq!(wire_params(own), parameters());
    }

    #[test]
    fn only_type_one_is_a_recheck() {
        for (number, kind) in [
            (0, own::CheckKind::New),
            (1, own::CheckKind::Recheck),
            (2, own::CheckKind::New),
            (-1, own::CheckKind::New),
        ] {
            let request = wire::RequestCheckTx { tx: Bytes::new(), r#type: number };
            assert_eq!(check_request(request).kind, kind);
        }
    }

    #[test]
    fn every_attribute_is_indexed_and_codes_keep_their_space() {
        let result = own::TxResult {
            code: code::LINK_EXISTS,
            data: Bytes::new(),
            log: "there".into(),
            gas_wanted: 1,
            gas_used: 2,
            events: vec![Event::new("cyberlink").with("neuron", "n").with("to", 5)],
        };
        let checked = checked(result.clone());
        assert_eq!((checked.codespace.as_str(), checked.code), ("graph", 2));
        assert!(checked.events[0].attributes.iter().all(|attribute| attribute.index));
        assert_eq!(checked.events, delivered(result).events);
    }

    #[test]
    fn a_block_is_written_as_the_wire_has_it() {
        let result = |number: i64| {
            let event = Event::new("cyberlink").with("neuron", "n").with("to", number);
            let log = "l".repeat(number as usize % 300);
            own::TxResult {
                code: code::OK,
                data: Bytes::from_static(b"d"),
                log,
                gas_wanted: number,
                gas_used: -number,
                events: vec![event; number as usize % 3],
            }
        };
        for count in [0, 1, 1_000] {
            let block = block_outcome(own::BlockOutcome {
                events: vec![Event::new("round").with("number", count)],
                results: (0..count).map(result).collect(),
                validator_updates: Vec::new(),
                consensus_params: None,
                app_hash: [7; 32],
            });
            let answer = wire::response::Value::FinalizeBlock(block);
            let (mut ours, mut theirs) = (vec![1], vec![1]);
            frame::put(&wire::Response { value: Some(answer.clone()) }, &mut theirs);
            put(answer, &mut ours);
            assert!(ours == theirs, "{count} results");
        }
    }

    #[test]
    fn heights_below_one_are_faults() {
        for bad in [0, -1, i64::MIN] {
            let request = wire::RequestFinalizeBlock { height: bad, ..Default::default() };
            assert!(block(request).is_err());
        }
    }
}
