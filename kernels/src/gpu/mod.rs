//! Rank on a GPU, with the bits of [`crate::cpu`].
//!
//! - `cuda/rank.cu` has the kernels; [`device`] runs them on a CUDA device (feature `cuda`) or on
//!   the host, compiled as C++ with `cuda/shim.h` ([`build_shim`]).
//! - [`Resident`] is the engine on a device: the graph stays there, what is new travels.

mod device;
pub mod hash;
mod host;
mod plain;
mod resident;
mod rows;
mod weights;

pub use device::{Device, DeviceError};
pub use host::build_shim;
pub use resident::{Resident, Start, Sweeps};

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
