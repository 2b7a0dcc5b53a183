//! DNS cookies (RFC 7873), with the server cookies that servers of every make understand (RFC 9018 §4).
//!
//! ```text
//! client cookie 8 | version 1 | reserved 3 | timestamp 4 | hash 8
//! hash = SipHash-2-4(client cookie, version, reserved, timestamp, client's address; secret)
//! ```
//!
//! A server of a fleet that is given the same secrets knows the cookies of every other. The first secret signs, all
//! of them verify, so that one can be rolled over without a client noticing (RFC 9018 §5). Knows no clock.

use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

use super::option::Malformed;

/// Octets of a client's part.
const CLIENT_OCTETS: usize = 8;

/// Octets of an option with both parts: what a response holds.
pub const COOKIE_OCTETS: usize = 24;

/// The lengths that an option with both parts may have (RFC 7873 §4): 8 to 32 octets are the server's.
const BOTH_OCTETS: std::ops::RangeInclusive<usize> = 16..=40;

/// The one version of interoperable server cookies.
const VERSION: u8 = 1;

/// Seconds that a cookie is good for (RFC 9018 §4.3).
const AGE_MAX: i32 = 3_600;

/// Seconds that a cookie may come from the future, from a server whose clock is ahead (RFC 9018 §4.3).
const AHEAD_MAX: i32 = 300;

/// Seconds after which a good cookie is given anew (RFC 9018 §4.3).
const RENEW_AGE: i32 = 1_800;

/// Secrets, at the most: the one in use, the next and the one before, and room for an operator who keeps more. Each
/// is one hash for a cookie that none of them made.
pub const SECRETS_MAX: usize = 8;

/// A key of 128 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 16]);

/// What a server signs and verifies cookies with; none, and cookies are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(Box<[Secret]>);

/// What came of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whether the requestor is where it says that it is.
    pub proof: Proof,
    /// The data of the option that the response holds.
    pub answer: [u8; COOKIE_OCTETS],
}

/// What a cookie proves of its bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It has been here before, at this address.
    Given,
    /// Nothing: its first cookie, or one too old, or another's.
    Missing,
}

impl Secret {
    /// A secret of these octets.
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// Reads 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
        let mut octets = [0; 16];
        for (octet, pair) in octets.iter_mut().zip(digits.as_chunks::<2>().0) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            *octet = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
        }
        Some(Self(octets))
    }

    /// The hash over a client's part, the first half of a server's part, and an address.
    fn sign(&self, signed: &[u8; CLIENT_OCTETS + 8], client: IpAddr) -> [u8; 8] {
        let mut octets = [0; CLIENT_OCTETS + 8 + 16];
        let (head, tail) = octets.split_at_mut(signed.len());
        head.copy_from_slice(signed);
        let address = match client {
            IpAddr::V4(v4) => {
                tail[..4].copy_from_slice(&v4.octets());
                4
            }
            IpAddr::V6(v6) => {
                tail.copy_from_slice(&v6.octets());
                16
            }
        };
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&octets[..signed.len() + address]);
        hasher.finish().to_le_bytes()
    }
}

/// A secret is not for logs.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secrets {
    /// Secrets of which the first signs. Those past [`SECRETS_MAX`] are left out.
    pub fn new(mut secrets: Vec<Secret>) -> Self {
        secrets.truncate(SECRETS_MAX);
        Self(secrets.into())
    }

    /// Judges the option's data, which came from `client` at `now`, seconds since 1970 modulo 2³². `None` where
    /// there is no secret.
    ///
    /// # Errors
    /// Data of a length that no cookie has (RFC 7873 §5.2.2).
    pub fn judge(&self, data: &[u8], client: IpAddr, now: u32) -> Result<Option<Judged>, Malformed> {
        let (&own, server) = data.split_first_chunk::<CLIENT_OCTETS>().ok_or(Malformed)?;
        if !server.is_empty() && !BOTH_OCTETS.contains(&data.len()) {
            return Err(Malformed);
        }
        let client = client.to_canonical();
        let Some(first) = self.0.first() else { return Ok(None) };
        let known = <&[u8; COOKIE_OCTETS]>::try_from(data).ok().and_then(|cookie| self.verify(cookie, client, now));
        let answer = match known {
            Some(known) if known.is_fresh => known.cookie,
            _ => {
                let mut signed = [0; CLIENT_OCTETS + 8];
                signed[..CLIENT_OCTETS].copy_from_slice(&own);
                signed[CLIENT_OCTETS] = VERSION;
                signed[CLIENT_OCTETS + 4..].copy_from_slice(&now.to_be_bytes());
                let mut cookie = [0; COOKIE_OCTETS];
                cookie[..signed.len()].copy_from_slice(&signed);
                cookie[signed.len()..].copy_from_slice(&first.sign(&signed, client));
                cookie
            }
        };
        let proof = if known.is_some() { Proof::Given } else { Proof::Missing };
        Ok(Some(Judged { proof, answer }))
    }

    /// A cookie that one of the secrets made not too long ago.
    fn verify(&self, cookie: &[u8; COOKIE_OCTETS], client: IpAddr, now: u32) -> Option<Known> {
        let (signed, hash) = cookie.split_first_chunk::<{ CLIENT_OCTETS + 8 }>()?;
        let (head, &[a, b, c, d]) = signed.split_last_chunk()?;
        // RFC 1982: the difference of serial numbers, which wraps with them.
        let age = now.wrapping_sub(u32::from_be_bytes([a, b, c, d])).cast_signed();
        if head.get(CLIENT_OCTETS) != Some(&VERSION) || !(-AHEAD_MAX..=AGE_MAX).contains(&age) {
            return None;
        }
        let signer = self.0.iter().position(|secret| is_same(&secret.sign(signed, client), hash))?;
        // One that an old secret made is given anew with the first, as is an old one.
        Some(Known { cookie: *cookie, is_fresh: signer == 0 && age < RENEW_AGE })
    }
}

#[derive(Clone, Copy)]
struct Known {
    cookie: [u8; COOKIE_OCTETS],
    is_fresh: bool,
}

/// Compares without telling by its time how much is alike.
fn is_same(ours: &[u8; 8], theirs: &[u8]) -> bool {
    <&[u8; 8]>::try_from(theirs).is_ok_and(|theirs| u64::from_ne_bytes(*ours) ^ u64::from_ne_bytes(*theirs) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal")).collect()
    }

    fn secrets(hex: &[&str]) -> Secrets {
        Secrets::new(hex.iter().map(|hex| Secret::from_hex(hex).expect("32 digits")).collect())
    }

    /// The secrets of RFC 9018 appendix A.
    const FIRST: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const OLD: &str = "dd3bdf9344b678b185a6f5cb60fca715";
    const NEW: &str = "445536bcd2513298075a5d379663c962";

    #[track_caller]
    fn check(secret: &[&str], client: &str, now: u32, cookie: &str, expected: (Proof, &str)) {
        let client = client.parse().expect("an address");
        let judged = secrets(secret).judge(&octets(cookie), client, now).expect("a cookie").expect("secrets");
        assert_eq!((judged.proof, &judged.answer[..]), (expected.0, &octets(expected.1)[..]), "{cookie} at {now}");
    }

    /// RFC 9018 appendix A.
    #[test]
    fn cookies_are_those_of_the_rfc() {
        let a1 = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
        check(&[FIRST], "198.51.100.100", 1_559_731_985, "2464c4abcf10c957", (Proof::Missing, a1));
        let a2 = "2464c4abcf10c957010000005cf7a871d4a564a1442aca77";
        check(&[FIRST], "198.51.100.100", 1_559_734_385, a1, (Proof::Given, a2));
        check(&[FIRST], "::ffff:198.51.100.100", 1_559_734_385, a1, (Proof::Given, a2));
        // Reserved octets that are not zero are hashed as they came; by then that cookie is two hours old.
        let (odd, a3) =
            ("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
        check(&[FIRST], "203.0.113.203", 1_559_734_700, odd, (Proof::Missing, a3));
        check(&[FIRST], "203.0.113.203", 1_559_728_000, odd, (Proof::Given, odd));
        let client = "2001:db8:220:1:59de:d0f4:8769:82b8";
        let (old, a4) =
            ("22681ab97d52c298010000005cf7c57926556bd0934c72f8", "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
        check(&[NEW, OLD], client, 1_559_741_961, old, (Proof::Given, a4));
        check(&[NEW], client, 1_559_741_961, old, (Proof::Missing, a4));
        check(&[OLD], client, 1_559_741_961, old, (Proof::Given, old));
    }

    #[test]
    fn a_cookie_proves_only_its_own_client_in_its_own_time() {
        let made = 1_559_731_985_u32;
        let cookie = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
        let proof = |client: &str, now: u32, cookie: &str| {
            let judged = secrets(&[FIRST]).judge(&octets(cookie), client.parse().expect("an address"), now);
            let judged = judged.expect("a cookie").expect("secrets");
            (judged.proof, judged.answer[..] == octets(cookie)[..])
        };
        let client = "198.51.100.100";
        assert_eq!(proof(client, made, cookie), (Proof::Given, true));
        assert_eq!(proof(client, made - 300, cookie), (Proof::Given, true));
        assert_eq!(proof(client, made - 301, cookie).0, Proof::Missing);
        assert_eq!(proof(client, made + 1_799, cookie), (Proof::Given, true));
        assert_eq!(proof(client, made + 1_800, cookie), (Proof::Given, false));
        assert_eq!(proof(client, made + 3_600, cookie), (Proof::Given, false));
        assert_eq!(proof(client, made + 3_601, cookie).0, Proof::Missing);
        assert_eq!(proof("198.51.100.101", made, cookie).0, Proof::Missing);
        assert_eq!(proof(client, made, &cookie.replace("2464", "2465")).0, Proof::Missing);
        assert_eq!(proof(client, made, &cookie.replace("9480", "9481")).0, Proof::Missing);
        assert_eq!(proof(client, made, &cookie.replace("0100", "0200")).0, Proof::Missing);
        // The server's part of another make, and its longest.
        assert_eq!(proof(client, made, &"77".repeat(16)).0, Proof::Missing);
        assert_eq!(proof(client, made, &"77".repeat(40)).0, Proof::Missing);
    }

    #[test]
    fn lengths_that_no_cookie_has_are_malformed() {
        for length in 0..=64 {
            let is_cookie = length == 8 || (16..=40).contains(&length);
            for secrets in [Secrets::default(), secrets(&[FIRST])] {
                let judged = secrets.judge(&vec![7; length], "192.0.2.1".parse().expect("an address"), 0);
                assert_eq!(judged.is_ok(), is_cookie, "{length}");
                assert_eq!(judged.is_ok_and(|judged| judged.is_some()), is_cookie && secrets != Secrets::default());
            }
        }
    }

    #[test]
    fn secrets_are_32_hexadecimal_digits() {
        for text in ["", "e5e973e5", &"g".repeat(32), &"0".repeat(33), &"é".repeat(16), &" ".repeat(32)] {
            assert_eq!(Secret::from_hex(text), None, "{text}");
        }
        assert_eq!(
            Secret::from_hex("000102030405060708090A0b0c0d0e0f").map(|secret| secret.0[10..12].to_vec()),
            Some(vec![10, 11])
        );
    }
}
