//! What would change for clients if one set of zones took the place of another: names, places and shares.
//!
//! [`compare`] reads the compiled pools and maps of both sides, under the verdicts that each was compiled with, and asks
//! nobody: no client is sampled, no file is read, nothing is probed. A *share* is the part of a name's answers that
//! begins with an endpoint; a client *moves* as far as other endpoints take shares of its answers away.
//!
//! | file | what for |
//! |---|---|
//! | `shares` | one name, one class of clients → who answers them how much |
//! | `shapes` | tells equal pools, so that each pair of unequal ones is compared once |
//! | `change` | two pools over the whole address space → what moves where |
//! | `place` | addresses → the words for where they are |
//! | `names`, `records` | what the files say otherwise of balanced names, and of everything else |
//! | `text` | moves in words |
//! | `guard` | whether a change may be made unasked |
//!
//! Knows zones, pools and places; no files, no sockets, no probes, no words of commands.

mod change;
mod guard;
mod names;
mod place;
mod records;
mod shapes;
mod shares;
pub mod text;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

pub use change::{Change, Move, Weight};
pub use guard::{Guard, KeepAlive, Offence, Wrong};
pub use names::{Setting, Subject};
pub use records::{Record, RecordChange};
pub use shares::{Given, Share, Shares};

use crate::geo::Places;
use crate::snapshot::{Balanced, Served};
use crate::ttl::Plan;
use crate::wire::name::Name;
use crate::wire::qname::Qname;
use crate::wire::rtype::Rtype;
use crate::zone::Found;
use shapes::Shapes;

/// One set of zones: what is served, or would be.
#[derive(Debug)]
pub struct Side<'a> {
    /// In any order, no apex twice.
    pub zones: Vec<Zone<'a>>,
}

/// One zone of a side.
#[derive(Debug)]
pub struct Zone<'a> {
    /// What is answered from.
    pub served: &'a Served,
    /// Owner and promise of each of its balanced names, by number.
    pub names: Vec<(&'a Name, &'a Plan)>,
}

impl<'a> Zone<'a> {
    fn apex(&self) -> &'a Name {
        self.served.zone.apex()
    }

    /// Its balanced names.
    fn balanced(&self) -> impl Iterator<Item = (&'a Name, &'a Plan, &'a Balanced)> {
        let named = self.names.iter().zip(&self.served.steering.names);
        named.map(|(&(owner, plan), balanced)| (owner, plan, balanced))
    }
}

/// What is known of clients.
#[derive(Clone, Copy, Debug)]
pub struct Clients<'a> {
    /// Where they are.
    pub places: &'a Places,
    /// Whether those places are real, so that their addresses say how much they weigh.
    pub weighing: Weighing,
    /// Queries that were asked, if they are to weigh.
    pub queries: &'a [Query],
}

/// What a place weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighing {
    /// Its part of the addresses of IPv4, of those whose place is known, if any is.
    Addresses,
    /// Nobody knows: the places are made up.
    Unknown,
}

/// So many queries for a name by a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// In lower case.
    pub name: Name,
    /// Who asked.
    pub client: IpAddr,
    /// How often, at least once.
    pub count: u64,
}

/// All that differs.
#[derive(Debug, Default)]
pub struct Moves {
    /// Zones that only the new side has.
    pub zones_added: Vec<Name>,
    /// Zones that only the old side has.
    pub zones_removed: Vec<Name>,
    /// Balanced names that are new, in zones that are not.
    pub names_added: Vec<Name>,
    /// Balanced names that are no more, in zones that are still there.
    pub names_removed: Vec<Name>,
    /// What moves, the greatest weight first; names whose clients move alike together.
    pub moved: Vec<Moved>,
    /// Balanced names on both sides, moved or not.
    pub names: usize,
    /// What is said otherwise of names and pools.
    pub settings: Vec<Setting>,
    /// Everything that is not balanced.
    pub records: Vec<RecordChange>,
    /// Queries that were asked for names of both sides, and how many of them have other answers; where there is a log.
    pub queries: Option<Asked>,
}

/// Names whose clients move alike.
#[derive(Debug)]
pub struct Moved {
    /// In their order.
    pub names: Vec<Name>,
    /// How.
    pub change: Rc<Change>,
    /// By row of `change`: how many queries were asked; of all names. Empty without a log.
    pub asked: Vec<u64>,
}

/// Queries, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Asked {
    /// All of the log.
    pub all: u64,
    /// Those for names that are balanced on both sides.
    pub balanced: u64,
    /// Of those, how many go elsewhere.
    pub moved: f64,
}

impl Moves {
    /// Whether it is all the same.
    pub fn is_none(&self) -> bool {
        let Self { zones_added, zones_removed, names_added, names_removed, moved, settings, records, .. } = self;
        let names = [zones_added, zones_removed, names_added, names_removed];
        names.iter().all(|names| names.is_empty()) && moved.is_empty() && settings.is_empty() && records.is_empty()
    }
}

/// All that differs between `old` and `new` for `clients`.
///
/// Cost: a look at each name and record, and for each pair of unequal pools that some name goes over from and to, a step
/// for each range of their maps.
pub fn compare(old: &Side<'_>, new: &Side<'_>, clients: &Clients<'_>) -> Moves {
    let mut moves = Moves::default();
    let pairs = zone_pairs(old, new, &mut moves);
    compare_names(&pairs, clients, &mut moves);
    for &(old, new) in &pairs {
        names::settings(old, new, &mut moves.settings);
        records::compare(&old.served.zone, &new.served.zone, &mut moves.records);
    }
    moves
}

type Pair<'s, 'a> = (&'s Zone<'a>, &'s Zone<'a>);

/// The zones of both sides, by apex; the rest is said in `moves`.
fn zone_pairs<'s, 'a>(old: &'s Side<'a>, new: &'s Side<'a>, moves: &mut Moves) -> Vec<Pair<'s, 'a>> {
    let mut before: BTreeMap<&[u8], &Zone<'a>> = old.zones.iter().map(|zone| (zone.apex().as_wire(), zone)).collect();
    let mut pairs = Vec::new();
    for zone in &new.zones {
        match before.remove(zone.apex().as_wire()) {
            Some(old) => pairs.push((old, zone)),
            None => moves.zones_added.push(zone.apex().clone()),
        }
    }
    moves.zones_removed.extend(before.values().map(|zone| zone.apex().clone()));
    pairs
}

/// Whether both are answered from one and the same: a reload takes over what it finds as it was.
fn is_shared(old: &Zone<'_>, new: &Zone<'_>) -> bool {
    Arc::ptr_eq(&old.served.steering, &new.served.steering) && Arc::ptr_eq(&old.served.live, &new.served.live)
}

/// Compares the balanced names of all pairs; those that come to one and the same change stand together.
fn compare_names(pairs: &[Pair<'_, '_>], clients: &Clients<'_>, moves: &mut Moves) {
    let mut shapes = Shapes::default();
    let mut comparer = change::Comparer::new(clients);
    let mut groups: Vec<Moved> = Vec::new();
    let mut group_of: HashMap<*const Change, usize> = HashMap::new();
    let mut changes: HashMap<Name, Option<Rc<Change>>> = HashMap::new();
    for &(old, new) in pairs {
        let (old_shapes, new_shapes) = (shapes.of(old.served), shapes.of(new.served));
        let mut before: HashMap<&Name, &Balanced> = old.balanced().map(|(owner, _, name)| (owner, name)).collect();
        for (owner, _, name) in new.balanced() {
            let Some(was) = before.remove(owner) else {
                moves.names_added.push(owner.clone());
                continue;
            };
            moves.names += 1;
            let key = (shapes.name(&old_shapes, old.served, was), shapes.name(&new_shapes, new.served, name));
            let change = match key.0 == key.1 {
                true => None,
                false => comparer.change(key, (old.served, was), (new.served, name)),
            };
            if !clients.queries.is_empty() {
                changes.insert(owner.clone(), change.clone());
            }
            let Some(change) = change else { continue };
            let at = *group_of.entry(Rc::as_ptr(&change)).or_insert_with(|| {
                groups.push(Moved { names: Vec::new(), change, asked: Vec::new() });
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(at) {
                group.names.push(owner.clone());
            }
        }
        moves.names_removed.extend(before.into_keys().cloned());
    }
    if !clients.queries.is_empty() {
        moves.queries = Some(weigh(clients.queries, pairs, &changes, (&mut groups, &group_of)));
    }
    groups.iter_mut().for_each(|group| group.names.sort_by(|one, other| one.as_wire().cmp(other.as_wire())));
    [&mut moves.names_added, &mut moves.names_removed, &mut moves.zones_added, &mut moves.zones_removed]
        .into_iter()
        .for_each(|names| names.sort_by_cached_key(ToString::to_string));
    moves.moved = groups;
}

/// Weighs the rows of `groups` by the queries of a log.
fn weigh(
    queries: &[Query],
    pairs: &[Pair<'_, '_>],
    changes: &HashMap<Name, Option<Rc<Change>>>,
    (groups, group_of): (&mut [Moved], &HashMap<*const Change, usize>),
) -> Asked {
    let mut asked = Asked::default();
    groups.iter_mut().for_each(|group| group.asked = vec![0; group.change.moves.len()]);
    let zones: HashMap<&Name, Pair<'_, '_>> = pairs.iter().map(|&pair| (pair.1.apex(), pair)).collect();
    for query in queries {
        asked.all += query.count;
        let Some(change) = balanced(&query.name, &zones).and_then(|owner| changes.get(owner)) else { continue };
        asked.balanced += query.count;
        let Some(change) = change else { continue };
        let Some(row) = change.row(query.client) else { continue };
        asked.moved += query.count as f64 * change.moves.get(row).map_or(0.0, |moved| moved.part);
        let group = group_of.get(&Rc::as_ptr(change)).and_then(|&at| groups.get_mut(at));
        if let Some(count) = group.and_then(|group| group.asked.get_mut(row)) {
            *count += query.count;
        }
    }
    asked
}

/// The balanced name that answers queries for `name` on both sides: itself or a wildcard, as the zones themselves find
/// it, by the deepest of them.
fn balanced<'a>(name: &Name, zones: &HashMap<&Name, Pair<'_, 'a>>) -> Option<&'a Name> {
    let (old, new) = std::iter::successors(Some(name.clone()), Name::parent).find_map(|apex| zones.get(&apex))?;
    let mut qname = Qname::default();
    qname.read(name.as_wire()).ok()?;
    let owner = |zone: &Zone<'a>| match zone.served.zone.find(&qname, Rtype::A) {
        Found::Name(node) => zone.names.get(node.balanced()? as usize).map(|&(owner, _)| owner),
        _ => None,
    };
    owner(new).filter(|found| owner(old) == Some(*found))
}
