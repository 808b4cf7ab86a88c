//! Every refusal at the door and every failure of a message, with its code and words, in CheckTx
//! and in the block alike; and what stays of the transaction afterwards.

use cyberd::error::{code, Code};
use cyberd::modules::bank;
use cyberd::testkit::chain::ChainOptions;
use cyberd::testkit::wallet::TxOptions;
use cyberd::testkit::{Chain, Wallet};
use cyberd::types::{Address, Amount, Coin, Particle};
use prost::bytes::Bytes;

fn particle(name: u8) -> Particle {
    Particle([name; 32])
}

fn link(wallet: &Wallet, from: u8, to: u8) -> cyber_proto::Any {
    wallet.link_message(&[(particle(from), particle(to))], false)
}

fn boot(amount: u128) -> Vec<Coin> {
    vec![Coin::new("boot", Amount(amount))]
}

/// Checks that the door refuses in CheckTx and in a block, with these words, and nothing changes.
fn refused(chain: &mut Chain, name: &str, tx: Bytes, expected: Code, words: &str) {
    let before = (chain.wallet(name).sequence, chain.snapshot().sizes());
    let checked = chain.check(std::slice::from_ref(&tx)).remove(0);
    assert_eq!(checked.code, expected, "CheckTx: {}", checked.log);
    let outcome = chain.block(vec![tx]);
    let result = &outcome.results[0];
    assert_eq!(result.code, expected, "{}", result.log);
    assert!(result.log.contains(words), "'{}' lacks '{words}'", result.log);
    assert!(result.events.is_empty(), "a refusal emits nothing");
    assert_eq!((chain.wallet(name).sequence, chain.snapshot().sizes()), before);
}

#[test]
fn what_is_no_transaction() {
    let mut chain = Chain::new();
    let garbage = Bytes::from_static(b"garbage");
    refused(&mut chain, "alice", garbage, code::TX_PARSE, "tx parse error");
    let outcome = chain.block(vec![Bytes::new()]);
    assert_eq!((outcome.results[0].gas_wanted, outcome.results[0].gas_used), (0, 0));
}

#[test]
fn limits_of_size_memo_height_and_gas() {
    let mut chain = Chain::new();
    chain.block(vec![]);
    chain.block(vec![]);
    let alice = chain.wallet("alice");
    let with = |options: TxOptions| alice.sign_at(vec![link(&alice, 1, 2)], &options, 0);
    let plain = TxOptions::default;
    let memo = TxOptions { memo: "m".repeat(257), ..plain() };
    let words = "maximum number of characters is 256 but received 257 characters: memo too large";
    refused(&mut chain, "alice", with(memo), code::MEMO_TOO_LARGE, words);
    let late = TxOptions { timeout_height: 1, ..plain() };
    let words = "timeout height: 1: tx timeout height";
    refused(&mut chain, "alice", with(late), code::TX_TIMEOUT_HEIGHT, words);
    let none = TxOptions { gas_limit: 0, ..plain() };
    let words = "must provide positive gas: invalid gas limit";
    refused(&mut chain, "alice", with(none), code::INVALID_GAS_LIMIT, words);
    let much = TxOptions { gas_limit: 400_000_001, ..plain() };
    let words = "tx gas limit 400000001 exceeds block max gas 400000000: invalid gas limit";
    refused(&mut chain, "alice", with(much), code::INVALID_GAS_LIMIT, words);
    let little = TxOptions { gas_limit: 100, ..plain() };
    let words = "out of gas in location: txSize; gasWanted: 100";
    refused(&mut chain, "alice", with(little), code::OUT_OF_GAS, words);
    let many = vec![link(&alice, 1, 2); 33];
    let tx = alice.sign_at(many, &plain(), 0);
    refused(&mut chain, "alice", tx, code::INVALID_REQUEST, "33 messages, at most 32");
    let large = vec![alice.send_message(&alice.address(), &boot(1)); 1200];
    let tx = alice.sign_at(large, &plain(), 0);
    assert!(tx.len() > 128 * 1024);
    refused(&mut chain, "alice", tx, code::TX_TOO_LARGE, "at most 131072 are right");
}

#[test]
fn who_signs() {
    let mut chain = Chain::new();
    let alice = chain.wallet("alice");
    let plain = TxOptions::default();
    let tx = alice.sign_at(vec![link(&alice, 1, 2)], &plain, 3);
    let words = "account sequence mismatch, expected 0, got 3: incorrect account sequence";
    refused(&mut chain, "alice", tx, code::WRONG_SEQUENCE, words);
    for (number, chain_id) in [(alice.account_number + 1, "cyberd-test"), (0, "other-chain")] {
        let mut other = alice.clone();
        (other.account_number, other.chain_id) = (number, chain_id.into());
        let tx = other.sign_at(vec![link(&alice, 1, 2)], &plain, 0);
        let words = "signature verification failed; please verify account number";
        refused(&mut chain, "alice", tx, code::UNAUTHORIZED, words);
    }
    let stranger = chain.wallet("stranger");
    let tx = stranger.sign_at(vec![stranger.send_message(&alice.address(), &boot(1))], &plain, 0);
    refused(&mut chain, "alice", tx, code::UNKNOWN_ADDRESS, "does not exist: unknown address");
    let mallory = chain.wallet("bob");
    let tx = mallory.sign_at(vec![link(&alice, 1, 2)], &plain, 0);
    refused(&mut chain, "alice", tx, code::INVALID_PUBKEY, "pubKey does not match signer address");
}

#[test]
fn what_stands_together() {
    let mut chain = Chain::new();
    let (alice, bob) = (chain.wallet("alice"), chain.wallet("bob"));
    let plain = TxOptions::default();
    let send = alice.send_message(&bob.address(), &boot(1));
    let tx = alice.sign_at(vec![link(&alice, 1, 2), send], &plain, 0);
    let words = "Support only batch of cyberlinks: feature not supported";
    refused(&mut chain, "alice", tx, code::NOT_SUPPORTED, words);
    // A transaction of two neurons needs two signatures; with one it ends before.
    let tx = alice.sign_at(vec![link(&alice, 1, 2), link(&bob, 1, 2)], &plain, 0);
    let words = "wrong number of signers; expected 2, got 1: unauthorized";
    refused(&mut chain, "alice", tx, code::UNAUTHORIZED, words);
    let links: Vec<_> = (0..501u32)
        .map(|n| (particle(1), Particle(cyberd::types::sha256(&n.to_be_bytes()))))
        .collect();
    let tx = alice.sign_at(vec![alice.link_message(&links, false)], &plain, 0);
    refused(&mut chain, "alice", tx, code::TOO_MANY_LINKS, "501 links, at most 500");
}

#[test]
fn bandwidth_of_the_neuron_and_of_the_block() {
    let mut chain = Chain::with(ChainOptions::default(), |state| {
        state.bandwidth.params.max_block_bandwidth = 12_000;
        state.bandwidth.params.network_bandwidth = 200_000;
    });
    let carol = chain.wallet("carol");
    let links: Vec<_> = (2..6).map(|to| (particle(1), particle(to))).collect();
    let tx = carol.sign_at(vec![carol.link_message(&links, false)], &TxOptions::default(), 0);
    let words = "not enough personal bandwidth";
    refused(&mut chain, "carol", tx, code::NOT_ENOUGH_BANDWIDTH, words);

    let mut alice = chain.wallet("alice");
    let links: Vec<_> = (2..40).map(|to| (particle(1), particle(to))).collect();
    let tx = alice.sign_at(vec![alice.link_message(&links, false)], &TxOptions::default(), 0);
    let words = "exceeded max block bandwidth";
    refused(&mut chain, "alice", tx, code::BLOCK_BANDWIDTH, words);
    // Together they exceed the block: each passes CheckTx, a proposal leaves the rest.
    let txs: Vec<Bytes> = (0..4u8)
        .map(|n| {
            let links: Vec<_> = (0..4).map(|to| (particle(50 + n), particle(to))).collect();
            alice.sign(vec![alice.link_message(&links, false)])
        })
        .collect();
    assert!(chain.check(&txs).iter().all(|result| result.is_ok()));
    let proposed = chain.propose(txs.clone(), 1 << 20);
    assert_eq!(proposed.len(), 2);
    let outcome = chain.block(txs);
    let codes: Vec<Code> = outcome.results.iter().map(|result| result.code).collect();
    // The fourth is out of sequence by then: the third was refused.
    let refused = [code::BLOCK_BANDWIDTH, code::BLOCK_BANDWIDTH];
    assert_eq!(codes, [&[code::OK, code::OK][..], &refused].concat());
}

#[test]
fn links_without_stake() {
    let mut chain = Chain::with(ChainOptions::default(), |state| {
        let dave = Wallet::new("dave", "bostrom", "cyberd-test");
        state.bank.balances.push(bank::genesis::Balance {
            address: dave.bech32(),
            coins: cyberd::types::Coins::new(vec![Coin::new("other", Amount(5))]).expect("coins"),
        });
    });
    let dave = chain.wallet("dave");
    let tx = dave.sign_at(vec![link(&dave, 1, 2)], &TxOptions::default(), 0);
    refused(&mut chain, "dave", tx, code::ZERO_POWER, "holds no boot: neuron has zero power");
}

#[test]
fn a_send_that_fails_in_its_block_keeps_fee_and_sequence() {
    let mut chain = Chain::new();
    let alice = chain.wallet("alice");
    let to = chain.wallet("bob").address();
    let collector = Address::of_module("fee_collector");
    let before = bank::state::balance(chain.snapshot().as_ref(), &collector, "boot");
    assert_eq!(before, Amount(0));
    let options = TxOptions { fee: boot(1000), ..TxOptions::default() };
    let tx = alice.sign_at(vec![alice.send_message(&to, &boot(1 << 60))], &options, 0);
    assert!(chain.check(std::slice::from_ref(&tx))[0].is_ok(), "messages do not run in CheckTx");
    let outcome = chain.block(vec![tx]);
    let result = &outcome.results[0];
    assert_eq!(result.code, code::INSUFFICIENT_FUNDS, "{}", result.log);
    assert!(result.log.starts_with("failed to execute message; message index: 0: spendable"));
    let kinds: Vec<_> = result.events.iter().map(|event| event.kind).collect();
    let fee = ["coin_spent", "coin_received", "transfer", "message", "tx"];
    assert_eq!(kinds, [&fee[..], &["tx", "tx"]].concat());
    assert_eq!(chain.wallet("alice").sequence, 1);
    let after = bank::state::balance(chain.snapshot().as_ref(), &collector, "boot");
    assert_eq!(after, Amount(1000));

    let tx = alice.sign_at(vec![alice.send_message(&collector, &boot(1))], &options, 1);
    let outcome = chain.block(vec![tx]);
    let result = &outcome.results[0];
    assert_eq!(result.code, code::UNAUTHORIZED);
    assert!(result.log.contains("is not allowed to receive funds: unauthorized"));

    let rich = TxOptions { fee: boot(1 << 60), ..TxOptions::default() };
    let tx = alice.sign_at(vec![alice.send_message(&to, &boot(1))], &rich, 2);
    refused(&mut chain, "alice", tx, code::INSUFFICIENT_FUNDS, "insufficient funds");
}

#[test]
fn the_blocks_gas_ends() {
    let mut chain = Chain::new();
    let mut alice = chain.wallet("alice");
    let to = chain.wallet("bob").address();
    let options = TxOptions { gas_limit: 150_000_000, ..TxOptions::default() };
    let txs: Vec<Bytes> = (0..3)
        .map(|_| {
            let message = alice.send_message(&to, &boot(1));
            alice.sign_with(vec![message], &options)
        })
        .collect();
    assert_eq!(chain.propose(txs.clone(), 1 << 20).len(), 2);
    let outcome = chain.block(txs);
    assert!(outcome.results[1].is_ok());
    assert_eq!(outcome.results[2].code, code::OUT_OF_GAS);
    assert_eq!(outcome.results[2].log, "no block gas left to run tx: out of gas");
}
