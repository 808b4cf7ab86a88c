//! The funded neurons of a development chain and its validators' keys, all made from a seed: the
//! same seed gives the same chain on every machine. Nobody may use them elsewhere.

use crate::client::keys::{Backend, KeyStore, Secret};
use crate::client::Failure;
use crate::node::cometbft::home::NodeKeys;
use crate::types::{sha256, Address};
use std::path::Path;
use zeroize::Zeroizing;

/// The seed when none is given.
pub const SEED: &str = "cyberd";
/// The first names in order; further accounts are numbered.
const NAMES: [&str; 26] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim",
    "leo", "mallory", "niaj", "olivia", "peggy", "quinn", "rupert", "sybil", "trent", "uma",
    "victor", "wendy", "xavier", "yara", "zoe",
];
/// Accounts of one chain at most: the amounts of so many stay below 2^63 in sum.
pub const MOST: u16 = 1_000;
/// One part of the supply, in the smallest unit.
const PART: u64 = 1_000_000_000_000;

/// A neuron of the development chain.
pub struct DevAccount {
    pub name: String,
    pub address: Address,
    /// Twenty-four words.
    pub mnemonic: Zeroizing<String>,
    pub secret: Secret,
    /// What it holds of the stake denomination at the start.
    pub amount: u64,
}

/// The accounts of a seed. Each holds one part less than the one before, the last twice as many
/// parts as there are accounts and one: about equal, but never the same weight twice.
pub fn accounts(seed: &str, count: u16) -> Vec<DevAccount> {
    (0..count).map(|index| account(seed, index, count)).collect()
}

fn account(seed: &str, index: u16, count: u16) -> DevAccount {
    let mnemonic = Secret::words_of_entropy(&entropy("account", seed, index));
    let secret = Secret::of_words(&mnemonic, 0).expect("words made of entropy give a key");
    let parts = 3 * u64::from(count) - u64::from(index);
    DevAccount {
        name: name(index),
        address: Address::of_key(&secret.public_key()),
        mnemonic,
        secret,
        amount: parts * PART,
    }
}

fn name(index: u16) -> String {
    let known = NAMES.get(usize::from(index));
    known.map_or_else(|| format!("neuron{}", index + 1), |name| (*name).to_owned())
}

/// The keys of validator `index`.
pub fn validator_keys(seed: &str, index: u16) -> NodeKeys {
    NodeKeys { node: entropy("node", seed, index), validator: entropy("validator", seed, index) }
}

fn entropy(what: &str, seed: &str, index: u16) -> [u8; 32] {
    sha256(format!("cyberd dev {what}\n{seed}\n{index}").as_bytes())
}

/// Puts the accounts' keys into the plain store of the home, in place of others of their names.
///
/// # Errors
/// Those of the key store.
pub fn store_keys(home: &Path, accounts: &[DevAccount]) -> Result<(), Failure> {
    let store = KeyStore::new(home, Some(Backend::Test));
    let known = store.list()?;
    for account in accounts {
        let stored = known.iter().find(|info| info.name == account.name);
        match stored {
            Some(info) if info.address() == account.address => continue,
            Some(_) => drop(store.delete(&account.name)?),
            None => {}
        }
        // The plain store asks for no password.
        store.add(&account.name, &account.secret, &mut |_| Ok(Zeroizing::default()))?;
    }
    Ok(())
}
