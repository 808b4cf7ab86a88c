//! The store.

pub mod merkle;
