//! From the tokens of a record to its rdata in wire form, field by field as the type's line in
//! [`crate::wire::rtype`] says, or as `\# length hex` (RFC 3597 §5).
//!
//! The kinds that exist for one type are in [`super::odd`] and [`super::parameters`].

use std::net::{Ipv4Addr, Ipv6Addr};

use super::fault::{Fault, Reading, shown};
use super::names::Names;
use super::number::{date, decimal, period};
use super::scan::{Scanner, Token};
use crate::diagnostic::{nearest, plural};
use crate::wire::field::Kind;
use crate::wire::name::{NAME_OCTETS_MAX, escaped};
use crate::wire::rdata;
use crate::wire::rtype::{Form, Rtype};

/// Octets of rdata: its length is a 16-bit number (RFC 1035 §3.2.1).
const RDATA_OCTETS_MAX: usize = 65_535;

/// One record's rdata on its way from tokens to octets.
#[derive(Debug)]
pub(super) struct Fields<'r, 'a> {
    pub(super) scanner: &'r mut Scanner<'a>,
    pub(super) names: &'r mut Names,
    pub(super) rtype: Rtype,
    /// Where the last token ended: where a missing field is missed.
    pub(super) end: usize,
    /// Receives the rdata; empty at the start.
    pub(super) out: &'r mut Vec<u8>,
    /// The field in progress, for messages.
    pub(super) field: &'static str,
    /// A token that was looked at and is still to be read.
    pub(super) pushed: Option<Token<'a>>,
}

impl<'a> Fields<'_, 'a> {
    /// Reads all of the rdata, to the end of the entry.
    pub(super) fn read(mut self) -> Reading<()> {
        let first = self.next()?;
        match first {
            Some(token) if !token.quoted && token.text == b"\\#" => self.generic(token)?,
            _ => {
                self.pushed = first;
                self.typed()?;
            }
        }
        if let Some(extra) = self.next()? {
            let message =
                format!("{} takes nothing after its {}, but `{}` follows", self.rtype, self.field, shown(extra.text));
            return Err(extra.fault(message));
        }
        if self.out.len() > RDATA_OCTETS_MAX {
            let message = format!("rdata of {} octets; at most {RDATA_OCTETS_MAX} fit a record", self.out.len());
            return Err(Fault::at(self.end.saturating_sub(1), self.end, message));
        }
        Ok(())
    }

    fn typed(&mut self) -> Reading<()> {
        let Some(Form::Fields(fields)) = self.rtype.definition().map(|definition| definition.form) else {
            let message = format!("the rdata of {} has no text form of its own", self.rtype);
            let at = self.pushed.map_or((self.end, self.end), |token| (token.start, token.end()));
            return Err(Fault::at(at.0, at.1, message).help("write it as `\\# length hex`, RFC 3597 §5"));
        };
        let mut before = None;
        for &(name, kind) in fields {
            self.field = name;
            let start = self.out.len();
            if kind == Kind::Digest {
                self.digest(before)?
            } else {
                self.field(kind)?
            }
            before = self.out.get(start).map(|&octet| (kind, octet));
        }
        Ok(())
    }

    fn field(&mut self, kind: Kind) -> Reading<()> {
        match kind {
            Kind::Name | Kind::CompressibleName => self.name(),
            Kind::U8 => self.number(0xff).map(|value| self.out.push(value.to_be_bytes()[3])),
            Kind::U16 => self.number(0xffff).map(|value| self.out.extend_from_slice(&value.to_be_bytes()[2..])),
            Kind::U32 => self.number(u32::MAX).map(|value| self.out.extend_from_slice(&value.to_be_bytes())),
            Kind::Period => self.period(),
            Kind::Time => self.time(),
            Kind::Ip4 => self.ip4(),
            Kind::Ip6 => self.ip6(),
            Kind::CharStr => self.char_str(),
            Kind::OptionalCharStr => self.peek()?.map_or(Ok(()), |_| self.char_str()),
            Kind::CharStrs => self.char_strs(),
            Kind::Text => self.required().and_then(|token| self.unescape(token)),
            Kind::Tag => self.tag(),
            Kind::Hex | Kind::Digest => self.digits(HEX),
            Kind::Base64 => self.digits(BASE64),
            Kind::OptionalBase64 => self.optional_base64(),
            Kind::Salt => self.salt(),
            Kind::Hash => self.hash(),
            Kind::Types => self.types(true),
            Kind::OptionalTypes => self.types(false),
            Kind::Type => self.rtype_number(),
            Kind::Algorithm => self.coded(ALGORITHMS, 0xff),
            Kind::DigestType => self.coded(DIGEST_TYPES, 0xff),
            Kind::ZoneDigestType | Kind::FingerprintType => self.coded(&[], 0xff),
            Kind::SyncScheme => self.coded(&[("NOTIFY", 1)], 0xff),
            Kind::CertificateType => self.coded(CERTIFICATE_TYPES, 0xffff),
            Kind::Protocol => self.coded(&[("TCP", 6), ("UDP", 17)], 0xff),
            Kind::Eui48 => self.eui(6),
            Kind::Eui64 => self.eui(8),
            Kind::Locator => self.locator(),
            Kind::Nsap => self.nsap(),
            Kind::Ports => self.ports(),
            Kind::Location => self.location(),
            Kind::Prefixes => self.prefixes(),
            Kind::Gateway => self.gateway(),
            Kind::Relay => self.relay(),
            Kind::HostIdentity => self.host_identity(),
            Kind::Parameters => self.parameters(),
        }
    }

    /// `\# length hex`; what a known type gets this way must have its shape.
    fn generic(&mut self, mark: Token<'a>) -> Reading<()> {
        self.field = "length";
        let length = self.number(0xffff)?;
        self.field = "hexadecimal rdata";
        if length > 0 || self.peek()?.is_some() {
            self.digits(HEX)?;
        }
        let fault = |message: String| Fault::at(mark.start, self.end, message);
        if self.out.len() != length as usize {
            return Err(fault(format!(
                "`\\#` announces {}, but {} follow",
                plural(length as usize, "octet"),
                self.out.len()
            )));
        }
        match rdata::check(self.rtype, self.out) {
            Ok(()) => Ok(()),
            Err("end") => Err(fault(format!("these octets go on after the end of {} rdata", self.rtype))),
            Err(field) => Err(fault(format!("these octets are no {} rdata: its {field} is malformed", self.rtype))),
        }
    }

    /// The next token, if the entry has one.
    pub(super) fn next(&mut self) -> Reading<Option<Token<'a>>> {
        if let Some(token) = self.pushed.take() {
            return Ok(Some(token));
        }
        let token = self.scanner.token()?;
        if let Some(token) = token {
            self.end = token.end();
        }
        Ok(token)
    }

    /// The next token, to be read again.
    pub(super) fn peek(&mut self) -> Reading<Option<Token<'a>>> {
        self.pushed = self.next()?;
        Ok(self.pushed)
    }

    /// The next token, which the field needs.
    pub(super) fn required(&mut self) -> Reading<Token<'a>> {
        self.next()?.ok_or_else(|| Fault::at(self.end, self.end, format!("{} lacks its {}", self.rtype, self.field)))
    }

    /// The fault of a value that is not what the field takes: `expected` finishes "must be …".
    pub(super) fn refuse(&self, token: Token<'_>, expected: &str) -> Box<Fault> {
        token.fault(format!("{} {} must be {expected}, not `{}`", self.rtype, self.field, shown(token.text)))
    }

    pub(super) fn name(&mut self) -> Reading<()> {
        let token = self.required()?;
        self.name_of(token)
    }

    pub(super) fn name_of(&mut self, token: Token<'_>) -> Reading<()> {
        let mut octets = [0; NAME_OCTETS_MAX];
        let length = self.names.read(token, &mut octets)?;
        self.out.extend_from_slice(&octets[..length]);
        Ok(())
    }

    pub(super) fn number(&mut self, most: u32) -> Reading<u32> {
        let token = self.required()?;
        let value = decimal(token.text).and_then(|value| u32::try_from(value).ok()).filter(|&value| value <= most);
        value.ok_or_else(|| self.refuse(token, &format!("a number from 0 to {most}")))
    }

    fn period(&mut self) -> Reading<()> {
        let token = self.required()?;
        let seconds = period(token.text).and_then(|seconds| u32::try_from(seconds).ok());
        let expected = "seconds from 0 to 4294967295, or with units such as `1h30m`";
        let seconds = seconds.ok_or_else(|| self.refuse(token, expected))?;
        self.out.extend_from_slice(&seconds.to_be_bytes());
        Ok(())
    }

    fn time(&mut self) -> Reading<()> {
        let token = self.required()?;
        let number = || decimal(token.text).and_then(|seconds| u32::try_from(seconds).ok());
        let seconds = date(token.text).or_else(number);
        let seconds = seconds.ok_or_else(|| self.refuse(token, "a date YYYYMMDDHHmmSS or seconds up to 4294967295"))?;
        self.out.extend_from_slice(&seconds.to_be_bytes());
        Ok(())
    }

    fn ip4(&mut self) -> Reading<()> {
        let token = self.required()?;
        let address: Ipv4Addr = parsed(token).ok_or_else(|| {
            let fault = self.refuse(token, "an IPv4 address");
            match parsed::<Ipv6Addr>(token) {
                Some(_) if self.rtype == Rtype::A => fault.help("an IPv6 address goes into an AAAA record"),
                _ => fault,
            }
        })?;
        self.out.extend_from_slice(&address.octets());
        Ok(())
    }

    fn ip6(&mut self) -> Reading<()> {
        let token = self.required()?;
        let address: Ipv6Addr = parsed(token).ok_or_else(|| {
            let fault = self.refuse(token, "an IPv6 address");
            match parsed::<Ipv4Addr>(token) {
                Some(_) if self.rtype == Rtype::AAAA => fault.help("an IPv4 address goes into an A record"),
                _ => fault,
            }
        })?;
        self.out.extend_from_slice(&address.octets());
        Ok(())
    }

    fn char_str(&mut self) -> Reading<()> {
        let token = self.required()?;
        self.char_str_of(token)
    }

    fn char_str_of(&mut self, token: Token<'_>) -> Reading<()> {
        let at = self.out.len();
        self.out.push(0);
        self.unescape(token)?;
        let octets = self.out.len() - at - 1;
        self.out[at] = u8::try_from(octets).map_err(|_| {
            token
                .fault(format!("{} {} is a string of {octets} octets; at most 255 fit", self.rtype, self.field))
                .help("split it into several strings, each in quotes")
        })?;
        Ok(())
    }

    fn char_strs(&mut self) -> Reading<()> {
        self.char_str()?;
        while let Some(token) = self.next()? {
            self.char_str_of(token)?;
        }
        Ok(())
    }

    /// Appends the octets that a string stands for.
    pub(super) fn unescape(&mut self, token: Token<'_>) -> Reading<()> {
        let mut rest = token.text;
        while let Some(at) = rest.iter().position(|&octet| octet == b'\\') {
            let (plain, from) = rest.split_at(at);
            self.out.extend_from_slice(plain);
            let Some((octet, after)) = escaped(&from[1..]) else {
                let expected = "free of a backslash that neither a character nor three digits up to 255 follow";
                return Err(self.refuse(token, expected).help("a backslash itself is written `\\\\`"));
            };
            self.out.push(octet);
            rest = after;
        }
        self.out.extend_from_slice(rest);
        Ok(())
    }

    fn tag(&mut self) -> Reading<()> {
        let token = self.required()?;
        let valid = (1..=255).contains(&token.text.len()) && token.text.iter().all(u8::is_ascii_alphanumeric);
        if !valid {
            return Err(self.refuse(token, "1 to 255 letters and digits"));
        }
        self.char_str_of(token)
    }

    fn digest(&mut self, before: Option<(Kind, u8)>) -> Reading<()> {
        let at = self.out.len();
        let first = self.peek()?.map_or(self.end, |token| token.start);
        self.digits(HEX)?;
        let octets = self.out.len() - at;
        let fault = |expected: String| {
            let message = format!("{} {} must be {expected}, not {octets}", self.rtype, self.field);
            Err(Fault::at(first, self.end, message))
        };
        match (rdata::digest_length(before), before) {
            (Some(expected), Some((_, digest_type))) if expected != octets => {
                fault(format!("{expected} octets for type {digest_type}"))
            }
            (_, Some((Kind::ZoneDigestType, _))) if octets < 12 => fault("at least 12 octets".to_owned()),
            _ => Ok(()),
        }
    }

    /// All tokens to the end as one run of digits: at least one octet.
    fn digits(&mut self, radix: Radix) -> Reading<()> {
        let mut run = Run::new(radix);
        let mut last = self.required()?;
        loop {
            self.run(&mut run, last)?;
            match self.next()? {
                Some(token) => last = token,
                None => return self.run_end(&run, last),
            }
        }
    }

    /// One token as a whole run of digits.
    pub(super) fn digits_of(&mut self, token: Token<'_>, radix: Radix) -> Reading<()> {
        let mut run = Run::new(radix);
        self.run(&mut run, token)?;
        self.run_end(&run, token)
    }

    pub(super) fn hex_of(&mut self, token: Token<'_>) -> Reading<()> {
        self.digits_of(token, HEX)
    }

    pub(super) fn base64_of(&mut self, token: Token<'_>) -> Reading<()> {
        self.digits_of(token, BASE64)
    }

    /// All tokens to the end in base64: at least one octet.
    pub(super) fn base64(&mut self) -> Reading<()> {
        self.digits(BASE64)
    }

    fn run(&mut self, run: &mut Run, token: Token<'_>) -> Reading<()> {
        for &digit in token.text {
            run.push(digit, self.out).ok_or_else(|| self.refuse(token, run.radix.name))?;
        }
        Ok(())
    }

    fn run_end(&self, run: &Run, token: Token<'_>) -> Reading<()> {
        if run.is_whole() {
            return Ok(());
        }
        Err(self.refuse(token, &format!("whole octets of {}", run.radix.name)).help(run.radix.whole))
    }

    fn optional_base64(&mut self) -> Reading<()> {
        match self.next()? {
            Some(token) if token.text == b"-" => Ok(()),
            token => {
                self.pushed = token;
                self.digits(BASE64)
            }
        }
    }

    fn salt(&mut self) -> Reading<()> {
        let token = self.required()?;
        let at = self.out.len();
        self.out.push(0);
        if token.text != b"-" {
            self.digits_of(token, HEX)?;
        }
        self.out[at] = u8::try_from(self.out.len() - at - 1)
            .map_err(|_| self.refuse(token, "`-` or at most 255 octets of hexadecimal"))?;
        Ok(())
    }

    fn hash(&mut self) -> Reading<()> {
        let token = self.required()?;
        let at = self.out.len();
        self.out.push(0);
        self.digits_of(token, BASE32HEX)?;
        self.out[at] =
            u8::try_from(self.out.len() - at - 1).map_err(|_| self.refuse(token, "at most 255 octets of base32hex"))?;
        Ok(())
    }

    fn rtype_of(&self, token: Token<'_>) -> Reading<Rtype> {
        Rtype::from_text(token.text).ok_or_else(|| {
            let fault = self.refuse(token, "a record type");
            match nearest(&shown(token.text).to_ascii_uppercase(), Rtype::mnemonics()) {
                Some(known) => fault.help(format!("did you mean `{known}`?")),
                None => fault,
            }
        })
    }

    fn rtype_number(&mut self) -> Reading<()> {
        let token = self.required()?;
        let rtype = self.rtype_of(token)?;
        self.out.extend_from_slice(&rtype.0.to_be_bytes());
        Ok(())
    }

    /// A type bitmap of all tokens to the end (RFC 4034 §4.1.2).
    fn types(&mut self, needed: bool) -> Reading<()> {
        if needed {
            self.pushed = Some(self.required()?);
        }
        let (mut bits, mut highest) = ([0_u8; 8192], 0);
        while let Some(token) = self.next()? {
            let rtype = self.rtype_of(token)?;
            if rtype.is_meta() {
                return Err(self.refuse(token, "types that a zone can hold (RFC 4034 §4.1.2)"));
            }
            bits[usize::from(rtype.0 / 8)] |= 0x80 >> (rtype.0 % 8);
            highest = rtype.0.max(highest);
        }
        for (window, bits) in (0..=highest.to_be_bytes()[0]).zip(bits.chunks(32)) {
            let length = bits.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
            if let (1.., Ok(octets)) = (length, u8::try_from(length)) {
                self.out.extend_from_slice(&[window, octets]);
                self.out.extend_from_slice(&bits[..length]);
            }
        }
        Ok(())
    }

    /// A number, or a word that stands for one; one octet when `most` is 255, else two.
    fn coded(&mut self, words: &[(&str, u16)], most: u16) -> Reading<()> {
        let token = self.required()?;
        let word = words.iter().find(|(word, _)| token.is(word)).map(|&(_, value)| value);
        let number = || decimal(token.text).and_then(|value| u16::try_from(value).ok()).filter(|&value| value <= most);
        let value = word.or_else(number).ok_or_else(|| {
            let fault = self.refuse(token, &format!("a number from 0 to {most} or a known mnemonic"));
            let known = words.iter().map(|&(word, _)| word);
            match nearest(&shown(token.text).to_ascii_uppercase(), known) {
                Some(known) => fault.help(format!("did you mean `{known}`?")),
                None => fault,
            }
        })?;
        let octets = value.to_be_bytes();
        self.out.extend_from_slice(if most > 0xff { &octets } else { &octets[1..] });
        Ok(())
    }
}

/// A token that the standard library reads.
pub(super) fn parsed<T: std::str::FromStr>(token: Token<'_>) -> Option<T> {
    std::str::from_utf8(token.text).ok()?.parse().ok()
}

/// A whole run of base64, without a record around it.
pub(super) fn base64(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut run = Run::new(BASE64);
    for &digit in text {
        run.push(digit, out)?;
    }
    run.is_whole().then_some(())
}

/// RFC 4034 appendix A.1 and the registry "DNS Security Algorithm Numbers".
const ALGORITHMS: &[(&str, u16)] = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("NSEC3DSA", 6),
    ("DSA-NSEC3-SHA1", 6),
    ("NSEC3RSASHA1", 7),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECCGOST", 12),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// The registry "DS RR Type Digest Algorithms".
const DIGEST_TYPES: &[(&str, u16)] =
    &[("SHA-1", 1), ("SHA1", 1), ("SHA-256", 2), ("SHA256", 2), ("GOST", 3), ("SHA-384", 4), ("SHA384", 4)];

/// RFC 4398 §2.1.
const CERTIFICATE_TYPES: &[(&str, u16)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

/// A way to write octets in digits (RFC 4648).
#[derive(Clone, Copy, Debug)]
pub(super) struct Radix {
    name: &'static str,
    whole: &'static str,
    bits: u32,
    value: fn(u8) -> Option<u8>,
    /// Digits of a whole group, padding included; 1 where there is no padding.
    group: usize,
}

const HEX: Radix =
    Radix { name: "hexadecimal", whole: "two digits make an octet", bits: 4, value: hex_value, group: 1 };
const BASE32HEX: Radix = Radix {
    name: "base32hex",
    whole: "RFC 4648 §7, without padding; the bits left over are 0",
    bits: 5,
    value: base32hex_value,
    group: 1,
};
const BASE64: Radix = Radix {
    name: "base64",
    whole: "four digits make three octets; `=` pads the last group, whose bits left over are 0",
    bits: 6,
    value: base64_value,
    group: 4,
};

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn base32hex_value(digit: u8) -> Option<u8> {
    match digit.to_ascii_uppercase() {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'A'..=b'V' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn base64_value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Digits read so far: those of an octet that is not whole yet are kept, so that white space may stand anywhere.
#[derive(Debug)]
struct Run {
    radix: Radix,
    held: u32,
    held_bits: u32,
    digits: usize,
    padding: usize,
}

impl Run {
    fn new(radix: Radix) -> Self {
        Self { radix, held: 0, held_bits: 0, digits: 0, padding: 0 }
    }

    fn push(&mut self, digit: u8, out: &mut Vec<u8>) -> Option<()> {
        if digit == b'=' && self.radix.group > 1 {
            self.padding += 1;
            return Some(());
        }
        let value = (self.radix.value)(digit).filter(|_| self.padding == 0)?;
        self.digits += 1;
        self.held = self.held << self.radix.bits | u32::from(value);
        self.held_bits += self.radix.bits;
        if self.held_bits >= 8 {
            self.held_bits -= 8;
            out.push(u8::try_from(self.held >> self.held_bits).ok()?);
            self.held &= (1 << self.held_bits) - 1;
        }
        Some(())
    }

    fn is_whole(&self) -> bool {
        let padded = (self.digits + self.padding).is_multiple_of(self.radix.group) && self.padding < 3;
        self.digits > 1 && self.held == 0 && self.held_bits < self.radix.bits && padded
    }
}
