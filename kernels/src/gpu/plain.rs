//! Arrays of integers as the bytes a device has them in: little-endian, without padding.

/// Integers whose every bit pattern is a value.
pub trait Plain: Copy + Default + private::Sealed {}

impl Plain for u8 {}
impl Plain for u32 {}
impl Plain for u64 {}

mod private {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u32 {}
    impl Sealed for u64 {}
}

#[cfg(not(target_endian = "little"))]
compile_error!("devices and the worker's protocol are little-endian");

/// The bytes of an array.
#[allow(unsafe_code, reason = "views integers as bytes, which have no invariants")]
pub fn bytes<T: Plain>(array: &[T]) -> &[u8] {
    // SAFETY: `Plain` types have no padding, and the length is that of the array.
    unsafe { std::slice::from_raw_parts(array.as_ptr().cast(), size_of_val(array)) }
}

/// The bytes of an array, to be written.
#[allow(unsafe_code, reason = "views integers as bytes, which have no invariants")]
pub fn bytes_mut<T: Plain>(array: &mut [T]) -> &mut [u8] {
    // SAFETY: as above; every pattern of bytes is a `Plain` value.
    unsafe { std::slice::from_raw_parts_mut(array.as_mut_ptr().cast(), size_of_val(array)) }
}
