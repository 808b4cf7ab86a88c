//! `/store/NAME/key`: a value by its key, with a proof from the app hash down if one is wanted;
//! `/store/NAME/subspace`: the keys with a prefix.
//!
//! Besides the key-value stores there are the logs: `particles`, `cyberlinks`, `ranks`, `rounds`,
//! where the key is an index of eight bytes, big endian, and the value the leaf. Proofs are those
//! of [`crate::store::merkle::proof`], which also checks them. The state of a height is proven by
//! the header of the next one.

use super::Context;
use crate::engine::QueryRequest;
use crate::error::{code, Code, Refusal};
use crate::state::{prefix_end, Read, StoreName};
use crate::store::merkle::leaves::{self, LogName};
use crate::store::merkle::proof::ProofOp;
use crate::types::{LinkNumber, ParticleNumber};
use prost::Message;

/// Ranks are proven for so many of the latest heights.
const RANK_HEIGHTS: u64 = 10;

/// A value, empty where there is none, and its proof if it was asked for.
pub struct Found {
    pub value: Vec<u8>,
    pub proof: Vec<ProofOp>,
}

/// `cosmos.store.v1beta1`'s list of keys and values.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Pairs {
    #[prost(message, repeated, tag = "1")]
    pub pairs: Vec<Pair>,
}

/// One of them.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Pair {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// Answers `/store/NAME/KIND`.
pub fn answer(
    context: &Context<'_>,
    name: &str,
    kind: &str,
    request: &QueryRequest,
) -> Result<Found, Refusal> {
    let data: &[u8] = &request.data;
    if data.is_empty() {
        return refuse(code::TX_PARSE, "query cannot be zero length: tx parse error");
    }
    let store = StoreName::ALL.into_iter().find(|store| store.name() == name);
    let log = LogName::ALL.into_iter().find(|log| log.name() == name);
    match (store, log, kind) {
        (Some(store), _, "key") => Ok(key(context, store, data, request.prove)),
        (Some(store), _, "subspace") => subspace(context, store, data),
        (_, Some(log), "key") => leaf(context, log, data, request.prove),
        _ => {
            let text = format!("no such store: {name}/{kind}: unknown request");
            refuse(code::UNKNOWN_REQUEST, text)
        }
    }
}

fn key(context: &Context<'_>, store: StoreName, key: &[u8], prove: bool) -> Found {
    let snapshot = context.snapshot;
    let value = snapshot.get(store, key).unwrap_or_default().to_vec();
    let proof = if prove { snapshot.prove_key(store, key) } else { Vec::new() };
    Found { value, proof }
}

fn subspace(context: &Context<'_>, store: StoreName, prefix: &[u8]) -> Result<Found, Refusal> {
    let (rows_max, bytes_max) = (context.limits.rows_max, context.limits.bytes_max);
    let (mut found, mut bytes) = (Pairs::default(), 0);
    let end = prefix_end(prefix);
    let mut fits = true;
    context.snapshot.scan(store, prefix, end.as_deref(), &mut |key, value| {
        bytes += key.len() + value.len() + 16;
        fits = found.pairs.len() < rows_max && bytes <= bytes_max;
        found.pairs.push(Pair { key: key.to_vec(), value: value.to_vec() });
        fits
    });
    if !fits {
        let text = format!(
            "more than {rows_max} keys or {bytes_max} bytes begin with {}, ask with a longer \
             prefix: invalid request",
            hex::encode(prefix)
        );
        return refuse(code::INVALID_REQUEST, text);
    }
    Ok(Found { value: found.encode_to_vec(), proof: Vec::new() })
}

/// A leaf of a log by its index.
fn leaf(context: &Context<'_>, log: LogName, key: &[u8], prove: bool) -> Result<Found, Refusal> {
    let (snapshot, name) = (context.snapshot, log.name());
    let Ok(index) = <[u8; 8]>::try_from(key).map(u64::from_be_bytes) else {
        let text = format!(
            "a key of '{name}' is an index of 8 bytes, big endian, not {}: invalid request",
            hex::encode(key)
        );
        return refuse(code::INVALID_REQUEST, text);
    };
    if log == LogName::Ranks {
        check_rank_height(context)?;
    }
    // No log has 2^32 leaves, so the greatest number is in none.
    let number = u32::try_from(index).unwrap_or(u32::MAX);
    let (particle, link) = (ParticleNumber(number), LinkNumber(number));
    let value = match log {
        LogName::Particles => snapshot.particle(particle).map(|it| leaves::particle(&it).to_vec()),
        LogName::Cyberlinks => snapshot.link(link).map(|it| leaves::link(&it)),
        LogName::Ranks => snapshot.rank().value(particle).map(|it| leaves::rank(it).to_vec()),
        LogName::Rounds => snapshot.round(number).map(<[u8]>::to_vec),
    };
    let Some(value) = value else {
        let height = snapshot.height();
        let text = format!("'{name}' has no index {index} at height {height}: key not found");
        return refuse(code::KEY_NOT_FOUND, text);
    };
    let proof = prove.then(|| match log {
        LogName::Particles => snapshot.prove_particle(particle),
        LogName::Cyberlinks => snapshot.prove_link(link),
        LogName::Ranks => snapshot.prove_rank(particle),
        LogName::Rounds => snapshot.prove_round(number),
    });
    Ok(Found { value, proof: proof.flatten().unwrap_or_default() })
}

fn check_rank_height(context: &Context<'_>) -> Result<(), Refusal> {
    let (height, latest) = (context.snapshot.height(), context.reader.latest().height());
    if latest.0.saturating_sub(height.0) < RANK_HEIGHTS {
        return Ok(());
    }
    let text = format!(
        "ranks are proven for the last {RANK_HEIGHTS} heights, the latest is {latest}, asked for \
         {height}: invalid request"
    );
    refuse(code::INVALID_REQUEST, text)
}

fn refuse<T>(code: Code, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(code, text))
}
