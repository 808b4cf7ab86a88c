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

/// A block and what it leads to.
#[derive(Clone)]
pub struct Block {
    pub changes: Changes,
    pub publication: Option<Publication>,
    pub app_hash: Hash,
    pub model: Model,
}

/// A chain that makes the same blocks whenever it has the same seed, and remembers them.
#[derive(Clone)]
pub struct Chain {
    pub model: Model,
    pub blocks: BTreeMap<Height, Block>,
    genesis: Option<(Changes, GenesisRanks)>,
    numbers: Numbers,
    initial: Height,
    /// Keys and links of a block, about.
    pub size: u64,
    /// How many different particles and neurons there are at most.
    pub variety: u64,
}

impl Chain {
    pub fn new(seed: u64) -> Chain {
        let mut numbers = Numbers::new(seed);
        let initial = Height(1 + numbers.below(3) * 50);
        let (model, blocks) = (Model::default(), BTreeMap::new());
        Chain { model, blocks, genesis: None, numbers, initial, size: 12, variety: 40 }
    }

    /// Random changes on top of a state.
    fn changes(&mut self, base: &dyn Read, height: Height) -> Changes {
        let mut overlay = Overlay::new(base);
        for store in StoreName::ALL {
            for _ in 0..self.numbers.below(self.size) {
                let key = [b"k", &self.numbers.below(self.variety).to_be_bytes()[6..]].concat();
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
                let particle = Particle(sha256(&self.numbers.below(self.variety).to_be_bytes()));
                let known = overlay.particle_number(&particle);
                *end = known.unwrap_or_else(|| overlay.add_particle(particle));
            }
            let [from, to] = ends;
            let digest = sha256(&self.numbers.below(self.variety / 6).to_be_bytes());
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
        Some(Publication { code_bits: 15, codes, tree: None, record })
    }

    pub fn genesis(&mut self, store: &Store) -> Staged {
        if self.genesis.is_none() {
            let changes = self.changes(&*store.latest(), Height(0));
            self.model.apply(&changes, None);
            let particles = 0..changes.particles.len() as u32;
            let codes: Vec<_> = particles.map(|number| (ParticleNumber(number), number)).collect();
            self.model.codes = codes.iter().map(|(_, code)| *code).collect();
            self.model.rounds = vec![b"first".to_vec(), b"second".to_vec()];
            let rounds = self.model.rounds.clone();
            self.genesis = Some((changes, GenesisRanks { code_bits: 15, codes, rounds }));
        }
        let (changes, ranks) = self.genesis.as_ref().unwrap();
        store.stage_genesis(self.initial, changes.clone(), Some(ranks))
    }

    /// The block of a height on top of a state: made if it is the next new one, repeated if not.
    fn block_on(&mut self, base: &Snapshot) -> (Height, Block) {
        let height = base.height().next().unwrap();
        if !self.blocks.contains_key(&height) {
            let changes = self.changes(base, height);
            let particles = self.model.particles.len() + changes.particles.len();
            let publication = self.publication(particles);
            self.model.apply(&changes, publication.as_ref());
            let model = self.model.clone();
            let block = Block { changes, publication, app_hash: [0; 32], model };
            self.blocks.insert(height, block);
        }
        (height, self.blocks[&height].clone())
    }

    /// The next block on top of what is committed, or of the genesis, staged.
    pub fn stage(&mut self, store: &Store) -> Staged {
        let genesis = store.is_empty().then(|| self.genesis(store));
        let base = genesis.as_ref().map_or_else(|| store.latest(), |g| g.snapshot().clone());
        let (height, block) = self.block_on(&base);
        let staged = match genesis {
            Some(genesis) => {
                store.stage_on(&genesis, height, &block.changes, block.publication.as_ref())
            }
            None => store.stage(&base, height, &block.changes, block.publication.as_ref()),
        };
        let known = self.blocks.get_mut(&height).unwrap();
        assert!([[0; 32], staged.app_hash()].contains(&known.app_hash), "one app hash per height");
        known.app_hash = staged.app_hash();
        staged
    }

    /// The next block, committed.
    pub fn block(&mut self, store: &mut Store) {
        self.try_block(store).unwrap();
    }

    /// The next block, if the disk takes it.
    pub fn try_block(&mut self, store: &mut Store) -> Result<Arc<Snapshot>, Fault> {
        let staged = self.stage(store);
        store.commit(staged)
    }

    /// The newest height that was ever staged.
    pub fn height(&self) -> Height {
        *self.blocks.last_key_value().unwrap().0
    }

    /// The store is at a height of this chain and answers as it should there.
    pub fn check(&self, store: &Store) {
        let latest = store.latest();
        match self.blocks.get(&latest.height()) {
            Some(block) => {
                assert_eq!(latest.app_hash(), block.app_hash);
                block.model.check(&latest);
            }
            None => assert!(store.is_empty(), "height {} was never staged", latest.height()),
        }
    }
}
