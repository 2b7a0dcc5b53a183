//! What endpoints report of themselves, by way of the admin API.

use super::super::overrides::{ITSELF, Origin, called, check_reason, find, plain_zone, served};
use super::super::status;
use super::Keeper;
use crate::admin::api::{self, Report, ReportReply, Reported, SteerRequest};
use crate::admin::{Refusal, Selection};
use crate::health::PerMille;
use crate::policy::Target;
use crate::probe::Pushed;

impl Keeper {
    /// Takes a report: into the monitors that wait for it, and a drain into what is forced.
    pub(super) fn report(&mut self, mut target: api::Target, report: Report) -> Result<ReportReply, Refusal> {
        let Report { status, load, reason } = report;
        check_reason(reason.as_deref())?;
        target.zone = plain_zone(&target.zone);
        let utilization = load.map(PerMille::of);
        if utilization == Some(None) {
            return Err(Refusal::Invalid("`load` must be a number from 0 to 1".to_owned()));
        }
        let snapshot = self.snapshots.load_full();
        let unknown = || Refusal::Unknown(format!("there is no {target} in {}", target.zone));
        let zone = served(&snapshot, &target.zone).ok_or_else(unknown)?;
        let pools = &zone.steering.pools;
        let target = called(pools, &target).ok_or_else(unknown)?;
        let Some(Target::Endpoint(id)) = find(pools, &target) else { return Err(unknown()) };
        let judged = pools.endpoints.get(id.0 as usize).map(|endpoint| &endpoint.judged).ok_or_else(unknown)?;
        let alive = status != Reported::Down;
        let pushed = Pushed { alive, load: utilization.flatten(), reason: reason.clone() };
        let leases = judged.probes.iter().filter_map(|&probe| self.prober.push(probe, pushed.clone()));
        let Some(lease) = leases.min() else {
            return Err(Refusal::Invalid(format!(
                "no monitor of {target} waits for reports: give it a `push` monitor"
            )));
        };
        let stop = self.drain_reported(target, status, reason)?;
        Ok(ReportReply { good_until: status::time(self.clock, self.clock.now() + lease), stop })
    }

    /// Drains an endpoint that says that it is about to stop, or takes such a drain back. What an operator forced stays
    /// as it is: whoever drained a host by hand means it to be out when it has booted again, too. When it may be stopped,
    /// of one that is to be.
    fn drain_reported(
        &mut self,
        target: api::Target,
        status: Reported,
        reason: Option<String>,
    ) -> Result<Option<api::Stop>, Refusal> {
        let force = (status == Reported::Drain).then_some(api::Force::Drain);
        let known = self.overrides.get(&target);
        match (known.map(|entry| entry.origin), force) {
            (Some(Origin::Operator), Some(_)) => {
                return Ok(self.told(known.map(|entry| (&target, entry)).into_iter()).pop().and_then(|told| told.stop));
            }
            (Some(Origin::Operator) | None, None) => return Ok(None),
            (Some(Origin::Endpoint), _) | (None, Some(_)) => {}
        }
        let request = SteerRequest { select: Vec::new(), zone: None, force, who: ITSELF.to_owned(), reason };
        let reply = self.steer(Selection::Only(target), request, Origin::Endpoint)?;
        Ok(reply.forced.into_iter().next().and_then(|forced| forced.stop))
    }
}
