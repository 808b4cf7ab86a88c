//! An application that does what requests tell it to: panic, wait, fail.

use crate::abci::Application;
use crate::engine::*;
use crate::error::{code, Fault};
use crate::types::{Hash, Height};
use prost::bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Words that requests carry: the first bytes of a transaction, the path of a query.
pub const PANIC: &str = "panic";
pub const FAULT: &str = "fault";
pub const SLOW: &str = "slow";
/// Waits until [`Script::open`].
pub const GATE: &str = "gate";

pub const SLOW_FOR: Duration = Duration::from_millis(150);

#[derive(Default)]
pub struct Script {
    /// Every call, in the order of their beginnings.
    pub calls: Mutex<Vec<String>>,
    pub checked: AtomicU64,
    pub height: AtomicU64,
    gate: Mutex<bool>,
    opened: Condvar,
}

impl Script {
    /// Lets what waits at the gate go on.
    pub fn open(&self) {
        *self.gate.lock().expect("nobody panics with it") = true;
        self.opened.notify_all();
    }

    fn wait(&self) {
        let gate = self.gate.lock().expect("nobody panics with it");
        drop(self.opened.wait_while(gate, |open| !*open).expect("nobody panics with it"));
    }

    fn note(&self, call: impl Into<String>) {
        self.calls.lock().expect("nobody panics with it").push(call.into());
    }

    pub fn called(&self, name: &str) -> usize {
        let calls = self.calls.lock().expect("nobody panics with it");
        calls.iter().filter(|call| call.as_str() == name).count()
    }

    #[allow(clippy::disallowed_methods, reason = "a slow application is what is tested")]
    fn act(&self, word: &[u8]) -> Result<(), Fault> {
        match std::str::from_utf8(word).unwrap_or("") {
            PANIC => panic!("as told"),
            FAULT => return Err(Fault::Storage("as told".into())),
            SLOW => std::thread::sleep(SLOW_FOR),
            GATE => self.wait(),
            _ => (),
        }
        Ok(())
    }
}

impl Application for Script {
    fn info(&self) -> Info {
        self.note("info");
        let height = Height(self.height.load(Ordering::SeqCst));
        Info { version: "script", app_version: 1, height, app_hash: vec![5; 32] }
    }

    fn init_chain(&self, genesis: Genesis) -> Result<GenesisOutcome, Fault> {
        self.note("init_chain");
        self.act(&genesis.app_state)?;
        Ok(GenesisOutcome { app_hash: [1; 32], validators: Vec::new(), consensus_params: None })
    }

    fn check_txs(&self, requests: &[CheckRequest], results: &mut Vec<TxResult>) {
        self.note("check_txs");
        for request in requests {
            self.act(&request.tx).expect("no faults asked of a check");
            results.push(TxResult {
                code: code::OK,
                data: request.tx.clone(),
                log: self.checked.fetch_add(1, Ordering::SeqCst).to_string(),
                gas_wanted: 0,
                gas_used: 0,
                events: Vec::new(),
            });
        }
    }

    fn prepare_proposal(&self, proposal: Proposal) -> Result<Vec<Bytes>, Fault> {
        self.note("prepare_proposal");
        Ok(proposal.txs.into_iter().rev().collect())
    }

    fn process_proposal(&self, proposal: Proposal) -> Result<ProposalVerdict, Fault> {
        self.note("process_proposal");
        Ok(match proposal.txs.is_empty() {
            true => ProposalVerdict::Accept,
            false => ProposalVerdict::Reject("as told".into()),
        })
    }

    fn finalize_block(&self, block: Block) -> Result<BlockOutcome, Fault> {
        self.note("finalize_block");
        let mut results = Vec::new();
        for tx in &block.txs {
            self.act(tx)?;
            results.push(TxResult {
                code: code::OK,
                data: tx.clone(),
                log: String::new(),
                gas_wanted: 0,
                gas_used: 0,
                events: Vec::new(),
            });
        }
        self.height.store(block.height.0, Ordering::SeqCst);
        Ok(BlockOutcome {
            results,
            events: Vec::new(),
            validator_updates: Vec::new(),
            consensus_params: None,
            app_hash: [2; 32],
        })
    }

    fn commit(&self) -> Result<Height, Fault> {
        self.note("commit");
        Ok(Height(3))
    }

    fn query(&self, request: QueryRequest) -> QueryAnswer {
        self.note("query");
        self.act(request.path.as_bytes()).expect("no faults asked of a query");
        QueryAnswer { value: request.data, height: 9, ..QueryAnswer::default() }
    }

    fn list_snapshots(&self) -> Vec<Snapshot> {
        self.note("list_snapshots");
        let (hash, metadata) = (Bytes::from_static(b"hash"), Bytes::new());
        vec![Snapshot { height: Height(7), format: 1, chunks: 2, hash, metadata }]
    }

    fn offer_snapshot(&self, _offer: Snapshot, app_hash: Hash) -> Result<OfferVerdict, Fault> {
        self.note("offer_snapshot");
        Ok(match app_hash == [2; 32] {
            true => OfferVerdict::Accept,
            false => OfferVerdict::Reject("another hash".into()),
        })
    }

    fn load_snapshot_chunk(&self, height: Height, _format: u32, chunk: u32) -> Option<Bytes> {
        self.note("load_snapshot_chunk");
        (height == Height(7) && chunk < 2).then(|| Bytes::from_static(b"chunk"))
    }

    fn apply_snapshot_chunk(
        &self,
        index: u32,
        _chunk: Bytes,
        sender: &str,
    ) -> Result<ChunkVerdict, Fault> {
        self.note("apply_snapshot_chunk");
        let reject_senders = vec![sender.to_owned()];
        Ok(match index {
            0 => ChunkVerdict::Accept,
            _ => ChunkVerdict::Retry { reason: "as told".into(), refetch: vec![0], reject_senders },
        })
    }
}
