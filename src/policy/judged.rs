//! Several monitors on one endpoint, or under one pool, come to one health.
//!
//! The promise of `ttl` holds for the combination with the greatest times of its monitors. Let an endpoint die at
//! d, so that every probe begun after d fails. Monitor i is suspect by d + (I + T)ᵢ and down by d + Dᵢ, and nothing
//! brings it back. Too few live as soon as all of them are down, whatever `need` is: by d + max D. And before too
//! few live there is a moment, by d + max (I + T), from which all are suspect or down, so that more are suspect than
//! can be spared: from then on the flip that is told lies no later than the turn, since each monitor's own flip lies
//! no later than its own turn. So answers that were given without a flip are no younger than d + max (I + T), those
//! given with one end by d + max D or were given at the floor before it, as with one monitor.

use crate::health::{Board, Health, PerMille, ProbeId};
use crate::moment::Moment;

/// Who judges an endpoint. Nobody is the default: such an endpoint is always alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// How many of `probes` must say that it lives, 1 to their number; 0 where there is none.
    pub need: u16,
    /// In the order of the file.
    pub probes: Box<[ProbeId]>,
}

impl Judged {
    /// One probe, which decides alone.
    pub fn by(probe: ProbeId) -> Self {
        Self { need: 1, probes: [probe].into() }
    }

    /// What the probes come to on `board`.
    pub fn health(&self, board: &Board) -> Health {
        combined(usize::from(self.need), &self.probes, board)
    }
}

/// The most monitors that one endpoint, or the dependencies of one pool, may have: more than any endpoint has
/// services, and a bound on what a verdict costs.
pub const JUDGES_MAX: usize = 16;

/// At least `need` of `probes` must live. The flip is the soonest moment at which that could turn: while it holds,
/// when more of the living are down than can be spared; while it does not, when the last that is missing is up. A
/// probe of which nothing is known yet counts as alive. The load is what the first of the living reports that
/// reports any. The share is that of the `need`-th greatest of the living: what those of them give that suffice, so
/// that one monitor in its slow start holds back nobody who never was down without it.
pub(super) fn combined(need: usize, probes: &[ProbeId], board: &Board) -> Health {
    let of = |probe: &ProbeId| board.get(*probe).unwrap_or(Health::UP);
    if let [probe] = probes {
        return of(probe);
    }
    let healths: Vec<Health> = probes.iter().map(of).collect();
    let living = healths.iter().filter(|health| health.alive).count();
    let alive = living >= need;
    let mut turning: Vec<Moment> = healths
        .iter()
        .filter(|health| health.alive == alive && health.flip != Moment::NEVER)
        .map(|health| health.flip)
        .collect();
    turning.sort_unstable();
    let last = if alive { living - need } else { need - living - 1 };
    let flip = turning.get(last).copied().unwrap_or(Moment::NEVER);
    let load = healths.iter().filter(|health| health.alive).find_map(|health| health.load);
    let base = if alive { Health::UP } else { Health::DOWN };
    Health { flip, load, share: share(need, &healths), ..base }
}

/// The `need`-th greatest share of those that live; the whole where fewer do, or nobody judges.
fn share(need: usize, healths: &[Health]) -> PerMille {
    let mut shares: Vec<PerMille> = healths.iter().filter(|health| health.alive).map(|health| health.share).collect();
    shares.sort_unstable_by(|one, other| other.cmp(one));
    need.checked_sub(1).and_then(|at| shares.get(at)).copied().unwrap_or(PerMille::WHOLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_those_who_suffice() {
        // The share of each probe in its slow start, 0 for one that is down.
        let check = |need: usize, shares: &[u16], expected: u16| {
            let mut board = Board::new();
            let ids: Vec<ProbeId> = (0..shares.len()).map(|at| ProbeId(at as u32)).collect();
            for (&id, &share) in ids.iter().zip(shares) {
                let up = Health { share: PerMille::new(share), ..Health::UP };
                board.set(id, if share == 0 { Health::DOWN } else { up });
            }
            assert_eq!(combined(need, &ids, &board).share.get(), expected, "{need} of {shares:?}");
        };
        check(0, &[], 1_000);
        check(1, &[50], 50);
        // All: the least.
        check(2, &[50, 1_000], 50);
        check(3, &[700, 300, 500], 300);
        // Any: the greatest; who never was down has no slow start.
        check(1, &[50, 1_000], 1_000);
        check(1, &[50, 0], 50);
        // Two of three.
        check(2, &[50, 300, 1_000], 300);
        check(2, &[50, 0, 1_000], 50);
        // Down: there is no share to speak of.
        check(2, &[50, 0, 0], 1_000);
    }

    #[test]
    fn enough_of_the_probes_must_live_and_the_turn_is_foretold() {
        // Each probe: `+` or `-` for its verdict, and when it could turn.
        let check = |need: usize, probes: &[(char, u64)], expected: (bool, Option<u64>)| {
            let mut board = Board::new();
            let ids: Vec<ProbeId> = (0..probes.len()).map(|at| ProbeId(at as u32)).collect();
            for (&id, &(verdict, flip)) in ids.iter().zip(probes) {
                let base = if verdict == '+' { Health::UP } else { Health::DOWN };
                let flip = if flip == 0 { Moment::NEVER } else { Moment::from_nanos(flip) };
                board.set(id, Health { flip, ..base });
            }
            let Health { alive, flip, .. } = combined(need, &ids, &board);
            let flip = Some(flip).filter(|&flip| flip != Moment::NEVER).map(Moment::as_nanos);
            assert_eq!((alive, flip), expected, "{need} of {probes:?}");
        };
        check(0, &[], (true, None));
        check(1, &[('+', 7)], (true, Some(7)));
        // All: the first suspect turns it; when dead, the last of the dead.
        check(2, &[('+', 7), ('+', 5)], (true, Some(5)));
        check(2, &[('-', 7), ('+', 5)], (false, Some(7)));
        check(2, &[('-', 7), ('-', 5)], (false, Some(7)));
        check(2, &[('-', 7), ('-', 0)], (false, None));
        // Any: the last suspect turns it; when dead, the first.
        check(1, &[('+', 7), ('+', 0)], (true, None));
        check(1, &[('+', 7), ('+', 5)], (true, Some(7)));
        check(1, &[('-', 3), ('+', 5)], (true, Some(5)));
        check(1, &[('-', 7), ('-', 5)], (false, Some(5)));
        // Two of three.
        check(2, &[('+', 7), ('+', 5), ('+', 6)], (true, Some(6)));
        check(2, &[('+', 7), ('+', 5), ('-', 6)], (true, Some(5)));
        check(2, &[('-', 7), ('+', 5), ('-', 6)], (false, Some(6)));
        check(3, &[('-', 7), ('+', 5), ('-', 6)], (false, Some(7)));
    }

    #[test]
    fn what_is_unknown_counts_as_alive() {
        let mut board = Board::new();
        board.set(ProbeId(0), Health::DOWN);
        let judged = |need| Judged { need, probes: [ProbeId(0), ProbeId(1)].into() };
        assert!(judged(1).health(&board).alive);
        assert!(!judged(2).health(&board).alive);
        assert!(Judged::default().health(&board).alive);
    }
}
