//! Watching over real sockets and step by step: order, ids, continuing, filters.

use super::*;
use crate::query::served::Served;
use crate::query::tests::{cid, particle, World};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

fn all(state: &Snapshot, wanted: &Wanted, mut position: Position) -> Vec<WatchEvent> {
    let mut events = Vec::new();
    loop {
        let found = step(state, wanted, position);
        position = found.position;
        events.extend(found.events);
        if found.is_done {
            return events;
        }
    }
}

fn request(from_height: u64, kinds: &str, after: &str) -> WatchRequest {
    let kinds = vec![kinds.to_owned()];
    WatchRequest { from_height, kinds, neuron: String::new(), after: after.to_owned() }
}

fn events(world: &World, request: &WatchRequest) -> Vec<WatchEvent> {
    let (wanted, position) = begin(&world.queries, request).expect("a good request");
    all(&world.chain.snapshot(), &wanted, position)
}

#[test]
fn every_event_has_its_place_and_watching_continues_after_any_of_them() {
    let world = World::new();
    let whole = events(&world, &request(1, "", ""));
    let kinds: Vec<bool> =
        whole.iter().map(|it| matches!(it.event, Some(Event::Link(_)))).collect();
    assert_eq!(kinds, [true, true, true, true, true, false], "{whole:?}");
    let ids: Vec<&str> = whole.iter().map(|event| event.id.as_str()).collect();
    let height = whole[0].height;
    let expected: Vec<String> = (0..5).map(|number| format!("{height}-{number}")).collect();
    assert_eq!(ids[..5], expected);
    assert!(ids[5].ends_with("-0") && whole[5].height > height, "{ids:?}");
    for (seen, event) in whole.iter().enumerate() {
        assert_eq!(events(&world, &request(0, "", &event.id)), whole[seen + 1..], "{}", event.id);
    }
    let from_there = events(&world, &request(height, "links,rounds", ""));
    assert_eq!(from_there, whole);
    assert_eq!(events(&world, &request(height + 1, "", "")), whole[5..]);
    assert_eq!(events(&world, &request(0, "", "")), []);
    assert_eq!(events(&world, &request(u64::MAX, "", "")), []);
    assert_eq!(events(&world, &request(0, "", &format!("{height}-end"))), whole[5..]);
    assert_eq!(events(&world, &request(1, "rounds", "")), whole[5..]);
    let bob = world.chain.wallet("bob").bech32();
    let of_bob = WatchRequest { neuron: bob.clone(), ..request(1, "links", "") };
    let of_bob = events(&world, &of_bob);
    assert_eq!(of_bob, whole[3..5]);
    let Some(Event::Link(link)) = &of_bob[0].event else { panic!("{of_bob:?}") };
    let expected = WatchedLink { number: 3, neuron: bob, from: cid(2), to: cid(4) };
    assert_eq!(*link, expected);
}

#[test]
fn wrong_requests_are_refused() {
    let world = World::new();
    for (wrong, words) in [
        (request(0, "blocks", ""), "'blocks' is no kind"),
        (request(0, "", "17"), "'17' is no id of an event"),
        (WatchRequest { neuron: "x".into(), ..request(0, "", "") }, "neuron: decoding bech32"),
    ] {
        let denial = begin(&world.queries, &wrong).expect_err("refused");
        assert_eq!(denial.code, Code::InvalidArgument);
        assert!(denial.message.contains(words), "{}", denial.message);
    }
}

/// Opens the stream of server-sent events.
fn open(served: &Served, path: &str, header: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(served.rest).expect("it listens");
    let limit = Some(Duration::from_secs(60));
    stream.set_read_timeout(limit).expect("a socket");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n{header}\r\n").expect("it reads");
    BufReader::new(stream)
}

/// The next line that begins so.
fn next(reader: &mut BufReader<TcpStream>, start: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).expect("a line in time") > 0, "the stream ended");
        if let Some(rest) = line.trim_end().strip_prefix(start) {
            return rest.to_owned();
        }
    }
}

#[test]
fn new_links_and_rounds_come_as_server_sent_events() {
    let mut served = Served::new();
    let mut reader = open(&served, "/cyberd/v1/watch?from_height=1", "");
    assert_eq!(next(&mut reader, "content-type: "), "text/event-stream");
    let id = next(&mut reader, "id: ");
    assert_eq!(next(&mut reader, "event: "), "link");
    let event: serde_json::Value =
        serde_json::from_str(&next(&mut reader, "data: ")).expect("JSON");
    assert_eq!((&event["id"], &event["link"]["from"]), (&id.into(), &cid(1).into()));
    while next(&mut reader, "event: ") != "round" {}

    let mut alice = served.chain.wallet("alice");
    let link = alice.link_message(&[(particle(7), particle(8))], false);
    let link = alice.sign(vec![link]);
    served.chain.block(vec![link]);
    served.gate.committed(served.chain.snapshot().height());
    let height = served.chain.snapshot().height().0;
    assert_eq!(next(&mut reader, "id: "), format!("{height}-0"));
    assert!(next(&mut reader, "data: ").contains(&cid(7)));

    let header = format!("last-event-id: {}-end\r\n", height - 1);
    let mut again = open(&served, "/cyberd/v1/watch?from_height=1", &header);
    assert_eq!(next(&mut again, "id: "), format!("{height}-0"));
    let refused = served.get("/cyberd/v1/watch?kinds=blocks");
    assert_eq!((refused.status, &refused.json()["code"]), (400, &3.into()));
}

#[test]
fn places_of_watchers_are_bounded_and_given_back() {
    let served = Served::new();
    let mut readers: Vec<_> =
        (0..4).map(|_| open(&served, "/cyberd/v1/watch?from_height=1", "")).collect();
    for reader in &mut readers {
        next(reader, "id: ");
    }
    let refused = served.get("/cyberd/v1/watch");
    assert_eq!((refused.status, &refused.json()["code"]), (429, &8.into()));
    drop(readers);
    let place = || served.gate.watcher().is_ok();
    let in_time = (0..600).any(|_| {
        #[allow(clippy::disallowed_methods, reason = "a test waits for another thread")]
        std::thread::sleep(Duration::from_millis(50));
        place()
    });
    assert!(in_time, "a watcher that is gone keeps its place");
}

#[test]
fn a_reader_who_takes_nothing_is_dropped_with_the_reason() {
    let served = Served::new();
    let (events, inbox) = mpsc::channel(1);
    let gate = served.gate.clone();
    let (wanted, position) =
        begin(served.gate.queries(), &request(1, "links", "")).expect("a good request");
    let ended = served.runtime.block_on(async move {
        tokio::time::timeout(SLOW_AFTER * 2, follow(&gate, wanted, position, &events)).await
    });
    let denial = ended.expect("in time").expect("a reason");
    assert_eq!(denial.code, Code::ResourceExhausted);
    assert!(denial.message.starts_with("slow reader: no event was taken for 30 s"), "{denial:?}");
    drop(inbox);
}
