//! Reading ahead on the mempool connection: a thread takes requests off the socket while those
//! before them are checked.
//!
//! CometBFT's client spins on a timer of 20 nanoseconds as long as requests of its wait to be
//! written, so a socket that is full costs it as much processor time as the requests themselves.
//! Here they wait instead, up to [`AHEAD_MAX`] bytes; beyond that the socket fills as before.

use super::connection::End;
use super::frame::{Frame, Frames};
use super::socket::Socket;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes of requests that wait to be looked at.
const AHEAD_MAX: usize = 2 << 20;

/// Requests that were read and not taken yet.
pub(super) struct Ahead {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

struct Waiting {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Why nothing more comes.
    end: Option<End>,
    /// Nobody takes any more.
    closed: bool,
}

impl Ahead {
    /// One request is there.
    pub fn new(first: Frame) -> Ahead {
        let bytes = first.length();
        let frames = VecDeque::from([first]);
        let waiting = Waiting { frames, bytes, end: None, closed: false };
        Ahead { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }

    /// Reads until the stream ends or nobody takes any more.
    pub fn read(&self, frames: &mut Frames<&Socket>) {
        loop {
            let mut ready = Vec::new();
            let end = loop {
                match frames.next_ready() {
                    Ok(Some(frame)) => ready.push(frame),
                    Ok(None) => break None,
                    Err(error) => break Some(error.into()),
                }
            };
            if !self.put(ready, end) {
                return;
            }
            match frames.fill() {
                Ok(true) => {}
                Ok(false) => return self.end(End::Closed),
                Err(error) => return self.end(error.into()),
            }
        }
    }

    /// Adds what was read; waits while there is too much. False: reading is over.
    fn put(&self, ready: Vec<Frame>, end: Option<End>) -> bool {
        let ended = end.is_some();
        let mut waiting = self.lock();
        waiting.bytes += ready.iter().map(Frame::length).sum::<usize>();
        waiting.frames.extend(ready);
        waiting.end = end;
        self.changed.notify_all();
        let full = |waiting: &mut Waiting| waiting.bytes > AHEAD_MAX && !waiting.closed;
        let waited = self.changed.wait_while(waiting, full);
        let waiting = waited.unwrap_or_else(PoisonError::into_inner);
        !waiting.closed && !ended
    }

    fn end(&self, end: End) {
        self.lock().end = Some(end);
        self.changed.notify_all();
    }

    /// Waits for requests; at most so many, in order. Once they are all taken: why no more come.
    pub fn take(&self, most: usize) -> Result<Vec<Frame>, End> {
        let idle = |waiting: &mut Waiting| waiting.frames.is_empty() && waiting.end.is_none();
        let waited = self.changed.wait_while(self.lock(), idle);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.frames.is_empty() {
            return Err(waiting.end.take().expect("nothing is waited for any more"));
        }
        let count = waiting.frames.len().min(most);
        let taken: Vec<Frame> = waiting.frames.drain(..count).collect();
        waiting.bytes -= taken.iter().map(Frame::length).sum::<usize>();
        self.changed.notify_all();
        Ok(taken)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lock().frames.is_empty()
    }

    /// Nobody takes any more: a reader that waits for room goes home.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    /// An empty request: a length of zero.
    const EMPTY: [u8; 1] = [0];

    fn first(frames: &mut Frames<&Socket>) -> Frame {
        frames.fill().expect("a socket");
        frames.next_ready().expect("a frame").expect("one")
    }

    #[test]
    fn what_was_read_before_the_end_is_taken_before_it() {
        let (mut there, here) = UnixStream::pair().expect("a pair");
        let here = Socket::Unix(here);
        there.write_all(&EMPTY.repeat(4)).expect("room");
        there.shutdown(Shutdown::Write).expect("open");
        let mut frames = Frames::new(&here);
        let ahead = Ahead::new(first(&mut frames));
        ahead.read(&mut frames);
        assert_eq!(ahead.take(3).expect("frames").len(), 3);
        assert_eq!(ahead.take(3).expect("frames").len(), 1);
        assert!(matches!(ahead.take(3), Err(End::Closed)));
    }

    #[test]
    fn a_reader_without_room_waits_until_some_is_taken_or_nobody_takes_any_more() {
        let (mut there, here) = UnixStream::pair().expect("a pair");
        let here = Socket::Unix(here);
        // A request of the length that CheckTx may have at most, of a field that is CheckTx's.
        let mut request = vec![0x80, 0x80, 0x40, 0x42];
        request.resize(4 + (1 << 20) - 1, 0);
        there.write_all(&EMPTY).expect("room");
        let mut frames = Frames::new(&here);
        let ahead = Ahead::new(first(&mut frames));
        std::thread::scope(|scope| {
            scope.spawn(|| ahead.read(&mut frames));
            let writer = scope.spawn(move || {
                let written = (0..8).take_while(|_| there.write_all(&request).is_ok()).count();
                (there, written)
            });
            let mut taken = 0;
            while taken < 5 {
                taken += ahead.take(1).expect("frames").len();
                let waiting = ahead.lock();
                assert!(waiting.bytes <= AHEAD_MAX + (1 << 20), "{} bytes", waiting.bytes);
            }
            ahead.close();
            here.shutdown(Shutdown::Both);
            let (_, written) = writer.join().expect("no panic");
            assert!(written >= 4, "{written} requests were written");
        });
    }
}
