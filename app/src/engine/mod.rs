//! The state machine: blocks in, results and an app hash out.
//!
//! Synchronous and deterministic: it knows no socket, clock or environment. [`Engine`]'s methods
//! are the whole surface; they are those of [`crate::abci::Application`] in the words of the
//! chain. Two locks, never held together: one for the block's side (one caller, the consensus
//! connection), one for CheckTx. Queries take neither.
//!
//! Invariants: nothing is written before `commit`; `finalize_block` for the same height answers
//! the same, whatever was checked, proposed or asked in between and however often the node
//! started again (`tests/determinism.rs`).

mod block;
mod check;
mod deliver;
pub mod export;
pub mod genesis;
mod proposal;
mod queue;
mod retain;
mod route;
mod signatures;
mod simulate;
mod types;
pub mod upgrade;

pub use types::*;

use crate::ante::GasPrice;
use crate::error::Fault;
use crate::rank::device::Setup;
use crate::rank::worker::BeforeRound;
use crate::rank::Worker;
use crate::store::{Reader, Snapshot as StoreSnapshot, Store};
use crate::types::{sha256, Height};
use block::BlockSide;
use check::CheckState;
use cyber_kernels::Pause;
use prost::bytes::Bytes;
use rayon::prelude::*;
use signatures::SignatureMemory;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The version of the state machine, of its rules and its state, that a new chain begins with. In
/// every header stands the one its chain follows ([`upgrade`]).
pub const APP_VERSION: u64 = upgrade::NEWEST;

/// What a node may choose; none of it changes a result.
pub struct Options {
    /// CheckTx refuses fees below all of these; empty: none asked.
    pub minimum_gas_prices: Vec<GasPrice>,
    /// Threads of a rank sweep.
    pub rank_threads: usize,
    /// Called before each round, with its number: tests slow the worker down here.
    pub before_round: Option<BeforeRound>,
    /// Rounds stand still under it: blocks switch it on.
    pub pause: Arc<Pause>,
    /// Blocks that CometBFT keeps; 0: all.
    pub retain_blocks: u64,
    /// A GPU for the ranks; none: the CPU alone.
    pub rank_device: Option<Setup>,
    /// Where the genesis file lies, and beside it the `genesis.bin` it may name.
    pub genesis_folder: Option<PathBuf>,
    /// The versions of the rules there are: tests have one more.
    pub versions: &'static [upgrade::Version],
}

impl Default for Options {
    fn default() -> Options {
        Options {
            minimum_gas_prices: Vec::new(),
            rank_threads: 2,
            before_round: None,
            pause: Arc::default(),
            retain_blocks: 0,
            rank_device: None,
            genesis_folder: None,
            versions: upgrade::VERSIONS,
        }
    }
}

/// The engine.
pub struct Engine {
    minimum_gas_prices: Vec<GasPrice>,
    block: Mutex<BlockSide>,
    check: Mutex<CheckState>,
    signatures: SignatureMemory,
    reader: Reader,
    genesis_folder: Option<PathBuf>,
    retain_blocks: u64,
}

impl Engine {
    /// An engine on an opened store. A round that was running is started again.
    pub fn new(store: Store, options: Options) -> Engine {
        let reader = store.reader();
        let Options { rank_threads, before_round, pause, rank_device, retain_blocks, .. } = options;
        let worker = Worker::new(rank_threads, before_round, rank_device, pause);
        let block = BlockSide::new(store, worker, options.versions);
        let committed = block.committed();
        Engine {
            minimum_gas_prices: options.minimum_gas_prices,
            block: Mutex::new(block),
            check: Mutex::new(CheckState::new(committed)),
            signatures: SignatureMemory::default(),
            reader,
            genesis_folder: options.genesis_folder,
            retain_blocks,
        }
    }

    /// The handle of everything that reads committed states.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The last committed height and its app hash.
    pub fn info(&self) -> Info {
        let committed = self.block_side().committed();
        Info {
            version: env!("CARGO_PKG_VERSION"),
            app_version: committed.as_ref().map_or(APP_VERSION, |it| upgrade::version_of(&**it)),
            height: committed.as_ref().map_or(Height(0), |snapshot| snapshot.height()),
            app_hash: committed.map_or_else(Vec::new, |snapshot| snapshot.app_hash().to_vec()),
        }
    }

    /// Builds the genesis state in memory.
    pub fn init_chain(&self, genesis: &Genesis) -> Result<GenesisOutcome, Fault> {
        let (outcome, snapshot) =
            self.block_side().init_chain(genesis, self.genesis_folder.as_deref())?;
        *self.check_state() = CheckState::new(Some(snapshot));
        Ok(outcome)
    }

    /// Checks transactions for the mempool, in order; `results` grows as each is complete.
    pub fn check_txs(&self, requests: &[CheckRequest], results: &mut Vec<TxResult>) {
        let mut state = self.check_state();
        state.check(requests, &self.signatures, &self.minimum_gas_prices, results);
    }

    /// The transactions of a proposal of our own.
    pub fn prepare_proposal(&self, proposal: &Proposal) -> Result<Vec<Bytes>, Fault> {
        let base = self.base()?;
        let hashes = proposal.txs.par_iter().map(|tx| sha256(tx)).collect::<Vec<_>>();
        let checked = self.check_state().beginning(base.height(), &hashes, proposal.height);
        Ok(match checked {
            Some(places) => proposal::fill(&base, proposal, &places),
            None => proposal::prepare(&base, proposal),
        })
    }

    /// Whether to vote for a proposal.
    pub fn process_proposal(&self, proposal: &Proposal) -> Result<ProposalVerdict, Fault> {
        Ok(proposal::process(&*self.base()?, proposal))
    }

    /// Executes a decided block; nothing becomes durable.
    pub fn finalize_block(&self, block: &Block) -> Result<BlockOutcome, Fault> {
        self.block_side().finalize(block, &self.signatures)
    }

    /// Makes the finalized block durable. The answer: the lowest height CometBFT must keep.
    pub fn commit(&self) -> Result<Height, Fault> {
        let mut block = self.block_side();
        let snapshot = block.commit()?;
        let height = snapshot.height();
        let retain = retain::height(height, self.retain_blocks, &block.checkpoints());
        drop(block);
        *self.check_state() = CheckState::new(Some(snapshot));
        Ok(retain)
    }

    /// Goes on from a state that came from elsewhere and was verified: a restored snapshot.
    pub fn install(&self, state: Arc<StoreSnapshot>) -> Result<(), Fault> {
        let mut block = self.block_side();
        block.install(state)?;
        let committed = block.committed();
        drop(block);
        *self.check_state() = CheckState::new(committed);
        Ok(())
    }

    /// The state that the next block stands on: the last committed one, or the genesis.
    pub fn base(&self) -> Result<Arc<StoreSnapshot>, Fault> {
        self.block_side().base()
    }

    fn block_side(&self) -> MutexGuard<'_, BlockSide> {
        // A panic in a consensus call ends the process, so nobody sees a poisoned block side.
        self.block.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_state(&self) -> MutexGuard<'_, CheckState> {
        self.check.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
