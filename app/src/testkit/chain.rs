//! A chain driven in process: what CometBFT would ask, in its order, without its network, clock
//! and disk.

use super::Wallet;
use crate::engine::genesis::{development, AppState};
use crate::engine::upgrade::{Version, VERSIONS};
use crate::engine::{
    Block, BlockOutcome, CheckKind, CheckRequest, ConsensusParams, Engine, Genesis, Options,
    Proposal, Time, TxResult, ValidatorUpdate,
};
use crate::error::Fault;
use crate::rank::worker::BeforeRound;
use crate::store::backend::MemoryDisk;
use crate::store::{self, Snapshot, Store};
use crate::types::{Amount, Hash, Height};
use prost::bytes::Bytes;
use std::sync::Arc;

/// How a test chain begins.
#[derive(Clone)]
pub struct ChainOptions {
    pub prefix: String,
    pub denom: String,
    pub chain_id: String,
    pub initial_height: Height,
    /// Names of wallets and what they hold.
    pub accounts: Vec<(String, u128)>,
    pub rank_threads: usize,
    pub checkpoint_heights: u64,
    /// Where a `genesis.bin` lies that the genesis names.
    pub genesis_folder: Option<std::path::PathBuf>,
    /// The versions of the rules that the program knows.
    pub versions: &'static [Version],
}

impl Default for ChainOptions {
    fn default() -> ChainOptions {
        let accounts = [("alice", 40_000_000_000), ("bob", 30_000_000_000), ("carol", 2_000_000)];
        ChainOptions {
            prefix: "bostrom".into(),
            denom: "boot".into(),
            chain_id: "cyberd-test".into(),
            initial_height: Height(1),
            accounts: accounts.map(|(name, amount)| (name.into(), amount)).to_vec(),
            rank_threads: 2,
            checkpoint_heights: 7,
            genesis_folder: None,
            versions: VERSIONS,
        }
    }
}

/// A running chain: an engine over a store in memory, and the blocks so far.
pub struct Chain {
    pub options: ChainOptions,
    pub genesis: Genesis,
    disk: MemoryDisk,
    engine: Option<Engine>,
    /// The blocks so far with the app hash after each.
    pub blocks: Vec<(Block, Hash)>,
}

impl Chain {
    /// A chain of the default accounts.
    pub fn new() -> Chain {
        Chain::with(ChainOptions::default(), |_| {})
    }

    /// A chain whose genesis a test changes before it starts.
    pub fn with(options: ChainOptions, change: impl FnOnce(&mut AppState)) -> Chain {
        let wallet = |(name, amount): &(String, u128)| {
            let wallet = Wallet::new(name, &options.prefix, &options.chain_id);
            (wallet.address(), Amount(*amount))
        };
        let accounts: Vec<_> = options.accounts.iter().map(wallet).collect();
        let mut state = development(&options.prefix, &options.denom, &accounts);
        change(&mut state);
        let json = serde_json::to_vec(&state).expect("a genesis is JSON");
        Chain::from_genesis(genesis(&options, json.into()), options)
    }

    /// A chain of a genesis file's state.
    pub fn from_genesis(genesis: Genesis, options: ChainOptions) -> Chain {
        let disk = MemoryDisk::new();
        let mut chain = Chain { options, genesis, disk, engine: None, blocks: Vec::new() };
        chain.restart(None);
        chain
    }

    /// Drops the engine and opens the store again, as after a stop; InitChain comes again if
    /// nothing was committed.
    pub fn restart(&mut self, before_round: Option<BeforeRound>) {
        self.engine = None;
        let options = store::Options {
            checkpoint_heights: self.options.checkpoint_heights,
            ..store::Options::default()
        };
        let store = Store::open_on(Box::new(self.disk.clone()), options).expect("the store opens");
        let is_new = store.is_empty();
        let engine = Engine::new(
            store,
            Options {
                rank_threads: self.options.rank_threads,
                before_round,
                genesis_folder: self.options.genesis_folder.clone(),
                versions: self.options.versions,
                ..Options::default()
            },
        );
        if is_new {
            engine.init_chain(&self.genesis).expect("the genesis is good");
        }
        self.engine = Some(engine);
    }

    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("present but within restart")
    }

    /// The wallet of an account, with its number and sequence as the chain has them.
    pub fn wallet(&self, name: &str) -> Wallet {
        let mut wallet = Wallet::new(name, &self.options.prefix, &self.options.chain_id);
        let snapshot = self.engine().base().expect("there is a genesis");
        let account = crate::modules::auth::state::account(snapshot.as_ref(), &wallet.address());
        if let Some(account) = account {
            wallet.account_number = account.base().account_number;
            wallet.sequence = account.base().sequence;
        }
        wallet
    }

    /// The latest committed state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.engine().reader().latest()
    }

    /// The height the next block has.
    pub fn next_height(&self) -> Height {
        let base = self.engine().base().expect("there is a genesis");
        base.height().next().expect("fewer than 2^64 heights")
    }

    /// CheckTx, one by one.
    pub fn check(&self, txs: &[Bytes]) -> Vec<TxResult> {
        let request = |tx: &Bytes| CheckRequest { tx: tx.clone(), kind: CheckKind::New };
        let requests: Vec<_> = txs.iter().map(request).collect();
        let mut results = Vec::new();
        self.engine().check_txs(&requests, &mut results);
        results
    }

    /// A proposal of waiting transactions, as a proposer makes it.
    pub fn propose(&self, txs: Vec<Bytes>, max_tx_bytes: u64) -> Vec<Bytes> {
        let (height, time) = (self.next_height(), self.next_time());
        let proposal = Proposal { height, time, max_tx_bytes, txs };
        self.engine().prepare_proposal(&proposal).expect("there is a state")
    }

    /// Executes and commits a block of these transactions.
    pub fn block(&mut self, txs: Vec<Bytes>) -> BlockOutcome {
        self.try_block(txs).expect("a block of a test chain has no fault")
    }

    /// The same where a fault is expected.
    pub fn try_block(&mut self, txs: Vec<Bytes>) -> Result<BlockOutcome, Fault> {
        let (height, time) = (self.next_height(), self.next_time());
        self.deliver(Block { height, time, proposer: vec![1; 20], txs })
    }

    /// Executes and commits a given block.
    pub fn deliver(&mut self, block: Block) -> Result<BlockOutcome, Fault> {
        let outcome = self.engine().finalize_block(&block)?;
        self.engine().commit()?;
        self.blocks.push((block, outcome.app_hash));
        Ok(outcome)
    }

    /// Empty blocks until a height is committed.
    pub fn run_to(&mut self, height: Height) {
        while self.next_height() <= height {
            self.block(Vec::new());
        }
    }

    fn next_time(&self) -> Time {
        Time { seconds: 1_700_000_000 + self.next_height().0 as i64, nanos: 0 }
    }
}

impl Default for Chain {
    fn default() -> Chain {
        Chain::new()
    }
}

/// InitChain for an `app_state`.
pub fn genesis(options: &ChainOptions, app_state: Bytes) -> Genesis {
    Genesis {
        chain_id: options.chain_id.clone(),
        time: Time { seconds: 1_700_000_000, nanos: 0 },
        initial_height: options.initial_height,
        consensus_params: ConsensusParams {
            block_max_bytes: 8 << 20,
            block_max_gas: 400_000_000,
            evidence_max_age_blocks: 100_000,
            evidence_max_age_seconds: 48 * 3600,
            evidence_max_bytes: 1 << 20,
            public_key_types: vec!["ed25519".into()],
            app_version: crate::engine::APP_VERSION,
            vote_extensions_enable_height: 0,
        },
        validators: vec![ValidatorUpdate { public_key: [7; 32], power: 10 }],
        app_state,
    }
}
