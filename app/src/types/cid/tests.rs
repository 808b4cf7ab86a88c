//! Against the vectors of another implementation (`tests/vectors/cid.mjs` tells which and how).

use super::*;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    texts: Vec<Text>,
    files: Vec<File>,
    shapes: Vec<File>,
    spellings_of_dog: Vec<Spelling>,
    raw_of_dog: String,
}

#[derive(Deserialize)]
struct Text {
    text: Option<String>,
    canonical: Option<String>,
    repeat: Option<String>,
    times: Option<usize>,
    cid: String,
}

#[derive(Deserialize)]
struct File {
    length: u64,
    chunk: Option<usize>,
    links: Option<usize>,
    cid: String,
}

#[derive(Deserialize)]
struct Spelling {
    base: String,
    text: String,
}

fn vectors() -> Vectors {
    let text = include_str!("../../../tests/vectors/cid.json");
    serde_json::from_str(text).expect("the committed vectors are JSON of this shape")
}

/// The files of the vectors: xorshift32 from 1, the low byte of each state.
struct Pseudorandom {
    state: u32,
    left: u64,
}

impl Read for Pseudorandom {
    /// Gives odd pieces, as a pipe would.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = into.len().min(self.left as usize).min(99_991);
        for byte in &mut into[..length] {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 17;
            self.state ^= self.state << 5;
            *byte = self.state as u8;
        }
        self.left -= length as u64;
        Ok(length)
    }
}

fn address(file: &File) -> String {
    let chunk_bytes = file.chunk.unwrap_or(DEFAULT.chunk_bytes);
    let shape = Shape { chunk_bytes, links: file.links.unwrap_or(DEFAULT.links) };
    let mut content = Pseudorandom { state: 1, left: file.length };
    particle_in_shape(&mut content, &shape).expect("memory").to_cid()
}

#[test]
fn texts_have_the_addresses_another_implementation_gives() {
    for vector in vectors().texts {
        if let (Some(text), Some(canonical)) = (&vector.text, &vector.canonical) {
            let (ours, particle) = particle_of_text(text);
            assert_eq!((&ours, particle.to_cid()), (canonical, vector.cid), "{text:?}");
        } else {
            let unit = vector.repeat.expect("a text or a repeated one");
            let text = unit.repeat(vector.times.expect("how often"));
            assert_eq!(particle_of_text(&text).1.to_cid(), vector.cid);
        }
    }
}

#[test]
fn files_around_every_border_have_the_addresses_another_implementation_gives() {
    for file in vectors().files {
        assert_eq!(address(&file), file.cid, "{} bytes", file.length);
    }
}

#[test]
fn deep_trees_have_the_addresses_another_implementation_gives() {
    for file in vectors().shapes {
        assert_eq!(address(&file), file.cid, "{} {:?} {:?}", file.length, file.chunk, file.links);
    }
}

#[test]
fn every_spelling_of_an_address_is_the_same_particle() {
    let (_, dog) = particle_of_text("dog");
    let spellings = vectors().spellings_of_dog;
    assert!(spellings.len() > 20, "all bases are there");
    for Spelling { base, text } in &spellings {
        assert_eq!(parse_any_cid(text), Ok(dog), "{base}");
    }
    for around in ["", "ipfs://", "/ipfs/", " "] {
        assert_eq!(parse_any_cid(&format!("{around}{}\n", dog.to_cid())), Ok(dog));
    }
}

#[test]
fn says_why_a_cid_has_no_canonical_form() {
    let raw = parse_any_cid(&vectors().raw_of_dog);
    assert!(matches!(&raw, Err(CidError::Codec { codec, .. }) if codec == "raw"), "{raw:?}");

    let mut long = vec![0x01, 0x70, 0x13, 0x40];
    long.extend([7; 64]);
    let sha512 = parse_any_cid(&format!("f{}", hex::encode(&long)));
    assert!(matches!(&sha512, Err(CidError::Hash { hash, bytes: 64, .. }) if hash == "sha2-512"));

    let mut short = vec![0x01, 0x70, 0x12, 0x14];
    short.extend([7; 20]);
    let shortened = parse_any_cid(&format!("f{}", hex::encode(&short)));
    assert!(matches!(shortened, Err(CidError::Hash { bytes: 20, .. })));
}

#[test]
fn words_are_not_taken_for_addresses() {
    let damaged = particle_of_text("dog").1.to_cid().replace('V', "W").replace('5', "l");
    let long = "b".repeat(100_000);
    for text in ["", "b", "zebra", "Qm", "bafy", "f01", "k", "9", "m", "ünder", &damaged, &long] {
        assert_eq!(parse_any_cid(text), Err(CidError::NotACid(text.to_owned())));
    }
    // One byte more after the digest, and a varint that is longer than it must be.
    let dog = hex::encode(particle_of_text("dog").1 .0);
    for text in [format!("f01701220{dog}00"), format!("f8100701220{dog}")] {
        assert_eq!(parse_any_cid(&text), Err(CidError::NotACid(text.clone())));
    }
}

proptest! {
    #[test]
    fn the_canonical_form_is_its_own_canonical_form(text in "\\PC*|[ \u{301}\u{feff}\u{2001}a]*") {
        let once = canonical_text(&text);
        prop_assert_eq!(canonical_text(&once), once);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[bBcCfFkKmMuUvVtThzZ079][ -~]{0,80}") {
        let _ = parse_any_cid(&text);
    }

    #[test]
    fn base58_and_base16_agree(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let fifty_eight = bs58::encode(&bytes).into_string();
        prop_assert_eq!(from_multibase_of("z", &fifty_eight), Some(bytes.clone()));
        prop_assert_eq!(from_multibase_of("f", &hex::encode(&bytes)), Some(bytes));
    }
}

fn from_multibase_of(letter: &str, digits: &str) -> Option<Vec<u8>> {
    spelling::from_multibase(&format!("{letter}{digits}"))
}
