//! One world from its seed: who dies when, what is told of it, who asks, and whether the promise was kept.

use std::time::Duration;

use bellwether::health::{Comeback, Condition, Finding, Health, LATENESS_MAX, Probed, State, Timing, patience};
use bellwether::moment::Moment;
use bellwether::random::Random;
use bellwether::ttl::Plan;

use super::desk::Desk;
use super::draw::{Layout, budget, monitors};
use super::{Mutant, Tally, Violation};

/// One endpoint's life, and what its monitor made of it.
pub(super) struct Life {
    /// When it is dead, from and to.
    dead: Vec<(Moment, Moment)>,
    /// What answers may read of it, and from when on.
    told: Vec<(Moment, Health)>,
}

/// How soon a resolver asks again once an answer has run out.
pub(super) enum Habit {
    Never,
    AtOnce,
    Rarely,
}

/// One case.
pub(super) struct World<'l> {
    seed: u64,
    mutant: Mutant,
    random: Random,
    layout: &'l Layout,
    plan: Plan,
    lives: Vec<Life>,
    until: Moment,
}

impl<'l> World<'l> {
    pub(super) fn new(layouts: &'l [Layout], seed: u64, mutant: Mutant) -> Self {
        let mut random = Random::new(seed);
        let layout = &layouts[random.below(layouts.len() as u64) as usize];
        let monitors = monitors(&mut random);
        let timings: Vec<Timing> = monitors.iter().map(|(timing, _)| *timing).collect();
        let plan = budget(&mut random, &timings);
        let longest = timings.iter().map(|timing| timing.interval).max().unwrap_or_default();
        let mut world = Self { seed, mutant, random, layout, plan, lives: Vec::new(), until: Moment::START };
        let deaths: Vec<_> = layout.pools.endpoints.iter().map(|_| world.deaths(longest)).collect();
        let last = deaths.iter().flatten().map(|(death, _)| *death).max().unwrap_or(Moment::START);
        world.until = last + plan.failover + longest;
        for dead in deaths {
            let (timing, comeback) = monitors[world.random.below(monitors.len() as u64) as usize];
            let told = world.watched(&dead, &timing, &comeback);
            world.lives.push(Life { dead, told });
        }
        world
    }

    /// Up to `span`, and none or all of it in half of the cases: extremes are where the promise breaks.
    fn some(&mut self, span: Duration) -> Duration {
        some(&mut self.random, span)
    }

    /// When an endpoint is dead: not at all, for good, or for a while and perhaps again.
    fn deaths(&mut self, longest: Duration) -> Vec<(Moment, Moment)> {
        let mut dead = Vec::new();
        let mut from = Moment::START;
        for _ in 0..self.random.below(3) {
            from = from + Duration::from_nanos(self.random.below((longest * 3).as_nanos() as u64));
            if self.random.below(2) == 0 {
                dead.push((from, Moment::NEVER));
                break;
            }
            let to = from + self.some(self.plan.failover * 2);
            dead.push((from, to));
            from = to;
        }
        dead
    }

    /// What one monitor tells of an endpoint. Each probe may be late by what its gap leaves for it, in all: at its
    /// start, when its timeout is noticed, and on its result's way into the answers.
    fn watched(&mut self, dead: &[(Moment, Moment)], timing: &Timing, comeback: &Comeback) -> Vec<(Moment, Health)> {
        let is_noisy = self.random.below(8) == 0;
        let mut condition = Condition::default();
        let mut next = Moment::START + self.some(timing.interval);
        let (mut setting, mut told, mut heard) = (timing.interval, Vec::new(), Moment::START);
        while next < self.until {
            let mut allowance = LATENESS_MAX.min(setting / 10);
            let mut late = |world: &mut Self| {
                let late = world.some(allowance);
                allowance -= late;
                late
            };
            let start = next + late(self);
            let took = self.some(patience(timing));
            let death = dead.iter().find(|(_, to)| *to > start).map_or(Moment::NEVER, |(from, _)| *from);
            // One that is under way at the death may end either way; and any may fail by chance.
            let serves = start < death && (start + took < death || self.random.below(2) == 0);
            let success = serves && !(is_noisy && self.random.below(4) == 0);
            let hangs = !success && self.random.below(2) == 0;
            let end = if hangs { start + patience(timing) + late(self) } else { start + took };
            let finding = if success { Finding::Success } else { Finding::Failure };
            let step =
                condition.step(timing, comeback, Probed { finding, start, end, held: false }, self.random.next_u32());
            let step = step.expect("one probe after another");
            heard = heard.max(end + late(self) + self.mutant.delay(condition.state(), step.turned, comeback));
            if told.last().is_none_or(|(_, health)| *health != step.health) {
                told.push((heard, step.health));
            }
            let forming = matches!(step.condition.state(), State::Suspect { .. } | State::Recovering { .. });
            setting = if forming { timing.fast } else { timing.interval };
            (condition, next) = (step.condition, step.next);
        }
        told
    }

    /// Lets resolvers ask until the end, and looks into their caches.
    pub(super) fn run(mut self, tally: &mut Tally) -> Result<(), Violation> {
        let mut changes: Vec<(Moment, u32, Health)> = Vec::new();
        for (number, life) in (0..).zip(&self.lives) {
            changes.extend(life.told.iter().map(|&(at, health)| (at, number, health)));
        }
        changes.sort_unstable_by_key(|(at, ..)| *at);
        // Nothing is served before the first round is in.
        let ready = self.lives.iter().filter_map(|life| Some(life.told.first()?.0)).max().unwrap_or(Moment::START);
        let mut resolvers = self.resolvers(&changes, ready);
        let mut desk = Desk::new(self.layout, &mut self.random);
        let mut changes = changes.into_iter().peekable();
        let mut longest = 0.0_f64;
        while let Some((asked, habit)) = resolvers.iter_mut().min_by_key(|(at, _)| *at)
            && *asked < self.until
        {
            let now = *asked;
            while let Some((_, number, health)) = changes.next_if(|(at, ..)| *at <= now) {
                desk.hear(self.mutant, number, health);
            }
            let ttl = desk.ask(self.mutant.ttl(self.plan.range), now);
            let expiry = now + Duration::from_secs(ttl.into());
            tally.queries += 1;
            for endpoint in desk.picks.endpoints() {
                let life = &self.lives[endpoint.0 as usize];
                // Dead before the answer has run out, and not alive again before it was given.
                for &(death, back) in life.dead.iter().filter(|(death, back)| *death < expiry && *back > now) {
                    if now.max(death + self.plan.failover) < expiry.min(back) {
                        return Err(Violation { seed: self.seed, death, asked: now, ttl, plan: self.plan });
                    }
                    let held = expiry.min(back).since(death).as_secs_f64();
                    longest = longest.max(held / self.plan.failover.as_secs_f64());
                }
            }
            *asked = match habit {
                Habit::Never => Moment::NEVER,
                Habit::AtOnce => expiry,
                Habit::Rarely => expiry + some(&mut self.random, self.plan.failover),
            };
        }
        tally.exposed += u64::from(longest > 0.0);
        tally.tight += u64::from(longest > 0.99);
        Ok(())
    }

    /// When each first asks, and its habit: some the moment before something changes, which is the worst of all.
    fn resolvers(&mut self, changes: &[(Moment, u32, Health)], ready: Moment) -> Vec<(Moment, Habit)> {
        let mut resolvers = vec![(ready, Habit::Rarely)];
        // Often is bounded by what a case may cost: short TTLs in long worlds are left to the others.
        let often = self.until.since(ready).as_secs() < 40 * u64::from(self.plan.range.min);
        if often {
            resolvers.push((ready, Habit::AtOnce));
        }
        let span = self.until.since(ready).as_nanos() as u64;
        for _ in 0..2 {
            resolvers.push((ready + Duration::from_nanos(self.random.below(span.max(1))), Habit::Never));
        }
        let before_it = Duration::from_nanos(1);
        let worst = changes.iter().filter(|(at, ..)| *at > ready).map(|(at, ..)| *at - before_it);
        let deaths = self.lives.iter().flat_map(|life| life.dead.iter().map(|(death, _)| *death));
        resolvers.extend(worst.take(12).chain(deaths.filter(|death| *death > ready)).map(|at| (at, Habit::Never)));
        resolvers
    }
}

pub(super) fn some(random: &mut Random, span: Duration) -> Duration {
    match random.below(4) {
        0 => span,
        1 => Duration::ZERO,
        _ => Duration::from_nanos(random.below(span.as_nanos() as u64 + 1)),
    }
}
