//! Why a round gave no codes. None of these depends on timing, except `Aborted`, which the caller
//! asked for.

/// A round that was not computed; the graph stays as it was and can be run again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The caller's flag was raised; nothing of the round is kept.
    #[error("the round was aborted")]
    Aborted,
    /// A parameter outside what the arithmetic holds.
    #[error("rank parameter {name} is {value}, allowed are {allowed}")]
    Parameter { name: &'static str, value: u128, allowed: &'static str },
    /// There must be one starting code for each particle.
    #[error("{codes} starting codes for {particles} particles")]
    CodesLength { codes: usize, particles: u32 },
    /// A starting code that no round can have given.
    #[error("code {code:#x} of particle {particle} is not a code of {bits} bits")]
    Code { particle: u32, code: u32, bits: u32 },
    /// The values of the starting codes together leave the range of the sums.
    #[error("the starting codes sum up to {sum}, which is not below 2^63")]
    CodesSum { sum: u128 },
}
