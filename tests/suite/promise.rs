//! The proof of the promise: no honest cache holds a dead endpoint past its death and the budget.
//!
//! Each case is a small world under a virtual clock, drawn from a seed: pools of every policy, nested; endpoints
//! under up to three monitors, with intervals from 100 ms to half a day, that die at any moment, by refusing or by hanging, and
//! come back or not; probes that start, time out and reach the answers as late as they may; resolvers that ask at the
//! worst of moments, often, or rarely. What decides is the code that is served: [`Condition`] judges, [`plan`] sets
//! the TTLs, [`Live`] is compiled, [`choose`] picks, [`TtlRange::at`] says for how long. Its mutants must be caught.
//!
//! An honest cache is an exact one: it holds an answer for its TTL, to the nanosecond, and not longer. Unbound counts in
//! whole seconds and so holds one for up to a second more.
//!
//! What is answered when nothing lives is the operator's choice of the last resort, and promises nothing.
//!
//! `BELLWETHER_PROMISE_SEED=N` runs the one case of a seed.

mod desk;
mod draw;
mod world;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bellwether::health::{Comeback, State, Verdict};
use bellwether::moment::Moment;
use bellwether::ttl::{Plan, TtlRange};

use draw::{Layout, layouts};
use world::World;

/// Cases of the proof; each has a seed of its own, from [`FIRST_SEED`] on.
const CASES: u64 = 100_000;
const FIRST_SEED: u64 = 20_260_131_000_000;

/// Cases within which a mutant must be caught.
const MUTANT_CASES: u64 = 20_000;

/// What is wrong with the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// Nothing: the promise must hold.
    None,
    /// The TTL is not shrunk while a verdict forms.
    NeverShrunk,
    /// The TTL may be a second longer than the range says while all is well.
    LongerCeiling,
    /// It may be a second longer than the range says while a verdict forms.
    LongerFloor,
    /// What forms in pools below the name's is not heeded.
    NestedIgnored,
    /// A verdict reaches the answers a second late.
    LateVerdicts,
    /// A hold-down holds what dies up, rather than what comes back down.
    HeldDeaths,
}

/// A dead endpoint in a cache.
#[derive(Clone, Copy, Debug)]
struct Violation {
    seed: u64,
    death: Moment,
    asked: Moment,
    ttl: u32,
    plan: Plan,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, death, asked, ttl, plan } = self;
        let over = (*asked + Duration::from_secs((*ttl).into())).since(*death + plan.failover);
        write!(f, "seed {seed}: died at {death:?}, answered at {asked:?} for {ttl} s: {over:?} past {plan:?}")
    }
}

/// What a run of cases came to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    queries: u64,
    /// Cases in which some cache held a dead endpoint for a while.
    exposed: u64,
    /// Cases in which one did for nearly the whole budget: 99 in 100 parts.
    tight: u64,
}

#[test]
fn no_cache_holds_a_dead_endpoint_past_the_budget() {
    let layouts = layouts();
    if let Some(seed) = std::env::var("BELLWETHER_PROMISE_SEED").ok().and_then(|seed| seed.parse().ok()) {
        let mut tally = Tally::default();
        let case = World::new(&layouts, seed, Mutant::None).run(&mut tally);
        return assert!(case.is_ok(), "{}", case.map_or_else(|broken| broken.to_string(), |()| String::new()));
    }
    let (broken, tally) = run(&layouts, CASES, Mutant::None);
    assert!(broken.is_none(), "{}", broken.map_or_else(String::new, |broken| broken.to_string()));
    // It must have come to the edge, or it has shown nothing.
    assert!(tally.exposed > CASES / 4 && tally.tight > CASES / 1_000, "{tally:?}");
}

#[test]
fn the_same_check_catches_whoever_breaks_the_promise() {
    let layouts = layouts();
    for mutant in [
        Mutant::NeverShrunk,
        Mutant::LongerCeiling,
        Mutant::LongerFloor,
        Mutant::NestedIgnored,
        Mutant::LateVerdicts,
        Mutant::HeldDeaths,
    ] {
        let (broken, tally) = run(&layouts, MUTANT_CASES, mutant);
        assert!(broken.is_some(), "{mutant:?} goes through: {tally:?}");
    }
}

/// Runs cases on every core until one is broken.
fn run(layouts: &[Layout], cases: u64, mutant: Mutant) -> (Option<Violation>, Tally) {
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let found = Mutex::new((None, Tally::default()));
    thread::scope(|scope| {
        for first in 0..threads {
            let found = &found;
            scope.spawn(move || {
                let (mut tally, mut broken) = (Tally::default(), None);
                for case in (first..cases).step_by(threads as usize) {
                    // Now and then, whether another thread is done with it.
                    if case % 64 < threads && found.lock().unwrap_or_else(PoisonError::into_inner).0.is_some() {
                        break;
                    }
                    if let Err(violation) = World::new(layouts, FIRST_SEED + case, mutant).run(&mut tally) {
                        broken = Some(violation);
                        break;
                    }
                }
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.0 = found.0.or(broken);
                found.1.queries += tally.queries;
                found.1.exposed += tally.exposed;
                found.1.tight += tally.tight;
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Mutant {
    /// How much later than it may be a result gets into the answers.
    fn delay(self, before: State, turned: Option<Verdict>, comeback: &Comeback) -> Duration {
        let dies = before.is_alive() && turned == Some(Verdict::Down);
        match self {
            Self::LateVerdicts if dies => Duration::from_secs(1),
            Self::HeldDeaths if dies => comeback.hold_down.first,
            _ => Duration::ZERO,
        }
    }

    fn ttl(self, range: TtlRange) -> impl Fn(Moment, Moment) -> u32 {
        let TtlRange { min, max } = range;
        let range = match self {
            Self::NeverShrunk => TtlRange { min: max, max },
            Self::LongerCeiling => TtlRange { min, max: max + 1 },
            Self::LongerFloor => TtlRange { min: min + 1, max: max.max(min + 1) },
            _ => range,
        };
        move |flip, now| range.at(flip, now)
    }
}
