//! Pools in pools: numbers them children first, and refuses loops and towers.

use std::collections::{HashMap, HashSet};

use super::faults::{Faults, Span, shown};
use super::pools::{Draft, DraftTarget};
use super::words::unknown;
use crate::health::Timing;
use crate::policy::{DEPTH_MAX, PoolId};

/// Pools of a loop or of a tower that a message names.
const CHAIN_MAX: usize = DEPTH_MAX + 1;

/// The pools in an order in which each stands after everything that it is made of.
pub(super) struct Nesting<'a> {
    /// The index of each draft, in that order: what the [`PoolId`]s number.
    pub(super) order: Vec<usize>,
    /// The pools by name.
    pub(super) ids: HashMap<&'a str, PoolId>,
    /// By [`PoolId`]; [`Nesting::measure`] fills it.
    pub(super) slowest: Vec<Slowest>,
    /// By [`PoolId`], the pools that are its members.
    children: Vec<Vec<PoolId>>,
}

/// The monitors that decide a name's timing, of all that judge an endpoint of a pool or of the pools in it: the
/// one that leaves a death unsuspected for longest, and the one that leaves it undecided for longest.
#[derive(Clone, Copy, Default)]
pub(super) struct Slowest {
    suspicion: Option<(Timing, Span)>,
    detection: Option<(Timing, Span)>,
}

impl Slowest {
    fn enter(&mut self, timing: Timing, key_span: Span) {
        if self.suspicion.is_none_or(|(slowest, _)| timing.suspicion_max() > slowest.suspicion_max()) {
            self.suspicion = Some((timing, key_span));
        }
        if self.detection.is_none_or(|(slowest, _)| timing.detection_max() > slowest.detection_max()) {
            self.detection = Some((timing, key_span));
        }
    }

    /// The one that leaves a death undecided for longest.
    pub(super) fn decisive(&self) -> Option<(Timing, Span)> {
        self.detection
    }

    /// Each timing, and where its monitor stands.
    pub(super) fn timings(&self) -> impl Iterator<Item = (Timing, Span)> {
        self.suspicion.into_iter().chain(self.detection)
    }
}

impl Nesting<'_> {
    /// The pools that `root` leads to, itself among them. Costs what those are, not what the file has.
    pub(super) fn within(&self, root: PoolId) -> HashSet<PoolId> {
        let mut within = HashSet::from([root]);
        let mut ahead = vec![root];
        while let Some(pool) = ahead.pop() {
            ahead.extend(self.children[pool.0 as usize].iter().copied().filter(|&child| within.insert(child)));
        }
        within
    }

    /// Hands what each pool has, by [`PoolId`], down to all that it is made of; `and` joins it with what is there.
    pub(super) fn hand_down<T: Copy>(&self, of_pools: &mut [T], and: impl Fn(T, T) -> T) {
        // Parents stand behind their children.
        for (pool, children) in self.children.iter().enumerate().rev() {
            for child in children {
                of_pools[child.0 as usize] = and(of_pools[child.0 as usize], of_pools[pool]);
            }
        }
    }

    /// Finds the slowest monitors of each pool, once their times are known.
    pub(super) fn measure(&mut self, drafts: &[Draft<'_>]) {
        self.slowest.clear();
        for (&at, children) in self.order.iter().zip(&self.children) {
            let mut slowest = Slowest::default();
            for judge in drafts[at].all_judges() {
                slowest.enter(judge.monitor.timing, judge.key_span);
            }
            for child in children {
                for (timing, span) in self.slowest[child.0 as usize].timings() {
                    slowest.enter(timing, span);
                }
            }
            self.slowest.push(slowest);
        }
    }

    /// Which pools are reached from `roots`, by [`PoolId`].
    pub(super) fn reached(&self, roots: impl IntoIterator<Item = PoolId>) -> Vec<bool> {
        let mut reached = vec![false; self.order.len()];
        for root in roots {
            reached[root.0 as usize] = true;
        }
        // Parents stand behind their children, so one pass from the back reaches everything.
        for (pool, children) in self.children.iter().enumerate().rev() {
            if reached[pool] {
                children.iter().for_each(|child| reached[child.0 as usize] = true);
            }
        }
        reached
    }
}

/// A member of a pool that is a pool, by the index of its draft, and where it stands.
struct Edge {
    to: usize,
    span: Span,
}

/// How far the walk has come with a pool.
#[derive(Clone, Copy)]
enum Walk {
    Ahead,
    /// On the path down from where the walk began.
    Open,
    Done(PoolId),
}

/// Numbers `drafts`. A member that closes a loop is a fault and is left out, and so is one that names no pool,
/// so that the rest can still be checked.
///
/// Walks without recursion: a file can nest deeper than a stack goes before it is found out.
pub(super) fn nest<'a>(drafts: &[Draft<'a>], faults: &mut Faults<'_>) -> Nesting<'a> {
    let edges = edges(drafts, faults);
    let mut nesting = Nesting { order: Vec::new(), ids: HashMap::new(), slowest: Vec::new(), children: Vec::new() };
    let mut towers = Towers::default();
    let mut walk = vec![Walk::Ahead; drafts.len()];
    for root in 0..drafts.len() {
        let mut path = Vec::new();
        if matches!(walk[root], Walk::Ahead) {
            walk[root] = Walk::Open;
            path.push((root, 0));
        }
        while let Some((pool, next)) = path.last_mut() {
            let pool = *pool;
            let Some(edge) = edges[pool].get(*next) else {
                path.pop();
                let children = edges[pool].iter().filter_map(|edge| match walk[edge.to] {
                    Walk::Done(id) => Some(id),
                    Walk::Ahead | Walk::Open => None,
                });
                let id = nesting.number(pool, &drafts[pool], children.collect());
                towers.measure(&nesting, drafts, id, faults);
                walk[pool] = Walk::Done(id);
                continue;
            };
            *next += 1;
            match walk[edge.to] {
                Walk::Ahead => {
                    walk[edge.to] = Walk::Open;
                    path.push((edge.to, 0));
                }
                Walk::Open => report_loop(drafts, &path, edge, faults),
                Walk::Done(_) => {}
            }
        }
    }
    nesting
}

/// The members of each draft that are pools.
fn edges(drafts: &[Draft<'_>], faults: &mut Faults<'_>) -> Vec<Vec<Edge>> {
    let by_name: HashMap<&str, usize> = drafts.iter().enumerate().map(|(at, draft)| (draft.name, at)).collect();
    let edges_of = |draft: &Draft<'_>| {
        let mut edges = Vec::new();
        for member in &draft.members {
            let DraftTarget::Pool(name) = member.target else { continue };
            match by_name.get(name) {
                Some(&to) => edges.push(Edge { to, span: member.span }),
                None => unknown(member.span, name, "pool", by_name.keys().copied(), faults),
            }
        }
        edges
    };
    drafts.iter().map(edges_of).collect()
}

impl<'a> Nesting<'a> {
    /// Gives `draft`, which stands at index `at`, the next number.
    fn number(&mut self, at: usize, draft: &Draft<'a>, children: Vec<PoolId>) -> PoolId {
        // A file of 64 MiB holds fewer pools than 32 bits count.
        let id = PoolId(u32::try_from(self.order.len()).unwrap_or(u32::MAX));
        self.order.push(at);
        self.ids.insert(draft.name, id);
        self.children.push(children);
        id
    }
}

/// Shows the whole loop that `edge`, from the last pool of `path`, closes.
fn report_loop(drafts: &[Draft<'_>], path: &[(usize, usize)], edge: &Edge, faults: &mut Faults<'_>) {
    if faults.is_full() {
        faults.error(edge.span, "");
        return;
    }
    let from = path.iter().position(|&(pool, _)| pool == edge.to).unwrap_or(0);
    let pools = path[from..].iter().map(|&(pool, _)| pool);
    let chain = chain(drafts, pools.chain([edge.to]));
    faults
        .error(edge.span, format!("the pools are nested in a loop: {chain}"))
        .help("a pool cannot be a member of itself, nor of what it is made of");
}

/// The names of `pools`, from the outermost.
fn chain(drafts: &[Draft<'_>], pools: impl Iterator<Item = usize>) -> String {
    let mut names: Vec<_> = pools.take(CHAIN_MAX + 1).map(|pool| shown(drafts[pool].name)).collect();
    if names.len() > CHAIN_MAX {
        names[CHAIN_MAX] = "…".to_owned();
    }
    names.join(" → ")
}

/// How many pools stand on one another, by [`PoolId`].
#[derive(Default)]
struct Towers {
    heights: Vec<usize>,
    /// The child on which the highest tower stands.
    tallest: Vec<Option<PoolId>>,
}

impl Towers {
    /// Measures the pool `id`, numbered last; reports it when it is the first of its tower to be too high.
    fn measure(&mut self, nesting: &Nesting<'_>, drafts: &[Draft<'_>], id: PoolId, faults: &mut Faults<'_>) {
        let height_of = |pool: &PoolId| self.heights[pool.0 as usize];
        let tallest = nesting.children[id.0 as usize].iter().copied().max_by_key(height_of);
        let height = tallest.as_ref().map_or(0, height_of) + 1;
        self.heights.push(height);
        self.tallest.push(tallest);
        if height == DEPTH_MAX + 1 {
            let below = std::iter::successors(Some(id), |pool| self.tallest[pool.0 as usize]);
            let chain = chain(drafts, below.map(|pool| nesting.order[pool.0 as usize]));
            let draft = &drafts[nesting.order[id.0 as usize]];
            faults.error(draft.key_span, format!("pools are nested deeper than {DEPTH_MAX}: {chain}"));
        }
    }
}
