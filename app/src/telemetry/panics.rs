//! What becomes of a panic. In Query and CheckTx, inside [`catch`], it becomes an answer. Anywhere
//! else it is logged and ends the process: a dead thread never leaves a living node.
//!
//! A worker of rayon's pools only passes its panic on to the thread that waits for it, so the hook
//! lets it pass and that thread decides: inside [`catch`] an answer; in a thread of [`spawn`] or in
//! a consensus call the end.

use super::name;
use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::thread::{self, JoinHandle};

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may panic because of a user's input; the text of its panic if it does.
///
/// What it leaves half done must be harmless: locks are taken over from the poisoned.
pub fn catch<T>(action: impl FnOnce() -> T) -> Result<T, String> {
    let outer = CATCHING.replace(true);
    let caught = panic::catch_unwind(AssertUnwindSafe(action));
    CATCHING.set(outer);
    caught.map_err(|payload| {
        metrics::counter!(name::PANICS).increment(1);
        text(&*payload)
    })
}

/// Makes every panic outside [`catch`] end the process, logged. For the binary's `main`.
pub fn install_hook() {
    panic::set_hook(Box::new(|information| {
        let place = information.location().map(ToString::to_string).unwrap_or_default();
        let payload = text(information.payload());
        if CATCHING.get() {
            let trace = Backtrace::capture();
            tracing::error!(place, panic = payload, %trace, "panic, answered with an error");
            return;
        }
        let trace = Backtrace::force_capture();
        let name = thread::current().name().unwrap_or("?").to_owned();
        tracing::error!(place, thread = name, panic = payload, %trace, "panic");
        if rayon::current_thread_index().is_none() {
            eprintln!("cyberd stops: panic at {place}: {payload}");
            std::process::abort();
        }
    }));
}

/// A thread of the node. Should it unwind, the process ends.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    let label = name.to_owned();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
            eprintln!("cyberd stops: thread {label} panicked: {}", text(&*payload));
            std::process::abort();
        })
    })
}

/// What a panic said.
pub fn text(payload: &(dyn Any + Send)) -> String {
    let plain = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let made = || payload.downcast_ref::<String>().cloned();
    plain.or_else(made).unwrap_or_else(|| "panic without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caught_panic_gives_its_text() {
        assert_eq!(catch(|| 5), Ok(5));
        assert_eq!(catch(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        let number = 7;
        assert_eq!(catch(|| panic!("made {number}")), Err::<(), _>("made 7".to_owned()));
        assert!(!CATCHING.get());
        let nested = catch(|| {
            let inner = catch(|| panic!("inner"));
            assert!(CATCHING.get());
            inner
        });
        assert_eq!(nested, Ok(Err::<(), _>("inner".to_owned())));
    }

    /// Runs in a process of its own, started by the test after it: the hook ends processes.
    #[test]
    #[ignore = "the child of the test after it"]
    fn child() {
        install_hook();
        let rayon_panics = || rayon::join(|| panic!("in a worker"), || 5).1;
        match std::env::var("PANIC_IN").as_deref() {
            Ok("catch") => assert_eq!(catch(|| panic!("caught")), Err::<(), _>("caught".into())),
            Ok("worker in catch") => {
                let pool = rayon::ThreadPoolBuilder::new().build().expect("a pool");
                let caught = catch(|| pool.install(rayon_panics));
                assert_eq!(caught, Err("in a worker".to_owned()));
            }
            Ok("worker in thread") => {
                let pool = rayon::ThreadPoolBuilder::new().build().expect("a pool");
                let thread = spawn("test", move || pool.install(rayon_panics));
                drop(thread.expect("a thread").join());
            }
            Ok("thread") => drop(thread::spawn(|| panic!("plain")).join()),
            other => assert_eq!(other, Err(&std::env::VarError::NotPresent)),
        }
    }

    #[test]
    fn only_what_is_caught_leaves_the_process_alive() {
        use std::os::unix::process::ExitStatusExt;
        let cases = [
            ("catch", true),
            ("worker in catch", true),
            ("worker in thread", false),
            ("thread", false),
        ];
        for (place, lives) in cases {
            let me = std::env::current_exe().expect("this test");
            let output = std::process::Command::new(me)
                .args(["--exact", "telemetry::panics::tests::child", "--ignored", "--nocapture"])
                .env("PANIC_IN", place)
                .output()
                .expect("it runs");
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.success(), lives, "{place}: {text}");
            if !lives {
                assert_eq!(output.status.signal(), Some(6), "{place}: {text}");
                assert!(text.contains("cyberd stops: "), "{place}: {text}");
            }
        }
    }
}
