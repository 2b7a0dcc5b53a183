//! Where names may be aliases: which pools lead to a `cname`, and what that asks of pools and of names.
//!
//! An alias stands alone (RFC 1034 §3.6.2). So no split holds aliases and addresses, and a name that may be an
//! alias has one answer, no other data, and is not the zone's apex.

use std::collections::HashMap;

use super::faults::{Faults, Span, shown};
use super::nesting::Nesting;
use super::pools::{Draft, DraftGiven, DraftTarget};
use crate::policy::{PolicyName, PoolId};
use crate::wire::name::Name;
use crate::zone::Beside;

/// What the pools of a file hold of aliases.
pub(super) struct Aliases<'a> {
    apex: &'a Name,
    nesting: &'a Nesting<'a>,
    /// By [`PoolId`], with all that is nested in it.
    held: Vec<Held>,
    /// The pools that have an alias to a name, and where it stands.
    targets: HashMap<&'a Name, Vec<(PoolId, Span)>>,
}

/// What can be reached from a pool: the first of its members through which an alias is, and an address.
#[derive(Clone, Copy, Default)]
struct Held {
    alias: Option<Span>,
    address: Option<Span>,
}

impl<'a> Aliases<'a> {
    /// Finds the aliases of all pools, and refuses pools that would share clients out among aliases and addresses.
    pub(super) fn find(
        apex: &'a Name,
        drafts: &'a [Draft<'a>],
        nesting: &'a Nesting<'a>,
        faults: &mut Faults<'_>,
    ) -> Self {
        let mut aliases = Self { apex, nesting, held: Vec::with_capacity(drafts.len()), targets: HashMap::new() };
        for (number, &at) in (0..).zip(&nesting.order) {
            let draft = &drafts[at];
            let mut held = Held::default();
            for member in &draft.members {
                let of_member = match &member.target {
                    DraftTarget::Endpoint { given: DraftGiven::Address(_), .. } => {
                        Held { alias: None, address: Some(member.span) }
                    }
                    DraftTarget::Endpoint { given: DraftGiven::Alias(target), .. } => {
                        aliases.targets.entry(target).or_default().push((PoolId(number), member.span));
                        Held { alias: Some(member.span), address: None }
                    }
                    // One that closes a loop has no number yet; it is a fault already.
                    DraftTarget::Pool(name) => {
                        let child = nesting.ids.get(name).and_then(|id| aliases.held.get(id.0 as usize));
                        let child = child.copied().unwrap_or_default();
                        Held {
                            alias: child.alias.and(Some(member.span)),
                            address: child.address.and(Some(member.span)),
                        }
                    }
                };
                held.alias = held.alias.or(of_member.alias);
                held.address = held.address.or(of_member.address);
            }
            if draft.policy.is_some_and(PolicyName::shares_out)
                && let Held { alias: Some(alias), address: Some(address) } = held
            {
                refuse_mixture(draft, alias, address, faults);
                // What it is a member of is not refused for the same.
                held = Held::default();
            }
            aliases.held.push(held);
        }
        aliases
    }

    /// Whether a name over `root` may be an alias.
    pub(super) fn are_below(&self, root: PoolId) -> bool {
        self.alias_below(root).is_some()
    }

    fn alias_below(&self, root: PoolId) -> Option<Span> {
        self.held.get(root.0 as usize)?.alias
    }

    /// What may stand beside the name `owner` over `root`, whose key is at `key_span`; `several` is where several
    /// answers are asked for. `None` when it cannot be what it may have to be, which has been reported.
    pub(super) fn check(
        &self,
        owner: &Name,
        key_span: Span,
        root: PoolId,
        several: Option<Span>,
        faults: &mut Faults<'_>,
    ) -> Option<Beside> {
        let Some(alias) = self.alias_below(root) else { return Some(Beside::OtherTypes) };
        let errors = faults.errors();
        if *owner == self.apex.to_lowercase() {
            faults
                .error(key_span, format!("{owner} is the top of the zone and cannot be an alias"))
                .other(alias, "its pool leads to one here")
                .help("SOA and NS records stand there, and an alias stands alone (RFC 1034 §3.6.2): give it addresses");
        }
        if let Some(span) = several {
            faults
                .error(span, format!("{owner} may be an alias, and then there is one answer"))
                .other(alias, "its pool leads to an alias here")
                .help("write answers = 1, or leave it out");
        }
        if let Some(span) = self.to_itself(owner, root) {
            faults
                .error(span, format!("an alias of {owner} to itself"))
                .other(key_span, "the name")
                .help("name the host that is meant");
        }
        (faults.errors() == errors).then_some(Beside::Nothing)
    }

    /// The alias to `owner` that `root` leads to.
    fn to_itself(&self, owner: &Name, root: PoolId) -> Option<Span> {
        let places = self.targets.get(owner)?;
        let within = self.nesting.within(root);
        places.iter().find(|(pool, _)| within.contains(pool)).map(|&(_, span)| span)
    }
}

fn refuse_mixture(draft: &Draft<'_>, alias: Span, address: Span, faults: &mut Faults<'_>) {
    faults
        .error(alias, format!("pool `{}` shares clients out among aliases and addresses", shown(draft.name)))
        .other(address, "addresses come from here")
        .help("a share of an alias is the whole name to a cache: use one kind, or policy = \"failover\", \"geo\" or \"nearest\"");
}
