//! Rank on a GPU, with the bits of [`crate::cpu`].
//!
//! ```text
//! node:    Engine ── Client ──┐            Engine: which of the two computes, what if one fails
//!            └─ Graph (CPU)   │ wire       Client: one worker, its process, its limits
//! worker:                  serve ── Resident ── Device ── cuda/rank.cu
//! ```
//!
//! - `cuda/rank.cu` has the kernels; [`Device`] runs them on a CUDA device (feature `cuda`) or on
//!   the host, compiled as C++ with `cuda/shim.h` ([`build_shim`]).
//! - [`Resident`] is the engine on a device: the graph stays there, what is new travels.
//! - [`wire`] is what node and worker say to each other; [`serve`] the worker's side.
//! - [`Engine`] is the node's: the CPU's graph, and a worker whose faults cost nothing but time.
//!
//! The worker is a process of its own (`cyber-gpu`) because a driver's errors stay until a process
//! ends, because a device that hangs cannot be called back, and because a node must start where
//! there is no driver at all.
//!
//! Deliberately absent: rows of one to four pairs transposed in groups of 32 (such a row is 32
//! bytes in one place, which a device fetches as one sector either way; transposed, a row that
//! grows would move its 31 neighbours), and several threads for a graph's first weights (only a
//! worker's start and a change of damping or source stake weigh all links, and rounds do not wait
//! for a start: the CPU computes them meanwhile).

mod client;
#[cfg(feature = "cuda")]
mod cuda;
mod device;
mod engine;
pub mod hash;
mod host;
mod plain;
mod resident;
mod rows;
mod self_test;
mod shared;
mod verify;
mod weights;
pub mod wire;
mod worker;

pub use client::{Client, Fault, Program, Source, Wanted};
pub use device::{Device, DeviceError};
pub use engine::{Engine, Event, Options, Report, Work};
pub use host::build_shim;
pub use resident::{Resident, Start, Sweeps};
pub use self_test::{run as self_test, Listed};
pub use shared::Shared;
pub use verify::Checks;
pub use worker::{hand_over, serve, Ended};

use std::path::Path;

/// An empty graph whose rounds the kernels compute on the host; `folder` is where the compiled
/// kernels are put, or found from the last time.
///
/// # Errors
/// [`DeviceError::Absent`] if they cannot be compiled or loaded.
pub fn host(folder: &Path) -> Result<Resident, DeviceError> {
    let shim = build_shim(folder).map_err(|error| DeviceError::Absent(error.to_string()))?;
    Device::host(&shim).map(Resident::new)
}
