//! Staging: the state after a block or the genesis, computed but not yet durable, and the record
//! the journal will keep of it. Staging is pure: it reads a base and makes a new snapshot; a
//! staged height that is never committed leaves no trace.
//!
//! Invariant: what a record's passes say, applied to the base by [`replay`], gives the snapshot
//! that was staged, root by root (`tests::reopening_at_every_height_gives_the_same_state`).

use super::commitment::{is_worth_a_thread, Commitment, Keys, NewCodes};
use super::graph::{Additions, Graph};
use super::journal::{self, Pass, Record};
use super::merkle::{join, RankTree};
use super::snapshot::Snapshot;
use crate::error::Fault;
use crate::state::{Changes, STORES};
use crate::types::{Hash, Height, ParticleNumber};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a round publishes at a boundary.
#[derive(Clone, Debug, Default)]
pub struct Publication {
    /// Bits of the mantissa from now on, 8 to 24; when they change, older codes become the
    /// largest of so many bits not above their values first.
    pub code_bits: u32,
    /// The codes that change, ascending by particle.
    pub codes: Vec<(ParticleNumber, u32)>,
    /// The base's tree with these codes, grown to the particles after the block, where the caller
    /// has it already (its root stands in the record); else it is computed.
    pub tree: Option<RankTree>,
    /// The round's record: the next leaf of the log `rounds`, at most 600 bytes.
    pub record: Vec<u8>,
}

/// Ranks a genesis carries on from another chain's export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GenesisRanks {
    pub code_bits: u32,
    /// Ascending by particle.
    pub codes: Vec<(ParticleNumber, u32)>,
    /// The leaves of the log `rounds` so far.
    pub rounds: Vec<Vec<u8>>,
}

/// A height computed on top of a base, not yet durable.
#[derive(Clone, Debug)]
pub struct Staged {
    snapshot: Arc<Snapshot>,
    /// Height and app hash of the committed snapshot below.
    base: (Height, Hash),
    passes: Vec<Vec<u8>>,
    retained: u64,
    /// No record tells of it: a checkpoint of the whole will.
    whole: bool,
}

impl Staged {
    /// The state after it: a base to read from and to stage on.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Its height.
    pub fn height(&self) -> Height {
        self.snapshot.height()
    }

    /// Its app hash.
    pub fn app_hash(&self) -> Hash {
        self.snapshot.app_hash()
    }

    /// The height and app hash of the committed snapshot it stands on.
    pub(super) fn base(&self) -> (Height, Hash) {
        self.base
    }

    /// About how much memory the snapshots before it keep alive that this one does not share.
    pub(super) fn retained(&self) -> u64 {
        self.retained
    }

    /// Whether it is, or stands on, a genesis that no record tells of.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many passes one commit will make durable.
    pub(super) fn passes(&self) -> usize {
        self.passes.len()
    }

    /// The journal's record of it, taken out. `first`: it begins the chain.
    pub(super) fn take_record(&mut self, first: bool) -> Record {
        Record {
            height: self.height(),
            app_hash: self.app_hash(),
            before: (!first).then_some(self.base.1),
            roots: *self.snapshot.plain_roots(),
            passes: std::mem::take(&mut self.passes),
        }
    }
}

/// What is staged: a block's changes, or those of a genesis that has a record.
pub(super) struct Content<'a> {
    pub height: Height,
    /// The version that nodes of the trees get.
    pub version: u64,
    pub changes: &'a Changes,
    pub codes: Option<NewCodes<'a>>,
    pub rounds: Vec<Vec<u8>>,
}

/// Stages on a committed snapshot.
pub(super) fn stage(base: &Arc<Snapshot>, content: Content<'_>) -> Staged {
    let own = (base.height(), base.app_hash());
    on_top(base, own, Some(Vec::new()), content)
}

/// Stages a genesis that no record tells of, at a height and the version of its nodes. Keys that
/// the trees have taken over are let go: there may be millions.
pub(super) fn stage_whole(
    below: &Arc<Snapshot>,
    (height, version): (Height, u64),
    changes: Changes,
    codes: Option<NewCodes<'_>>,
    rounds: Vec<Vec<u8>>,
) -> Staged {
    let additions = below.graph().add(&changes.particles, &changes.links, rounds);
    let graph = below.graph().with(Arc::new(additions));
    let mut commitment = below.commitment().clone();
    commitment.apply_whole(version, changes.keys, &graph, codes);
    Staged {
        snapshot: Arc::new(Snapshot::new(height, commitment, graph)),
        base: (below.height(), below.app_hash()),
        passes: Vec::new(),
        retained: 0,
        whole: true,
    }
}

/// Stages on what is staged: one commit will make both durable.
pub(super) fn stage_on(base: &Staged, content: Content<'_>) -> Staged {
    let passes = (!base.whole).then(|| base.passes.clone());
    let staged = on_top(&base.snapshot, base.base, passes, content);
    Staged { retained: staged.retained + base.retained, ..staged }
}

fn on_top(
    below: &Arc<Snapshot>,
    base: (Height, Hash),
    passes: Option<Vec<Vec<u8>>>,
    content: Content<'_>,
) -> Staged {
    let Content { height, version, changes, codes, rounds } = content;
    let additions = below.graph().add(&changes.particles, &changes.links, rounds);
    let additions = Arc::new(additions);
    let leaves = (changes.particles.len() + changes.links.len()) as u64;
    let parallel = is_worth_a_thread(&changes.keys, codes, leaves);
    let (snapshot, pass) = join(
        parallel,
        || apply(below, height, version, &changes.keys, &additions, codes),
        || {
            passes
                .is_some()
                .then(|| journal::encode_pass(version, &changes.keys, &additions, codes))
        },
    );
    let retained = retained_bytes(below.commitment(), &changes.keys, codes);
    let whole = passes.is_none();
    let passes = passes.into_iter().flatten().chain(pass).collect();
    Staged { snapshot: Arc::new(snapshot), base, passes, retained, whole }
}

fn apply(
    below: &Snapshot,
    height: Height,
    version: u64,
    keys: &[Keys; STORES],
    additions: &Arc<Additions>,
    codes: Option<NewCodes<'_>>,
) -> Snapshot {
    let graph = below.graph().with(additions.clone());
    let mut commitment = below.commitment().clone();
    commitment.apply(version, keys, &graph, codes);
    Snapshot::new(height, commitment, graph)
}

/// The staged height that a record tells of, on top of a committed snapshot. A record whose roots
/// do not come out is damage.
pub(super) fn replay(base: &Arc<Snapshot>, record: &Record) -> Result<Staged, Fault> {
    let what = format!("journal record of height {}", record.height);
    if record.before.is_some_and(|before| before != base.app_hash()) {
        return Err(Fault::Damage(format!("{what} does not follow height {}", base.height())));
    }
    let (mut snapshot, mut retained) = (base.clone(), 0);
    for bytes in &record.passes {
        let pass = journal::decode_pass(bytes, snapshot.sizes(), &what)?;
        let Pass { version, keys, additions, codes } = pass;
        let codes = codes.as_ref();
        let codes = codes.map(|(code_bits, codes)| NewCodes::new(*code_bits, codes));
        retained += retained_bytes(snapshot.commitment(), &keys, codes);
        let additions = Arc::new(additions);
        let next = apply(&snapshot, record.height, version, &keys, &additions, codes);
        snapshot = Arc::new(next);
    }
    let names = snapshot.roots().into_iter().zip(record.roots);
    let wrong: Vec<String> =
        names.filter(|((_, own), stored)| own != stored).map(|((name, _), _)| name).collect();
    if !wrong.is_empty() || snapshot.app_hash() != record.app_hash {
        return Err(Fault::Damage(format!("{what}: the roots of {wrong:?} do not come out")));
    }
    let (base, passes) = ((base.height(), base.app_hash()), Vec::new());
    Ok(Staged { snapshot, base, passes, retained, whole: false })
}

/// About how many bytes of the state before a pass live on only because somebody keeps that
/// state: the replaced nodes of trees, the replaced chunks of codes.
fn retained_bytes(before: &Commitment, keys: &[Keys; STORES], codes: Option<NewCodes<'_>>) -> u64 {
    /// A leaf or inner node with its hash, key and value, roughly.
    const NODE_BYTES: u64 = 200;
    /// 256 codes and the hashes above them.
    const CHUNK_BYTES: u64 = 9_300;
    let trees = before.trees.iter().zip(keys).map(|(tree, changes)| {
        let changed = changes.len() as u64;
        let shared = (tree.len() / changed.max(1)).max(1).ilog2();
        changed * (u64::from(shared) + 2) * NODE_BYTES
    });
    let chunks = codes.map_or(0, |codes| {
        let chunks: BTreeSet<u32> =
            codes.codes.iter().map(|(particle, _)| particle.0 / 256).collect();
        chunks.len() as u64
    });
    trees.sum::<u64>() + chunks * CHUNK_BYTES
}

/// The view of a settled graph.
pub(super) fn settled(staged: &Staged) -> Arc<Snapshot> {
    let graph: Graph = staged.snapshot.graph().settle();
    Arc::new(staged.snapshot.over(graph))
}
