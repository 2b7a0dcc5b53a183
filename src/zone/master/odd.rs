//! The fields that exist for one type each, from text to wire form: LOC, APL, IPSECKEY, AMTRELAY, HIP, WKS, NSAP,
//! EUI48 and EUI64, NID and L64.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::fault::Reading;
use super::fields::{Fields, parsed};
use super::number::decimal;
use super::scan::Token;

/// LOC: the equator and the prime meridian, in thousandths of a second of arc (RFC 1876 §2).
const LOCATION_ZERO: u32 = 1 << 31;

/// LOC: 100 km below the reference spheroid, in centimetres: what altitudes are counted from (RFC 1876 §2).
const ALTITUDE_ZERO_CM: i64 = 10_000_000;

/// LOC: the most that a size or a precision can say, 9 × 10⁹ cm (RFC 1876 §2).
const EXTENT_MAX_CM: i64 = 9_000_000_000;

impl Fields<'_, '_> {
    /// LOC: `d [m [s]] N|S d [m [s]] E|W altitude [size [horizontal precision [vertical precision]]]`
    /// (RFC 1876 §3).
    pub(super) fn location(&mut self) -> Reading<()> {
        self.field = "latitude";
        let latitude = self.angle(90, ["N", "S"])?;
        self.field = "longitude";
        let longitude = self.angle(180, ["E", "W"])?;
        self.field = "altitude";
        let token = self.required()?;
        let expected = "metres from -100000.00 to 42849672.95";
        let altitude = centimetres(token.text)
            .and_then(|altitude| u32::try_from(altitude + ALTITUDE_ZERO_CM).ok())
            .ok_or_else(|| self.refuse(token, expected))?;
        // RFC 1876 §3: 1 m, 10,000 m and 10 m where not given.
        let size = self.extent("size", 100)?;
        let horizontal = self.extent("horizontal precision", 1_000_000)?;
        let vertical = self.extent("vertical precision", 1_000)?;
        self.out.extend_from_slice(&[0, size, horizontal, vertical]);
        for word in [latitude, longitude, altitude] {
            self.out.extend_from_slice(&word.to_be_bytes());
        }
        Ok(())
    }

    fn angle(&mut self, degrees_max: u64, halves: [&str; 2]) -> Reading<u32> {
        let mut thousandths = 0_u64;
        // Each part: what one of it is in thousandths of a second of arc, the most, the places after the point.
        for (unit, most, places) in [(3_600_000, degrees_max, 0), (60_000, 59, 0), (1_000, 59, 3)] {
            let token = self.required()?;
            let half = halves.iter().position(|half| token.is(half));
            if let (Some(half), true) = (half, unit < 3_600_000) {
                return self.direction(token, half, thousandths, degrees_max);
            }
            let value = fixed(token.text, places).filter(|&value| value < (most + 1) * 10_u64.pow(places));
            let value = value.ok_or_else(|| {
                self.refuse(
                    token,
                    &format!(
                        "degrees 0 to {degrees_max}, minutes and seconds 0 to 59, then {} or {}",
                        halves[0], halves[1]
                    ),
                )
            })?;
            thousandths += value * unit / 10_u64.pow(places);
        }
        let token = self.required()?;
        match halves.iter().position(|half| token.is(half)) {
            Some(half) => self.direction(token, half, thousandths, degrees_max),
            None => Err(self.refuse(token, &format!("followed by {} or {}", halves[0], halves[1]))),
        }
    }

    fn direction(&self, token: Token<'_>, half: usize, thousandths: u64, degrees_max: u64) -> Reading<u32> {
        let offset = u32::try_from(thousandths).ok().filter(|_| thousandths <= degrees_max * 3_600_000);
        let offset = offset.ok_or_else(|| {
            let message = format!("{} {} is beyond {degrees_max} degrees", self.rtype, self.field);
            token.fault(message)
        })?;
        Ok(if half == 0 { LOCATION_ZERO + offset } else { LOCATION_ZERO - offset })
    }

    /// A size as one octet: a digit and a power of ten, in centimetres (RFC 1876 §2). What does not fit one
    /// digit is cut, as with BIND.
    fn extent(&mut self, field: &'static str, default: i64) -> Reading<u8> {
        let centimetres = match self.next()? {
            None => default,
            Some(token) => {
                self.field = field;
                let value = centimetres(token.text).filter(|value| (0..=EXTENT_MAX_CM).contains(value));
                value.ok_or_else(|| self.refuse(token, "metres from 0.00 to 90000000.00"))?
            }
        };
        let (mut digit, mut power) = (centimetres, 0);
        while digit > 9 {
            digit /= 10;
            power += 1;
        }
        Ok(u8::try_from(digit << 4 | power).unwrap_or(u8::MAX))
    }

    /// APL: `[!]family:address/prefix` … (RFC 3123 §5).
    pub(super) fn prefixes(&mut self) -> Reading<()> {
        while let Some(token) = self.next()? {
            let (address, prefix, negated) =
                prefix(token.text).ok_or_else(|| self.refuse(token, "`[!]1:IPv4/prefix` or `[!]2:IPv6/prefix`"))?;
            let mut octets = [0; 16];
            let (family, length) = match address {
                IpAddr::V4(address) => {
                    octets[..4].copy_from_slice(&address.octets());
                    (1, 4)
                }
                IpAddr::V6(address) => {
                    octets = address.octets();
                    (2, 16)
                }
            };
            // RFC 3123 §4: zeros at the end are left out.
            let kept = octets[..length].iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
            let flag_length = u8::try_from(kept).unwrap_or_default() | u8::from(negated) << 7;
            self.out.extend_from_slice(&[0, family, prefix, flag_length]);
            self.out.extend_from_slice(&octets[..kept]);
        }
        Ok(())
    }

    /// IPSECKEY after its precedence: `type algorithm gateway [key]` (RFC 4025 §3.1).
    pub(super) fn gateway(&mut self) -> Reading<()> {
        self.field = "gateway type";
        let kind = self.number(3)?;
        self.field = "algorithm";
        let algorithm = self.number(255)?;
        self.out.extend_from_slice(&[kind.to_be_bytes()[3], algorithm.to_be_bytes()[3]]);
        self.field = "gateway";
        self.endpoint(kind)?;
        self.field = "public key";
        // RFC 4025 §2.4: algorithm 0 says that there is no key.
        if algorithm == 0 { Ok(()) } else { self.base64() }
    }

    /// AMTRELAY after its precedence: `D type relay` (RFC 8777 §4.3.1).
    pub(super) fn relay(&mut self) -> Reading<()> {
        self.field = "discovery-optional bit";
        let optional = self.number(1)?;
        self.field = "relay type";
        let kind = self.number(3)?;
        self.out.push((optional << 7 | kind).to_be_bytes()[3]);
        self.field = "relay";
        self.endpoint(kind)
    }

    /// A gateway of type 0 `.`, 1 IPv4, 2 IPv6, 3 name.
    fn endpoint(&mut self, kind: u32) -> Reading<()> {
        let token = self.required()?;
        match kind {
            1 => {
                let address: Ipv4Addr =
                    parsed(token).ok_or_else(|| self.refuse(token, "an IPv4 address for type 1"))?;
                self.out.extend_from_slice(&address.octets());
            }
            2 => {
                let address: Ipv6Addr =
                    parsed(token).ok_or_else(|| self.refuse(token, "an IPv6 address for type 2"))?;
                self.out.extend_from_slice(&address.octets());
            }
            3 => self.name_of(token)?,
            _ if token.text == b"." => {}
            _ => return Err(self.refuse(token, "`.` for type 0")),
        }
        Ok(())
    }

    /// HIP: `algorithm tag key [rendezvous server …]` (RFC 8005 §6).
    pub(super) fn host_identity(&mut self) -> Reading<()> {
        self.field = "algorithm";
        let algorithm = self.number(255)?;
        let lengths = self.out.len();
        self.out.extend_from_slice(&[0, algorithm.to_be_bytes()[3], 0, 0]);
        self.field = "host identity tag";
        let token = self.required()?;
        self.hex_of(token)?;
        let tag_end = self.out.len();
        self.out[lengths] =
            u8::try_from(tag_end - lengths - 4).map_err(|_| self.refuse(token, "at most 255 octets of hexadecimal"))?;
        self.field = "public key";
        let token = self.required()?;
        self.base64_of(token)?;
        let key = u16::try_from(self.out.len() - tag_end)
            .map_err(|_| self.refuse(token, "at most 65535 octets of base64"))?;
        self.out[lengths + 2..lengths + 4].copy_from_slice(&key.to_be_bytes());
        self.field = "rendezvous server";
        while let Some(token) = self.next()? {
            self.name_of(token)?;
        }
        Ok(())
    }

    /// WKS: ports to the end, as a bitmap. Numbers only: a service's name would depend on the machine.
    pub(super) fn ports(&mut self) -> Reading<()> {
        let mut bits = [0_u8; 8192];
        while let Some(token) = self.next()? {
            let port = decimal(token.text).and_then(|port| u16::try_from(port).ok());
            let port = port.ok_or_else(|| self.refuse(token, "numbers from 0 to 65535"))?;
            bits[usize::from(port / 8)] |= 0x80 >> (port % 8);
        }
        let length = bits.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
        self.out.extend_from_slice(&bits[..length]);
        Ok(())
    }

    /// NSAP: `0x` and hexadecimal, dots anywhere (RFC 1706 §7).
    pub(super) fn nsap(&mut self) -> Reading<()> {
        let token = self.required()?;
        let digits = token.text.strip_prefix(b"0x").or_else(|| token.text.strip_prefix(b"0X"));
        let digits = digits.ok_or_else(|| self.refuse(token, "`0x` and hexadecimal digits"))?;
        let bare: Vec<u8> = digits.iter().copied().filter(|&octet| octet != b'.').collect();
        if bare.is_empty() || !bare.len().is_multiple_of(2) {
            return Err(self.refuse(token, "`0x` and an even number of hexadecimal digits"));
        }
        for pair in bare.chunks(2) {
            let octet = hex_pair(pair).ok_or_else(|| self.refuse(token, "`0x` and hexadecimal digits"))?;
            self.out.push(octet);
        }
        Ok(())
    }

    /// EUI48 and EUI64: octets in hexadecimal, joined by `-` (RFC 7043 §3.2, §4.2).
    pub(super) fn eui(&mut self, octets: usize) -> Reading<()> {
        let token = self.required()?;
        let start = self.out.len();
        for pair in token.text.split(|&octet| octet == b'-') {
            match hex_pair(pair) {
                Some(octet) => self.out.push(octet),
                None => return Err(self.refuse(token, &format!("{octets} octets such as `00-00-5e-…`"))),
            }
        }
        if self.out.len() - start != octets {
            return Err(self.refuse(token, &format!("{octets} octets such as `00-00-5e-…`")));
        }
        Ok(())
    }

    /// NID and L64: four groups of up to four hexadecimal digits (RFC 6742 §2.1.2).
    pub(super) fn locator(&mut self) -> Reading<()> {
        let token = self.required()?;
        let mut groups = [0_u16; 4];
        let mut parts = token.text.split(|&octet| octet == b':');
        let read = groups.iter_mut().all(|group| match parts.next().and_then(hex_group) {
            Some(value) => {
                *group = value;
                true
            }
            None => false,
        });
        if !read || parts.next().is_some() {
            return Err(self.refuse(token, "four groups of hexadecimal such as `2001:db8:1:2`"));
        }
        for group in groups {
            self.out.extend_from_slice(&group.to_be_bytes());
        }
        Ok(())
    }
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    if pair.len() != 2 {
        return None;
    }
    u8::try_from(hex_group(pair)?).ok()
}

fn hex_group(digits: &[u8]) -> Option<u16> {
    if !(1..=4).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Reads `1.25` as 125 when `places` is 2; more places than that are refused.
fn fixed(text: &[u8], places: u32) -> Option<u64> {
    let scale = 10_u64.pow(places);
    let Some(point) = text.iter().position(|&octet| octet == b'.') else {
        return decimal(text)?.checked_mul(scale);
    };
    let (whole, part) = (&text[..point], &text[point + 1..]);
    let missing = places.checked_sub(u32::try_from(part.len()).ok()?)?;
    decimal(whole)?.checked_mul(scale)?.checked_add(decimal(part)? * 10_u64.pow(missing))
}

/// Reads metres, with or without `m`, as centimetres.
fn centimetres(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"m").or_else(|| text.strip_suffix(b"M")).unwrap_or(text);
    let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    let value = i64::try_from(fixed(digits, 2)?).ok()?;
    Some(if negative { -value } else { value })
}

fn prefix(text: &[u8]) -> Option<(IpAddr, u8, bool)> {
    let text = std::str::from_utf8(text).ok()?;
    let (negated, text) = text.strip_prefix('!').map_or((false, text), |text| (true, text));
    let (family, text) = text.split_once(':')?;
    let (address, prefix) = text.split_once('/')?;
    let (address, most): (IpAddr, u64) = match family {
        "1" => (address.parse::<Ipv4Addr>().ok()?.into(), 32),
        "2" => (address.parse::<Ipv6Addr>().ok()?.into(), 128),
        _ => return None,
    };
    let prefix = decimal(prefix.as_bytes()).filter(|&prefix| prefix <= most)?;
    Some((address, u8::try_from(prefix).ok()?, negated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_point_numbers_are_read() {
        let check = |text: &str, expected| assert_eq!(centimetres(text.as_bytes()), expected, "{text}");
        check("0", Some(0));
        check("-24m", Some(-2400));
        check("1.5m", Some(150));
        check("1.05", Some(105));
        check("1.0", Some(100));
        check("1.00", Some(100));
        for bad in ["", "m", "-", "1.", ".5", "1.234", "1,5", "1e3", "99999999999999999999"] {
            check(bad, None);
        }
    }
}
