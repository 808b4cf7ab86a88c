//! However a node reached a height, its snapshot is the same; whoever restores it goes on alike.

use super::*;
use crate::testkit::{story, Chain};
use proptest::prelude::*;

fn bytes(state: &Snapshot) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::read(made(folder.path(), state).path()).unwrap()
}

/// A chain that joined by the snapshot of another's present state.
fn joined(chain: &Chain) -> Chain {
    let folder = tempfile::tempdir().unwrap();
    let file = made(folder.path(), &chain.snapshot());
    let service = service(&folder.path().join("other"));
    let hash = chain.snapshot().app_hash();
    assert_eq!(service.offer(&offer_of(&file), &hash).unwrap(), OfferVerdict::Accept);
    let (verdict, state) = feed(&service, &file, &[0]);
    assert_eq!(verdict, ChunkVerdict::Accept);
    let joined = Chain::from_genesis(chain.genesis.clone(), chain.options.clone());
    joined.engine().install(state.expect("restored")).unwrap();
    joined
}

#[test]
fn nodes_that_reached_a_height_differently_make_the_same_bytes() {
    let mut chain = Chain::new();
    story::tell(&mut chain, 31, 44);
    let mut restarted = Chain::from_genesis(chain.genesis.clone(), chain.options.clone());
    let mut restored = None;
    for (block, _) in &chain.blocks {
        restarted.restart(None);
        restarted.deliver(block.clone()).unwrap();
        match &mut restored {
            None if block.height == Height(23) => restored = Some(joined(&restarted)),
            None => {}
            Some(chain) => drop(chain.deliver(block.clone()).unwrap()),
        }
    }
    let expected = bytes(&chain.snapshot());
    assert!(expected == bytes(&restarted.snapshot()), "restarted at every height");
    assert!(expected == bytes(&restored.expect("joined").snapshot()), "restored on the way");
}

#[test]
fn a_round_that_was_running_is_published_bit_for_bit() {
    let mut chain = Chain::new();
    story::tell(&mut chain, 32, 23);
    let frozen = crate::modules::rank::state::frozen(chain.snapshot().as_ref());
    assert!(frozen.is_some(), "a round runs");
    let mut other = joined(&chain);
    let ranks = |chain: &Chain| -> Vec<u32> {
        chain.snapshot().rank().codes().flatten().copied().collect()
    };
    assert!(ranks(&other) == ranks(&chain) && ranks(&chain).iter().any(|code| *code > 0));
    while chain.snapshot().height() < Height(25) {
        let block = chain.block(Vec::new());
        let other = other.deliver(chain.blocks.last().unwrap().0.clone()).unwrap();
        assert_eq!(other.app_hash, block.app_hash);
    }
    assert_eq!(other.snapshot().round(other.snapshot().rounds() - 1), {
        let rounds = chain.snapshot().rounds();
        chain.snapshot().round(rounds - 1).map(<[u8]>::to_vec).as_deref()
    });
    assert!(ranks(&other) == ranks(&chain));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn restored_chains_agree_on_the_next_fifty_blocks(seed in any::<u64>(), at in 1usize..40) {
        let mut chain = Chain::new();
        story::tell(&mut chain, seed, at);
        let mut other = joined(&chain);
        let before = chain.blocks.len();
        story::tell(&mut chain, seed ^ 1, 50);
        for (number, (block, hash)) in chain.blocks[before..].iter().enumerate() {
            if number % 17 == 5 {
                other.restart(None);
            }
            let outcome = other.deliver(block.clone()).unwrap();
            prop_assert_eq!(outcome.app_hash, *hash, "height {}", block.height);
        }
        let states = [chain.snapshot(), other.snapshot()];
        let [left, right] = states.map(|state| {
            serde_json::to_string(&crate::engine::export::app_state(&state)).unwrap()
        });
        prop_assert!(left == right, "and export the same");
    }
}
