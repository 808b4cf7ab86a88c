//! The host as a device: `cuda/rank.cu` compiled as C++ with `cuda/shim.h` into a shared library.
//!
//! For tests, and for checking a worker end to end on machines without a GPU. Memory is the
//! process's own, kernels run to their end before a launch returns.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_uint, c_void, CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::device::{Address, DeviceError, Kernel};

/// The source of the kernels, and what makes C++ of it.
const SOURCES: [(&str, &str); 2] = [
    ("rank.cu", include_str!("../../cuda/rank.cu")),
    ("shim.h", include_str!("../../cuda/shim.h")),
];

/// Compiles the kernels for the host into `folder`, unless that was done before; gives the shared
/// library. The compiler is `CXX`, or `c++`, `g++` or `clang++`, whichever is found first.
///
/// # Errors
/// When none is found, or what it says when it fails.
pub fn build_shim(folder: &Path) -> io::Result<PathBuf> {
    let text = SOURCES.iter().flat_map(|(_, text)| text.bytes());
    let fingerprint = text.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let library = folder.join(format!("rank-shim-{fingerprint:016x}.so"));
    if library.is_file() {
        return Ok(library);
    }
    // In a folder of our own first: others may build the same at the same time.
    static BUILDS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let build = BUILDS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let own = folder.join(format!("rank-shim-{}-{build}", std::process::id()));
    std::fs::create_dir_all(&own)?;
    for (name, text) in SOURCES {
        std::fs::write(own.join(name), text)?;
    }
    let made = compile(&own).and_then(|()| std::fs::rename(own.join("shim.so"), &library));
    let cleaned = std::fs::remove_dir_all(&own);
    made.and(cleaned).map(|()| library)
}

fn compile(folder: &Path) -> io::Result<()> {
    let named = std::env::var("CXX").ok().filter(|name| !name.is_empty());
    let compilers = named.iter().map(String::as_str).chain(["c++", "g++", "clang++"]);
    for compiler in compilers {
        let output = Command::new(compiler)
            .args([
                "-x",
                "c++",
                "-std=c++17",
                "-O2",
                "-fPIC",
                "-shared",
                "-o",
                "shim.so",
                "rank.cu",
            ])
            .current_dir(folder)
            .output();
        match output {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(io::Error::other(format!("{compiler}: {said}")));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("no C++ compiler: install g++ or clang++, or name one in CXX"))
}

type Launch = unsafe extern "C" fn(*const c_void, c_uint, *const u64);

/// The library and the memory given out.
pub struct Host {
    launch: Launch,
    kernels: [usize; Kernel::ALL.len()],
    /// By address: sixteen bytes a word, so that any element is aligned.
    memory: BTreeMap<Address, Vec<u128>>,
}

#[allow(unsafe_code, reason = "a shared library is entered through bare pointers")]
impl Host {
    /// Loads the library; it stays loaded until the process ends.
    pub fn open(path: &Path) -> Result<Host, DeviceError> {
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| DeviceError::Absent(format!("{}: a path with a zero", path.display())))?;
        // SAFETY: the name ends with a zero; the library has no initialisers that could fail.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            return Err(DeviceError::Absent(format!("{}: {}", path.display(), said())));
        }
        let find = |name: &str| {
            let symbol = CString::new(name).expect("names have no zeros");
            // SAFETY: the library is loaded, the name ends with a zero.
            let found = unsafe { libc::dlsym(library, symbol.as_ptr()) } as usize;
            let missing = || DeviceError::Absent(format!("{}: no {name}", path.display()));
            Some(found).filter(|&found| found != 0).ok_or_else(missing)
        };
        let mut kernels = [0; Kernel::ALL.len()];
        for (place, (name, _)) in kernels.iter_mut().zip(Kernel::ALL) {
            *place = find(name)?;
        }
        // SAFETY: shim.h defines it with this signature.
        let launch = unsafe { std::mem::transmute::<usize, Launch>(find("shim_launch")?) };
        Ok(Host { launch, kernels, memory: BTreeMap::new() })
    }

    pub fn allocate(&mut self, bytes: u64) -> Result<Address, DeviceError> {
        let words =
            usize::try_from(bytes.div_ceil(16)).map_err(|_| DeviceError::Memory { bytes })?;
        let mut block = Vec::<u128>::new();
        block.try_reserve_exact(words).map_err(|_| DeviceError::Memory { bytes })?;
        block.resize(words, 0);
        let address = block.as_ptr() as Address;
        self.memory.insert(address, block);
        Ok(address)
    }

    pub fn release(&mut self, address: Address) -> Result<(), DeviceError> {
        self.memory.remove(&address).expect("an address we gave out");
        Ok(())
    }

    pub fn release_all(&mut self) -> Result<(), DeviceError> {
        self.memory.clear();
        Ok(())
    }

    /// The block that has all bytes of a range, and where in it the range begins.
    fn within(&mut self, address: Address, length: usize) -> *mut u8 {
        let (start, block) =
            self.memory.range_mut(..=address).next_back().expect("an address we gave out");
        let offset = (address - start) as usize;
        assert!(offset + length <= block.len() * 16, "within what was given out");
        block.as_mut_ptr().cast::<u8>().wrapping_add(offset)
    }

    pub fn write(&mut self, address: Address, data: &[u8]) -> Result<(), DeviceError> {
        let place = self.within(address, data.len());
        // SAFETY: the range lies in one block of ours, which nobody else uses.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), place, data.len()) };
        Ok(())
    }

    pub fn read(&mut self, address: Address, data: &mut [u8]) -> Result<(), DeviceError> {
        let place = self.within(address, data.len());
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(place, data.as_mut_ptr(), data.len()) };
        Ok(())
    }

    pub fn launch(
        &mut self,
        kernel: Kernel,
        blocks: u32,
        arguments: [u64; 3],
    ) -> Result<(), DeviceError> {
        let entry = self.kernels[kernel as usize] as *const c_void;
        // SAFETY: the kernel is one of the library's; `Resident` gives it addresses of arrays as
        // long as the counts beside them say, all of them ours.
        unsafe { (self.launch)(entry, blocks, arguments.as_ptr()) };
        Ok(())
    }
}

/// What the loader has to say about its last error.
#[allow(unsafe_code, reason = "reads the loader's message")]
fn said() -> String {
    // SAFETY: the loader gives null or a text that stays until its next call on this thread.
    let text: *const c_char = unsafe { libc::dlerror() };
    if text.is_null() {
        return "cannot be loaded".to_owned();
    }
    // SAFETY: as above.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
