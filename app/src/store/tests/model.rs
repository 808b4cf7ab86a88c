//! A chain of random blocks and the state they give, written naively.

use super::super::merkle::proof;
use super::super::*;
use crate::state::{Link, Overlay, Read, StoreName, Write, STORES};
use crate::types::{sha256, Address, LinkNumber, NeuronNumber, Particle, ParticleNumber};
use std::collections::BTreeMap;

/// Numbers that depend on a seed alone.
#[derive(Clone)]
pub struct Numbers {
    seed: u64,
    count: u64,
}

impl Numbers {
    pub fn new(seed: u64) -> Numbers {
        Numbers { seed, count: 0 }
    }

    /// The next number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.count += 1;
        let hash = sha256(&[self.seed.to_be_bytes(), self.count.to_be_bytes()].concat());
        u64::from_be_bytes(hash[..8].try_into().unwrap()) % limit
    }
}

/// The state as maps and lists.
#[derive(Clone, Default)]
pub struct Model {
    pub keys: [BTreeMap<Vec<u8>, Vec<u8>>; STORES],
    pub particles: Vec<Particle>,
    pub links: Vec<Link>,
    pub codes: Vec<u32>,
    pub rounds: Vec<Vec<u8>>,
}

impl Model {
    fn apply(&mut self, changes: &Changes, publication: Option<&Publication>) {
        for (own, changes) in self.keys.iter_mut().zip(&changes.keys) {
            for (key, value) in changes {
                match value {
                    Some(value) => own.insert(key.clone(), value.clone()),
                    None => own.remove(key),
                };
            }
        }
        self.particles.extend(&changes.particles);
        self.links.extend(&changes.links);
        self.codes.resize(self.particles.len(), 0);
        if let Some(publication) = publication {
            for (particle, code) in &publication.codes {
                self.codes[particle.0 as usize] = *code;
            }
            self.rounds.push(publication.record.clone());
        }
    }

    /// Everything a snapshot answers equals the model.
    pub fn check(&self, snapshot: &Snapshot) {
        for store in StoreName::ALL {
            let mut found = BTreeMap::new();
            snapshot.scan(store, &[], None, &mut |key, value| {
                found.insert(key.to_vec(), value.to_vec());
                true
            });
            assert_eq!(found, self.keys[store as usize], "store {}", store.name());
        }
        let (particles, links) = snapshot.graph_size();
        assert_eq!(particles.0 as usize, self.particles.len());
        assert_eq!(links.0 as usize, self.links.len());
        for (number, particle) in (0..).map(ParticleNumber).zip(&self.particles) {
            assert_eq!(snapshot.particle(number), Some(*particle));
            assert_eq!(snapshot.particle_number(particle), Some(number));
            let code = snapshot.rank().code(number);
            assert_eq!(code, Some(self.codes[number.0 as usize]));
        }
        assert_eq!(snapshot.particle(particles), None);
        let unknown = Particle(sha256(b"never seen"));
        assert_eq!(snapshot.particle_number(&unknown), None);
        let mut neurons: Vec<Address> = Vec::new();
        for (number, link) in (0..).map(LinkNumber).zip(&self.links) {
            assert_eq!(snapshot.link(number), Some(*link));
            assert!(snapshot.has_link(&link.neuron, link.from, link.to));
            if !neurons.contains(&link.neuron) {
                neurons.push(link.neuron);
            }
            let neuron = snapshot.neuron_number(&link.neuron).unwrap();
            assert_eq!(neurons[neuron.0 as usize], link.neuron);
            assert_eq!(snapshot.link_ends(number), (neuron, link.from, link.to));
            let reversed = self.links.iter().any(|other| {
                (other.neuron, other.from, other.to) == (link.neuron, link.to, link.from)
            });
            assert_eq!(snapshot.has_link(&link.neuron, link.to, link.from), reversed);
        }
        assert_eq!(snapshot.neurons() as usize, neurons.len());
        for (number, address) in (0..).map(NeuronNumber).zip(neurons) {
            assert_eq!(snapshot.neuron(number), Some(address));
        }
        assert_eq!(snapshot.rounds() as usize, self.rounds.len());
        for (index, record) in (0..).zip(&self.rounds) {
            assert_eq!(snapshot.round(index), Some(record.as_slice()));
        }
        self.check_proofs(snapshot);
    }

    /// One proof of each kind leads to the app hash.
    fn check_proofs(&self, snapshot: &Snapshot) {
        let app_hash = snapshot.app_hash();
        for store in StoreName::ALL {
            let absent = snapshot.prove_key(store, b"zz");
            proof::verify_key(&app_hash, store.name(), b"zz", None, &absent).unwrap();
            if let Some((key, value)) = self.keys[store as usize].first_key_value() {
                let ops = snapshot.prove_key(store, key);
                proof::verify_key(&app_hash, store.name(), key, Some(value), &ops).unwrap();
            }
        }
        if let Some(last) = self.particles.len().checked_sub(1) {
            let number = ParticleNumber(last as u32);
            let ops = snapshot.prove_particle(number).unwrap();
            proof::verify_particle(&app_hash, number, &self.particles[last], &ops).unwrap();
            let ops = snapshot.prove_rank(number).unwrap();
            let value = snapshot.rank().value(number).unwrap();
            proof::verify_rank(&app_hash, number, value, &ops).unwrap();
        }
        if let Some(last) = self.links.len().checked_sub(1) {
            let number = LinkNumber(last as u32);
            let ops = snapshot.prove_link(number).unwrap();
            proof::verify_link(&app_hash, number, &self.links[last], &ops).unwrap();
            assert!(snapshot.prove_link(LinkNumber(last as u32 + 1)).is_none());
        }
        if let Some(last) = self.rounds.len().checked_sub(1) {
            let ops = snapshot.prove_round(last as u32).unwrap();
            proof::verify_round(&app_hash, last as u64, &self.rounds[last], &ops).unwrap();
        }
    }
}

/// A chain that makes the same blocks whenever it has the same seed.
#[derive(Clone)]
pub struct Chain {
    pub model: Model,
    pub app_hashes: BTreeMap<Height, Hash>,
    numbers: Numbers,
    initial: Height,
    /// Keys and links of a block, about.
    pub size: u64,
}

impl Chain {
    pub fn new(seed: u64) -> Chain {
        let mut numbers = Numbers::new(seed);
        let initial = Height(1 + numbers.below(3) * 50);
        let (model, app_hashes) = (Model::default(), BTreeMap::new());
        Chain { model, app_hashes, numbers, initial, size: 12 }
    }

    /// Random changes on top of a state.
    fn changes(&mut self, base: &dyn Read, height: Height) -> Changes {
        let mut overlay = Overlay::new(base);
        for store in StoreName::ALL {
            for _ in 0..self.numbers.below(self.size) {
                let key = vec![b'k', self.numbers.below(60) as u8];
                match self.numbers.below(4) {
                    0 => overlay.remove(store, key),
                    _ => {
                        let length = 1 + self.numbers.below(40) as usize;
                        overlay.set(store, key, vec![self.numbers.below(250) as u8; length]);
                    }
                }
            }
        }
        for _ in 0..self.numbers.below(self.size * 2) {
            let mut ends = [ParticleNumber(0); 2];
            for end in &mut ends {
                let particle = Particle(sha256(&self.numbers.below(40).to_be_bytes()));
                let known = overlay.particle_number(&particle);
                *end = known.unwrap_or_else(|| overlay.add_particle(particle));
            }
            let [from, to] = ends;
            let digest = sha256(&[self.numbers.below(6) as u8]);
            let length = if digest[0] < 128 { 20 } else { 32 };
            let neuron = Address::new(&digest[..length]).unwrap();
            if from != to && !overlay.has_link(&neuron, from, to) {
                overlay.add_link(Link { neuron, from, to, height });
            }
        }
        overlay.into_changes()
    }

    /// A publication in every third block.
    fn publication(&mut self, particles: usize) -> Option<Publication> {
        if self.numbers.below(3) > 0 {
            return None;
        }
        let mut codes = Vec::new();
        for particle in 0..particles as u32 {
            if self.numbers.below(2) == 0 {
                codes.push((ParticleNumber(particle), self.numbers.below(1 << 20) as u32));
            }
        }
        let record = vec![7; 20 + self.numbers.below(90) as usize];
        Some(Publication { code_bits: 15, codes, record })
    }

    pub fn genesis(&mut self, store: &Store) -> Staged {
        let changes = self.changes(&*store.latest(), Height(0));
        self.model.apply(&changes, None);
        let codes: Vec<(ParticleNumber, u32)> =
            (0..changes.particles.len() as u32).map(|n| (ParticleNumber(n), n + 1)).collect();
        self.model.codes = codes.iter().map(|(_, code)| *code).collect();
        let rounds = vec![b"first".to_vec(), b"second".to_vec()];
        self.model.rounds = rounds.clone();
        let ranks = GenesisRanks { code_bits: 15, codes, rounds };
        store.stage_genesis(self.initial, &changes, Some(&ranks))
    }

    pub fn first_block(&mut self, store: &Store, genesis: &Staged) -> Staged {
        let changes = self.changes(&**genesis.snapshot(), self.initial);
        let particles = self.model.particles.len() + changes.particles.len();
        let publication = self.publication(particles);
        self.model.apply(&changes, publication.as_ref());
        let staged = store.stage_on(genesis, self.initial, &changes, publication.as_ref());
        self.app_hashes.insert(staged.height(), staged.app_hash());
        staged
    }

    pub fn start(&mut self, store: &mut Store) {
        let genesis = self.genesis(store);
        let staged = self.first_block(store, &genesis);
        store.commit(staged).unwrap();
    }

    /// The next block, staged.
    pub fn stage(&mut self, store: &Store) -> Staged {
        let base = store.latest();
        let height = base.height().next().unwrap();
        let changes = self.changes(&*base, height);
        let publication = self.publication(self.model.particles.len() + changes.particles.len());
        self.model.apply(&changes, publication.as_ref());
        let staged = store.stage(&base, height, &changes, publication.as_ref());
        self.app_hashes.insert(height, staged.app_hash());
        staged
    }

    pub fn block(&mut self, store: &mut Store) {
        let staged = self.stage(store);
        store.commit(staged).unwrap();
    }

    /// The snapshot is the chain's latest state.
    pub fn check(&self, snapshot: &Snapshot) {
        let (height, app_hash) = self.app_hashes.last_key_value().unwrap();
        assert_eq!((snapshot.height(), snapshot.app_hash()), (*height, *app_hash));
        self.model.check(snapshot);
    }
}
