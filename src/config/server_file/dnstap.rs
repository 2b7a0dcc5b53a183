//! `[dnstap]`: the query log.

use std::path::Path;

use super::super::dns::Dns;
use super::super::faults::{Faults, shown};
use super::super::table::{Item, Keys};
use super::super::words::{path, socket_path};
use crate::observe::Share;
use crate::observe::dnstap::{Settings, Target};

const DNSTAP: Keys = Keys::only(&["socket", "file", "sample", "messages", "identity", "version"]);

/// The least share: one query in so many.
const SAMPLE_LEAST: u32 = 1_000_000;

/// Octets of `identity` and of `version`, which are in every frame.
const TEXT_OCTETS_MAX: usize = 255;

/// The words of `messages`.
const QUERY: &str = "auth-query";
const RESPONSE: &str = "auth-response";

/// Reads the table; `folder` is the server file's, and `dns` says who the server is where this does not.
pub(super) fn read(item: Item<'_>, folder: &Path, dns: Option<&Dns>, faults: &mut Faults<'_>) -> Option<Settings> {
    let table = item.table("[dnstap]", &DNSTAP, r#"{ socket = "/run/dnstap.sock" }"#, faults)?;
    let target = match (table.get("socket"), table.get("file")) {
        (Some(item), None) => Some(Target::Socket(socket_path(item, "/run/dnstap.sock", folder, faults)?)),
        (None, Some(file)) => Some(Target::File(folder.join(path(file, "queries.fstrm", "a file", faults)?))),
        (Some(_), Some(file)) => {
            faults
                .error(file.key_span, "[dnstap] has both `socket` and `file`")
                .help("keep one; a reader of the socket, fstrm_capture say, can write files");
            None
        }
        (None, None) if table.is_meant(&["socket", "file"]) => None,
        (None, None) => {
            faults
                .error(item.key_span, "[dnstap] has neither `socket` nor `file`")
                .help("add socket = \"/run/dnstap.sock\", which a reader listens on, or file = \"queries.fstrm\"");
            None
        }
    };
    let sample = table.get("sample").map_or(Some(Share::ALL), |item| sample(item, faults));
    let messages = table.get("messages").map_or(Some((true, true)), |item| messages(item, faults));
    let id = dns.and_then(|dns| dns.id.as_deref()).and_then(|id| String::from_utf8(id.to_vec()).ok());
    let identity = table.get("identity").map_or(Some(id), |item| text(item, faults));
    let own = format!("bellwether {}", env!("CARGO_PKG_VERSION"));
    let version = table.get("version").map_or(Some(Some(own)), |item| text(item, faults));
    let (queries, responses) = messages?;
    Some(Settings { target: target?, sample: sample?, queries, responses, identity: identity?, version: version? })
}

/// `"1/100"`, `"1%"` or `0.01`.
fn sample(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Share> {
    let range = 1.0 / f64::from(SAMPLE_LEAST)..=1.0;
    let Some(written) = item.value.as_str() else { return item.number(range, faults).map(Share::new) };
    let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    let number = |text: &str| Some(text).filter(|text| digits(text)).and_then(|text| text.parse::<f64>().ok());
    let share = match written.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => written.split_once('/').and_then(|(one, of)| Some(number(one)? / number(of)?)),
    };
    let share = share.filter(|share| range.contains(share));
    if share.is_none() {
        faults
            .error(
                item.span,
                format!(
                    "`sample` must be \"1/1\" to \"1/{SAMPLE_LEAST}\", or a percentage, found \"{}\"",
                    shown(written)
                ),
            )
            .help("\"1/100\" and \"1%\" log one query in a hundred, drawn by lot; 1 logs all");
    }
    share.map(Share::new)
}

/// Whether queries are logged, and responses.
fn messages(item: Item<'_>, faults: &mut Faults<'_>) -> Option<(bool, bool)> {
    let elements = item.elements(r#"["auth-query", "auth-response"]"#, faults)?;
    let mut words = Vec::new();
    for element in &elements {
        let word = element.string(RESPONSE, faults)?;
        if ![QUERY, RESPONSE].contains(&word) {
            let message = format!("`messages` has \"{}\"", shown(word));
            faults.error(element.span, message).help(format!("there are \"{QUERY}\" and \"{RESPONSE}\""));
            return None;
        }
        words.push(word);
    }
    if words.is_empty() {
        faults.error(item.span, "`messages` is empty, so nothing would be logged").help("leave the key out for both");
        return None;
    }
    Some((words.contains(&QUERY), words.contains(&RESPONSE)))
}

/// A text, or none where it is empty.
fn text(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Option<String>> {
    let text = item.string("fra1", faults)?;
    if text.len() > TEXT_OCTETS_MAX {
        let message = format!("`{}` must be up to {TEXT_OCTETS_MAX} octets of text, found {}", item.key, text.len());
        faults.error(item.span, message);
        return None;
    }
    Some((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::read_server_file;
    use super::*;

    #[test]
    fn a_log_is_asked_for() {
        let check = |text: &str, change: fn(&mut Settings)| {
            let (server, faults) = read_server_file(Path::new("/etc/bw/bellwether.toml"), text);
            assert_eq!(faults, [], "{text}");
            let mut expected = Settings {
                target: Target::Socket(PathBuf::from("/run/tap.sock")),
                sample: Share::ALL,
                queries: true,
                responses: true,
                identity: None,
                version: Some(format!("bellwether {}", env!("CARGO_PKG_VERSION"))),
            };
            change(&mut expected);
            assert_eq!(server.and_then(|server| server.dnstap), Some(expected), "{text}");
        };
        check("dnstap = { socket = '/run/tap.sock' }", |_| {});
        check("dnstap = { file = 'q' }", |of| of.target = Target::File(PathBuf::from("/etc/bw/q")));
        for (sample, share) in
            [("1", 1.0), ("0.5", 0.5), ("'1/1'", 1.0), ("'1/100'", 0.01), ("'2.5%'", 0.025), ("'1/1000000'", 1e-6)]
        {
            let text = format!("[dnstap]\nsocket = '/run/tap.sock'\nsample = {sample}");
            let (server, faults) = read_server_file(Path::new("bellwether.toml"), &text);
            assert_eq!(faults, [], "{text}");
            assert_eq!(server.and_then(|server| server.dnstap).map(|of| of.sample), Some(Share::new(share)), "{text}");
        }
        check("dnstap = { socket = '/run/tap.sock', messages = ['auth-query'] }", |of| of.responses = false);
        check("dnstap = { socket = '/run/tap.sock', messages = ['auth-response'] }", |of| of.queries = false);
        check("dns.id = 'fra1'\n[dnstap]\nsocket = '/run/tap.sock'\nversion = ''", |of| {
            (of.identity, of.version) = (Some("fra1".to_owned()), None);
        });
        check("dns.id = 'fra1'\n[dnstap]\nsocket = '/run/tap.sock'\nidentity = 'x'\nversion = 'y'", |of| {
            (of.identity, of.version) = (Some("x".to_owned()), Some("y".to_owned()));
        });
    }

    #[test]
    fn faults_say_what_would_be_right() {
        let check = |text: &str, expected: &str| {
            let (server, faults) = read_server_file(Path::new("b.toml"), text);
            let got: Vec<String> = faults.iter().map(ToString::to_string).collect();
            assert_eq!((server, got.len()), (None, 1), "{text}: {got:?}");
            assert!(got[0].contains(expected), "{expected:?} is not in {got:?}");
        };
        check("[dnstap]", "1:2: error: [dnstap] has neither `socket` nor `file`");
        check("[dnstap]\nsokket = 'a'", "2:1: error: unknown key `sokket` in [dnstap] (did you mean `socket`?)");
        check("[dnstap]\nsocket = 'a'\nfile = 'b'", "3:1: error: [dnstap] has both");
        check("[dnstap]\nsocket = ''", "2:10: error: `socket` must be the path of a Unix socket");
        check(&format!("[dnstap]\nsocket = '/{}'", "a".repeat(107)), "107 octets at the most, found 108");
        for sample in ["'1/0'", "'2/1'", "'0%'", "'101%'", "'1/1000001'", "'x'", "'-1/-1'", "'NaN%'", "'1/'"] {
            check(&format!("[dnstap]\nfile = 'b'\nsample = {sample}"), "3:10: error: `sample` must be \"1/1\"");
        }
        check("[dnstap]\nfile = 'b'\nsample = 100", "`sample` must be 0.000001 to 1, found 100");
        check("[dnstap]\nfile = 'b'\nsample = true", "`sample` must be a number from 0.000001 to 1");
        check("[dnstap]\nfile = 'b'\nmessages = []", "3:12: error: `messages` is empty");
        check(
            "[dnstap]\nfile = 'b'\nmessages = ['query']",
            "3:13: error: `messages` has \"query\" (there are \"auth-query\"",
        );
        check(&format!("[dnstap]\nfile = 'b'\nversion = '{}'", "v".repeat(256)), "up to 255 octets of text, found 256");
    }
}
