//! The four logs and the bytes of their leaves, as `protocol.md` "App hash" fixes them.

use crate::state::Link;
use crate::types::Particle;

/// What is kept in logs, in the order of the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogName {
    Cyberlinks,
    Particles,
    Ranks,
    Rounds,
}

impl LogName {
    /// Every log, in the order of their names.
    pub const ALL: [LogName; 4] =
        [LogName::Cyberlinks, LogName::Particles, LogName::Ranks, LogName::Rounds];

    /// The name in the app hash.
    pub fn name(self) -> &'static str {
        match self {
            LogName::Cyberlinks => "cyberlinks",
            LogName::Particles => "particles",
            LogName::Ranks => "ranks",
            LogName::Rounds => "rounds",
        }
    }
}

/// The leaf of a particle: its digest.
pub fn particle(particle: &Particle) -> [u8; 32] {
    particle.0
}

/// The leaf of a cyberlink: length of the address (1), address, from (8), to (8), height (8),
/// numbers big endian.
pub fn link(link: &Link) -> Vec<u8> {
    let address = link.neuron.as_bytes();
    let mut leaf = Vec::with_capacity(25 + address.len());
    leaf.push(address.len() as u8);
    leaf.extend_from_slice(address);
    for number in [u64::from(link.from.0), u64::from(link.to.0), link.height.0] {
        leaf.extend_from_slice(&number.to_be_bytes());
    }
    leaf
}

/// The leaf of a published rank value: eight bytes, big endian.
pub fn rank(value: u64) -> [u8; 8] {
    value.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Address, Height, ParticleNumber};

    #[test]
    fn a_link_is_written_as_the_protocol_says() {
        let neuron = Address::new(&[7; 20]).expect("an address");
        let (from, to) = (ParticleNumber(1), ParticleNumber(0x0203));
        let bytes = link(&Link { neuron, from, to, height: Height(4) });
        let numbers =
            [[0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 2, 3], [0, 0, 0, 0, 0, 0, 0, 4]];
        assert_eq!(bytes, [&[20][..], &[7; 20], &numbers.concat()].concat());
    }
}
