//! A CUDA device through the driver's functions, as the crate `cust` links them.
//!
//! One context, one stream, one thread. The stream is a blocking one, so copies, which go over the
//! driver's own, come after all kernels started before and are done when they return. Every status
//! is checked. Errors are told by `cust`'s names: asking the driver for a text may fail as well.
//! `cust` knows the codes of CUDA 11; where statuses can be read as numbers here, they are.

use std::collections::BTreeMap;
use std::ffi::c_void;

use cust::context::Context;
use cust::error::CudaError;
use cust::memory::{cuda_free, cuda_malloc, DevicePointer};
use cust::module::Module;
use cust::stream::{Stream, StreamFlags};

use super::device::{Address, DeviceError, Kernel};

/// The kernels, compiled by build.rs for sm_75 to sm_90 and as PTX for what comes after.
static KERNELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rank.fatbin"));

/// Threads of every block.
const THREADS: u32 = 256;

/// The first device.
pub struct Cuda {
    stream: Stream,
    module: Module,
    name: String,
    /// By address, bytes.
    memory: BTreeMap<Address, u64>,
    /// Dropped last: everything above lives in it.
    _context: Context,
}

#[allow(unsafe_code, reason = "the driver takes addresses")]
impl Cuda {
    /// Starts the driver and loads the kernels.
    pub fn open() -> Result<Cuda, DeviceError> {
        let absent = |error: CudaError| DeviceError::Absent(format!("CUDA: {error:?}"));
        let context = cust::quick_init().map_err(absent)?;
        let device = cust::device::Device::get_device(0).map_err(absent)?;
        let name = device.name().map_err(absent)?;
        let module = Module::from_fatbin(KERNELS, &[]).map_err(absent)?;
        for (kernel, _) in Kernel::ALL {
            module.get_function(kernel).map_err(absent)?;
        }
        let stream = Stream::new(StreamFlags::DEFAULT, None).map_err(absent)?;
        Ok(Cuda { stream, module, name, memory: BTreeMap::new(), _context: context })
    }

    pub fn name(&self) -> String {
        self.name.clone()
    }

    pub fn allocate(&mut self, bytes: u64) -> Result<Address, DeviceError> {
        let length = usize::try_from(bytes).map_err(|_| DeviceError::Memory { bytes })?;
        // SAFETY: the memory is cleared before anybody reads it.
        let pointer = match unsafe { cuda_malloc::<u8>(length) } {
            Ok(pointer) => pointer,
            Err(CudaError::OutOfMemory) => return Err(DeviceError::Memory { bytes }),
            Err(error) => return Err(call("allocate")(error)),
        };
        let address = pointer.as_raw();
        self.memory.insert(address, bytes);
        // SAFETY: the range was just allocated.
        let status = unsafe { cust::sys::cuMemsetD8_v2(address, 0, length) };
        number("clear", status as u32).map(|()| address)
    }

    pub fn release(&mut self, address: Address) -> Result<(), DeviceError> {
        self.memory.remove(&address).expect("an address we gave out");
        // What was started still reads it.
        self.stream.synchronize().map_err(call("synchronize"))?;
        // SAFETY: the address is one of `cuda_malloc` and is freed once.
        unsafe { cuda_free(DevicePointer::<u8>::from_raw(address)) }.map_err(call("free"))
    }

    pub fn release_all(&mut self) -> Result<(), DeviceError> {
        let all: Vec<Address> = self.memory.keys().copied().collect();
        all.into_iter().try_for_each(|address| self.release(address))
    }

    /// Whether a range lies in one allocation; the caller's arrays see to it.
    fn check(&self, address: Address, length: usize) {
        let block = self.memory.range(..=address).next_back();
        let inside = block.is_some_and(|(start, bytes)| address - start + length as u64 <= *bytes);
        assert!(inside, "within what was given out");
    }

    pub fn write(&mut self, address: Address, data: &[u8]) -> Result<(), DeviceError> {
        self.check(address, data.len());
        let from = data.as_ptr().cast::<c_void>();
        // SAFETY: both ranges are of that length; the call returns when the data is taken.
        let status = unsafe { cust::sys::cuMemcpyHtoD_v2(address, from, data.len()) };
        number("copy to the device", status as u32)
    }

    pub fn read(&mut self, address: Address, data: &mut [u8]) -> Result<(), DeviceError> {
        self.check(address, data.len());
        // Errors of kernels show here, by their own name.
        self.stream.synchronize().map_err(call("synchronize"))?;
        let to = data.as_mut_ptr().cast::<c_void>();
        // SAFETY: both ranges are of that length; the call returns when the data is there.
        let status = unsafe { cust::sys::cuMemcpyDtoH_v2(to, address, data.len()) };
        number("copy from the device", status as u32)
    }

    pub fn launch(
        &mut self,
        kernel: Kernel,
        blocks: u32,
        mut arguments: [u64; 3],
    ) -> Result<(), DeviceError> {
        let (name, _) = Kernel::ALL[kernel as usize];
        let function = self.module.get_function(name).map_err(call("find a kernel"))?;
        let places = arguments.each_mut().map(|argument| (argument as *mut u64).cast::<c_void>());
        // SAFETY: every kernel takes three 64-bit numbers; `Resident` gives it addresses of arrays
        // as long as the counts beside them say.
        unsafe { self.stream.launch(&function, blocks, THREADS, 0, &places) }.map_err(call(name))
    }
}

fn call(name: &'static str) -> impl Fn(CudaError) -> DeviceError {
    move |error| DeviceError::Call { call: name, text: format!("{error:?}") }
}

fn number(name: &'static str, status: u32) -> Result<(), DeviceError> {
    match status {
        0 => Ok(()),
        2 => Err(DeviceError::Memory { bytes: 0 }),
        other => Err(DeviceError::Call { call: name, text: format!("CUDA error {other}") }),
    }
}
