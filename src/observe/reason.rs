//! Why a balanced answer is what it is, in a line of words: what dnstap carries in `extra`.

use std::fmt::Write as _;

use super::notes::{Balancing, Step};
use crate::answer::TtlReason;
use crate::policy::{EndpointId, How, Pool, PoolId, Target, WhenAllDown};
use crate::snapshot::Balanced;
use crate::wire::name::Name;

/// What a balanced name's choice came to.
#[derive(Debug)]
pub struct Choice<'n> {
    balancing: &'n Balancing,
    /// From the name's own pool to the one that the first answer is of, and how each was consulted last.
    pools: Vec<(PoolId, Option<How>)>,
    /// What was answered, with the pool that it was taken from.
    taken: Vec<(PoolId, EndpointId)>,
}

impl<'n> Choice<'n> {
    /// What `steps` came to.
    pub fn of(balancing: &'n Balancing, steps: &[Step]) -> Self {
        let mut taken: Vec<(PoolId, EndpointId)> = Vec::new();
        for step in steps {
            if let Step::Took(pool, Target::Endpoint(endpoint)) = *step
                && fits(balancing, endpoint)
                && taken.iter().all(|&(_, known)| known != endpoint)
            {
                taken.push((pool, endpoint));
            }
        }
        let root = name(balancing).map(|name| name.root);
        let mut path: Vec<PoolId> = taken.first().map(|&(pool, _)| pool).or(root).into_iter().collect();
        // Upwards: whoever took the pool at hand. Children are numbered before their parents, so this ends.
        while let Some(&below) = path.last().filter(|&&last| Some(last) != root) {
            let parent = steps.iter().find_map(|step| match *step {
                Step::Took(parent, Target::Pool(pool)) if pool == below && parent > below => Some(parent),
                _ => None,
            });
            let Some(parent) = parent else { break };
            path.push(parent);
        }
        path.reverse();
        let how = |pool| {
            steps.iter().rev().find_map(|step| match *step {
                Step::Consulted(consulted, how) if consulted == pool => Some(how),
                _ => None,
            })
        };
        Self { balancing, pools: path.into_iter().map(|pool| (pool, how(pool))).collect(), taken }
    }

    /// The names of what was answered, each with the name of its pool.
    pub fn endpoints(&self) -> impl Iterator<Item = (&'n str, &'n str)> {
        let pools = &self.balancing.steering.pools;
        self.taken.iter().filter_map(|&(pool, endpoint)| {
            let endpoint = pools.endpoints.get(endpoint.0 as usize)?;
            Some((&*pools.pools.get(pool.0 as usize)?.name, &*endpoint.name))
        })
    }

    fn pool(&self, id: PoolId) -> Option<&'n Pool> {
        self.balancing.steering.pools.pools.get(id.0 as usize)
    }
}

/// Whether an endpoint is of what was wanted. A name that may be an alias has the other family asked first.
fn fits(balancing: &Balancing, endpoint: EndpointId) -> bool {
    let given = balancing.steering.pools.endpoints.get(endpoint.0 as usize).map(|endpoint| &endpoint.given);
    let address = given.and_then(|given| given.address());
    let family = balancing.steered.map(|steered| steered.family).filter(|_| !balancing.is_hint);
    address.zip(family).is_none_or(|(address, family)| family.holds(address))
}

fn name(balancing: &Balancing) -> Option<&Balanced> {
    balancing.steering.names.get(balancing.number as usize)
}

/// `key=value` words, one space between them, in this order:
///
/// | word | says |
/// |---|---|
/// | `name` | the balanced name |
/// | `pool` | the pools from the name's own down to that of the first answer, `>` between them |
/// | `policy` | the policy of each of them |
/// | `why` | how each of them chose: `first` that lives, `turn:4/5` (the fourth step of a turn of five), `lot`, `place/24` (by the client's place, as so many bits of its address tell it), `fastest/24`, `slot:17/24`, `dead` |
/// | `endpoint` | what was answered, best first, `,` between them; `POOL/ENDPOINT` from another pool than the last of `pool`; `none` |
/// | `client` | for whom: the subnet that the resolver told, or else the resolver |
/// | `scope` | bits of it that the answer depended on |
/// | `ttl` | seconds |
/// | `ttl-why` | `steady`, `forming` (a verdict that is forming could change the answer), `stale` (probes are late, so no verdict is counted on), `nothing-lives` |
/// | `degraded` | only when nothing lives: what `when-all-down` says |
///
/// A character of an operator's name that would be mistaken is written as `\DDD`.
pub fn reason(balancing: &Balancing, owner: &[u8], steps: &[Step]) -> String {
    let choice = Choice::of(balancing, steps);
    let mut text = format!("name={}", name_text(owner));
    let each = |word: &dyn Fn(&Pool, Option<How>) -> String| -> String {
        let pools = choice.pools.iter().filter_map(|&(id, how)| Some(word(choice.pool(id)?, how)));
        pools.collect::<Vec<_>>().join(">")
    };
    let _ = write!(text, " pool={}", each(&|pool, _| escaped(&pool.name)));
    let _ = write!(text, " policy={}", each(&|pool, _| pool.policy.name().to_string()));
    let Some(steered) = balancing.steered else {
        text.push_str(" endpoint=none");
        return text;
    };
    let _ = write!(text, " why={}", each(&|_, how| how.map_or_else(|| "dead".to_owned(), how_text)));
    let last = choice.pools.last().and_then(|&(pool, _)| choice.pool(pool)).map(|pool| &*pool.name);
    let endpoints: Vec<String> = choice
        .endpoints()
        .map(|(pool, endpoint)| match Some(pool) == last {
            true => escaped(endpoint),
            false => format!("{}/{}", escaped(pool), escaped(endpoint)),
        })
        .collect();
    let endpoints = if endpoints.is_empty() { "none".to_owned() } else { endpoints.join(",") };
    let ttl_why = match steered.ttl_reason() {
        TtlReason::NothingLives => "nothing-lives",
        TtlReason::Stale => "stale",
        TtlReason::Steady => "steady",
        TtlReason::Forming => "forming",
    };
    let (client, bits) = (steered.client.address(), steered.client.scope_max());
    let _ = write!(
        text,
        " endpoint={endpoints} client={client}/{bits} scope={} ttl={} ttl-why={ttl_why}",
        steered.scope, steered.ttl
    );
    if let Some(name) = name(balancing).filter(|_| !steered.alive) {
        let _ = write!(text, " degraded={}", degraded(&name.when_all_down));
    }
    text
}

fn how_text(how: How) -> String {
    match how {
        How::Dead => "dead".to_owned(),
        How::First => "first".to_owned(),
        How::Turn { step, steps } => format!("turn:{}/{steps}", u64::from(step) + 1),
        How::Drawn => "lot".to_owned(),
        How::Class { bits, .. } => format!("place/{bits}"),
        How::Expected { bits } => format!("fastest/{bits}"),
        How::Slot { slot, bits } => format!("slot:{slot}/{bits}"),
    }
}

/// The words of the policy file.
fn degraded(when: &WhenAllDown) -> &'static str {
    match when {
        WhenAllDown::ServeAll => "serve-all",
        WhenAllDown::LastGood => "last-good",
        WhenAllDown::Addresses(_) => "addresses",
        WhenAllDown::NoData => "nodata",
        WhenAllDown::ServFail => "servfail",
        WhenAllDown::Refused => "refused",
    }
}

/// A name in wire form as operators write it: without the final dot.
pub fn name_text(wire: &[u8]) -> String {
    let Ok(name) = Name::from_wire(wire) else { return "?".to_owned() };
    let mut text = name.to_string().to_ascii_lowercase();
    if text.len() > 1 {
        text.pop();
    }
    text
}

fn escaped(name: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_graphic() && !b"=>,/\\".contains(&octet);
    if name.bytes().all(plain) {
        return name.to_owned();
    }
    name.bytes().fold(String::new(), |mut text, octet| {
        let _ = if plain(octet) { write!(text, "{}", octet as char) } else { write!(text, "\\{octet:03}") };
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_be_mistaken_for_words() {
        assert_eq!(escaped("fra1-v6.example"), "fra1-v6.example");
        assert_eq!(escaped("2001:db8::10"), "2001:db8::10");
        assert_eq!(escaped("my pool=x"), "my\\032pool\\061x");
        assert_eq!(name_text(b"\x03WWW\x07example\x03com\0"), "www.example.com");
        assert_eq!(name_text(b"\0"), ".");
        assert_eq!(name_text(b"\x03ww"), "?");
    }
}
