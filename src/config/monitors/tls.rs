//! What a monitor says of TLS, for each probe that speaks it; and `tls = { … }`, a handshake alone.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::faults::{Faults, shown};
use super::super::table::{Item, Keys, Table};
use super::super::text_file::read_named_text;
use super::{given, host};
use crate::probe::{Authorities, Identity, IdentityFault, TlsCheck, TlsProbe, Trust, WARN_BEFORE};
use crate::system::unix_now;

const TLS: Keys = Keys::only(&["port", "server-name", "alpn", "verify", "ca", "certificate", "key", "expires"]);

/// The keys of [`check`], for probes that speak TLS or do not.
pub(super) const KEYS: [&str; 6] = ["verify", "server-name", "ca", "certificate", "key", "expires"];

/// How long before its end a certificate may be warned of: none is issued for much longer than a year (CA/Browser
/// Forum, Baseline Requirements §6.3.2); 0 for never.
const EXPIRES_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(366 * 86_400);

/// Protocols that are offered, and octets of one's name, of which there can be 255 (RFC 7301 §3.1).
const ALPN_MAX: usize = 8;
const ALPN_OCTETS_MAX: usize = 255;

pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<TlsProbe> {
    let table = item.table("`tls`", &TLS, "{ port = 853 }", faults)?;
    let port = table.require("port", "853", faults).and_then(|item| item.integer(1..=u16::MAX, faults));
    let alpn = given(&table, "alpn", Vec::new(), |item| alpn(item, faults));
    let check = check(&table, faults);
    Some(TlsProbe { port: port?, alpn: alpn?, check: check? })
}

fn alpn(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Vec<String>> {
    let elements = item.elements(r#"["dot"]"#, faults)?;
    if elements.is_empty() || elements.len() > ALPN_MAX {
        let message = format!("`alpn` offers {} protocols, and can offer 1 to {ALPN_MAX}", elements.len());
        faults.error(item.span, message).help("leave it out to offer none");
        return None;
    }
    let name = |item: Item<'_>| {
        let text = item.string("dot", faults)?;
        let fits = (1..=ALPN_OCTETS_MAX).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic());
        if !fits {
            faults
                .error(item.span, format!("\"{}\" is no name of a protocol", shown(text)))
                .help(r#"write one that is registered for ALPN, such as "dot" or "h2""#);
        }
        fits.then(|| text.to_owned())
    };
    let names: Vec<_> = elements.into_iter().map(name).collect();
    names.into_iter().collect()
}

/// What of TLS must hold, and who we are in it.
pub(super) fn check(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<TlsCheck> {
    let server_name = given(table, "server-name", None, |item| host::read(item, faults).map(Some));
    let trust = trust(table, faults);
    let identity = identity(table, faults);
    let warn_before = given(table, "expires", WARN_BEFORE, |item| item.duration(EXPIRES_RANGE, faults));
    Some(TlsCheck { trust: trust?, server_name: server_name?, identity: identity?, warn_before: warn_before? })
}

fn trust(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<Trust> {
    let verify = given(table, "verify", true, |item| item.boolean(faults));
    let ca = table.get("ca");
    if let (Some(false), Some(ca), Some(verify)) = (verify, ca, table.get("verify")) {
        faults
            .error(ca.span, "`ca` is never looked at where nothing is verified")
            .other(verify.span, "any certificate will do")
            .help("leave one of the two out");
        return None;
    }
    match ca {
        Some(ca) => {
            let (file, text) = read_file(ca, "ca.pem", faults)?;
            match Authorities::read(&text) {
                Ok(authorities) => verify.map(|_| Trust::Only(Arc::new(authorities))),
                Err(wrong) => {
                    faults.error(ca.span, format!("{} {wrong}", file.display()));
                    None
                }
            }
        }
        None => Some(if verify? { Trust::System } else { Trust::Anyone }),
    }
}

fn identity(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<Option<Arc<Identity>>> {
    let (certificate, key) = match (table.get("certificate"), table.get("key")) {
        (None, None) => return Some(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(alone), None) => {
            faults.error(alone.span, "a client certificate needs its key").help(r#"add key = "client-key.pem""#);
            return None;
        }
        (None, Some(alone)) => {
            faults.error(alone.span, "a key needs its certificate").help(r#"add certificate = "client.pem""#);
            return None;
        }
    };
    let chain = read_file(certificate, "client.pem", faults);
    let secret = read_file(key, "client-key.pem", faults);
    let ((chain_file, chain), (key_file, secret)) = (chain?, secret?);
    match Identity::read(&chain, &secret) {
        Ok(identity) => {
            if identity.ends().is_some_and(|ends| ends <= unix_now()) {
                faults.warning(certificate.span, format!("{} has expired", chain_file.display()));
            }
            Some(Some(Arc::new(identity)))
        }
        Err(IdentityFault::Certificate(wrong)) => {
            faults.error(certificate.span, format!("{} {wrong}", chain_file.display()));
            None
        }
        Err(IdentityFault::Key(wrong)) => {
            faults
                .error(key.span, format!("{} {wrong}", key_file.display()))
                .other(certificate.span, "the certificate");
            None
        }
    }
}

/// The text of the file that `item` names, relative to the policy file; `example` is such a name. It is read at each
/// load, so that one that was replaced counts from then on.
fn read_file(item: Item<'_>, example: &str, faults: &mut Faults<'_>) -> Option<(PathBuf, String)> {
    let name = item.string(example, faults)?;
    let file = faults.beside(name);
    match read_named_text(&file) {
        Ok(text) => Some((file, text)),
        Err(wrong) => {
            let message = format!("{} {wrong}", file.display());
            faults
                .error(item.span, message)
                .help(format!("`{}` names a file in PEM, from where this one is", item.key));
            None
        }
    }
}
