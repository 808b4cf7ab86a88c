//! What other threads tell a running round: to stand still for a while, or to end.
//!
//! A round looks between pieces of work of some tens of microseconds, so whoever needs the cores
//! has them at once; a priority alone leaves a thread the rest of its slice of time, and the caches
//! to it. Neither changes what a round computes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The control of a round, or of rounds one after another.
#[derive(Debug, Default)]
pub struct Control {
    aborted: AtomicBool,
    pause: Arc<Pause>,
}

impl Control {
    /// A control whose rounds stand still while `pause` is on.
    pub fn new(pause: Arc<Pause>) -> Control {
        Control { aborted: AtomicBool::new(false), pause }
    }

    /// The switch that its rounds stand still under.
    pub fn pause(&self) -> &Arc<Pause> {
        &self.pause
    }

    /// Ends the round that runs and each that would begin.
    pub fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
        self.pause.wake();
    }

    /// The flag that [`Control::abort`] raises.
    pub(crate) fn aborted(&self) -> &AtomicBool {
        &self.aborted
    }

    /// Stands still as long as it is told to; whether the round goes on then.
    #[inline(always)]
    pub(crate) fn go_on(&self) -> bool {
        if self.pause.on.load(Ordering::Relaxed) {
            self.pause.wait(&self.aborted);
        }
        !self.aborted.load(Ordering::Relaxed)
    }
}

/// A switch that rounds stand still under.
#[derive(Debug, Default)]
pub struct Pause {
    /// Changes under the lock only.
    on: AtomicBool,
    lock: Mutex<()>,
    over: Condvar,
}

impl Pause {
    /// Rounds stand still from now on, or go on.
    pub fn set(&self, on: bool) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.on.store(on, Ordering::Relaxed);
        drop(lock);
        if !on {
            self.over.notify_all();
        }
    }

    /// Whoever waits looks again.
    fn wake(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.over.notify_all();
    }

    #[cold]
    fn wait(&self, aborted: &AtomicBool) {
        let still =
            |(): &mut ()| self.on.load(Ordering::Relaxed) && !aborted.load(Ordering::Relaxed);
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.over.wait_while(lock, still).unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stands_still_goes_on_when_the_pause_is_over_or_the_round_is_aborted() {
        for abort in [false, true] {
            let pause = Arc::new(Pause::default());
            let control = Control::new(Arc::clone(&pause));
            assert!(control.go_on());
            pause.set(true);
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| control.go_on());
                (0..1000).for_each(|_| std::thread::yield_now());
                assert!(!waiting.is_finished());
                match abort {
                    true => control.abort(),
                    false => pause.set(false),
                }
                assert_eq!(waiting.join().expect("no panic"), !abort);
            });
        }
    }
}
