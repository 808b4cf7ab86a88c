//! Threads that help the thread they belong to, and wait in between: starting one takes as long as
//! a sweep of a small graph.
//!
//! A thread gets helpers when it first calls some, so they have its priority; they end with it.
//! Between two calls a helper looks for work for a moment and then sleeps. A helper that comes when
//! all is done is not waited for: on a busy machine the caller does the work itself.
//!
//! Invariant: nobody holds a call's work when [`call`] returns. A panic of a helper is one of the
//! caller's.

use std::cell::RefCell;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Looks for something to happen before sleeping over it: some tens of microseconds. To yield in
/// between would cost a whole slice of time where others want the core.
const LOOKS: usize = 1 << 10;

type Work<'a> = &'a (dyn Fn() + Sync + 'a);
type Panic = Box<dyn std::any::Any + Send>;

/// Runs `work` here and at once on up to `most` helpers of this thread; on none where the thread is
/// in a call already.
pub fn call(most: usize, work: Work<'_>) {
    if most == 0 {
        return work();
    }
    HELPERS.with(|helpers| match helpers.try_borrow_mut() {
        Ok(mut helpers) => helpers.call(most, work),
        Err(_) => work(),
    });
}

thread_local! {
    static HELPERS: RefCell<Helpers> = RefCell::default();
}

/// The helpers of one thread.
#[derive(Default)]
struct Helpers {
    board: Arc<Board>,
    threads: Vec<JoinHandle<()>>,
}

/// What a thread and its helpers tell each other. The counters change under the lock only; they
/// stand beside it to be looked at without.
#[derive(Default)]
struct Board {
    notice: Mutex<Notice>,
    /// Calls so far, and helpers at work.
    calls: AtomicUsize,
    working: AtomicUsize,
    called: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct Notice {
    /// The work of the call, until it is done.
    work: Option<Work<'static>>,
    /// Helpers that may still take part.
    wanted: usize,
    panic: Option<Panic>,
    ended: bool,
}

impl Helpers {
    fn call(&mut self, most: usize, work: Work<'_>) {
        while self.threads.len() < most {
            let board = Arc::clone(&self.board);
            let thread = std::thread::Builder::new().name("rank-helper".into());
            self.threads.push(thread.spawn(move || board.help()).expect("a thread starts"));
        }
        #[allow(unsafe_code, reason = "the work outlives the call, and nobody holds it after that")]
        // SAFETY: only the lifetime changes. A helper takes the work from the board and counts as
        // working until it is done with it; below, whether `work` panics here or not, the board
        // loses the work and then the count falls to 0 before this function returns.
        let shared = unsafe { std::mem::transmute::<Work<'_>, Work<'static>>(work) };
        self.board.post(Some(shared), most);
        let here = catch_unwind(AssertUnwindSafe(work));
        let panic = self.board.close();
        if let Some(panic) = here.err().or(panic) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.board.lock().ended = true;
        self.board.post(None, 0);
        for thread in self.threads.drain(..) {
            thread.join().expect("a helper hands panics over");
        }
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Notice> {
        self.notice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, work: Option<Work<'static>>, wanted: usize) {
        let mut notice = self.lock();
        (notice.work, notice.wanted) = (work, wanted);
        self.calls.fetch_add(1, Ordering::Release);
        let ended = notice.ended;
        drop(notice);
        match ended {
            true => self.called.notify_all(),
            false => (0..wanted).for_each(|_| self.called.notify_one()),
        }
    }

    /// Takes the work away and waits for who is at it; gives the panic of one of them.
    fn close(&self) -> Option<Panic> {
        let mut notice = self.lock();
        notice.work = None;
        drop(notice);
        let idle = || self.working.load(Ordering::Acquire) == 0;
        look_for(idle);
        notice = self.lock();
        while !idle() {
            notice = self.done.wait(notice).unwrap_or_else(PoisonError::into_inner);
        }
        notice.panic.take()
    }

    /// The life of a helper.
    fn help(&self) {
        let mut seen = 0;
        loop {
            look_for(|| self.calls.load(Ordering::Acquire) != seen);
            let mut notice = self.lock();
            while self.calls.load(Ordering::Acquire) == seen {
                notice = self.called.wait(notice).unwrap_or_else(PoisonError::into_inner);
            }
            seen = self.calls.load(Ordering::Acquire);
            if notice.ended {
                return;
            }
            let Some(work) = notice.work.filter(|_| notice.wanted > 0) else { continue };
            notice.wanted -= 1;
            self.working.fetch_add(1, Ordering::Release);
            drop(notice);
            let panic = catch_unwind(AssertUnwindSafe(work)).err();
            notice = self.lock();
            notice.panic = panic.or(notice.panic.take());
            if self.working.fetch_sub(1, Ordering::Release) == 1 {
                self.done.notify_one();
            }
        }
    }
}

/// Returns when it has happened or after a moment.
fn look_for(happened: impl Fn() -> bool) {
    for _ in 0..LOOKS {
        if happened() {
            return;
        }
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_lent_is_not_held_after_the_call() {
        for round in 0..20_000 {
            let most = round % 4;
            let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
            call(most, &|| {
                begun.fetch_add(1, Ordering::SeqCst);
                std::hint::black_box((0..round % 64).sum::<usize>());
                ended.fetch_add(1, Ordering::SeqCst);
            });
            let (begun, ended) = (begun.into_inner(), ended.into_inner());
            assert!(begun == ended && begun >= 1 && begun <= most + 1, "{begun} {ended} {most}");
        }
    }

    #[test]
    fn helpers_take_part_and_are_the_same_in_the_next_call() {
        let mut met = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let barrier = std::sync::Barrier::new(3);
            let here = Mutex::new(Vec::new());
            call(2, &|| {
                barrier.wait();
                here.lock().unwrap().push(format!("{:?}", std::thread::current().id()));
            });
            met.extend(here.into_inner().unwrap());
        }
        assert_eq!(met.len(), 3);
    }

    #[test]
    fn a_panic_of_a_helper_reaches_the_caller_who_can_go_on() {
        let own = std::thread::current().id();
        for _ in 0..20 {
            let barrier = std::sync::Barrier::new(2);
            let fails = catch_unwind(AssertUnwindSafe(|| {
                call(1, &|| {
                    barrier.wait();
                    assert!(std::thread::current().id() == own, "a helper fails");
                });
            }));
            assert_eq!(fails.unwrap_err().downcast_ref::<&str>(), Some(&"a helper fails"));
        }
        let done = AtomicUsize::new(0);
        // Within a call there is another on this thread alone.
        call(1, &|| {
            if std::thread::current().id() == own {
                call(1, &|| {
                    done.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(done.into_inner(), 1);
    }
}
