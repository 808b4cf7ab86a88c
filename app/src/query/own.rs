//! `cyberd.v1`: what this chain answers beyond other Cosmos and Cyber software: its rounds, what
//! each changed, and the roots of its stores; in [`links`], [`neighbourhood`], [`preview`],
//! [`explain`] and [`proofs`] the graph, the price of a link, the reasons of a rank and proofs.

pub mod explain;
pub mod links;
pub mod neighbourhood;
pub mod preview;
pub mod proofs;

use super::{page, Context, QueryError, Status};
use crate::error::Fault;
use crate::store::deltas::Delta;
use crate::types::Height;
use cyber_proto::cyberd::v1::{
    QueryDeltasRequest, QueryDeltasResponse, QueryRootsRequest, QueryRootsResponse,
    QueryRoundsRequest, QueryRoundsResponse, RankDelta, Round, StoreRoot,
};
use prost::Message;

/// Records of published rounds, oldest first; `reverse`: newest first.
pub fn rounds(
    context: &Context<'_>,
    request: QueryRoundsRequest,
) -> Result<QueryRoundsResponse, QueryError> {
    let total = context.snapshot.rounds().into();
    let (places, pagination) = page::numbers(context, total, request.pagination.as_ref())
        .map_err(|error| error.or(QueryError::invalid))?;
    let rounds = places.into_iter().map(|place| {
        let place = u32::try_from(place).expect("below the number of rounds");
        record(context, place)
    });
    Ok(QueryRoundsResponse { rounds: rounds.collect(), pagination: Some(pagination) })
}

/// The record at a place of the log of rounds.
fn record(context: &Context<'_>, place: u32) -> Round {
    let bytes = context.snapshot.round(place).expect("below the number of rounds");
    Round::decode(bytes).expect("records were written by this software")
}

/// The ranks a round changed, by particle number.
pub fn deltas(
    context: &Context<'_>,
    request: QueryDeltasRequest,
) -> Result<QueryDeltasResponse, QueryError> {
    let place = place_of(context, request.round)?;
    let found = context.reader.deltas(place).map_err(internal)?;
    let Some(deltas) = found else {
        let text = format!("this node does not have the deltas of round {}", request.round);
        return Err(QueryError::not_found(text));
    };
    let total = deltas.len().into();
    let (wanted, pagination) = page::numbers(context, total, request.pagination.as_ref())
        .map_err(|error| error.or(QueryError::invalid))?;
    let number = |place: u64| u32::try_from(place).expect("below the number of deltas");
    let low = wanted.iter().min().copied().map_or(0, number);
    let high = wanted.iter().max().copied().map_or(0, |high| number(high) + 1);
    let mut rows = deltas.rows(low..high).map_err(internal)?;
    if wanted.first() > wanted.last() {
        rows.reverse();
    }
    let delta = |row: Delta| RankDelta {
        particle: context
            .snapshot
            .particle(row.particle)
            .map_or_else(String::new, |it| it.to_cid()),
        number: row.particle.0.into(),
        old_value: row.before,
        new_value: row.after,
    };
    let deltas = rows.into_iter().map(delta).collect();
    Ok(QueryDeltasResponse { deltas, pagination: Some(pagination) })
}

/// The place of a round in the log of rounds, whose records ascend without gaps.
fn place_of(context: &Context<'_>, round: u64) -> Result<u32, QueryError> {
    let rounds = context.snapshot.rounds();
    let first = (rounds > 0).then(|| record(context, 0).round);
    let place = first.and_then(|first| round.checked_sub(first));
    let place = place.and_then(|place| u32::try_from(place).ok()).filter(|place| *place < rounds);
    place.ok_or_else(|| QueryError::not_found(format!("there is no round {round}, of {rounds}")))
}

fn internal(fault: Fault) -> QueryError {
    QueryError::Status(Status::Internal, fault.to_string())
}

/// The roots of all stores at a height.
pub fn roots(
    context: &Context<'_>,
    request: QueryRootsRequest,
) -> Result<QueryRootsResponse, QueryError> {
    let height = match request.height {
        0 => context.snapshot.height(),
        height => Height(height),
    };
    let latest = context.reader.latest().height();
    if height > latest {
        let text = format!("height {height} is in the future, the latest is {latest}");
        return Err(QueryError::invalid(text));
    }
    let found = context.reader.roots(height).map_err(internal)?;
    let Some((app_hash, stores)) = found else {
        let text = format!("this node no longer has the roots of height {height}");
        return Err(QueryError::not_found(text));
    };
    let root = |(name, root): (String, crate::types::Hash)| StoreRoot { name, root: root.to_vec() };
    Ok(QueryRootsResponse {
        height: height.0,
        app_hash: app_hash.to_vec(),
        stores: stores.into_iter().map(root).collect(),
    })
}
