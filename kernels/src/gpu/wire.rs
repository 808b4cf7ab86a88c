//! What node and worker say to each other, version [`VERSION`].
//!
//! **Channels.** The worker is a child process: its standard input is one end of a pair of Unix
//! sockets, its standard output a file in memory that both share ([`super::Shared`]). Frames go
//! over the socket, arrays stand in the file. All numbers are little-endian.
//!
//! **Frames.** Twelve bytes, `"CYGP"`, version (2), kind (2), length of the body (4), at most
//! [`BODY_MAX`]; then the body. The node asks, the worker answers each request once, in order.
//!
//! | request | kind | body (bytes of each) | array in the file, at 0 | answered with |
//! |---|---|---|---|---|
//! | hello | 1 | | | ready |
//! | clear | 2 | | | done; the graph is empty again |
//! | grow | 3 | particles (4) | | done |
//! | links | 4 | count (4) | count × neuron, from, to (4 each) | done |
//! | stakes | 5 | count (4) | count × neuron, low, high half of the stake (4 each) | done |
//! | run | 6 | numbers of a run | starting codes (4 each), if given | answer |
//!
//! Numbers of a run: damping, source stake (8 each); code bits, sweeps, base shift, 1 if the codes
//! are given and 0 if those of the last answer hold, sample (4 each).
//!
//! | reply | kind | body (bytes of each) |
//! |---|---|---|
//! | ready | 129 | the device's name, UTF-8 |
//! | done | 130 | |
//! | answer | 131 | particles, sweeps (4), codes changed last, total of values (8) |
//! | failed | 132 | why, UTF-8; the worker ends |
//!
//! After an answer the file holds, as [`Layout`] says: the codes, the hashes of the codes at the
//! start and after each sweep, and, if a sample was asked for (a sweep's number, from 1), the codes
//! before and after that sweep, or the last codes twice if the round ended before it.
//!
//! Anything else, a body that is too long or too short, or an end of the stream in a frame, is an
//! error of whoever sent it. Deliberately absent: addresses, threads, several questions at a time.

use std::io::{self, Read, Write};

use crate::Parameters;

/// Version of frames and arrays. Node and worker of different versions do not work together.
pub const VERSION: u16 = 1;
/// Longest body.
pub const BODY_MAX: u32 = 4096;
/// Links or stakes in one request.
pub const BATCH_MAX: u32 = 1 << 20;

const MAGIC: [u8; 4] = *b"CYGP";
const HEAD: usize = 12;

/// What the node asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Hello,
    Clear,
    Grow { particles: u32 },
    Links { count: u32 },
    Stakes { count: u32 },
    Run { parameters: Parameters, given: bool, sample: u32 },
}

/// What the worker answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Ready { device: String },
    Done,
    Answer { particles: u32, sweeps: u32, changed: u64, total: u64 },
    Failed { reason: String },
}

impl Request {
    /// Sends it.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut body = Vec::new();
        let kind = match self {
            Request::Hello => 1,
            Request::Clear => 2,
            Request::Grow { particles } => {
                body.extend(particles.to_le_bytes());
                3
            }
            Request::Links { count } => {
                body.extend(count.to_le_bytes());
                4
            }
            Request::Stakes { count } => {
                body.extend(count.to_le_bytes());
                5
            }
            Request::Run { parameters, given, sample } => {
                let eights = [parameters.damping_atomics, parameters.source_stake];
                body.extend(eights.iter().flat_map(|number| number.to_le_bytes()));
                let Parameters { code_bits, sweeps, base_shift, .. } = *parameters;
                let fours = [code_bits, sweeps, base_shift, u32::from(*given), *sample];
                body.extend(fours.iter().flat_map(|number| number.to_le_bytes()));
                6
            }
        };
        write_frame(to, kind, &body)
    }

    /// Reads one; `None` where the stream ends before it.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Request>> {
        let Some((kind, body)) = read_frame(from)? else { return Ok(None) };
        let mut body = Body(&body);
        let request = match kind {
            1 => Request::Hello,
            2 => Request::Clear,
            3 => Request::Grow { particles: body.four()? },
            4 => Request::Links { count: body.count()? },
            5 => Request::Stakes { count: body.count()? },
            6 => {
                let (damping_atomics, source_stake) = (body.eight()?, body.eight()?);
                let (code_bits, sweeps, base_shift) = (body.four()?, body.four()?, body.four()?);
                let parameters =
                    Parameters { damping_atomics, code_bits, source_stake, sweeps, base_shift };
                Request::Run { parameters, given: body.four()? == 1, sample: body.four()? }
            }
            _ => return Err(wrong(format!("no request has kind {kind}"))),
        };
        body.end().map(|()| Some(request))
    }
}

impl Reply {
    /// Sends it.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Reply::Ready { device } => write_frame(to, 129, clip(device)),
            Reply::Done => write_frame(to, 130, &[]),
            Reply::Answer { particles, sweeps, changed, total } => {
                let mut body = Vec::new();
                body.extend([*particles, *sweeps].iter().flat_map(|number| number.to_le_bytes()));
                body.extend([*changed, *total].iter().flat_map(|number| number.to_le_bytes()));
                write_frame(to, 131, &body)
            }
            Reply::Failed { reason } => write_frame(to, 132, clip(reason)),
        }
    }

    /// Reads one; `None` where the stream ends before it.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Reply>> {
        let Some((kind, body)) = read_frame(from)? else { return Ok(None) };
        let text = || String::from_utf8_lossy(&body).into_owned();
        let mut rest = Body(&body);
        let reply = match kind {
            129 => return Ok(Some(Reply::Ready { device: text() })),
            130 => Reply::Done,
            131 => Reply::Answer {
                particles: rest.four()?,
                sweeps: rest.four()?,
                changed: rest.eight()?,
                total: rest.eight()?,
            },
            132 => return Ok(Some(Reply::Failed { reason: text() })),
            _ => return Err(wrong(format!("no reply has kind {kind}"))),
        };
        rest.end().map(|()| Some(reply))
    }
}

/// Where the arrays of an answer stand in the shared file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub hashes: u64,
    pub before: u64,
    pub after: u64,
    pub end: u64,
}

impl Layout {
    /// For so many particles, and at most so many sweeps. The codes stand at 0.
    pub fn new(particles: u32, sweeps: u32) -> Layout {
        let codes = u64::from(particles) * 4;
        let hashes = codes.next_multiple_of(8);
        let before = hashes + (u64::from(sweeps) + 1) * 8;
        let after = before + codes;
        Layout { hashes, before, after, end: after + codes }
    }
}

/// At most [`BODY_MAX`] bytes of a text.
fn clip(text: &str) -> &[u8] {
    &text.as_bytes()[..text.len().min(BODY_MAX as usize)]
}

fn write_frame(to: &mut impl Write, kind: u16, body: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(HEAD + body.len());
    frame.extend(MAGIC);
    frame.extend(VERSION.to_le_bytes());
    frame.extend(kind.to_le_bytes());
    frame.extend((body.len() as u32).to_le_bytes());
    frame.extend(body);
    to.write_all(&frame)
}

fn read_frame(from: &mut impl Read) -> io::Result<Option<(u16, Vec<u8>)>> {
    let mut head = [0; HEAD];
    // The first byte apart: an end before it is an end between frames.
    loop {
        match from.read(&mut head[..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    from.read_exact(&mut head[1..])?;
    let mut fields = Body(&head[4..]);
    let (version, kind, length) = (fields.two()?, fields.two()?, fields.four()?);
    if head[..4] != MAGIC {
        return Err(wrong("a frame that does not begin with CYGP".to_owned()));
    }
    if version != VERSION {
        return Err(wrong(format!("protocol version {version}, ours is {VERSION}")));
    }
    if length > BODY_MAX {
        return Err(wrong(format!("a body of {length} bytes, at most {BODY_MAX} are right")));
    }
    let mut body = vec![0; length as usize];
    from.read_exact(&mut body)?;
    Ok(Some((kind, body)))
}

/// What is not yet read of a body.
struct Body<'a>(&'a [u8]);

impl Body<'_> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let short = || wrong("a body that is too short".to_owned());
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or_else(short)?;
        self.0 = rest;
        Ok(*first)
    }

    fn two(&mut self) -> io::Result<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn four(&mut self) -> io::Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn eight(&mut self) -> io::Result<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn count(&mut self) -> io::Result<u32> {
        let count = self.four()?;
        let large = || wrong(format!("{count} elements, at most {BATCH_MAX} are right"));
        (count <= BATCH_MAX).then_some(count).ok_or_else(large)
    }

    fn end(&self) -> io::Result<()> {
        let long = || wrong("a body that is too long".to_owned());
        self.0.is_empty().then_some(()).ok_or_else(long)
    }
}

fn wrong(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requests() -> Vec<Request> {
        let parameters = Parameters {
            damping_atomics: 850_000_000_000_000_000,
            code_bits: 15,
            source_stake: u64::MAX,
            sweeps: 64,
            base_shift: 3,
        };
        vec![
            Request::Hello,
            Request::Clear,
            Request::Grow { particles: u32::MAX },
            Request::Links { count: BATCH_MAX },
            Request::Stakes { count: 1 },
            Request::Run { parameters, given: true, sample: 7 },
        ]
    }

    #[test]
    fn requests_and_replies_arrive_as_they_were_sent() {
        for request in requests() {
            let mut frame = Vec::new();
            request.write(&mut frame).expect("memory takes all");
            assert_eq!(Request::read(&mut &frame[..]).expect("whole"), Some(request));
            for end in 1..frame.len() {
                assert!(Request::read(&mut &frame[..end]).is_err(), "{end} bytes of a frame");
            }
        }
        let replies = [
            Reply::Ready { device: "a device".to_owned() },
            Reply::Done,
            Reply::Answer { particles: 1, sweeps: 2, changed: 3, total: u64::MAX },
            Reply::Failed { reason: "x".repeat(9000) },
        ];
        for reply in replies {
            let mut frame = Vec::new();
            reply.write(&mut frame).expect("memory takes all");
            let found = Reply::read(&mut &frame[..]).expect("whole");
            match (found, reply) {
                (Some(Reply::Failed { reason }), Reply::Failed { .. }) => {
                    assert_eq!(reason.len(), BODY_MAX as usize);
                }
                (found, reply) => assert_eq!(found, Some(reply)),
            }
        }
        assert_eq!(Reply::read(&mut &[][..]).expect("an end between frames"), None);
    }

    #[test]
    fn frames_of_another_version_kind_or_length_are_refused() {
        let mut frame = Vec::new();
        Request::Grow { particles: 1 }.write(&mut frame).expect("memory takes all");
        for (place, byte) in [(0, b'X'), (4, 2), (6, 99), (8, 5), (9, 0xff), (11, 0xff)] {
            let mut other = frame.clone();
            other[place] = byte;
            other.extend([0; 8]);
            assert!(Request::read(&mut &other[..]).is_err(), "byte {place}");
        }
        let mut many = Vec::new();
        Request::Links { count: BATCH_MAX + 1 }.write(&mut many).expect("memory takes all");
        assert!(Request::read(&mut &many[..]).is_err());
    }

    proptest! {
        #[test]
        fn noise_is_never_more_than_an_error(noise in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Request::read(&mut &noise[..]);
            let mut framed = Vec::new();
            write_frame(&mut framed, 131, &noise).expect("memory takes all");
            let _ = Reply::read(&mut &framed[..]);
        }
    }
}
