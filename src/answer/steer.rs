//! A balanced name's answer: which endpoints, and for how long.

use std::net::IpAddr;

use super::Question;
use super::client::{Asker, Told};
use super::compose::Composer;
use super::explanation::Explanation;
use super::sheet::Giving;
use super::witness::{Steered, Witness};
use super::worker::Worker;
use crate::policy::{ANSWERS_MAX, Client, Ecs, EndpointId, Family, Given, Hand, Live, View, Want, WhenAllDown, choose};
use crate::snapshot::{Balanced, Served};
use crate::wire::header::Rcode;
use crate::wire::name::Name;

/// What is wanted of a balanced name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Addresses of a family, or the alias that stands for them.
    Addresses(Family),
    /// Something that no pool has, so that only an alias answers; the family decides whether there is one.
    Alias(Family),
}

/// What came of it.
pub(super) enum Outcome<'s> {
    /// An answer, whole.
    Done(Rcode),
    /// The name is an alias now; nothing of it is written yet.
    Alias {
        /// Where it leads.
        target: &'s Name,
        /// Seconds.
        ttl: u32,
    },
}

/// One answer in the making: which name is asked for what, and on behalf of whom.
struct Steering<'s, 'c> {
    served: &'s Served,
    name: &'s Balanced,
    wanted: Wanted,
    client: &'c Client,
}

/// Answers with the endpoints of the wanted family that the name's pool chooses now.
pub(super) fn answer<'s, W: Witness>(
    served: &'s Served,
    name: &'s Balanced,
    worker: &mut Worker<W>,
    question: Question<'_>,
    wanted: Wanted,
    composer: &mut Composer<'_, '_>,
) -> Outcome<'s> {
    let (client, told) = client(name, question.asker);
    let steering = Steering { served, name, wanted, client: &client };
    let Some(root) = served.live.pool(steering.family(), name.root) else { return Outcome::Done(Rcode::ServFail) };
    if !root.is_present() {
        // No endpoint of this family, dead or alive: a fact of the file, so it may be believed as any other.
        composer.deny(&served.zone, served.zone.negative_ttl());
        return Outcome::Done(Rcode::NoError);
    }
    let (outcome, ttl) = if root.is_alive() {
        steering.choose((&served.live, View::Living), worker);
        let ttl = ttl(name, worker, question);
        (steering.write(worker, ttl, composer), ttl)
    } else {
        (steering.when_all_down(worker, composer), name.ttl.min)
    };
    let scope = told.scope(worker.picks.scope());
    composer.announce(scope);
    let (family, alive, flip) = (steering.family(), root.is_alive(), worker.picks.flip());
    worker.witness.steered(Steered { family, client, alive, ttl, flip, horizon: question.horizon, scope });
    outcome
}

/// The living addresses of a name, for hints.
pub(super) struct Chosen {
    /// By family, the first so many of each.
    ids: [[EndpointId; ANSWERS_MAX]; 2],
    counts: [usize; 2],
    /// The least that answers with the addresses would have, and with their absence; seconds.
    pub(super) ttl: u32,
    /// The greatest that they would announce.
    pub(super) scope: u8,
}

impl Chosen {
    /// Those of one family, best first.
    pub(super) fn addresses<'c>(&'c self, served: &'c Served, family: Family) -> impl Iterator<Item = IpAddr> + 'c {
        let endpoints = &served.steering.pools.endpoints;
        let ids = self.ids[family as usize].iter().take(self.counts[family as usize]);
        ids.filter_map(|id| endpoints.get(id.0 as usize)?.given.address())
    }
}

/// Chooses what the name would answer with now, of both families. Hints have turns of their own, so that they are
/// shared out as exactly as the answers with addresses are, and take none of theirs.
pub(super) fn hints<W: Witness>(
    served: &Served,
    name: &Balanced,
    worker: &mut Worker<W>,
    question: Question<'_>,
) -> Chosen {
    let (client, told) = client(name, question.asker);
    let ids = [[EndpointId(0); ANSWERS_MAX]; 2];
    let mut chosen = Chosen { ids, counts: [0; 2], ttl: name.ttl.max, scope: 0 };
    for family in Family::BOTH {
        let Some(root) = served.live.pool(family, name.root).filter(|root| root.is_present()) else { continue };
        let steering = Steering { served, name, wanted: Wanted::Addresses(family), client: &client };
        worker.picks.clear();
        let ttl = if root.is_alive() {
            steering.pick((&served.live, View::Living), family, worker, Turn::Hints);
            ttl(name, worker, question)
        } else {
            name.ttl.min
        };
        let (scope, flip, alive) = (told.scope(worker.picks.scope()), worker.picks.flip(), root.is_alive());
        worker.witness.steered(Steered { family, client, alive, ttl, flip, horizon: question.horizon, scope });
        for (slot, &id) in chosen.ids[family as usize].iter_mut().zip(worker.picks.endpoints()) {
            *slot = id;
        }
        chosen.counts[family as usize] = worker.picks.endpoints().len();
        (chosen.ttl, chosen.scope) = (chosen.ttl.min(ttl), chosen.scope.max(scope));
    }
    chosen
}

/// For how long, in seconds, `name` may promise what the worker has picked.
fn ttl<W>(name: &Balanced, worker: &Worker<W>, question: Question<'_>) -> u32 {
    name.ttl.at(worker.picks.flip().min(question.horizon), question.now)
}

/// Who counts as the client of `name`, and what may be announced of it: nothing, where names heed no subnet.
fn client(name: &Balanced, asker: &Asker) -> (Client, Told) {
    match name.ecs {
        Ecs::Heeded => asker.client(),
        Ecs::Ignored => (asker.resolver(), Told::Nothing),
    }
}

impl<'s> Steering<'s, '_> {
    fn family(&self) -> Family {
        match self.wanted {
            Wanted::Addresses(family) | Wanted::Alias(family) => family,
        }
    }

    /// Nothing lives. Whatever is said now should be forgotten soon, so it gets the least TTL.
    #[inline(never)]
    fn when_all_down<W: Witness>(&self, worker: &mut Worker<W>, composer: &mut Composer<'_, '_>) -> Outcome<'s> {
        worker.picks.clear();
        let ttl = self.name.ttl.min;
        composer.explain(match &self.name.when_all_down {
            WhenAllDown::NoData | WhenAllDown::ServFail => Explanation::NONE_ALIVE,
            WhenAllDown::Refused => Explanation::BLOCKED,
            WhenAllDown::Addresses(_) => Explanation::SPARE,
            WhenAllDown::LastGood => Explanation::LAST_GOOD,
            WhenAllDown::ServeAll => Explanation::ALL_SERVED,
        });
        match &self.name.when_all_down {
            WhenAllDown::NoData => self.no_data(ttl, composer),
            WhenAllDown::ServFail => Outcome::Done(Rcode::ServFail),
            WhenAllDown::Refused => Outcome::Done(Rcode::Refused),
            WhenAllDown::Addresses(addresses) => {
                let Wanted::Addresses(family) = self.wanted else { return self.no_data(ttl, composer) };
                let mut given = addresses.iter().filter(|&&address| family.holds(address)).peekable();
                if given.peek().is_none() {
                    return self.no_data(ttl, composer);
                }
                composer.answer_addresses(ttl, given.copied());
                Outcome::Done(Rcode::NoError)
            }
            WhenAllDown::LastGood => {
                self.choose((&self.served.live, View::LastGood), worker);
                if worker.picks.endpoints().is_empty() {
                    self.choose((self.all(), View::Living), worker);
                }
                self.write(worker, ttl, composer)
            }
            WhenAllDown::ServeAll => {
                self.choose((self.all(), View::Living), worker);
                self.write(worker, ttl, composer)
            }
        }
    }

    /// As if everything lived, but for what operators took out.
    fn all(&self) -> &Live {
        self.served.live.without_out().unwrap_or(&self.served.steering.all)
    }

    fn no_data(&self, ttl: u32, composer: &mut Composer<'_, '_>) -> Outcome<'s> {
        let zone = &self.served.zone;
        composer.deny(zone, zone.negative_ttl().min(ttl));
        Outcome::Done(Rcode::NoError)
    }

    /// Chooses endpoints of the wanted family. Where the name may be an alias and the other family decides that, it
    /// is asked first: a resolver that holds an alias gives it to whoever asks, for whatever type, so one family
    /// must not have an alias beside addresses of the other.
    #[inline(always)] // Nearly every answer's is one call of `pick`.
    fn choose<W: Witness>(&self, (live, view): (&Live, View), worker: &mut Worker<W>) {
        let family = self.family();
        let Some(deciding) = self.name.deciding().filter(|&deciding| deciding != family) else {
            return self.pick((live, view), family, worker, Turn::Own);
        };
        // What is only looked at takes nobody's turn.
        self.pick((live, view), deciding, worker, Turn::None);
        let (flip, scope) = (worker.picks.flip(), worker.picks.scope());
        let chosen = if self.alias(worker).is_some() { deciding } else { family };
        self.pick((live, view), chosen, worker, Turn::Own);
        worker.picks.follow_from(flip, scope);
        if chosen == family && self.alias(worker).is_some() {
            worker.picks.withdraw();
        }
    }

    fn pick<W: Witness>(&self, (live, view): (&Live, View), family: Family, worker: &mut Worker<W>, turn: Turn) {
        let name = self.name;
        let cursors = match turn {
            // Those of the family that is wanted, whichever family's pools are walked.
            Turn::Own => worker.cursors.get_mut(self.served.cursors(name, self.family())).unwrap_or_default(),
            Turn::Hints => worker.cursors.get_mut(self.served.hint_cursors(name, family)).unwrap_or_default(),
            Turn::None => &mut [],
        };
        let hand = Hand {
            cursors,
            low: name.low(),
            random: &mut worker.random,
            client: self.client,
            witness: &mut worker.witness,
        };
        let want = Want { root: name.root, family, answers: name.answers, view };
        choose(&self.served.steering.pools, live, want, hand, &mut worker.picks);
    }

    fn chosen<W>(&self, worker: &Worker<W>) -> impl Iterator<Item = (EndpointId, &'s Given)> {
        let endpoints = &self.served.steering.pools.endpoints;
        worker.picks.endpoints().iter().filter_map(|&id| Some((id, &endpoints.get(id.0 as usize)?.given)))
    }

    /// Where the chosen alias leads. It is alone in its answer: the files are refused otherwise.
    fn alias<W>(&self, worker: &Worker<W>) -> Option<&'s Name> {
        let (_, given) = self.chosen(worker).next()?;
        let alias = given.alias()?;
        self.served.steering.aliases.get(alias.0 as usize)
    }

    fn write<W>(&self, worker: &Worker<W>, ttl: u32, composer: &mut Composer<'_, '_>) -> Outcome<'s> {
        if self.name.deciding().is_some() {
            if let Some(target) = self.alias(worker) {
                let mut giving = self.count(worker, ttl);
                self.chosen(worker).for_each(|(id, _)| giving.count(id));
                return Outcome::Alias { target, ttl };
            }
            if worker.picks.endpoints().is_empty() || matches!(self.wanted, Wanted::Alias(_)) {
                return self.no_data(ttl, composer);
            }
        }
        // Counted in the loop that composes: one of its own takes more, and so does a copy of this for who does not count.
        let mut giving = self.count(worker, ttl);
        let counted = self.chosen(worker).inspect(|&(id, _)| giving.count(id));
        composer.answer_addresses(ttl, counted.filter_map(|(_, given)| given.address()));
        Outcome::Done(Rcode::NoError)
    }

    /// Counts an answer, for the metrics if there are any; what it gives is left to count.
    fn count<'w, W>(&self, worker: &'w Worker<W>, ttl: u32) -> Giving<'w> {
        let Some(sheet) = &worker.sheet else { return Giving::default() };
        sheet.count_balanced(self.served.rows(), self.family(), ttl)
    }
}

/// Whose turn a choice takes.
#[derive(Clone, Copy)]
enum Turn {
    /// The name's next.
    Own,
    /// The next of the name's hints.
    Hints,
    /// None: every pool is at its beginning, and stays where it was.
    None,
}
