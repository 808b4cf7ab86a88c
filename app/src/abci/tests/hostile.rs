//! What a bad partner gets, and that nobody else notices.

use super::client::*;
use crate::abci::convert::wire::{request::Value as Request, response::Value as Response};
use crate::abci::method::{Kind, Method};
use prost::encoding::encode_varint;

/// A frame around bytes that need not be a request.
fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

/// A request's field around bytes that need not be its message.
fn field(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(u64::from(number) << 3 | 2, &mut out);
    out.extend(framed(body));
    framed(&out)
}

/// A connection of this kind.
fn connected(stand: &Stand, kind: Kind) -> Client {
    let mut client = stand.connect();
    match kind {
        Kind::Query => drop(client.call(info())),
        Kind::Mempool => drop(client.call(check("tx"))),
        Kind::Consensus => drop(client.call(commit())),
        Kind::Snapshot => drop(client.call(Request::ListSnapshots(Default::default()))),
    }
    client
}

const KINDS: [Kind; 4] = [Kind::Query, Kind::Mempool, Kind::Consensus, Kind::Snapshot];

#[test]
fn bogus_lengths_end_their_connection_alone() {
    let stand = Stand::unix();
    let mut healthy = connected(&stand, Kind::Mempool);
    for length in [1 << 31, 1 << 40, u64::MAX] {
        for tag in [&[0x12_u8][..], &[0x32], &[0xa2, 0x01], &[0x2a], &[0xfa, 0x07]] {
            let mut client = stand.connect();
            let mut bytes = Vec::new();
            encode_varint(length, &mut bytes);
            client.raw(&[&bytes, tag, &[0; 8]].concat());
            assert!(matches!(client.receive(), Some(Response::Exception(_))), "{length}");
            assert!(client.receive().is_none());
            assert_eq!(healthy.check("tx").code, 0);
        }
    }
    let mut client = stand.connect();
    client.raw(&[0xff; 64]);
    assert!(matches!(client.receive(), Some(Response::Exception(_))));
    assert!(client.receive().is_none());
}

#[test]
fn empty_and_unknown_requests_are_answered_and_the_connection_lives() {
    let stand = Stand::unix();
    for kind in KINDS {
        let mut client = connected(&stand, kind);
        let unknown = [21, 22, 4, 99, 100_000].map(|number| field(number, b""));
        for bytes in [framed(b"")].into_iter().chain(unknown) {
            assert!(client.raw(&bytes));
            assert!(matches!(client.receive(), Some(Response::Exception(_))));
            let echo = Request::Echo(Default::default());
            assert!(matches!(client.call(echo), Response::Echo(_)), "{kind:?}");
        }
    }
    let mut client = stand.connect();
    client.raw(&field(21, b""));
    let Some(Response::Exception(answer)) = client.receive() else { panic!("no answer") };
    assert!(answer.error.contains("InsertTx is not supported"), "{}", answer.error);
}

#[test]
fn every_damaged_request_on_every_connection_is_answered() {
    let mut cases = 0;
    for kind in KINDS {
        let stand = Stand::unix();
        let mut healthy =
            connected(&stand, if kind == Kind::Query { Kind::Mempool } else { Kind::Query });
        let mut client = connected(&stand, kind);
        for method in Method::ALL {
            let number = method as u32;
            let garbage = [0xff; 12];
            let bodies = [
                field(number, &garbage),
                framed(&[&field(number, b"")[1..], &garbage].concat()),
                // Two requests in one frame.
                framed(&[&field(number, b"")[1..], &field(21, b"")[1..], &[0x0f]].concat()),
                // A number where the message should stand.
                framed(&[(number << 3) as u8 & 0x7f, 1]),
            ];
            for bytes in bodies {
                cases += 1;
                assert!(client.raw(&bytes), "{kind:?} {method:?}");
                let answer = client.receive().expect("an answer");
                let refused = match answer {
                    Response::Exception(_) => true,
                    Response::Query(q) => q.code != 0,
                    Response::CheckTx(c) => c.code != 0,
                    other => panic!("{kind:?} {method:?}: {other:?}"),
                };
                assert!(refused);
                let echo = Request::Echo(Default::default());
                assert!(matches!(client.call(echo), Response::Echo(_)));
            }
        }
        match kind {
            Kind::Query => assert_eq!(healthy.check("tx").code, 0),
            _ => assert_eq!(healthy.query("any").code, 0),
        }
        assert_eq!(stand.faults(), Vec::<String>::new());
    }
    assert!(cases >= 200, "{cases}");
}

#[test]
fn a_request_on_the_wrong_connection_is_refused() {
    let stand = Stand::unix();
    for (kind, request) in [
        (Kind::Query, commit()),
        (Kind::Mempool, finalize(1, &[])),
        (Kind::Snapshot, check("tx")),
        (Kind::Consensus, query("any", "")),
    ] {
        let mut client = connected(&stand, kind);
        client.send(request);
        assert!(matches!(client.receive(), Some(Response::Exception(_))), "{kind:?}");
    }
    assert_eq!((stand.script.called("finalize_block"), stand.script.called("query")), (0, 0));
}

#[test]
fn a_stalled_half_frame_delays_nobody_and_may_go_on() {
    let stand = Stand::unix();
    let mut stalled = connected(&stand, Kind::Consensus);
    let bytes = frame(finalize(1, &["a transaction"]));
    let (half, rest) = bytes.split_at(bytes.len() / 2);
    assert!(stalled.raw(half));
    let (mut queries, mut mempool) = (stand.connect(), stand.connect());
    assert_eq!((queries.query("any").code, mempool.check("tx").code), (0, 0));
    // One that told nothing yet does not take the place of a kind.
    let mut silent = stand.connect();
    assert!(silent.raw(&frame(Request::ListSnapshots(Default::default()))[..1]));
    assert!(stalled.raw(rest));
    assert!(matches!(stalled.receive(), Some(Response::FinalizeBlock(_))));
}

#[test]
fn a_users_request_that_is_too_long_is_refused_and_the_connection_lives() {
    let stand = Stand::unix();
    let long = "x".repeat(3 << 20);
    let (mut queries, mut mempool) = (stand.connect(), stand.connect());
    for _ in 0..2 {
        let Response::Query(answer) = queries.call(query("any", &long)) else {
            panic!("no answer")
        };
        assert_eq!((answer.codespace.as_str(), answer.code), ("sdk", 18));
        let answer = mempool.check(&long);
        assert_eq!((answer.codespace.as_str(), answer.code), ("sdk", 21));
    }
    assert_eq!((queries.query("any").code, mempool.check("tx").code), (0, 0));
    assert_eq!(stand.script.called("query"), 1);
}
