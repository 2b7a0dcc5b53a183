//! Two pools over the whole address space: which clients are answered otherwise, and how much.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::rc::Rc;

use super::place::{CLIENTS_END, Extent, Locality, words};
use super::shares::{Sharer, Shares, WHOLE, is_same, moved};
use super::{Clients, Given, Weighing};
use crate::geo::{Cut, Places, Span, walk};
use crate::policy::{Family, PoolId};
use crate::snapshot::{Balanced, Served};

/// Localities to whose words one row comes, at most; the rest is counted.
pub(super) const WORDS_MAX: usize = 4_096;

/// What moves of a name.
#[derive(Debug)]
pub struct Change {
    /// Each for all clients that are answered so before and so after; the greatest weight first.
    pub moves: Vec<Move>,
    /// The part of all clients' answers that other endpoints begin, 0 to 1; of IPv4 or of IPv6, whichever moves more.
    /// Answers that were none before are left out, and clients whose weight nobody knows count alike.
    pub lost: f64,
    old: Side,
    new: Side,
    /// By the classes of a client on both sides: the move.
    by_classes: HashMap<Box<[u32]>, Option<usize>>,
}

/// Clients that move alike.
#[derive(Clone, Debug)]
pub struct Move {
    /// Where they are: `DE`, `EU`, `192.0.2.0/24`, `AS64500`, `everywhere`; at least one.
    pub places: Vec<String>,
    /// How many they are.
    pub weight: Weight,
    /// How much of their answers other endpoints begin: over 0, at most 1. Of the family of which it is more.
    pub part: f64,
    /// Their answers before, IPv4 and IPv6.
    pub old: [Shares; 2],
    /// Their answers after.
    pub new: [Shares; 2],
}

/// How many clients there are somewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weight {
    /// So much of IPv4, 0 to 1.
    Part(f64),
    /// Nobody knows.
    Unknown,
    /// They have IPv6 alone.
    OnlyIpv6,
}

impl Weight {
    /// For putting the greatest first: what is not known before what is nearly nothing.
    pub fn rank(self) -> f64 {
        match self {
            Self::Part(part) => part,
            Self::Unknown => 1.0,
            Self::OnlyIpv6 => 0.0,
        }
    }
}

impl Change {
    /// The move that the client at `address` is in.
    pub(super) fn row(&self, address: IpAddr) -> Option<usize> {
        let classes: Box<[u32]> = self.old.classes(address).chain(self.new.classes(address)).collect();
        self.by_classes.get(&classes).copied().flatten()
    }
}

/// The maps of one side's pools, kept for looking clients up.
#[derive(Debug)]
struct Side {
    policies: Vec<crate::policy::Policy>,
}

impl Side {
    fn classes(&self, address: IpAddr) -> impl Iterator<Item = u32> {
        self.policies.iter().map(move |policy| policy.cut().map_or(0, |cut| cut.lookup(address)))
    }
}

/// Compares names, each pair of shapes once.
pub(super) struct Comparer<'c> {
    clients: &'c Clients<'c>,
    known: HashMap<(u32, u32), Option<Rc<Change>>>,
}

/// A name of a zone.
type Named<'s> = (&'s Served, &'s Balanced);

impl<'c> Comparer<'c> {
    pub(super) fn new(clients: &'c Clients<'c>) -> Self {
        Self { clients, known: HashMap::new() }
    }

    /// What moves between two names of these shapes; `None` where nothing does.
    pub(super) fn change(&mut self, shapes: (u32, u32), old: Named<'_>, new: Named<'_>) -> Option<Rc<Change>> {
        let clients = self.clients;
        self.known.entry(shapes).or_insert_with(|| between(clients, old, new).map(Rc::new)).clone()
    }
}

/// One side of a comparison: who answers, and which of its pools go by a map.
struct Answerer<'s> {
    name: &'s Balanced,
    sharer: Sharer<'s>,
    mapped: Vec<(PoolId, Cut<'s>)>,
}

impl<'s> Answerer<'s> {
    fn new((served, name): Named<'s>) -> Self {
        let pools = &served.steering.pools;
        let cut = |id: PoolId| Some((id, pools.pools.get(id.0 as usize)?.policy.cut()?));
        let mapped = pools.reached(name.root).into_iter().filter_map(cut).collect();
        Self { name, sharer: Sharer::new(served), mapped }
    }

    /// The shares of both families, for clients of these classes in the pools of `mapped`.
    fn shares(&mut self, classes: &[u32]) -> [Shares; 2] {
        let Self { name, sharer, mapped } = self;
        Family::BOTH.map(|family| {
            sharer.shares(name, family, |pool| {
                let at = mapped.iter().position(|(mapped, _)| *mapped == pool);
                at.and_then(|at| classes.get(at)).copied().unwrap_or(0)
            })
        })
    }

    fn side(&self, served: &Served) -> Side {
        let pools = &served.steering.pools.pools;
        let policy = |(id, _): &(PoolId, Cut<'_>)| pools.get(id.0 as usize).map(|pool| pool.policy.clone());
        Side { policies: self.mapped.iter().filter_map(policy).collect() }
    }
}

/// Answers before and after, both families.
type Shift = ([Shares; 2], [Shares; 2]);

fn between(clients: &Clients<'_>, old: Named<'_>, new: Named<'_>) -> Option<Change> {
    let (mut before, mut after) = (Answerer::new(old), Answerer::new(new));
    let cuts: Vec<Cut<'_>> = before.mapped.iter().chain(&after.mapped).map(|(_, cut)| *cut).collect();
    let split = before.mapped.len();
    // The same map twice is swept once.
    let mut swept: Vec<Cut<'_>> = Vec::with_capacity(cuts.len() + 1);
    let seats: Vec<usize> = cuts
        .iter()
        .map(|cut| {
            swept.iter().position(|known| known.is(cut)).unwrap_or_else(|| {
                swept.push(*cut);
                swept.len() - 1
            })
        })
        .collect();
    let places_at = swept.len();
    swept.push(Cut::Places(clients.places));

    let mut shifts: Vec<Shift> = Vec::new();
    let mut numbers: HashMap<Shift, usize> = HashMap::new();
    let mut by_classes: HashMap<Box<[u32]>, Option<usize>> = HashMap::new();
    let mut shift_of = |classes: Box<[u32]>| -> Option<usize> {
        *by_classes.entry(classes).or_insert_with_key(|classes| {
            let (old, new) = classes.split_at_checked(split).unwrap_or_default();
            let shift = (before.shares(old), after.shares(new));
            if shift.0.iter().zip(&shift.1).all(|(old, new)| is_same(old, new)) {
                return None;
            }
            Some(*numbers.entry(shift).or_insert_with_key(|shift| {
                shifts.push(shift.clone());
                shifts.len() - 1
            }))
        })
    };
    let mut atlas = Tally::default();
    let mut last: Option<(Box<[u32]>, Option<usize>)> = None;
    walk(&swept, |span, numbers| {
        let classes = || seats.iter().map(|&seat| numbers.get(seat).copied().unwrap_or(0));
        let shift = match &last {
            Some((known, shift)) if known.iter().copied().eq(classes()) => *shift,
            _ => {
                let classes: Box<[u32]> = classes().collect();
                let shift = shift_of(classes.clone());
                last = Some((classes, shift));
                shift
            }
        };
        atlas.add(span, numbers.get(places_at).copied().unwrap_or(0), shift, clients.places);
    });
    if shifts.is_empty() {
        return None;
    }
    let sides = (before.side(old.0), after.side(new.0));
    Some(atlas.change(shifts, by_classes, sides, clients.weighing))
}

/// Who moves how, by where they are.
#[derive(Default)]
struct Tally {
    /// By place: the locality, and how much there is.
    all: HashMap<Locality, Extent>,
    /// By shift.
    shifted: HashMap<usize, BTreeMap<Locality, Extent>>,
    /// By shift: addresses that weigh, IPv4 and IPv6; whose place is known apart.
    weights: HashMap<usize, [[f64; 2]; 2]>,
    totals: [[f64; 2]; 2],
}

impl Tally {
    fn add(&mut self, span: Span, place: u32, shift: Option<usize>, places: &Places) {
        let known = usize::from(place != 0);
        let place = places.place(place);
        let locality = Locality::of(&place);
        self.all.entry(locality).or_default().add(span, &place);
        let (family, size) = size(span);
        self.totals[known][family] += size;
        if let Some(shift) = shift {
            self.shifted.entry(shift).or_default().entry(locality).or_default().add(span, &place);
            self.weights.entry(shift).or_default()[known][family] += size;
        }
    }

    /// The part that `weights` are of all, IPv4 and IPv6: of those whose place is known, where any is.
    fn parts(&self, weights: &[[f64; 2]; 2]) -> [f64; 2] {
        [0, 1].map(|family| {
            let known = usize::from(self.totals[1][family] > 0.0);
            weights[known][family] / self.totals[known][family].max(1.0)
        })
    }

    fn change(
        self,
        shifts: Vec<Shift>,
        mut by_classes: HashMap<Box<[u32]>, Option<usize>>,
        (old, new): (Side, Side),
        weighing: Weighing,
    ) -> Change {
        let mut lost = [0.0; 2];
        let mut moves: Vec<(usize, Move)> = Vec::with_capacity(shifts.len());
        for (number, (old, new)) in shifts.into_iter().enumerate() {
            let Some(extents) = self.shifted.get(&number) else { continue };
            let weights = self.weights.get(&number).copied().unwrap_or_default();
            let parts = self.parts(&weights);
            let of = |family: usize| f64::from(moved(&old[family], &new[family])) / f64::from(WHOLE);
            let taken = [0, 1].into_iter().filter(|&family| !is_nothing(&old[family])).map(of).fold(0.0, f64::max);
            for (lost, part) in lost.iter_mut().zip(parts) {
                *lost += part * taken;
            }
            let weight = match weighing {
                _ if extents.values().all(|extent| extent.v4 == 0) => Weight::OnlyIpv6,
                Weighing::Unknown => Weight::Unknown,
                Weighing::Addresses => Weight::Part(parts[0]),
            };
            let mut places = words(extents, &self.all);
            places.truncate(WORDS_MAX);
            moves.push((number, Move { places, weight, part: of(0).max(of(1)), old, new }));
        }
        moves.sort_by(|(_, one), (_, other)| {
            let rank = |of: &Move| of.weight.rank() * of.part;
            rank(other).total_cmp(&rank(one)).then_with(|| one.places.cmp(&other.places))
        });
        let rows: HashMap<usize, usize> = moves.iter().enumerate().map(|(row, &(number, _))| (number, row)).collect();
        by_classes.values_mut().for_each(|shift| *shift = shift.and_then(|shift| rows.get(&shift).copied()));
        let moves = moves.into_iter().map(|(_, one)| one).collect();
        Change { moves, lost: lost[0].max(lost[1]).min(1.0), old, new, by_classes }
    }
}

fn is_nothing(shares: &Shares) -> bool {
    shares.iter().all(|share| matches!(share.given, Given::NoAddress | Given::Said(_)))
}

/// Which family, and how many addresses of it could be clients'; of IPv6 networks of 64 bits of 2000::/3.
fn size(span: Span) -> (usize, f64) {
    match span {
        Span::V4(first, last) => {
            (0, f64::from(last.min(CLIENTS_END - 1).wrapping_add(1).saturating_sub(first.min(CLIENTS_END))))
        }
        Span::V6(first, last) => {
            let (begin, end) = (1_u128 << 125, 2_u128 << 125);
            let (first, last) = (first.clamp(begin, end), last.clamp(begin, end));
            (1, ((last - first) >> 64) as f64)
        }
    }
}
