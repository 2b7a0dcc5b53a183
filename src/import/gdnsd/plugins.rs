//! gdnsd's resources → pools: what `plugin!resource` of a zone file stands for.
//!
//! Sources: the manual pages `gdnsd-plugin-{multifo,simplefo,weighted,metafo,geoip,static}` of gdnsd 3.8.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use super::super::draft::{ANSWERS_MAX, Endpoint, Gives, Member, Pool, Share};
use super::super::toml_text::string;
use super::super::{Draft, Fate, Imported};
use super::geoip::Geography;
use super::made::{Made, SPECIAL, in_order};
use super::service_types::{self, Kind};
use super::used::Used;
use super::vscf::{Node, Table, Value, get};
use crate::wire::name::Name;

/// Resources in resources, at most; gdnsd itself does not notice a loop.
const DEPTH_MAX: usize = 8;

/// The resources of one zone.
pub(super) struct Resources<'a> {
    plugins: &'a Table,
    types: &'a Table,
    /// Where files of places are.
    folder: &'a Path,
    pub(super) draft: &'a mut Draft,
    pub(super) imported: &'a mut Imported,
    used: &'a mut Used,
    made: HashMap<String, Option<Made>>,
}

/// What is inherited from the plugin to the resource, and on to one address family of it.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    service_types: Vec<String>,
    up_thresh: f64,
    multi: bool,
}

impl<'a> Resources<'a> {
    pub(super) fn new(
        config: &'a Node,
        folder: &'a Path,
        draft: &'a mut Draft,
        imported: &'a mut Imported,
        used: &'a mut Used,
    ) -> Self {
        let (plugins, types) = (config.stanza("plugins"), config.stanza("service_types"));
        Self { plugins, types, folder, draft, imported, used, made: HashMap::new() }
    }

    /// The pool of `plugin!resource` or `plugin!resource/datacenter`; `None`, and a note, where there is none.
    pub(super) fn pool(&mut self, target: &str, depth: usize) -> Option<Made> {
        if let Some(made) = self.made.get(target) {
            return made.clone();
        }
        let made = if depth < DEPTH_MAX { self.make(target, depth) } else { None };
        if made.is_none() {
            self.imported.note(Fate::Lost, target, "there is no such resource, or nothing here does what it does");
        }
        self.made.insert(target.to_owned(), made.clone());
        made
    }

    fn make(&mut self, target: &str, depth: usize) -> Option<Made> {
        let (plugin, resource) = target.split_once('!')?;
        let (resource, datacenter) = match resource.split_once('/') {
            Some((resource, datacenter)) => (resource, Some(datacenter)),
            None => (resource, None),
        };
        self.used.resource(plugin, resource);
        let config = get(self.plugins, plugin).and_then(Node::table)?;
        let settings = Settings::default().within(config);
        match plugin {
            "metafo" | "geoip" => {
                let node = get(config, "resources")?.get(resource)?;
                self.meta((plugin, resource), (config, node), settings, datacenter, depth)
            }
            _ => self.leaf((plugin, resource), get(config, resource)?, &settings),
        }
    }

    /// A resource that holds addresses or names itself.
    fn leaf(&mut self, (plugin, name): (&str, &str), node: &Node, settings: &Settings) -> Option<Made> {
        let table = node.table();
        let settings = table.map_or_else(|| settings.clone(), |table| settings.within(table));
        let mut families = Vec::new();
        for key in ["addrs_v4", "addrs_v6"] {
            if let Some(family) = table.and_then(|table| get(table, key)) {
                families
                    .push((family, family.table().map_or_else(|| settings.clone(), |table| settings.within(table))));
            }
        }
        if families.is_empty() {
            families.push((node, settings.clone()));
        }
        let first = families.first().map(|(_, settings)| settings.clone())?;
        let mut judged = Vec::new();
        for (family, own) in &families {
            judged.push(self.monitors(own, &family.at));
        }
        // What a pool says holds for all of it: families that are judged apart say so themselves, "not at all" too.
        let shared = judged.first().filter(|first| judged.iter().all(|own| own == *first)).cloned();
        let is_shared = shared.is_some();
        let mut pool = Pool { policy: policy(plugin)?, monitors: shared.unwrap_or_default(), ..Pool::default() };
        let grouped = plugin == "weighted" && families.iter().any(|(node, _)| is_grouped(node));
        let mut most = 0;
        for ((family, _), monitors) in families.iter().zip(judged) {
            let items = items(family);
            if grouped {
                self.groups(name, &items, &monitors, &mut pool);
            } else {
                most = most.max(items.len());
                for (label, value) in items {
                    let own = (!is_shared).then(|| monitors.clone());
                    let endpoint = self.endpoint(&label, value, own, &pool);
                    pool.endpoints.extend(endpoint);
                }
            }
        }
        if pool.endpoints.is_empty() && pool.members.is_empty() {
            return None;
        }
        if plugin != "simplefo" {
            if families.iter().any(|(_, own)| own.up_thresh != first.up_thresh) {
                let what =
                    "up_thresh: the address families have several; here it is said of the whole pool, as of the first";
                self.imported.note(Fate::Changed, &node.at, what);
            }
            pool.settings.extend(min_alive(first.up_thresh, plugin == "weighted"));
        }
        if table.is_some_and(|table| get(table, "ignore_health").is_some()) {
            self.imported.note(
                Fate::Lost,
                &node.at,
                "ignore_health: what is down is not answered while anything lives",
            );
        }
        let answers = match plugin {
            "multifo" => most,
            "weighted" if first.multi || grouped => {
                let what = "several addresses of one weighted resource at once (multi, or groups): here the number is \
                            fixed, and weights say which come, and first";
                self.imported.note(Fate::Changed, &node.at, what);
                if grouped { pool.members.len().max(1) } else { most }
            }
            _ => 1,
        };
        let pool = self.draft.add_pool(name, pool);
        Some(Made { pool, answers: answers.clamp(1, ANSWERS_MAX), ignores_ecs: false })
    }

    /// Groups of a weighted resource: pools in the pool, each as heavy as what is in it.
    fn groups(&mut self, name: &str, items: &[(String, &Node)], monitors: &[String], pool: &mut Pool) {
        for (label, group) in items {
            let mut own = Pool { policy: "weighted", monitors: monitors.to_vec(), ..Pool::default() };
            for (label, value) in self::items(group) {
                let endpoint = self.endpoint(&label, value, None, &own);
                own.endpoints.extend(endpoint);
            }
            let weight = own.endpoints.iter().filter_map(|endpoint| endpoint.share.weight).sum();
            if !own.endpoints.is_empty() {
                let group = self.draft.add_pool(&format!("{name}-{label}"), own);
                pool.members.push(Member { pool: group, share: Share::weight(weight) });
            }
        }
    }

    /// `label => address`, or `label => [ address, weight ]`; the address may be a name.
    fn endpoint(&mut self, label: &str, node: &Node, monitors: Option<Vec<String>>, beside: &Pool) -> Option<Endpoint> {
        let texts = node.texts();
        let Some(gives) = texts.first().and_then(|text| gives(text)) else {
            self.imported.note(
                Fate::Lost,
                &node.at,
                format!("{label}: neither an address nor a name with a final dot"),
            );
            return None;
        };
        let is_v6 = matches!(gives, Gives::Address(IpAddr::V6(_)));
        let taken = |name: &str| beside.endpoints.iter().any(|endpoint| endpoint.name == name);
        let name = if taken(label) && is_v6 { format!("{label}-v6") } else { label.to_owned() };
        let monitors = if matches!(gives, Gives::Alias(_)) { None } else { monitors };
        let weight = texts.get(1).and_then(|weight| weight.parse().ok());
        Some(Endpoint { name, gives, monitors, share: Share { weight, ..Share::default() } })
    }

    /// A resource over data centres, in one order (metafo) or in an order for each place (geoip).
    fn meta(
        &mut self,
        (plugin, name): (&str, &str),
        (config, node): (&Table, &Node),
        settings: Settings,
        datacenter: Option<&str>,
        depth: usize,
    ) -> Option<Made> {
        let table = node.table()?;
        let settings = settings.within(table);
        let sub = get(table, "plugin").or_else(|| get(config, "plugin")).and_then(Node::text).unwrap_or("multifo");
        let centres = node.get("dcmap").and_then(Node::table)?;
        let mut made = Vec::new();
        for (centre, value) in centres {
            if datacenter.is_none_or(|wanted| wanted == centre)
                && let Some(pool) = self.datacentre((&format!("{name}-{centre}"), sub), value, &settings, depth)
            {
                made.push((centre.as_str(), pool));
            }
        }
        if let Some(wanted) = datacenter {
            return made.into_iter().find(|(centre, _)| *centre == wanted).map(|(_, made)| made);
        }
        let counts = made.iter().map(|(_, made)| made.answers);
        let (answers, most) = (counts.clone().min()?, counts.max()?);
        if most > 1 {
            let what = format!(
                "answers: {answers}, as many as the smallest data centre has; where fewer live in the one that is chosen, \
                 the next one's fill up"
            );
            self.imported.note(Fate::Changed, &node.at, what);
        }
        let skip = usize::from(node.get("skip_first").and_then(Node::text) == Some("true"));
        if plugin == "metafo" {
            let order = node.get("datacenters").map(Node::texts).unwrap_or_default();
            let pool = Pool { policy: "failover", members: in_order(&order, skip, &made), ..Pool::default() };
            let pool = self.draft.add_pool(name, pool);
            return Some(Made { pool, answers, ignores_ecs: false });
        }
        let map_name = node.get("map").and_then(Node::text)?;
        let map = get(config, "maps")?.get(map_name)?;
        self.used.map(plugin, map_name);
        let geography = Geography::read(map, self.folder, skip, self.imported);
        let pool = geography.pool(name, &made, self.draft);
        let ignores_ecs = map.get("ignore_ecs").and_then(Node::text) == Some("true");
        Some(Made { pool, answers, ignores_ecs })
    }

    /// What a data centre consists of.
    fn datacentre(
        &mut self,
        (name, plugin): (&str, &str),
        node: &Node,
        settings: &Settings,
        depth: usize,
    ) -> Option<Made> {
        match &node.value {
            Value::Text(text) => {
                if let Some(reference) = text.strip_prefix('%') {
                    return self.pool(reference, depth + 1);
                }
                if let Some(resource) = text.strip_prefix('!') {
                    return self.pool(&format!("{plugin}!{resource}"), depth + 1);
                }
                let list = Node { value: Value::List(vec![node.clone()]), at: node.at.clone() };
                self.synthesized(("multifo", name), &list, settings)
            }
            Value::List(_) => self.synthesized(("multifo", name), node, settings),
            Value::Table(table) => {
                let plugin = get(table, "plugin").and_then(Node::text).unwrap_or(plugin);
                self.synthesized((plugin, name), node, settings)
            }
        }
    }

    /// The resource that gdnsd makes up for a data centre, once.
    fn synthesized(&mut self, (plugin, name): (&str, &str), node: &Node, settings: &Settings) -> Option<Made> {
        let target = format!("{plugin}!{name} of {}", node.at);
        if let Some(made) = self.made.get(&target) {
            return made.clone();
        }
        let made = self.leaf((plugin, name), node, settings);
        self.made.insert(target, made.clone());
        made
    }

    /// The monitors of these service types.
    fn monitors(&mut self, settings: &Settings, at: &str) -> Vec<String> {
        let mut monitors = Vec::new();
        for name in &settings.service_types {
            self.used.service_type(name);
            match service_types::monitor(name, self.types, self.draft, self.imported) {
                Kind::Monitor => monitors.push(name.clone()),
                Kind::Up => {}
                Kind::Down => {
                    let what =
                        format!("service type {name}, which is always down: `bellwether down POOL` says it here");
                    self.imported.note(Fate::Lost, at, what);
                }
                Kind::Unknown => {
                    let what = format!("service type {name}: what it judges counts as up until it is given a monitor");
                    self.imported.note(Fate::Lost, at, what);
                }
            }
        }
        monitors
    }
}

fn policy(plugin: &str) -> Option<&'static str> {
    match plugin {
        "multifo" => Some("round-robin"),
        "simplefo" | "static" => Some("failover"),
        "weighted" => Some("weighted"),
        _ => None,
    }
}

/// The labelled values of a stanza; an array's and a single one's are numbered.
fn items(node: &Node) -> Vec<(String, &Node)> {
    match &node.value {
        Value::Table(table) => table
            .iter()
            .filter(|(key, _)| !SPECIAL.contains(&key.as_str()))
            .map(|(key, node)| (key.clone(), node))
            .collect(),
        Value::List(items) => (1..).zip(items).map(|(number, node): (u32, _)| (number.to_string(), node)).collect(),
        Value::Text(_) => vec![("1".to_owned(), node)],
    }
}

fn is_grouped(node: &Node) -> bool {
    items(node).iter().any(|(_, value)| value.table().is_some())
}

fn gives(text: &str) -> Option<Gives> {
    if let Ok(address) = text.parse() {
        return Some(Gives::Address(address));
    }
    let name = text.ends_with('.').then(|| Name::from_host(text).ok())??;
    Some(Gives::Alias(name))
}

/// `up_thresh` as `min-alive`; one living member is what there is without it.
fn min_alive(up_thresh: f64, by_weight: bool) -> Option<(&'static str, String)> {
    // Rounded up, as gdnsd does with what comes of it; but not for what a binary fraction is more: 0.07 × 100 is
    // 7.000000000000001.
    let percent = (up_thresh * 100.0 - 1e-6).ceil().clamp(1.0, 100.0) as u32;
    let of = if by_weight { " of weight" } else { "" };
    (percent > 1).then(|| ("min-alive", string(&format!("{percent}%{of}"))))
}

impl Default for Settings {
    fn default() -> Self {
        Self { service_types: vec!["up".to_owned()], up_thresh: 0.5, multi: false }
    }
}

impl Settings {
    fn within(&self, table: &Table) -> Self {
        let mut own = self.clone();
        if let Some(types) = get(table, "service_types") {
            own.service_types = types.texts().into_iter().map(str::to_owned).collect();
        }
        if let Some(share) = get(table, "up_thresh").and_then(Node::text).and_then(|text| text.parse().ok()) {
            own.up_thresh = share;
        }
        if let Some(multi) = get(table, "multi").and_then(Node::text) {
            own.multi = multi == "true";
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_become_whole_percents() {
        let check = |up_thresh: f64, expected: Option<&str>| {
            assert_eq!(min_alive(up_thresh, false).map(|(_, text)| text).as_deref(), expected, "{up_thresh}");
        };
        check(0.5, Some("\"50%\""));
        check(0.07, Some("\"7%\""));
        check(0.55, Some("\"55%\""));
        check(0.551, Some("\"56%\""));
        check(1.0, Some("\"100%\""));
        check(0.01, None);
        check(0.000_001, None);
        for percent in 2..=100 {
            let expected = format!("\"{percent}%\"");
            check(f64::from(percent) / 100.0, Some(&expected));
        }
    }
}
