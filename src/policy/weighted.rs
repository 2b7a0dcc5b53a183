//! `weighted`: in exact proportion to weight, smoothly interleaved.
//!
//! Weight 0 is a last resort (Route 53's rule): such a member answers only while no other lives, and then all of
//! them share alike.

use super::compiled::{Branch, LivePool, Pick, Standing, soonest};
use super::schedule::Schedule;

/// The living members that share, and the turn in which they do.
///
/// A last resort's verdict changes nothing while another member lives, so only then is it left out of the TTL.
pub(super) fn compile(members: &[Standing]) -> LivePool {
    let preferred = |member: &&Standing| member.weight > 0;
    let sharing: Vec<&Standing> = members.iter().filter(preferred).filter(|member| member.alive).collect();
    if sharing.is_empty() {
        let branches: Vec<Branch> = members.iter().filter(|member| member.alive).map(Branch::of).collect();
        return LivePool::new(branches.into(), Pick::InTurn, soonest(members));
    }
    let weights: Vec<u32> = sharing.iter().map(|member| member.weight).collect();
    let branches = sharing.iter().map(|member| Branch::of(member)).collect();
    LivePool::new(branches, Pick::Scheduled(Schedule::new(&weights)), soonest(members.iter().filter(preferred)))
}
