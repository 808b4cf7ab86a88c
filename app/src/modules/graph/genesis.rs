//! The `graph` section of the genesis file: particles and links in the order of their numbers.

use crate::error::Fault;
use crate::state::{Link, Write};
use crate::types::{Address, Height, Particle, ParticleNumber};

/// `app_state.graph`.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphGenesis {
    /// CIDv0 of each particle, in the order of numbers.
    #[serde(default)]
    pub particles: Vec<String>,
    /// The linkers; links name them by position.
    #[serde(default)]
    pub neurons: Vec<String>,
    /// Each link as (neuron, from, to), by position in the lists above. They carry height 0.
    #[serde(default)]
    pub links: Vec<(u32, u32, u32)>,
}

/// Reads the section into the state.
pub fn init(state: &mut dyn Write, section: &GraphGenesis, prefix: &str) -> Result<(), Fault> {
    let fault = |text: String| Fault::Genesis(format!("app_state.graph.{text}"));
    for (index, cid) in section.particles.iter().enumerate() {
        let particle =
            Particle::parse(cid).map_err(|error| fault(format!("particles[{index}]: {error}")))?;
        if state.particle_number(&particle).is_some() {
            return Err(fault(format!("particles[{index}] {cid} stands twice")));
        }
        state.add_particle(particle);
    }
    let mut neurons = Vec::with_capacity(section.neurons.len());
    for (index, text) in section.neurons.iter().enumerate() {
        let address = Address::parse(text, prefix)
            .map_err(|error| fault(format!("neurons[{index}] '{text}': {error}")))?;
        neurons.push(address);
    }
    let particles = state.graph_size().0;
    for (index, &(neuron, from, to)) in section.links.iter().enumerate() {
        let bad = |what: &str| fault(format!("links[{index}] ({neuron}, {from}, {to}): {what}"));
        let below = |what: &str, count: u64| {
            bad(&format!("no such {what}: there are {count}, the first is number 0"))
        };
        let neuron = neurons.get(neuron as usize);
        let neuron = neuron.ok_or_else(|| below("neuron", neurons.len() as u64))?;
        let (from, to) = (ParticleNumber(from), ParticleNumber(to));
        if from >= particles || to >= particles {
            return Err(below("particle", particles.0.into()));
        }
        if from == to {
            return Err(bad("a particle does not link to itself"));
        }
        if state.has_link(neuron, from, to) {
            return Err(bad("stands twice: a neuron makes a link once"));
        }
        state.add_link(Link { neuron: *neuron, from, to, height: Height(0) });
    }
    super::state::count(state);
    Ok(())
}
