//! Order, reading ahead, and the four connections.

use super::client::*;
use super::script::{GATE, SLOW, SLOW_FOR};
use crate::abci::convert::wire::{self, request::Value as Request, response::Value as Response};
use crate::types::Height;
use std::sync::atomic::Ordering;
use std::time::Instant;

#[test]
fn pipelined_queries_are_answered_in_order_and_side_by_side() {
    let stand = Stand::unix();
    let mut client = stand.connect();
    #[allow(clippy::disallowed_methods, reason = "measures")]
    let begin = Instant::now();
    let mut stream = Vec::new();
    for number in 0..40 {
        let path = if number % 10 == 0 { SLOW } else { "fast" };
        stream.extend(frame(query(path, &number.to_string())));
        stream.extend(frame(Request::Flush(wire::RequestFlush {})));
    }
    stream.extend(frame(info()));
    assert!(client.raw(&stream));
    for number in 0..40 {
        let Some(Response::Query(answer)) = client.receive() else { panic!("no answer") };
        assert_eq!(answer.value, number.to_string());
        assert!(matches!(client.receive(), Some(Response::Flush(_))));
    }
    assert!(matches!(client.receive(), Some(Response::Info(_))));
    let one_by_one = SLOW_FOR * 4;
    assert!(begin.elapsed() < one_by_one, "{:?}", begin.elapsed());
}

#[test]
fn twenty_thousand_pipelined_checks_are_answered_in_order() {
    let stand = Stand::unix();
    let mut mempool = stand.connect();
    let mut stream = Vec::new();
    for number in 0..20_000 {
        stream.extend(frame(check(&format!("transaction {number}"))));
        // As CometBFT does, a Flush of its own behind every third.
        if number % 3 == 0 {
            stream.extend(frame(Request::Flush(wire::RequestFlush {})));
        }
    }
    std::thread::scope(|scope| {
        let mut writer = mempool.duplicate();
        scope.spawn(move || assert!(writer.raw(&stream)));
        for number in 0..20_000 {
            let Some(Response::CheckTx(answer)) = mempool.receive() else { panic!("no answer") };
            assert_eq!(answer.data, format!("transaction {number}"));
            assert_eq!(answer.log, number.to_string());
            if number % 3 == 0 {
                assert!(matches!(mempool.receive(), Some(Response::Flush(_))));
            }
        }
    });
    let batches = stand.script.called("check_txs");
    assert!(batches < 5_000, "{batches} batches");
}

#[test]
fn slow_queries_and_slow_readers_do_not_delay_consensus() {
    let stand = Stand::unix();
    let (mut queries, mut consensus) = (stand.connect(), stand.connect());
    // Answers of 1 MB nobody reads, and queries that wait.
    let large = "x".repeat(900_000);
    let wire = queries.duplicate();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut wire = wire;
            while wire.raw(&frame(query(SLOW, &large))) {}
        });
        #[allow(clippy::disallowed_methods, reason = "measures")]
        let begin = Instant::now();
        for height in 1..=200 {
            assert!(matches!(consensus.call(finalize(height, &[])), Response::FinalizeBlock(_)));
        }
        assert!(begin.elapsed() < PATIENCE / 4, "{:?}", begin.elapsed());
        queries.close();
    });
}

#[test]
fn a_fifth_connection_is_refused_until_one_of_the_four_is_gone() {
    let stand = Stand::unix();
    let mut four: Vec<Client> = (0..4).map(|_| stand.connect()).collect();
    let mut settled = four.iter_mut().map(|c| c.call(Request::Echo(Default::default())));
    assert!(settled.all(|answer| matches!(answer, Response::Echo(_))));
    let mut fifth = stand.connect();
    let Some(Response::Exception(refusal)) = fifth.receive() else { panic!("it was served") };
    assert!(refusal.error.contains("four connections"), "{}", refusal.error);
    assert!(fifth.receive().is_none());
    four.pop();
    assert_eq!(stand.connect().query("any").code, 0);
    assert!(matches!(four[0].call(commit()), Response::Commit(_)));
}

#[test]
fn one_connection_of_each_kind_and_the_dead_make_room() {
    let stand = Stand::unix();
    let mut first = stand.connect();
    assert!(matches!(first.call(commit()), Response::Commit(_)));
    let mut second = stand.connect();
    second.send(commit());
    let Some(Response::Exception(refusal)) = second.receive() else { panic!("it was served") };
    assert!(refusal.error.contains("consensus connection already"), "{}", refusal.error);
    assert_eq!(stand.script.called("commit"), 1);
    drop(first);
    assert!(matches!(stand.connect().call(commit()), Response::Commit(_)));
}

#[test]
fn a_new_partner_learns_the_height_after_the_dead_ones_call() {
    let stand = Stand::unix();
    let mut dead = stand.connect();
    dead.send(finalize(5, &[GATE]));
    while stand.script.called("finalize_block") == 0 {
        std::thread::yield_now();
    }
    drop(dead);
    let mut new = stand.connect();
    new.send(info());
    let script = stand.script.clone();
    let opened = std::thread::spawn(move || {
        #[allow(clippy::disallowed_methods, reason = "gives a wrong answer time to come")]
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert_eq!(script.called("info"), 0);
        script.open();
    });
    let Some(Response::Info(info)) = new.receive() else { panic!("no answer") };
    opened.join().expect("it waited");
    assert_eq!(info.last_block_height, 5);
    assert_eq!(stand.script.height.load(Ordering::SeqCst), Height(5).0);
    assert!(matches!(stand.connect().call(commit()), Response::Commit(_)));
}
