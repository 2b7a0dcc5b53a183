//! An explanation as text, for a terminal or a ticket.

use std::fmt::Write;

use crate::admin::api::{Explanation, PlaceFound, PoolConsulted};

/// The explanation in lines, each with what it is about in front.
pub(super) fn text(told: &Explanation) -> String {
    let mut text = String::new();
    let mut line = |head: &str, tail: &str| {
        let _ = writeln!(text, "{head:9}{tail}");
    };
    line("question", &format!("{} {}", told.name, told.rtype));
    let words = |place: &Option<PlaceFound>| place.as_ref().map_or_else(String::new, |place| place.words.clone());
    match (told.client, told.resolver) {
        (Some(client), _) => line("client", &format!("{client}: {}", words(&told.place))),
        (None, Some(_)) => line("client", "nobody in particular: the resolver tells no subnet"),
        (None, None) => line("client", "nobody in particular (name one with --client IP)"),
    }
    if let Some(resolver) = told.resolver {
        line("resolver", &format!("{resolver}: {}", words(&told.resolver_place)));
    }
    for found in &told.found {
        line("zone", &format!("{} {}", found.zone, found.words));
    }
    if told.found.is_empty() {
        line("zone", "none: the name lies in no zone that is served here");
    }
    for pool in &told.pools {
        pool_text(&mut text, pool);
    }
    let mut line = |head: &str, tail: &str| {
        let _ = writeln!(text, "{head:9}{tail}");
    };
    if let Some(ttl) = &told.ttl {
        line("ttl", &format!("{} s: {}", ttl.seconds, ttl.reason));
        line("scope", &scope_text(told.scope));
    }
    line("answer", &told.rcode);
    for record in told.answers.iter().chain(&told.authorities) {
        line("", &format!("{} {} IN {} {}", record.name, record.ttl, record.rtype, record.data));
    }
    text
}

fn pool_text(text: &mut String, pool: &PoolConsulted) {
    let hints = pool.hints.as_ref().map_or_else(String::new, |hints| format!(" for {hints}"));
    let _ = writeln!(text, "pool     {} ({}){hints}: {}", pool.name, pool.policy, pool.how);
    let width = pool.members.iter().map(|member| member.name.chars().count()).max().unwrap_or(0);
    for member in &pool.members {
        let mark = if member.taken { "→" } else { " " };
        let address = member.address.map(|address| address.to_string()).filter(|address| *address != member.name);
        let address = address.map_or_else(String::new, |address| format!("{address}  "));
        let _ = writeln!(text, "       {mark} {:width$}  {address}{}", member.name, member.reason);
    }
}

fn scope_text(scope: Option<u8>) -> String {
    match scope {
        None => "none: no client subnet was told".to_owned(),
        Some(0) => "/0: the same for every client".to_owned(),
        Some(bits) => format!("/{bits}: the answer depended on so many bits of the client's address"),
    }
}
