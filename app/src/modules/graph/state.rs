//! Keys of the `graph` store: `0x01` particles, `0x02` cyberlinks (8 bytes, big endian).

use crate::state::{codec, Read, StoreName, Write};

const PARTICLES: &[u8] = &[0x01];
const LINKS: &[u8] = &[0x02];

/// The committed counters: particles and cyberlinks.
pub fn counters(state: &dyn Read) -> (u64, u64) {
    let read = |key| {
        let bytes = state.get(StoreName::Graph, key);
        bytes.map_or(0, |bytes| codec::number("graph counter", bytes))
    };
    (read(PARTICLES), read(LINKS))
}

/// Brings the counters up to the sizes of the logs, at the end of a block.
pub fn count(state: &mut dyn Write) {
    let (particles, links) = state.graph_size();
    for (key, size) in [(PARTICLES, particles.0), (LINKS, links.0)] {
        state.set(StoreName::Graph, key.to_vec(), u64::from(size).to_be_bytes().to_vec());
    }
}
