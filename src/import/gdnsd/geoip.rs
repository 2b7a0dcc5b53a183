//! gdnsd's maps of places → claims.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::draft::{Member, Pool, Share};
use super::super::toml_text::string;
use super::super::{Draft, Fate, Imported};
use super::made::{Made, in_order};
use super::vscf::{self, Node, Table, Value};

/// An order of data centres, most wanted first.
type Order = Vec<String>;

/// A map, turned round: for each order the places that have it.
#[derive(Debug, Default)]
pub(super) struct Geography {
    /// In the order in which they came up.
    claims: Vec<(Order, BTreeMap<&'static str, Vec<String>>)>,
    /// Whoever is nowhere in it.
    otherwise: Otherwise,
    /// Where data centres are.
    places: Vec<(String, (f64, f64))>,
}

#[derive(Debug)]
enum Otherwise {
    Order(Order),
    Nearest,
}

impl Default for Otherwise {
    fn default() -> Self {
        Self::Order(Order::new())
    }
}

impl Geography {
    /// Reads a map; files that it names are in `folder`. The first `skip` of each order are left out.
    pub(super) fn read(map: &Node, folder: &Path, skip: usize, imported: &mut Imported) -> Self {
        let mut geography = Self::default();
        let all: Order = map.get("datacenters").map(order).unwrap_or_default();
        if let Some(coordinates) = map.get("auto_dc_coords").and_then(Node::table) {
            geography.places =
                coordinates.iter().filter_map(|(name, node)| Some((name.clone(), place(node)?))).collect();
        }
        geography.otherwise = if geography.places.is_empty() { Otherwise::Order(all) } else { Otherwise::Nearest };
        if let Some(tree) = map.get("map").and_then(Node::table) {
            geography.walk(tree, &[], imported);
        }
        if let Some(file) = map.get("geoip2_db").and_then(Node::text) {
            let what = format!("[geo] databases = [\"{file}\"] goes into bellwether.toml, for maps of places");
            imported.note(Fate::ToDo, &map.at, what);
        }
        match map.get("nets").map(|nets| (nets, &nets.value)) {
            Some((_, Value::Table(nets))) => geography.networks(nets, imported),
            Some((nets, Value::Text(file))) => match vscf::read(&folder.join(file)) {
                Ok(Node { value: Value::Table(nets), .. }) => geography.networks(&nets, imported),
                Ok(_) | Err(_) => imported.note(Fate::Lost, &nets.at, format!("nets: {file} cannot be read")),
            },
            _ => {}
        }
        for (order, _) in &mut geography.claims {
            order.drain(..skip.min(order.len()));
        }
        if let Otherwise::Order(order) = &mut geography.otherwise {
            order.drain(..skip.min(order.len()));
        }
        geography
    }

    /// One level of the tree: continents, then countries, then what is in them.
    fn walk(&mut self, level: &Table, above: &[&str], imported: &mut Imported) {
        for (key, node) in level {
            let is_default = key == "default";
            let path: Vec<&str> = above.iter().copied().chain((!is_default).then_some(key.as_str())).collect();
            if let (Some(deeper), false) = (node.table(), is_default) {
                self.walk(deeper, &path, imported);
                continue;
            }
            let is_auto = node.text() == Some("auto");
            match (&path[..], is_auto) {
                ([], true) => self.otherwise = Otherwise::Nearest,
                ([], false) => self.otherwise = Otherwise::Order(order(node)),
                (path, true) => {
                    let what = format!("{}: auto, the nearest for one place only", path.join("/"));
                    imported.note(Fate::Lost, &node.at, what);
                }
                ([continent], false) => self.claim("continents", continent, node, imported),
                ([_, country], false) => self.claim("countries", country, node, imported),
                ([_, country, part], false) if is_subdivision(part) => {
                    self.claim("subdivisions", &format!("{country}-{part}"), node, imported);
                }
                (path, false) => {
                    let what =
                        format!("{}: cities and what is below a subdivision have no claims here", path.join("/"));
                    imported.note(Fate::Lost, &node.at, what);
                }
            }
        }
    }

    fn networks(&mut self, nets: &Table, imported: &mut Imported) {
        for (network, node) in nets {
            self.claim("networks", network, node, imported);
        }
    }

    fn claim(&mut self, kind: &'static str, place: &str, node: &Node, imported: &mut Imported) {
        let order = order(node);
        if order.is_empty() {
            imported.note(
                Fate::Lost,
                &node.at,
                format!("{place}: no data centre, so no answer: whoever is there gets one here"),
            );
            return;
        }
        let at = self.claims.iter().position(|(own, _)| *own == order).unwrap_or_else(|| {
            self.claims.push((order, BTreeMap::new()));
            self.claims.len() - 1
        });
        if let Some((_, claims)) = self.claims.get_mut(at) {
            claims.entry(kind).or_default().push(place.to_owned());
        }
    }

    /// The pool of a resource, over the pools of its data centres.
    pub(super) fn pool(&self, name: &str, made: &[(&str, Made)], draft: &mut Draft) -> String {
        let mut members: Vec<Member> = Vec::new();
        for (order, claims) in &self.claims {
            if let Some(pool) = over(name, order, made, draft) {
                let share = Share { claims: claims.clone(), ..Share::default() };
                // Orders that are the same once data centres are left out make one member.
                match members.iter_mut().find(|member| member.pool == pool) {
                    Some(member) => {
                        for (kind, places) in claims {
                            member.share.claims.entry(kind).or_default().extend(places.iter().cloned());
                        }
                    }
                    None => members.push(Member { pool, share }),
                }
            }
        }
        let otherwise = match &self.otherwise {
            Otherwise::Order(order) => over(name, order, made, draft),
            Otherwise::Nearest => self.nearest(name, made, draft),
        };
        if let (true, Some(otherwise)) = (members.is_empty(), &otherwise) {
            return otherwise.clone();
        }
        let mut settings = Vec::new();
        if let Some(otherwise) = otherwise {
            settings.push(("otherwise", string(&otherwise)));
            if !members.iter().any(|member| member.pool == otherwise) {
                members.push(Member { pool: otherwise, share: Share::default() });
            }
        }
        draft.add_pool(name, Pool { policy: "geo", settings, members, ..Pool::default() })
    }

    fn nearest(&self, name: &str, made: &[(&str, Made)], draft: &mut Draft) -> Option<String> {
        let mut members = Vec::new();
        for (centre, place) in &self.places {
            if let Some((_, made)) = made.iter().find(|(own, _)| own == centre) {
                draft.locate(&made.pool, *place);
                members.push(Member { pool: made.pool.clone(), share: Share::default() });
            }
        }
        let pool = Pool { policy: "nearest", members, ..Pool::default() };
        (!pool.members.is_empty()).then(|| draft.add_pool(&format!("{name}-nearest"), pool))
    }
}

/// A pool over `order`: the one data centre's own, or one that fails over.
fn over(name: &str, order: &[String], made: &[(&str, Made)], draft: &mut Draft) -> Option<String> {
    let order: Vec<&str> = order.iter().map(String::as_str).collect();
    let members = in_order(&order, 0, made);
    match &members[..] {
        [] => None,
        [one] => Some(one.pool.clone()),
        _ => {
            let wish = format!("{name}-by-{}", order.join("-"));
            let pool = Pool { policy: "failover", members, ..Pool::default() };
            // The same order may come up again: as that of whoever is nowhere.
            Some(draft.pool_like(&wish, pool))
        }
    }
}

fn order(node: &Node) -> Order {
    node.texts().into_iter().map(str::to_owned).collect()
}

/// ISO 3166-2 has up to three letters and digits behind the country.
fn is_subdivision(part: &str) -> bool {
    (1..=3).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn place(node: &Node) -> Option<(f64, f64)> {
    match node.texts()[..] {
        [latitude, longitude] => Some((latitude.parse().ok()?, longitude.parse().ok()?)),
        _ => None,
    }
}
