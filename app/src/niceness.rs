//! Threads that give way to consensus: rounds and answers to queries run at one lower priority.
//!
//! Invariant: a wish; a system that refuses it loses nothing else. Deliberately absent: priorities
//! among such threads, so that no flood of queries starves a round.

/// About a tenth of the processor beside a busy thread of the usual priority.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Lowers the priority of this thread and of those it will start. `name` is for the log.
pub fn give_way(name: &str) {
    // On Linux alone niceness is a thread's own.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(name, %error, "a thread has the priority of blocks");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = name;
}
