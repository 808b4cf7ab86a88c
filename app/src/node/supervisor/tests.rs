//! The supervisor with shell scripts in the two programs' places.

use super::*;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

fn script(name: &'static str, folder: &Path, text: &str) -> Program {
    Program {
        name,
        path: "/bin/sh".into(),
        arguments: vec!["-c".into(), text.into()],
        environment: vec![("FOLDER", folder.display().to_string())],
        log: Log::File(folder.join("logs").join(name)),
        signs: &[
            ("CONSENSUS FAILURE", Sign::Stuck),
            ("State sync failed", Sign::Later),
            ("reading GenesisDoc", Sign::Unfit),
            ("an invalid block", Sign::Mismatch),
        ],
    }
}

/// Says in what order things begin and end, then waits to be stopped.
const APPLICATION: &str =
    "echo app >>$FOLDER/order; trap 'rm $FOLDER/ready; echo app-end >>$FOLDER/order; exit' TERM;
    touch $FOLDER/ready; while :; do sleep 0.02; done";
const COMETBFT: &str =
    "echo comet >>$FOLDER/order; trap 'echo comet-end >>$FOLDER/order; exit' TERM;
    while :; do sleep 0.02; done";

struct Scene {
    folder: tempfile::TempDir,
    pair: Pair,
    height: Arc<AtomicU64>,
}

fn scene(application: &str, cometbft: &str) -> Scene {
    let folder = tempfile::tempdir().expect("folder");
    let ready = folder.path().join("ready");
    let height = Arc::new(AtomicU64::new(0));
    let shown = Arc::clone(&height);
    let pair = Pair {
        application: script("application", folder.path(), application),
        cometbft: script("CometBFT", folder.path(), cometbft),
        probe: Probe {
            ready: Box::new(move || ready.exists()),
            height: Box::new(move || Some(shown.load(Ordering::Relaxed))),
            reason: Box::new(|| Some("1 of 4 prevotes in round 3".to_owned())),
        },
        still_after: Duration::from_millis(700),
        hung_after: Duration::from_secs(60),
        mismatch: Some(folder.path().join("root-mismatch.json")),
    };
    Scene { folder, pair, height }
}

impl Scene {
    /// Supervises until `done` says so of the events seen, at most for twenty seconds.
    fn run(&self, done: impl Fn(&[Event]) -> bool + Sync) -> (Result<(), Fault>, Vec<Event>) {
        let stop = AtomicBool::new(false);
        let seen = Mutex::new(Vec::new());
        let outcome = std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                supervise(&self.pair, &stop, &mut |event| {
                    if !matches!(event, Event::Alive { .. } | Event::Answers) {
                        seen.lock().expect("events").push(event);
                    }
                })
            });
            let start = Instant::now();
            while !running.is_finished() && !done(&seen.lock().expect("events")) {
                assert!(start.elapsed() < Duration::from_secs(20), "nothing happened");
                std::thread::sleep(Duration::from_millis(5));
            }
            stop.store(true, Ordering::Relaxed);
            running.join().expect("the supervisor does not panic")
        });
        (outcome, seen.into_inner().expect("events"))
    }

    fn order(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("order")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn started(times: usize) -> impl Fn(&[Event]) -> bool + Sync {
    move |events| events.iter().filter(|event| **event == Event::Started).count() >= times
}

#[test]
fn the_application_starts_first_and_stops_last() {
    let scene = scene(APPLICATION, COMETBFT);
    let begin = Instant::now();
    let order = || scene.order().len() >= 2;
    let (outcome, events) = scene.run(|events| started(1)(events) && order());
    outcome.expect("a clean stop");
    assert_eq!(events, [Event::Started, Event::Stopping]);
    assert_eq!(scene.order(), ["app", "comet", "comet-end", "app-end"]);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn programs_that_ignore_the_request_to_end_are_killed_within_five_seconds() {
    let deaf = "trap '' TERM; touch $FOLDER/ready; while :; do sleep 0.02; done";
    let scene = scene(deaf, deaf);
    let stopping = Mutex::new(None);
    let (outcome, _) = scene.run(|events| {
        let done = started(1)(events);
        if done {
            *stopping.lock().expect("time") = Some(Instant::now());
        }
        done
    });
    outcome.expect("stopped");
    let took = stopping.lock().expect("time").expect("it was started").elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn when_one_ends_both_are_started_again_in_order() {
    // CometBFT ends by itself the first time.
    let once = format!("test -e $FOLDER/again || {{ touch $FOLDER/again; exit 3; }}; {COMETBFT}");
    let scene = scene(APPLICATION, &once);
    let order = || scene.order().len() >= 4;
    let (outcome, events) = scene.run(|events| started(2)(events) && order());
    outcome.expect("a clean stop");
    let Event::Restarting { reason, .. } = &events[1] else { panic!("{events:?}") };
    assert!(reason.starts_with("CometBFT ended") && reason.contains("exit status: 3"), "{reason}");
    assert_eq!(scene.order()[..4], ["app", "app-end", "app", "comet"]);
}

#[test]
fn a_pair_that_keeps_dying_is_given_up_with_its_last_words() {
    let scene = scene("touch $FOLDER/ready; echo genesis: no supply >&2; exit 1", COMETBFT);
    let (outcome, events) = scene.run(|_| false);
    let text = outcome.expect_err("given up").to_string();
    assert!(text.contains("5 times") && text.contains("genesis: no supply"), "{text}");
    let pauses = events.iter().filter(|event| matches!(event, Event::Restarting { .. })).count();
    assert_eq!(pauses, GIVE_UP - 1);
    let log = scene.folder.path().join("logs/application");
    let log = std::fs::read_to_string(log).expect("log");
    assert_eq!(log.lines().count(), GIVE_UP, "every life's output is kept");
}

#[test]
fn kills_from_outside_are_not_counted_against_a_pair() {
    let killed = "n=$(cat $FOLDER/n 2>/dev/null || echo 0); echo $((n+1)) >$FOLDER/n;
        test $n -ge 6 || kill -9 $$; touch $FOLDER/ready; exec sleep 60";
    let mut scene = scene(killed, COMETBFT);
    // The seventh life counts as ready from the start on.
    let ready = scene.folder.path().join("ready");
    scene.pair.probe.ready = Box::new(move || ready.exists());
    std::fs::write(scene.folder.path().join("n"), "3").expect("fewer pauses");
    let (outcome, events) = scene.run(started(1));
    outcome.expect("still going");
    let kills = events.iter().filter(|event| format!("{event}").contains("signal 9")).count();
    assert_eq!(kills, 3, "{events:?}");
}

#[test]
fn a_program_that_lives_on_without_doing_its_work_is_restarted() {
    let failing = "test -e $FOLDER/again && exec sleep 60; touch $FOLDER/again;
        echo 'E[1] CONSENSUS FAILURE!!! err=x'; exec sleep 60";
    let scene = scene(APPLICATION, failing);
    let (outcome, events) = scene.run(started(2));
    outcome.expect("a clean stop");
    assert!(events.iter().any(|event| format!("{event}").contains("CONSENSUS FAILURE")));
}

#[test]
fn a_pair_without_new_heights_is_reported_once_and_again_after_it_moved() {
    let scene = scene(APPLICATION, COMETBFT);
    let still =
        |events: &[Event]| events.iter().filter(|e| matches!(e, Event::StandsStill { .. })).count();
    let (outcome, events) = scene.run(|events| match still(events) {
        0 => false,
        1 => {
            scene.height.store(7, Ordering::Relaxed);
            false
        }
        _ => true,
    });
    outcome.expect("a clean stop");
    let heights: Vec<&Event> = events.iter().filter(|e| **e != Event::Started).collect();
    let text = heights[0].to_string();
    let said = ["no height since the start", "(1 of 4 prevotes in round 3)"];
    assert!(said.iter().all(|part| text.contains(part)), "{text}");
    assert_eq!(heights[1], &Event::Height(7));
    assert!(matches!(heights[2], Event::StandsStill { height: Some(7), .. }), "{heights:?}");
}

#[test]
fn a_program_that_says_that_another_start_is_no_use_is_not_started_again() {
    let ends = |application: &str, cometbft: &str| {
        let (outcome, events) = scene(application, cometbft).run(|_| false);
        let again = events.iter().any(|event| matches!(event, Event::Restarting { .. }));
        assert!(!again, "{events:?}");
        outcome.expect_err("it ended")
    };
    let text = ends("echo 'error: genesis: no supply' >&2; exit 8", COMETBFT);
    assert!(matches!(&text, Fault::Unfit(text) if text.ends_with("genesis: no supply")), "{text}");
    // CometBFT is the first to be gone: what the application says a moment later counts.
    let halts = "touch $FOLDER/ready; while ! test -e $FOLDER/gone; do sleep 0.01; done;
        sleep 0.1; echo 'error: upgrade v2 at height 9' >&2; exit 9";
    let text = ends(halts, "sleep 0.1; touch $FOLDER/gone; exit 1");
    assert!(matches!(&text, Fault::Upgrade(text) if text.contains("v2 at height 9")), "{text}");
    let text = ends(APPLICATION, "echo 'error reading GenesisDoc at x' >&2; exit 1");
    assert!(matches!(&text, Fault::Unfit(text) if text.contains("GenesisDoc at x")), "{text}");
    // Why the two states differ stands in the line after that one: it is no other state.
    let both = "echo 'panic: an invalid block'; echo ' error reading GenesisDoc'; exit 2";
    let (outcome, events) = scene(APPLICATION, both).run(|_| false);
    assert!(matches!(outcome, Err(Fault::Unfit(_))), "{outcome:?}");
    assert!(!events.iter().any(|event| matches!(event, Event::Mismatch(_))), "{events:?}");
    // It lives on; starting it again at once would end alike.
    let text = ends(APPLICATION, "echo 'E State sync failed err=none'; exec sleep 60");
    assert!(matches!(&text, Fault::Setup(text) if text.contains("err=none")), "{text}");
}

#[test]
fn a_pair_that_hangs_is_started_again_and_one_that_computes_is_not() {
    let hangs = |cometbft: &str| {
        let mut scene = scene(APPLICATION, cometbft);
        scene.pair.hung_after = Duration::from_millis(1_500);
        // The application answers once, so that CometBFT is started, and never again.
        let asked = AtomicU64::new(0);
        let ready = scene.folder.path().join("ready");
        scene.pair.probe.ready =
            Box::new(move || ready.exists() && asked.fetch_add(1, Ordering::Relaxed) < 1);
        let begin = Instant::now();
        let (_, events) = scene.run(|events| {
            events.iter().any(|event| matches!(event, Event::Restarting { .. }))
                || begin.elapsed() > Duration::from_secs(4)
        });
        events.iter().any(|event| event.to_string().contains("no life"))
    };
    assert!(hangs(COMETBFT));
    assert!(!hangs("while :; do :; done"), "it takes processor time");
}

#[test]
fn another_state_of_the_network_is_written_down_once() {
    let fails = "echo 'E CONSENSUS FAILURE!!! err=+2/3 committed an invalid block: x'; sleep 60";
    let scene = scene(APPLICATION, fails);
    scene.height.store(7, Ordering::Relaxed);
    let (outcome, events) = scene.run(started(2));
    outcome.expect("a clean stop");
    assert!(events.iter().any(|event| matches!(event, Event::Mismatch(_))), "{events:?}");
    let text = std::fs::read_to_string(scene.folder.path().join("root-mismatch.json"));
    let text = text.expect("a note");
    assert!(text.contains("committed an invalid block"), "{text}");
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let mut scene = scene(APPLICATION, COMETBFT);
    scene.pair.cometbft.path = "/nowhere/cometbft".into();
    let (outcome, _) = scene.run(|_| false);
    let text = outcome.expect_err("no program").to_string();
    assert!(text.contains("/nowhere/cometbft"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_ends_when_the_supervisor_is_killed() {
    let folder = tempfile::tempdir().expect("folder");
    let program = script("orphan", folder.path(), "echo $$ >$FOLDER/id; exec sleep 60");
    let id = folder.path().join("id");
    // The kernel watches the thread that started the program, as it would the whole process.
    let starter = std::thread::spawn(move || {
        std::mem::forget(program.spawn(0).expect("started"));
        while !std::fs::read_to_string(&id).is_ok_and(|text| text.ends_with("\n")) {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::fs::read_to_string(&id).expect("id").trim().to_owned()
    });
    let id = starter.join().expect("the program said its id");
    let start = Instant::now();
    let alive = || {
        let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // Ended and not yet waited for is Z.
        !status.is_empty() && !status.contains(") Z ")
    };
    while alive() {
        assert!(start.elapsed() < Duration::from_secs(5), "it lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}
