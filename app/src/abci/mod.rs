//! The ABCI server and adapter.
