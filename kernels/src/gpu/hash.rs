//! The 64-bit hash of all codes: the sum of a mixed word for each particle, so that it can be
//! computed in any order and brought up to date by what changed. It finds faults, not forgers.

/// The hash's word for one particle (`hash_word` of cuda/rank.cu).
#[inline]
fn word(particle: u32, code: u32) -> u64 {
    let mixed = ((u64::from(particle) << 32) | u64::from(code)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The hash of codes whose first one is that of particle `first`.
pub fn codes_from(first: u32, codes: &[u32]) -> u64 {
    (first..).zip(codes).fold(0, |sum, (particle, &code)| sum.wrapping_add(word(particle, code)))
}

/// The hash of all codes.
pub fn codes(codes: &[u32]) -> u64 {
    codes_from(0, codes)
}
