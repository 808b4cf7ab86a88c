//! Codes: a rank value as `mantissa · 2^shift`, packed in 32 bits as the shift (6 bits) above the
//! mantissa (`bits`, 8 to 24). Code 0 means that no round has ranked the particle yet.
//!
//! Codes are canonical: a shift above 0 comes with a mantissa that uses all its bits, so equal
//! values have equal codes. Values stay below 2^63.

/// Width of the shift above the mantissa.
const SHIFT_BITS: u32 = 6;

/// Packs `mantissa` (below 2^bits) and `shift` (below 64).
pub fn pack(mantissa: u32, shift: u32, bits: u32) -> u32 {
    (shift << bits) | mantissa
}

/// Mantissa and shift of a code.
pub fn unpack(code: u32, bits: u32) -> (u32, u32) {
    (code & ((1 << bits) - 1), code >> bits)
}

/// The value of a code: the rank of a particle as it is published.
pub fn value(code: u32, bits: u32) -> u64 {
    let (mantissa, shift) = unpack(code, bits);
    u64::from(mantissa) << shift
}

/// Whether `code` can be the result of [`floor`] or [`ceil`], with a value below 2^63.
pub fn is_canonical(code: u32, bits: u32) -> bool {
    let (mantissa, shift) = unpack(code, bits);
    code >> bits >> SHIFT_BITS == 0
        && shift <= 63 - bits
        && (shift == 0 || mantissa >> (bits - 1) == 1)
}

/// The largest code whose value is at most `x`.
#[inline]
pub fn floor(x: u64, bits: u32) -> u32 {
    let shift = (u64::BITS - x.leading_zeros()).saturating_sub(bits);
    pack((x >> shift) as u32, shift, bits)
}

/// The smallest code whose value is at least `x`.
#[inline]
pub fn ceil(x: u64, bits: u32) -> u32 {
    let below = floor(x, bits);
    let (mantissa, shift) = unpack(below, bits);
    if u64::from(mantissa) << shift == x {
        return below;
    }
    if mantissa + 1 == 1 << bits {
        return pack(1 << (bits - 1), shift + 1, bits);
    }
    below + 1
}

/// Moves `code` towards `x` and never past it: the step that makes rounds end.
#[inline]
pub fn towards(code: u32, x: u64, bits: u32) -> u32 {
    if x >= value(code, bits) {
        floor(x, bits)
    } else {
        ceil(x, bits)
    }
}

/// A neuron's rank-stake after a freeze: its `stake` held to `bits` significant bits (1 to 24).
/// `previous` is the rank-stake of the last freeze, 0 before the first; the answer moves only when
/// the stake has left the step of its own precision, so applying it again changes nothing.
pub fn hold_stake(previous: u64, stake: u64, bits: u32) -> u64 {
    assert!((1..=24).contains(&bits), "stake_bits is {bits}, allowed are 1 to 24");
    let shift = (u64::BITS - stake.leading_zeros()).saturating_sub(bits);
    let down = stake >> shift << shift;
    if stake >= previous || down == stake {
        return down;
    }
    // The upper end of a step may be 2^64; the supply is at most 2^63, so it is not.
    down.checked_add(1 << shift).expect("the supply of the stake denomination is at most 2^63")
}

/// The codes a round starts from.
///
/// `previous` are the codes of the last round in `previous_bits` with the base 2^(32 -
/// `previous_shift`); the round has `particles` of them, `bits` and the base 2^(32 - `shift`). When
/// the base has fallen, values fall with it first, rounded down; then codes of another width are
/// the `floor` of their values; what no round has ranked starts at the base.
pub fn starting_codes(
    previous: &[u32],
    (previous_bits, previous_shift): (u32, u32),
    particles: u32,
    (bits, shift): (u32, u32),
) -> Vec<u32> {
    assert!(previous.len() <= particles as usize, "particles never become fewer");
    let fresh = floor(1 << (32 - shift), bits);
    let lower = shift.saturating_sub(previous_shift);
    let mut codes: Vec<u32> = previous
        .iter()
        .map(|&code| match (code, previous_bits == bits && lower == 0) {
            (0, _) => fresh,
            (code, true) => code,
            (code, false) => floor(value(code, previous_bits) >> lower, bits),
        })
        .collect();
    codes.resize(particles as usize, fresh);
    codes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_mantissa_rounds_up_into_the_next_shift() {
        assert_eq!(unpack(ceil(0xffff_ffff, 15), 15), (1 << 14, 18));
        assert_eq!(unpack(ceil(1 << 32, 15), 15), (1 << 14, 18));
        assert_eq!(unpack(floor((1 << 32) - 1, 15), 15), ((1 << 15) - 1, 17));
    }

    #[test]
    fn small_numbers_are_their_own_codes() {
        for x in 0..256 {
            assert_eq!((floor(x, 8), ceil(x, 8)), (x as u32, x as u32));
        }
    }

    #[test]
    fn a_falling_base_lowers_shifts_before_the_width_changes() {
        let old = [pack(0x7fff, 4, 15), pack(0x4001, 0, 15), 0];
        let codes = starting_codes(&old, (15, 0), 4, (15, 2));
        assert_eq!(codes[0], pack(0x7fff, 2, 15));
        assert_eq!(codes[1], 0x1000);
        assert_eq!(codes[2..], [floor(1 << 30, 15); 2]);
        let narrow = starting_codes(&old, (15, 0), 3, (8, 2));
        assert_eq!(narrow[0], pack(0xff, 9, 8));
        // A base that rises leaves the codes where they are: the sweeps lift them.
        assert_eq!(starting_codes(&old, (15, 2), 3, (15, 0))[..2], old[..2]);
    }

    proptest! {
        #[test]
        fn floor_and_ceil_enclose_within_one_step(
            x in 0u64..1 << 62,
            drop in 0u32..62,
            bits in 8u32..=24,
        ) {
            let x = x >> drop;
            let (low, high) = (floor(x, bits), ceil(x, bits));
            prop_assert!(is_canonical(low, bits) && is_canonical(high, bits));
            prop_assert!(value(low, bits) <= x && x <= value(high, bits));
            prop_assert!(value(high, bits) - value(low, bits) <= x >> (bits - 1));
            prop_assert_eq!(floor(value(low, bits), bits), low);
            prop_assert_eq!(ceil(value(high, bits), bits), high);
        }

        #[test]
        fn moving_twice_towards_the_same_sum_moves_once(
            old in 0u64..1 << 62, x in 0u64..1 << 62, bits in 8u32..=24,
        ) {
            let once = towards(floor(old, bits), x, bits);
            prop_assert_eq!(towards(once, x, bits), once);
        }

        #[test]
        fn holding_a_stake_twice_holds_it_once(
            previous in 0u64..=1 << 63, stake in 0u64..=1 << 63, bits in 6u32..=24,
        ) {
            let held = hold_stake(previous, stake, bits);
            prop_assert_eq!(hold_stake(held, stake, bits), held);
            prop_assert!(held.abs_diff(stake) <= stake >> (bits - 1));
        }
    }
}
