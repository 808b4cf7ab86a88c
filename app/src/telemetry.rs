//! Names of logs and metrics in one place; never influences state.
