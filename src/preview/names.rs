//! What the files say otherwise of balanced names and of pools, whether anybody moves for it or not.

use std::collections::HashMap;

use super::Zone;
use crate::policy::{Answers, Ecs, MinAlive, Pool};
use crate::snapshot::Balanced;
use crate::ttl::Plan;
use crate::wire::name::Name;

/// One thing that is said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The zone.
    pub zone: Name,
    /// The name or the pool.
    pub of: Subject,
    /// What of it: a key of the files.
    pub what: &'static str,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
}

/// Of what something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A balanced name.
    Name(Name),
    /// A pool.
    Pool(Box<str>),
}

/// What differs of the names and pools of two zones.
pub(super) fn settings(old: &Zone<'_>, new: &Zone<'_>, settings: &mut Vec<Setting>) {
    let before: HashMap<&Name, (&Plan, &Balanced)> =
        old.balanced().map(|(owner, plan, name)| (owner, (plan, name))).collect();
    let mut differ = |of: Subject, old: Vec<(&'static str, String)>, now: Vec<(&'static str, String)>| {
        for ((what, old), (_, now)) in old.into_iter().zip(now) {
            if old != now {
                settings.push(Setting { zone: new.apex().clone(), of: of.clone(), what, old, new: now });
            }
        }
    };
    for (owner, plan, name) in new.balanced() {
        let Some(&(was_plan, was)) = before.get(owner) else { continue };
        differ(Subject::Name(owner.clone()), of_name(old, was_plan, was), of_name(new, plan, name));
    }
    let pools = |zone: &Zone<'_>| -> HashMap<Box<str>, Vec<(&'static str, String)>> {
        zone.served.steering.pools.pools.iter().map(|pool| (pool.name.clone(), of_pool(pool))).collect()
    };
    let (mut before, mut after): (_, Vec<_>) = (pools(old), pools(new).into_iter().collect());
    after.sort();
    for (name, now) in after {
        let Some(was) = before.remove(&name) else { continue };
        differ(Subject::Pool(name), was, now);
    }
}

fn of_name(zone: &Zone<'_>, plan: &Plan, name: &Balanced) -> Vec<(&'static str, String)> {
    let pool = zone.served.steering.pools.pools.get(name.root.0 as usize).map_or("", |pool| &*pool.name);
    let failover = if plan.monitored { format!("{:?}", plan.failover) } else { "nothing probed".to_owned() };
    vec![
        ("pool", pool.to_owned()),
        ("failover", failover),
        ("ttl", format!("{}s to {}s", name.ttl.min, name.ttl.max)),
        ("answers", answers(name.answers)),
        ("when-all-down", name.when_all_down.to_string()),
        ("ecs", (name.ecs == Ecs::Heeded).to_string()),
    ]
}

fn of_pool(pool: &Pool) -> Vec<(&'static str, String)> {
    let min_alive = match pool.min_alive {
        MinAlive::Count(count) => count.to_string(),
        MinAlive::Percent(percent) => format!("{percent}%"),
        MinAlive::PercentOfWeight(percent) => format!("{percent}% of weight"),
    };
    vec![("policy", pool.policy.name().to_string()), ("min-alive", min_alive)]
}

fn answers(answers: Answers) -> String {
    match answers {
        Answers::EachMember => "each member's, up to 8".to_owned(),
        Answers::Best(count) => count.to_string(),
        Answers::Spread(count) => format!("{count}, spread"),
    }
}
