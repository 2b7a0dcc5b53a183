//! Record sets that share a name → a pool.

use std::collections::BTreeMap;

use super::super::draft::{ANSWERS_MAX, Endpoint, Gives, Kept, Member, Pool, Share, Steered};
use super::super::label::relative;
use super::super::toml_text::string;
use super::super::{Draft, Fate, Imported};
use super::checks::{self, Asks, Judge};
use super::endpoints::{CHARACTERS_MAX, distinct, endpoints, spoken};
use super::export::{AliasTarget, HealthCheck, RecordSet};
use super::families::{Family, Source};
use super::gist::{Answers, Gist};
use super::lower;
use super::shares::{all_zero, is_default, policy, share};
use super::things::{Thing, gist, things, wants_pools};
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
    source: Source<'a>,
    checks: Option<&'a [HealthCheck]>,
    draft: &'a mut Draft,
    imported: &'a mut Imported,
    made: BTreeMap<(String, Family), Progress>,
    /// By name: whether A and AAAA are chosen alike.
    alike: BTreeMap<String, bool>,
}

/// A pool that was made of a name, or of its sets for one family.
#[derive(Clone, Debug)]
struct Made {
    pool: String,
    gist: Gist,
}

/// How far it is with one.
#[derive(Clone, Debug)]
enum Progress {
    /// It is being looked at: what leads here leads round in a circle.
    Open,
    /// The pool, or nothing.
    Done(Option<Made>),
}

impl<'a> Sets<'a> {
    pub(super) fn new(
        source: Source<'a>,
        checks: Option<&'a [HealthCheck]>,
        draft: &'a mut Draft,
        imported: &'a mut Imported,
    ) -> Self {
        Self { source, checks, draft, imported, made: BTreeMap::new(), alike: BTreeMap::new() }
    }

    /// Balances every name that has a policy or is an alias.
    pub(super) fn steer_all(&mut self) {
        for name in self.source.steered.keys() {
            let Ok(owner) = Name::from_host(name) else {
                self.imported.note(Fate::Lost, name, "not a name");
                continue;
            };
            if !self.is_mere_alias(name, &owner)
                && let Some(made) = self.pool(name, Family::Both, 0)
            {
                self.steer(name, owner, made);
            }
        }
        self.draft.yield_addresses();
    }

    fn steer(&mut self, name: &str, owner: Name, Made { pool, gist }: Made) {
        if gist.has_alias && !self.may_be_alias(name, &owner) {
            return;
        }
        let (ttl, ttl_most) = gist.ttl.map_or((ALIAS_TTL, ALIAS_TTL), |(least, most)| (least.max(1), most.max(1)));
        if ttl != ttl_most {
            let what = format!("its sets have TTLs of {ttl} s to {ttl_most} s: {ttl} s for all");
            self.imported.note(Fate::Changed, name, what);
        }
        let gives_all = self.draft.pool(&pool).is_some_and(|pool| pool.policy == "random");
        let (number, differs) = match gist.answers(if gist.has_alias { 1 } else { ANSWERS_MAX }) {
            Answers::Same(number) => (number, false),
            Answers::Least(number) => (number, true),
        };
        if differs {
            let most = gist.v4.most.max(gist.v6.most);
            let what = format!("answers: {number}; Route 53 answers with all addresses of a set, up to {most} here");
            self.imported.note(Fate::Changed, name, what);
        }
        // A random pool answers with as many unasked.
        let settings = if number == 1 || gives_all { Vec::new() } else { vec![("answers", number.to_string())] };
        self.draft.steer(owner, Steered { pool, ttl: (TTL_FLOOR.min(ttl), ttl), settings });
    }

    /// Whether `name` can be an alias; told where not.
    fn may_be_alias(&mut self, name: &str, owner: &Name) -> bool {
        let is_address = |set: &&RecordSet| matches!(set.rtype.as_str(), "A" | "AAAA");
        let beside = self.source.beside(name).iter().find(|set| !is_address(set));
        let what = match beside {
            _ if owner.to_lowercase() == *self.source.apex => {
                "an alias of another name cannot stand at the zone's apex, beside its SOA and NS records".to_owned()
            }
            Some(set) => format!(
                "an alias of another name cannot stand beside its {} records: name the addresses as endpoints",
                set.rtype
            ),
            None => return true,
        };
        self.imported.note(Fate::Lost, name, what);
        false
    }

    /// Whether `name` is nothing but an alias of a name outside, which a CNAME record says as well.
    fn is_mere_alias(&mut self, name: &str, owner: &Name) -> bool {
        let sets = self.source.steered(name, Family::Both);
        let [set, rest @ ..] = &sets[..] else { return false };
        let Some(target) = set.alias_target.as_ref().filter(|_| set.set_identifier.is_none()) else { return false };
        let same = |set: &&RecordSet| set.alias_target.as_ref().is_some_and(|own| own.name == target.name);
        let (Some(target), true) = (self.source.outside(&target.name), rest.iter().all(same)) else { return false };
        if !self.source.plain(name, Family::Both).is_empty() {
            return false;
        }
        if !self.source.beside(name).is_empty() || owner.to_lowercase() == *self.source.apex {
            let what = format!(
                "alias of {target}: a CNAME record cannot stand beside others; name the addresses as endpoints"
            );
            self.imported.note(Fate::Lost, name, what);
        } else {
            self.tell_alias(name, &target);
            let rdata = target.as_wire().to_vec();
            self.draft.keep(Kept { owner: owner.clone(), ttl: ALIAS_TTL, rtype: Rtype::CNAME, rdata });
        }
        true
    }

    fn tell_alias(&mut self, name: &str, target: &Name) {
        self.imported.note(Fate::Changed, name, format!("alias of {target}: a CNAME record here, which clients see"));
    }

    /// The pool of a name for `family`: of its policy, of what it is an alias of, or of its addresses.
    fn pool(&mut self, name: &str, family: Family, depth: usize) -> Option<Made> {
        let key = (name.to_owned(), self.source.narrowest(name, family));
        let lost = match self.made.get(&key) {
            Some(Progress::Done(made)) => return made.clone(),
            Some(Progress::Open) => Some("aliases lead round in a circle"),
            None if depth > DEPTH_MAX => Some("aliases lead too far"),
            None => None,
        };
        if let Some(why) = lost {
            self.imported.note(Fate::Lost, name, why);
            return None;
        }
        self.made.insert(key.clone(), Progress::Open);
        let made = self.make(name, key.1, depth);
        self.made.insert(key, Progress::Done(made.clone()));
        made
    }

    fn make(&mut self, name: &str, family: Family, depth: usize) -> Option<Made> {
        let owner = Name::from_host(name).ok()?;
        let wish = format!("{}{}", relative(&owner, self.source.apex), family.suffix());
        if family == Family::Both && !self.source.is_alike(name, &mut self.alike) {
            return self.apart(name, &wish, depth);
        }
        let sets = self.source.steered(name, family);
        let (pool, gist) = match sets.first() {
            Some(set) if set.set_identifier.is_none() => {
                let made = self.thing(&wish, &Thing { identifier: "", sets: sets.clone() }, depth)?;
                let is_own = set.alias_target.as_ref().is_some_and(|to| self.source.outside(&to.name).is_some());
                if is_own || family != Family::Both {
                    return Some(made);
                }
                (over(made.pool), made.gist)
            }
            Some(_) => self.choice(name, &wish, &sets, depth)?,
            None => self.addresses(name, family)?,
        };
        Some(Made { pool: self.draft.add_pool(&wish, pool), gist })
    }

    /// A pool for A and one for AAAA, which are chosen by other shares or from other things. What has no address of a
    /// family is passed over for it, so either serves its own.
    fn apart(&mut self, name: &str, wish: &str, depth: usize) -> Option<Made> {
        let families = [Family::V4, Family::V6].map(|family| self.pool(name, family, depth));
        let made: Vec<Made> = families.into_iter().flatten().collect();
        let gist = made.iter().map(|made| made.gist).reduce(Gist::or)?;
        if gist.has_alias {
            let what = "A and AAAA lead to different things, one of them to another name: while A does, that is the answer \
                        to both";
            self.imported.note(Fate::Changed, name, what);
        }
        let members = made.into_iter().map(|made| Member { pool: made.pool, share: Share::default() }).collect();
        let pool = Pool { policy: "failover", members, ..Pool::default() };
        Some(Made { pool: self.draft.add_pool(wish, pool), gist })
    }

    /// The values of a name without a policy.
    fn addresses(&mut self, name: &str, family: Family) -> Option<(Pool, Gist)> {
        let sets = self.source.plain(name, family);
        let Some(gist) = sets.iter().map(|set| gist(set)).reduce(Gist::or) else {
            self.imported.note(Fate::Lost, name, "an alias leads here, and there are no addresses");
            return None;
        };
        let endpoints = sets.iter().flat_map(|set| endpoints(set, None, &Share::default())).collect();
        Some((Pool { policy: "round-robin", endpoints, ..Pool::default() }, gist))
    }

    /// What the sets of one name, which have the same policy, choose from.
    fn choice(&mut self, name: &str, wish: &str, sets: &[&'a RecordSet], depth: usize) -> Option<(Pool, Gist)> {
        let policy = policy(sets.first()?);
        let things = things(sets, policy);
        let is_even = policy == "weighted" && all_zero(sets.iter().copied());
        let as_pools = wants_pools(&things, policy);
        let mut choice = Pool { policy, ..Pool::default() };
        let mut held: Vec<(Gist, String)> = Vec::new();
        for thing in &things {
            let Some(first) = thing.sets.first() else { continue };
            let mut share = share(first, self.imported);
            share.weight = if is_even { Some(1) } else { share.weight };
            if policy == "nearest" && share.place.is_none() {
                let what = format!("{}: nearest goes by places, and its own is not known", thing.identifier);
                self.imported.note(Fate::Lost, name, what);
                continue;
            }
            let (own, member) = match as_pools {
                true => {
                    let Some(made) = self.thing(&format!("{wish}-{}", thing.identifier), thing, depth) else {
                        continue;
                    };
                    (made.gist, self.member(wish, made.pool, share, &mut choice))
                }
                false => self.single(thing, &share, &mut choice),
            };
            if is_default(first) {
                choice.settings.push(("otherwise", string(&member)));
            }
            held.push((own, member));
        }
        if policy == "geo" && !things.iter().any(|thing| thing.sets.iter().any(|set| is_default(set))) {
            let what = "it has no default location: clients elsewhere are answered all the same, by the first that lives; \
                        Route 53 has no answer for them";
            self.imported.note(Fate::Changed, name, what);
        }
        self.part(name, &mut choice, &mut held);
        let gist = held.into_iter().map(|(gist, _)| gist).reduce(Gist::or)?;
        Some((choice, if policy == "random" { gist.together() } else { gist }))
    }

    /// Adds the values of a thing to `choice`, and says the name of the last.
    fn single(&mut self, thing: &Thing<'_>, share: &Share, choice: &mut Pool) -> (Gist, String) {
        let mut held = Gist::default();
        for set in &thing.sets {
            let judge = self.judge_addresses(set);
            for mut endpoint in endpoints(set, judge.as_ref().map(|judge| &judge.monitor[..]), share) {
                endpoint.name = distinct(thing.identifier, &endpoint, choice);
                choice.endpoints.push(endpoint);
            }
            held = held.or(Gist { is_judged: judge.is_some(), ..gist(set) });
        }
        (held, choice.endpoints.last().map(|endpoint| endpoint.name.clone()).unwrap_or_default())
    }

    /// Adds a pool to `choice`, and says its name: behind one of its own where it cannot be there as it is.
    fn member(&mut self, wish: &str, pool: String, mut share: Share, choice: &mut Pool) -> String {
        let place = share.place.take();
        let is_there = choice.members.iter().any(|member| member.pool == pool);
        let is_here = !is_there && place.is_none_or(|place| self.draft.locate(&pool, place));
        let pool = if is_here { pool } else { self.draft.add_pool(&format!("{wish}-{pool}"), over(pool)) };
        if let (Some(place), false) = (place, is_here) {
            self.draft.locate(&pool, place);
        }
        choice.members.push(Member { pool: pool.clone(), share });
        pool
    }

    /// Takes aliases out of a choice that shares clients out among them and addresses, which no pool may.
    fn part(&mut self, name: &str, choice: &mut Pool, held: &mut Vec<(Gist, String)>) {
        let shares_out = matches!(choice.policy, "weighted" | "latency" | "random");
        let has_alias = held.iter().any(|(gist, _)| gist.has_alias);
        if !shares_out || !has_alias || !held.iter().any(|(gist, _)| gist.has_addresses()) {
            return;
        }
        for (_, member) in held.extract_if(.., |(gist, _)| gist.has_alias) {
            choice.members.retain(|own| own.pool != member);
            choice.endpoints.retain(|own| own.name != member);
            let what = format!(
                "{member}: an alias of another name, and no {} pool shares clients out among aliases and addresses",
                choice.policy
            );
            self.imported.note(Fate::Lost, name, what);
        }
    }

    /// The pool of the sets that are one member: their addresses, or what they are an alias of.
    fn thing(&mut self, wish: &str, thing: &Thing<'_>, depth: usize) -> Option<Made> {
        let first = thing.sets.first()?;
        if let Some(target) = &first.alias_target {
            let made = match self.source.outside(&target.name) {
                Some(name) => self.led_outside(wish, first, target, name),
                None => self.led_inside(thing, target, depth)?,
            };
            return Some(self.depending(wish, first, made));
        }
        let mut pool = Pool { policy: "round-robin", ..Pool::default() };
        let mut held = Gist::default();
        for set in &thing.sets {
            let judge = self.judge_addresses(set);
            pool.endpoints.extend(endpoints(set, judge.as_ref().map(|judge| &judge.monitor[..]), &Share::default()));
            held = held.or(Gist { is_judged: judge.is_some(), ..gist(set) });
        }
        if pool.has_alias() {
            pool.policy = "failover";
        }
        let made = Made { pool: self.draft.add_pool(wish, pool), gist: held };
        Some(if first.rtype == "CNAME" { self.depending(wish, first, made) } else { made })
    }

    /// A pool of the name outside that `set` is an alias of.
    fn led_outside(&mut self, wish: &str, set: &RecordSet, target: &AliasTarget, name: Name) -> Made {
        self.tell_alias(&set.name, &name);
        if set.set_identifier.is_some() && target.evaluates_health {
            let what = format!("the health of {name}, which Route 53 goes by: an alias always counts as alive here");
            self.imported.note(Fate::Lost, &set.name, what);
        }
        let endpoint = Endpoint {
            name: spoken(name.to_string().trim_end_matches('.'), CHARACTERS_MAX),
            gives: Gives::Alias(name),
            monitors: None,
            share: Share::default(),
        };
        let pool = Pool { policy: "failover", endpoints: vec![endpoint], ..Pool::default() };
        Made { pool: self.draft.add_pool(wish, pool), gist: Gist { has_alias: true, ..Gist::default() } }
    }

    /// The pool of the name within the zone that `thing` is an alias of.
    fn led_inside(&mut self, thing: &Thing<'_>, target: &AliasTarget, depth: usize) -> Option<Made> {
        let name = &thing.sets.first()?.name;
        let made = self.pool(&lower(&target.name), Family::of(&thing.sets), depth + 1);
        let Some(made) = made else {
            let what = format!("alias of {}: nothing of that is carried over", target.name);
            self.imported.note(Fate::Lost, name, what);
            return None;
        };
        if !thing.identifier.is_empty() && !target.evaluates_health && made.gist.is_judged {
            let what = format!(
                "alias of {} without EvaluateTargetHealth: it counts as down here while nothing of that lives",
                target.name
            );
            self.imported.note(Fate::Changed, name, what);
        }
        Some(made)
    }

    /// What the check of an alias judges: all that it leads to, at once.
    fn depending(&mut self, wish: &str, set: &RecordSet, made: Made) -> Made {
        let Some(judge) = self.judge(set).filter(|_| set.set_identifier.is_some()) else { return made };
        if judge.asks == Asks::Endpoints {
            let what = format!(
                "health check of the alias {}: what it asks has no address of its own, and an alias is not asked, so it \
                 counts as up",
                set.set_identifier.as_deref().unwrap_or_default()
            );
            self.imported.note(Fate::Lost, &set.name, what);
            return made;
        }
        let settings = vec![("depends", string(&judge.monitor))];
        let pool = self.draft.add_pool(&format!("{wish}-checked"), Pool { settings, ..over(made.pool) });
        Made { pool, gist: Gist { is_judged: true, ..made.gist } }
    }

    /// The monitor of a set's addresses.
    fn judge_addresses(&mut self, set: &RecordSet) -> Option<Judge> {
        let judge = if set.rtype == "CNAME" { None } else { self.judge(set) }?;
        if judge.asks == Asks::Endpoints {
            let what =
                format!("{}: it asks whatever its domain name resolves to; here each endpoint is asked", judge.monitor);
            self.imported.note(Fate::Changed, &set.name, what);
        }
        Some(judge)
    }

    fn judge(&mut self, set: &RecordSet) -> Option<Judge> {
        let id = set.health_check_id.as_deref()?;
        checks::monitor(id, self.checks, self.draft, self.imported)
    }
}

/// A pool that is nothing but `pool`.
fn over(pool: String) -> Pool {
    let members = vec![Member { pool, share: Share::default() }];
    Pool { policy: "failover", members, ..Pool::default() }
}
