//! What runs the kernels of `cuda/rank.cu`: a CUDA device, or the host through the shim.
//!
//! An enum, so that everything above it is the same code and the same bits for both. Every status
//! is checked; after an error nothing may be asked of a device any more.

use std::path::Path;

#[cfg(feature = "cuda")]
use super::cuda::Cuda;
use super::host::Host;
use super::plain::{bytes, bytes_mut, Plain};

/// Threads of every block.
const THREADS: usize = 256;

/// The kernels, by what a block of threads works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    BeginRound,
    EndBegin,
    SweepNone,
    SweepTiny,
    SweepSmall,
    SweepLarge,
    SweepChunks,
    SweepHubs,
    EndSweep,
    Scatter32,
    Scatter64,
    MoveRows,
    Copy32,
}

impl Kernel {
    /// All of them, in the order of the enum, with their names in the source and the threads that
    /// one element takes.
    pub const ALL: [(&'static str, usize); 13] = [
        ("begin_round", 1),
        ("end_begin", THREADS),
        ("sweep_none", 1),
        ("sweep_tiny", 1),
        ("sweep_small", 8),
        ("sweep_large", 32),
        ("sweep_chunks", THREADS),
        ("sweep_hubs", 1),
        ("end_sweep", THREADS),
        ("scatter32", 1),
        ("scatter64", 1),
        ("move_rows", 32),
        ("copy32", 1),
    ];
}

/// Why a device is of no more use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// There is none, or it cannot be used: the text says what is missing.
    #[error("{0}")]
    Absent(String),
    /// It has not enough memory.
    #[error("the device has no {bytes} bytes of memory left")]
    Memory { bytes: u64 },
    /// A call failed; the text is the driver's.
    #[error("{call}: {text}")]
    Call { call: &'static str, text: String },
    /// What was asked makes no sense.
    #[error("{0}")]
    Input(String),
}

/// An address in the device's memory; never 0.
pub type Address = u64;

/// A device.
pub enum Device {
    Host(Host),
    #[cfg(feature = "cuda")]
    Cuda(Cuda),
}

impl Device {
    /// The kernels compiled for the host: the path of the shared library
    /// ([`super::build_shim`]).
    pub fn host(shim: &Path) -> Result<Device, DeviceError> {
        Host::open(shim).map(Device::Host)
    }

    /// The first CUDA device.
    pub fn cuda() -> Result<Device, DeviceError> {
        #[cfg(feature = "cuda")]
        return Cuda::open().map(Device::Cuda);
        #[cfg(not(feature = "cuda"))]
        Err(DeviceError::Absent(
            "this cyber-gpu was built without CUDA; build it with \
             `cargo build --release -p cyber-kernels --features cuda --bin cyber-gpu`"
                .to_owned(),
        ))
    }

    /// What it is, for logs.
    pub fn name(&self) -> String {
        match self {
            Device::Host(_) => "host shim".to_owned(),
            #[cfg(feature = "cuda")]
            Device::Cuda(cuda) => cuda.name(),
        }
    }

    fn allocate(&mut self, bytes: u64) -> Result<Address, DeviceError> {
        match self {
            Device::Host(host) => host.allocate(bytes),
            #[cfg(feature = "cuda")]
            Device::Cuda(cuda) => cuda.allocate(bytes),
        }
    }

    fn release(&mut self, address: Address) -> Result<(), DeviceError> {
        match self {
            Device::Host(host) => host.release(address),
            #[cfg(feature = "cuda")]
            Device::Cuda(cuda) => cuda.release(address),
        }
    }

    /// Takes all memory back.
    pub fn release_all(&mut self) -> Result<(), DeviceError> {
        match self {
            Device::Host(host) => host.release_all(),
            #[cfg(feature = "cuda")]
            Device::Cuda(cuda) => cuda.release_all(),
        }
    }

    fn write(&mut self, address: Address, data: &[u8]) -> Result<(), DeviceError> {
        match self {
            Device::Host(host) => host.write(address, data),
            #[cfg(feature = "cuda")]
            Device::Cuda(cuda) => cuda.write(address, data),
        }
    }

    fn read(&mut self, address: Address, data: &mut [u8]) -> Result<(), DeviceError> {
        match self {
            Device::Host(host) => host.read(address, data),
            #[cfg(feature = "cuda")]
            Device::Cuda(cuda) => cuda.read(address, data),
        }
    }

    /// Starts a kernel over `elements` elements, after all that was started before; returns
    /// without waiting.
    pub fn launch(
        &mut self,
        kernel: Kernel,
        elements: usize,
        arguments: [u64; 3],
    ) -> Result<(), DeviceError> {
        let (_, threads) = Kernel::ALL[kernel as usize];
        let blocks = elements.div_ceil(THREADS / threads);
        let blocks = u32::try_from(blocks).ok().filter(|blocks| blocks >> 31 == 0);
        match (blocks, self) {
            (Some(0), _) => Ok(()),
            (Some(blocks), Device::Host(host)) => host.launch(kernel, blocks, arguments),
            #[cfg(feature = "cuda")]
            (Some(blocks), Device::Cuda(cuda)) => cuda.launch(kernel, blocks, arguments),
            (None, _) => Err(DeviceError::Input(format!("{elements} elements in one launch"))),
        }
    }
}

/// An array in a device's memory that grows and keeps what it holds. The rest is zeros.
pub struct Array<T> {
    address: Address,
    room: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Plain> Array<T> {
    /// Without memory.
    pub fn new() -> Array<T> {
        Array { address: 0, room: 0, element: std::marker::PhantomData }
    }

    /// Where it stands; 0 while it has no memory. Another one after it grew.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> u64 {
        (self.room * size_of::<T>()) as u64
    }

    /// Makes room for `length` elements, a part more where it has to move.
    pub fn reserve(&mut self, device: &mut Device, length: usize) -> Result<(), DeviceError> {
        if length <= self.room {
            return Ok(());
        }
        let room = (length + length / 8).next_multiple_of(16);
        let address = device.allocate((room * size_of::<T>()) as u64)?;
        if self.room > 0 {
            let words = self.room * size_of::<T>() / 4;
            device.launch(Kernel::Copy32, words, [address, self.address, words as u64])?;
            device.release(self.address)?;
        }
        (self.address, self.room) = (address, room);
        Ok(())
    }

    /// Overwrites elements from `place` on; there is room for them.
    pub fn write(
        &mut self,
        device: &mut Device,
        place: usize,
        data: &[T],
    ) -> Result<(), DeviceError> {
        assert!(place + data.len() <= self.room, "room was reserved");
        if data.is_empty() {
            return Ok(());
        }
        device.write(self.address + (place * size_of::<T>()) as u64, bytes(data))
    }

    /// The first `length` elements, after all that was started.
    pub fn read(&self, device: &mut Device, length: usize) -> Result<Vec<T>, DeviceError> {
        assert!(length <= self.room, "no more than there is");
        let mut data = vec![T::default(); length];
        if length > 0 {
            device.read(self.address, bytes_mut(&mut data))?;
        }
        Ok(data)
    }
}
