//! Base58 with bitcoin's alphabet, of the one size that CIDv0 has: 34 bytes, 46 characters. Whole
//! words are multiplied and divided where a general codec goes digit by digit.
//!
//! Deliberately absent: other sizes, and what the bytes mean.

/// Bytes of a multihash of SHA-256.
pub const BYTES: usize = 34;
/// Characters of the numbers that begin with `0x12`.
pub const CHARACTERS: usize = 46;

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The value of each character, 255 where it is none.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut at = 0;
    while at < ALPHABET.len() {
        values[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    values
};

/// The number that a text spells, big endian; none if a character is not of the alphabet.
pub fn decode(text: &[u8; CHARACTERS]) -> Option<[u8; BYTES]> {
    // 58^46 < 2^270; the lowest word first. Ten characters at a time fit a word: 58^10 < 2^59.
    let mut words = [0u64; 5];
    for part in text.chunks(10) {
        let (mut value, mut scale) = (0u64, 1u64);
        for character in part {
            let digit = VALUES[usize::from(*character)];
            if digit == 255 {
                return None;
            }
            value = value * 58 + u64::from(digit);
            scale *= 58;
        }
        let mut carry = u128::from(value);
        for word in &mut words {
            carry += u128::from(*word) * u128::from(scale);
            *word = carry as u64;
            carry >>= 64;
        }
    }
    let mut bytes = [0; 40];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words.iter().rev()) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    bytes[6..].try_into().ok()
}

/// The last 46 characters that spell a number, big endian; all of them if it begins with `0x12`.
pub fn encode(number: &[u8; BYTES]) -> [u8; CHARACTERS] {
    const FIVE_DIGITS: u64 = 58u64.pow(5);
    // The highest word first, so that a word with the rest before it stays below 2^64.
    let mut words = [0u32; 9];
    let mut padded = [0; 36];
    padded[2..].copy_from_slice(number);
    for (word, chunk) in words.iter_mut().zip(padded.chunks_exact(4)) {
        *word = u32::from_be_bytes(chunk.try_into().expect("chunks of 4"));
    }
    let mut text = [0; CHARACTERS];
    for part in text.rchunks_mut(5) {
        let mut rest = 0u64;
        for word in &mut words {
            let value = rest << 32 | u64::from(*word);
            *word = (value / FIVE_DIGITS) as u32;
            rest = value % FIVE_DIGITS;
        }
        for character in part.iter_mut().rev() {
            *character = ALPHABET[(rest % 58) as usize];
            rest /= 58;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_general_codec(digest in any::<[u8; 32]>()) {
            let mut bytes = [0; BYTES];
            bytes[..2].copy_from_slice(&[0x12, 0x20]);
            bytes[2..].copy_from_slice(&digest);
            let text = bs58::encode(bytes).into_string();
            prop_assert_eq!(encode(&bytes).to_vec(), text.as_bytes());
            prop_assert_eq!(decode(text.as_bytes().try_into().unwrap()), Some(bytes));
        }

        #[test]
        fn reads_any_text_like_a_general_codec(text in "Qm[1-9A-Za-z!]{44}") {
            let general = bs58::decode(&text).into_vec().ok();
            let general = general.and_then(|bytes| <[u8; BYTES]>::try_from(bytes).ok());
            let own = decode(text.as_bytes().try_into().unwrap());
            prop_assert_eq!(own.filter(|bytes| bytes[0] != 0), general);
        }
    }

    #[test]
    fn the_largest_text_is_below_34_bytes() {
        assert!(decode(&[b'z'; CHARACTERS]).is_some_and(|bytes| bytes[0] > 0x12));
    }
}
