//! How much is answered, waits and travels at once.

use super::*;
use crate::query::tests::{limits, World};
use crate::search::Index;
use std::sync::mpsc;

fn gate(places: usize, waiting_max: usize, time_limit: Duration) -> Arc<Gate> {
    let World { chain, .. } = World::new();
    let reader = chain.engine().reader().clone();
    let queries = Arc::new(Queries::new(reader, Arc::new(Index::new()), limits()));
    Arc::new(Gate::new(queries, GateLimits { places, waiting_max, time_limit, watchers_max: 1 }))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

#[test]
fn what_is_too_much_waits_and_what_is_still_more_is_refused() {
    let runtime = runtime();
    let gate = gate(1, 1, Duration::from_secs(60));
    let (go, wait) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let own = gate.clone();
    let first = runtime.spawn(async move {
        own.run(move |_| {
            begun.send(()).expect("the test waits");
            wait.recv().expect("the test says when");
            Ok(1)
        })
        .await
    });
    has_begun.recv().expect("the first is at work");
    let own = gate.clone();
    let second = runtime.spawn(async move { own.run(|_| Ok(2)).await });
    while gate.waiting.load(Ordering::Relaxed) < 1 {
        std::thread::yield_now();
    }
    let third = runtime.block_on(gate.run(|_| Ok(3))).expect_err("too much");
    assert_eq!(third.code, Code::ResourceExhausted);
    assert_eq!(third.message, "1 queries wait already: try again later");
    go.send(()).expect("the first waits");
    let answers = runtime.block_on(async { (first.await, second.await) });
    assert_eq!((answers.0.expect("it ran"), answers.1.expect("it ran")), (Ok(1), Ok(2)));
    assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
}

#[test]
fn who_waits_too_long_is_told_so_and_who_is_gone_is_not_served() {
    let runtime = runtime();
    let gate = gate(1, 9, Duration::from_millis(50));
    let place = runtime.block_on(gate.place()).expect("the only place");
    let late = runtime.block_on(gate.run(|_| Ok(()))).expect_err("nobody leaves");
    assert_eq!(late.code, Code::Unavailable);
    assert!(late.message.contains("had no place within 50 ms"), "{}", late.message);
    let own = gate.clone();
    let gone =
        runtime.spawn(async move { own.run(|_| -> Result<(), _> { panic!("begun") }).await });
    while gate.waiting.load(Ordering::Relaxed) < 1 {
        std::thread::yield_now();
    }
    gone.abort();
    assert!(runtime.block_on(gone).is_err());
    drop(place);
    assert_eq!(runtime.block_on(gate.run(|_| Ok(5))), Ok(5));
    assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
}

#[test]
fn a_panic_is_an_answer_and_large_answers_share_what_there_is() {
    let runtime = runtime();
    let gate = gate(1, 1, Duration::from_secs(60));
    let run = gate.run(|_| -> Result<(), Denial> { panic!("on purpose") });
    let denial = runtime.block_on(run).expect_err("it panicked");
    assert_eq!((denial.code, &*denial.message), (Code::Internal, "on purpose: panic"));
    assert!(gate.load(SMALL_BYTES).expect("always").is_none());
    let all: Vec<_> = (0..16).map(|_| gate.load(4_194_304).expect("there is room")).collect();
    let denial = gate.load(SMALL_BYTES + 1).expect_err("too much is on its way");
    assert_eq!(denial.code, Code::ResourceExhausted);
    drop(all);
    assert!(gate.load(SMALL_BYTES + 1).is_ok());
}
