//! Frames: each request is its length as a varint, then that many bytes of protobuf.
//!
//! Invariants: the length is checked against its method's cap before memory is taken for it, and
//! memory grows with the bytes that came, not with those announced; bytes are read once and
//! requests are slices of what was read. This file decodes nothing but the length and the first
//! field number.

use super::method::{Method, SKIP_MAX, UNKNOWN_CAP};
use prost::bytes::{Buf, Bytes, BytesMut};
use std::io::{self, Read};

/// Why the stream cannot be followed any further.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// More than ten bytes, or more than 64 bits.
    #[error("a frame's length is no varint")]
    Length,
    /// Longer than its method allows.
    #[error("a {what} of {length} bytes, {cap} are allowed")]
    TooLong { what: &'static str, length: u64, cap: u64 },
}

/// What begins the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// None: an empty request or a field this protocol does not have.
    pub method: Option<Method>,
    /// The field number, 0 for an empty request.
    pub field: u64,
    /// Bytes of the request.
    length: u64,
    /// Bytes of the length before it.
    prefix: usize,
}

/// The next frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A request.
    Whole(Head, Bytes),
    /// A user's request that is too long; its bytes are read away.
    Skipped(Head, String),
}

impl Frame {
    /// Bytes that it holds in memory.
    pub fn length(&self) -> usize {
        match self {
            Frame::Whole(_, bytes) => bytes.len(),
            Frame::Skipped(_, text) => text.len(),
        }
    }
}

/// How much is read at once, in bytes: as much as a Unix socket holds by default.
const WINDOW: usize = 256 << 10;
const WINDOW_MIN: usize = 8 << 10;
/// Memory taken at once for a frame that was announced, in bytes.
const RESERVE_MAX: u64 = 16 << 20;

/// The frames of a stream.
pub struct Frames<R> {
    source: R,
    buffer: BytesMut,
    /// Bytes of a refused frame still to be thrown away.
    skip: u64,
    window: usize,
}

impl<R: Read> Frames<R> {
    /// Nothing read yet.
    pub fn new(source: R) -> Frames<R> {
        Frames { source, buffer: BytesMut::new(), skip: 0, window: WINDOW_MIN }
    }

    /// What begins the next frame, if enough of it has been read to tell.
    pub fn head(&mut self) -> Result<Option<Head>, FrameError> {
        let waste = self.skip.min(self.buffer.len() as u64);
        self.buffer.advance(usize::try_from(waste).expect("not above the buffer's length"));
        self.skip -= waste;
        if self.skip > 0 {
            return Ok(None);
        }
        let Some((length, prefix)) = varint(&self.buffer)? else { return Ok(None) };
        if length == 0 {
            return Ok(Some(Head { method: None, field: 0, length, prefix }));
        }
        let within = usize::try_from(length).unwrap_or(usize::MAX);
        let body = &self.buffer[prefix..];
        let known = body.len().min(within);
        let field = match varint(&body[..known]) {
            Ok(Some((tag, _))) => tag >> 3,
            // A tag of which the first bytes alone are here; past five bytes it is no tag.
            Ok(None) if known < within.min(5) => return Ok(None),
            Ok(None) | Err(_) => 0,
        };
        Ok(Some(Head { method: Method::from_field(field), field, length, prefix }))
    }

    /// The next frame, if all of it has been read.
    pub fn next_ready(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(head) = self.head()? else { return Ok(None) };
        let cap = head.method.map_or(UNKNOWN_CAP, Method::cap);
        if head.length > cap {
            let what = head.method.map_or("request of no known method", Method::name);
            let fault = FrameError::TooLong { what, length: head.length, cap };
            if !head.method.is_some_and(Method::is_a_users) || head.length > SKIP_MAX {
                return Err(fault);
            }
            self.skip = head.prefix as u64 + head.length;
            return Ok(Some(Frame::Skipped(head, fault.to_string())));
        }
        let length = usize::try_from(head.length).expect("capped");
        let missing = (head.prefix + length).saturating_sub(self.buffer.len());
        if missing > 0 {
            self.buffer.reserve(missing.min(RESERVE_MAX as usize));
            return Ok(None);
        }
        self.buffer.advance(head.prefix);
        let request = self.buffer.split_to(length).freeze();
        if head.length > RESERVE_MAX {
            // The memory of a genesis goes with the genesis.
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        Ok(Some(Frame::Whole(head, request)))
    }

    /// Reads more, waiting for it; false at the end of the stream.
    pub fn fill(&mut self) -> io::Result<bool> {
        let before = self.buffer.len();
        self.buffer.resize(before + self.window, 0);
        let read = loop {
            match self.source.read(&mut self.buffer[before..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => (),
                other => break other,
            }
        };
        let got = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(before + got);
        // A stream that fills the window gets a larger one, others stay cheap.
        self.window = if got == self.window { WINDOW } else { (got * 2).clamp(WINDOW_MIN, WINDOW) };
        read.map(|got| got > 0)
    }
}

/// A varint at the beginning and the bytes it takes; none if it is not all there yet.
fn varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        // The tenth byte holds the 64th bit alone.
        if at == 9 && *byte > 1 {
            return Err(FrameError::Length);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() >= 10 {
        return Err(FrameError::Length);
    }
    Ok(None)
}

/// Puts a reply behind those waiting to be written.
pub fn put(reply: &impl prost::Message, out: &mut Vec<u8>) {
    reply.encode_length_delimited(out).expect("a vector takes any length");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its pieces one by one, then the end.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let mut piece = self.0.remove(0);
            let count = piece.len().min(into.len());
            into[..count].copy_from_slice(&piece[..count]);
            if count < piece.len() {
                self.0.insert(0, piece.split_off(count));
            }
            Ok(count)
        }
    }

    fn frames(pieces: Vec<Vec<u8>>) -> Frames<Pieces> {
        Frames::new(Pieces(pieces))
    }

    /// All frames, and whether an error ended them.
    fn all(mut frames: Frames<Pieces>) -> (Vec<Frame>, Option<FrameError>) {
        let mut found = Vec::new();
        loop {
            match frames.next_ready() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) if frames.fill().expect("pieces do not fail") => (),
                Ok(None) => return (found, None),
                Err(e) => return (found, Some(e)),
            }
        }
    }

    #[test]
    fn frames_are_the_same_however_they_are_cut() {
        let check_tx = [vec![0x42, 200], vec![7; 200]].concat();
        let finalize = vec![0xa2, 0x01, 0x02, 0x28, 0x07];
        let mut stream = vec![0];
        for body in [&check_tx, &finalize, &vec![0x12, 0]] {
            prost::encoding::encode_varint(body.len() as u64, &mut stream);
            stream.extend_from_slice(body);
        }
        let (whole, fault) = all(frames(vec![stream.clone()]));
        assert!(fault.is_none());
        let methods: Vec<_> = whole
            .iter()
            .map(|frame| match frame {
                Frame::Whole(head, _) | Frame::Skipped(head, _) => head.method,
            })
            .collect();
        let expected =
            [None, Some(Method::CheckTx), Some(Method::FinalizeBlock), Some(Method::Flush)];
        assert_eq!(methods, expected);
        for size in 1..stream.len() {
            let pieces = stream.chunks(size).map(<[u8]>::to_vec).collect();
            assert_eq!(all(frames(pieces)).0, whole, "cut into {size}");
        }
    }

    #[test]
    fn a_length_is_refused_before_memory_is_taken() {
        // 1 TiB of FinalizeBlock, of an unknown method, of CheckTx.
        for tag in [vec![0xa2, 0x01], vec![0xfa, 0x01], vec![0x42]] {
            let mut stream = Vec::new();
            prost::encoding::encode_varint(1 << 40, &mut stream);
            stream.extend(tag);
            stream.extend([0; 8]);
            let mut frames = frames(vec![stream]);
            assert!(frames.fill().expect("pieces do not fail"));
            assert!(matches!(frames.next_ready(), Err(FrameError::TooLong { .. })));
            assert!(frames.buffer.capacity() < 1 << 20);
        }
    }

    #[test]
    fn the_memory_of_a_large_request_goes_with_it() {
        let long = 20 << 20;
        let mut stream = Vec::new();
        prost::encoding::encode_varint(long + 1, &mut stream);
        stream.push(0x2a);
        stream.extend(vec![9; long as usize]);
        stream.extend([2, 0x12, 0]);
        let mut frames = frames(vec![stream]);
        let request = loop {
            match frames.next_ready().expect("well formed") {
                Some(Frame::Whole(_, request)) => break request,
                _ => assert!(frames.fill().expect("pieces do not fail")),
            }
        };
        assert_eq!(request.len() as u64, long + 1);
        assert!(frames.buffer.capacity() < 1 << 20);
        while frames.fill().expect("pieces do not fail") {}
        let flush = frames.next_ready().expect("well formed").expect("all there");
        assert!(matches!(flush, Frame::Whole(head, _) if head.method == Some(Method::Flush)));
    }

    #[test]
    fn an_overlong_length_is_refused() {
        for stream in [vec![0xff; 10], vec![0x80; 10], vec![0x80; 11], vec![0xff; 300]] {
            let (found, fault) = all(frames(vec![stream]));
            assert!(found.is_empty() && matches!(fault, Some(FrameError::Length)));
        }
        let nine = [vec![0x80; 8], vec![0x01]].concat();
        assert!(matches!(varint(&nine), Ok(Some((0x100_0000_0000_0000, 9)))));
    }

    #[test]
    fn a_users_long_request_is_read_away() {
        let long = 2 << 20;
        let mut stream = Vec::new();
        prost::encoding::encode_varint(long + 1, &mut stream);
        stream.push(0x32);
        stream.extend(vec![9; long as usize]);
        stream.extend([2, 0x12, 0]);
        let (found, fault) = all(frames(vec![stream]));
        assert!(fault.is_none());
        assert!(matches!(&found[0], Frame::Skipped(head, _) if head.method == Some(Method::Query)));
        assert!(matches!(&found[1], Frame::Whole(head, _) if head.method == Some(Method::Flush)));
        assert_eq!(found.len(), 2);
    }
}
