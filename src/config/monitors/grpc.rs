//! `grpc = { … }`: what the health service of gRPC says.

use super::super::faults::{Faults, shown};
use super::super::table::{Item, Keys, Table};
use super::{given, host, tls};
use crate::probe::{GrpcProbe, SERVICE_OCTETS_MAX};

const GRPC: Keys =
    Keys::only(&["port", "service", "host", "tls", "verify", "server-name", "ca", "certificate", "key", "expires"]);

pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<GrpcProbe> {
    let table = item.table("`grpc`", &GRPC, "{ port = 50051 }", faults)?;
    let port = table.require("port", "50051", faults).and_then(|item| item.integer(1..=u16::MAX, faults));
    let service = given(&table, "service", String::new(), |item| service(item, faults));
    let host = given(&table, "host", None, |item| host::read(item, faults).map(Some));
    let tls = match given(&table, "tls", false, |item| item.boolean(faults)) {
        Some(true) => tls::check(&table, faults).map(Some),
        Some(false) => plain(&table, faults).then_some(None),
        None => None,
    };
    Some(GrpcProbe { port: port?, service: service?, host: host?, tls: tls? })
}

/// Whether nothing is said of TLS, as is right without it.
fn plain(table: &Table<'_>, faults: &mut Faults<'_>) -> bool {
    let Some(item) = tls::KEYS.iter().find_map(|key| table.get(key)) else { return true };
    faults
        .error(item.key_span, format!("`{}` is for TLS, which this probe does not speak", item.key))
        .help("add tls = true");
    false
}

fn service(item: Item<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let text = item.string("my.package.Service", faults)?;
    if text.len() <= SERVICE_OCTETS_MAX && text.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    faults
        .error(item.span, format!("\"{}\" is no name of a service", shown(text)))
        .help(r#"write it as the server registers it, such as "my.package.Service""#);
    None
}
