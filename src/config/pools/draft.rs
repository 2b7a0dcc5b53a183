//! A pool and its members as they stand in the file.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::config::claims::{Otherwise, Placed};
use crate::config::faults::Span;
use crate::config::judges::{Judge, Judges};
use crate::config::words::Probed;
use crate::geo::{Bias, Coordinates};
use crate::policy::{MinAlive, PolicyName};
use crate::wire::name::Name;

/// A pool as it stands in the file. One with faults keeps its name and what could be read of it, so that what
/// uses it is not faulted too.
pub(in crate::config) struct Draft<'a> {
    pub(in crate::config) name: &'a str,
    pub(in crate::config) key_span: Span,
    /// `None` when it is missing or faulty.
    pub(in crate::config) policy: Option<PolicyName>,
    pub(in crate::config) members: Vec<DraftMember<'a>>,
    pub(in crate::config) min_alive: MinAlive,
    /// Where it is.
    pub(in crate::config) place: Option<Coordinates>,
    /// Of a `geo` pool: who serves whom nobody claims.
    pub(in crate::config) otherwise: Option<Otherwise<'a>>,
    /// Of a `latency` pool: how much longer than the best a member of the band may take.
    pub(in crate::config) tolerance: Duration,
    /// Of a `hash` pool: how much of an IPv4 and of an IPv6 address makes up a session.
    pub(in crate::config) prefix: (u8, u8),
    /// What judges its own endpoints. Pools that are its members are judged by their own monitors: a pool means
    /// the same wherever it is used.
    pub(in crate::config) judges: Option<Judges>,
    /// What must be up for it to be alive.
    pub(in crate::config) depends: Vec<Judge>,
}

impl Draft<'_> {
    /// What judges `member`, one of its own.
    pub(in crate::config) fn judges_of<'d>(&'d self, member: &'d DraftMember<'_>) -> Option<&'d Judges> {
        match &member.target {
            DraftTarget::Endpoint { given: DraftGiven::Address(_), judges, .. } => {
                judges.as_ref().or(self.judges.as_ref())
            }
            _ => None,
        }
    }

    /// All monitors that matter to it: those of its endpoints, and what it depends on.
    pub(in crate::config) fn all_judges(&self) -> impl Iterator<Item = &Judge> {
        let of_members =
            self.members.iter().filter_map(|member| self.judges_of(member)).flat_map(|judges| &judges.list);
        of_members.chain(&self.depends)
    }

    /// Where every monitor stands that it names, whether or not it has endpoints for it.
    pub(in crate::config) fn all_named(&self) -> impl Iterator<Item = Span> {
        let own = self.judges.iter().flat_map(|judges| &judges.list);
        own.chain(self.all_judges()).map(|judge| judge.key_span)
    }

    /// The same, to be changed.
    pub(in crate::config) fn all_judges_mut(&mut self) -> impl Iterator<Item = &mut Judge> {
        let of_members = self.members.iter_mut().filter_map(|member| match &mut member.target {
            DraftTarget::Endpoint { judges, .. } => judges.as_mut(),
            DraftTarget::Pool(_) => None,
        });
        let judges = of_members.chain(&mut self.judges).flat_map(|judges| &mut judges.list);
        judges.chain(&mut self.depends)
    }
}

/// A member with its weight.
pub(in crate::config) struct DraftMember<'a> {
    pub(in crate::config) target: DraftTarget<'a>,
    pub(in crate::config) weight: u32,
    pub(in crate::config) span: Span,
    /// Whom it claims, of a `geo` pool.
    pub(in crate::config) claims: Vec<Placed>,
    pub(in crate::config) bias: Bias,
}

impl DraftMember<'_> {
    /// Whether it could have a monitor, as an address of this very pool, and names none itself.
    pub(super) fn is_unjudged(&self) -> bool {
        matches!(self.target, DraftTarget::Endpoint { given: DraftGiven::Address(_), judges: None, .. })
    }

    /// Whether it names monitors of its own.
    pub(super) fn is_judged(&self) -> bool {
        matches!(self.target, DraftTarget::Endpoint { given: DraftGiven::Address(_), judges: Some(_), .. })
    }

    /// What it is called within its pool.
    pub(in crate::config) fn name(&self) -> &str {
        match &self.target {
            DraftTarget::Endpoint { name, .. } => name,
            DraftTarget::Pool(name) => name,
        }
    }
}

/// What a member is.
pub(in crate::config) enum DraftTarget<'a> {
    Endpoint {
        name: Box<str>,
        given: DraftGiven,
        place: Option<Coordinates>,
        probed: Option<Probed>,
        judges: Option<Judges>,
    },
    Pool(&'a str),
}

/// What an endpoint gives.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::config) enum DraftGiven {
    Address(IpAddr),
    /// The name that is to be asked for, in lower case.
    Alias(Name),
}

impl fmt::Display for DraftGiven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Alias(name) => write!(f, "{name}"),
        }
    }
}
