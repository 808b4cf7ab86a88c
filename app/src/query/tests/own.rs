//! `cyberd.v1`: lists of links, existence, previews, neighbourhoods, explanations, proofs.

use super::*;
use crate::store::merkle::proof;
use cyber_proto::cosmos::base::query::v1beta1::PageRequest;
use cyber_proto::cyber::graph::v1beta1::Link;
use cyber_proto::cyberd::v1 as own;

fn path(method: &str) -> String {
    format!("/cyberd.v1.Query/{method}")
}

fn link(from: u8, to: u8) -> Link {
    Link { from: cid(from), to: cid(to) }
}

fn page(key: Vec<u8>, limit: u64) -> Option<PageRequest> {
    Some(PageRequest { key, limit, ..Default::default() })
}

#[test]
fn links_are_listed_newest_first_in_pages_by_key() {
    let world = World::new();
    let alice = world.chain.wallet("alice").bech32();
    let ask = |request: &own::QueryLinksOfRequest| {
        world.ask::<own::QueryLinksOfResponse>(&path("LinksOf"), request)
    };
    let mut request = own::QueryLinksOfRequest { neuron: alice.clone(), ..Default::default() };
    let all = ask(&request).expect("hers");
    let ends: Vec<_> = all.links.iter().map(|link| (link.from.clone(), link.to.clone())).collect();
    assert_eq!(ends, [(cid(1), cid(4)), (cid(3), cid(2)), (cid(1), cid(2))]);
    assert!(all.links.iter().all(|link| link.neuron == alice && link.height > 0));
    assert_eq!(all.pagination.expect("counted").total, 3);
    let (mut key, mut numbers) = (Vec::new(), Vec::new());
    loop {
        request.pagination = page(key, 1);
        let found = ask(&request).expect("a page");
        numbers.extend(found.links.iter().map(|link| link.number));
        key = found.pagination.expect("it has one").next_key;
        if key.is_empty() {
            break;
        }
    }
    let expected: Vec<_> = all.links.iter().map(|link| link.number).collect();
    assert_eq!(numbers, expected);
    let to_two = own::QueryLinksOfRequest {
        particle: cid(2),
        direction: own::Direction::In.into(),
        ..Default::default()
    };
    assert_eq!(ask(&to_two).expect("three links lead there").links.len(), 3);
    let wrong = |request: own::QueryLinksOfRequest| ask(&request).expect_err("wrong").0;
    assert_eq!(wrong(own::QueryLinksOfRequest::default()), 18);
    let both = own::QueryLinksOfRequest { particle: cid(2), ..request.clone() };
    assert_eq!(wrong(both), 18);
    let foreign = 3u64.to_be_bytes().to_vec();
    for key in [vec![1], vec![0xff; 8], u64::from(u32::MAX).to_be_bytes().to_vec(), foreign] {
        request.pagination = page(key, 1);
        assert_eq!(wrong(request.clone()), 18);
    }
    let unknown = own::QueryLinksOfRequest { particle: cid(99), ..Default::default() };
    assert_eq!(wrong(unknown), 22);
}

#[test]
fn existence_is_told_for_many_links_at_once() {
    let world = World::new();
    let links = vec![link(1, 2), link(2, 4), link(4, 2), link(98, 99)];
    let ask = |neuron: String, links: Vec<Link>| {
        let request = own::QueryExistsRequest { neuron, links };
        world.ask::<own::QueryExistsResponse>(&path("Exists"), &request)
    };
    let anybody = ask(String::new(), links.clone()).expect("right");
    assert_eq!(anybody.exists, [true, true, false, false]);
    let alice = ask(world.chain.wallet("alice").bech32(), links).expect("right");
    assert_eq!(alice.exists, [true, false, false, false]);
    assert_eq!(ask(String::new(), vec![link(1, 2); 1_000]).expect("as many").exists.len(), 1_000);
    for links in [vec![], vec![link(1, 2); 1_001], vec![Link { from: "x".into(), to: cid(1) }]] {
        assert_eq!(ask(String::new(), links).expect_err("wrong").0, 18);
    }
}

#[test]
fn a_preview_tells_what_the_link_then_costs() {
    let mut world = World::new();
    let mut bob = world.chain.wallet("bob");
    let request = own::QueryPreviewRequest {
        neuron: bob.bech32(),
        links: vec![link(7, 8)],
        ..Default::default()
    };
    let told: own::QueryPreviewResponse = world.ask(&path("Preview"), &request).expect("a preview");
    assert!(told.possible && told.exists == [false], "{told:?}");
    let links = [(particle(7), particle(8))];
    let tx = bob.sign(vec![bob.link_message(&links, false)]);
    let size = u32::try_from(tx.len()).expect("small");
    assert!(told.tx_bytes.abs_diff(size) <= 8, "{} told, {size} sent", told.tx_bytes);
    let exact = own::QueryPreviewRequest { tx_bytes: size, ..request.clone() };
    let told: own::QueryPreviewResponse = world.ask(&path("Preview"), &exact).expect("a preview");
    let outcome = world.chain.block(vec![tx]);
    assert!(outcome.results[0].is_ok(), "{}", outcome.results[0].log);
    let snapshot = world.chain.snapshot();
    let record = crate::modules::bandwidth::state::record(&*snapshot, &bob.address());
    let remained = record.expect("charged").remained;
    let micro = |text: &str| text.replace('.', "").parse::<u128>().expect("six places");
    assert_eq!(micro(&told.left), remained);
    assert_eq!(micro(&told.available) - micro(&told.cost), remained);
    // Now it is there.
    let again: own::QueryPreviewResponse = world.ask(&path("Preview"), &request).expect("again");
    assert!(!again.possible && again.exists == [true]);
    assert_eq!((again.codespace.as_str(), again.code), ("graph", 2));
    assert!(again.reason.ends_with("your cyberlink already exists"), "{}", again.reason);
    let loops = own::QueryPreviewRequest { links: vec![link(7, 7)], ..request };
    let told: own::QueryPreviewResponse = world.ask(&path("Preview"), &loops).expect("told why");
    assert_eq!((told.possible, told.code), (false, 4), "{told:?}");
}

#[test]
fn a_neighbourhood_grows_by_distance_and_rank() {
    let world = World::new();
    let ask = |particle: u8, depth: u32, limit: u32, direction: own::Direction| {
        let request = own::QueryNeighbourhoodRequest {
            particle: cid(particle),
            depth,
            limit,
            direction: direction.into(),
        };
        world.ask::<own::QueryNeighbourhoodResponse>(&path("Neighbourhood"), &request)
    };
    let names = |answer: &own::QueryNeighbourhoodResponse| -> Vec<(String, u32)> {
        answer.nodes.iter().map(|node| (node.particle.clone(), node.depth)).collect()
    };
    let out = ask(3, 3, 0, own::Direction::Out).expect("3 → 2 → 4");
    assert_eq!(names(&out), [(cid(3), 0), (cid(2), 1), (cid(4), 2)]);
    let edges: Vec<_> = out.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    assert_eq!(edges, [(0, 1), (1, 2)]);
    assert!(!out.cut);
    let all = ask(3, 3, 0, own::Direction::Unspecified).expect("everything");
    assert_eq!(all.nodes.len(), 4);
    assert_eq!(all.edges.len(), 4, "1→2 counts once");
    let few = ask(2, 1, 2, own::Direction::Unspecified).expect("cut");
    assert_eq!(few.nodes.len(), 2);
    assert!(few.cut);
    assert_eq!(ask(3, 4, 0, own::Direction::Out).expect_err("too deep").0, 18);
    assert_eq!(ask(3, 1, 1_001, own::Direction::Out).expect_err("too many").0, 18);
    assert_eq!(ask(99, 1, 1, own::Direction::Out).expect_err("unknown").0, 22);
}

/// Checks that all parts of an explanation sum to the rank, over pages of one share.
fn check_sums(world: &World, name: u8) -> own::QueryExplainResponse {
    let ask = |pagination| {
        let request = own::QueryExplainRequest { particle: cid(name), pagination };
        world.ask::<own::QueryExplainResponse>(&path("Explain"), &request).expect("explained")
    };
    let whole = ask(None);
    let total = whole.pagination.as_ref().expect("counted").total;
    assert_eq!(total, whole.shares.len() as u64);
    let singly: Vec<_> = (0..total)
        .flat_map(|offset| ask(Some(PageRequest { offset, limit: 1, ..Default::default() })).shares)
        .collect();
    assert_eq!(singly, whole.shares);
    assert_eq!(singly.iter().map(|share| share.value).sum::<u64>(), whole.links_value);
    assert_eq!(singly.iter().map(|share| share.rank).sum::<u64>(), whole.links_rank);
    let sum = |base: u64, links: u64, held: i64| i128::from(base + links) + i128::from(held);
    let values = sum(whole.base_value, whole.links_value, whole.held_value);
    assert_eq!(values, i128::from(whole.value));
    let ranks = sum(whole.base_rank, whole.links_rank, whole.held_rank);
    assert_eq!(ranks, i128::from(whole.rank));
    let snapshot = world.chain.snapshot();
    let scaled = crate::search::scaled_rank(&snapshot, world.number(name));
    assert_eq!(whole.rank, scaled);
    whole
}

#[test]
fn explanations_sum_to_the_rank_exactly() {
    let world = World::new();
    for name in 1..=4 {
        let told = check_sums(&world, name);
        assert!(told.value > 0 && told.base_value > 0);
    }
    let of_two = check_sums(&world, 2);
    assert_eq!(of_two.shares.len(), 3, "two neurons from 1, one from 3");
    assert!(of_two.shares.windows(2).all(|two| two[0].value >= two[1].value));
    let unknown = own::QueryExplainRequest { particle: cid(99), pagination: None };
    let answer: Result<own::QueryExplainResponse, _> = world.ask(&path("Explain"), &unknown);
    assert_eq!(answer.expect_err("nobody linked it").0, 22);
}

#[test]
fn with_the_inputs_of_the_published_round_less_than_a_step_is_held() {
    let mut world = World::new();
    let index = Arc::new(Index::new());
    let reader = world.chain.engine().reader().clone();
    world.queries = Queries::new(reader, Arc::clone(&index), limits());
    index.note(&world.chain.snapshot());
    // Links that the next round takes in, stakes that move, and the round after it.
    let mut bob = world.chain.wallet("bob");
    let links = [(3, 4), (4, 1)].map(|(from, to)| (particle(from), particle(to)));
    let tx = bob.sign(vec![bob.link_message(&links, false)]);
    world.chain.block(vec![tx]);
    for _ in 0..40 {
        index.note(&world.chain.snapshot());
        world.chain.block(Vec::new());
    }
    index.note(&world.chain.snapshot());
    for name in 1..=4 {
        let told = check_sums(&world, name);
        assert_eq!(told.inputs_round, told.round, "the round's own inputs");
        let step = 1i64 << (64 - told.value.leading_zeros()).saturating_sub(15);
        assert!(told.held_value.abs() < step, "{} of {}", told.held_value, told.value);
    }
    assert_eq!(check_sums(&world, 4).shares.len(), 3, "the new link counts");
}

#[test]
fn a_long_explanation_that_is_kept_is_the_one_made_anew() {
    let mut world = World::new();
    let mut bob = world.chain.wallet("bob");
    for sources in [5..=74, 75..=75] {
        let links: Vec<_> = sources.map(|from| (particle(from), particle(2))).collect();
        let tx = bob.sign(vec![bob.link_message(&links, false)]);
        let outcome = world.chain.block(vec![tx]);
        assert!(outcome.results[0].is_ok(), "{}", outcome.results[0].log);
        let past = world.chain.next_height().0 / 10 * 10 + 22;
        world.chain.run_to(Height(past));
        let (first, kept) = (check_sums(&world, 2), check_sums(&world, 2));
        let reader = world.chain.engine().reader().clone();
        let fresh = Queries::new(reader, Arc::new(Index::new()), limits());
        let queries = std::mem::replace(&mut world.queries, fresh);
        let fresh = check_sums(&world, 2);
        assert_eq!((&first, &kept), (&fresh, &fresh));
        world.queries = queries;
    }
}

#[test]
fn proofs_come_many_at_once_and_verify() {
    let world = World::new();
    let key = |store: &str, key: &[u8]| own::ProofKey {
        store: store.into(),
        key: key.to_vec(),
        ..Default::default()
    };
    let of_particle =
        own::ProofKey { store: "ranks".into(), particle: cid(2), ..Default::default() };
    let keys = vec![key("params", &[0x01]), key("params", b"nothing"), of_particle];
    let request = own::QueryProofsRequest { keys, ..Default::default() };
    let answer: own::QueryProofsResponse =
        world.ask(&path("Proofs"), &request).expect("three proofs");
    assert_eq!(answer.proofs.len(), 3);
    let app_hash: [u8; 32] = answer.app_hash.clone().try_into().expect("a hash");
    assert_eq!(app_hash, world.chain.snapshot().app_hash());
    let ops = |proof: &own::Proof| -> Vec<proof::ProofOp> {
        let op = |op: &own::ProofOp| (op.r#type.clone(), op.key.clone(), op.data.clone());
        proof.ops.iter().map(op).collect()
    };
    let there = &answer.proofs[0];
    let value = Some(there.value.as_slice());
    proof::verify_key(&app_hash, &there.store, &there.key, value, &ops(there)).expect("it holds");
    let absent = &answer.proofs[1];
    let ops_of_none = ops(absent);
    proof::verify_key(&app_hash, &absent.store, &absent.key, None, &ops_of_none).expect("none");
    assert!(answer.proofs[1].value.is_empty() && !answer.proofs[1].ops.is_empty());
    assert!(!answer.proofs[2].value.is_empty());
    for keys in [vec![], vec![key("params", &[1]); 101], vec![key("nope", &[1])]] {
        let request = own::QueryProofsRequest { keys, ..Default::default() };
        let answer: Result<own::QueryProofsResponse, _> = world.ask(&path("Proofs"), &request);
        assert_eq!(answer.expect_err("wrong").0, 18);
    }
}
