//! A chain's life at random, from a seed: sends, links, duplicates, bad signatures, wrong
//! sequences, fees. Every block of a story is kept by the chain, to be delivered again elsewhere.

use super::wallet::TxOptions;
use super::{Chain, Wallet};
use crate::types::{sha256, Amount, Coin, Particle};
use prost::bytes::Bytes;

/// A counter-based source of numbers: the same seed tells the same story everywhere.
pub struct Numbers {
    state: u64,
}

impl Numbers {
    pub fn new(seed: u64) -> Numbers {
        Numbers { state: seed }
    }

    /// The next number below a limit (SplitMix64).
    pub fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Lives through a number of blocks.
pub fn tell(chain: &mut Chain, seed: u64, blocks: usize) {
    let mut numbers = Numbers::new(seed);
    let names: Vec<String> = chain.options.accounts.iter().map(|(name, _)| name.clone()).collect();
    for _ in 0..blocks {
        let mut wallets: Vec<Wallet> = names.iter().map(|name| chain.wallet(name)).collect();
        let mut txs = Vec::new();
        for _ in 0..numbers.below(6) {
            let at = numbers.below(wallets.len() as u64) as usize;
            let peer = wallets[numbers.below(wallets.len() as u64) as usize].address();
            txs.push(transaction(&mut numbers, &mut wallets[at], &peer));
        }
        chain.block(txs);
    }
}

fn transaction(numbers: &mut Numbers, wallet: &mut Wallet, peer: &crate::types::Address) -> Bytes {
    let coin = |amount| Coin::new("boot", Amount(amount));
    match numbers.below(10) {
        0..=4 => {
            let count = 1 + numbers.below(8);
            let links: Vec<_> = (0..count).map(|_| link(numbers)).collect();
            let message = wallet.link_message(&links, numbers.below(2) == 0);
            wallet.sign(vec![message])
        }
        5..=7 => {
            let amount = 1 + u128::from(numbers.below(1 << 33));
            let fee = vec![coin(u128::from(numbers.below(5000)))];
            let fee = fee.into_iter().filter(|coin| coin.amount.0 > 0).collect();
            let options = TxOptions { fee, ..TxOptions::default() };
            let message = wallet.send_message(peer, &[coin(amount)]);
            wallet.sign_with(vec![message], &options)
        }
        8 => {
            let message = wallet.send_message(peer, &[coin(7)]);
            wallet.sign_at(vec![message], &TxOptions::default(), wallet.sequence + 3)
        }
        _ => {
            let message = wallet.link_message(&[link(numbers)], false);
            let tx = wallet.sign_at(vec![message], &TxOptions::default(), wallet.sequence);
            let mut bytes = tx.to_vec();
            let last = bytes.len() - 1 - numbers.below(40) as usize;
            bytes[last] ^= 1;
            bytes.into()
        }
    }
}

/// A link among a hundred particles, never to itself.
fn link(numbers: &mut Numbers) -> (Particle, Particle) {
    let from = numbers.below(100);
    let to = (from + 1 + numbers.below(99)) % 100;
    let particle = |number: u64| Particle(sha256(&number.to_be_bytes()));
    (particle(from), particle(to))
}
