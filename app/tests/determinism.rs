//! The same blocks give the same app hash at every height, however they are executed: with one
//! thread or many, with a slow or a fast rank worker, with a restart at every height, with other
//! work in between.

use cyberd::error::code;
use cyberd::testkit::{story, Chain, Wallet};
use std::time::Duration;

const BLOCKS: usize = 40;

fn told(seed: u64) -> Chain {
    let mut chain = Chain::new();
    story::tell(&mut chain, seed, BLOCKS);
    let snapshot = chain.snapshot();
    assert!(snapshot.sizes().links > 50, "the story has links: {:?}", snapshot.sizes());
    assert!(snapshot.rounds() > 4, "the story has rounds: {}", snapshot.rounds());
    chain
}

/// Delivers the blocks of a chain to another, with something before each.
fn again(chain: &Chain, mut before: impl FnMut(&mut Chain)) {
    let mut other = Chain::from_genesis(chain.genesis.clone(), chain.options.clone());
    for (block, hash) in &chain.blocks {
        before(&mut other);
        let outcome = other.deliver(block.clone()).expect("a block of the story");
        assert_eq!(outcome.app_hash, *hash, "height {}", block.height);
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("the system gives threads")
}

#[test]
fn one_thread_and_many_agree() {
    let chain = told(1);
    for threads in [1, 2, 8] {
        pool(threads).install(|| {
            let mut options = chain.options.clone();
            options.rank_threads = threads;
            let mut other = Chain::from_genesis(chain.genesis.clone(), options);
            for (block, hash) in &chain.blocks {
                let outcome = other.deliver(block.clone()).expect("a block of the story");
                assert_eq!(outcome.app_hash, *hash, "height {}, {threads}", block.height);
            }
        });
    }
}

#[test]
fn a_restart_at_every_height_changes_nothing() {
    let chain = told(2);
    again(&chain, |other| other.restart(None));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the worker is slowed down on purpose")]
fn a_slow_worker_changes_nothing() {
    let chain = told(3);
    let slow = || -> cyberd::rank::worker::BeforeRound {
        Box::new(|round| std::thread::sleep(Duration::from_millis(5 + round % 3 * 20)))
    };
    let mut count = 0;
    again(&chain, |other| {
        count += 1;
        if count % 7 == 1 {
            other.restart(Some(slow()));
        }
    });
}

#[test]
fn checks_proposals_and_a_block_finalized_twice_change_nothing() {
    let chain = told(4);
    let mut other = Chain::from_genesis(chain.genesis.clone(), chain.options.clone());
    for (block, hash) in &chain.blocks {
        other.check(&block.txs);
        let proposed = other.propose(block.txs.clone(), 1 << 20);
        assert!(proposed.len() <= block.txs.len());
        other.engine().finalize_block(block).expect("finalizes");
        other.check(&block.txs);
        let outcome = other.deliver(block.clone()).expect("a block of the story");
        assert_eq!(outcome.app_hash, *hash, "height {}", block.height);
    }
}

#[test]
fn what_the_proposer_chooses_the_block_admits() {
    let mut chain = told(5);
    for seed in 0..20 {
        let mut source = Chain::from_genesis(chain.genesis.clone(), chain.options.clone());
        for (block, _) in &chain.blocks {
            source.deliver(block.clone()).expect("a block of the story");
        }
        story::tell(&mut source, 100 + seed, 1);
        let (block, _) = source.blocks.last().expect("told");
        let good: Vec<_> = chain
            .check(&block.txs)
            .iter()
            .zip(&block.txs)
            .filter(|(result, _)| result.is_ok())
            .map(|(_, tx)| tx.clone())
            .collect();
        let proposed = chain.propose(good.clone(), 1 << 20);
        let door = |log: &str| log.is_empty() || log.starts_with("failed to execute message");
        let outcome = chain.block(proposed);
        for result in outcome.results {
            assert!(result.is_ok() || door(&result.log), "refused at the door: {}", result.log);
        }
    }
}

#[test]
fn a_failed_signature_costs_nobody_else_anything() {
    let mut chain = Chain::new();
    let (mut alice, bob) = (chain.wallet("alice"), chain.wallet("bob"));
    let particle = |name: u8| cyberd::types::Particle(cyberd::types::sha256(&[name]));
    let link =
        |wallet: &Wallet, to: u8| vec![wallet.link_message(&[(particle(0), particle(to))], false)];
    let options = cyberd::testkit::wallet::TxOptions::default();
    let first = alice.sign(link(&alice, 1));
    let mut broken = bob.sign_at(link(&bob, 2), &options, bob.sequence).to_vec();
    *broken.last_mut().expect("a signature") ^= 1;
    // Good only if the one before it counts for nothing.
    let replacing = bob.sign_at(link(&bob, 3), &options, bob.sequence);
    let second = alice.sign(link(&alice, 4));
    let txs = vec![first, broken.into(), replacing, second];
    let expected = [code::OK, code::UNAUTHORIZED, code::OK, code::OK];
    let checked = chain.check(&txs);
    assert_eq!(checked.iter().map(|result| result.code).collect::<Vec<_>>(), expected);
    let outcome = chain.block(txs);
    assert_eq!(outcome.results.iter().map(|result| result.code).collect::<Vec<_>>(), expected);
    assert_eq!(chain.snapshot().sizes().links, 3);
}
