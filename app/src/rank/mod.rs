//! The round.
