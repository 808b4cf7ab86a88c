//! A block: begin hooks, transactions, end hooks, in the order the protocol gives.

use super::deliver::{deliver_tx, Delivered};
use super::genesis;
use super::signatures::{Ask, SignatureMemory};
use super::upgrade::{self, Version};
use super::{Block, BlockOutcome, Genesis, GenesisOutcome, TxResult};
use crate::ante::{Budget, Context, Mode};
use crate::error::{Fault, Refusal};
use crate::modules::{bandwidth, graph, params, rank as rank_state, Rules};
use crate::rank::input::{self, Moved};
use crate::rank::{is_boundary, output, Worker};
use crate::state::{Changes, Event, Overlay};
use crate::store::{Snapshot, Staged, Store};
use crate::telemetry::{self, timed, RoundPhase};
use crate::tx::{self, Tx};
use crate::types::Height;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The side of the engine that blocks change.
pub struct BlockSide {
    store: Store,
    worker: Worker,
    versions: &'static [Version],
    /// The genesis state, until the first commit.
    genesis: Option<Staged>,
    /// The finalized block, until its commit.
    staged: Option<Finalized>,
    /// Since the last committed freeze; a cache, unknown after a start.
    moved: Moved,
}

/// A block that waits for its commit.
struct Finalized {
    staged: Staged,
    /// Whether it froze a round, and the neurons that it, or until then the blocks since the last
    /// freeze, touched.
    froze: bool,
    moved: Moved,
}

impl BlockSide {
    /// Starts the round that the store's latest height holds frozen.
    pub fn new(store: Store, mut worker: Worker, versions: &'static [Version]) -> BlockSide {
        worker.ensure(&store.latest(), &None);
        BlockSide { store, worker, versions, genesis: None, staged: None, moved: None }
    }

    /// The state that the next block stands on.
    pub fn base(&self) -> Result<Arc<Snapshot>, Fault> {
        match (&self.genesis, self.store.is_empty()) {
            (_, false) => Ok(self.store.latest()),
            (Some(staged), true) => Ok(Arc::clone(staged.snapshot())),
            (None, true) => Err(Fault::Consensus(
                "there is neither a committed height nor a genesis state: InitChain comes first"
                    .into(),
            )),
        }
    }

    /// The last committed state; none before the first block.
    pub fn committed(&self) -> Option<Arc<Snapshot>> {
        (!self.store.is_empty()).then(|| self.store.latest())
    }

    /// The heights that a start may have to go back to.
    pub fn checkpoints(&self) -> Vec<Height> {
        self.store.checkpoints()
    }

    /// Builds the genesis state in memory; again, if it is asked again.
    pub fn init_chain(
        &mut self,
        genesis: &Genesis,
        folder: Option<&Path>,
    ) -> Result<(GenesisOutcome, Arc<Snapshot>), Fault> {
        if let Some(latest) = self.committed() {
            let height = latest.height();
            return Err(Fault::Consensus(format!(
                "InitChain, but the store is at height {height}: CometBFT's data is of another \
                 chain or was removed"
            )));
        }
        // It may be large: never two of them in memory.
        self.genesis = None;
        let staged = genesis::stage(&self.store, genesis, folder)?;
        let outcome = GenesisOutcome {
            app_hash: staged.app_hash(),
            validators: Vec::new(),
            // CometBFT asked for the version before it sent the genesis, and was told the newest.
            consensus_params: Some(genesis.consensus_params.clone()),
        };
        let snapshot = Arc::clone(staged.snapshot());
        self.genesis = Some(staged);
        Ok((outcome, snapshot))
    }

    /// Goes on from a state that came from elsewhere, verified. The round it holds frozen starts.
    pub fn install(&mut self, state: Arc<Snapshot>) -> Result<(), Fault> {
        if let Some(own) = self.committed() {
            let [own, other] = [&own, &state].map(|it| params::state::chain(&**it).chain_id);
            if own != other {
                return Err(Fault::Setup(format!(
                    "this home holds a state of chain '{own}', the snapshot is of chain \
                     '{other}': join with a new home, or move data/cyberd of this one away"
                )));
            }
        }
        self.store.install(state)?;
        (self.genesis, self.staged, self.moved) = (None, None, None);
        self.worker.ensure(&self.store.latest(), &None);
        Ok(())
    }

    /// Executes a block on top of the last one.
    pub fn finalize(
        &mut self,
        block: &Block,
        memory: &SignatureMemory,
    ) -> Result<BlockOutcome, Fault> {
        let _still = self.worker.stand_still();
        let base = self.base()?;
        if base.height().next() != Some(block.height) {
            return Err(Fault::Consensus(format!(
                "asked for block {}, the state is at {}",
                block.height,
                base.height()
            )));
        }
        let mut overlay = Overlay::new(base.as_ref());
        let upgraded = upgrade::begin_block(&mut overlay, block.height, self.versions)?;
        let consensus_params = upgraded.then(|| params::state::consensus(&overlay));
        let rules = Rules::read(&overlay);
        let txs = decode(block, &rules.chain.address_prefix);
        let run = |ask: Ask<'_>| execute((&overlay, &rules), &txs, block.height, ask);
        let Executed { changes, results, raw_units } =
            memory.in_order(&txs, &rules.chain.chain_id, run);
        overlay.apply(changes);
        let (finalized, events) = self.end_block(overlay, &base, block.height, raw_units)?;
        let app_hash = finalized.staged.app_hash();
        self.staged = Some(finalized);
        Ok(BlockOutcome {
            results,
            events,
            validator_updates: Vec::new(),
            consensus_params,
            app_hash,
        })
    }

    /// End hooks: bandwidth's ring and price, publish – freeze, then trees, logs, app hash.
    fn end_block(
        &mut self,
        mut overlay: Overlay<'_>,
        base: &Arc<Snapshot>,
        height: Height,
        raw_units: u64,
    ) -> Result<(Finalized, Vec<Event>), Fault> {
        bandwidth::hooks::end_block(&mut overlay, height, raw_units);
        graph::state::count(&mut overlay);
        let period = rank_state::state::params(&overlay).calculation_period;
        let (mut publication, mut froze) = (None, false);
        let touched = input::touched(&overlay, base);
        let at_boundary = is_boundary(height, period);
        let moved = match at_boundary {
            true => self.moved.as_ref().map(|known| known | &touched),
            false => Some(touched),
        };
        if at_boundary {
            if let Some(frozen) = rank_state::state::frozen(base.as_ref()) {
                self.worker.ensure(base, &None);
                let outcome = timed(RoundPhase::Wait, || self.worker.finish())?;
                telemetry::round_seconds(RoundPhase::Weights, outcome.timing.weights);
                telemetry::round_seconds(RoundPhase::Sweeps, outcome.timing.sweeps);
                let published = timed(RoundPhase::Publish, || {
                    output::publish(&mut overlay, base, &frozen, outcome, height)
                });
                publication = Some(published);
            }
            froze = timed(RoundPhase::Freeze, || input::freeze(&mut overlay, base, height, &moved));
        }
        let events = overlay.take_events();
        let changes = overlay.into_changes();
        let publication = publication.as_ref();
        let staged = match &self.genesis {
            Some(genesis) => self.store.stage_on(genesis, height, &changes, publication),
            None => self.store.stage(base, height, &changes, publication),
        };
        Ok((Finalized { staged, froze, moved }, events))
    }

    /// Makes the finalized block durable and tells the worker of a round to start.
    pub fn commit(&mut self) -> Result<Arc<Snapshot>, Fault> {
        let _still = self.worker.stand_still();
        let finalized = self.staged.take();
        let finalized =
            finalized.ok_or_else(|| Fault::Consensus("Commit without a block".into()))?;
        let snapshot = self.store.commit(finalized.staged)?;
        self.genesis = None;
        if finalized.froze {
            self.worker.ensure(&snapshot, &finalized.moved);
            self.moved = Some(BTreeSet::new());
        } else if let (Some(known), Some(more)) = (&mut self.moved, finalized.moved) {
            known.extend(more);
        }
        Ok(snapshot)
    }
}

/// What the transactions of a block did.
struct Executed {
    changes: Changes,
    results: Vec<TxResult>,
    raw_units: u64,
}

/// Runs transactions in order.
fn execute(
    (base, rules): (&Overlay<'_>, &Rules),
    txs: &[Result<Tx, Refusal>],
    height: Height,
    ask: Ask<'_>,
) -> Executed {
    let mut overlay = Overlay::new(base);
    let mut budget = Budget::of_block(rules);
    let mut results = Vec::with_capacity(txs.len());
    let mut raw_units: u64 = 0;
    for (place, tx) in txs.iter().enumerate() {
        let verify = |_: &Tx, signer, key: &_, number| ask(place, signer, key, number);
        let mode = Mode::Block;
        let context = Context { mode, rules, height, minimum_gas_prices: &[], verify: &verify };
        let Delivered { result, raw_units: raw } =
            deliver_tx(&mut overlay, tx, &context, &mut budget);
        raw_units = raw_units.checked_add(raw).expect("a block stays within its limit");
        results.push(result);
    }
    Executed { changes: overlay.into_changes(), results, raw_units }
}

fn decode(block: &Block, prefix: &str) -> Vec<Result<Tx, Refusal>> {
    block.txs.par_iter().map(|bytes| tx::decode(bytes.clone(), prefix)).collect()
}
