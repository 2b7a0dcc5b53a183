//! The parameters of SVCB and HTTPS, from text to wire form (RFC 9460 §2.1, §7, §8 and appendix A).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::fault::Reading;
use super::fields::Fields;
use super::number::decimal;
use super::scan::Token;
use crate::diagnostic::nearest;
use crate::wire::name::escaped;
use crate::wire::rdata::parameter;

/// The registry "DNS Service Parameters": RFC 9460 §14.3.2, RFC 9461, RFC 9540. The place is the number.
const KEYS: [&str; 9] =
    ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"];

/// One parameter on its way to its place among the others.
struct Parameter<'a> {
    key: u16,
    value: Vec<u8>,
    token: Token<'a>,
}

impl<'a> Fields<'_, 'a> {
    /// `key[=value]` …, in any order; written in ascending order (RFC 9460 §2.2).
    pub(super) fn parameters(&mut self) -> Reading<()> {
        let mut parameters: Vec<Parameter<'a>> = Vec::new();
        while let Some(token) = self.next()? {
            let parameter = self.parameter(token)?;
            match parameters.binary_search_by_key(&parameter.key, |before| before.key) {
                Ok(_) => return Err(self.refuse(token, "keys that appear once")),
                Err(at) => parameters.insert(at, parameter),
            }
        }
        self.check_mandatory(&parameters)?;
        for Parameter { key, value, token } in &parameters {
            let length =
                u16::try_from(value.len()).map_err(|_| self.refuse(*token, "values of at most 65535 octets"))?;
            self.out.extend_from_slice(&key.to_be_bytes());
            self.out.extend_from_slice(&length.to_be_bytes());
            self.out.extend_from_slice(value);
        }
        Ok(())
    }

    /// RFC 9460 §8: what is mandatory is present. §7.1.1: no-default-alpn comes with alpn.
    fn check_mandatory(&self, parameters: &[Parameter<'_>]) -> Reading<()> {
        let has = |key: u16| parameters.iter().any(|parameter| parameter.key == key);
        for Parameter { key, value, token } in parameters {
            let needed = match key {
                0 => value.chunks(2).map(|key| u16::from_be_bytes([key[0], key[1]])).find(|&key| !has(key)),
                2 => Some(1).filter(|&key| !has(key)),
                _ => None,
            };
            if let Some(needed) = needed {
                let missing = key_name(needed);
                return Err(self.refuse(*token, &format!("accompanied by `{missing}`")));
            }
        }
        Ok(())
    }

    fn parameter(&mut self, token: Token<'a>) -> Reading<Parameter<'a>> {
        let (name, mut text) = match token.text.iter().position(|&octet| octet == b'=') {
            Some(at) => (&token.text[..at], &token.text[at + 1..]),
            None => (token.text, &[][..]),
        };
        let key = self.parameter_key(token, name)?;
        // key="value": to the scanner two tokens, but without white space between them.
        let end = token.end();
        if token.text.last() == Some(&b'=')
            && let Some(value) = self.peek()?.filter(|next| next.quoted && next.start == end + 1)
        {
            text = value.text;
            self.pushed = None;
        }
        let mut plain = Vec::new();
        decode(text, &mut plain).ok_or_else(|| self.refuse(token, "free of a backslash that no escape follows"))?;
        let generic = !KEYS.iter().any(|known| known.as_bytes() == name);
        let value = if generic { Some(plain) } else { value(key, &plain) };
        let valid = value.filter(|value| parameter(key, value));
        let value = valid.ok_or_else(|| self.refuse(token, expected(key)))?;
        Ok(Parameter { key, value, token })
    }

    fn parameter_key(&self, token: Token<'_>, name: &[u8]) -> Reading<u16> {
        key(name).ok_or_else(|| {
            let fault = self.refuse(token, "known keys or `key0` to `key65534`");
            match nearest(&String::from_utf8_lossy(name), KEYS) {
                Some(known) => fault.help(format!("did you mean `{known}`?")),
                None => fault,
            }
        })
    }
}

/// Keys are lower case; `keyNNNNN` has no leading zero, and 65535 is kept back (RFC 9460 §2.1, §14.3.2).
fn key(name: &[u8]) -> Option<u16> {
    if let Some(at) = KEYS.iter().position(|known| known.as_bytes() == name) {
        return u16::try_from(at).ok();
    }
    let digits = name.strip_prefix(b"key")?;
    if digits.len() > 1 && digits.starts_with(b"0") {
        return None;
    }
    u16::try_from(decimal(digits)?).ok().filter(|&key| key != u16::MAX)
}

fn key_name(key: u16) -> String {
    KEYS.get(usize::from(key)).map_or_else(|| format!("key{key}"), |&name| name.to_owned())
}

fn expected(key: u16) -> &'static str {
    match key {
        0 => "`mandatory=` and other keys, each once, joined by commas",
        1 => "`alpn=` and protocols of 1 to 255 octets, joined by commas",
        2 => "`no-default-alpn` without a value",
        3 => "`port=` and a number from 0 to 65535",
        4 => "`ipv4hint=` and IPv4 addresses, joined by commas",
        5 => "`ech=` and base64",
        6 => "`ipv6hint=` and IPv6 addresses, joined by commas",
        7 => "`dohpath=` and a URI template such as `/dns-query{?dns}`",
        8 => "`ohttp` without a value",
        _ => "`keyNNNNN=` and a value",
    }
}

/// The wire form of a known parameter's value, its escapes taken.
fn value(number: u16, plain: &[u8]) -> Option<Vec<u8>> {
    let mut wire = Vec::new();
    let items = || plain.split(|&octet| octet == b',');
    let text = |item| std::str::from_utf8(item).ok();
    match number {
        0 => {
            let mut keys = items().map(key).collect::<Option<Vec<u16>>>()?;
            keys.sort_unstable();
            keys.iter().for_each(|key| wire.extend_from_slice(&key.to_be_bytes()));
        }
        1 => protocols(plain, &mut wire)?,
        3 => wire.extend_from_slice(&u16::try_from(decimal(plain)?).ok()?.to_be_bytes()),
        4 => {
            for item in items() {
                wire.extend_from_slice(&text(item)?.parse::<Ipv4Addr>().ok()?.octets());
            }
        }
        5 => super::fields::base64(plain, &mut wire)?,
        6 => {
            for item in items() {
                wire.extend_from_slice(&text(item)?.parse::<Ipv6Addr>().ok()?.octets());
            }
        }
        _ => wire.extend_from_slice(plain),
    }
    Some(wire)
}

/// A comma-separated list in which `\,` and `\\` stand for themselves (RFC 9460 appendix A.1), as strings with
/// a length octet each.
fn protocols(plain: &[u8], wire: &mut Vec<u8>) -> Option<()> {
    let mut items: Vec<Vec<u8>> = vec![Vec::new()];
    let mut octets = plain.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b',' => items.push(Vec::new()),
            b'\\' => items.last_mut()?.push(*octets.next()?),
            _ => items.last_mut()?.push(octet),
        }
    }
    for item in items {
        wire.push(u8::try_from(item.len()).ok()?);
        wire.extend_from_slice(&item);
    }
    Some(())
}

/// Takes the escapes of a character string.
fn decode(mut text: &[u8], plain: &mut Vec<u8>) -> Option<()> {
    while let Some((&octet, after)) = text.split_first() {
        let (octet, after) = if octet == b'\\' { escaped(after)? } else { (octet, after) };
        plain.push(octet);
        text = after;
    }
    Some(())
}
