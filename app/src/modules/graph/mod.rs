//! The graph: particles and cyberlinks, which only grow.
//!
//! The `graph` store holds counters alone; particles and links stand in the store's columns and
//! logs. Invariants: the counters equal the sizes of the logs; a neuron makes a link once; a
//! particle's number never changes. Deliberately absent: removal, change, rewards.

pub mod genesis;
pub mod handler;
pub mod query;
pub mod state;

pub use genesis::GraphGenesis;

use crate::error::{code, Code, Refusal};
use crate::types::Particle;

/// Why a message's links are not accepted. Go-cyber's words stand last, unchanged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("link {index} ({from} → {to}): your cyberlink already exists")]
    LinkExists { index: usize, from: Particle, to: Particle },
    #[error("{count} links, at most {limit} in a message are right: too many links")]
    TooManyLinks { count: usize, limit: u32 },
    #[error("{neuron} holds no {denom}: neuron has zero power")]
    ZeroPower { neuron: String, denom: String },
}

impl GraphError {
    /// The stable code of each.
    pub fn code(&self) -> Code {
        match self {
            GraphError::LinkExists { .. } => code::LINK_EXISTS,
            GraphError::TooManyLinks { .. } => code::TOO_MANY_LINKS,
            GraphError::ZeroPower { .. } => code::ZERO_POWER,
        }
    }
}

impl From<GraphError> for Refusal {
    fn from(error: GraphError) -> Refusal {
        Refusal::new(error.code(), error.to_string())
    }
}
