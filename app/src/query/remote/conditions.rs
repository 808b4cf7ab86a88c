//! Search conditions that our own lists answer: equality on `message.sender`, `message.action` and
//! the ends of links. All others are CometBFT's.

use crate::query::Context;
use crate::search::transactions::{action_bit, of_neuron, Wanted};
use crate::state::Read;
use crate::types::Particle;

/// What a query wants, if it is one of ours.
pub fn wanted(context: &Context<'_>, query: &str) -> Option<Wanted> {
    let mut keys = Keys::default();
    for condition in query.split(" AND ") {
        let (key, value) = condition.trim().split_once('=')?;
        let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
        let place = match key {
            "message.sender" => &mut keys.sender,
            "message.action" => &mut keys.action,
            "cyberlink.neuron" => &mut keys.neuron,
            "cyberlink.particleFrom" => &mut keys.from,
            "cyberlink.particleTo" => &mut keys.to,
            _ => return None,
        };
        if place.replace(value).is_some() || value.contains('\'') {
            return None;
        }
    }
    match keys {
        Keys { sender: Some(sender), action, neuron: None, from: None, to: None } => {
            let action = match action {
                Some(action) => Some(action_bit(action)?),
                None => None,
            };
            Some(Wanted::Sender { sender: sender.to_owned(), action })
        }
        Keys { sender: None, action: Some(action), neuron: None, from: None, to: None } => {
            Some(Wanted::Action(action_bit(action)?))
        }
        Keys { sender: None, action: None, neuron: Some(neuron), from: None, to: None } => {
            Some(of_neuron(neuron.to_owned()))
        }
        Keys { sender: None, action: None, neuron, from, to } => {
            Some(links(context, neuron, from, to).unwrap_or(Wanted::Nothing))
        }
        _ => None,
    }
}

#[derive(Default)]
struct Keys<'a> {
    sender: Option<&'a str>,
    action: Option<&'a str>,
    neuron: Option<&'a str>,
    from: Option<&'a str>,
    to: Option<&'a str>,
}

/// Links with these ends; none where the chain does not know one of them.
fn links(
    context: &Context<'_>,
    neuron: Option<&str>,
    from: Option<&str>,
    to: Option<&str>,
) -> Option<Wanted> {
    let particle = |cid: &str| {
        let particle = Particle::parse(cid).ok()?;
        context.snapshot.particle_number(&particle)
    };
    let from = match from {
        Some(cid) => Some(particle(cid)?),
        None => None,
    };
    let to = match to {
        Some(cid) => Some(particle(cid)?),
        None => None,
    };
    let of = match neuron {
        Some(neuron) => {
            let address = context.address(neuron).ok()?;
            Some(context.snapshot.neuron_number(&address)?)
        }
        None => None,
    };
    Some(Wanted::Links { from, to, of })
}
