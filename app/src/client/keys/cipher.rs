//! Encryption of a key with a password: scrypt makes the cipher's key, ChaCha20-Poly1305 seals.
//! What the file states in the open (name, public key) is sealed along, so that it cannot be
//! exchanged unnoticed.

use super::derive::Secret;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// scrypt's cost: 2^17 steps of 8 blocks, 128 MiB, the first recommendation of OWASP.
pub(super) const WORK: u8 = 17;
/// A file may not make us take more memory than this cost does (1 GiB).
const WORK_MAX: u8 = 20;
const BLOCKS: u32 = 8;

/// A sealed secret as it stands in the key file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sealed {
    kdf: String,
    log_n: u8,
    r: u32,
    p: u32,
    salt: String,
    cipher: String,
    nonce: String,
    text: String,
}

/// Why a seal did not open.
#[derive(Debug)]
pub(super) enum SealError {
    /// The password, or the text beside it, is another than the one it was sealed with.
    Password,
    /// What stands in the file cannot be a seal.
    Damaged(String),
}

/// Seals a secret. `context` is what the file states in the open.
pub(super) fn seal(secret: &Secret, context: &[u8], password: &str, work: u8) -> Sealed {
    let mut salt = [0u8; 16];
    let mut nonce = [0u8; 12];
    getrandom::fill(&mut salt).expect("the system gives random bytes");
    getrandom::fill(&mut nonce).expect("the system gives random bytes");
    let cipher = cipher_of(password, &salt, work, BLOCKS, 1).expect("our own parameters are good");
    let payload = Payload { msg: secret.as_bytes(), aad: context };
    let text = cipher.encrypt(Nonce::from_slice(&nonce), payload).expect("32 bytes can be sealed");
    Sealed {
        kdf: "scrypt".to_owned(),
        log_n: work,
        r: BLOCKS,
        p: 1,
        salt: hex::encode(salt),
        cipher: "chacha20-poly1305".to_owned(),
        nonce: hex::encode(nonce),
        text: hex::encode(text),
    }
}

/// Opens a seal.
pub(super) fn open(sealed: &Sealed, context: &[u8], password: &str) -> Result<Secret, SealError> {
    let damaged = |reason: &str| SealError::Damaged(reason.to_owned());
    if sealed.kdf != "scrypt" || sealed.cipher != "chacha20-poly1305" {
        return Err(damaged("unknown kind of encryption"));
    }
    if sealed.log_n > WORK_MAX || sealed.r > 16 || sealed.p > 4 {
        return Err(damaged("the cost of its password is out of bounds"));
    }
    let salt = hex::decode(&sealed.salt).map_err(|_| damaged("salt"))?;
    let nonce = hex::decode(&sealed.nonce).map_err(|_| damaged("nonce"))?;
    let text = hex::decode(&sealed.text).map_err(|_| damaged("sealed text"))?;
    if nonce.len() != 12 {
        return Err(damaged("nonce"));
    }
    let cipher = cipher_of(password, &salt, sealed.log_n, sealed.r, sealed.p)
        .ok_or_else(|| damaged("the cost of its password"))?;
    let payload = Payload { msg: &text, aad: context };
    let plain = cipher.decrypt(Nonce::from_slice(&nonce), payload);
    let plain = Zeroizing::new(plain.map_err(|_| SealError::Password)?);
    Secret::of_bytes(&plain).ok_or_else(|| damaged("what was sealed is no private key"))
}

fn cipher_of(password: &str, salt: &[u8], work: u8, r: u32, p: u32) -> Option<ChaCha20Poly1305> {
    let params = scrypt::Params::new(work, r, p, 32).ok()?;
    let mut key = Zeroizing::new([0u8; 32]);
    scrypt::scrypt(password.as_bytes(), salt, &params, key.as_mut()).ok()?;
    Some(ChaCha20Poly1305::new(key.as_ref().into()))
}
