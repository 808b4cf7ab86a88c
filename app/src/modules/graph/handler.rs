//! `MsgCyberlink`.

use super::GraphError;
use crate::state::{Event, Link, Read, Write};
use crate::tx::MsgCyberlink;
use crate::types::{Address, Height, Particle};
use std::collections::BTreeSet;

/// Links from which it is worth the effort to have the state fetch them all at once.
const EXPECTED: usize = 4;

/// What a message's links are against the state: made by this neuron before, or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub new: u64,
    pub existing: u64,
}

/// What became of a message's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub accepted: u32,
    pub skipped: u32,
}

/// Links accepted by the same transaction before, for counting at the door.
pub type Earlier = BTreeSet<(Particle, Particle)>;

/// Counts a message's links at the door, against the state and the transaction's own earlier
/// links, which are remembered where more messages follow: in a message no two are alike. Writes
/// nothing.
pub fn count(state: &dyn Read, message: &MsgCyberlink, mut earlier: Option<&mut Earlier>) -> Count {
    let mut count = Count::default();
    if message.links.len() >= EXPECTED {
        let mut ends = message.links.iter().map(|link| [&link.from, &link.to]);
        state.expect_links(&message.neuron, &mut ends);
    }
    for link in &message.links {
        let known = exists(state, &message.neuron, &link.from, &link.to)
            || earlier.as_mut().is_some_and(|earlier| !earlier.insert((link.from, link.to)));
        match known {
            true => count.existing += 1,
            false => count.new += 1,
        }
    }
    count
}

/// Whether the neuron made this link.
pub fn exists(state: &dyn Read, neuron: &Address, from: &Particle, to: &Particle) -> bool {
    match (state.particle_number(from), state.particle_number(to)) {
        (Some(from), Some(to)) => state.has_link(neuron, from, to),
        _ => false,
    }
}

/// Accepts all links of a message, or none: the caller drops its overlay on an error.
pub fn cyberlink(
    state: &mut dyn Write,
    message: &MsgCyberlink,
    prefix: &str,
    height: Height,
) -> Result<Accepted, GraphError> {
    let neuron = message.neuron.to_bech32(prefix);
    let mut result = Accepted { accepted: 0, skipped: 0 };
    for (index, link) in message.links.iter().enumerate() {
        let (from, to) = (state.particle_number(&link.from), state.particle_number(&link.to));
        let makes = |from, to| state.has_link(&message.neuron, from, to);
        if from.zip(to).is_some_and(|(from, to)| makes(from, to)) {
            if message.skip_existing {
                result.skipped += 1;
                continue;
            }
            return Err(GraphError::LinkExists { index, from: link.from, to: link.to });
        }
        let from = from.unwrap_or_else(|| state.add_particle(link.from));
        let to = to.unwrap_or_else(|| state.add_particle(link.to));
        state.add_link(Link { neuron: message.neuron, from, to, height });
        result.accepted += 1;
        let event = Event::new("cyberlink")
            .with("particleFrom", link.from)
            .with("particleTo", link.to)
            .with("neuron", &neuron);
        state.emit(event);
    }
    state.emit(Event::new("cyberlink").with("neuron", &neuron));
    state.emit(Event::new("message").with("module", "graph").with("sender", &neuron));
    Ok(result)
}
