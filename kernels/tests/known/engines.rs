//! The engines that known answers are checked with: a new one is one more line of [`all`].

use std::path::Path;

use cyber_kernels::{cpu, gpu, Control, Graph, Link, Options, Parameters, Strategy};

/// Sweeps, codes after the last one, and how many of them it changed.
pub type Answer = (u32, Vec<u32>, u64);

/// A graph that grows, and rounds over it.
pub trait Engine {
    fn take(&mut self, particles: u32, links: &[Link], stakes: &[u64]);
    fn run(&mut self, parameters: &Parameters, codes: &[u32]) -> Result<Answer, String>;
}

/// An engine by name, with an empty graph.
pub struct Named {
    pub name: &'static str,
    pub new: Box<dyn Fn() -> Result<Box<dyn Engine>, String>>,
}

/// All engines; what has to be compiled first is put into `folder`.
pub fn all(folder: &Path) -> Vec<Named> {
    fn named<E: Engine + 'static>(
        name: &'static str,
        new: impl Fn() -> Result<E, String> + 'static,
    ) -> Named {
        Named { name, new: Box::new(move || Ok(Box::new(new()?))) }
    }
    let graph = |name, threads, strategy| {
        let options =
            Options { threads, strategy, apart: 100, work_per_thread: 1, ..Options::default() };
        named(name, move || Ok(Graph::with(options)))
    };
    let folder = folder.to_owned();
    vec![
        named("definition", || Ok(Definition::default())),
        graph("full, one thread", 1, Strategy::Full),
        graph("full, two threads", 2, Strategy::Full),
        graph("full, sixteen threads", 16, Strategy::Full),
        graph("delta, one thread", 1, Strategy::Delta),
        graph("delta, two threads", 2, Strategy::Delta),
        graph("delta, sixteen threads", 16, Strategy::Delta),
        graph("cheapest, one thread", 1, Strategy::Cheapest),
        graph("cheapest, sixteen threads", 16, Strategy::Cheapest),
        named("as in a node", || Ok(Graph::new(2))),
        named("kernels on the host", move || gpu::host(&folder).map_err(|error| error.to_string())),
    ]
}

/// The definition, which keeps nothing, with what it is called with.
#[derive(Default)]
struct Definition {
    links: Vec<Link>,
    stakes: Vec<u64>,
}

impl Engine for Definition {
    fn take(&mut self, _particles: u32, links: &[Link], stakes: &[u64]) {
        self.links.extend_from_slice(links);
        self.stakes = stakes.to_vec();
    }

    fn run(&mut self, parameters: &Parameters, codes: &[u32]) -> Result<Answer, String> {
        let history = cpu::round(&self.links, &self.stakes, parameters, codes.to_vec());
        let last = history.last().ok_or("a round without a sweep")?;
        let before = history.iter().rev().nth(1).map_or(codes, |codes| codes);
        let changed = last.iter().zip(before).filter(|(after, before)| after != before).count();
        Ok((history.len() as u32, last.clone(), changed as u64))
    }
}

impl Engine for Graph {
    fn take(&mut self, particles: u32, links: &[Link], stakes: &[u64]) {
        self.grow(particles);
        self.append_links(links);
        (0..).zip(stakes).for_each(|(neuron, &stake)| self.set_stake(neuron, stake));
    }

    fn run(&mut self, parameters: &Parameters, codes: &[u32]) -> Result<Answer, String> {
        let outcome = Graph::run(self, parameters, codes.to_vec(), &Control::default())
            .map_err(|error| error.to_string())?;
        Ok((outcome.sweeps, outcome.codes, outcome.changed_in_last_sweep))
    }
}

impl Engine for gpu::Resident {
    fn take(&mut self, particles: u32, links: &[Link], stakes: &[u64]) {
        self.grow(particles).expect("particles never become fewer");
        self.append_links(links).expect("links between particles there are");
        (0..).zip(stakes).for_each(|(neuron, &stake)| self.set_stake(neuron, stake));
    }

    fn run(&mut self, parameters: &Parameters, codes: &[u32]) -> Result<Answer, String> {
        let sweeps = gpu::Resident::run(self, parameters, gpu::Start::Codes(codes), None)
            .map_err(|error| error.to_string())?;
        Ok((sweeps.sweeps, sweeps.codes, sweeps.changed_in_last_sweep))
    }
}
