//! Records in any order → a [`Zone`], or every reason why not.
//!
//! The checks are those without which the lookup of [`super::tree`] would not be the standards': they run here,
//! once, so that a query need not doubt what it finds.
//!
//! Nothing is looked up while records come in; all of it happens when they are there. A million names take 38 octets
//! each until then, and while they are laid out the records are given back as the zone grows.

mod checks;
mod hints;
mod index;
mod layout;
mod sense;
#[cfg(test)]
mod tests;

use super::pace::paced;
use super::records::{Origin, Records};
use super::rrset::split_name;
use super::tree::{Kind, Zone};
use crate::diagnostic::Severity;
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;
use index::Index;

/// Something wrong with a zone as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// An error keeps the zone from being served.
    pub severity: Severity,
    /// The record that is at fault; `None` when the fault is that there is none.
    pub at: Option<Origin>,
    /// What is wrong.
    pub message: String,
    /// The other record of a conflict.
    pub other: Option<(Origin, String)>,
    /// What would be right.
    pub help: Option<String>,
}

impl Fault {
    fn error(at: Option<Origin>, message: String) -> Self {
        Self { severity: Severity::Error, at, message, other: None, help: None }
    }

    fn warning(at: Option<Origin>, message: String) -> Self {
        Self { severity: Severity::Warning, ..Self::error(at, message) }
    }

    fn other(self, origin: Origin, label: &str) -> Self {
        Self { other: Some((origin, label.to_owned())), ..self }
    }

    fn help(self, help: &str) -> Self {
        Self { help: Some(help.to_owned()), ..self }
    }
}

/// What may stand beside a balanced name's own answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Records of every type but addresses and aliases.
    OtherTypes,
    /// Nothing: its pool may make an alias of it (RFC 1034 §3.6.2).
    Nothing,
}

/// Collects a zone's records.
#[derive(Debug)]
pub struct Builder {
    records: Records,
    apex: Name,
    balanced: Vec<Balance>,
    hinted: Vec<(u32, Origin)>,
}

/// A name that is balanced: its run, its number in the policy file.
#[derive(Clone, Copy, Debug)]
struct Balance {
    run: u32,
    index: u32,
    beside: Beside,
    origin: Origin,
}

/// A zone whose records are all there and were brought together by name.
#[derive(Debug)]
struct Draft {
    index: Index,
    balanced: Vec<Balance>,
    hinted: Vec<(u32, Origin)>,
    has_dname: bool,
    /// Names of which some record may help nobody: those that lead elsewhere, and whatever delegations may hide.
    leading: Vec<u32>,
    /// What nodes are linked to, in the order of the names: of balanced ones their numbers in the policy file, of
    /// those below a delegation its name.
    links: Vec<(u32, u32)>,
    /// Delegations, and the names within the zone that their servers have addresses at.
    glue: Vec<(u32, u32)>,
}

impl Builder {
    /// A zone at `apex`, empty.
    pub fn new(apex: &Name) -> Self {
        let apex = apex.to_lowercase();
        let mut records = Records::new(&apex);
        records.touch(apex.as_wire(), 0);
        Self { records, apex, balanced: Vec::new(), hinted: Vec::new() }
    }

    /// Adds a record. `owner` is a name in wire form at or below the apex, in any case; `rdata` is uncompressed
    /// and valid for its type.
    pub fn add(&mut self, owner: &[u8], rtype: Rtype, ttl: u32, rdata: &[u8], origin: Origin) {
        self.records.add(owner, rtype, ttl, rdata, origin);
    }

    /// Adds all of `records`, which are of the same apex. SOA records that were put apart are not among them.
    pub fn take(&mut self, records: Records) {
        self.records.append(records, 0);
    }

    /// Makes `owner`, at or below the apex, the balanced name number `index` of the policy file.
    pub fn balance(&mut self, owner: &Name, index: u32, beside: Beside, origin: Origin) {
        let run = self.records.touch(owner.as_wire(), origin.file);
        self.balanced.push(Balance { run, index, beside, origin });
    }

    /// Has the SVCB and HTTPS records that lead to `owner`, a balanced name, take their address hints from it.
    pub fn hint(&mut self, owner: &Name, origin: Origin) {
        let run = self.records.touch(owner.as_wire(), origin.file);
        self.hinted.push((run, origin));
    }

    /// Lays everything out. The zone is `None` when a fault is an error.
    pub fn finish(self) -> (Option<Zone>, Vec<Fault>) {
        let mut faults = Vec::new();
        let Self { records, apex, balanced, hinted } = self;
        let index = Index::of(apex, records);
        let (leading, links, glue) = (Vec::new(), Vec::new(), Vec::new());
        let mut draft = Draft { index, balanced, hinted, has_dname: false, leading, links, glue };
        draft.mark();
        draft.check_balanced(&mut faults);
        draft.check_nameservers(&mut faults);
        draft.check_redirected(&mut faults);
        draft.check_sense(&mut faults);
        draft.find_glue(&mut faults);
        let hints = draft.lay_out_hints(&mut faults);
        let zone = layout::lay_out(draft, hints, &mut faults);
        faults.sort_by_key(|fault| (fault.severity, fault.at));
        let is_sound = faults.iter().all(|fault| fault.severity != Severity::Error);
        (zone.filter(|_| is_sound), faults)
    }
}

impl Draft {
    /// Finds out what each name is: balanced, delegated, below a delegation; over a wildcard or a DNAME record.
    fn mark(&mut self) {
        let (mut delegated, mut redirected, mut wild, mut leading) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut run = 0;
        for part in &self.index.parts {
            for at in paced(0..part.len()) {
                for record in part.records(at) {
                    match record.rtype {
                        Rtype::NS => delegated.push(run),
                        Rtype::DNAME => redirected.push(run),
                        Rtype::CNAME | Rtype::MX | Rtype::SRV | Rtype::DS => leading.push(run),
                        _ => {}
                    }
                }
                if part.owner(at).starts_with(b"\x01*") {
                    wild.push(run);
                }
                run += 1;
            }
        }
        for balance in &mut self.balanced {
            balance.run = self.index.name_of(balance.run);
            self.index.flags_mut(balance.run).turn(Kind::Balanced);
        }
        for (hinted, _) in &mut self.hinted {
            *hinted = self.index.name_of(*hinted);
        }
        self.has_dname = !redirected.is_empty();
        for run in redirected {
            let name = self.index.name_of(run);
            self.index.flags_mut(name).give_dname();
        }
        for run in wild {
            let mut qname = Qname::default();
            let parent = qname.read(&self.index.full_name(run)).ok().and_then(|_| self.index.find(&qname, 1));
            if let Some(parent) = parent {
                self.index.flags_mut(parent).give_wildcard();
            }
        }
        let delegated = delegated.into_iter().map(|run| self.index.name_of(run)).filter(|&name| name != 0);
        let delegated: Vec<u32> = delegated.collect();
        let hides = !delegated.is_empty();
        self.cut(delegated);
        if hides {
            self.leading = self.index.names().collect();
        } else {
            leading.iter_mut().for_each(|run| *run = self.index.name_of(*run));
            leading.sort_unstable();
            leading.dedup();
            self.leading = leading;
        }
    }

    /// Marks the delegations and everything below one, and says what names are linked to.
    fn cut(&mut self, delegated: Vec<u32>) {
        for &name in &delegated {
            self.index.flags_mut(name).turn(Kind::Cut);
        }
        if !delegated.is_empty() {
            // What is below the highest delegation is not this zone's, further delegations included.
            let cut_above = |name| self.index.highest_above(name, |flags| flags.kind() == Kind::Cut);
            self.links = self.index.names().filter_map(|name| Some((name, cut_above(name)?))).collect();
        }
        for &(name, _) in &self.links {
            self.index.flags_mut(name).turn(Kind::Below);
        }
        let balanced = self.balanced.iter().filter(|balance| self.index.kind(balance.run) == Kind::Balanced);
        self.links.extend(balanced.map(|balance| (balance.run, balance.index)));
        self.links.sort_unstable();
    }

    /// The addresses that go with each referral; a server below the cut without one cannot be reached.
    fn find_glue(&mut self, faults: &mut Vec<Fault>) {
        let mut qname = Qname::default();
        let mut glue = Vec::new();
        for cut in self.index.names().filter(|&name| self.index.kind(name) == Kind::Cut) {
            let first = glue.len();
            for record in self.index.records(cut).filter(|record| record.rtype == Rtype::NS) {
                let (host, _) = split_name(record.rdata);
                if qname.read(host).is_err() {
                    continue;
                }
                let server = self.index.find(&qname, 0);
                let server =
                    server.filter(|&server| [Rtype::A, Rtype::AAAA].iter().any(|&rtype| self.index.has(server, rtype)));
                match server {
                    Some(server) if !glue[first..].contains(&(cut, server)) => glue.push((cut, server)),
                    Some(_) => {}
                    None if is_at_or_below(&qname, &self.index.full_name(cut)) => {
                        let host =
                            Name::from_wire(qname.octets()).map_or_else(|_| String::new(), |host| host.to_string());
                        let message = format!(
                            "glue is missing: {host} serves the delegated {} and lies within it",
                            self.index.text(cut)
                        );
                        faults.push(
                            Fault::error(Some(record.origin), message)
                                .help("add an A or AAAA record for it to this zone, or nobody can reach it"),
                        );
                    }
                    None => {}
                }
            }
        }
        self.glue = glue;
    }
}

/// Whether the name in `qname` is `ancestor`, in lower case, or below it.
fn is_at_or_below(qname: &Qname, ancestor: &[u8]) -> bool {
    (0..=qname.labels()).any(|skip| qname.ancestor(skip).is_some_and(|(octets, _)| octets == ancestor))
}
