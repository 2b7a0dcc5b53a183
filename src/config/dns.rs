//! `[dns]` of the server file: what the server says of itself, and the file of its cookie secrets.

use std::path::{Path, PathBuf};

use super::faults::{Faults, shown};
use super::table::{Item, Keys};
use super::text_file::read_text;
use super::words::path;
use crate::diagnostic::{Diagnostic, Place, plural};
use crate::snapshot::{Identity, NSID_OCTETS_MAX, TEXT_OCTETS_MAX};
use crate::wire::cookie::{SECRETS_MAX, Secret, Secrets};

/// What `[dns]` says. What is not set is not told to anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// What NSID gives (RFC 5001): `nsid`, or else `id`.
    pub nsid: Option<Box<[u8]>>,
    /// What `version.bind` says in the class CHAOS.
    pub version: Option<Box<[u8]>>,
    /// What `id.server` says in the class CHAOS.
    pub id: Option<Box<[u8]>>,
    /// The file of the secrets that a fleet shares. Relative ones start from the folder of the server file.
    pub cookie_secrets: Option<PathBuf>,
}

const DNS: Keys = Keys::only(&["nsid", "version", "id", "cookie-secrets"]);

/// Reads the table; `folder` is the server file's.
pub(super) fn read(item: Item<'_>, folder: &Path, faults: &mut Faults<'_>) -> Option<Dns> {
    let table = item.table("[dns]", &DNS, r#"{ id = "fra1" }"#, faults)?;
    let mut said = |key, most, hex| table.get(key).map_or(Some(None), |item| text(item, most, hex, faults).map(Some));
    let id = said("id", TEXT_OCTETS_MAX, Hex::IsText);
    let version = said("version", TEXT_OCTETS_MAX, Hex::IsText);
    let nsid = said("nsid", NSID_OCTETS_MAX, Hex::IsRead);
    let cookie_secrets = match table.get("cookie-secrets") {
        None => None,
        Some(item) => Some(folder.join(path(item, "cookie-secrets", "a file", faults)?)),
    };
    let id: Option<Box<[u8]>> = id?;
    let nsid = nsid?.or_else(|| id.clone().filter(|id| id.len() <= NSID_OCTETS_MAX));
    Some(Dns { nsid, version: version?, id, cookie_secrets })
}

/// What a text that begins with `0x` is.
#[derive(Clone, Copy)]
enum Hex {
    /// Octets in hexadecimal.
    IsRead,
    /// As any other.
    IsText,
}

fn text(item: Item<'_>, most: usize, hex: Hex, faults: &mut Faults<'_>) -> Option<Box<[u8]>> {
    let text = item.string("fra1", faults)?;
    let octets = match (text.strip_prefix("0x"), hex) {
        (Some(digits), Hex::IsRead) => hexadecimal(digits),
        _ => Some(text.as_bytes().to_vec()),
    };
    let octets = octets.filter(|octets| (1..=most).contains(&octets.len()));
    if octets.is_none() {
        let message = format!("`{}` must be 1 to {most} octets of text, found \"{}\"", shown(item.key), shown(text));
        let note = faults.error(item.span, message);
        match hex {
            Hex::IsRead => note.help("octets of any kind are written \"0x\" and hexadecimal, two digits each"),
            Hex::IsText => note,
        };
    }
    octets.map(Vec::into_boxed_slice)
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let octet = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok();
    pairs.iter().map(octet).collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty())
}

impl Dns {
    /// What of it answers queries. The secrets are read from their file, which may have changed; `own`, which no
    /// other server knows, stands in where none is named.
    ///
    /// # Errors
    /// Every fault of the file of secrets.
    pub fn identity(&self, own: Secret) -> Result<Identity, Vec<Diagnostic>> {
        let secrets = match &self.cookie_secrets {
            Some(file) => read_secrets(file)?,
            None => vec![own],
        };
        let Self { nsid, version, id, .. } = self.clone();
        Ok(Identity { nsid, version, id, secrets: Secrets::new(secrets), unix_start: 0 })
    }
}

/// 32 hexadecimal digits a line; empty lines and what follows a `#` say nothing. A fault never repeats the line:
/// what is nearly a secret is one too.
fn read_secrets(file: &Path) -> Result<Vec<Secret>, Vec<Diagnostic>> {
    let whole = |message: String| vec![Diagnostic::error(Place::of_file(file), message)];
    let text = read_text(file).map_err(whole)?;
    let (mut secrets, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
        let place = Place { line: number, column: 1, length: 1, ..Place::of_file(file) };
        match Secret::from_hex(line) {
            _ if line.is_empty() => {}
            Some(_) if secrets.len() == SECRETS_MAX => {
                let message = format!("more than {SECRETS_MAX} cookie secrets");
                faults.push(Diagnostic::error(place, message).help("the first signs, the others only verify"));
                break;
            }
            Some(secret) => secrets.push(secret),
            None => {
                let message =
                    format!("a cookie secret must be 32 hexadecimal digits, found {}", plural(line.len(), "octet"));
                faults.push(Diagnostic::error(place, message).help("make one: openssl rand -hex 16"));
                break;
            }
        }
    }
    if faults.is_empty() && secrets.is_empty() {
        let help = "write 32 hexadecimal digits a line; make them: openssl rand -hex 16";
        faults.push(Diagnostic::error(Place::of_file(file), "no cookie secret").help(help));
    }
    if faults.is_empty() { Ok(secrets) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::super::read_server_file;
    use super::*;

    fn dns(text: &str) -> Result<Dns, Vec<String>> {
        let (server, faults) = read_server_file(Path::new("/etc/bellwether.toml"), text);
        server.map(|server| server.dns).ok_or_else(|| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_said_is_read() {
        let octets = |text: &str| Some(text.as_bytes().into());
        assert_eq!(dns(""), Ok(Dns::default()));
        assert_eq!(dns("[dns]"), Ok(Dns::default()));
        let all = "[dns]\nnsid = '0x00ffA0'\nversion = '0x1'\nid = 'fra1'\ncookie-secrets = 'cookies'";
        let expected = Dns {
            nsid: Some([0, 0xff, 0xa0].into()),
            version: octets("0x1"),
            id: octets("fra1"),
            cookie_secrets: Some(PathBuf::from("/etc/cookies")),
        };
        assert_eq!(dns(all), Ok(expected));
        assert_eq!(dns("dns.id = 'fra1'").map(|dns| dns.nsid), Ok(octets("fra1")));
        let long = format!("dns.id = '{}'", "x".repeat(255));
        assert_eq!(dns(&long).map(|dns| (dns.nsid, dns.id.map(|id| id.len()))), Ok((None, Some(255))));
    }

    #[test]
    fn faults_say_what_would_be_right() {
        let check = |text: &str, expected: &str| {
            let faults = dns(text).expect_err("a fault");
            assert!(faults.len() == 1 && faults[0].contains(expected), "{text}: {faults:?}");
        };
        check("[dns]\nnsd = 'x'", ":2:1: error: unknown key `nsd` in [dns] (did you mean `nsid`?)");
        check("dns.nsid = ''", "`nsid` must be 1 to 128 octets of text, found \"\"");
        check("dns.nsid = '0xabc'", "octets of any kind are written");
        check("dns.nsid = '0x'", "`nsid` must be 1 to 128 octets");
        check(&format!("dns.version = '{}'", "x".repeat(256)), "`version` must be 1 to 255 octets");
        check("dns.id = 1", "`id` must be a string such as \"fra1\"");
        check("dns.cookie-secrets = ''", "must be the path of a file");
    }

    #[test]
    fn secrets_come_from_their_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secrets");
        let dns = Dns { cookie_secrets: Some(file.clone()), ..Dns::default() };
        let own = Secret::new([7; 16]);
        let check = |text: &str, expected: Result<&[u8], &str>| {
            std::fs::write(&file, text).expect("written");
            match (dns.identity(own), expected) {
                (Ok(identity), Ok(first)) => {
                    let secrets: Vec<Secret> = first.iter().map(|&octet| Secret::new([octet; 16])).collect();
                    assert_eq!(identity.secrets, Secrets::new(secrets), "{text}");
                }
                (Err(faults), Err(message)) => {
                    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                    assert!(faults.len() == 1 && faults[0].contains(message), "{faults:?}");
                    assert!(!faults[0].contains("0101"), "{faults:?} gives a secret away");
                }
                (found, _) => panic!("{text}: {found:?}"),
            }
        };
        let (one, two) = ("01".repeat(16), "02".repeat(16));
        check(&one, Ok(&[1]));
        check(&format!("# rolled in May\n {one} # in use\n\n{two}\r\n"), Ok(&[1, 2]));
        check("", Err("no cookie secret"));
        check("# none\n", Err("no cookie secret"));
        check(
            &format!("{two}\n{one}01\n"),
            Err("secrets:2:1: error: a cookie secret must be 32 hexadecimal digits, found 34"),
        );
        check(&format!("{one}\n").repeat(9), Err("secrets:9:1: error: more than 8 cookie secrets"));
        std::fs::remove_file(&file).expect("removed");
        assert!(dns.identity(own).is_err());
        assert_eq!(Dns::default().identity(own).map(|identity| identity.secrets), Ok(Secrets::new(vec![own])));
    }
}
