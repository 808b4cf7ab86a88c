//! What a good partner gets.

use super::client::*;
use super::script::{Script, FAULT, GATE, PANIC};
use crate::abci::address::Address;
use crate::abci::convert::wire::{self, request::Value as Request, response::Value as Response};
use crate::abci::server::Server;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn every_method_is_answered_by_the_application() {
    let stand = Stand::unix();
    let mut query = stand.connect();
    assert!(matches!(query.call(info()), Response::Info(i) if i.version == "script"));
    let echo = Request::Echo(wire::RequestEcho { message: "hello".into() });
    assert!(matches!(query.call(echo), Response::Echo(e) if e.message == "hello"));
    assert_eq!(query.query("any").height, 9);

    let mut mempool = stand.connect();
    assert_eq!(mempool.check("tx").data, "tx");

    let mut consensus = stand.connect();
    let mut prepare =
        wire::RequestPrepareProposal { height: 1, max_tx_bytes: 100, ..Default::default() };
    prepare.txs = vec!["a".into(), "b".into()];
    let Response::PrepareProposal(prepared) = consensus.call(Request::PrepareProposal(prepare))
    else {
        panic!("another answer")
    };
    assert_eq!(prepared.txs, ["b", "a"]);
    let process = |txs| wire::RequestProcessProposal { height: 1, txs, ..Default::default() };
    for (txs, status) in [(vec![], 1), (vec!["a".into()], 2)] {
        let answer = consensus.call(Request::ProcessProposal(process(txs)));
        assert!(matches!(answer, Response::ProcessProposal(p) if p.status == status));
    }
    let Response::FinalizeBlock(block) = consensus.call(finalize(1, &["a"])) else {
        panic!("another answer")
    };
    assert_eq!((block.tx_results.len(), &block.app_hash[..]), (1, &[2; 32][..]));
    assert!(matches!(consensus.call(commit()), Response::Commit(c) if c.retain_height == 3));
    assert_eq!(stand.faults(), Vec::<String>::new());
}

#[test]
fn vote_extensions_stay_off() {
    let stand = Stand::unix();
    let mut consensus = stand.connect();
    let extend = Request::ExtendVote(wire::RequestExtendVote::default());
    let answer = consensus.call(extend);
    assert!(matches!(answer, Response::ExtendVote(v) if v.vote_extension.is_empty()));
    for (extension, status) in [("", 1), ("x", 2)] {
        let vote_extension = extension.into();
        let verify = wire::RequestVerifyVoteExtension { vote_extension, ..Default::default() };
        let answer = consensus.call(Request::VerifyVoteExtension(verify));
        assert!(matches!(answer, Response::VerifyVoteExtension(v) if v.status == status));
    }
}

#[test]
fn snapshots_are_listed_offered_loaded_and_applied() {
    let stand = Stand::unix();
    let mut sync = stand.connect();
    let listed = sync.call(Request::ListSnapshots(wire::RequestListSnapshots {}));
    let Response::ListSnapshots(listed) = listed else { panic!("{listed:?}") };
    let snapshot = Some(listed.snapshots[0].clone());
    for (hash, result) in [([2; 32], 1), ([3; 32], 3)] {
        let app_hash = hash.to_vec().into();
        let offer = wire::RequestOfferSnapshot { snapshot: snapshot.clone(), app_hash };
        let answer = sync.call(Request::OfferSnapshot(offer));
        assert!(matches!(answer, Response::OfferSnapshot(o) if o.result == result));
    }
    for (chunk, bytes) in [(1, "chunk"), (2, "")] {
        let load = wire::RequestLoadSnapshotChunk { height: 7, format: 1, chunk };
        let answer = sync.call(Request::LoadSnapshotChunk(load));
        assert!(matches!(answer, Response::LoadSnapshotChunk(c) if c.chunk == bytes));
    }
    let apply =
        |index| wire::RequestApplySnapshotChunk { index, chunk: "x".into(), sender: "peer".into() };
    let answer = sync.call(Request::ApplySnapshotChunk(apply(1)));
    let Response::ApplySnapshotChunk(retry) = answer else { panic!("{answer:?}") };
    assert_eq!((retry.result, retry.refetch_chunks), (3, vec![0]));
    assert_eq!(retry.reject_senders, ["peer"]);
}

#[test]
fn a_panic_in_a_query_or_a_check_is_its_answer() {
    let stand = Stand::unix();
    let (mut query, mut mempool) = (stand.connect(), stand.connect());
    for _ in 0..3 {
        let answer = query.query(PANIC);
        assert_eq!((answer.codespace.as_str(), answer.code), ("undefined", 111_222));
        assert!(answer.log.contains("as told"));
        let answer = mempool.check(PANIC);
        assert_eq!((answer.codespace.as_str(), answer.code), ("undefined", 111_222));
    }
    assert_eq!((query.query("fine").code, mempool.check("fine").code), (0, 0));
    assert_eq!(stand.faults(), Vec::<String>::new());
}

#[test]
fn only_the_culprit_of_a_batch_gets_the_error() {
    let stand = Stand::unix();
    let mut mempool = stand.connect();
    let txs = ["a", "b", PANIC, "c", PANIC, "d"];
    let stream: Vec<u8> = txs.iter().flat_map(|tx| frame(check(tx))).collect();
    assert!(mempool.raw(&stream));
    for tx in txs {
        let Some(Response::CheckTx(answer)) = mempool.receive() else { panic!("no answer") };
        assert_eq!(answer.code == 0, tx != PANIC, "{tx}");
        assert!(tx == PANIC || answer.data == tx);
    }
    // Those before and after it were checked once each.
    assert_eq!(mempool.check("e").log, "4");
}

#[test]
fn a_fault_in_a_block_is_reported_and_never_answered() {
    let stand = Stand::unix();
    let mut consensus = stand.connect();
    assert!(matches!(consensus.call(finalize(1, &["a"])), Response::FinalizeBlock(_)));
    consensus.send(finalize(2, &[FAULT]));
    assert!(consensus.receive().is_none());
    assert_eq!(stand.faults(), ["storage: as told"]);
    // Nothing of consensus is executed any more, whoever asks.
    let mut again = stand.connect();
    again.send(commit());
    assert!(again.receive().is_none());
    assert_eq!((stand.script.called("commit"), stand.faults().len()), (0, 1));
}

#[test]
fn a_panic_in_a_block_is_reported_and_never_answered() {
    let stand = Stand::unix();
    let mut consensus = stand.connect();
    consensus.send(finalize(1, &[PANIC]));
    assert!(consensus.receive().is_none());
    assert_eq!(stand.faults(), ["consensus: panic in finalize_block: as told"]);
}

#[test]
fn a_request_consensus_rules_out_is_a_fault() {
    let stand = Stand::unix();
    let mut consensus = stand.connect();
    consensus.send(finalize(-1, &[]));
    assert!(consensus.receive().is_none());
    assert_eq!(stand.faults(), ["consensus: height -1 in a request"]);
}

#[test]
fn calls_over_tcp_wait_for_no_acknowledgement() {
    let stand = Stand::tcp();
    let mut consensus = stand.connect();
    #[allow(clippy::disallowed_methods, reason = "measures")]
    let begin = Instant::now();
    for height in 1..=100 {
        assert!(matches!(consensus.call(finalize(height, &[])), Response::FinalizeBlock(_)));
    }
    // 44 ms each, were it not for TCP_NODELAY.
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn stopping_answers_the_call_that_runs() {
    let mut stand = Stand::unix();
    let (mut consensus, mut idle) = (stand.connect(), stand.connect());
    assert_eq!(idle.query("any").code, 0);
    consensus.send(finalize(1, &[GATE]));
    while stand.script.called("finalize_block") == 0 {
        std::thread::yield_now();
    }
    let server = stand.server.take().expect("not stopped");
    let Address::Unix(path) = server.address().clone() else { panic!("a Unix socket") };
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| server.stop(PATIENCE));
        stand.script.open();
        assert!(matches!(consensus.receive(), Some(Response::FinalizeBlock(_))));
        assert!(consensus.receive().is_none() && idle.receive().is_none());
        assert!(stopped.join().expect("it stops"));
    });
    assert!(!path.exists());
}

#[test]
fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
    let stand = Stand::unix();
    let address = stand.address();
    let start = |address: &Address| {
        Server::start(address, Arc::new(Script::default()), 1, Box::new(|_| ()))
    };
    let refused = start(&address).err().expect("it is in use").to_string();
    assert!(refused.contains("another process listens"), "{refused}");
    assert_eq!(stand.connect().query("any").code, 0);

    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("abci.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("it binds"));
    assert!(path.exists());
    let address = Address::unix(&path).expect("a short path");
    let server = start(&address).expect("it replaces the old one");
    assert_eq!(Client::connect(server.address()).query("any").code, 0);
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
