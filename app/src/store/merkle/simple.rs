//! The app hash: the multistore form that Cosmos light clients know. An RFC 6962 tree over the
//! stores in order of their names, leaf = length of name ‖ name ‖ 32 ‖ SHA-256(root), lengths as
//! varints; proofs verify with ics23's tendermint specification.

use super::hash::put_unsigned;
use super::rfc6962;
use crate::types::{sha256, Hash};
use ics23::{commitment_proof::Proof, CommitmentProof, ExistenceProof};
use ics23::{HashOp, InnerOp, LeafOp, LengthOp};

/// The stores and logs under the app hash, in order.
pub const NAMES: [&str; 10] = [
    "acc",
    "bandwidth",
    "bank",
    "cyberlinks",
    "graph",
    "params",
    "particles",
    "rank",
    "ranks",
    "rounds",
];

/// The app hash over the roots of the stores.
///
/// # Panics
/// The names ascend.
pub fn app_hash(roots: &[(impl AsRef<str>, Hash)]) -> Hash {
    let leaves = leaf_hashes(roots);
    rfc6962::root(leaves.len() as u64, &|level, position| subtree(&leaves, level, position))
}

/// The proof that a store has its root in the app hash; `None` if there is no such store.
///
/// # Panics
/// The names ascend.
pub fn prove(roots: &[(impl AsRef<str>, Hash)], name: &str) -> Option<CommitmentProof> {
    let leaves = leaf_hashes(roots);
    let index = roots.iter().position(|(store, _)| store.as_ref() == name)?;
    let subtrees = |level: u32, position: u64| subtree(&leaves, level, position);
    let path = rfc6962::audit_path(index as u64, leaves.len() as u64, &subtrees);
    let proof = ExistenceProof {
        key: name.as_bytes().to_vec(),
        value: roots[index].1.to_vec(),
        leaf: Some(LeafOp {
            hash: HashOp::Sha256.into(),
            prehash_key: HashOp::NoHash.into(),
            prehash_value: HashOp::Sha256.into(),
            length: LengthOp::VarProto.into(),
            prefix: vec![0],
        }),
        path: steps(index, leaves.len(), &path),
    };
    Some(CommitmentProof { proof: Some(Proof::Exist(proof)) })
}

/// An audit path as ICS 23 writes it: what stands before and after the child at each step.
fn steps(index: usize, size: usize, path: &[Hash]) -> Vec<InnerOp> {
    let (mut at, mut last, mut path) = (index, size - 1, path.iter());
    let mut steps = Vec::new();
    while last > 0 {
        let is_right = at & 1 == 1;
        if is_right || at < last {
            let sibling = path.next().expect("one hash for each step of an audit path");
            let (mut prefix, mut suffix) = (vec![1], Vec::new());
            if is_right { &mut prefix } else { &mut suffix }.extend_from_slice(sibling);
            steps.push(InnerOp { hash: HashOp::Sha256.into(), prefix, suffix });
        }
        (at, last) = (at >> 1, last >> 1);
    }
    steps
}

fn leaf_hashes(roots: &[(impl AsRef<str>, Hash)]) -> Vec<Hash> {
    let ascending = roots.windows(2).all(|pair| pair[0].0.as_ref() < pair[1].0.as_ref());
    assert!(ascending, "stores stand in the order of their names");
    roots.iter().map(|(name, root)| leaf_hash(name.as_ref(), root)).collect()
}

fn leaf_hash(name: &str, root: &Hash) -> Hash {
    let mut bytes = Vec::with_capacity(name.len() + 34);
    for part in [name.as_bytes(), &sha256(root)] {
        put_unsigned(&mut bytes, part.len() as u64);
        bytes.extend_from_slice(part);
    }
    rfc6962::leaf(&bytes)
}

fn subtree(leaves: &[Hash], level: u32, position: u64) -> Hash {
    let from = (position as usize) << level;
    rfc6962::perfect_root(leaves[from..from + (1 << level)].to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::leaves::LogName;
    use super::*;
    use crate::state::StoreName;

    #[test]
    fn every_store_and_log_is_under_the_app_hash() {
        let stores = StoreName::ALL.iter().map(|store| store.name());
        let mut names: Vec<&str> =
            stores.chain(LogName::ALL.iter().map(|log| log.name())).collect();
        names.sort_unstable();
        assert_eq!(names, NAMES);
    }

    #[test]
    fn ics23_verifies_every_store_of_multistores_of_any_size() {
        for size in 1..=NAMES.len() {
            let roots: Vec<(&str, Hash)> =
                NAMES[..size].iter().map(|name| (*name, sha256(name.as_bytes()))).collect();
            let app_hash = app_hash(&roots).to_vec();
            for (name, root) in &roots {
                let proof = prove(&roots, name).expect("a store");
                let verify = |name: &str, root: &[u8]| {
                    ics23::verify_membership::<ics23::HostFunctionsManager>(
                        &proof,
                        &ics23::tendermint_spec(),
                        &app_hash,
                        name.as_bytes(),
                        root,
                    )
                };
                assert!(verify(name, root), "{name} of {size}");
                assert!(!verify("other", root) && !verify(name, &[1; 32]));
            }
            assert!(prove(&roots, "other").is_none());
        }
    }
}
