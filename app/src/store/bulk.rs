//! A graph that a genesis brings along as a whole: columns filled directly, indexed once on all
//! cores, without an overlay's entry per link.
//!
//! Invariants: links name particles that are there and different ends; neurons are numbered in the
//! order of their first link and each has one; nothing stands twice. So the graph is one that the
//! same particles and links, appended one by one, would have given
//! (`engine::genesis::bulk::tests`).

use super::columns::{Columns, LinkRow, Sizes};
use super::graph::{Graph, Indexed};
use crate::types::{Address, LinkNumber, NeuronNumber, Particle, ParticleNumber};
use std::sync::Arc;

/// A graph being filled. Every refusal is a text: where it was read, the caller knows.
#[derive(Default)]
pub struct GraphBuilder {
    columns: Columns,
    sizes: Sizes,
    /// Neurons that have a link so far.
    linkers: u32,
}

impl GraphBuilder {
    pub fn new() -> GraphBuilder {
        GraphBuilder::default()
    }

    /// Appends a particle.
    pub fn add_particle(&mut self, particle: &Particle) -> Result<(), String> {
        let number = self.sizes.particles;
        self.sizes.particles = next(number)?;
        self.columns.set_particle(ParticleNumber(number), particle);
        Ok(())
    }

    /// Appends a neuron.
    pub fn add_neuron(&mut self, neuron: Address) -> Result<(), String> {
        let number = self.sizes.neurons;
        self.sizes.neurons = next(number)?;
        self.columns.set_neuron(NeuronNumber(number), neuron);
        Ok(())
    }

    /// Appends a link with height 0, after all particles and neurons.
    pub fn add_link(&mut self, neuron: u32, from: u32, to: u32) -> Result<(), String> {
        let Sizes { particles, links, neurons, .. } = self.sizes;
        let none = |what: &str, number: u32, count: u32| {
            Err(format!("no such {what} {number}: there are {count}, the first is number 0"))
        };
        if neuron >= neurons {
            return none("neuron", neuron, neurons);
        }
        for end in [from, to] {
            if end >= particles {
                return none("particle", end, particles);
            }
        }
        if from == to {
            return Err(format!("particle {from} does not link to itself"));
        }
        if neuron > self.linkers {
            let right = self.linkers;
            return Err(format!(
                "neuron {neuron} links before neuron {right}: neurons stand in the order of their \
                 first link"
            ));
        }
        self.linkers = self.linkers.max(neuron + 1);
        self.sizes.links = next(links)?;
        let row = LinkRow {
            neuron: NeuronNumber(neuron),
            from: ParticleNumber(from),
            to: ParticleNumber(to),
            height: 0,
        };
        self.columns.set_link(LinkNumber(links), row);
        Ok(())
    }

    /// The graph, if nothing stands in it twice.
    pub fn finish(self) -> Result<Graph, String> {
        if self.linkers != self.sizes.neurons {
            let (neurons, linkers) = (self.sizes.neurons, self.linkers);
            return Err(format!("{neurons} neurons, but only {linkers} of them have a link"));
        }
        let indexed = Indexed::over(self.columns, self.sizes);
        match indexed.first_duplicate(self.sizes) {
            Some(text) => Err(text),
            None => Ok(Graph::new(Arc::new(indexed), self.sizes)),
        }
    }
}

fn next(number: u32) -> Result<u32, String> {
    number.checked_add(1).ok_or_else(|| "fewer than 2^32 of each are right".to_owned())
}
