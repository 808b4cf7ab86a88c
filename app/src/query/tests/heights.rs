//! Paths and heights: which state answers, and what is said where none does.

use super::*;
use cyber_proto::cyber::rank::v1beta1::{QueryRankRequest, QueryRankResponse};

const STATS: &str = "/cyber.graph.v1beta1.Query/GraphStats";

fn outcome(answer: QueryAnswer) -> (u32, String) {
    (answer.code, answer.log)
}

#[test]
fn heights_that_are_not_there_are_refused_in_known_words() {
    let options = ChainOptions { initial_height: Height(50), ..ChainOptions::default() };
    let world = World::with(limits(), options);
    let latest = world.latest();
    let at = |height| world.raw(STATS, Vec::new(), height, false);
    for (asked, height) in [(0, latest), (latest, latest), (latest - 1, latest - 1)] {
        assert_eq!((at(asked).code, at(asked).height), (0, height));
    }
    let negative = "cannot query with height < 0; please provide a valid height: invalid request";
    assert_eq!(outcome(at(-1)), (18, negative.into()));
    let future = format!(
        "height 5000, the latest is {latest}: cannot query with height in the future; please \
         provide a valid height: invalid height"
    );
    assert_eq!(outcome(at(5000)), (26, future));
    let (code, log) = outcome(at(7));
    assert!(code == 18 && log.starts_with("failed to load state at height 7; "), "{log}");
    assert!(log.ends_with(": invalid request"), "{log}");
    assert_eq!(at(-1).height, latest);
}

#[test]
fn before_the_first_block_nothing_is_answered() {
    let mut world = World::new();
    let fresh = Chain::new();
    let reader = fresh.engine().reader().clone();
    world.queries = Queries::new(reader, Arc::default(), limits());
    for path in [STATS, "/store/bank/key", "/app/version", "/nowhere"] {
        let answer = world.raw(path, vec![1], 0, false);
        let text = "cyberd is not ready; please wait for first block: invalid height";
        assert_eq!(
            (answer.codespace.as_str(), outcome(answer.clone())),
            ("sdk", (26, text.into()))
        );
    }
}

#[test]
fn ranks_are_asked_at_the_latest_height() {
    let world = World::new();
    let request = QueryRankRequest { particle: cid(2) };
    let path = "/cyber.rank.v1beta1.Query/Rank";
    let now: QueryRankResponse = world.ask(path, &request).expect("known");
    assert_eq!(world.ask_at(path, &request, world.latest()), Ok(now));
    let earlier = world.ask_at::<QueryRankResponse>(path, &request, 11);
    let log = "rpc error: code = InvalidArgument desc = ranks are answered at the latest height, \
               which is 12, not at 11: invalid request";
    assert_eq!(earlier, Err(refused(18, "sdk", log)));
}

#[test]
fn paths_lead_somewhere_or_say_that_they_do_not() {
    let world = World::new();
    let at = |path: &str| world.raw(path, Vec::new(), 0, false);
    assert_eq!(outcome(at("")), (6, "no query path provided: unknown request".into()));
    let nowhere = [
        "/cosmos.gov.v1beta1.Query/Proposals",
        "/cosmos.staking.v1beta1.Query/Redelegations",
        "/cyber.rank.v1beta1.Query/Nothing",
        "/cyber.rank.v1beta1.Query",
        "cyber.rank.v1beta1.Query/Params",
        "/",
        "nothing",
        "/p2p/filter",
        "/custom/bank/balances",
    ];
    for path in nowhere {
        assert_eq!(outcome(at(path)), (6, "unknown query path: unknown request".into()), "{path}");
    }
    let broadcast = "can't route a broadcast tx message: invalid request";
    assert_eq!(outcome(at("/cosmos.tx.v1beta1.Service/BroadcastTx")), (18, broadcast.into()));
    let version = at("/app/version");
    assert_eq!((version.code, &version.value[..]), (0, env!("CARGO_PKG_VERSION").as_bytes()));
    assert_eq!(version.height, world.latest());
    assert_eq!(at("/app/other").code, 6);
    assert_eq!(at("/p2p/filter/addr/1.2.3.4:5").code, 0);
    assert_eq!(at("/p2p/filter/id/abc").code, 0);
    let garbage = world.raw("/cosmos.bank.v1beta1.Query/Balance", vec![0xff; 5], 0, false);
    assert_eq!((garbage.code, garbage.codespace.as_str()), (18, "sdk"));
    assert!(garbage.log.starts_with("the request does not decode: "), "{}", garbage.log);
    assert!(garbage.log.ends_with(": invalid request"), "{}", garbage.log);
}
