//! A worker that speaks the protocol, computes with the definition, and does wrong by script: each
//! one takes the next trick when it starts, and when none is left it is honest.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use cyber_kernels::gpu::wire::{Layout, Reply, Request};
use cyber_kernels::gpu::{hand_over, hash, Program, Shared, Sweeps};
use cyber_kernels::{code, cpu, Link, Parameters};

/// What a worker does wrong. Numbers are those of the request, the first is 0.
#[derive(Clone, Copy, Debug)]
pub enum Trick {
    Die(u32),
    /// In the middle of a reply.
    DieTalking(u32),
    Hang(u32),
    /// Says that memory is out.
    Fail(u32),
    /// Bytes that are no frame.
    Noise(u32),
    /// A frame of another version, or one that says it is huge.
    Version(u32),
    Huge(u32),
    /// A reply to another question.
    Other(u32),
    // From here on in the answer of the round with that number.
    FinalCode(u32),
    Hash(u32),
    /// A code of some sweep, with all that follows from it.
    Drift(u32),
    Total(u32),
    Changed(u32),
    Early(u32),
    Endless(u32),
    /// The file is cut short.
    Cut(u32),
    /// Codes that no round gives, with their hashes.
    Nonsense(u32),
    /// A code of every sweep of every round.
    EverySweep,
}

/// Numbers from a seed (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((mixed >> 32) * u64::from(end)) >> 32) as u32
    }
}

impl Trick {
    /// One of them.
    fn some(numbers: &mut Numbers) -> Trick {
        let anywhere: [fn(u32) -> Trick; 8] = [
            Trick::Die,
            Trick::DieTalking,
            Trick::Hang,
            Trick::Fail,
            Trick::Noise,
            Trick::Version,
            Trick::Huge,
            Trick::Other,
        ];
        let in_a_round: [fn(u32) -> Trick; 9] = [
            Trick::FinalCode,
            Trick::Hash,
            Trick::Drift,
            Trick::Total,
            Trick::Changed,
            Trick::Early,
            Trick::Endless,
            Trick::Cut,
            Trick::Nonsense,
        ];
        let kind = numbers.below(17) as usize;
        match anywhere.get(kind) {
            Some(trick) => trick(numbers.below(7)),
            None => in_a_round[kind - anywhere.len()](numbers.below(3)),
        }
    }
}

/// Workers with a random trick each.
pub fn program_of_tricks(seed: u64) -> Program {
    let numbers = Mutex::new(Numbers(seed));
    Program::Thread(Arc::new(move |socket, shared| {
        let trick = Trick::some(&mut numbers.lock().expect("no panic"));
        Worker::new(Some(trick)).serve(socket, shared);
    }))
}

/// Workers that all do the same.
pub fn program_that_always(trick: Trick) -> Program {
    Program::Thread(Arc::new(move |socket, shared| Worker::new(Some(trick)).serve(socket, shared)))
}

struct Worker {
    trick: Option<Trick>,
    particles: u32,
    links: Vec<Link>,
    stakes: Vec<u64>,
    codes: Vec<u32>,
    requests: u32,
    rounds: u32,
}

/// How a conversation goes on.
enum Then {
    Reply(Reply),
    Raw(Vec<u8>),
    /// Bytes, and the end.
    Last(Vec<u8>),
    Hang,
}

impl Worker {
    fn new(trick: Option<Trick>) -> Worker {
        Worker {
            trick,
            particles: 0,
            links: Vec::new(),
            stakes: Vec::new(),
            codes: Vec::new(),
            requests: 0,
            rounds: 0,
        }
    }

    fn serve(mut self, mut socket: UnixStream, shared: Shared) {
        while let Ok(Some(request)) = Request::read(&mut socket) {
            let reply = self.answer(request, &shared);
            let then = self.interfere(reply);
            self.requests += 1;
            let said = match then {
                Some(Then::Reply(reply)) => reply.write(&mut socket),
                Some(Then::Raw(bytes)) => socket.write_all(&bytes),
                Some(Then::Last(bytes)) => {
                    // The node may have left.
                    let _ = socket.write_all(&bytes);
                    return;
                }
                Some(Then::Hang) => {
                    // Until the node has enough.
                    let _ = socket.read(&mut [0]);
                    return;
                }
                None => return,
            };
            if said.is_err() {
                return;
            }
        }
    }

    fn answer(&mut self, request: Request, shared: &Shared) -> Reply {
        match request {
            Request::Hello => return Reply::Ready { device: "false".to_owned() },
            Request::Clear => *self = Worker { requests: self.requests, ..Worker::new(self.trick) },
            Request::Grow { particles } => self.particles = particles,
            Request::Links { count } => {
                let triples: Vec<u32> = shared.read(0, count as usize * 3).expect("links");
                let link = |link: &[u32]| Link { neuron: link[0], from: link[1], to: link[2] };
                self.links.extend(triples.chunks_exact(3).map(link));
            }
            Request::Stakes { count } => {
                let stakes: Vec<u32> = shared.read(0, count as usize * 3).expect("stakes");
                for entry in stakes.chunks_exact(3) {
                    let neuron = entry[0] as usize;
                    self.stakes.resize(self.stakes.len().max(neuron + 1), 0);
                    self.stakes[neuron] = (u64::from(entry[2]) << 32) | u64::from(entry[1]);
                }
            }
            Request::Run { parameters, given, sample } => {
                let particles = self.particles as usize;
                if given {
                    self.codes = shared.read(0, particles).expect("codes");
                }
                let fresh = code::floor(parameters.base(), parameters.code_bits);
                self.codes.resize(particles, fresh);
                let reply = self.round(&parameters, sample, shared);
                self.rounds += 1;
                return reply;
            }
        }
        Reply::Done
    }

    fn is_now(&self, at: u32) -> bool {
        self.requests == at
    }

    fn interfere(&mut self, reply: Reply) -> Option<Then> {
        let framed = |reply: &Reply| {
            let mut bytes = Vec::new();
            reply.write(&mut bytes).expect("memory takes all");
            bytes
        };
        let change = |place: usize, byte: u8| {
            let mut bytes = framed(&reply);
            bytes[place] = byte;
            Some(Then::Raw(bytes))
        };
        match self.trick {
            Some(Trick::Die(at)) if self.is_now(at) => None,
            Some(Trick::DieTalking(at)) if self.is_now(at) => {
                let mut bytes = framed(&reply);
                bytes.truncate(7);
                Some(Then::Last(bytes))
            }
            Some(Trick::Hang(at)) if self.is_now(at) => Some(Then::Hang),
            Some(Trick::Fail(at)) if self.is_now(at) => {
                let reason = "the device has no 4096 bytes of memory left".to_owned();
                Some(Then::Reply(Reply::Failed { reason }))
            }
            Some(Trick::Noise(at)) if self.is_now(at) => Some(Then::Raw(vec![0xa5; 40])),
            Some(Trick::Version(at)) if self.is_now(at) => change(4, 9),
            Some(Trick::Huge(at)) if self.is_now(at) => change(11, 0x7f),
            Some(Trick::Other(at)) if self.is_now(at) => {
                let other = Reply::Answer { particles: 9_999, sweeps: 1, changed: 0, total: 0 };
                Some(Then::Reply(other))
            }
            _ => Some(Then::Reply(reply)),
        }
    }

    /// The codes after each sweep, the start first.
    fn sweeps(&self, parameters: &Parameters) -> Vec<Vec<u32>> {
        let weights = cpu::weights(&self.links, &self.stakes, parameters);
        let mut history = vec![self.codes.clone()];
        for sweep in 0..parameters.sweeps {
            let before = history.last().expect("the start");
            let mut after = cpu::sweep(before, &weights, parameters);
            let wrong = match self.trick {
                Some(Trick::EverySweep) => true,
                Some(Trick::Drift(at)) => self.rounds >= at && sweep == at,
                _ => false,
            };
            if wrong {
                let place = sweep as usize % after.len();
                let value = code::value(after[place], parameters.code_bits);
                after[place] = code::floor(value / 2 + 1, parameters.code_bits);
            }
            let rests = after == *before;
            history.push(after);
            if rests {
                break;
            }
        }
        history
    }

    fn round(&mut self, parameters: &Parameters, sample: u32, shared: &Shared) -> Reply {
        let mut history = self.sweeps(parameters);
        let now = self.rounds;
        let hits = |at: u32| at == now;
        match self.trick {
            Some(Trick::Early(at)) if hits(at) && history.len() > 2 => {
                history.truncate(history.len() - 2);
            }
            Some(Trick::Endless(at)) if hits(at) => {
                history.push(history.last().expect("the start").clone());
            }
            Some(Trick::Nonsense(at)) if hits(at) => {
                // A shift above 0 with a mantissa that is not full.
                history.last_mut().expect("the start")[0] = (9 << 15) | 5;
            }
            _ => (),
        }
        let last = history.len() - 1;
        let pair = |number: usize| match number > last {
            true => [history[last].clone(), history[last].clone()],
            false => [history[number - 1].clone(), history[number].clone()],
        };
        let value = |&code: &u32| code::value(code, parameters.code_bits);
        let changed = history[last].iter().zip(&history[last.saturating_sub(1)]);
        let mut found = Sweeps {
            codes: history[last].clone(),
            sweeps: last as u32,
            changed_in_last_sweep: changed.filter(|(a, b)| a != b).count() as u64,
            total: history[last].iter().map(value).sum(),
            hashes: history.iter().map(|codes| hash::codes(codes)).collect(),
            sample: (sample > 0).then(|| pair(sample as usize)),
        };
        self.codes = found.codes.clone();
        match self.trick {
            Some(Trick::FinalCode(at)) if hits(at) => found.codes[0] ^= 1,
            Some(Trick::Hash(at)) if hits(at) => found.hashes[last * (at % 2) as usize] ^= 1 << 40,
            Some(Trick::Total(at)) if hits(at) => found.total += 1,
            Some(Trick::Changed(at)) if hits(at) => found.changed_in_last_sweep ^= 1,
            _ => (),
        }
        let layout = Layout::new(self.particles, parameters.sweeps.max(found.sweeps));
        let written = hand_over(shared, layout, &found);
        if matches!(self.trick, Some(Trick::Cut(at)) if hits(at)) {
            cut(shared);
        }
        written.expect("the file takes all");
        Reply::Answer {
            particles: self.particles,
            sweeps: found.sweeps,
            changed: found.changed_in_last_sweep,
            total: found.total,
        }
    }
}

fn cut(shared: &Shared) {
    let file = std::fs::File::from(shared.other().expect("a descriptor"));
    file.set_len(2).expect("a file of ours");
}
