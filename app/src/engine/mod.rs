//! The state machine: blocks in, results and an app hash out. Synchronous and deterministic; it
//! knows no socket, clock or environment. [`Engine`]'s methods are the whole surface.

mod types;

pub use types::*;
