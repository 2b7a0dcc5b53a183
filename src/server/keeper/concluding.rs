//! What a reload came to, told to everybody.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::overrides::zone_text;
use super::super::{Reload, status};
use super::holdings::{Held, Holdings};
use super::reading::Asked;
use super::{Keeper, errors};
use crate::admin::api::{FAULTS_TOLD, FaultReport, ReloadOutcome, ReloadReport, ZONES_TOLD, ZonesReport};
use crate::diagnostic::{Diagnostic, Severity};
use crate::moment::Moment;
use crate::wire::name::Name;

/// How it ended.
pub(super) enum Outcome {
    Done(ZonesReport),
    Faulty,
    Guarded(Vec<String>),
}

impl Keeper {
    /// Tells everybody what became of it.
    pub(super) fn conclude(&mut self, asked: Asked, begun: Moment, faults: &[Diagnostic], outcome: Outcome) {
        let errors = errors(faults);
        let (names, first) = (self.holdings.names(), self.last_reload.is_none());
        let mut report = ReloadReport {
            outcome: ReloadOutcome::Done,
            cause: asked.cause.to_owned(),
            at: status::time(self.clock, self.clock.now()),
            took: self.clock.now().since(begun).as_secs_f64(),
            zones: ZonesReport { total: self.holdings.zones.len(), ..ZonesReport::default() },
            names,
            refused_for: Vec::new(),
            faults: faults.iter().take(FAULTS_TOLD).map(told).collect(),
            errors,
            warnings: faults.len() - errors,
            needs_restart: self.needs_restart.clone(),
        };
        let said = match outcome {
            Outcome::Done(zones) => {
                report.zones = zones;
                let ZonesReport { total, read, unchanged, added, removed, .. } = report.zones;
                let took = report.took;
                tracing::info!(
                    "in {took:.3} s: zones read: {read}, new of these: {added}, unchanged: {unchanged}, removed: {removed}"
                );
                Reload::Done { zones: total, names }
            }
            Outcome::Faulty => {
                report.outcome = ReloadOutcome::Faulty;
                Reload::Refused { errors }
            }
            Outcome::Guarded(reasons) => {
                (report.outcome, report.refused_for) = (ReloadOutcome::Guarded, reasons.clone());
                Reload::Guarded { reasons }
            }
        };
        match said {
            Reload::Done { .. } => self.history.published(first, self.clock.unix_ms(self.clock.now())),
            Reload::Refused { .. } | Reload::Guarded { .. } => self.history.refused(),
        }
        if !first {
            self.audience.reloaded(&said);
        }
        for waiting in asked.waiting {
            // Whoever asked may be gone.
            let _ = waiting.send(report.clone());
        }
        self.last_reload = Some(report);
    }
}

/// What is new in `after`.
pub(super) fn changes(before: &Holdings, after: &Holdings) -> ZonesReport {
    let known: HashMap<&Name, &Held> = before.zones.iter().map(|held| (held.zone.apex(), held)).collect();
    let mut report = ZonesReport { total: after.zones.len(), ..ZonesReport::default() };
    let tell = |names: &mut Vec<String>, zone: &Name| {
        if names.len() < ZONES_TOLD {
            names.push(zone_text(zone));
        }
    };
    for held in &after.zones {
        match known.get(held.zone.apex()) {
            Some(old) if Arc::ptr_eq(&old.steering, &held.steering) => report.unchanged += 1,
            Some(_) => {
                report.read += 1;
                tell(&mut report.names_changed, held.zone.apex());
            }
            None => {
                (report.read, report.added) = (report.read + 1, report.added + 1);
                tell(&mut report.names_added, held.zone.apex());
            }
        }
    }
    let left: HashSet<&Name> = after.zones.iter().map(|held| held.zone.apex()).collect();
    for held in before.zones.iter().filter(|held| !left.contains(held.zone.apex())) {
        report.removed += 1;
        tell(&mut report.names_removed, held.zone.apex());
    }
    report
}

fn told(fault: &Diagnostic) -> FaultReport {
    FaultReport {
        severity: match fault.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
        .to_owned(),
        file: fault.place.file.display().to_string(),
        line: fault.place.line,
        column: fault.place.column,
        message: fault.message.clone(),
        help: fault.help.clone(),
        text: fault.render(false),
    }
}
