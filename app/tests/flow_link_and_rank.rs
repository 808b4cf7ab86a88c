//! The story of the first links: two neurons link, a round is frozen, computed and published, and
//! everything they did shows in results, events, bandwidth and ranks.

use cyberd::error::code;
use cyberd::modules::{bandwidth, rank};
use cyberd::testkit::{Chain, Wallet};
use cyberd::types::{Amount, Coin, Height, Particle};

fn particle(name: u8) -> Particle {
    Particle([name; 32])
}

#[test]
fn links_are_accepted_charged_and_ranked() {
    let mut chain = Chain::new();
    let mut alice = chain.wallet("alice");
    let mut bob = chain.wallet("bob");
    let links = [(particle(1), particle(2)), (particle(3), particle(2))];
    let first = alice.sign(vec![alice.link_message(&links, false)]);
    let second = bob.sign(vec![bob.link_message(&[(particle(2), particle(4))], false)]);
    assert!(chain.check(&[first.clone(), second.clone()]).iter().all(|result| result.is_ok()));
    let outcome = chain.block(vec![first, second]);
    for result in &outcome.results {
        assert_eq!((result.code, result.log.is_empty()), (code::OK, false), "{}", result.log);
        assert!(result.gas_used > 0 && result.gas_used <= result.gas_wanted);
    }
    let sizes = chain.snapshot().sizes();
    assert_eq!((sizes.particles, sizes.links, sizes.neurons), (4, 3, 2));

    // Alice was charged: what she has left is below her maximum.
    let snapshot = chain.snapshot();
    let rules = cyberd::modules::Rules::read(snapshot.as_ref());
    let quote = bandwidth::quote(snapshot.as_ref(), &rules, &alice.address(), snapshot.height());
    assert!(quote.available < quote.maximum && quote.maximum > 0);

    // Frozen at 5, published at 10.
    chain.run_to(Height(5));
    let frozen = rank::state::frozen(chain.snapshot().as_ref()).expect("height 5 is a boundary");
    assert_eq!((frozen.round, frozen.particles, frozen.links), (1, 4, 3));
    assert_eq!(chain.snapshot().rank().total(), 0);
    chain.run_to(Height(9));
    let outcome = chain.block(vec![]);
    assert!(outcome.events.iter().any(|event| event.kind == "rank_round"));
    let snapshot = chain.snapshot();
    let value = |name: u8| {
        use cyberd::state::Read;
        let number = snapshot.particle_number(&particle(name)).expect("linked");
        snapshot.rank().value(number).expect("a number of the chain")
    };
    // 2 is linked from two, 4 from the strong 2; 1 and 3 from nobody.
    assert!(value(2) > value(1) && value(4) > value(1) && value(1) == value(3));
}

#[test]
fn a_duplicate_fails_its_message_and_keeps_the_charge() {
    let mut chain = Chain::new();
    let mut alice = chain.wallet("alice");
    let links = [(particle(1), particle(2))];
    let tx = alice.sign(vec![alice.link_message(&links, false)]);
    chain.block(vec![tx]);
    let again = [(particle(5), particle(6)), (particle(1), particle(2))];
    let tx = alice.sign(vec![alice.link_message(&again, false)]);
    let outcome = chain.block(vec![tx]);
    let result = &outcome.results[0];
    assert_eq!(result.code, code::LINK_EXISTS);
    let words = "failed to execute message; message index: 0: link 1 (";
    assert!(result.log.starts_with(words), "{}", result.log);
    assert!(result.log.ends_with("your cyberlink already exists"), "{}", result.log);
    // Nothing of the message stays, not even its new particles; the sequence does.
    assert_eq!(chain.snapshot().sizes().particles, 2);
    assert_eq!(chain.wallet("alice").sequence, 2);
    let tx = alice.sign(vec![alice.link_message(&again, true)]);
    let outcome = chain.block(vec![tx]);
    assert!(outcome.results[0].is_ok(), "{}", outcome.results[0].log);
    assert_eq!(chain.snapshot().sizes().links, 2);
}

#[test]
fn the_same_blocks_give_the_same_hashes_with_a_restart_at_every_height() {
    let mut chain = Chain::new();
    let mut alice = chain.wallet("alice");
    for round in 0..12u8 {
        let links = [(particle(round), particle(round + 1)), (particle(round + 1), particle(0))];
        let links = if round == 0 { &links[..1] } else { &links[..] };
        let tx = alice.sign(vec![alice.link_message(links, false)]);
        let outcome = chain.block(vec![tx]);
        assert!(outcome.results[0].is_ok(), "{}", outcome.results[0].log);
    }
    chain.run_to(Height(23));
    let mut again = Chain::from_genesis(chain.genesis.clone(), chain.options.clone());
    for (block, hash) in &chain.blocks {
        again.restart(None);
        let outcome = again.deliver(block.clone()).expect("delivers");
        assert_eq!(outcome.app_hash, *hash, "height {}", block.height);
    }
}

#[test]
fn small_payments_leave_rank_stakes_and_ranks_as_they_are() {
    let mut chain = Chain::new();
    let (mut alice, bob) = (chain.wallet("alice"), chain.wallet("bob"));
    let carol = chain.wallet("carol");
    let links = [(particle(1), particle(2)), (particle(1), particle(3))];
    let first = alice.sign(vec![alice.link_message(&links, false)]);
    let mut other = bob.clone();
    let second = other.sign(vec![other.link_message(&[(particle(1), particle(2))], false)]);
    chain.block(vec![first, second]);
    chain.run_to(Height(30));
    let of_links = |chain: &Chain| {
        let snapshot = chain.snapshot();
        let stake = |wallet: &Wallet| rank::state::stake(snapshot.as_ref(), &wallet.address());
        let codes: Vec<u32> = snapshot.rank().codes().flatten().copied().collect();
        (stake(&alice), stake(&bob), stake(&carol), codes)
    };
    let before = of_links(&chain);
    // Ten significant bits of 40,000,000,000 are steps of 2^26; carol has no link, so no stake.
    assert_eq!((before.0 % (1 << 26), before.2), (0, 0));
    let mut payer = chain.wallet("alice");
    let pay = |payer: &mut Wallet, amount: u128| {
        let coins = [Coin::new("boot", Amount(amount))];
        payer.sign(vec![payer.send_message(&carol.address(), &coins)])
    };
    for _ in 0..10 {
        let tx = pay(&mut payer, 1_000);
        assert!(chain.block(vec![tx]).results[0].is_ok());
    }
    chain.run_to(Height(50));
    assert_eq!(of_links(&chain), before);
    let tx = pay(&mut payer, 30_000_000_000);
    assert!(chain.block(vec![tx]).results[0].is_ok());
    chain.run_to(Height(60));
    let after = of_links(&chain);
    assert!(after.0 < before.0 && after.1 == before.1 && after.2 == 0);
    assert_ne!(after.3, before.3, "what bob links to gains");
}
