//! `[transfer]` of the server file: keys, who may transfer zones, and who is told that one has moved on.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use toml::de::DeValue;

use super::faults::{Faults, shown, suggestion};
use super::table::{Item, Keys as Words, Table};
use crate::diagnostic::plural;
use crate::geo::Network;
use crate::transfer::{Algorithm, Grant, Key};
use crate::wire::name::Name;

/// What `[transfer]` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// What requests may be signed with.
    pub keys: Vec<Key>,
    /// Who may transfer every zone.
    pub grants: Vec<Grant>,
    /// Who is told.
    pub secondaries: Vec<Secondary>,
}

/// Who is told of a zone's new serial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secondary {
    /// Where, by UDP; port 53 where none is given.
    pub address: SocketAddr,
    /// What the notification is signed with.
    pub key: Option<Key>,
}

const TRANSFER: Words = Words::only(&["keys", "allow", "notify"]);
const KEY: Words = Words::only(&["algorithm", "secret"]);
const ALLOW: Words = Words::only(&["network", "key"]);
const NOTIFY: Words = Words::only(&["address", "key"]);

/// Entries of `allow` and of `notify`, at the most: each costs a comparison a transfer, or a datagram a change.
const ENTRIES_MAX: usize = 1_024;

/// Octets of a secret, at the least: RFC 8945 §8 asks for the length of the hash; 16 octets are what no one guesses.
const SECRET_OCTETS_LEAST: usize = 16;

/// The port of DNS.
const PORT: u16 = 53;

pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Transfers> {
    let table = item.table("[transfer]", &TRANSFER, r#"{ allow = ["192.0.2.53"] }"#, faults)?;
    let keys = keys(&table, faults);
    let names: Vec<&str> = keys.iter().map(|(name, ..)| *name).collect();
    let known: HashMap<&str, (&Name, Option<&Key>)> =
        keys.iter().map(|(text, name, key)| (*text, (name, key.as_ref()))).collect();
    let mut find = |item: Item<'_>, faults: &mut Faults<'_>| {
        let text = item.string("secondary.example.com", faults)?;
        let found = known.get(text);
        if found.is_none() {
            let message = format!("there is no key \"{}\" in `keys` of [transfer]", shown(text));
            faults.error(item.span, message).help(suggestion(text, names.iter().copied(), "the keys"));
        }
        found.copied()
    };
    let grants = list(&table, "allow", r#"["192.0.2.53"]"#, faults, |item, faults| grant(item, &mut find, faults));
    let secondaries =
        list(&table, "notify", r#"["192.0.2.53"]"#, faults, |item, faults| secondary(item, &mut find, faults));
    drop(known);
    let keys = keys.into_iter().filter_map(|(.., key)| key).collect();
    Some(Transfers { keys, grants: grants?, secondaries: secondaries? })
}

/// The entries of an array, each by `read`; `None` when one is faulty.
fn list<'a, T>(
    table: &Table<'a>,
    key: &str,
    example: &str,
    faults: &mut Faults<'_>,
    mut read: impl FnMut(Item<'a>, &mut Faults<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(item) = table.get(key) else { return Some(Vec::new()) };
    let elements = item.elements(example, faults)?;
    if elements.len() > ENTRIES_MAX {
        let count = elements.len();
        faults.error(item.span, format!("`{key}` can have at most {ENTRIES_MAX} entries, found {count}"));
        return None;
    }
    let count = elements.len();
    let read: Vec<T> = elements.into_iter().filter_map(|element| read(element, faults)).collect();
    (read.len() == count).then_some(read)
}

/// Each key as it is called, its name, and itself where it is sound.
fn keys<'a>(table: &Table<'a>, faults: &mut Faults<'_>) -> Vec<(&'a str, Name, Option<Key>)> {
    let Some(item) = table.get("keys") else { return Vec::new() };
    let example = r#"keys = { "secondary.example.com" = { algorithm = "hmac-sha256", secret = "…" } }"#;
    let mut keys = Vec::new();
    let mut called = HashMap::new();
    for item in item.entries(example, faults) {
        match Name::from_host(item.key) {
            Ok(name) => {
                let name = name.to_lowercase();
                // On the wire they would be one: RFC 8945 §4.2 compares names of keys as any others.
                if let Some(&first) = called.get(&name) {
                    let message = format!("\"{}\" is the name of another key, too", shown(item.key));
                    faults.error(item.key_span, message).other(first, "the other").help(
                        "case and a final dot make no difference: give each key a name of its own, or take one out",
                    );
                }
                called.entry(name.clone()).or_insert(item.key_span);
                let key = key(item, &name, faults);
                keys.push((item.key, name, key));
            }
            Err(_) => {
                faults.error(item.key_span, format!("\"{}\" cannot be the name of a key", shown(item.key))).help(
                    "a key is called by a domain name, such as \"secondary.example.com\", the same on both sides",
                );
            }
        }
    }
    keys
}

fn key(item: Item<'_>, name: &Name, faults: &mut Faults<'_>) -> Option<Key> {
    let table = item.table("a key", &KEY, r#"{ algorithm = "hmac-sha256", secret = "…" }"#, faults)?;
    let algorithm = table.get("algorithm").map_or(Some(Algorithm::Sha256), |item| {
        let text = item.string("hmac-sha256", faults)?;
        let found = Algorithm::ALL.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words = Algorithm::ALL.map(|(word, _)| word);
            let message = format!("unknown algorithm \"{}\"", shown(text));
            faults.error(item.span, message).help(suggestion(text, words, "known algorithms"));
        }
        found.map(|&(_, algorithm)| algorithm)
    });
    let item = table.require("secret", "\"…\"", faults)?;
    let text = item.string("nDMpMqTCpCkkYPMTmkRNFaKqcN4TGUB0sBT5ohPRnNE=", faults)?;
    // Secrets are not repeated in messages: those end up in logs.
    let Ok(secret) = STANDARD.decode(text) else {
        faults.error(item.span, "`secret` is not in base64").help("make one with: head -c 32 /dev/urandom | base64");
        return None;
    };
    if secret.len() < SECRET_OCTETS_LEAST {
        let message = format!("`secret` has {}, too few to be one", plural(secret.len(), "octet"));
        faults
            .error(item.span, message)
            .help(format!("give {SECRET_OCTETS_LEAST} or more: head -c 32 /dev/urandom | base64"));
        return None;
    }
    Some(Key { name: name.clone(), algorithm: algorithm?, secret: secret.into() })
}

/// What a key is called, and itself where it is sound.
type Found<'k> = Option<(&'k Name, Option<&'k Key>)>;

fn grant<'k>(
    item: Item<'_>,
    find: &mut impl FnMut(Item<'_>, &mut Faults<'_>) -> Found<'k>,
    faults: &mut Faults<'_>,
) -> Option<Grant> {
    if matches!(item.value, DeValue::String(_)) {
        return Some(Grant { network: network(item, faults)?, key: None });
    }
    let table = item.table("an entry of `allow`", &ALLOW, r#"{ network = "192.0.2.53", key = "…" }"#, faults)?;
    let network = table.require("network", "\"192.0.2.53\"", faults).and_then(|item| network(item, faults));
    let key = table.get("key").map_or(Some(None), |item| find(item, faults).map(Some));
    Some(Grant { network: network?, key: key?.map(|(name, _)| name.clone()) })
}

/// A network, or one address.
fn network(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Network> {
    let text = item.string("192.0.2.53", faults)?;
    let network = match text.parse::<IpAddr>() {
        Ok(address) => Network::of(address.to_canonical(), if address.to_canonical().is_ipv4() { 32 } else { 128 }),
        Err(_) => Network::parse(text),
    };
    match network {
        Ok(network) => Some(network),
        Err(fault) => {
            let note = faults.error(item.span, fault.message);
            if let Some(help) = fault.help {
                note.help(help);
            }
            None
        }
    }
}

fn secondary<'k>(
    item: Item<'_>,
    find: &mut impl FnMut(Item<'_>, &mut Faults<'_>) -> Found<'k>,
    faults: &mut Faults<'_>,
) -> Option<Secondary> {
    if matches!(item.value, DeValue::String(_)) {
        return Some(Secondary { address: socket(item, faults)?, key: None });
    }
    let table = item.table("an entry of `notify`", &NOTIFY, r#"{ address = "192.0.2.53", key = "…" }"#, faults)?;
    let address = table.require("address", "\"192.0.2.53\"", faults).and_then(|item| socket(item, faults));
    let key = table.get("key").map_or(Some(None), |item| find(item, faults).map(Some));
    Some(Secondary { address: address?, key: key?.and_then(|(_, key)| key.cloned()) })
}

fn socket(item: Item<'_>, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    let text = item.string("192.0.2.53", faults)?;
    let address = text.parse().or_else(|_| text.parse().map(|address: IpAddr| SocketAddr::new(address, PORT)));
    match address {
        Ok(address) if address.port() != 0 && !address.ip().is_unspecified() && !address.ip().is_multicast() => {
            Some(address)
        }
        _ => {
            let message = format!("\"{}\" is not where one server can be told", shown(text));
            faults
                .error(item.span, message)
                .help("write an address, with a port where it is not 53: \"192.0.2.53:5353\"");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::load_server_file;
    use super::super::server_file::tests::read;
    use super::*;

    #[test]
    fn keys_grants_and_secondaries_are_read() {
        let text = r#"
[transfer]
keys = { "One.example.com" = { secret = "AAECAwQFBgcICQoLDA0ODw==" }, two = { algorithm = "hmac-sha512", secret = "AAECAwQFBgcICQoLDA0ODw==" } }
allow = ["192.0.2.53", "2001:db8::/32", { network = "198.51.100.0/24", key = "One.example.com" }]
notify = ["192.0.2.53", "[2001:db8::53]:5353", { address = "198.51.100.7", key = "two" }]
"#;
        let (server, faults) = read(text);
        assert_eq!(faults, Vec::<String>::new());
        let transfers = server.expect("a server").transfers;
        let secret: Box<[u8]> = (0..16).collect();
        let name = |text: &str| Name::from_host(text).expect("a name");
        let one = Key { name: name("one.example.com"), algorithm: Algorithm::Sha256, secret: secret.clone() };
        let two = Key { name: name("two"), algorithm: Algorithm::Sha512, secret };
        let network = |text: &str| Network::parse(text).expect("a network");
        let grant =
            |text: &str, key: Option<&Key>| Grant { network: network(text), key: key.map(|key| key.name.clone()) };
        let expected = Transfers {
            grants: vec![
                grant("192.0.2.53/32", None),
                grant("2001:db8::/32", None),
                grant("198.51.100.0/24", Some(&one)),
            ],
            secondaries: [
                ("192.0.2.53:53", None),
                ("[2001:db8::53]:5353", None),
                ("198.51.100.7:53", Some(two.clone())),
            ]
            .map(|(address, key)| Secondary { address: address.parse().expect("an address"), key })
            .to_vec(),
            keys: vec![one, two],
        };
        assert_eq!(transfers, expected);
    }

    #[test]
    fn faults_say_where_and_never_the_secret() {
        let check = |text: &str, expected: &[&str]| {
            let (server, faults) = read(&format!("[transfer]\n{text}"));
            assert_eq!(server, None, "{text}");
            assert_eq!(faults.len(), expected.len(), "{faults:#?}");
            for (got, expected) in faults.iter().zip(expected) {
                assert!(got.contains(expected), "{expected:?} is not in: {got}");
                assert!(!got.contains("c2VjcmV0"), "{got}");
            }
        };
        check("alow = []", &["2:1: error: unknown key `alow` in [transfer] (did you mean `allow`?)"]);
        check("allow = ['192.0.2.0/33']", &["2:10: error: the prefix length of `192.0.2.0/33` is not from 0 to 32"]);
        check("allow = ['ns2']", &["2:10: error: `ns2` is not a network"]);
        check("allow = [{ key = 'k' }]", &["has no `network`", "there is no key \"k\" in `keys`"]);
        check(
            "notify = ['0.0.0.0', 'ns2', '192.0.2.1:0']",
            &["\"0.0.0.0\" is not where", "\"ns2\"", "\"192.0.2.1:0\""],
        );
        check("keys = { k = { secret = 'c2VjcmV0!' } }", &["2:25: error: `secret` is not in base64"]);
        check("keys = { k = { secret = 'c2VjcmV0' } }", &["2:25: error: `secret` has 6 octets, too few to be one"]);
        check(
            "keys = { k = { algorithm = 'hmac-md5', secret = 'AAECAwQFBgcICQoLDA0ODw==' } }",
            &["unknown algorithm \"hmac-md5\""],
        );
        check("keys = { k = {} }", &["`secret`"]);
        check(
            "allow = [{ network = '192.0.2.1', key = 'K.' }]\n\
             keys = { k = { secret = 'AAECAwQFBgcICQoLDA0ODw==' }, 'K.' = { secret = 'AAECAwQFBgcICQoLDA0ODw==' } }",
            &["3:55: error: \"K.\" is the name of another key, too"],
        );
        check("keys = { 'a..b' = { secret = 'AAECAwQFBgcICQoLDA0ODw==' } }", &["\"a..b\" cannot be the name of a key"]);
    }

    #[test]
    fn keys_in_a_file_that_is_open_to_all_are_warned_of() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let check = |text: &str, mode: u32, expected: &[&str]| {
            fs::write(file.path(), text).expect("written");
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).expect("ours");
            let (settings, faults) = load_server_file(file.path());
            let messages: Vec<&str> = faults.iter().map(|fault| &*fault.message).collect();
            assert!(settings.is_some() && messages == expected, "{mode:o}: {faults:?}");
        };
        let keys = "[transfer]\nkeys = { k = { secret = 'AAECAwQFBgcICQoLDA0ODw==' } }\n";
        let open = "keys of [transfer] stand here, and every user of this machine can read this file";
        check(keys, 0o644, &[open]);
        check(keys, 0o640, &[]);
        check("[transfer]\nkeys = {}\n", 0o644, &[]);
    }
}
