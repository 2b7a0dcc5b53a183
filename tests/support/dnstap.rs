//! dnstap read independently of what writes it: Frame Streams and Protocol Buffers taken apart by hand.

use std::collections::BTreeMap;
use std::io::{self, Read, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use super::PATIENCE;

const CONTENT_TYPE: &[u8] = b"protobuf:dnstap.Dnstap";

/// What a reader meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A control frame: its type, and the content type that it names.
    Control(u32, Vec<u8>),
    Data(Vec<u8>),
}

/// One frame; `None` at the end.
pub(crate) fn read_frame(from: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut sized = |length: [u8; 4]| -> io::Result<Vec<u8>> {
        let mut octets = vec![0; u32::from_be_bytes(length) as usize];
        from.read_exact(&mut octets)?;
        Ok(octets)
    };
    if length != [0; 4] {
        return Ok(Some(Frame::Data(sized(length)?)));
    }
    let length = sized([0, 0, 0, 4])?.try_into().expect("four octets");
    let control = sized(length)?;
    let (kind, fields) = control.split_at(4);
    let content = match fields {
        [] => Vec::new(),
        // One field: type 1, length, value.
        [0, 0, 0, 1, _, _, _, length, content @ ..] if content.len() == usize::from(*length) => content.to_vec(),
        other => panic!("not a control frame's fields: {other:?}"),
    };
    Ok(Some(Frame::Control(u32::from_be_bytes(kind.try_into().expect("four octets")), content)))
}

/// The payloads of a file that began and ended in order.
pub(crate) fn read_file(path: &Path) -> Vec<Logged> {
    let octets = std::fs::read(path).expect("a file");
    let mut rest = &octets[..];
    let mut frames = Vec::new();
    while let Some(frame) = read_frame(&mut rest).expect("whole frames") {
        frames.push(frame);
    }
    assert_eq!(frames.first(), Some(&Frame::Control(2, CONTENT_TYPE.to_vec())), "START");
    assert_eq!(frames.last(), Some(&Frame::Control(3, Vec::new())), "STOP");
    frames[1..frames.len() - 1].iter().map(Logged::of).collect()
}

/// The fields of a protobuf message by number: numbers, octets and fixed ones of 32 bits.
fn fields(mut octets: &[u8]) -> BTreeMap<u64, Value> {
    let mut fields = BTreeMap::new();
    let varint = |octets: &mut &[u8]| -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (&octet, rest) = octets.split_first().expect("a varint ends");
            *octets = rest;
            value |= u64::from(octet & 0x7f) << shift;
            shift += 7;
            if octet < 0x80 {
                return value;
            }
        }
    };
    while !octets.is_empty() {
        let tag = varint(&mut octets);
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut octets)),
            2 => {
                let length = varint(&mut octets) as usize;
                let (value, rest) = octets.split_at(length);
                octets = rest;
                Value::Octets(value.to_vec())
            }
            5 => {
                let (value, rest) = octets.split_at(4);
                octets = rest;
                Value::Number(u32::from_le_bytes(value.try_into().expect("four octets")).into())
            }
            other => panic!("wire type {other} is not in the schema"),
        };
        assert!(fields.insert(tag >> 3, value).is_none(), "field {} stands twice", tag >> 3);
    }
    fields
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(u64),
    Octets(Vec<u8>),
}

/// A `Dnstap` message of the schema with its `Message`.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    outer: BTreeMap<u64, Value>,
    inner: BTreeMap<u64, Value>,
}

impl Logged {
    fn of(frame: &Frame) -> Self {
        let Frame::Data(octets) = frame else { panic!("a control frame among the data: {frame:?}") };
        let outer = fields(octets);
        assert_eq!(outer.get(&15), Some(&Value::Number(1)), "the type is MESSAGE");
        let Some(Value::Octets(message)) = outer.get(&14) else { panic!("no message: {outer:?}") };
        Self { inner: fields(message), outer }
    }

    /// A number of the inner message.
    pub(crate) fn number(&self, field: u64) -> Option<u64> {
        match self.inner.get(&field)? {
            Value::Number(number) => Some(*number),
            Value::Octets(_) => panic!("field {field} is octets"),
        }
    }

    /// Octets of the inner message.
    pub(crate) fn octets(&self, field: u64) -> Option<&[u8]> {
        match self.inner.get(&field)? {
            Value::Octets(octets) => Some(octets),
            Value::Number(_) => panic!("field {field} is a number"),
        }
    }

    /// A text of the outer message: 1 identity, 2 version, 3 extra.
    pub(crate) fn text(&self, field: u64) -> Option<&str> {
        match self.outer.get(&field)? {
            Value::Octets(octets) => Some(std::str::from_utf8(octets).expect("text")),
            Value::Number(_) => panic!("field {field} is a number"),
        }
    }
}

/// A reader on a Unix socket.
pub(crate) struct Reader(UnixListener);

impl Reader {
    pub(crate) fn at(path: &Path) -> Self {
        Self(UnixListener::bind(path).expect("a socket of its own"))
    }

    /// Greets the next writer.
    pub(crate) fn greet(&self) -> Greeted {
        let (mut stream, _) = self.0.accept().expect("a writer comes");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut control = || read_frame(&mut stream).expect("a frame").expect("not the end");
        assert_eq!(control(), Frame::Control(4, CONTENT_TYPE.to_vec()), "READY");
        let accept = [&[0, 0, 0, 0, 0, 0, 0, 34, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 22], CONTENT_TYPE].concat();
        stream.write_all(&accept).expect("ACCEPT");
        let started = read_frame(&mut stream).expect("a frame");
        assert_eq!(started, Some(Frame::Control(2, CONTENT_TYPE.to_vec())), "START");
        Greeted(stream)
    }
}

/// A writer that has been greeted. Dropped, the reader is gone.
pub(crate) struct Greeted(UnixStream);

impl Greeted {
    /// The next message; `None` when the writer has ended in order, which is confirmed to it.
    pub(crate) fn next(&mut self) -> Option<Logged> {
        match read_frame(&mut self.0).expect("a frame") {
            Some(Frame::Control(3, _)) => {
                self.0.write_all(&[0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5]).expect("FINISH");
                None
            }
            Some(frame) => Some(Logged::of(&frame)),
            None => panic!("the writer has gone without a word"),
        }
    }

    /// As [`next`](Self::next), if it comes within `limit`.
    pub(crate) fn next_within(&mut self, limit: Duration) -> Option<Logged> {
        self.0.set_read_timeout(Some(limit)).expect("a timeout");
        let mut first = [0];
        let ready = self.0.peek_one(&mut first);
        self.0.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        if ready { self.next() } else { None }
    }
}

trait PeekOne {
    fn peek_one(&self, octet: &mut [u8; 1]) -> bool;
}

impl PeekOne for UnixStream {
    /// Whether an octet comes before the timeout.
    fn peek_one(&self, octet: &mut [u8; 1]) -> bool {
        let mut room = [std::mem::MaybeUninit::new(octet[0])];
        matches!(socket2::SockRef::from(self).peek(&mut room), Ok(1))
    }
}
