//! Against a plain sort, on random graphs and on hubs, at every height and from several threads.

use super::*;
use crate::modules::rank::{state as rank_state, Frozen};
use crate::state::{Link, Overlay, Read, Write};
use crate::store::backend::MemoryDisk;
use crate::store::merkle::ranks::{code_value, floor_code};
use crate::store::{Options, Publication, Store};
use crate::types::{sha256, Address, Height, Particle};
use proptest::prelude::*;
use std::collections::BTreeSet;

const BITS: u32 = 15;

/// A store that only the graph and the ranks are written to.
struct World {
    store: Store,
    height: Height,
}

impl World {
    fn new() -> World {
        let store = Store::open_on(Box::new(MemoryDisk::new()), Options::default());
        World { store: store.expect("a store in memory"), height: Height(0) }
    }

    /// Commits a height with links (neuron, from, to) whose particles become known as needed, and
    /// publishes the codes, if any.
    fn commit(&mut self, links: &[(u8, u32, u32)], values: Option<&[u64]>) -> Arc<Snapshot> {
        self.commit_with(links, values, |_| {})
    }

    fn commit_with(
        &mut self,
        links: &[(u8, u32, u32)],
        values: Option<&[u64]>,
        change: impl FnOnce(&mut Overlay<'_>),
    ) -> Arc<Snapshot> {
        let height = self.height.next().expect("small");
        let first = self.store.is_empty().then(|| {
            let nothing = Overlay::new(self.store.latest().as_ref()).into_changes();
            self.store.stage_genesis(height, nothing, None)
        });
        let base = match &first {
            Some(genesis) => Arc::clone(genesis.snapshot()),
            None => self.store.latest(),
        };
        let mut overlay = Overlay::new(base.as_ref());
        for (neuron, from, to) in links {
            let [from, to] = [*from, *to].map(|name| {
                let particle = particle(name);
                let known = overlay.particle_number(&particle);
                known.unwrap_or_else(|| overlay.add_particle(particle))
            });
            if !overlay.has_link(&neuron_of(*neuron), from, to) {
                overlay.add_link(Link { neuron: neuron_of(*neuron), from, to, height });
            }
        }
        change(&mut overlay);
        let particles = overlay.graph_size().0 .0;
        let publication = values.map(|values| {
            let code =
                |(number, value): (u32, &u64)| (ParticleNumber(number), floor_code(*value, BITS));
            let codes = (0..particles).zip(values.iter().cycle()).map(code).collect();
            Publication {
                code_bits: BITS,
                codes,
                tree: None,
                record: height.0.to_be_bytes().to_vec(),
            }
        });
        let changes = overlay.into_changes();
        let staged = match &first {
            Some(genesis) => self.store.stage_on(genesis, height, &changes, publication.as_ref()),
            None => self.store.stage(&base, height, &changes, publication.as_ref()),
        };
        self.height = height;
        self.store.commit(staged).expect("memory does not fail")
    }
}

fn particle(name: u32) -> Particle {
    Particle(sha256(&name.to_be_bytes()))
}

fn neuron_of(name: u8) -> Address {
    Address::new(&[name; 20]).expect("20 bytes")
}

/// All answers of a side by sorting everything.
fn naive(snapshot: &Snapshot, of: Option<(Side, ParticleNumber)>) -> Vec<Ranked> {
    let mut found = BTreeSet::new();
    for number in 0..snapshot.sizes().links {
        let (_, from, to) = snapshot.link_ends(LinkNumber(number));
        match of {
            Some((Side::Targets, particle)) if particle == from => _ = found.insert(to),
            Some((Side::Sources, particle)) if particle == to => _ = found.insert(from),
            _ => {}
        }
    }
    if of.is_none() {
        found = (0..snapshot.sizes().particles).map(ParticleNumber).collect();
    }
    let ranks = snapshot.rank();
    let value = |particle: ParticleNumber| ranks.value(particle).expect("known");
    let mut all: Vec<_> = found.into_iter().collect();
    all.sort_by_key(|particle| (std::cmp::Reverse(value(*particle)), *particle));
    let rank = |particle| match ranks.total() {
        0 => 0,
        total => (u128::from(value(particle)) * 1_000_000_000_000_000 / total) as u64,
    };
    all.into_iter().map(|particle| Ranked { particle, rank: rank(particle) }).collect()
}

/// Every page of some lengths, for every particle and side and for all, equals the plain sort.
fn check(index: &Index, snapshot: &Snapshot) {
    let never = Deadline::never();
    let particles = (0..snapshot.sizes().particles).map(ParticleNumber);
    let view = index.view(snapshot).expect("small enough to catch up with");
    let sides = [Side::Targets, Side::Sources];
    for (particle, side) in particles.flat_map(|p| sides.map(|side| (p, side))) {
        let expected = naive(snapshot, Some((side, particle)));
        for places in [0..2, 2..5, 0..1000, 900..1000] {
            let page = view.neighbours(particle, side, places.clone(), &never).expect("answers");
            check_page(&page, &expected, places);
        }
        let number = |link: LinkNumber| link.0;
        let out: Vec<u32> = view.out_links(particle).map(number).collect();
        let back: Vec<u32> = view.in_links(particle).map(number).collect();
        let own = |end: fn((NeuronNumber, ParticleNumber, ParticleNumber)) -> ParticleNumber| {
            let links = (0..snapshot.sizes().links).rev();
            links.filter(move |n| end(snapshot.link_ends(LinkNumber(*n))) == particle)
        };
        assert!(out.into_iter().eq(own(|(_, from, _)| from)));
        assert!(back.into_iter().eq(own(|(_, _, to)| to)));
    }
    let expected = naive(snapshot, None);
    for places in [0..3, 3..10, 0..1000, 5000..5001] {
        let page = index.top(snapshot, places.clone(), &never).expect("answers");
        check_page(&page, &expected, places);
    }
}

fn check_page(page: &Page, expected: &[Ranked], places: Range<usize>) {
    let end = places.end.min(expected.len());
    assert_eq!(page.total, expected.len());
    assert_eq!(page.ranked, &expected[places.start.min(end)..end]);
}

type Block = (Vec<(u8, u32, u32)>, Option<Vec<u64>>);

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let link = (0..4u8, 0..12u32, 0..12u32).prop_filter("ends differ", |(_, a, b)| a != b);
    let links = prop::collection::vec(link, 0..10);
    let values = prop::collection::vec(
        prop_oneof![Just(0), 0..5u64, any::<u32>().prop_map(u64::from)],
        1..14,
    );
    prop::collection::vec((links, prop::option::of(values)), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn answers_equal_a_plain_sort_at_every_height(blocks in blocks()) {
        let (mut world, index) = (World::new(), Index::new());
        let mut snapshots = Vec::new();
        for (links, values) in &blocks {
            let snapshot = world.commit(links, values.as_deref());
            check(&index, &snapshot);
            snapshots.push(snapshot);
        }
        // Older states answer as they did, though the index is ahead of them.
        for snapshot in &snapshots {
            check(&index, snapshot);
        }
        // An index made at once answers like one that followed.
        let rebuilt = Index::new();
        rebuilt.follow(snapshots.last().expect("one at least"));
        check(&rebuilt, snapshots.last().expect("one at least"));
    }

    #[test]
    fn codes_compare_as_their_values(a in any::<u64>(), b in any::<u64>(), bits in 8..25u32) {
        let [a, b] = [a, b].map(|value| floor_code(value, bits));
        let value = |code| code_value(code, bits).expect("a code");
        prop_assert_eq!(a.cmp(&b), value(a).cmp(&value(b)));
    }

    #[test]
    fn the_top_of_many_equals_a_plain_sort(
        values in prop::collection::vec(prop_oneof![Just(0), 0..9u64, any::<u64>()], 1..700),
        start in 0..700usize,
        count in 0..700usize,
    ) {
        let mut ranks = crate::store::merkle::RankTree::new(BITS);
        ranks.grow(values.len() as u32);
        let code = |(number, value): (u32, &u64)| {
            (ParticleNumber(number), floor_code(value >> 1, BITS))
        };
        let codes: Vec<_> = (0..).zip(&values).map(code).collect();
        ranks.set_codes(&codes);
        let mut keys: Vec<u64> =
            codes.iter().map(|(particle, code)| order::key(*code, *particle)).collect();
        keys.sort_unstable();
        let places = start..start + count;
        let end = places.end.min(keys.len());
        let got = order::top(&ranks, places, &Deadline::never()).expect("no deadline");
        prop_assert_eq!(&got[..], &keys[start.min(end)..end]);
    }
}

#[test]
fn a_hub_is_kept_and_follows_links_and_rounds() {
    let (mut world, index) = (World::new(), Index::new());
    let star: Vec<_> = (1..1500u32).flat_map(|to| [(1, 0, to), (2, 0, to)]).collect();
    let values: Vec<u64> = (0..997).map(|at| at * 7919 % 1000).collect();
    let old = world.commit(&star, Some(&values));
    let hub = ParticleNumber(0);
    let ask = |snapshot: &Snapshot, places: Range<usize>| {
        let view = index.view(snapshot).expect("follows");
        let page = view.neighbours(hub, Side::Targets, places.clone(), &Deadline::never());
        check_page(&page.expect("answers"), &naive(snapshot, Some((Side::Targets, hub))), places);
    };
    [0..10, 1490..1600, 700..1300, 0..10].into_iter().for_each(|places| ask(&old, places));
    // A new link to a known and to a new particle, then new ranks.
    let newer = world.commit(&[(3, 0, 7), (3, 0, 5000), (1, 5000, 0)], None);
    [0..10, 1490..1600].into_iter().for_each(|places| ask(&newer, places));
    let round = world.commit(&[], Some(&[5, 4, 3, 9]));
    [0..10, 1000..1600].into_iter().for_each(|places| ask(&round, places));
    [0..10, 0..2000].into_iter().for_each(|places| ask(&old, places));
    ask(&round, 0..2000);
}

#[test]
fn a_late_answer_says_so() {
    let (mut world, index) = (World::new(), Index::new());
    let star: Vec<_> = (1..600u32).map(|to| (1, 0, to)).collect();
    let snapshot = world.commit(&star, Some(&[1]));
    let view = index.view(&snapshot).expect("follows");
    let late = Err(SearchError::Late(Late { limit_ms: 0 }));
    let over = Deadline::after_ms(0);
    assert_eq!(view.neighbours(ParticleNumber(0), Side::Targets, 0..1, &over), late);
    assert_eq!(index.top(&snapshot, 0..1, &over), late);
    assert!(view.has_any_link(ParticleNumber(0), ParticleNumber(9), &over).is_err());
}

#[test]
fn an_index_far_behind_is_not_ready_until_it_followed() {
    let (mut world, index) = (World::new(), Index::new());
    let links: Vec<_> = (0..=CATCH_UP_LINKS).map(|at| (1, at, at + 1)).collect();
    let snapshot = world.commit(&links, None);
    let links = CATCH_UP_LINKS + 1;
    let state = index.view(&snapshot).map(|_| ());
    assert_eq!(state, Err(SearchError::NotReady { percent: 0, links }));
    index.follow(&snapshot);
    let view = index.view(&snapshot).expect("ready");
    assert_eq!(view.out_links(ParticleNumber(3)).count(), 1);
}

#[test]
fn an_index_that_is_off_refuses_and_costs_nothing() {
    let snapshot = World::new().commit(&[(1, 1, 2)], None);
    let index = Index::off();
    index.follow(&snapshot);
    assert_eq!(index.view(&snapshot).map(|_| ()), Err(SearchError::Off));
}

#[test]
fn readers_see_whole_chains_while_the_writer_follows() {
    let (mut world, index) = (World::new(), Index::new());
    let mut snapshots = Vec::new();
    for block in 0..40u32 {
        let links: Vec<_> = (0..50).map(|at| (block as u8, at % 3, 3 + at)).collect();
        snapshots.push(world.commit(&links, None));
    }
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for snapshot in &snapshots {
                    let view = index.view(snapshot).expect("follows");
                    let links: usize =
                        (0..3).map(|at| view.out_links(ParticleNumber(at * 2)).count()).sum();
                    let own = (0..snapshot.sizes().links).filter(|number| {
                        let (_, from, _) = snapshot.link_ends(LinkNumber(*number));
                        from.0 % 2 == 0 && from.0 < 6
                    });
                    assert_eq!(links, own.count());
                }
            });
        }
        snapshots.iter().for_each(|snapshot| index.follow(snapshot));
    });
}

#[test]
fn any_link_is_found_whoever_made_it() {
    let (mut world, index) = (World::new(), Index::new());
    let snapshot = world.commit(&[(1, 1, 2), (2, 3, 2), (1, 2, 1)], None);
    let view = index.view(&snapshot).expect("follows");
    let number = |name| snapshot.particle_number(&particle(name)).expect("known");
    let never = Deadline::never();
    for (from, to, exists) in
        [(1, 2, true), (3, 2, true), (2, 1, true), (2, 3, false), (1, 3, false)]
    {
        assert_eq!(view.has_any_link(number(from), number(to), &never), Ok(exists), "{from} {to}");
    }
}

#[test]
fn karma_and_entropy_follow_their_formulas() {
    let (mut world, index) = (World::new(), Index::new());
    // Neuron 1 (stake 30) makes two of the three links of particle 0, neuron 2 (stake 10) one and
    // one of particle 1; the source stake is 2. The links of neuron 2 to particle 3 are not frozen.
    let links = [(1, 0, 1), (1, 0, 2), (2, 0, 1), (2, 1, 2), (2, 0, 3)];
    let values = [4u64, 2, 1, 1];
    let snapshot = world.commit_with(&links, Some(&values), |overlay| {
        rank_state::set_stake(overlay, &neuron_of(1), 30);
        rank_state::set_stake(overlay, &neuron_of(2), 10);
        let frozen = Frozen { links: 4, particles: 3, source_stake: 2, ..Frozen::default() };
        rank_state::set_frozen(overlay, Some(&frozen));
    });
    let view = index.view(&snapshot).expect("follows");
    let number = |name| snapshot.neuron_number(&neuron_of(name)).expect("linked");
    let never = Deadline::never();
    let unit = RANK_SCALE;
    assert_eq!(view.karma(number(1), &never), Ok(unit / 2 * 30 / 72 * 2));
    let of_two = u128::from(unit / 2) * 10 / 72 + u128::from(unit / 4) * 10 / 12;
    assert_eq!(view.karma(number(2), &never), Ok(of_two as u64));
    let entropies = [0, 1, 2, 3].map(|particle| entropy(&snapshot, ParticleNumber(particle)));
    assert_eq!(entropies, [unit / 2, unit / 2, unit / 8 * 3, unit / 8 * 3]);
    // log2 4 − 1.75 is a quarter of a bit.
    assert_eq!(index.negentropy(&snapshot, &never), Ok(0));
    let uneven = world.commit(&[], Some(&[1 << 40, 1, 1, 1]));
    assert_eq!(index.negentropy(&uneven, &never), Ok(1));
    let unranked = World::new().commit(&links, None);
    assert_eq!(index.negentropy(&unranked, &never), Ok(0));
    assert_eq!(entropy(&unranked, ParticleNumber(0)), 0);
}

/// Prints what a hub of 10^5 links and the top of 10^6 particles cost. For people:
/// `cargo test --release -p cyberd --lib measures -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::disallowed_methods, reason = "it measures")]
fn measures_a_hub_and_the_top() {
    let (mut world, index) = (World::new(), Index::new());
    let star: Vec<_> = (1..100_001).map(|to| (1, 0, to)).collect();
    let chain: Vec<_> = (100_001..1_000_000).map(|at| (2, at, at + 1)).collect();
    let values: Vec<u64> = (0..99_991).map(|at| at * 7919 % 1_000_003).collect();
    world.commit(&[star, chain].concat(), Some(&values));
    let snapshot = world.commit(&[(3, 0, 500_000)], Some(&values[7..]));
    let timed = |what: &str, run: &dyn Fn()| {
        let start = std::time::Instant::now();
        run();
        eprintln!("{what}: {:?}", start.elapsed());
    };
    timed("follow 10^6 links", &|| index.follow(&snapshot));
    let view = index.view(&snapshot).expect("followed");
    let never = Deadline::never();
    let page = |places: Range<usize>| {
        let page = view.neighbours(ParticleNumber(0), Side::Targets, places, &never);
        assert!(!page.expect("answers").ranked.is_empty());
    };
    timed("hub, first use", &|| page(0..10));
    timed("hub, again", &|| page(0..10));
    timed("hub, far page", &|| page(90_000..91_000));
    let newer = world.commit(&[(4, 0, 600_000)], Some(&values[9..]));
    let view = index.view(&newer).expect("follows");
    timed("hub, after a round and a link", &|| {
        let page = view.neighbours(ParticleNumber(0), Side::Targets, 0..10, &never);
        assert_eq!(page.expect("answers").total, 100_002);
    });
    let top = |places| assert!(index.top(&newer, places, &never).is_ok());
    timed("top, first use", &|| top(0..10));
    timed("top, again", &|| top(0..10));
    timed("top, far page", &|| top(900_000..901_000));
    timed("negentropy", &|| assert!(index.negentropy(&newer, &never).is_ok()));
}
