//! From words to keys: BIP 39 words (12 to 24, English), BIP 32 derivation, secp256k1.

use super::KeyError;
use bip39::{Language, Mnemonic};
use cosmrs::bip32;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The path every Cosmos wallet uses for its first account.
pub const HD_PATH: &str = "m/44'/118'/0'/0/0";

/// A private key. Wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

/// Where a key comes from.
pub enum KeySource {
    /// New words.
    New,
    /// Words that are known, and the account's place on the path (0 for the first).
    Words { words: Zeroizing<String>, index: u32 },
    /// 64 hexadecimal digits.
    Hex(Zeroizing<String>),
}

impl KeySource {
    /// The key, and the words when they are new.
    pub fn secret(self) -> Result<(Secret, Option<Zeroizing<String>>), KeyError> {
        match self {
            KeySource::New => {
                let words = new_words();
                Ok((Secret::of_words(&words, 0)?, Some(words)))
            }
            KeySource::Words { words, index } => Ok((Secret::of_words(&words, index)?, None)),
            KeySource::Hex(text) => Ok((Secret::of_hex(&text)?, None)),
        }
    }
}

/// Twenty-four new words.
fn new_words() -> Zeroizing<String> {
    let mut entropy = Zeroizing::new([0u8; 32]);
    getrandom::fill(entropy.as_mut()).expect("the system gives random bytes");
    Secret::words_of_entropy(&entropy)
}

impl Secret {
    /// The words that stand for 32 bytes: for development accounts made from a seed.
    pub fn words_of_entropy(entropy: &[u8; 32]) -> Zeroizing<String> {
        let mnemonic = Mnemonic::from_entropy_in(Language::English, entropy)
            .expect("32 bytes make twenty-four words");
        Zeroizing::new(mnemonic.to_string())
    }

    /// The key of the account `index` of these words.
    pub fn of_words(words: &str, index: u32) -> Result<Secret, KeyError> {
        let tidy = words.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let tidy = Zeroizing::new(tidy);
        let mnemonic = Mnemonic::parse_in(Language::English, tidy.as_str())
            .map_err(|error| KeyError::Words(explain(&error)))?;
        let seed = Zeroizing::new(mnemonic.to_seed(""));
        let path = format!("m/44'/118'/0'/0/{index}");
        let path: bip32::DerivationPath =
            path.parse().map_err(|_| KeyError::Words(format!("no account {index} on the path")))?;
        let key = bip32::XPrv::derive_from_path(seed.as_ref(), &path)
            .map_err(|error| KeyError::Words(format!("these words give no key: {error}")))?;
        Ok(Secret(key.private_key().to_bytes().into()))
    }

    /// The key of 64 hexadecimal digits.
    pub fn of_hex(text: &str) -> Result<Secret, KeyError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(text.trim(), bytes.as_mut()).map_err(|_| KeyError::Hex)?;
        Secret::of_bytes(bytes.as_ref()).ok_or(KeyError::Hex)
    }

    /// The key of 32 bytes; `None` when they are no number below the order of the curve.
    pub fn of_bytes(bytes: &[u8]) -> Option<Secret> {
        let bytes: [u8; 32] = bytes.try_into().ok()?;
        secp256k1::SecretKey::from_byte_array(bytes).ok()?;
        Some(Secret(bytes))
    }

    /// The key in hexadecimal.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its public key, compressed.
    pub fn public_key(&self) -> [u8; 33] {
        let secret = secp256k1::SecretKey::from_byte_array(self.0)
            .expect("a Secret is a number below the order of the curve");
        secp256k1::PublicKey::from_secret_key_global(&secret).serialize()
    }

    /// The signer that cosmrs wants.
    pub fn signer(&self) -> cosmrs::crypto::secp256k1::SigningKey {
        cosmrs::crypto::secp256k1::SigningKey::from_slice(&self.0)
            .expect("a Secret is a number below the order of the curve")
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is wrong with the words, without repeating them.
fn explain(error: &bip39::Error) -> String {
    match error {
        bip39::Error::BadWordCount(count) => {
            format!("{count} words given; a mnemonic has 12, 15, 18, 21 or 24")
        }
        bip39::Error::UnknownWord(index) => {
            format!("word number {} is not in the English BIP 39 list", index + 1)
        }
        bip39::Error::InvalidChecksum => {
            "the checksum of the words does not fit: one of them is wrong or misplaced".to_owned()
        }
        other => format!("these words are no mnemonic: {other}"),
    }
}
