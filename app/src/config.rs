//! The node settings.
