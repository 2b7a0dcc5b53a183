//! `[names]`: the balanced names of a zone, each a pool with a promise.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::aliases::Aliases;
use super::duration;
use super::faults::{Faults, Span, shown, suggestion};
use super::names_apart::Names;
use super::nesting::Nesting;
use super::pools::Draft;
use super::table::{Item, Keys, Table};
use super::words::{Seen, addresses, unknown};
use crate::diagnostic::Place;
use crate::health::Timing;
use crate::policy::{ANSWERS_MAX, Answers, Ecs, PoolId, WhenAllDown};
use crate::snapshot;
use crate::ttl::{Plan, TTL_LEAST, TTL_MOST, Wish, plan};
use crate::wire::name::Name;
use crate::zone::Beside;

/// A balanced name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balanced {
    /// Absolute, in lower case, at or below the zone's apex; a wildcard when its leftmost label is `*`.
    pub owner: Name,
    /// Where its key stands.
    pub place: Place,
    /// The pool that it is answered from.
    pub root: PoolId,
    /// How many answers.
    pub answers: Answers,
    /// Whether other records may stand beside it.
    pub beside: Beside,
    /// What is answered when nothing lives.
    pub when_all_down: WhenAllDown,
    /// Whether the client subnet that a resolver tells is heeded (RFC 7871).
    pub ecs: Ecs,
    /// Whether its addresses are the hints of the service records that lead to it.
    pub hints: Hints,
    /// The TTLs, and the promise that they keep.
    pub plan: Plan,
    /// The monitor that takes longest to a verdict, by name, and its times; `None` without any.
    pub decisive: Option<(Arc<str>, Timing)>,
}

impl Balanced {
    /// What of it answers queries.
    pub fn served(self) -> snapshot::Balanced {
        let served = snapshot::Balanced::new(self.root, self.answers, self.plan.range, self.when_all_down, self.ecs);
        match self.hints {
            Hints::AsWritten => served,
            Hints::Pool => served.hinting(),
        }
    }
}

/// Where the address hints of SVCB and HTTPS records that lead to a balanced name come from (RFC 9460 §7.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hints {
    /// The master file.
    #[default]
    AsWritten,
    /// The name's pool.
    Pool,
}

const NAME: Keys =
    Keys::only(&["pool", "failover", "ttl-min", "ttl", "answers", "spread", "when-all-down", "ecs", "hints"]);

const TTL: Keys = Keys::only(&["min", "max"]);

const NAME_EXAMPLE: &str = r#"{ pool = "world", failover = "30s" }"#;

/// The budgets that can be asked for. The slowest monitor there can be takes 200 days to a verdict (100 failures,
/// each a day of `fast` and a day of `timeout`), to which a week of TTL comes: a year holds every budget.
const FAILOVER_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);

const TTL_RANGE: RangeInclusive<Duration> = TTL_LEAST..=TTL_MOST;

/// The words of `when-all-down`, beside a list of addresses.
const WHEN_ALL_DOWN: [(&str, WhenAllDown); 5] = [
    ("serve-all", WhenAllDown::ServeAll),
    ("last-good", WhenAllDown::LastGood),
    ("nodata", WhenAllDown::NoData),
    ("servfail", WhenAllDown::ServFail),
    ("refused", WhenAllDown::Refused),
];

/// What names are read against.
pub(super) struct Zone<'z> {
    pub(super) apex: &'z Name,
    pub(super) drafts: &'z [Draft<'z>],
    pub(super) nesting: &'z Nesting<'z>,
    pub(super) aliases: &'z Aliases<'z>,
    /// What the file says of client subnets for all of its names.
    pub(super) ecs: Ecs,
    /// The names of the monitors, by where they stand.
    pub(super) monitors: HashMap<Span, Arc<str>>,
}

impl Zone<'_> {
    fn decisive(&self, root: PoolId) -> Option<(Arc<str>, Timing)> {
        let (timing, span) = self.nesting.slowest[root.0 as usize].decisive()?;
        Some((self.monitors.get(&span).cloned()?, timing))
    }
}

/// Reads all names, in the order of the file, those without faults. `None` when names that are read apart cannot be;
/// then they are to be read as a whole.
pub(super) fn read(names: Names<'_>, zone: &Zone<'_>, faults: &mut Faults<'_>) -> Option<Vec<Balanced>> {
    if let Names::Whole(Some(item)) = names
        && item.value.as_table().is_none()
    {
        item.mismatch("a table, which a line [names] begins", faults);
    }
    let mut seen = Seen::default();
    let mut read = Vec::new();
    let is_toml = names.each_table(|table, at| {
        faults.set_base(at);
        let mut entries: Vec<Item<'_>> = table.iter().map(Item::of).collect();
        entries.sort_by_key(|item| item.key_span.start);
        for item in entries {
            let owner = owner(item, zone.apex, faults);
            let once = owner.as_ref().is_none_or(|owner| {
                let what = format!("the name {owner}");
                seen.enter(owner.clone(), item.key_span, &what, faults)
            });
            let balanced = balanced(item, owner, zone, faults);
            read.extend(balanced.filter(|_| once));
        }
    });
    faults.set_base(0);
    read.shrink_to_fit();
    is_toml.then_some(read)
}

/// The owner name: relative to the zone, or absolute with a final dot; `@` is the zone itself.
fn owner(item: Item<'_>, apex: &Name, faults: &mut Faults<'_>) -> Option<Name> {
    let text = item.key;
    let owner = match Name::from_text(text.as_bytes(), Some(apex)) {
        Ok(owner) => owner.to_lowercase(),
        Err(error) => {
            faults.error(item.key_span, format!("\"{}\" is not a name: {error}", shown(text)));
            return None;
        }
    };
    if !owner.is_at_or_below(apex) {
        faults
            .error(item.key_span, format!("the name {owner} lies outside the zone {apex}"))
            .help(format!("names without a final dot are relative to {apex}"));
        return None;
    }
    let meant = Name::from_host(text).ok().filter(|name| text != "@" && *name != owner && name.is_at_or_below(apex));
    if let Some(meant) = meant.filter(|_| !apex.is_root()) {
        faults
            .warning(item.key_span, format!("\"{}\" is relative to the zone: it stands for {owner}", shown(text)))
            .help(format!("for {meant} write \"{}\"", relative(&meant.to_lowercase(), apex)));
    }
    Some(owner)
}

/// How `name`, at or below `apex`, is written in its zone.
fn relative(name: &Name, apex: &Name) -> String {
    let (name, apex) = (name.to_string(), apex.to_lowercase().to_string());
    let labels = name.strip_suffix(&apex).unwrap_or(&name).trim_end_matches('.');
    if labels.is_empty() { "@".to_owned() } else { labels.to_owned() }
}

/// `"world"`, or a table.
fn balanced(item: Item<'_>, owner: Option<Name>, zone: &Zone<'_>, faults: &mut Faults<'_>) -> Option<Balanced> {
    if item.value.as_str().is_some() {
        let root = root(item, zone, faults)?;
        let plan = Wishes::default().plan(item.key_span, zone, Some(root), faults)?;
        let answers = answers_default(root, zone);
        let owner = owner?;
        let beside = zone.aliases.check(&owner, item.key_span, root, None, faults)?;
        let (place, when_all_down, hints) = (faults.place(item.key_span), WhenAllDown::ServeAll, Hints::AsWritten);
        let decisive = zone.decisive(root);
        return Some(Balanced {
            owner,
            place,
            root,
            answers,
            beside,
            when_all_down,
            ecs: zone.ecs,
            hints,
            plan,
            decisive,
        });
    }
    let what = format!("name \"{}\"", shown(item.key));
    let table = item.table(&what, &NAME, NAME_EXAMPLE, faults)?;
    let root = table.require("pool", "\"world\"", faults).and_then(|item| root(item, zone, faults));
    let plan = wishes(&table, faults).and_then(|wishes| wishes.plan(item.key_span, zone, root, faults));
    let answers_span = table.get("answers").map(|item| item.span);
    let answers = table.get("answers").map(|item| answers(item, faults));
    let when_all_down =
        table.get("when-all-down").map_or(Some(WhenAllDown::ServeAll), |item| when_all_down(item, faults));
    let ecs = table.get("ecs").map_or(Some(zone.ecs), |item| ecs(item, faults));
    let spread = table.get("spread").map_or(Some(false), |item| spread(item, answers, faults));
    let hints_item = table.get("hints");
    let hints = hints_item.map_or(Some(Hints::AsWritten), |item| hints(item, faults));
    let (root, owner) = (root?, owner?);
    let answers = answers.unwrap_or_else(|| Some(answers_default(root, zone)));
    let answers = match answers? {
        Answers::Best(count) if spread? => Answers::Spread(count),
        answers => answers,
    };
    let several = answers_span.filter(|_| !matches!(answers, Answers::Best(1)));
    let beside = zone.aliases.check(&owner, item.key_span, root, several, faults)?;
    if let (Beside::Nothing, Some(hints)) = (beside, hints_item) {
        faults
            .error(hints.key_span, format!("{owner} may be an alias, which has no addresses to hint at"))
            .help("ask for the hints at the name that the alias stands for");
        return None;
    }
    Some(Balanced {
        owner,
        place: faults.place(item.key_span),
        root,
        answers,
        beside,
        when_all_down: when_all_down?,
        ecs: ecs?,
        hints: hints?,
        plan: plan?,
        decisive: zone.decisive(root),
    })
}

fn root(item: Item<'_>, zone: &Zone<'_>, faults: &mut Faults<'_>) -> Option<PoolId> {
    let name = item.string("world", faults)?;
    let id = zone.nesting.ids.get(name).copied();
    if id.is_none() {
        unknown(item.span, name, "pool", zone.nesting.ids.keys().copied(), faults);
    }
    id
}

fn answers_default(root: PoolId, zone: &Zone<'_>) -> Answers {
    match zone.drafts[zone.nesting.order[root.0 as usize]].policy {
        Some(policy) if policy.answers_each_member() && !zone.aliases.are_below(root) => Answers::EachMember,
        _ => Answers::Best(1),
    }
}

/// A number of answers, or `"all"`: as many as there are, up to [`ANSWERS_MAX`].
fn answers(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Answers> {
    let most = u8::try_from(ANSWERS_MAX).unwrap_or(u8::MAX);
    match item.value.as_str() {
        None => item.integer(1..=most, faults).map(Answers::Best),
        Some("all") => Some(Answers::Best(most)),
        Some(_) => {
            item.mismatch(&format!("a whole number from 1 to {most} or \"all\""), faults);
            None
        }
    }
}

/// Whether the client subnet is heeded.
pub(super) fn ecs(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Ecs> {
    item.boolean(faults).map(|heeded| if heeded { Ecs::Heeded } else { Ecs::Ignored })
}

/// Where address hints come from.
fn hints(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Hints> {
    let text = item.string("pool", faults)?;
    if text != "pool" {
        faults
            .error(item.span, format!("`hints` knows no \"{}\"", shown(text)))
            .help("write hints = \"pool\", or leave it out to have the hints of the master file");
        return None;
    }
    Some(Hints::Pool)
}

/// Whether several answers come from different members of the name's pool first.
fn spread(item: Item<'_>, answers: Option<Option<Answers>>, faults: &mut Faults<'_>) -> Option<bool> {
    let spread = item.boolean(faults)?;
    if spread && matches!(answers, None | Some(Some(Answers::Best(1)))) {
        faults
            .warning(item.key_span, "`spread` has no effect without several answers")
            .help("say how many: answers = 2, or \"all\"");
    }
    Some(spread)
}

fn when_all_down(item: Item<'_>, faults: &mut Faults<'_>) -> Option<WhenAllDown> {
    let words = || WHEN_ALL_DOWN.iter().map(|(word, _)| *word);
    if item.value.as_array().is_some() {
        let addresses = addresses(item, faults)?;
        if addresses.is_empty() || addresses.len() > ANSWERS_MAX {
            let count = addresses.len();
            faults
                .error(item.span, format!("`when-all-down` must list 1 to {ANSWERS_MAX} addresses, found {count}"))
                .help("for an answer without addresses write \"nodata\"");
            return None;
        }
        return Some(WhenAllDown::Addresses(addresses.into()));
    }
    let Some(text) = item.value.as_str() else {
        item.mismatch("a word such as \"serve-all\" or a list of addresses", faults);
        return None;
    };
    let found = WHEN_ALL_DOWN.into_iter().find(|(word, _)| *word == text).map(|(_, meaning)| meaning);
    if found.is_none() {
        faults.error(item.span, format!("`when-all-down` knows no \"{}\"", shown(text))).help(suggestion(
            text,
            words(),
            "known words, beside a list of addresses",
        ));
    }
    found
}

/// The pool of a name, and what it says of its TTL; `None` of one that says nothing of it, or is faulty.
pub(super) fn wish<'t>(item: Item<'t>, faults: &mut Faults<'_>) -> Option<(&'t str, Wish)> {
    let table = item.value.as_table().and_then(|_| item.table("a name", &NAME, NAME_EXAMPLE, faults))?;
    let pool = table.get("pool")?.value.as_str()?;
    Some((pool, wishes(&table, faults)?.wish))
}

/// What a name says of its TTL, and where.
#[derive(Clone, Copy, Default)]
struct Wishes {
    wish: Wish,
    failover: Option<Span>,
    /// Of `ttl-min`, or of the `min` of `ttl`.
    floor: Option<Span>,
    /// Of the `max` of `ttl`.
    ceiling: Option<Span>,
}

fn wishes(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<Wishes> {
    let (failover, ttl_min, ttl) = (table.get("failover"), table.get("ttl-min"), table.get("ttl"));
    let budget = failover.map_or(Some(None), |item| item.duration(FAILOVER_RANGE, faults).map(Some));
    let floor = ttl_min.map_or(Some(None), |item| item.seconds(TTL_RANGE, faults).map(Some));
    let range = ttl.map_or(Some(None), |item| ttl_range(item, faults).map(Some));
    if let (Some(ttl_min), Some(ttl)) = (ttl_min, ttl) {
        faults
            .error(ttl_min.key_span, "`ttl-min` and `ttl` both set the least TTL")
            .other(ttl.key_span, "the range by hand")
            .help("leave one of them out");
        return None;
    }
    let wish = Wish { failover: budget?, ttl_min: floor?, ttl: range? };
    let of_range = |key| ttl.and_then(|item| item.value.get(key)).map(|value| Span::from(value.span()));
    Some(Wishes {
        wish,
        failover: failover.map(|item| item.span),
        floor: ttl_min.map(|item| item.span).or_else(|| of_range("min")),
        ceiling: of_range("max"),
    })
}

fn ttl_range(item: Item<'_>, faults: &mut Faults<'_>) -> Option<(Duration, Duration)> {
    let table = item.table("`ttl`", &TTL, r#"{ min = "5s", max = "60s" }"#, faults)?;
    let min_item = table.require("min", "\"5s\"", faults);
    let max_item = table.require("max", "\"60s\"", faults);
    let min = min_item.and_then(|item| item.seconds(TTL_RANGE, faults));
    let max = max_item.and_then(|item| item.seconds(TTL_RANGE, faults));
    let (min, max) = (min?, max?);
    if min > max {
        let (min, max) = (duration::text(min), duration::text(max));
        faults.error(item.span, format!("`ttl` has a `min` of {min} over its `max` of {max}"));
        return None;
    }
    Some((min, max))
}

impl Wishes {
    /// The timing of a name, at `key_span`, that is answered from `root`; the wishes alone are checked where that
    /// is not known.
    fn plan(self, key_span: Span, zone: &Zone<'_>, root: Option<PoolId>, faults: &mut Faults<'_>) -> Option<Plan> {
        if !self.fit_alone(faults) {
            return None;
        }
        let slowest = zone.nesting.slowest[root?.0 as usize];
        let timings: Vec<_> = slowest.timings().map(|(timing, _)| timing).collect();
        match plan(self.wish, &timings) {
            Ok(plan) => Some(plan),
            Err(error) => {
                let span = self.failover.or(self.ceiling).or(self.floor).unwrap_or(key_span);
                let mut help = format!("the nearest budget that fits is \"{}\"", duration::text(error.fits));
                let (interval, fall) = error.instead();
                let interval = interval.map(|interval| format!("interval = \"{}\"", duration::text(interval)));
                for instead in interval.into_iter().chain(fall.map(|fall| format!("fall = {fall}"))) {
                    help += &format!("; or give the monitor {instead}");
                }
                let note = faults.error(span, error.to_string()).help(help);
                if let Some((_, monitor)) = slowest.timings().find(|(timing, _)| *timing == error.timing) {
                    note.other(monitor, "the slowest monitor of its endpoints");
                }
                None
            }
        }
    }

    /// Whether no TTL that is asked for is longer than the budget: wrong under any monitor, and under none.
    fn fit_alone(&self, faults: &mut Faults<'_>) -> bool {
        let (floor, ceiling) = match self.wish.ttl {
            Some((min, max)) => (Some(min), Some(max)),
            None => (self.wish.ttl_min, None),
        };
        let Some((budget, budget_span)) = self.wish.failover.zip(self.failover) else { return true };
        for (ttl, span, what) in [(ceiling, self.ceiling, "greatest"), (floor, self.floor, "least")] {
            let (Some(ttl), Some(span)) = (ttl, span) else { continue };
            if ttl > budget {
                let (ttl, budget) = (duration::text(ttl), duration::text(budget));
                faults
                    .error(span, format!("the {what} TTL, {ttl}, is longer than the budget of {budget}"))
                    .other(budget_span, "the budget")
                    .help("a cache may keep an answer for its whole TTL");
                return false;
            }
        }
        true
    }
}
