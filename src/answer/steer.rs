//! A balanced name's answer: which endpoints, and for how long.

use super::Question;
use super::compose::Composer;
use super::witness::{Steered, Witness};
use super::worker::Worker;
use crate::policy::{Client, Ecs, Family, Hand, Live, View, Want, WhenAllDown, choose};
use crate::snapshot::{Balanced, Served};
use crate::wire::header::Rcode;

/// Answers with the endpoints of `family` that the name's pool chooses now.
pub(super) fn answer<W: Witness>(
    served: &Served,
    name: &Balanced,
    worker: &mut Worker<W>,
    question: Question,
    family: Family,
    composer: &mut Composer<'_, '_>,
) -> Rcode {
    let asker = question.asker;
    let client = match name.ecs {
        Ecs::Heeded => asker.client,
        Ecs::Ignored => asker.resolver,
    };
    let Some(root) = served.live.pool(family, name.root) else { return Rcode::ServFail };
    if !root.is_present() {
        // No endpoint of this family, dead or alive: a fact of the file, so it may be believed as any other.
        composer.deny(&served.zone, served.zone.negative_ttl());
        return Rcode::NoError;
    }
    let (rcode, ttl) = if root.is_alive() {
        pick(served, (&served.live, View::Living), name, worker, client, family);
        let ttl = name.ttl.at(worker.picks.flip(), question.now);
        (write(served, worker, family, ttl, composer), ttl)
    } else {
        (when_all_down(served, name, worker, client, family, composer), name.ttl.min)
    };
    let scope = match name.ecs {
        Ecs::Heeded => asker.scope(worker.picks.scope()),
        Ecs::Ignored => 0,
    };
    composer.announce(scope);
    let alive = root.is_alive();
    worker.witness.steered(Steered { family, client, alive, ttl, flip: worker.picks.flip(), scope });
    rcode
}

/// Nothing lives. Whatever is said now should be forgotten soon, so it gets the least TTL.
fn when_all_down<W: Witness>(
    served: &Served,
    name: &Balanced,
    worker: &mut Worker<W>,
    client: Client,
    family: Family,
    composer: &mut Composer<'_, '_>,
) -> Rcode {
    worker.picks.clear();
    let ttl = name.ttl.min;
    let no_data = |composer: &mut Composer<'_, '_>| {
        composer.deny(&served.zone, served.zone.negative_ttl().min(ttl));
        Rcode::NoError
    };
    match &name.when_all_down {
        WhenAllDown::NoData => no_data(composer),
        WhenAllDown::ServFail => Rcode::ServFail,
        WhenAllDown::Refused => Rcode::Refused,
        WhenAllDown::Addresses(addresses) => {
            let mut given = addresses.iter().filter(|&&address| family.holds(address)).peekable();
            if given.peek().is_none() {
                return no_data(composer);
            }
            composer.answer_addresses(ttl, given.copied());
            Rcode::NoError
        }
        WhenAllDown::LastGood => {
            pick(served, (&served.live, View::LastGood), name, worker, client, family);
            if worker.picks.endpoints().is_empty() {
                pick(served, (&served.steering.all, View::Living), name, worker, client, family);
            }
            write(served, worker, family, ttl, composer)
        }
        WhenAllDown::ServeAll => {
            pick(served, (&served.steering.all, View::Living), name, worker, client, family);
            write(served, worker, family, ttl, composer)
        }
    }
}

fn pick<W: Witness>(
    served: &Served,
    (live, view): (&Live, View),
    name: &Balanced,
    worker: &mut Worker<W>,
    client: Client,
    family: Family,
) {
    let cursors = worker.cursors.get_mut(served.cursors(name, family)).unwrap_or_default();
    let hand = Hand { cursors, low: name.low(), random: &mut worker.random, client, witness: &mut worker.witness };
    let want = Want { root: name.root, family, answers: name.answers, view };
    choose(&served.steering.pools, live, want, hand, &mut worker.picks);
}

fn write<W>(served: &Served, worker: &Worker<W>, family: Family, ttl: u32, composer: &mut Composer<'_, '_>) -> Rcode {
    let endpoints = &served.steering.pools.endpoints;
    let chosen = worker.picks.endpoints().iter().filter_map(|id| endpoints.get(id.0 as usize));
    debug_assert!(chosen.clone().all(|endpoint| family.holds(endpoint.address)), "one family an answer");
    composer.answer_addresses(ttl, chosen.map(|endpoint| endpoint.address));
    Rcode::NoError
}
