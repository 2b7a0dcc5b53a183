//! Record sets that share a name → a pool.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::draft::{Endpoint, Gives, Kept, Member, Pool, Share, Steered};
use super::super::label::relative;
use super::super::toml_text::string;
use super::super::{Draft, Fate, Imported};
use super::checks;
use super::export::{HealthCheck, RecordSet};
use super::regions;
use super::unescaped;
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;

/// Aliases to aliases, at most.
const DEPTH_MAX: usize = 16;

/// Seconds of an alias record, which has the TTL of what it leads to: 60 for a load balancer.
const ALIAS_TTL: u32 = 60;

/// Seconds under which a TTL need not fall while a verdict forms.
const TTL_FLOOR: u32 = 5;

/// All sets of a zone.
pub(super) struct Sets<'a> {
    steered: &'a BTreeMap<String, Vec<RecordSet>>,
    plain: &'a [RecordSet],
    checks: Option<&'a [HealthCheck]>,
    draft: &'a mut Draft,
    imported: &'a mut Imported,
    /// By name: what was made of it.
    made: BTreeMap<String, Made>,
}

/// What became of a name.
#[derive(Clone, Debug)]
enum Made {
    /// It is being looked at: what leads here leads round in a circle.
    Open,
    /// The pool, or nothing.
    Done(Option<String>),
}

impl<'a> Sets<'a> {
    pub(super) fn new(
        steered: &'a BTreeMap<String, Vec<RecordSet>>,
        plain: &'a [RecordSet],
        checks: Option<&'a [HealthCheck]>,
        draft: &'a mut Draft,
        imported: &'a mut Imported,
    ) -> Self {
        Self { steered, plain, checks, draft, imported, made: BTreeMap::new() }
    }

    /// Balances every name that has a policy or is an alias.
    pub(super) fn steer_all(&mut self) {
        for name in self.steered.keys() {
            let Ok(owner) = Name::from_host(name) else {
                self.imported.note(Fate::Lost, name, "not a name");
                continue;
            };
            if self.is_mere_alias(name, &owner) {
                continue;
            }
            if let Some(pool) = self.pool(name, 0) {
                let ttl = self.ttl(name);
                let is_apex = owner.to_lowercase() == self.draft.apex;
                let leads_away = self.draft.pool(&pool).is_some_and(Pool::has_alias);
                if is_apex && leads_away {
                    let what =
                        "an alias of another name cannot stand at the zone's apex, beside its SOA and NS records";
                    self.imported.note(Fate::Lost, name, what);
                    continue;
                }
                let settings = match self.draft.pool(&pool).map(|pool| pool.policy) {
                    Some("random") => vec![("answers", "8".to_owned())],
                    _ => Vec::new(),
                };
                self.draft.steer(owner, Steered { pool, ttl: (TTL_FLOOR.min(ttl), ttl), settings });
            }
        }
    }

    /// Whether `name` is nothing but an alias of a name outside, which a CNAME record says as well.
    fn is_mere_alias(&mut self, name: &str, owner: &Name) -> bool {
        let Some([set, rest @ ..]) = self.steered.get(name).map(|sets| &sets[..]) else { return false };
        let Some(target) = set.alias_target.as_ref().filter(|_| set.set_identifier.is_none()) else { return false };
        let same = |set: &RecordSet| set.alias_target.as_ref().is_some_and(|own| own.name == target.name);
        let (Some(target), true) = (self.outside(&target.name), rest.iter().all(same)) else { return false };
        let beside = self.plain.iter().any(|set| set.name == name);
        if owner.to_lowercase() == self.draft.apex || beside {
            let what = format!(
                "alias of {target}: a CNAME record cannot stand beside others; name the addresses as endpoints"
            );
            self.imported.note(Fate::Lost, name, what);
        } else {
            self.imported.note(
                Fate::Changed,
                name,
                format!("alias of {target}: a CNAME record here, which clients see"),
            );
            let rdata = target.as_wire().to_vec();
            self.draft.keep(Kept { owner: owner.clone(), ttl: ALIAS_TTL, rtype: Rtype::CNAME, rdata });
        }
        true
    }

    /// The name, where it is not of this zone.
    fn outside(&self, name: &str) -> Option<Name> {
        let name = Name::from_host(&unescaped(name)).ok()?;
        (!name.is_at_or_below(&self.draft.apex)).then_some(name)
    }

    /// The least TTL of what stands at `name`.
    fn ttl(&self, name: &str) -> u32 {
        let sets = self.steered.get(name).into_iter().flatten();
        sets.filter_map(|set| set.ttl).min().unwrap_or(ALIAS_TTL).max(1)
    }

    /// The pool of a name that has a policy or is an alias; one of its addresses where it has neither.
    fn pool(&mut self, name: &str, depth: usize) -> Option<String> {
        let lost = match self.made.get(name) {
            Some(Made::Done(made)) => return made.clone(),
            Some(Made::Open) => Some("aliases lead round in a circle"),
            None if depth > DEPTH_MAX => Some("aliases lead too far"),
            None => None,
        };
        if let Some(why) = lost {
            self.imported.note(Fate::Lost, name, why);
            return None;
        }
        self.made.insert(name.to_owned(), Made::Open);
        let made = self.make(name, depth);
        self.made.insert(name.to_owned(), Made::Done(made.clone()));
        made
    }

    fn make(&mut self, name: &str, depth: usize) -> Option<String> {
        let owner = Name::from_host(name).ok()?;
        let wish = relative(&owner, &self.draft.apex);
        let pool = match self.steered.get(name) {
            Some(sets) => self.choice(name, &wish, sets, depth)?,
            None => self.addresses(name)?,
        };
        Some(self.draft.add_pool(&wish, pool))
    }

    /// The pool of the name within the zone that `set` is an alias of.
    fn inside(&mut self, set: &RecordSet, target: &str, depth: usize) -> Option<String> {
        let pool = self.pool(&lower(target), depth + 1);
        if pool.is_none() {
            self.imported.note(Fate::Lost, &set.name, format!("alias of {target}: nothing of that is carried over"));
        }
        pool
    }

    /// The addresses of a name without a policy.
    fn addresses(&mut self, name: &str) -> Option<Pool> {
        let sets = self.plain.iter().filter(|set| set.name == name && matches!(set.rtype.as_str(), "A" | "AAAA"));
        let endpoints: Vec<Endpoint> = sets.flat_map(|set| endpoints(set, None, &Share::default())).collect();
        if endpoints.is_empty() {
            self.imported.note(Fate::Lost, name, "an alias leads here, and there are no addresses");
            return None;
        }
        Some(Pool { policy: "round-robin", endpoints, ..Pool::default() })
    }

    /// What the sets of one name, which have the same policy, choose from.
    fn choice(&mut self, name: &str, wish: &str, sets: &[RecordSet], depth: usize) -> Option<Pool> {
        let usable: Vec<&RecordSet> = sets.iter().filter(|set| self.is_usable(set)).collect();
        let first = usable.first()?;
        if let (Some(target), None) = (&first.alias_target, &first.set_identifier) {
            let pool = self.inside(first, &target.name, depth)?;
            return Some(Pool {
                policy: "failover",
                members: vec![Member { pool, share: Share::default() }],
                ..Pool::default()
            });
        }
        let policy = policy(first);
        // Sets of A and AAAA with one identifier are one thing.
        let mut things: Vec<(&str, Vec<&RecordSet>)> = Vec::new();
        for set in &usable {
            let identifier = set.set_identifier.as_deref().unwrap_or_default();
            match things.iter_mut().find(|(own, _)| *own == identifier) {
                Some((_, sets)) => sets.push(set),
                None => things.push((identifier, vec![set])),
            }
        }
        if policy == "failover" {
            things.sort_by_key(|(_, sets)| sets.first().is_none_or(|set| set.failover.as_deref() != Some("PRIMARY")));
        }
        let all_zero = usable.iter().all(|set| set.weight == Some(0));
        let mut pool = Pool { policy, ..Pool::default() };
        let as_pools = policy != "random" && things.iter().any(|(_, sets)| !is_single(sets));
        for (identifier, sets) in things {
            let Some(first) = sets.first() else { continue };
            let mut share = share(first, name, self.imported);
            if all_zero && policy == "weighted" {
                share.weight = Some(1);
            }
            let member = if as_pools {
                let pool = self.member(&format!("{wish}-{identifier}"), &sets, depth);
                if let (Some(pool), Some(place)) = (&pool, share.place.take()) {
                    self.draft.locate(pool, place);
                }
                pool.map(|pool| Member { pool, share: share.clone() })
            } else {
                for set in &sets {
                    let monitor = self.monitor(set);
                    let named = endpoints(set, monitor, &share).into_iter().map(|mut endpoint| {
                        endpoint.name = distinct(identifier, &endpoint, &pool);
                        endpoint
                    });
                    let named: Vec<Endpoint> = named.collect();
                    pool.endpoints.extend(named);
                }
                None
            };
            let is_default = first.geo_location.as_ref().is_some_and(|geo| geo.country_code.as_deref() == Some("*"));
            if is_default {
                let otherwise = member.as_ref().map(|member| member.pool.clone());
                let otherwise = otherwise.or_else(|| pool.endpoints.last().map(|endpoint| endpoint.name.clone()));
                pool.settings.extend(otherwise.map(|name| ("otherwise", string(&name))));
            }
            pool.members.extend(member);
        }
        (!pool.endpoints.is_empty() || !pool.members.is_empty()).then_some(pool)
    }

    /// The pool of one set, or of one for A and one for AAAA.
    fn member(&mut self, wish: &str, sets: &[&RecordSet], depth: usize) -> Option<String> {
        let mut pool = Pool { policy: "round-robin", ..Pool::default() };
        let mut inside = Vec::new();
        for set in sets {
            let Some(target) = &set.alias_target else {
                let monitor = self.monitor(set);
                pool.endpoints.extend(endpoints(set, monitor, &Share::default()));
                continue;
            };
            match self.outside(&target.name) {
                None => inside.extend(self.inside(set, &target.name, depth).filter(|pool| !inside.contains(pool))),
                Some(name) => {
                    pool.policy = "failover";
                    let alias = Endpoint {
                        name: name.to_string().trim_end_matches('.').to_owned(),
                        gives: Gives::Alias(name),
                        monitors: None,
                        share: Share::default(),
                    };
                    if !pool.endpoints.contains(&alias) {
                        pool.endpoints.push(alias);
                    }
                }
            }
        }
        match (pool.endpoints.is_empty(), &inside[..]) {
            (true, []) => None,
            (true, [only]) => Some(only.clone()),
            (false, []) => Some(self.draft.add_pool(wish, pool)),
            (is_alias_alone, _) => {
                if let Some(set) = sets.first() {
                    let what = format!(
                        "{} {}: A and AAAA lead to different things; here what the first lacks, or has nothing alive of, \
                         comes from the next",
                        set.name,
                        set.set_identifier.as_deref().unwrap_or_default()
                    );
                    self.imported.note(Fate::Changed, &set.name, what);
                }
                let own = (!is_alias_alone).then(|| self.draft.add_pool(&format!("{wish}-own"), pool));
                let members = own.into_iter().chain(inside);
                let members = members.map(|pool| Member { pool, share: Share::default() }).collect();
                Some(self.draft.add_pool(wish, Pool { policy: "failover", members, ..Pool::default() }))
            }
        }
    }

    fn monitor(&mut self, set: &RecordSet) -> Option<String> {
        let id = set.health_check_id.as_deref()?;
        checks::monitor(id, self.checks, self.draft, self.imported)
    }

    /// Whether there is anything here that does what the set does.
    fn is_usable(&mut self, set: &RecordSet) -> bool {
        let at = format!("{} {} {}", set.name, set.rtype, set.set_identifier.as_deref().unwrap_or_default());
        let why = if set.traffic_policy_instance_id.is_some() {
            "made by a traffic policy, which is not in the export"
        } else if set.cidr_routing_config.is_some() {
            "routing by a CIDR collection, which is not in the export: a geo pool's `networks` does the same"
        } else if !matches!(set.rtype.as_str(), "A" | "AAAA" | "CNAME") {
            "only addresses and aliases are balanced here; as records without a policy others go into the master file"
        } else {
            return true;
        };
        self.imported.note(Fate::Lost, at.trim_end(), why);
        false
    }
}

fn lower(name: &str) -> String {
    let name = unescaped(name).to_lowercase();
    if name.ends_with('.') { name } else { format!("{name}.") }
}

fn policy(set: &RecordSet) -> &'static str {
    if set.weight.is_some() {
        "weighted"
    } else if set.region.is_some() {
        "latency"
    } else if set.geo_location.is_some() {
        "geo"
    } else if set.geo_proximity_location.is_some() {
        "nearest"
    } else if set.failover.is_some() {
        "failover"
    } else {
        // What is left is MultiValueAnswer.
        "random"
    }
}

/// Whether these sets hold one address a family, or one name.
fn is_single(sets: &[&RecordSet]) -> bool {
    sets.iter().all(|set| set.alias_target.is_none() && set.resource_records.len() == 1)
}

/// The values of a set as endpoints, each named by what it gives.
fn endpoints(set: &RecordSet, monitor: Option<String>, share: &Share) -> Vec<Endpoint> {
    let endpoint = |value: &str| {
        let gives = match value.parse::<IpAddr>() {
            Ok(address) => Gives::Address(address),
            Err(_) => Gives::Alias(Name::from_host(&unescaped(value)).ok()?),
        };
        let is_alias = matches!(gives, Gives::Alias(_));
        let monitors = monitor.clone().filter(|_| !is_alias).map(|monitor| vec![monitor]);
        Some(Endpoint { name: value.trim_end_matches('.').to_owned(), gives, monitors, share: share.clone() })
    };
    set.resource_records.iter().filter_map(|record| endpoint(&record.value)).collect()
}

/// A name for an endpoint that no other of the pool has.
fn distinct(identifier: &str, endpoint: &Endpoint, pool: &Pool) -> String {
    let taken = |name: &str| pool.endpoints.iter().any(|endpoint| endpoint.name == name);
    let is_v6 = matches!(endpoint.gives, Gives::Address(IpAddr::V6(_)));
    let wishes = [identifier.to_owned(), format!("{identifier}-v6"), format!("{identifier} {}", endpoint.name)];
    let wishes = wishes.into_iter().skip(usize::from(is_v6 && taken(identifier)));
    wishes.into_iter().find(|wish| !taken(wish)).unwrap_or_else(|| endpoint.name.clone())
}

/// How a set is chosen among its mates.
fn share(set: &RecordSet, name: &str, imported: &mut Imported) -> Share {
    let mut share = Share { weight: set.weight, ..Share::default() };
    let mut place = |region: &str| {
        let place = regions::place(region);
        if place.is_none() {
            imported.note(Fate::Lost, name, format!("the place of the region {region}: give the member one"));
        }
        place
    };
    share.place = set.region.as_deref().and_then(&mut place);
    if let Some(proximity) = &set.geo_proximity_location {
        share.bias = proximity.bias;
        share.place = match &proximity.coordinates {
            Some(at) => at.latitude.parse().ok().zip(at.longitude.parse().ok()),
            None => proximity.region.as_deref().and_then(&mut place),
        };
    }
    if let Some(geo) = &set.geo_location {
        let claim = match (&geo.continent_code, geo.country_code.as_deref(), &geo.subdivision_code) {
            (_, Some(country), Some(part)) => Some(("subdivisions", format!("{country}-{part}"))),
            (_, Some("*"), None) => None,
            (_, Some(country), None) => Some(("countries", country.to_owned())),
            (Some(continent), None, _) => Some(("continents", continent.clone())),
            (None, None, _) => None,
        };
        share.claims.extend(claim.map(|(kind, place)| (kind, vec![place])));
    }
    share
}
