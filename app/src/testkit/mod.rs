//! What tests of the whole machine share: a chain driven without CometBFT, a development chain
//! with it ([`DevChain`]), wallets that sign.
//! Part of the library so that tests, benches and other projects' tests use the same.

pub mod chain;
pub mod devchain;
pub mod story;
pub mod wallet;

pub use chain::{Chain, ChainOptions};
pub use devchain::{DevChain, DevChainOptions};
pub use wallet::Wallet;
