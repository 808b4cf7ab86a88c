//! `/cyber.graph.v1beta1.MsgCyberlink`: a neuron links particles.
//!
//! Refusals name the index and the ends of the link that stopped the message, then say what
//! go-cyber says, which clients match.

use super::{Msg, Reading};
use crate::error::{code, Code, Refusal};
use crate::tx::json;
use crate::tx::wire::{Fields, WireFault};
use crate::types::{Address, Particle, ParticleError};
use std::collections::BTreeSet;

/// Links to make: at least one, no two alike. All are accepted or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MsgCyberlink {
    pub neuron: Address,
    pub links: Vec<Link>,
    /// Pass over links this neuron already made instead of failing.
    pub skip_existing: bool,
}

/// A link to make; its ends differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub from: Particle,
    pub to: Particle,
}

pub(super) fn read(bytes: &[u8], prefix: &str) -> Reading {
    let mut fields = Fields::new("cyber.graph.v1beta1.MsgCyberlink", &[2], bytes);
    let (mut neuron, mut links, mut skip_existing) = ("", Vec::new(), false);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => neuron = field.text()?,
            2 => links.push(read_link(field.bytes()?)?),
            3 => skip_existing = field.boolean()?,
            _ => return Err(field.unknown()),
        }
    }
    let checked = check(neuron, &links, prefix);
    Ok(checked.map(|(neuron, links)| Msg::Cyberlink(MsgCyberlink { neuron, links, skip_existing })))
}

fn read_link(bytes: &[u8]) -> Result<(&str, &str), WireFault> {
    let mut fields = Fields::new("cyber.graph.v1beta1.Link", &[], bytes);
    let (mut from, mut to) = ("", "");
    while let Some(field) = fields.next()? {
        match field.number {
            1 => from = field.text()?,
            2 => to = field.text()?,
            _ => return Err(field.unknown()),
        }
    }
    Ok((from, to))
}

fn check(
    neuron: &str,
    links: &[(&str, &str)],
    prefix: &str,
) -> Result<(Address, Vec<Link>), Refusal> {
    let neuron = Address::parse(neuron, prefix).map_err(|error| {
        let log = format!("invalid neuron address: {error}: invalid address");
        Refusal::new(code::INVALID_ADDRESS, log)
    })?;
    if links.is_empty() {
        return Err(Refusal::new(code::NO_LINKS, "cyberlinks not found"));
    }
    let mut checked = Vec::with_capacity(links.len());
    let mut refused = None;
    for (from, to) in links {
        match check_link(from, to) {
            Ok(link) => checked.push(link),
            Err(refusal) => {
                refused = Some((checked.len(), refusal));
                break;
            }
        }
    }
    // Whichever comes first stops the message.
    let twice = || Refusal::new(code::LINK_EXISTS, "your cyberlink already exists");
    match first_repeated(&checked).map(|index| (index, twice())).or(refused) {
        Some((index, refusal)) => {
            let (from, to) = links[index];
            Err(refusal.within(place(index, from, to)))
        }
        None => Ok((neuron, checked)),
    }
}

fn check_link(from: &str, to: &str) -> Result<Link, Refusal> {
    if from == to {
        return Err(Refusal::new(code::SELF_LINK, "loop cyberlink not allowed"));
    }
    Ok(Link { from: particle(from)?, to: particle(to)? })
}

/// The place of the first link that stands before already. Parts of the digests tell nearly always
/// that there is none.
fn first_repeated(links: &[Link]) -> Option<usize> {
    let part = |particle: &Particle| {
        u64::from_be_bytes(particle.0[..8].try_into().expect("8 of 32 bytes"))
    };
    let mut parts: Vec<(u64, u64)> =
        links.iter().map(|link| (part(&link.from), part(&link.to))).collect();
    parts.sort_unstable();
    if parts.windows(2).all(|pair| pair[0] != pair[1]) {
        return None;
    }
    let mut seen = BTreeSet::new();
    links.iter().position(|link| !seen.insert(link))
}

fn particle(text: &str) -> Result<Particle, Refusal> {
    Particle::parse(text).map_err(|error| {
        let (code, words): (Code, _) = match error {
            ParticleError::Invalid(_) => (code::INVALID_PARTICLE, "invalid particle"),
            ParticleError::Version(_) => (code::CID_VERSION, "unsupported cid version"),
        };
        Refusal::new(code, words)
    })
}

/// The link as a refusal names it. The ends are the client's texts, cut where no CID is as long.
fn place(index: usize, from: &str, to: &str) -> String {
    let cut = |text: &str| text.chars().take(64).collect::<String>();
    format!("link {index} from '{}' to '{}'", cut(from), cut(to))
}

impl MsgCyberlink {
    pub(super) fn write_amino(&self, prefix: &str, out: &mut json::Writer) {
        out.raw("{\"links\":[");
        for (at, link) in self.links.iter().enumerate() {
            out.raw(if at == 0 { "{\"from\":" } else { ",{\"from\":" });
            out.text(&link.from.to_cid()).raw(",\"to\":").text(&link.to.to_cid()).raw("}");
        }
        out.raw("],\"neuron\":").text(&self.neuron.to_bech32(prefix));
        out.raw(if self.skip_existing { ",\"skip_existing\":true}" } else { "}" });
    }
}
