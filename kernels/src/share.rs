//! A source as a sweep reads it: code and exponent in one word of 4 bytes.

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
#[inline(always)]
pub fn share(code: u32, exponent: u8, bits: u32) -> u32 {
    let mantissa = code & 1u32.wrapping_shl(bits).wrapping_sub(1);
    let lift = code.wrapping_shr(bits).wrapping_add(bits);
    let down = (63 + u32::from(exponent)).wrapping_sub(lift).min(63);
    mantissa.wrapping_shl(31u32.wrapping_sub(bits)) | down
}

/// What a source gives through a link of this weight.
#[inline(always)]
pub fn contribution(weight: u32, share: u32) -> u64 {
    (u64::from(weight) * u64::from(share & MANTISSA_MASK)) >> (share & SHIFT_MASK)
}

/// [`crate::code::towards`] without a branch or a check, so that several rows go through one
/// instruction: whether a code moves, and which way, no processor guesses. `x` and the code's value
/// are below 2^63.
#[inline(always)]
pub fn towards(code: u32, x: u64, bits: u32) -> u32 {
    let length = u64::BITS.wrapping_sub(x.leading_zeros());
    let shift = length.saturating_sub(bits);
    let mantissa = x.wrapping_shr(shift);
    let mask = 1u32.wrapping_shl(bits).wrapping_sub(1);
    let value = u64::from(code & mask).wrapping_shl(code.wrapping_shr(bits));
    let up = u64::from(x < value) & u64::from(mantissa.wrapping_shl(shift) != x);
    let mantissa = mantissa.wrapping_add(up) as u32;
    // A mantissa that was full becomes the smallest full one of the next shift.
    let full = mantissa.wrapping_shr(bits);
    let lifted = mantissa.wrapping_add(full.wrapping_shl(bits.wrapping_sub(1)));
    shift.wrapping_shl(bits).wrapping_add(lifted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{self, floor};
    use crate::cpu;
    use proptest::prelude::*;

    #[test]
    fn a_full_mantissa_moves_up_into_the_next_shift() {
        let old = floor(1 << 40, 15);
        for x in [0xffff_ffff, 0xffff_fffe, 0x7fff_8000, 0x7fff, 0x7ffe, 1] {
            assert_eq!(towards(old, x, 15), code::towards(old, x, 15), "{x:#x}");
        }
    }

    proptest! {
        #[test]
        fn moving_without_a_branch_moves_the_same_way(
            old in 0u64..1 << 63, down in 0u32..63, x in 0u64..1 << 63, drop in 0u32..63,
            close in -3i64..=3, bits in 8u32..=24,
        ) {
            let old = floor(old >> down, bits);
            let near = code::value(old, bits).saturating_add_signed(close).min((1 << 63) - 1);
            for x in [x >> drop, near] {
                prop_assert_eq!(towards(old, x, bits), code::towards(old, x, bits));
            }
        }

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
