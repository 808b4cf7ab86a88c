//! A program of the next version and the chain it takes over, in process: a chain that swapped its
//! program at the planned height, and one that the next version replays from the same genesis,
//! agree on every block. The version after the present one stands here, with a migration that
//! reaches into several stores; `e2e_upgrade` does it once with CometBFT and a second build.

use cyberd::engine::upgrade::{version_of, Plan, Version};
use cyberd::error::Fault;
use cyberd::modules::{bandwidth, bank, params, rank};
use cyberd::state::{Overlay, Write};
use cyberd::testkit::chain::ChainOptions;
use cyberd::testkit::{story, Chain};
use cyberd::types::{Decimal, Height};
use proptest::prelude::*;

/// The present version, as the property needs it whatever this build knows.
const FIRST: Version = Version { number: 1, name: "v1", migrate: |_| {} };
static PRESENT: &[Version] = &[FIRST];
static NEXT: &[Version] = &[FIRST, Version { number: 2, name: "v2", migrate }];
/// Two versions that forgot something.
static IDLE: &[Version] = &[FIRST, Version { number: 2, name: "v2", migrate: |_| {} }];
static HALF: &[Version] = &[FIRST, Version { number: 2, name: "v2", migrate: price }];

/// Rules of links, of coins and of ranks change; a round may be running meanwhile.
fn migrate(overlay: &mut Overlay<'_>) {
    price(overlay);
    let mut ranks = rank::state::params(overlay);
    ranks.damping_factor = Decimal::parse("0.8").expect("a decimal");
    rank::state::set_params(overlay, &ranks);
    bank::state::set_send_enabled(overlay, "boot", false);
}

fn price(overlay: &mut Overlay<'_>) {
    let mut links = bandwidth::state::params(overlay);
    links.skip_cost = links.skip_cost.saturating_mul(2);
    let state: &mut dyn Write = overlay;
    bandwidth::state::set_params(state, &links);
}

/// A chain of the present version that halted at the planned height.
fn halted(seed: u64, height: u64) -> Chain {
    let options = ChainOptions { versions: PRESENT, ..ChainOptions::default() };
    let plan = Plan { name: "v2".into(), height, info: String::new() };
    let mut chain = Chain::with(options, |state| state.chain.upgrade = Some(plan));
    story::tell(&mut chain, seed, height as usize - 1);
    let before = chain.engine().info().app_hash;
    let fault = chain.try_block(Vec::new()).expect_err("its version is not known");
    assert!(matches!(fault, Fault::Upgrade(_)), "{fault}");
    let info = chain.engine().info();
    assert_eq!((info.height, info.app_hash), (Height(height - 1), before), "nothing changed");
    chain
}

/// The same chain, swapped at the height and gone on with.
fn swapped(seed: u64, height: u64, more: usize) -> Chain {
    let mut chain = halted(seed, height);
    chain.options.versions = NEXT;
    chain.restart(None);
    story::tell(&mut chain, seed ^ 1, more);
    let state = chain.snapshot();
    assert_eq!((version_of(&*state), params::state::plan(&*state)), (2, None));
    chain
}

/// The first height at which a program disagrees with a chain when it replays all its blocks,
/// with a start anew before some of them.
fn disagrees(chain: &Chain, versions: &'static [Version], starts: &[u64]) -> Option<Height> {
    let options = ChainOptions { versions, ..chain.options.clone() };
    let mut other = Chain::from_genesis(chain.genesis.clone(), options);
    for (block, hash) in &chain.blocks {
        if starts.contains(&block.height.0) {
            other.restart(None);
        }
        let outcome = other.deliver(block.clone()).expect("its versions are known");
        if outcome.app_hash != *hash {
            return Some(block.height);
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A history: its seed, the planned height, the blocks after it.
    #[test]
    fn the_next_version_replays_all_blocks_from_the_genesis_of_the_version_before(
        history in (any::<u64>(), 2_u64..30, 1_usize..15),
        starts in proptest::collection::vec(1_u64..45, 0..4),
    ) {
        let (seed, height, more) = history;
        let chain = swapped(seed, height, more);
        prop_assert_eq!(disagrees(&chain, NEXT, &starts), None);
    }
}

#[test]
fn a_next_version_that_migrates_otherwise_is_told_by_the_hash_of_the_planned_height() {
    let chain = swapped(5, 12, 9);
    for other in [IDLE, HALF] {
        assert_eq!(disagrees(&chain, other, &[]), Some(Height(12)));
    }
}

#[test]
fn the_next_version_tells_the_version_of_a_genesis_that_the_version_before_made() {
    let chain = halted(3, 5);
    let options = ChainOptions { versions: NEXT, ..chain.options.clone() };
    let mut next = Chain::from_genesis(chain.genesis.clone(), options);
    // CometBFT asks for the version before it sends the genesis and takes it from this answer.
    let outcome = next.engine().init_chain(&chain.genesis).expect("a good genesis");
    assert_eq!(outcome.consensus_params, Some(chain.genesis.consensus_params.clone()));
    for (block, _) in &chain.blocks {
        next.deliver(block.clone()).expect("under the old rules");
    }
    assert_eq!(next.engine().info().app_version, 1);
    let outcome = next.block(Vec::new());
    let updated = outcome.consensus_params.expect("CometBFT hears of the new version");
    assert_eq!((updated.app_version, next.engine().info().app_version), (2, 2));
}
