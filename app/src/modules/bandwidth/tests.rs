//! The invariants of bandwidth over random histories, and the story of stake that goes round.

use super::{charge, consume, hooks, maximum, quote, raw_units, settled, state, Cost, Params};
use super::{Record, MICRO};
use crate::modules::{bank, Rules};
use crate::state::Overlay;
use crate::testkit::Chain;
use crate::types::{Address, Amount, Coin, Coins, Decimal, Height};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn the_maximum_is_the_share_of_stake_for_the_largest_parameters() {
    let params = Params { network_bandwidth: 1 << 48, ..Params::default() };
    let supply = Amount(1 << 63);
    assert_eq!(maximum(&params, supply, supply), (1 << 48) * MICRO);
    assert_eq!(maximum(&params, Amount(1 << 62), supply), (1 << 47) * MICRO);
    assert_eq!(maximum(&params, Amount(0), supply), 0);
    assert_eq!(maximum(&params, Amount(1), supply), (1u128 << 48) * MICRO / (1 << 63));
}

#[test]
fn recovery_is_linear_and_full_after_the_period() {
    let record = Record { remained: 10, since: Height(100) };
    assert_eq!(settled(record, 1000, 100, Height(100)), 10);
    assert_eq!(settled(record, 1000, 100, Height(101)), 20);
    assert_eq!(settled(record, 1000, 100, Height(199)), 1000);
    assert_eq!(settled(record, 1000, 100, Height(200)), 1000);
    assert_eq!(settled(record, 5, 100, Height(100)), 5);
}

#[test]
fn a_charge_is_rounded_up() {
    assert_eq!(charge(1300, Decimal::from_atomics(Decimal::ONE_ATOMICS / 100)), 13_000_000);
    assert_eq!(charge(1, Decimal::from_atomics(1)), 1);
    assert_eq!(charge(u64::MAX, Decimal::from_atomics(u128::MAX)), u128::MAX);
}

#[test]
fn a_shortage_says_how_many_links_fit_and_when() {
    let chain = Chain::new();
    let snapshot = chain.engine().base().expect("genesis");
    let carol = chain.wallet("carol").address();
    let mut overlay = Overlay::new(snapshot.as_ref());
    let (rules, params) = (Rules::read(&overlay), state::params(&overlay));
    let quote = quote(&overlay, &rules, &carol, Height(1));
    let one = Cost { bytes: 400, new_links: 1, passed_over: 0 };
    let links = quote.available / charge(raw_units(&params, one).unwrap(), quote.price);
    assert!(links > 0, "carol can link at genesis: {quote:?}");
    while consume(&mut overlay, &rules, &carol, one, Height(1)).is_ok() {}
    let many = Cost { bytes: 4000, new_links: 10, passed_over: 0 };
    let error = consume(&mut overlay, &rules, &carol, many, Height(1)).unwrap_err().to_string();
    assert!(error.starts_with("needed "), "{error}");
    assert!(error.contains("links fit now"), "{error}");
    assert!(error.ends_with(": not enough personal bandwidth"), "{error}");
}

#[test]
fn the_height_named_is_the_first_that_is_enough() {
    let chain = Chain::new();
    let snapshot = chain.engine().base().expect("genesis");
    let alice = chain.wallet("alice").address();
    let mut overlay = Overlay::new(snapshot.as_ref());
    let (rules, params) = (Rules::read(&overlay), state::params(&overlay));
    let all = quote(&overlay, &rules, &alice, Height(1)).available;
    state::set_record(&mut overlay, &alice, Record { remained: all / 10, since: Height(1) });
    let price = state::price(&overlay);
    let half = all / 2 * Decimal::ONE_ATOMICS / MICRO / price.atomics();
    let cost = Cost { bytes: half as u64 - params.tx_cost, new_links: 0, passed_over: 0 };
    let error = consume(&mut overlay, &rules, &alice, cost, Height(1)).unwrap_err();
    let super::BandwidthError::NotEnough(shortage) = error else { panic!("{error}") };
    let height = shortage.affordable_at.expect("half of the maximum is affordable");
    let before = height.previous().expect("above 1");
    assert!(consume(&mut overlay, &rules, &alice, cost, before).is_err());
    assert!(consume(&mut overlay, &rules, &alice, cost, height).is_ok());
}

/// Two neurons pass the same stake to and fro and link whenever they can: together they link no
/// more than one that keeps it.
#[test]
fn stake_that_goes_round_links_no_more_than_stake_that_stays() {
    let chain = Chain::new();
    let snapshot = chain.engine().base().expect("genesis");
    let cost = Cost { bytes: 400, new_links: 1000, passed_over: 0 };
    let rules = Rules::read(snapshot.as_ref());
    let spend = |overlay: &mut Overlay<'_>, neuron: &Address, height: u64| {
        let mut count = 0;
        while consume(overlay, &rules, neuron, cost, Height(height)).is_ok() {
            count += 1;
        }
        count
    };
    let (carol, dave) = (chain.wallet("alice").address(), chain.wallet("dave").address());
    let mut staying = Overlay::new(snapshot.as_ref());
    let alone: u32 = (1..250).map(|height| spend(&mut staying, &carol, height)).sum();

    let mut moving = Overlay::new(snapshot.as_ref());
    let mut together = 0;
    for height in 1..250u64 {
        let (from, to) = if height % 2 == 1 { (carol, dave) } else { (dave, carol) };
        together += spend(&mut moving, &from, height);
        let mut tx = Overlay::new(&moving);
        let stake = bank::state::balance(&tx, &from, "boot");
        let coins = Coins::new(vec![Coin::new("boot", stake)]).unwrap();
        bank::state::transfer(&mut tx, &from, &to, &coins, "bostrom").unwrap();
        hooks::stake_moved(&mut tx, &moving, &rules, Height(height));
        let changes = tx.into_changes();
        moving.apply(changes);
        together += spend(&mut moving, &to, height);
    }
    assert!(alone > 10, "the one that stays links: {alone}");
    assert!(together <= alone, "{together} together, {alone} alone");
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Send { from: usize, to: usize, share: u8 },
    Link { neuron: usize, links: u64 },
    Fee { payer: usize, amount: u64 },
    Mint { to: usize, amount: u64 },
    NextBlock,
    Period { recovery: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..6usize, 0..6usize, any::<u8>())
            .prop_map(|(from, to, share)| Step::Send { from, to, share }),
        3 => (0..6usize, 0..3000u64).prop_map(|(neuron, links)| Step::Link { neuron, links }),
        1 => (0..6usize, 0..10_000u64).prop_map(|(payer, amount)| Step::Fee { payer, amount }),
        1 => (0..6usize, 0..1u64 << 40).prop_map(|(to, amount)| Step::Mint { to, amount }),
        4 => Just(Step::NextBlock),
        1 => (1..40u64).prop_map(|recovery| Step::Period { recovery }),
    ]
}

/// The history's own account of what was admitted.
#[derive(Default)]
struct Ledger {
    height: u64,
    in_block: u64,
    admitted: BTreeMap<u64, u64>,
    /// Heights at or before this one left the ring when the period shrank.
    dropped: u64,
}

fn run(overlay: &mut Overlay<'_>, ledger: &mut Ledger, neurons: &[Address], step: &Step) {
    let height = Height(ledger.height);
    match step {
        Step::NextBlock => {
            hooks::end_block(overlay, height, ledger.in_block);
            ledger.admitted.insert(ledger.height, ledger.in_block);
            let period = state::params(overlay).recovery_period;
            ledger.dropped = ledger.dropped.max(ledger.height.saturating_sub(period));
            ledger.in_block = 0;
            ledger.height += 1;
            check(overlay, ledger, neurons);
        }
        Step::Link { neuron, links } => {
            let cost = Cost { bytes: links * 100, new_links: *links, passed_over: 1 };
            let rules = Rules::read(overlay);
            if let Ok(raw) = consume(overlay, &rules, &neurons[*neuron], cost, height) {
                ledger.in_block += raw;
            }
        }
        Step::Period { recovery } => {
            let mut params = state::params(overlay);
            params.recovery_period = *recovery;
            state::set_params(overlay, &params);
        }
        moving => {
            let mut tx = Overlay::new(&*overlay);
            move_stake(&mut tx, neurons, moving);
            hooks::stake_moved(&mut tx, &*overlay, &Rules::read(&*overlay), height);
            let changes = tx.into_changes();
            overlay.apply(changes);
        }
    }
}

fn move_stake(tx: &mut Overlay<'_>, neurons: &[Address], step: &Step) {
    let transfer = |tx: &mut Overlay<'_>, from: &Address, to: &Address, amount: u128| {
        let have = bank::state::balance(tx, from, "boot").0;
        let coin = Coin::new("boot", Amount(amount.min(have)));
        if coin.amount.0 > 0 {
            let coins = Coins::new(vec![coin]).unwrap();
            bank::state::transfer(tx, from, to, &coins, "bostrom").unwrap();
        }
    };
    match step {
        Step::Send { from, to, share } => {
            let have = bank::state::balance(tx, &neurons[*from], "boot").0;
            transfer(tx, &neurons[*from], &neurons[*to], have * u128::from(*share) / 255);
        }
        Step::Fee { payer, amount } => {
            let collector = Address::of_module("fee_collector");
            transfer(tx, &neurons[*payer], &collector, (*amount).into());
        }
        Step::Mint { to, amount } => {
            let have = bank::state::balance(tx, &neurons[*to], "boot").0;
            let supply = bank::state::supply(tx, "boot").0;
            let amount = u128::from(*amount);
            bank::state::set_balance(tx, &neurons[*to], "boot", Amount(have + amount));
            bank::state::set_supply(tx, "boot", Amount(supply + amount));
        }
        _ => unreachable!("only steps that move stake"),
    }
}

fn check(overlay: &Overlay<'_>, ledger: &Ledger, neurons: &[Address]) {
    let params = state::params(overlay);
    let last = Height(ledger.height - 1);
    let ring: u64 = state::ring(overlay).iter().map(|(_, units)| units).sum();
    assert_eq!(ring, state::ring_total(overlay), "the total is the sum of the ring");
    let admitted: u64 = ledger.admitted.range(ledger.dropped + 1..).map(|(_, units)| units).sum();
    assert_eq!(ring, admitted, "the ring holds what its heights admitted");
    let supply = bank::state::supply(overlay, "boot");
    let mut all = 0;
    for neuron in neurons {
        let stake = bank::state::balance(overlay, neuron, "boot");
        let most = maximum(&params, stake, supply);
        let now = quote(overlay, &Rules::read(overlay), neuron, last);
        assert!(now.available <= most, "{} of {most}", now.available);
        all += most;
    }
    assert!(all <= u128::from(params.network_bandwidth) * MICRO);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn invariants_hold_over_random_histories(steps in proptest::collection::vec(step(), 1..120)) {
        let chain = Chain::new();
        let snapshot = chain.engine().base().expect("genesis");
        let names = ["alice", "bob", "carol", "dave", "erin", "frank"];
        let neurons: Vec<Address> = names.map(|name| chain.wallet(name).address()).to_vec();
        let mut overlay = Overlay::new(snapshot.as_ref());
        let mut ledger = Ledger { height: 1, ..Ledger::default() };
        for step in &steps {
            run(&mut overlay, &mut ledger, &neurons, step);
        }
        run(&mut overlay, &mut ledger, &neurons, &Step::NextBlock);
    }
}
