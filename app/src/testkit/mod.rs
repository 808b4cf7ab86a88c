//! What tests of the whole machine share: a chain driven without CometBFT, wallets that sign.
//! Part of the library so that tests, benches and other projects' tests use the same.

pub mod chain;
pub mod story;
pub mod wallet;

pub use chain::{Chain, ChainOptions};
pub use wallet::Wallet;
