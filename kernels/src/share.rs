//! A source as a sweep reads it: code and exponent in one word of 4 bytes.

use crate::code::unpack;

/// Low bits of a share: the shift to the right. The bit above them is free.
const SHIFT_MASK: u32 = 63;
/// The rest: the mantissa, so far up that its product with a weight just stays below 2^63.
const MANTISSA_MASK: u32 = !127;

/// The share of a source: its contributions are
/// `(weight · (share & MANTISSA_MASK)) >> (share & 63)`.
///
/// The product is `w · m · 2^(31 - bits)`, below 2^63 as the mantissa is below 2^bits; a shift of
/// 63 or more gives 0 and is kept as 63. It is never negative: values are below 2^63. A share of 0
/// contributes 0 whatever the weight.
#[inline]
pub fn share(code: u32, exponent: u8, bits: u32) -> u32 {
    let (mantissa, shift) = unpack(code, bits);
    let down = (63 + u32::from(exponent)).wrapping_sub(shift + bits).min(63);
    (mantissa << (31 - bits)) | down
}

/// What a source gives through a link of this weight.
#[inline]
pub fn contribution(weight: u32, share: u32) -> u64 {
    (u64::from(weight) * u64::from(share & MANTISSA_MASK)) >> (share & SHIFT_MASK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::floor;
    use crate::cpu;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_share_gives_what_the_definition_gives(
            mantissa in 0..=3_865_470_566u32, exponent in 0u8..=24,
            x in 0u64..1 << 63, drop in 0u32..63, bits in 8u32..=24,
        ) {
            let code = floor(x >> drop, bits);
            let weight = cpu::Weight { mantissa, exponent: u32::from(exponent) };
            let defined = cpu::contribution(weight, code, bits);
            prop_assert_eq!(contribution(mantissa, share(code, exponent, bits)), defined);
            prop_assert_eq!(contribution(mantissa, 0), 0);
        }
    }
}
