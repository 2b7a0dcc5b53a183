//! `weighted`: in exact proportion to weight, smoothly interleaved.
//!
//! One in its slow start counts for a part of its weight, growing; the proportions are exact between its steps.
//! Weight 0 is a last resort (Route 53's rule): such a member answers only while no other lives, and then all of
//! them share alike.

use super::compiled::{Branch, LivePool, Pick, Standing, soonest};
use super::schedule::Schedule;
use super::shares;

/// The living members that share, and the turn in which they do.
///
/// A last resort's verdict changes nothing while another member lives, so only then is it left out of the TTL.
pub(super) fn compile(members: &[Standing]) -> LivePool {
    let preferred = |member: &&Standing| member.weight > 0;
    let sharing: Vec<&Standing> = members.iter().filter(preferred).filter(|member| member.alive).collect();
    if sharing.is_empty() {
        let last: Vec<&Standing> = members.iter().filter(|member| member.alive).collect();
        let pick = shares::turn(&last, |_| 1).map_or(Pick::InTurn, Pick::Drifting);
        return LivePool::new(last.into_iter().map(Branch::of).collect(), pick, soonest(members));
    }
    let plain = || Schedule::new(&sharing.iter().map(|member| member.weight).collect::<Vec<_>>());
    let pick = shares::turn(&sharing, |member| member.weight).map_or_else(|| Pick::Scheduled(plain()), Pick::Drifting);
    let branches = sharing.iter().map(|member| Branch::of(member)).collect();
    LivePool::new(branches, pick, soonest(members.iter().filter(preferred)))
}
