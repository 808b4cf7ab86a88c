//! Nothing a client sends costs more than the limits, and nothing makes a panic.

use super::*;
use cyber_proto::cosmos::auth::v1beta1::{QueryAccountsRequest, QueryAccountsResponse};
use cyber_proto::cosmos::base::query::v1beta1::PageRequest;
use proptest::prelude::*;

const ACCOUNTS: &str = "/cosmos.auth.v1beta1.Query/Accounts";

fn limited(limits: QueryLimits) -> World {
    World::with(limits, ChainOptions::default())
}

fn accounts(world: &World, limit: u64) -> Result<QueryAccountsResponse, Refused> {
    let pagination = Some(PageRequest { limit, ..PageRequest::default() });
    world.ask(ACCOUNTS, &QueryAccountsRequest { pagination })
}

#[test]
fn a_page_has_no_more_rows_than_the_node_gives() {
    let world = limited(QueryLimits { rows_max: 3, ..limits() });
    for limit in [0, 3, 100, u64::MAX] {
        let page = accounts(&world, limit).expect("a page");
        assert_eq!(page.accounts.len(), 3);
        assert!(!page.pagination.expect("always").next_key.is_empty());
    }
    assert_eq!(accounts(&world, 2).expect("a page").accounts.len(), 2);
}

#[test]
fn an_answer_that_is_too_long_is_refused_with_its_length() {
    let world = limited(QueryLimits { bytes_max: 300, ..limits() });
    let (code, space, log) = accounts(&world, 100).expect_err("too long");
    assert_eq!((code, space.as_str()), (6, "sdk"));
    assert!(log.starts_with("rpc error: code = ResourceExhausted desc = the answer has "), "{log}");
    assert!(accounts(&world, 1).is_ok());
}

#[test]
fn an_answer_that_takes_too_long_is_given_up() {
    let world = limited(QueryLimits { time_limit: Duration::ZERO, ..limits() });
    let (code, _, log) = accounts(&world, 100).expect_err("late");
    assert_eq!(code, 6);
    let words = "rpc error: code = DeadlineExceeded desc = the answer takes longer than 0 ms";
    assert!(log.starts_with(words), "{log}");
}

/// Bytes that look like requests: fields with texts that mean something here.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        Just(cid(1).into_bytes()),
        Just(cid(77).into_bytes()),
        Just(b"boot".to_vec()),
        Just(b"boot\0".to_vec()),
        Just(b"fee_collector".to_vec()),
        Just(Chain::new().wallet("alice").bech32().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
    .boxed();
    let field = (1..6u32, text, any::<u64>(), 0..3u8).prop_map(|(tag, text, number, kind)| {
        let mut out = Vec::new();
        match kind {
            0 => prost::encoding::bytes::encode(tag, &text, &mut out),
            1 => prost::encoding::uint64::encode(tag, &number, &mut out),
            // A page: key or number, offset, limit, both flags.
            _ => {
                let page = PageRequest {
                    key: text,
                    offset: number % 5,
                    limit: number,
                    count_total: number % 2 == 0,
                    reverse: number % 3 == 0,
                };
                prost::encoding::message::encode(tag, &page, &mut out);
            }
        }
        out
    });
    let fields = prop::collection::vec(field, 0..4).prop_map(|fields| fields.concat());
    prop_oneof![3 => fields, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

#[test]
fn no_bytes_make_any_path_panic() {
    let world = World::new();
    let mut paths: Vec<String> = routes::ROUTES.iter().map(|route| route.path.into()).collect();
    for name in ["acc", "bandwidth", "bank", "graph", "params", "rank", "ranks", "particles"] {
        paths.push(format!("/store/{name}/key"));
        paths.push(format!("/store/{name}/subspace"));
    }
    paths.extend(["/store/rounds/key", "/store/cyberlinks/key", "/app/simulate"].map(String::from));
    let heights = prop_oneof![3 => Just(0i64), 1 => -2..15i64, 1 => any::<i64>()];
    let input = (0..paths.len(), request(), heights, any::<bool>());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(3_000));
    let outcome = runner.run(&input, |(at, data, height, prove)| {
        let answer = world.raw(&paths[at], data, height, prove);
        prop_assert!(answer.height > 0);
        prop_assert_eq!(answer.code == 0, answer.codespace.is_empty());
        prop_assert_eq!(answer.code == 0, answer.log.is_empty());
        Ok(())
    });
    outcome.expect("no panic, and always a height");
}

#[test]
fn no_path_makes_a_panic() {
    let world = World::new();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(500));
    let outcome = runner.run(&"(/|store|bank|key|app|p2p|filter|[a-z./]){0,8}", |path| {
        let answer = world.raw(&path, vec![0; 8], 0, true);
        prop_assert!(answer.height > 0);
        Ok(())
    });
    outcome.expect("no panic, and always a height");
}
