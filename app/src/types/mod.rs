//! Small values without state: numbers, addresses, particles and their content, coins, decimals.

pub mod address;
mod base58;
pub mod cid;
pub mod coin;
pub mod decimal;
pub mod number;
pub mod particle;

pub use address::{Address, AddressError};
pub use coin::{Coin, CoinError, Coins};
pub use decimal::Decimal;
pub use number::{Amount, Height, LinkNumber, NeuronNumber, ParticleNumber};
pub use particle::{Particle, ParticleError};

/// A SHA-256 digest: the hash of everything on this chain.
pub type Hash = [u8; 32];

/// SHA-256 of the bytes.
pub fn sha256(bytes: &[u8]) -> Hash {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}
