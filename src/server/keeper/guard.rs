//! Looks at what was read before it is served, and may refuse it.
//!
//! By then everything that is new has been probed, so what would be answered is known. Faulty files do not come as far
//! as this. What is refused changes nothing; whoever asked for the reload may insist.

use crate::snapshot::Snapshot;

use super::super::status::Catalog;

/// What a reload would make of what is served.
#[derive(Debug)]
pub(super) struct Proposal<'a> {
    /// What is served.
    pub(super) before: &'a Snapshot,
    /// The balanced names of that, by zone.
    pub(super) names_before: &'a Catalog,
    /// What would be, under the verdicts of now. Zones that were not read anew share their [`Steering`] with `before`.
    ///
    /// [`Steering`]: crate::snapshot::Steering
    pub(super) after: &'a Snapshot,
    /// The balanced names of that.
    pub(super) names_after: &'a Catalog,
}

/// Whether `proposal` may be served.
///
/// # Errors
/// Why not, each reason in words; never empty.
pub(super) fn admit(proposal: &Proposal<'_>) -> Result<(), Vec<String>> {
    let Proposal { before, names_before, after, names_after } = proposal;
    tracing::debug!(
        "{} zones with {} names become {} with {}",
        before.served().len(),
        names_before.iter().map(|names| names.len()).sum::<usize>(),
        after.served().len(),
        names_after.iter().map(|names| names.len()).sum::<usize>(),
    );
    Ok(())
}
