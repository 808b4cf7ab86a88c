//! Transactions of other software, transactions that hide something, signatures at the edges,
//! random bytes.

mod build;
mod malformed;
mod random;
mod rules;
mod signatures;
mod vectors;
