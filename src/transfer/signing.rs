//! Signed requests and their answers: TSIG (RFC 8945), by NLnet Labs' `domain`.
//!
//! Whoever holds a key may ask anything by it, and gets a signed answer: a secondary asks for the SOA before it asks
//! for the zone, and believes neither without the signature.

use std::collections::HashMap;
use std::fmt;

use domain::base::iana::Rcode;
use domain::base::message_builder::{AdditionalBuilder, HashCompressor, OptBuilder, RecordSectionBuilder};
use domain::base::rdata::UnknownRecordData;
use domain::base::record::ParsedRecord;
use domain::base::wire::Composer;
use domain::base::{Message, MessageBuilder, Rtype};
use domain::dep::octseq::Array;
use domain::rdata::AllRecordData;
use domain::rdata::tsig::Time48;
use domain::tsig::{self, KeyName, ServerSequence};

use crate::wire::edns::PAYLOAD;
use crate::wire::name::Name;
use crate::wire::query::is_signed;

/// Keys by name and algorithm. Without any, every signed request is answered that its key is not known.
#[derive(Clone, Debug, Default)]
pub struct Keys(HashMap<(KeyName, tsig::Algorithm), tsig::Key>);

/// A secret that is shared with others.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// What both sides call it; in lower case.
    pub name: Name,
    /// How it signs.
    pub algorithm: Algorithm,
    /// Any octets.
    pub secret: Box<[u8]>,
}

/// Without the secret: this ends up in logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {:?})", self.name, self.algorithm)
    }
}

/// How signatures are made. MD5 is not among them, and all must be as long as they can be (RFC 8945 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `hmac-sha1`, not recommended but mandatory to have.
    Sha1,
    /// `hmac-sha256`, what everybody uses.
    Sha256,
    /// `hmac-sha384`.
    Sha384,
    /// `hmac-sha512`.
    Sha512,
}

impl Algorithm {
    /// Each with its word.
    pub const ALL: [(&str, Self); 4] = [
        ("hmac-sha256", Self::Sha256),
        ("hmac-sha384", Self::Sha384),
        ("hmac-sha512", Self::Sha512),
        ("hmac-sha1", Self::Sha1),
    ];

    fn domain(self) -> tsig::Algorithm {
        match self {
            Self::Sha1 => tsig::Algorithm::Sha1,
            Self::Sha256 => tsig::Algorithm::Sha256,
            Self::Sha384 => tsig::Algorithm::Sha384,
            Self::Sha512 => tsig::Algorithm::Sha512,
        }
    }
}

impl Key {
    /// As the library has it; `None` only where the name were none.
    pub(super) fn loaded(&self) -> Option<tsig::Key> {
        tsig::Key::new(self.algorithm.domain(), &self.secret, key_name(&self.name)?, None, None).ok()
    }
}

impl Keys {
    /// These keys; of two of one name and algorithm, the last.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Self {
        let keys = keys.into_iter().filter_map(Key::loaded);
        Self(keys.map(|key| ((key.name().clone(), key.algorithm()), key)).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn key_name(name: &Name) -> Option<KeyName> {
    KeyName::from_octets(Array::try_from(name.as_wire()).ok()?).ok()
}

/// What a request turns out to be.
#[derive(Debug)]
pub(super) enum Opened {
    /// Without a signature.
    Plain,
    /// With a good one: the request without it, and who signs what is answered.
    Signed(Vec<u8>, Box<Signer>),
    /// With a bad one: what to send.
    Refused(Vec<u8>),
}

/// Looks whether `request` is signed, and by whom. `now` is in seconds since 1970.
///
/// Takes a signature to verify, so a flood of requests that name a known key costs that much each.
pub(super) fn open(keys: &Keys, request: &[u8], now: u64) -> Opened {
    if !is_signed(request) {
        return Opened::Plain;
    }
    let Ok(mut message) = Message::from_octets(request.to_vec()) else { return Opened::Plain };
    match ServerSequence::request(&keys.0, &mut message, Time48::from_u64(now)) {
        // The reader saw a TSIG record that was not the last: RFC 8945 §5.1, as anything that is malformed.
        Ok(None) => Opened::Plain,
        Ok(Some(sequence)) => Opened::Signed(unsigned(&message), Box::new(Signer(sequence))),
        Err(error) => {
            // The message still has its signature: the error's answer repeats some of it.
            let builder = MessageBuilder::new_vec();
            Opened::Refused(error.build_message(&message, builder).map(AdditionalBuilder::finish).unwrap_or_default())
        }
    }
}

/// The message as its header counts: the library takes the signature out of the count and leaves its octets.
fn unsigned(message: &Message<Vec<u8>>) -> Vec<u8> {
    message.as_slice().to_vec()
}

/// Octets of a TSIG record beside the name of its key (RFC 8945 §4.2): 10 of the record, 13 of the longest name of an
/// algorithm, 16 of the fields that are always there, 64 of the longest signature, 6 of a time for an error.
const SIGNATURE_OCTETS_BESIDE_NAME: usize = 10 + 13 + 16 + 64 + 6;

/// How much of a response is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    /// The question and the OPT record, marked as cut.
    Cut,
}

type Section = AdditionalBuilder<HashCompressor<Vec<u8>>>;

/// `response` as the library builds it.
fn copy(response: &[u8], extent: Extent) -> Option<Section> {
    let response = Message::from_octets(response).ok()?;
    let mut builder = MessageBuilder::from_target(HashCompressor::new(Vec::new())).ok()?;
    *builder.header_mut() = response.header();
    let mut section = builder.question();
    let (questions, answers, authorities, additionals) = response.sections().ok()?;
    for question in questions {
        section.push(question.ok()?).ok()?;
    }
    if extent == Extent::Cut {
        let mut section = section.additional();
        section.header_mut().set_tc(true);
        for record in additionals.filter(|record| record.as_ref().is_ok_and(|record| record.rtype() == Rtype::OPT)) {
            push(&mut section, record.ok()?)?;
        }
        return Some(section);
    }
    let mut section = section.answer();
    for record in answers {
        push(&mut section, record.ok()?)?;
    }
    let mut section = section.authority();
    for record in authorities {
        push(&mut section, record.ok()?)?;
    }
    let mut section = section.additional();
    for record in additionals {
        push(&mut section, record.ok()?)?;
    }
    Some(section)
}

/// Types whose names may be compressed are known to the library (RFC 3597 §4); what it does not know is copied.
fn push(
    section: &mut impl RecordSectionBuilder<HashCompressor<Vec<u8>>>,
    record: ParsedRecord<'_, &[u8]>,
) -> Option<()> {
    match record.to_record::<AllRecordData<_, _>>() {
        Ok(Some(record)) => section.push(record).ok(),
        _ => section.push(record.into_record::<UnknownRecordData<_>>().ok()??).ok(),
    }
}

/// `rcode` and nothing else to `request`, with an OPT record where it has one, signed by `signer` at `now`.
pub(super) fn refusal(request: &[u8], signer: Option<&mut Signer>, rcode: Rcode, now: u64) -> Option<Vec<u8>> {
    let request = Message::from_octets(request).ok()?;
    let mut section = MessageBuilder::new_vec().start_answer(&request, rcode).ok()?.additional();
    put_opt(&request, &mut section)?;
    if let Some(signer) = signer {
        signer.finish(&mut section, now)?;
    }
    Some(section.finish())
}

/// Puts an OPT record into the response to `request`, where that has one (RFC 6891 §6.1.1).
pub(super) fn put_opt<T: Composer>(
    request: &Message<impl AsRef<[u8]>>,
    section: &mut AdditionalBuilder<T>,
) -> Option<()> {
    if Message::from_octets(request.as_slice()).ok()?.opt().is_none() {
        return Some(());
    }
    let plain = |opt: &mut OptBuilder<'_, T>| {
        opt.set_udp_payload_size(PAYLOAD);
        Ok(())
    };
    section.opt(plain).ok()
}

/// Signs the answers to one request, in order; each at a time of its own, in seconds since 1970, since whoever verifies
/// them takes none that is more than five minutes old (RFC 8945 §5.2.3, §10).
pub struct Signer(ServerSequence<tsig::Key>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.0.key().name())
    }
}

impl Signer {
    /// Whether the request was signed with the key of this name.
    pub fn is(&self, key: &Name) -> bool {
        key_name(key).is_some_and(|name| self.0.key().name() == &name)
    }

    /// `response` with a signature, in `limit` octets at the most: where they do not suffice it is cut to its question,
    /// and says so (RFC 8945 §5.3). Empty should it not be a message, which an answer of ours always is.
    pub fn sign(&mut self, response: &[u8], limit: usize, now: u64) -> Vec<u8> {
        let room = limit.saturating_sub(self.signature_octets_max());
        let whole = copy(response, Extent::Whole).filter(|copy| copy.as_slice().len() <= room);
        let section = whole.or_else(|| copy(response, Extent::Cut));
        let signed = section.and_then(|mut section| {
            self.finish(&mut section, now)?;
            Some(section.finish().into_target())
        });
        signed.unwrap_or_default()
    }

    /// Octets of the record that signs, at the most.
    fn signature_octets_max(&self) -> usize {
        self.0.key().name().as_slice().len() + SIGNATURE_OCTETS_BESIDE_NAME
    }

    /// Signs a message that is whole but for its signature.
    pub(super) fn finish<T: Composer>(&mut self, message: &mut AdditionalBuilder<T>, now: u64) -> Option<()> {
        self.0.answer(message, Time48::from_u64(now)).ok()
    }
}
