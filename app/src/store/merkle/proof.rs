//! Proofs from the app hash down to a key, a particle, a cyberlink, a rank or a round, as lists of
//! operations, and the checks a light client makes that trusts nothing but an app hash. The state
//! of height H is proven by the app hash in the header of H + 1.
//!
//! Operations, innermost first: (type, key, data).
//!
//! | type | key | data |
//! |---|---|---|
//! | `ics23:iavl` | key in the store | ICS 23 commitment proof, existence or absence |
//! | `cyberd:log` | index (8) | size (8) ‖ sibling hashes from the leaf up, numbers big endian |
//! | `ics23:simple` | name of the store or log | ICS 23 commitment proof of its root |
//!
//! The first and the last are those of the SDK's `/store/NAME/key`. A key absent from an empty
//! store is proven by `ics23:simple` alone: the root is SHA-256 of nothing. An empty value is
//! provable by no ICS 23 verifier, so stores hold none.

use super::hash::EMPTY;
use super::leaves::{self, LogName};
use super::log::{verify_inclusion, Inclusion};
use super::{simple, Tree};
use crate::state::Link;
use crate::types::{Hash, LinkNumber, Particle, ParticleNumber};
use ics23::{commitment_proof::Proof, CommitmentProof, HostFunctionsManager};
use prost::Message;

pub const IAVL: &str = "ics23:iavl";
pub const SIMPLE: &str = "ics23:simple";
pub const LOG: &str = "cyberd:log";

/// One operation: type, key, data.
pub type ProofOp = (String, Vec<u8>, Vec<u8>);

/// Why operations prove nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProofError {
    #[error("{got} proof operations ({kinds}) where {expected} is expected")]
    Operations { got: usize, kinds: String, expected: &'static str },
    #[error("{0}: the key of the operation is not what is to be proven")]
    Key(&'static str),
    #[error("{0}: data does not decode")]
    Data(&'static str),
    #[error("{0}: the proof does not lead to the expected root")]
    Mismatch(&'static str),
}

/// Proves a key of a store, or that it is not there.
///
/// # Panics
/// The store is one of `roots`, which holds the tree's root.
pub fn prove_key(
    tree: &Tree,
    key: &[u8],
    roots: &[(impl AsRef<str>, Hash)],
    store: &str,
) -> Vec<ProofOp> {
    let iavl = tree.prove(key).map(|proof| (IAVL.into(), key.to_vec(), proof.encode_to_vec()));
    iavl.into_iter().chain([prove_root(roots, store)]).collect()
}

/// Proves a leaf of a log (or a rank).
///
/// # Panics
/// The log is one of `roots`.
pub fn prove_leaf(
    inclusion: &Inclusion,
    roots: &[(impl AsRef<str>, Hash)],
    log: LogName,
) -> Vec<ProofOp> {
    let mut data = inclusion.size.to_be_bytes().to_vec();
    inclusion.path.iter().for_each(|hash| data.extend_from_slice(hash));
    let op = (LOG.to_owned(), inclusion.index.to_be_bytes().to_vec(), data);
    vec![op, prove_root(roots, log.name())]
}

fn prove_root(roots: &[(impl AsRef<str>, Hash)], name: &str) -> ProofOp {
    let proof = simple::prove(roots, name).expect("the store is under the app hash");
    (SIMPLE.into(), name.as_bytes().to_vec(), proof.encode_to_vec())
}

/// Checks that a key of a store has the value, or with none that it is not there.
pub fn verify_key(
    app_hash: &Hash,
    store: &str,
    key: &[u8],
    value: Option<&[u8]>,
    ops: &[ProofOp],
) -> Result<(), ProofError> {
    if let ([op], None) = (ops, value) {
        let root = verify_root(app_hash, store, op)?;
        return if root == EMPTY { Ok(()) } else { Err(ProofError::Mismatch(IAVL)) };
    }
    let [op, root] = ops else { return Err(operations(ops, "ics23:iavl, ics23:simple")) };
    let root = verify_root(app_hash, store, root)?.to_vec();
    let proof = commitment(op, IAVL, key)?;
    let spec = ics23::iavl_spec();
    let proven = match value {
        Some(value) => {
            ics23::verify_membership::<HostFunctionsManager>(&proof, &spec, &root, key, value)
        }
        None => ics23::verify_non_membership::<HostFunctionsManager>(&proof, &spec, &root, key),
    };
    proven.then_some(()).ok_or(ProofError::Mismatch(IAVL))
}

/// Checks that a particle has its number.
pub fn verify_particle(
    app_hash: &Hash,
    number: ParticleNumber,
    particle: &Particle,
    ops: &[ProofOp],
) -> Result<(), ProofError> {
    let leaf = leaves::particle(particle);
    verify_leaf(app_hash, LogName::Particles, number.0.into(), &leaf, ops)
}

/// Checks that a cyberlink has its number: this neuron made it at this height.
pub fn verify_link(
    app_hash: &Hash,
    number: LinkNumber,
    link: &Link,
    ops: &[ProofOp],
) -> Result<(), ProofError> {
    verify_leaf(app_hash, LogName::Cyberlinks, number.0.into(), &leaves::link(link), ops)
}

/// Checks that a particle has the published rank value.
pub fn verify_rank(
    app_hash: &Hash,
    particle: ParticleNumber,
    value: u64,
    ops: &[ProofOp],
) -> Result<(), ProofError> {
    verify_leaf(app_hash, LogName::Ranks, particle.0.into(), &leaves::rank(value), ops)
}

/// Checks that the record of a round stands at an index (from 0) of the log of rounds.
pub fn verify_round(
    app_hash: &Hash,
    index: u64,
    record: &[u8],
    ops: &[ProofOp],
) -> Result<(), ProofError> {
    verify_leaf(app_hash, LogName::Rounds, index, record, ops)
}

fn verify_leaf(
    app_hash: &Hash,
    log: LogName,
    index: u64,
    leaf: &[u8],
    ops: &[ProofOp],
) -> Result<(), ProofError> {
    let [(kind, key, data), root] = ops else {
        return Err(operations(ops, "cyberd:log, ics23:simple"));
    };
    if kind != LOG {
        return Err(operations(ops, "cyberd:log, ics23:simple"));
    }
    let root = verify_root(app_hash, log.name(), root)?;
    if *key != index.to_be_bytes() {
        return Err(ProofError::Key(LOG));
    }
    let (size, path) = data.split_first_chunk().ok_or(ProofError::Data(LOG))?;
    if path.len() % 32 != 0 {
        return Err(ProofError::Data(LOG));
    }
    let path: Vec<Hash> =
        path.chunks_exact(32).map(|hash| hash.try_into().expect("32 bytes")).collect();
    verify_inclusion(&root, u64::from_be_bytes(*size), index, leaf, &path)
        .then_some(())
        .ok_or(ProofError::Mismatch(LOG))
}

/// The root of a store that the app hash commits to.
fn verify_root(app_hash: &Hash, name: &str, op: &ProofOp) -> Result<Hash, ProofError> {
    let proof = commitment(op, SIMPLE, name.as_bytes())?;
    let Some(Proof::Exist(exist)) = &proof.proof else { return Err(ProofError::Data(SIMPLE)) };
    let root = Hash::try_from(exist.value.as_slice()).map_err(|_| ProofError::Data(SIMPLE))?;
    let (spec, key) = (ics23::tendermint_spec(), name.as_bytes());
    let app_hash = app_hash.to_vec();
    ics23::verify_membership::<HostFunctionsManager>(&proof, &spec, &app_hash, key, &root)
        .then_some(root)
        .ok_or(ProofError::Mismatch(SIMPLE))
}

/// The proof in an operation of a kind for a key.
fn commitment(
    op: &ProofOp,
    kind: &'static str,
    expected: &[u8],
) -> Result<CommitmentProof, ProofError> {
    let (got, key, data) = op;
    if got != kind {
        return Err(operations(std::slice::from_ref(op), kind));
    }
    if key != expected {
        return Err(ProofError::Key(kind));
    }
    CommitmentProof::decode(data.as_slice()).map_err(|_| ProofError::Data(kind))
}

fn operations(ops: &[ProofOp], expected: &'static str) -> ProofError {
    let kinds: Vec<&str> = ops.iter().map(|(kind, _, _)| kind.as_str()).collect();
    ProofError::Operations { got: ops.len(), kinds: kinds.join(", "), expected }
}

#[cfg(test)]
mod tests;
