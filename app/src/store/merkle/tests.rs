//! Against the Go software of the Cosmos world: every root and every proof byte. The vectors and
//! the programs that made them stand in `app/tests/vectors/merkle`.

use super::proof::{prove_key, verify_key, ProofOp};
use super::{rfc6962, simple, Log, Tree};
use crate::types::Hash;
use prost::Message;
use serde::Deserialize;
use std::collections::BTreeMap;

const TREES: &str = include_str!("../../../tests/vectors/merkle/trees.json");
const MULTISTORE: &str = include_str!("../../../tests/vectors/merkle/multistore.json");

/// Bytes written in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hex(Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Hex, D::Error> {
        let text = String::deserialize(input)?;
        hex::decode(text).map(Hex).map_err(serde::de::Error::custom)
    }
}

impl From<Hash> for Hex {
    fn from(hash: Hash) -> Hex {
        Hex(hash.to_vec())
    }
}

#[derive(Deserialize)]
struct Case {
    name: String,
    passes: Vec<Pass>,
    proofs: Vec<KeyProof>,
}

#[derive(Deserialize)]
struct Pass {
    version: u64,
    changes: Vec<(Hex, Option<Hex>)>,
    root: Hex,
}

#[derive(Deserialize)]
struct KeyProof {
    key: Hex,
    proof: Hex,
}

#[derive(Deserialize)]
struct Multistore {
    names: Vec<String>,
    blocks: Vec<Block>,
    logs: Vec<Leaves>,
}

#[derive(Deserialize)]
struct Block {
    height: u64,
    changes: BTreeMap<String, Vec<(Hex, Hex)>>,
    roots: BTreeMap<String, Hex>,
    app_hash: Hex,
    queries: Option<Vec<Query>>,
}

#[derive(Deserialize)]
struct Query {
    store: String,
    key: Hex,
    value: Option<Hex>,
    ops: Vec<(String, Hex, Hex)>,
}

/// A log whose leaf `n` is `n` as eight bytes, big endian.
#[derive(Deserialize)]
struct Leaves {
    size: u64,
    root: Hex,
    paths: Vec<Path>,
}

#[derive(Deserialize)]
struct Path {
    index: u64,
    path: Vec<Hex>,
}

fn changes(list: &[(Hex, Option<Hex>)]) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    list.iter().map(|(key, value)| (key.0.clone(), value.clone().map(|value| value.0))).collect()
}

#[test]
fn trees_agree_with_the_go_library() {
    let cases: Vec<Case> = serde_json::from_str(TREES).expect("vectors");
    let mut proofs = 0;
    for case in &cases {
        let mut tree = Tree::new();
        for (at, pass) in case.passes.iter().enumerate() {
            tree.apply(&changes(&pass.changes), pass.version);
            assert_eq!(Hex::from(tree.root()), pass.root, "{}: pass {at}", case.name);
        }
        for asked in &case.proofs {
            let proof = tree.prove(&asked.key.0).expect("the tree is not empty");
            assert_eq!(Hex(proof.encode_to_vec()), asked.proof, "{}: {:?}", case.name, asked.key);
            proofs += 1;
        }
    }
    assert!(cases.len() >= 16 && proofs >= 120, "{} cases, {proofs} proofs", cases.len());
}

#[test]
fn app_hashes_and_proof_operations_agree_with_the_sdk() {
    let vectors: Multistore = serde_json::from_str(MULTISTORE).expect("vectors");
    assert_eq!(vectors.names, simple::NAMES);
    let mut trees: Vec<Tree> = vectors.names.iter().map(|_| Tree::new()).collect();
    let mut queries = 0;
    for block in &vectors.blocks {
        for (name, tree) in vectors.names.iter().zip(&mut trees) {
            let list = block.changes.get(name).into_iter().flatten();
            let set: BTreeMap<_, _> =
                list.map(|(key, value)| (key.0.clone(), Some(value.0.clone()))).collect();
            tree.apply(&set, block.height);
            assert_eq!(Hex::from(tree.root()), block.roots[name], "{name} at {}", block.height);
        }
        let roots: Vec<(&String, Hash)> =
            vectors.names.iter().zip(trees.iter().map(Tree::root)).collect();
        let app_hash = simple::app_hash(&roots);
        assert_eq!(Hex::from(app_hash), block.app_hash, "at {}", block.height);
        for query in block.queries.iter().flatten() {
            let at = vectors.names.binary_search(&query.store).expect("a store");
            let key = &query.key.0;
            let ops = prove_key(&trees[at], key, &roots, &query.store);
            let expected: Vec<ProofOp> = query
                .ops
                .iter()
                .map(|(kind, key, data)| (kind.clone(), key.0.clone(), data.0.clone()))
                .collect();
            assert_eq!(ops, expected, "{} {key:?}", query.store);
            let value = query.value.as_ref().map(|value| value.0.as_slice());
            assert_eq!(verify_key(&app_hash, &query.store, key, value, &ops), Ok(()));
            queries += 1;
        }
    }
    assert!(queries >= 36, "{queries} queries");
}

#[test]
fn logs_agree_with_cometbft() {
    let vectors: Multistore = serde_json::from_str(MULTISTORE).expect("vectors");
    let leaf = |index: u64| index.to_be_bytes().to_vec();
    for expected in &vectors.logs {
        let mut log = Log::new();
        log.extend_to(expected.size, &leaf);
        assert_eq!(Hex::from(log.rfc6962_root()), expected.root, "size {}", expected.size);
        for Path { index, path } in &expected.paths {
            let proof = log.prove(*index, &leaf);
            let got: Vec<Hex> = proof.path.iter().map(|hash| Hex::from(*hash)).collect();
            assert_eq!(got, *path, "{index} of {}", expected.size);
            let root = rfc6962::root_from_path(
                rfc6962::leaf(&leaf(*index)),
                *index,
                expected.size,
                &proof.path,
            );
            assert_eq!(root, Some(log.rfc6962_root()));
        }
    }
    assert!(vectors.logs.len() >= 18);
}
