//! SVCB and HTTPS records whose address hints are the living addresses of a balanced name (RFC 9460 §7.3).
//!
//! The hints are what queries for A and AAAA of the same client would be answered with, as long as anything lives.
//! What `when-all-down` says is theirs alone: of a family without a living address the hint is left out, and clients
//! ask for it. Alias mode and records that lead elsewhere stay as they are written.

use super::Question;
use super::compose::Composer;
use super::steer::{self, Chosen};
use super::witness::Witness;
use super::worker::Worker;
use crate::policy::Family;
use crate::snapshot::Served;
use crate::zone::{Hinted, Rrset};

/// Answers with `set`, of which `records` are the parts. Its TTL is the least of its own and of those that the
/// addresses would have, its scope the greatest of theirs: the set is one (RFC 2181 §5.2).
pub(super) fn answer<'z, W: Witness>(
    served: &Served,
    set: Rrset<'_>,
    records: impl Iterator<Item = Hinted<'z>>,
    worker: &mut Worker<W>,
    question: Question<'_>,
    composer: &mut Composer<'_, '_>,
) {
    let start = composer.start_of_set();
    let mut ttl = set.ttl;
    let mut last: Option<(u32, Chosen)> = None;
    for record in records {
        let chosen = record.name.and_then(|index| {
            if last.as_ref().is_none_or(|(of, _)| *of != index) {
                let name = served.steering.names.get(index as usize)?;
                let chosen = steer::hints(served, name, worker, question);
                ttl = ttl.min(chosen.ttl);
                composer.announce(chosen.scope);
                last = Some((index, chosen));
            }
            last.as_ref().map(|(_, chosen)| chosen)
        });
        let addresses =
            Family::BOTH.map(|family| chosen.map(|chosen| chosen.addresses(served, family)).into_iter().flatten());
        if !composer.answer_hinted(start, set.rtype, &record, addresses) {
            return;
        }
    }
    composer.finish_set(start, ttl);
}
