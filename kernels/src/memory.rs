//! Large arrays on huge pages where the system gives them: gathers over megabytes of codes miss
//! the address cache at every step on small pages. And a hint to the processor what is read soon.
//! Wishes, without effect on values.

/// Bytes from which an array asks for huge pages of 2 MiB.
const LARGE: usize = 4 << 20;

/// `length` zeros.
pub fn zeros<T: Copy + Default>(length: usize) -> Vec<T> {
    let mut array = Vec::with_capacity(length);
    advise(&mut array);
    array.resize(length, T::default());
    array
}

/// Lengthens `array` to `length` with copies of `value`, on huge pages if it has to move.
pub fn extend<T: Copy>(array: &mut Vec<T>, length: usize, value: T) {
    if length > array.capacity() {
        let mut moved = Vec::with_capacity(length + length / 16);
        advise(&mut moved);
        moved.extend_from_slice(array);
        *array = moved;
    }
    array.resize(length, value);
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "madvise takes an address; it changes no contents")]
fn advise<T>(array: &mut Vec<T>) {
    let bytes = array.capacity() * size_of::<T>();
    if bytes < LARGE {
        return;
    }
    let page = 4096;
    let start = (array.as_mut_ptr() as usize).next_multiple_of(page);
    let length = (array.as_ptr() as usize + bytes - start) / page * page;
    // SAFETY: the pages from `start` lie within the allocation, and MADV_HUGEPAGE only marks them.
    // A refusal (no such pages here) is no error.
    let _ = unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise<T>(_array: &mut Vec<T>) {}

/// Asks for the cache line of an element that is read soon; the index may lie outside.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "a prefetch reads nothing and may name any address")]
#[inline(always)]
pub fn prefetch<T>(array: &[T], index: usize) {
    use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
    // SAFETY: the instruction has no effect on values and no faults.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(array.as_ptr().wrapping_add(index).cast::<i8>()) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn prefetch<T>(_array: &[T], _index: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_and_small_arrays_hold_what_they_should() {
        for length in [0, 1, 1000, LARGE / 4 + 1] {
            let mut array: Vec<u32> = zeros(length);
            assert!(array.len() == length && array.iter().all(|&n| n == 0));
            extend(&mut array, length + LARGE / 4, 7);
            assert!(array[..length].iter().all(|&n| n == 0));
            assert!(array[length..].iter().all(|&n| n == 7) && array.len() == length + LARGE / 4);
        }
    }
}
