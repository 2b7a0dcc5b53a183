//! One pool compiled: what every policy makes of its members, and all that a query sees of it.

use std::sync::Arc;

use super::Target;
use super::band::Latency;
use super::ranking::Ranking;
use super::schedule::Schedule;
use crate::geo::Map;
use crate::health::{Health, Load, PerMille};
use crate::moment::Moment;

/// One pool in one family at one moment. Dead when it has no branch.
#[derive(Clone, Debug, PartialEq)]
pub struct LivePool {
    /// The living members that answer, in the operator's order.
    pub(super) branches: Box<[Branch]>,
    /// For a pick by the client's network, how each member of the file stands, by its number there: such a query
    /// looks members up by number, dead ones too. Empty for the rest.
    pub(super) seats: Box<[Seat]>,
    /// How the first of them is found.
    pub(super) pick: Pick,
    /// The soonest moment at which this pool's answer could change: [`Moment::NEVER`] while nothing forms.
    pub(super) flip: Moment,
    /// Grows whenever the branches or their shares change; cursors begin anew with it.
    pub(super) version: u32,
    /// Whether any endpoint below is of this family at all.
    present: bool,
    /// What it was when it last lived; kept while it is dead.
    last_good: Option<Arc<Self>>,
    /// What of that operators left in, while they took some of it out.
    left_in: Option<Arc<Self>>,
}

/// A living member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) target: Target,
    pub(super) flip: Moment,
}

/// How a member stands for a query that looks it up by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// Its branch; [`Seat::EMPTY`] while it is dead, or of another family.
    pub(super) branch: u16,
    /// When its verdict could turn.
    pub(super) flip: Moment,
    /// The part of its weight that it gets.
    pub(super) share: PerMille,
}

impl Seat {
    pub(super) const EMPTY: u16 = u16::MAX;
}

/// How a pool finds the first of its answers.
#[derive(Clone, Debug)]
pub(super) enum Pick {
    /// The first branch.
    First,
    /// Each branch in turn.
    InTurn,
    /// As the schedule says.
    Scheduled(Schedule),
    /// As the schedule says, which moves with the load that endpoints report or with a slow start: a new one goes on
    /// where the last was, or a name that is seldom asked for would get the beginning of a turn each time.
    Drifting(Schedule),
    /// Any branch, drawn by the query.
    AtRandom,
    /// Any step of the schedule, drawn by the query.
    Lots(Schedule),
    /// The first living member in the ranking of the client's network.
    Ranked(Arc<Ranking>),
    /// The first living member in the class of the client.
    Mapped(Arc<Map>),
    /// Any of the fastest living members for the client, drawn by the query.
    Banded(Arc<Latency>),
}

/// Whether two picks take the same turns. Rankings and maps are made once a load, so they are the same or they are others.
impl PartialEq for Pick {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::First, Self::First) | (Self::InTurn, Self::InTurn) | (Self::AtRandom, Self::AtRandom) => true,
            (Self::Scheduled(one), Self::Scheduled(other))
            | (Self::Drifting(one), Self::Drifting(other))
            | (Self::Lots(one), Self::Lots(other)) => one == other,
            (Self::Ranked(one), Self::Ranked(other)) => Arc::ptr_eq(one, other),
            (Self::Mapped(one), Self::Mapped(other)) => Arc::ptr_eq(one, other),
            (Self::Banded(one), Self::Banded(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// How a member stands: what a policy is compiled from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Its number in the pool.
    pub(super) number: u16,
    pub(super) target: Target,
    pub(super) weight: u32,
    pub(super) alive: bool,
    pub(super) flip: Moment,
    /// The part of its weight that it gets; the whole of a pool.
    pub(super) share: PerMille,
    /// What it reports of its load; nothing of a pool.
    pub(super) load: Option<Load>,
}

impl Branch {
    pub(super) fn of(member: &Standing) -> Self {
        Self { target: member.target, flip: member.flip }
    }
}

/// The soonest flip among `members`.
pub(super) fn soonest<'m>(members: impl IntoIterator<Item = &'m Standing>) -> Moment {
    members.into_iter().map(|member| member.flip).min().unwrap_or(Moment::NEVER)
}

impl LivePool {
    pub(super) fn new(branches: Box<[Branch]>, pick: Pick, flip: Moment) -> Self {
        Self { branches, seats: Box::default(), pick, flip, version: 0, present: true, last_good: None, left_in: None }
    }

    /// A pool whose members are looked up by number. Its own flip is never: what a query meets counts. Shares are
    /// those of the greatest share there is, so that somebody always has a whole one.
    pub(super) fn ranked(members: &[Standing], pick: Pick) -> Self {
        let seats = members.last().map_or(0, |last| usize::from(last.number) + 1);
        let mut seats = vec![Seat { branch: Seat::EMPTY, flip: Moment::NEVER, share: PerMille::WHOLE }; seats];
        let mut branches = Vec::new();
        let living = members.iter().filter(|member| member.alive);
        let most = u32::from(living.map(|member| member.share.get()).max().unwrap_or(0).max(1));
        let of_most =
            |share: PerMille| PerMille::new(u16::try_from(u32::from(share.get()) * 1_000 / most).unwrap_or(1_000));
        for member in members {
            let Some(seat) = seats.get_mut(usize::from(member.number)) else { continue };
            (seat.flip, seat.share) = (member.flip, of_most(member.share));
            if member.alive {
                seat.branch = u16::try_from(branches.len()).unwrap_or(Seat::EMPTY);
                branches.push(Branch::of(member));
            }
        }
        Self { seats: seats.into(), ..Self::new(branches.into(), pick, Moment::NEVER) }
    }

    /// A pool that nothing answers for, with or without endpoints of this family.
    pub(super) fn dead(present: bool, flip: Moment) -> Self {
        Self { present, ..Self::new(Box::default(), Pick::First, flip) }
    }

    /// How the member with this number of the file stands.
    pub(super) fn seat(&self, number: u16) -> Option<&Seat> {
        self.seats.get(usize::from(number))
    }

    /// That member's branch, while it lives.
    pub(super) fn branch(&self, number: u16) -> Option<&Branch> {
        self.branches.get(usize::from(self.seat(number)?.branch))
    }

    /// Whether that member lives, when that could turn, and its share; its load is not kept.
    pub fn stands(&self, number: u16) -> Option<Health> {
        let seat = self.seat(number)?;
        Some(Health { alive: self.branch(number).is_some(), flip: seat.flip, share: seat.share, load: None })
    }

    /// Whether anything of it answers.
    pub fn is_alive(&self) -> bool {
        !self.branches.is_empty()
    }

    /// Whether it has an endpoint of this family, dead or alive.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// The soonest moment at which its answer could change.
    pub fn flip(&self) -> Moment {
        self.flip
    }

    /// Whether a pool that nests it need not care which of the two it nests.
    pub(super) fn looks_like(&self, other: &Self) -> bool {
        (self.is_alive(), self.flip, self.present) == (other.is_alive(), other.flip, other.present)
    }

    /// What it was when it last lived, without what operators took out: itself while it does; `None` when it never
    /// has.
    pub(super) fn last_good(&self) -> Option<&Self> {
        if self.is_alive() { Some(self) } else { self.left_in.as_deref().or(self.last_good.as_deref()) }
    }

    /// Leaves out of what it last was whatever `left` does not keep: it compiles the pool from the members that it
    /// says live.
    pub(super) fn leave_out(self: &mut Arc<Self>, left: impl FnOnce(&Self) -> Self) {
        let Some(good) = self.last_good.as_deref().filter(|_| !self.is_alive()) else { return };
        let left = Self { version: good.version, ..left(good) };
        Arc::make_mut(self).left_in = Some(Arc::new(left));
    }

    /// Becomes the successor of `previous`.
    pub(super) fn follow(mut self, previous: &Arc<Self>) -> Arc<Self> {
        let drifts = matches!((&self.pick, &previous.pick), (Pick::Drifting(_), Pick::Drifting(_)));
        let same_turns = (drifts || self.pick == previous.pick)
            && self
                .branches
                .iter()
                .map(|branch| branch.target)
                .eq(previous.branches.iter().map(|branch| branch.target));
        self.version = if same_turns { previous.version } else { previous.version.wrapping_add(1) };
        if !self.is_alive() {
            self.last_good = match previous.is_alive() {
                true => Some(Arc::new(Self { last_good: None, ..Self::clone(previous) })),
                false => previous.last_good.clone(),
            };
        }
        if self == **previous { Arc::clone(previous) } else { Arc::new(self) }
    }
}
