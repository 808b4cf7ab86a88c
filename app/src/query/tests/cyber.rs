//! Graph, rank and bandwidth, as go-cyber answers them.

use super::*;
use crate::modules::{bandwidth, rank};
use crate::search::RANK_SCALE;
use cyber_proto::cyber::bandwidth::v1beta1 as bandwidth_proto;
use cyber_proto::cyber::graph::v1beta1 as graph_proto;
use cyber_proto::cyber::rank::v1beta1 as rank_proto;
use rank_proto::{PageRequest, QuerySearchRequest, QuerySearchResponse};

const RANK: &str = "/cyber.rank.v1beta1.Query";

fn path(method: &str) -> String {
    format!("{RANK}/{method}")
}

fn search(particle: &str, pagination: Option<PageRequest>) -> QuerySearchRequest {
    QuerySearchRequest { particle: particle.into(), pagination }
}

fn page(page: u32, per_page: u32) -> Option<PageRequest> {
    Some(PageRequest { page, per_page })
}

fn names(response: &QuerySearchResponse) -> Vec<&str> {
    response.result.iter().map(|ranked| ranked.particle.as_str()).collect()
}

#[test]
fn graph_stats_count_links_and_particles() {
    let world = World::new();
    let path = "/cyber.graph.v1beta1.Query/GraphStats";
    let answer = world.raw(path, Vec::new(), 0, false);
    assert_eq!((&answer.value[..], answer.height), (&[8, 5, 16, 4][..], world.latest()));
    let request = graph_proto::QueryGraphStatsRequest {};
    let stats: graph_proto::QueryGraphStatsResponse = world.ask_at(path, &request, 1).expect("ok");
    assert_eq!((stats.cyberlinks, stats.particles), (5, 4));
}

#[test]
fn ranks_are_scaled_and_ordered() {
    let world = World::new();
    let rank = |name| {
        let request = rank_proto::QueryRankRequest { particle: cid(name) };
        let response: rank_proto::QueryRankResponse =
            world.ask(&path("Rank"), &request).expect("known");
        response.rank
    };
    // 4 is linked from the strong 2, which is linked from 1 and 3.
    assert!(rank(4) > rank(1) && rank(2) > rank(1) && rank(1) == rank(3));
    let sum: u64 = (1..=4).map(rank).sum();
    assert!((RANK_SCALE - 4..=RANK_SCALE).contains(&sum), "{sum}");
    let top: QuerySearchResponse =
        world.ask(&path("Top"), &rank_proto::QueryTopRequest { pagination: None }).expect("ok");
    let mut best: Vec<u8> = vec![1, 2, 3, 4];
    best.sort_by_key(|name| (std::cmp::Reverse(rank(*name)), world.number(*name)));
    let best: Vec<String> = best.into_iter().map(cid).collect();
    assert_eq!(names(&top), best);
    assert_eq!(top.pagination.expect("always").total, 4);
    for ranked in &top.result {
        assert!(ranked.rank > 0);
    }
}

#[test]
fn search_and_backlinks_give_distinct_particles_in_pages() {
    let world = World::new();
    let ask = |method: &str, name, pagination| -> QuerySearchResponse {
        world.ask(&path(method), &search(&cid(name), pagination)).expect("known")
    };
    let all = ask("Search", 1, None);
    assert_eq!((all.result.len(), all.pagination.expect("always").total), (2, 2));
    let first = ask("Search", 1, page(0, 1));
    let second = ask("Search", 1, page(1, 1));
    assert_eq!([names(&first), names(&second)].concat(), names(&all));
    // Past the end, and an absurd page: nothing, with the total.
    for beyond in [page(2, 1), page(u32::MAX, 1000), page(9, 2)] {
        let empty = ask("Search", 1, beyond);
        assert_eq!((empty.result.len(), empty.pagination.expect("always").total), (0, 2));
    }
    let none = ask("Search", 1, page(0, 0));
    assert_eq!((none.result.len(), none.pagination.expect("always").total), (0, 2));
    let unlinked = ask("Search", 4, None);
    assert_eq!((unlinked.result.len(), unlinked.pagination.expect("always").total), (0, 0));
    let back = ask("Backlinks", 2, None);
    assert_eq!(back.pagination.expect("always").total, 2);
    assert_eq!(names(&back), [cid(1), cid(3)]);
}

#[test]
fn what_go_cyber_refuses_is_refused_in_its_words() {
    let world = World::new();
    let unknown = cid(99);
    let not_found = |about: &str| {
        let grpc = format!("codespace graph code 6: particle not found: {about}");
        (format!("{about}: particle not found: unknown request"), grpc)
    };
    let snapshot = world.chain.snapshot();
    let context = world.queries.context(&snapshot);
    let check = |error: QueryError, (log, grpc): (String, String)| {
        assert_eq!(error.refusal(), Refusal::new(code::UNKNOWN_REQUEST, log));
        assert_eq!(error.status(), (2, grpc));
    };
    let rank_of = |particle: &str| {
        let request = rank_proto::QueryRankRequest { particle: particle.into() };
        rank::query::rank(&context, request).expect_err("refused")
    };
    check(rank_of(&unknown), not_found(&unknown));
    let words = |words: &str, code: &str| {
        (format!("{words}: unknown request"), format!("codespace {code}: {words}"))
    };
    check(rank_of("notacid"), words("invalid particle", "graph code 5"));
    let version_one = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
    check(rank_of(version_one), words("unsupported cid version", "graph code 7"));
    for particle in [unknown.as_str(), "notacid", version_one, ""] {
        let error = rank::query::search(&context, search(particle, None)).expect_err("refused");
        check(error, not_found(""));
        let error = rank::query::backlinks(&context, search(particle, None)).expect_err("refused");
        check(error, not_found(particle));
        let request = rank_proto::QueryNegentropyPartilceRequest { particle: particle.into() };
        let error = rank::query::particle_negentropy(&context, request).expect_err("refused");
        check(error, not_found(particle));
    }
    let too_large = rank_proto::QueryTopRequest { pagination: page(0, 1001) };
    let error = rank::query::top(&context, too_large).expect_err("refused");
    check(error, words("invalid request", "sdk code 18"));
    let bad_address = |reason: &str| {
        let grpc = format!("codespace sdk code 7: invalid address: {reason}");
        (format!("{reason}: invalid address: unknown request"), grpc)
    };
    let short = "decoding bech32 failed: invalid bech32 string length 3";
    let nobody = "bostrom1vna02ukxvtqa5v7703rpx8y649dl32q0r6ujf0";
    for (neuron, reason) in [("xyz", short), (nobody, "Invalid neuron address")] {
        let request = rank_proto::QueryKarmaRequest { neuron: neuron.into() };
        let error = rank::query::karma(&context, request).expect_err("refused");
        check(error, bad_address(reason));
        let request = rank_proto::QueryIsLinkExistRequest {
            from: cid(1),
            to: cid(2),
            address: neuron.into(),
        };
        let error = rank::query::is_link_exist(&context, request).expect_err("refused");
        check(error, bad_address(reason));
    }
}

#[test]
fn links_exist_for_their_neuron_and_for_anybody() {
    let world = World::new();
    let (alice, bob) = (world.chain.wallet("alice"), world.chain.wallet("bob"));
    let cases = [
        (1, 2, true, true),
        (3, 2, true, false),
        (2, 4, false, true),
        (2, 1, false, false),
        (4, 3, false, false),
    ];
    for (from, to, of_alice, of_bob) in cases {
        let (from, to) = (cid(from), cid(to));
        for (wallet, exists) in [(&alice, of_alice), (&bob, of_bob)] {
            let (from, to, address) = (from.clone(), to.clone(), wallet.bech32());
            let request = rank_proto::QueryIsLinkExistRequest { from, to, address };
            let response: rank_proto::QueryLinkExistResponse =
                world.ask(&path("IsLinkExist"), &request).expect("known");
            assert_eq!(response.exist, exists);
        }
        let request = rank_proto::QueryIsAnyLinkExistRequest { from, to };
        let response: rank_proto::QueryLinkExistResponse =
            world.ask(&path("IsAnyLinkExist"), &request).expect("known");
        assert_eq!(response.exist, of_alice || of_bob);
    }
    let request = rank_proto::QueryIsAnyLinkExistRequest { from: cid(1), to: cid(99) };
    let error = world.ask::<rank_proto::QueryLinkExistResponse>(&path("IsAnyLinkExist"), &request);
    let log = format!("{}: particle not found: unknown request", cid(99));
    assert_eq!(error, Err(refused(6, "sdk", log)));
}

#[test]
fn karma_and_entropy_are_answered() {
    let world = World::new();
    let karma = |name| {
        let neuron = world.chain.wallet(name).bech32();
        let request = rank_proto::QueryKarmaRequest { neuron };
        let response: rank_proto::QueryKarmaResponse =
            world.ask(&path("Karma"), &request).expect("known");
        response.karma
    };
    assert!(karma("alice") > 0 && karma("bob") > 0);
    assert_eq!(karma("carol"), 0);
    assert!(karma("alice") + karma("bob") <= RANK_SCALE);
    let request = rank_proto::QueryNegentropyPartilceRequest { particle: cid(2) };
    let entropy: rank_proto::QueryNegentropyParticleResponse =
        world.ask(&path("ParticleNegentropy"), &request).expect("known");
    assert!((1..RANK_SCALE).contains(&entropy.entropy));
    let negentropy: rank_proto::QueryNegentropyResponse =
        world.ask(&path("Negentropy"), &rank_proto::QueryNegentropyRequest {}).expect("ok");
    assert!(negentropy.negentropy <= 2);
    let params: rank_proto::QueryParamsResponse =
        world.ask(&path("Params"), &rank_proto::QueryParamsRequest {}).expect("ok");
    let params = params.params.expect("always");
    assert_eq!((params.calculation_period, params.code_bits), (5, 15));
    assert_eq!(params.damping_factor, "850000000000000000");
}

#[test]
fn search_switched_off_answers_nothing() {
    let mut world = World::new();
    let reader = world.chain.engine().reader().clone();
    world.queries = Queries::new(reader, Arc::new(Index::off()), limits());
    for (method, name) in [("Search", 1), ("Backlinks", 2)] {
        let response: QuerySearchResponse =
            world.ask(&path(method), &search(&cid(name), None)).expect("empty");
        assert_eq!((response.result.len(), response.pagination.expect("always").total), (0, 0));
    }
    let request = rank_proto::QueryKarmaRequest { neuron: world.chain.wallet("bob").bech32() };
    let error = world.ask::<rank_proto::QueryKarmaResponse>(&path("Karma"), &request);
    let log = "rpc error: code = Unavailable desc = search is switched off on this node: unknown \
               request";
    assert_eq!(error, Err(refused(6, "sdk", log)));
}

#[test]
fn bandwidth_is_told_in_whole_units() {
    let world = World::new();
    let path = |method: &str| format!("/cyber.bandwidth.v1beta1.Query/{method}");
    let snapshot = world.chain.snapshot();
    let params = bandwidth::state::params(snapshot.as_ref());
    let total: bandwidth_proto::QueryTotalBandwidthResponse = world
        .ask(&path("TotalBandwidth"), &bandwidth_proto::QueryTotalBandwidthRequest {})
        .expect("ok");
    assert_eq!(total.total_bandwidth, 2_000_000_000);
    let price: bandwidth_proto::QueryPriceResponse =
        world.ask(&path("Price"), &bandwidth_proto::QueryPriceRequest {}).expect("ok");
    assert_eq!(price.price, "10000000000000000");
    let load: bandwidth_proto::QueryLoadResponse =
        world.ask(&path("Load"), &bandwidth_proto::QueryLoadRequest {}).expect("ok");
    let units = bandwidth::state::ring_total(snapshot.as_ref());
    assert!(units > 5_000);
    assert_eq!(load.load, (u128::from(units) * 1_000_000_000 / 2).to_string());
    let shown: bandwidth_proto::QueryParamsResponse =
        world.ask(&path("Params"), &bandwidth_proto::QueryParamsRequest {}).expect("ok");
    assert_eq!(shown.params, Some(params.to_proto()));

    let of = |neuron: String, height| {
        let request = bandwidth_proto::QueryNeuronBandwidthRequest { neuron };
        world.ask_at::<bandwidth_proto::QueryNeuronBandwidthResponse>(
            &path("NeuronBandwidth"),
            &request,
            height,
        )
    };
    let bob = world.chain.wallet("bob");
    let at_one = of(bob.bech32(), 1).expect("ok").neuron_bandwidth.expect("always");
    let now = of(bob.bech32(), 0).expect("ok").neuron_bandwidth.expect("always");
    assert_eq!((at_one.last_updated_block, now.last_updated_block as i64), (1, world.latest()));
    assert!(at_one.remained_value < now.remained_value);
    assert!(now.remained_value <= now.max_value && now.max_value > 800_000_000);
    let nobody = "bostrom1vna02ukxvtqa5v7703rpx8y649dl32q0r6ujf0";
    let unknown = of(nobody.into(), 0).expect("ok").neuron_bandwidth.expect("always");
    let expected = bandwidth_proto::NeuronBandwidth {
        neuron: nobody.into(),
        last_updated_block: world.latest() as u64,
        ..Default::default()
    };
    assert_eq!(unknown, expected);
    let log = "decoding bech32 failed: invalid bech32 string length 3: invalid request";
    assert_eq!(of("xyz".into(), 0), Err(refused(18, "sdk", log)));
}
