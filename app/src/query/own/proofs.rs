//! Several values with their proofs in one answer.

use super::super::{store, Context, QueryError};
use super::links::existing;
use crate::engine::QueryRequest;
use crate::error::{code, Refusal};
use crate::types::Height;
use cyber_proto::cyberd::v1 as proto;

/// Keys asked for at once.
const KEYS_MAX: usize = 100;

/// Values and proofs, in the order of the request.
pub fn proofs(
    context: &Context<'_>,
    request: proto::QueryProofsRequest,
) -> Result<proto::QueryProofsResponse, QueryError> {
    let mut keys = request.keys;
    if !request.store.is_empty() {
        keys.push(proto::ProofKey { store: request.store, key: request.key, ..Default::default() });
    }
    let asked = keys.len();
    if asked == 0 || asked > KEYS_MAX {
        let text = format!("{asked} keys asked for, 1 to {KEYS_MAX} at once are right");
        return Err(QueryError::invalid(text));
    }
    let height = context.snapshot.height();
    if height <= Height(1) {
        return Err(QueryError::invalid("proofs begin with height 2"));
    }
    let mut proofs = Vec::with_capacity(asked);
    for (step, wanted) in keys.into_iter().enumerate() {
        context.deadline.check_step(step)?;
        proofs.push(prove(context, wanted)?);
    }
    let app_hash = context.snapshot.app_hash().to_vec();
    Ok(proto::QueryProofsResponse { height: height.0, app_hash, proofs })
}

fn prove(context: &Context<'_>, wanted: proto::ProofKey) -> Result<proto::Proof, QueryError> {
    let proto::ProofKey { store: name, key, particle } = wanted;
    let key = match particle.as_str() {
        "" => key,
        cid => u64::from(existing(context, cid)?.0).to_be_bytes().to_vec(),
    };
    let request =
        QueryRequest { path: String::new(), data: key.clone().into(), height: 0, prove: true };
    let found = store::answer(context, &name, "key", &request).map_err(refused)?;
    let op = |(r#type, key, data)| proto::ProofOp { r#type, key, data };
    let ops = found.proof.into_iter().map(op).collect();
    Ok(proto::Proof { store: name, key, value: found.value, ops })
}

/// The refusals of `/store` paths in the statuses of this service.
fn refused(Refusal { code, log }: Refusal) -> QueryError {
    match code {
        code::KEY_NOT_FOUND => QueryError::not_found(log.trim_end_matches(": key not found")),
        _ => QueryError::invalid(log.trim_end_matches(": invalid request")),
    }
}
