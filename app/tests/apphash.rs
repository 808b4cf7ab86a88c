//! App hashes, roots and keys of a fixed story, pinned: a change of any byte of the state shows
//! here first. A wanted change is a new chain version and a new pin
//! (`INSTA_UPDATE=always cargo test -p cyberd --test apphash`).

use cyberd::state::{Read, StoreName};
use cyberd::testkit::{story, Chain};
use std::fmt::Write;

fn told() -> Chain {
    let mut chain = Chain::new();
    story::tell(&mut chain, 2026, 25);
    chain
}

#[test]
fn app_hashes_are_pinned() {
    let chain = told();
    let mut text = String::new();
    for (block, hash) in &chain.blocks {
        writeln!(text, "{} {}", block.height, hex::encode(hash)).expect("a string grows");
    }
    for (name, root) in chain.snapshot().roots() {
        writeln!(text, "{name} {}", hex::encode(root)).expect("a string grows");
    }
    insta::assert_snapshot!("app_hashes", text);
}

#[test]
fn keys_are_pinned() {
    let chain = told();
    let snapshot = chain.snapshot();
    let mut text = String::new();
    for store in StoreName::ALL {
        snapshot.scan(store, &[], None, &mut |key, value| {
            let value = cyberd::types::sha256(value);
            let (key, value) = (hex::encode(key), hex::encode(&value[..8]));
            writeln!(text, "{} {key} {value}", store.name()).expect("a string grows");
            true
        });
    }
    insta::assert_snapshot!("keys", text);
}
