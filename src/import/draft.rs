//! A zone on its way into our files: its records, and what is balanced in it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use super::label::{free, plain, relative};
use super::record;
use super::toml_text::{inline, key, string, strings};
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;

/// Answers of one name, at most.
pub(super) const ANSWERS_MAX: usize = 64;

/// One zone.
#[derive(Debug)]
pub struct Draft {
    /// Its name.
    pub apex: Name,
    records: Vec<Kept>,
    monitors: Vec<(String, Vec<(&'static str, String)>)>,
    pools: Vec<(String, Pool)>,
    names: Vec<(Name, Steered)>,
    taken: HashSet<String>,
}

/// A record that stays what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) owner: Name,
    pub(super) ttl: u32,
    pub(super) rtype: Rtype,
    pub(super) rdata: Vec<u8>,
}

/// A pool to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pool {
    pub(super) policy: &'static str,
    pub(super) monitors: Vec<String>,
    /// Keys of the pool beside its members, with their values in TOML.
    pub(super) settings: Vec<(&'static str, String)>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) members: Vec<Member>,
}

/// An endpoint to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Endpoint {
    pub(super) name: String,
    pub(super) gives: Gives,
    /// Judged by these rather than by the pool's.
    pub(super) monitors: Option<Vec<String>>,
    pub(super) share: Share,
}

/// What an endpoint is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Address(IpAddr),
    /// A name, absolute.
    Alias(Name),
}

/// A pool in a pool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) pool: String,
    pub(super) share: Share,
}

/// What makes a member be picked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Share {
    pub(super) weight: Option<u32>,
    pub(super) bias: Option<i32>,
    /// Of an endpoint; a pool has its own. Degrees: latitude, longitude.
    pub(super) place: Option<(f64, f64)>,
    /// By the key of the claim: `continents` and the like.
    pub(super) claims: BTreeMap<&'static str, Vec<String>>,
}

/// A balanced name to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Steered {
    pub(super) pool: String,
    /// Seconds, least and greatest.
    pub(super) ttl: (u32, u32),
    /// Keys beside, with their values in TOML.
    pub(super) settings: Vec<(&'static str, String)>,
}

impl Draft {
    /// A zone without anything in it.
    pub(super) fn new(apex: Name) -> Self {
        Self {
            apex,
            records: Vec::new(),
            monitors: Vec::new(),
            pools: Vec::new(),
            names: Vec::new(),
            taken: HashSet::new(),
        }
    }

    /// How many names are balanced.
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// How many records stay as they are.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// The zone's name without its final dot.
    pub fn name(&self) -> String {
        let name = self.apex.to_string().to_lowercase();
        name.strip_suffix('.').unwrap_or(&name).to_owned()
    }

    /// The file's name without its ending: a part of a path whatever the zone is called, as in RFC 2317 §4
    /// `0/25.2.0.192.in-addr.arpa`. `None` for the root, which has no such name.
    pub fn stem(&self) -> Option<String> {
        (!self.apex.is_root()).then(|| self.name().replace('/', "\\047"))
    }

    pub(super) fn keep(&mut self, record: Kept) {
        self.records.push(record);
    }

    /// The records that stay, to be looked through or thinned out.
    pub(super) fn kept(&mut self) -> &mut Vec<Kept> {
        &mut self.records
    }

    /// Adds a pool, named as near to `wish` as may be, and says its name.
    pub(super) fn add_pool(&mut self, wish: &str, pool: Pool) -> String {
        let name = free(&plain(wish), &mut self.taken);
        self.pools.push((name.clone(), pool));
        name
    }

    /// The same, unless there is one that is just so.
    pub(super) fn pool_like(&mut self, wish: &str, pool: Pool) -> String {
        let known = self.pools.iter().find(|(_, known)| *known == pool).map(|(name, _)| name.clone());
        known.unwrap_or_else(|| self.add_pool(wish, pool))
    }

    /// Says where a pool is; whether it is there now, rather than at another place already.
    pub(super) fn locate(&mut self, name: &str, (latitude, longitude): (f64, f64)) -> bool {
        let place = coordinates(latitude, longitude);
        let Some((_, pool)) = self.pools.iter_mut().find(|(own, _)| own == name) else { return false };
        match pool.settings.iter().find(|(key, _)| *key == "place") {
            Some((_, known)) => *known == place,
            None => {
                pool.settings.push(("place", place));
                true
            }
        }
    }

    /// Takes out the pools that no name leads to, and the monitors that judge nothing then.
    pub(super) fn prune(&mut self) {
        let mut wanted: HashSet<String> = HashSet::new();
        let mut open: Vec<String> = self.names.iter().map(|(_, steered)| steered.pool.clone()).collect();
        while let Some(name) = open.pop() {
            let members = self.pool(&name).map(|pool| &pool.members[..]).unwrap_or_default();
            open.extend(members.iter().map(|member| member.pool.clone()).filter(|pool| !wanted.contains(pool)));
            wanted.insert(name);
        }
        self.pools.retain(|(name, _)| wanted.contains(name));
        let pools = &self.pools;
        self.monitors.retain(|(name, _)| pools.iter().any(|(_, pool)| pool.asks(name)));
    }

    pub(super) fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|(own, _)| own == name).map(|(_, pool)| pool)
    }

    pub(super) fn add_monitor(&mut self, name: &str, keys: Vec<(&'static str, String)>) {
        if !self.monitors.iter().any(|(own, _)| own == name) {
            self.monitors.push((name.to_owned(), keys));
        }
    }

    pub(super) fn steer(&mut self, owner: Name, steered: Steered) {
        self.names.push((owner, steered));
    }

    /// Takes out the addresses of balanced names, which their pools have.
    pub(super) fn yield_addresses(&mut self) {
        let steered: HashSet<Name> = self.names.iter().map(|(owner, _)| owner.to_lowercase()).collect();
        let is_address = |record: &Kept| matches!(record.rtype, Rtype::A | Rtype::AAAA);
        self.records.retain(|record| !is_address(record) || !steered.contains(&record.owner.to_lowercase()));
    }

    /// The master file.
    pub fn master_file(&self, source: &str) -> String {
        let ttl = self.usual_ttl();
        let mut text = format!("; {}, imported from {source}\n$ORIGIN {}\n$TTL {ttl}\n", self.name(), self.apex);
        let owners: Vec<String> = self.records.iter().map(|record| relative(&record.owner, &self.apex)).collect();
        // Wide enough for most, so that types stand in a column.
        let width = owners.iter().map(String::len).filter(|&length| length <= 24).max().unwrap_or(1);
        for (record, owner) in self.records.iter().zip(owners) {
            let own = if record.ttl == ttl { String::new() } else { format!("{} ", record.ttl) };
            let _ = writeln!(text, "{owner:width$} {own}{}", record::text(record.rtype, &record.rdata));
        }
        text
    }

    /// The TTL that most records have.
    fn usual_ttl(&self) -> u32 {
        let mut counts: HashMap<u32, usize> = HashMap::new();
        for record in &self.records {
            *counts.entry(record.ttl).or_default() += 1;
        }
        counts.into_iter().max_by_key(|&(ttl, count)| (count, ttl)).map_or(3600, |(ttl, _)| ttl)
    }

    /// The policy file; `None` where nothing is balanced.
    pub fn policy_file(&self, source: &str) -> Option<String> {
        if self.names.is_empty() {
            return None;
        }
        let mut text = format!("# {}: what is balanced, imported from {source}\n", self.name());
        if self.monitors.is_empty() {
            text.push_str(NO_MONITOR);
        }
        for (name, keys) in &self.monitors {
            let _ = writeln!(text, "\n[monitors.{}]", key(name));
            for (name, value) in keys {
                let _ = writeln!(text, "{name} = {value}");
            }
        }
        for (name, pool) in &self.pools {
            pool.write(name, &mut text);
        }
        text.push_str("\n[names]\n");
        for (owner, steered) in &self.names {
            let (min, max) = steered.ttl;
            let range = inline(&[("min", string(&format!("{min}s"))), ("max", string(&format!("{max}s")))]);
            let mut pairs = vec![("pool", string(&steered.pool)), ("ttl", range)];
            pairs.extend(steered.settings.iter().cloned());
            let _ = writeln!(text, "{} = {}", string(&relative(owner, &self.apex)), inline(&pairs));
        }
        Some(text)
    }
}

/// What to do first with a file in which nothing is judged.
const NO_MONITOR: &str = "
# Nothing here is monitored yet. Say how an endpoint is judged, and name it in the pools (monitor = \"web\"); then a
# name may state its budget (failover = \"30s\") in place of a range of TTLs:
#
# [monitors.web]
# http = { path = \"/\" }
";

impl Pool {
    fn write(&self, name: &str, text: &mut String) {
        let _ = writeln!(text, "\n[pools.{}]\npolicy = {}", key(name), string(self.policy));
        match &self.monitors[..] {
            [] => {}
            [one] => {
                let _ = writeln!(text, "monitor = {}", string(one));
            }
            several => {
                let _ = writeln!(text, "monitor = {}", strings(several));
            }
        }
        for (key, value) in &self.settings {
            let _ = writeln!(text, "{key} = {value}");
        }
        let lines = |text: &mut String, key: &str, lines: Vec<String>| {
            if !lines.is_empty() {
                let _ = writeln!(text, "{key} = [\n  {},\n]", lines.join(",\n  "));
            }
        };
        lines(text, "endpoints", self.endpoints.iter().map(Endpoint::text).collect());
        lines(text, "members", self.members.iter().map(Member::text).collect());
    }

    /// Whether `monitor` judges it, or anything in it.
    fn asks(&self, monitor: &str) -> bool {
        let is_it = |name: &String| name == monitor;
        let depends = self.settings.iter().any(|(key, value)| *key == "depends" && *value == string(monitor));
        let of_endpoints = self.endpoints.iter().filter_map(|endpoint| endpoint.monitors.as_ref());
        depends || self.monitors.iter().any(is_it) || of_endpoints.flatten().any(is_it)
    }

    /// Whether one of its own endpoints leads to a name.
    pub(super) fn has_alias(&self) -> bool {
        self.endpoints.iter().any(|endpoint| matches!(endpoint.gives, Gives::Alias(_)))
    }
}

impl Endpoint {
    fn text(&self) -> String {
        let mut pairs = vec![("name", string(&self.name))];
        pairs.push(match &self.gives {
            Gives::Address(address) => ("address", string(&address.to_string())),
            Gives::Alias(name) => ("cname", string(name.to_string().trim_end_matches('.'))),
        });
        match self.monitors.as_deref() {
            None | Some([]) => {}
            Some([one]) => pairs.push(("monitor", string(one))),
            Some(several) => pairs.push(("monitor", strings(several))),
        }
        self.share.write(&mut pairs);
        inline(&pairs)
    }
}

impl Member {
    fn text(&self) -> String {
        let mut pairs = vec![("pool", string(&self.pool))];
        self.share.write(&mut pairs);
        if pairs.len() == 1 { string(&self.pool) } else { inline(&pairs) }
    }
}

impl Share {
    /// By this weight.
    pub(super) fn weight(weight: u32) -> Self {
        Self { weight: Some(weight), ..Self::default() }
    }

    fn write(&self, pairs: &mut Vec<(&str, String)>) {
        pairs.extend(self.weight.map(|weight| ("weight", weight.to_string())));
        pairs.extend(self.bias.filter(|&bias| bias != 0).map(|bias| ("bias", bias.to_string())));
        pairs.extend(self.place.map(|(latitude, longitude)| ("place", coordinates(latitude, longitude))));
        pairs.extend(self.claims.iter().map(|(key, values)| (*key, strings(values))));
    }
}

fn coordinates(latitude: f64, longitude: f64) -> String {
    inline(&[("latitude", format!("{latitude:?}")), ("longitude", format!("{longitude:?}"))])
}
