//! Frame Streams: data frames behind their length, and the control frames that begin and end them.
//!
//! ```text
//!   data     length (4 octets, not 0), that many octets
//!   control  0 (4 octets), length (4 octets), type (4 octets), fields
//!   field    type (4 octets), length (4 octets), that many octets
//! ```
//!
//! All numbers are big-endian. To a file go START, data, STOP. Over a socket the writer says READY, with what it would
//! send, the reader ACCEPT, with what of that it takes, then come START, data, STOP, and from the reader FINISH.
//!
//! Source: the description of the protocol in fstrm's `fstrm/control.h`. Own code, as the one crate for it (framestream
//! 0.1) knows no handshake and has been left alone since 2020.

use std::io::{self, Read};

/// What the frames hold, as the two sides of a handshake call it.
pub const CONTENT_TYPE: &[u8] = b"protobuf:dnstap.Dnstap";

/// The longest control frame, as fstrm has it.
const CONTROL_OCTETS_MAX: usize = 512;

/// A field that says what the frames hold.
const FIELD_CONTENT_TYPE: u32 = 1;

/// The types of control frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The reader takes these frames.
    Accept = 1,
    /// Data follows.
    Start = 2,
    /// No more does.
    Stop = 3,
    /// The writer would send these frames.
    Ready = 4,
    /// The reader has had everything.
    Finish = 5,
}

impl Control {
    /// The whole frame; all but those at the end name the content.
    pub fn frame(self) -> Vec<u8> {
        let mut body = (self as u32).to_be_bytes().to_vec();
        if !matches!(self, Self::Stop | Self::Finish) {
            body.extend_from_slice(&FIELD_CONTENT_TYPE.to_be_bytes());
            body.extend_from_slice(&(CONTENT_TYPE.len() as u32).to_be_bytes());
            body.extend_from_slice(CONTENT_TYPE);
        }
        [&0_u32.to_be_bytes()[..], &(body.len() as u32).to_be_bytes(), &body].concat()
    }
}

/// Reads control frames until one of the type `wanted` is there.
///
/// # Errors
/// As the reader; [`io::ErrorKind::InvalidData`] when something else comes, or what is accepted is not
/// [`CONTENT_TYPE`].
pub fn await_control(from: &mut impl Read, wanted: Control) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("not a reader of dnstap: {what}"));
    let mut number = || -> io::Result<u32> {
        let mut octets = [0; 4];
        from.read_exact(&mut octets)?;
        Ok(u32::from_be_bytes(octets))
    };
    if number()? != 0 {
        return Err(wrong("it sends data"));
    }
    let length = number()? as usize;
    if !(4..=CONTROL_OCTETS_MAX).contains(&length) {
        return Err(wrong("it sends a control frame of a wrong length"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    let (kind, mut fields) = body.split_at(4);
    if kind != (wanted as u32).to_be_bytes() {
        return Err(wrong("it sends another control frame than the protocol has next"));
    }
    let (mut any, mut ours) = (false, false);
    while let Some((head, rest)) = fields.split_first_chunk::<8>() {
        let [.., a, b, c, d] = *head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let value = rest.get(..length).ok_or_else(|| wrong("it sends a field that breaks off"))?;
        if head.starts_with(&FIELD_CONTENT_TYPE.to_be_bytes()) {
            any = true;
            ours |= value == CONTENT_TYPE;
        }
        fields = rest.get(length..).unwrap_or_default();
    }
    // A reader that names nothing takes everything.
    if any && !ours { Err(wrong("it takes other contents")) } else { Ok(()) }
}

/// Frames that wait to be written, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    octets: Vec<u8>,
    count: u64,
}

impl Frames {
    /// Puts a data frame behind the others.
    pub fn push(&mut self, message: &impl prost::Message) {
        let length = message.encoded_len();
        // A message is a few kilobytes at the most.
        let Ok(length @ 1..) = u32::try_from(length) else { return };
        self.octets.extend_from_slice(&length.to_be_bytes());
        // A vector grows as it must.
        let _ = message.encode(&mut self.octets);
        self.count += 1;
    }

    /// All of them.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them are whole in the first `written` octets, and how many octets those are.
    pub fn whole_in(&self, written: usize) -> (u64, usize) {
        let (mut whole, mut at) = (0, 0);
        while let Some(length) = self.octets.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
            let end = at + 4 + u32::from_be_bytes(*length) as usize;
            if end > written {
                break;
            }
            (whole, at) = (whole + 1, end);
        }
        (whole, at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Dnstap;
    use super::*;

    #[test]
    fn control_frames_are_as_the_protocol_has_them() {
        let start = Control::Start.frame();
        assert_eq!(start, b"\0\0\0\0\0\0\0\x22\0\0\0\x02\0\0\0\x01\0\0\0\x16protobuf:dnstap.Dnstap");
        assert_eq!(Control::Stop.frame(), b"\0\0\0\0\0\0\0\x04\0\0\0\x03");
        for control in [Control::Accept, Control::Start, Control::Stop, Control::Ready, Control::Finish] {
            assert_eq!(await_control(&mut &*control.frame(), control).ok(), Some(()), "{control:?}");
        }
    }

    #[test]
    fn another_reader_is_told_from_one_of_dnstap() {
        let check = |octets: &[u8], says: &str| {
            let error = await_control(&mut &*octets, Control::Accept).expect_err("a fault");
            assert!(error.to_string().contains(says), "{octets:?}: {error}");
        };
        check(b"HTTP/1.1 400", "it sends data");
        check(b"\0\0\0\0\0\0\0\x03\0\0\0", "wrong length");
        check(b"\0\0\0\0\0\0\x02\x01", "wrong length");
        check(b"\0\0\0\0\0\0\0\x04\0\0\0\x05", "another control frame");
        check(b"\0\0\0\0\0\0\0\x0f\0\0\0\x01\0\0\0\x01\0\0\0\x03abc", "other contents");
        check(b"\0\0\0\0\0\0\0\x0f\0\0\0\x01\0\0\0\x01\0\0\0\x04abc", "breaks off");
        check(b"\0\0\0\0\0\0\0\x22", "fill whole buffer");
        check(b"", "fill whole buffer");
        assert!(await_control(&mut &b"\0\0\0\0\0\0\0\x04\0\0\0\x01"[..], Control::Accept).is_ok(), "takes everything");
    }

    #[test]
    fn whole_frames_are_counted() {
        let mut frames = Frames::default();
        for _ in 0..3 {
            frames.push(&Dnstap { kind: 1, ..Dnstap::default() });
        }
        let each = frames.octets().len() / 3;
        assert_eq!((frames.count(), each), (3, 4 + 2));
        for (written, whole) in [(0, 0), (5, 0), (6, 1), (11, 1), (12, 2), (18, 3), (99, 3)] {
            assert_eq!(frames.whole_in(written), (whole, whole as usize * each), "{written}");
        }
    }
}
