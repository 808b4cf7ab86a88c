//! The engine on a device: the graph stays there between rounds, what is new travels.
//!
//! The host keeps the links by source, because the weights of a source are computed here, with the
//! functions of [`crate::cpu`]: they are 128-bit fractions, few of them change in a round, and one
//! definition of them is enough. The device keeps the weighted rows by target ([`super::rows`]),
//! exponents, codes, and makes all sweeps of a round without the host asking in between.
//!
//! Invariant: a round gives, sweep by sweep, the codes of [`crate::cpu::round`]
//! (`tests/gpu_kernels.rs`, through the host shim). After an error the device's contents are
//! unknown and the engine is of no more use.

use super::device::{Address, Array, Device, DeviceError, Kernel};
use super::plain::Plain;
use super::rows::{Rows, BINS, HUBS};
use super::weights::Sources;
use crate::{code, Link, Parameters};

/// Elements of one transfer of changes.
const BATCH: usize = 1 << 20;
/// Sweeps launched before the host looks whether the round is over. A round of the chain has fewer.
const UNATTENDED: u32 = 1024;
/// `SLOTS · 4` counters and the numbers of `state` in cuda/rank.cu.
const COUNTERS: usize = 128;
const STATE: usize = 6;

/// The codes a round starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<'a> {
    /// These.
    Codes(&'a [u32]),
    /// Those of the last round, and the base for particles that are new since.
    LastRound,
}

/// A round as the device made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweeps {
    /// The codes after the last sweep.
    pub codes: Vec<u32>,
    pub sweeps: u32,
    pub changed_in_last_sweep: u64,
    /// The sum of all values after the last sweep.
    pub total: u64,
    /// Hashes ([`super::hash`]) of the codes at the start and after each sweep.
    pub hashes: Vec<u64>,
    /// The codes before and after the sweep that was asked for, or after the last one, twice, if
    /// the round ended before.
    pub sample: Option<[Vec<u32>; 2]>,
}

/// The layout of `Round` in cuda/rank.cu, all of it 64-bit numbers.
const ROUND_WORDS: usize = 24;

/// A graph on a device.
pub struct Resident {
    device: Device,
    sources: Sources,
    rows: Rows,
    /// Particles whose codes the device has.
    coded: usize,
    words: Array<u64>,
    ranges: Array<u64>,
    exponents: Array<u32>,
    codes: Array<u32>,
    shares: [Array<u32>; 2],
    lists: [Array<u32>; BINS],
    chunks: Array<u64>,
    chunk_count: usize,
    sums: Array<u64>,
    counters: Array<u64>,
    state: Array<u64>,
    hashes: Array<u64>,
    round: Array<u64>,
    samples: [Array<u32>; 2],
    batch: Array<u64>,
}

impl Resident {
    /// An empty graph on a device.
    pub fn new(device: Device) -> Resident {
        Resident {
            device,
            sources: Sources::default(),
            rows: Rows::default(),
            coded: 0,
            words: Array::new(),
            ranges: Array::new(),
            exponents: Array::new(),
            codes: Array::new(),
            shares: [Array::new(), Array::new()],
            lists: std::array::from_fn(|_| Array::new()),
            chunks: Array::new(),
            chunk_count: 0,
            sums: Array::new(),
            counters: Array::new(),
            state: Array::new(),
            hashes: Array::new(),
            round: Array::new(),
            samples: [Array::new(), Array::new()],
            batch: Array::new(),
        }
    }

    /// The device, for another graph.
    pub fn into_device(mut self) -> Result<Device, DeviceError> {
        self.device.release_all()?;
        Ok(self.device)
    }

    /// What the device is, for logs.
    pub fn device_name(&self) -> String {
        self.device.name()
    }

    /// Particles, from 0.
    pub fn particles(&self) -> u32 {
        self.rows.len() as u32
    }

    /// Sets the number of particles, which never falls.
    pub fn grow(&mut self, particles: u32) -> Result<(), DeviceError> {
        if particles < self.particles() {
            return Err(DeviceError::Input(format!("{particles} particles are fewer than before")));
        }
        self.rows.grow(particles);
        self.sources.grow(particles);
        Ok(())
    }

    /// Adds links, triples not added before, between particles there are.
    pub fn append_links(&mut self, links: &[Link]) -> Result<(), DeviceError> {
        let particles = self.particles();
        if let Some(link) = links.iter().find(|link| link.from.max(link.to) >= particles) {
            return Err(DeviceError::Input(format!("{link:?} among {particles} particles")));
        }
        self.sources.append(links, &mut self.rows);
        Ok(())
    }

    /// Sets a neuron's rank-stake.
    pub fn set_stake(&mut self, neuron: u32, stake: u64) {
        self.sources.set_stake(neuron, stake);
    }

    /// Computes one round; `sample` is the number of a sweep, from 1, whose codes before and after
    /// are wanted.
    pub fn run(
        &mut self,
        parameters: &Parameters,
        start: Start<'_>,
        sample: Option<u32>,
    ) -> Result<Sweeps, DeviceError> {
        parameters.check().map_err(|error| DeviceError::Input(error.to_string()))?;
        self.place()?;
        self.weigh(parameters)?;
        self.start(parameters, start)?;
        self.describe(parameters)?;
        self.sweep(parameters.sweeps, sample)?;
        self.answer(sample.is_some())
    }

    /// Makes room on the device, and brings rows that became longer to their places.
    fn place(&mut self) -> Result<(), DeviceError> {
        let too_many = || DeviceError::Input("more links than the device's rows can hold".into());
        let placing = self.rows.place().ok_or_else(too_many)?;
        let particles = self.rows.len();
        let device = &mut self.device;
        let words = usize::try_from(self.rows.groups() * 4).map_err(|_| too_many())?;
        self.words.reserve(device, words)?;
        self.ranges.reserve(device, particles)?;
        self.exponents.reserve(device, particles)?;
        self.codes.reserve(device, particles)?;
        for shares in &mut self.shares {
            shares.reserve(device, particles)?;
        }
        for (bin, list) in self.lists.iter_mut().enumerate() {
            list.reserve(device, self.rows.bin(bin).len())?;
        }
        let moves: Vec<u64> = placing
            .moves
            .iter()
            .flat_map(|row| [row.from, row.to, row.groups].map(u64::from))
            .collect();
        self.send(Kernel::MoveRows, self.words.address(), &moves, 3)?;
        let ranges: Vec<u64> =
            placing.ranges.iter().flat_map(|&(row, range)| [u64::from(row), range]).collect();
        self.send(Kernel::Scatter64, self.ranges.address(), &ranges, 2)?;
        for bin in 0..BINS {
            let here = placing.listed.iter().filter(|entry| entry.0 == bin);
            let listed: Vec<u64> = here.map(|&(_, index, row)| pair32(index, row)).collect();
            self.send(Kernel::Scatter32, self.lists[bin].address(), &listed, 1)?;
        }
        let hub_count = self.rows.bin(HUBS).len();
        let hubs_are_longer = placing
            .ranges
            .iter()
            .any(|&(row, _)| self.rows.length(row) >= super::rows::CHUNK_WORDS);
        if hubs_are_longer {
            let chunks = self.rows.chunks();
            self.chunks.reserve(&mut self.device, chunks.len())?;
            self.chunks.write(&mut self.device, 0, &chunks)?;
            self.chunk_count = chunks.len();
            self.sums.reserve(&mut self.device, hub_count)?;
        }
        Ok(())
    }

    /// Computes the weights of sources that have something new, and sends them.
    fn weigh(&mut self, parameters: &Parameters) -> Result<(), DeviceError> {
        let mut words = Vec::new();
        let mut exponents = Vec::new();
        for source in self.sources.touched(parameters) {
            let exponent = self.sources.weigh(source, parameters, |target, slot, weight| {
                let word = (u64::from(weight) << 32) | u64::from(source);
                words.extend([self.rows.word(target, slot), word]);
            });
            exponents.push(pair32(source, exponent));
            if words.len() >= 2 * BATCH {
                self.send(Kernel::Scatter64, self.words.address(), &words, 2)?;
                words.clear();
            }
        }
        self.send(Kernel::Scatter64, self.words.address(), &words, 2)?;
        self.send(Kernel::Scatter32, self.exponents.address(), &exponents, 1)
    }

    /// Sends changes, `width` words each, and has a kernel apply them to an array.
    fn send(
        &mut self,
        kernel: Kernel,
        target: Address,
        changes: &[u64],
        width: usize,
    ) -> Result<(), DeviceError> {
        for part in changes.chunks(BATCH * width) {
            self.batch.reserve(&mut self.device, part.len())?;
            self.batch.write(&mut self.device, 0, part)?;
            let count = part.len() / width;
            let arguments = [target, self.batch.address(), count as u64];
            self.device.launch(kernel, count, arguments)?;
        }
        Ok(())
    }

    fn start(&mut self, parameters: &Parameters, start: Start<'_>) -> Result<(), DeviceError> {
        let particles = self.rows.len();
        match start {
            Start::Codes(codes) if codes.len() == particles => {
                self.codes.write(&mut self.device, 0, codes)?;
            }
            Start::Codes(codes) => {
                let length = codes.len();
                let text = format!("{length} starting codes for {particles} particles");
                return Err(DeviceError::Input(text));
            }
            Start::LastRound => {
                let fresh = code::floor(parameters.base(), parameters.code_bits);
                let new = vec![fresh; particles - self.coded];
                self.codes.write(&mut self.device, self.coded, &new)?;
            }
        }
        self.coded = particles;
        Ok(())
    }

    /// Writes `Round` for the kernels.
    fn describe(&mut self, parameters: &Parameters) -> Result<(), DeviceError> {
        let device = &mut self.device;
        self.counters.reserve(device, COUNTERS)?;
        self.state.reserve(device, STATE)?;
        self.hashes.reserve(device, parameters.sweeps as usize + 1)?;
        self.round.reserve(device, ROUND_WORDS)?;
        let bins = |bin: usize| self.rows.bin(bin).len() as u64;
        let round: [u64; ROUND_WORDS] = [
            self.words.address(),
            self.ranges.address(),
            self.exponents.address(),
            self.codes.address(),
            self.shares[0].address(),
            self.shares[1].address(),
            self.lists[0].address(),
            self.lists[1].address(),
            self.lists[2].address(),
            self.lists[3].address(),
            bins(0),
            bins(1),
            bins(2),
            bins(3),
            self.chunks.address(),
            self.lists[HUBS].address(),
            bins(HUBS),
            self.sums.address(),
            self.counters.address(),
            self.state.address(),
            self.hashes.address(),
            parameters.base(),
            u64::from(parameters.code_bits),
            self.rows.len() as u64,
        ];
        self.round.write(device, 0, &round)
    }

    fn sweep(&mut self, sweeps: u32, sample: Option<u32>) -> Result<(), DeviceError> {
        let round = self.round.address();
        self.device.launch(Kernel::BeginRound, self.rows.len(), [round, 0, 0])?;
        self.device.launch(Kernel::EndBegin, 1, [round, 0, 0])?;
        for sweep in 0..sweeps {
            if sweep > 0 && sweep % UNATTENDED == 0 && self.state.read(&mut self.device, 1)? == [1]
            {
                break;
            }
            if sample == Some(sweep + 1) {
                self.keep(0)?;
            }
            let arguments = [round, u64::from(sweep), 0];
            let bin = |bin: usize| self.rows.bin(bin).len();
            let none = if sweep < 2 { bin(0) } else { 0 };
            let steps = [
                (Kernel::SweepNone, none),
                (Kernel::SweepTiny, bin(1)),
                (Kernel::SweepSmall, bin(2)),
                (Kernel::SweepLarge, bin(3)),
                (Kernel::SweepChunks, self.chunk_count),
                (Kernel::SweepHubs, bin(HUBS)),
                (Kernel::EndSweep, 1),
            ];
            for (kernel, elements) in steps {
                self.device.launch(kernel, elements, arguments)?;
            }
            if sample == Some(sweep + 1) {
                self.keep(1)?;
            }
        }
        Ok(())
    }

    /// Copies the codes as they are at this point of the round.
    fn keep(&mut self, which: usize) -> Result<(), DeviceError> {
        let length = self.rows.len();
        let copy = &mut self.samples[which];
        copy.reserve(&mut self.device, length)?;
        let arguments = [copy.address(), self.codes.address(), length as u64];
        self.device.launch(Kernel::Copy32, length, arguments)
    }

    fn answer(&mut self, sampled: bool) -> Result<Sweeps, DeviceError> {
        let device = &mut self.device;
        let state = self.state.read(device, STATE)?;
        let (sweeps, overflown) = (state[1], state[5]);
        if overflown != 0 {
            return Err(DeviceError::Input(format!("{overflown} sums left 63 bits")));
        }
        let length = self.rows.len();
        let sample = match sampled {
            true => {
                Some([self.samples[0].read(device, length)?, self.samples[1].read(device, length)?])
            }
            false => None,
        };
        Ok(Sweeps {
            codes: self.codes.read(device, length)?,
            sweeps: u32::try_from(sweeps).map_err(|_| broken("sweeps"))?,
            changed_in_last_sweep: state[4],
            total: state[3],
            hashes: self.hashes.read(device, sweeps as usize + 1)?,
            sample,
        })
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        fn sum<T: Plain>(arrays: &[Array<T>]) -> u64 {
            arrays.iter().map(Array::bytes).sum()
        }
        let eights = [&self.words, &self.ranges, &self.chunks, &self.sums, &self.batch];
        eights.iter().map(|array| array.bytes()).sum::<u64>()
            + self.exponents.bytes()
            + self.codes.bytes()
            + sum(&self.shares)
            + sum(&self.lists)
            + sum(&self.samples)
    }
}

fn broken(what: &'static str) -> DeviceError {
    DeviceError::Call { call: "round", text: format!("the device's number of {what} is no number") }
}

/// Two 32-bit numbers in the order in which the device reads them.
fn pair32(first: u32, second: u32) -> u64 {
    (u64::from(second) << 32) | u64::from(first)
}
