//! From content to particle: the canonical text rule, and the CIDv0 that `ipfs add` gives.
//!
//! Content is cut into chunks of 262,144 bytes. Each chunk is a dag-pb node around a UnixFS file
//! message; 174 of them hang under a node of the next level, all chunks at the same depth, until
//! one node is left. The particle is the SHA-256 of that node's bytes.
//!
//! Memory stays at one chunk and 174 addresses a level, whatever the length. The chain itself never
//! calls this: it takes particles as they come and sees no content.

mod spelling;
#[cfg(test)]
mod tests;

pub use spelling::{parse_any_cid, CidError};

use crate::types::Particle;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use unicode_normalization::UnicodeNormalization;

/// How content is cut and joined.
struct Shape {
    chunk_bytes: usize,
    /// Children of one node, at most.
    links: usize,
}

/// What `ipfs add` does when nothing else is said.
const DEFAULT: Shape = Shape { chunk_bytes: 262_144, links: 174 };

/// The canonical form of a text: Unicode NFC, white space around it removed (Unicode's White_Space
/// and U+FEFF), case kept. The same rule holds for command line, page and importers.
pub fn canonical_text(text: &str) -> String {
    let composed: String = text.nfc().collect();
    composed.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned()
}

/// The canonical form of a text and the particle of it.
pub fn particle_of_text(text: &str) -> (String, Particle) {
    let canonical = canonical_text(text);
    let particle = particle_of_bytes(canonical.as_bytes());
    (canonical, particle)
}

/// The particle of content as it is, no rule applied.
pub fn particle_of_bytes(content: &[u8]) -> Particle {
    particle_of_reader(&mut &content[..]).expect("reading from memory never fails")
}

/// The particle of everything the reader gives.
///
/// # Errors
/// Those of the reader.
pub fn particle_of_reader(reader: &mut dyn Read) -> io::Result<Particle> {
    particle_in_shape(reader, &DEFAULT)
}

fn particle_in_shape(reader: &mut dyn Read, shape: &Shape) -> io::Result<Particle> {
    let mut chunk = Vec::with_capacity(shape.chunk_bytes);
    let mut levels = Levels { links: shape.links, waiting: Vec::new() };
    loop {
        chunk.clear();
        Read::take(&mut *reader, shape.chunk_bytes as u64).read_to_end(&mut chunk)?;
        // Content without a byte is one empty chunk; otherwise there are no empty chunks.
        if !chunk.is_empty() || levels.waiting.is_empty() {
            levels.push(0, leaf(&chunk));
        }
        if chunk.len() < shape.chunk_bytes {
            return Ok(levels.root());
        }
    }
}

/// A node of the graph as its parent knows it.
struct Node {
    digest: [u8; 32],
    /// Bytes of content below it.
    content_bytes: u64,
    /// Bytes of the encoded nodes below it, itself included.
    encoded_bytes: u64,
}

/// The nodes of each level that have no parent yet, chunks at level 0.
struct Levels {
    links: usize,
    waiting: Vec<Vec<Node>>,
}

impl Levels {
    /// Adds a node; when its level is full, the ones before it get their parent first.
    fn push(&mut self, level: usize, node: Node) {
        if self.waiting.len() == level {
            self.waiting.push(Vec::new());
        }
        if self.waiting[level].len() == self.links {
            self.join(level);
        }
        self.waiting[level].push(node);
    }

    /// Puts the waiting nodes of a level under a parent.
    fn join(&mut self, level: usize) {
        let children = std::mem::take(&mut self.waiting[level]);
        self.push(level + 1, parent(&children));
    }

    /// Joins what is left, from the bottom, until one node stands alone.
    fn root(mut self) -> Particle {
        let mut level = 0;
        while level + 1 < self.waiting.len() || self.waiting[level].len() > 1 {
            self.join(level);
            level += 1;
        }
        Particle(self.waiting[level][0].digest)
    }
}

/// dag-pb: field 1 of a node holds its data, field 2 each link; links are written first.
const NODE_DATA: u8 = 0x0a;
const NODE_LINK: u8 = 0x12;
/// UnixFS: field 1 says what the node is (2: a file).
const IS_FILE: [u8; 2] = [0x08, 0x02];
const FILE_DATA: u8 = 0x12;
const FILE_SIZE: u8 = 0x18;
const BLOCK_SIZE: u8 = 0x20;

fn leaf(chunk: &[u8]) -> Node {
    let length = chunk.len() as u64;
    let mut before = IS_FILE.to_vec();
    if !chunk.is_empty() {
        before.push(FILE_DATA);
        put_varint(&mut before, length);
    }
    let mut after = vec![FILE_SIZE];
    put_varint(&mut after, length);

    let file_bytes = before.len() as u64 + length + after.len() as u64;
    let mut head = vec![NODE_DATA];
    put_varint(&mut head, file_bytes);
    let mut hash = Sha256::new();
    for part in [&head[..], &before[..], chunk, &after[..]] {
        hash.update(part);
    }
    Node {
        digest: hash.finalize().into(),
        content_bytes: length,
        encoded_bytes: head.len() as u64 + file_bytes,
    }
}

fn parent(children: &[Node]) -> Node {
    let mut file = IS_FILE.to_vec();
    let content_bytes = children.iter().map(|child| child.content_bytes).sum();
    file.push(FILE_SIZE);
    put_varint(&mut file, content_bytes);

    let mut encoded = Vec::new();
    for child in children {
        // The address (34 bytes), an empty name, the size of what hangs below.
        let mut link = vec![0x0a, 34, 0x12, 0x20];
        link.extend_from_slice(&child.digest);
        link.extend_from_slice(&[0x12, 0x00, 0x18]);
        put_varint(&mut link, child.encoded_bytes);
        encoded.push(NODE_LINK);
        put_varint(&mut encoded, link.len() as u64);
        encoded.extend_from_slice(&link);

        file.push(BLOCK_SIZE);
        put_varint(&mut file, child.content_bytes);
    }
    encoded.push(NODE_DATA);
    put_varint(&mut encoded, file.len() as u64);
    encoded.extend_from_slice(&file);

    let below: u64 = children.iter().map(|child| child.encoded_bytes).sum();
    Node {
        digest: Sha256::digest(&encoded).into(),
        content_bytes,
        encoded_bytes: below + encoded.len() as u64,
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
