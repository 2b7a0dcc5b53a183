//! What the probes have to say of themselves, in a status.

use std::collections::HashMap;
use std::time::Duration;

use super::{Seen, time};
use crate::admin::api::{FaultReport, LagStatus, ProbeStatus, ReloadOutcome, ReloadReport, Verdict};
use crate::health::{Board, Health, ProbeId, State, Wave};
use crate::moment::Moment;
use crate::policy::Judged;
use crate::probe::{Lag, Report};
use crate::system::{Clock, unix_now};

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// All probes at one moment.
pub(super) struct Probes {
    clock: Clock,
    now: Moment,
    reports: HashMap<ProbeId, Report>,
    /// What they say themselves, whatever a wave holds.
    raw: Board,
}

impl Probes {
    pub(super) fn of(seen: &Seen) -> Self {
        let reports: HashMap<_, _> = seen.ledger.reports().into_iter().map(|report| (report.probe, report)).collect();
        let mut raw = Board::new();
        for report in reports.values() {
            if let Some(health) = as_told(report.condition.state()) {
                raw.set(report.probe, health);
            }
        }
        Self { clock: seen.clock, now: seen.now, reports, raw }
    }

    /// What the probes of an endpoint come to, before anybody holds or forces anything; `None` where there is none.
    pub(super) fn judged(&self, judged: &Judged) -> Option<Verdict> {
        let unknown = judged.probes.iter().any(|&probe| self.raw.get(probe).is_none());
        let verdict = || if unknown { Verdict::Unknown } else { verdict(judged.health(&self.raw)) };
        (!judged.probes.is_empty()).then(verdict)
    }

    pub(super) fn status(&self, probe: ProbeId) -> Option<ProbeStatus> {
        let report = self.reports.get(&probe)?;
        let (state, record) = (report.condition.state(), report.condition.record());
        let held = report.condition.held_until(&report.target.monitor.comeback).since(self.now);
        let now_ms = self.clock.unix_ms(self.now);
        let certificate_days = report.certificate_ends.map(|ends| (ends as f64 - unix_now() as f64) / DAY);
        let warn_days =
            report.target.warn_before().filter(|before| !before.is_zero()).map(|before| before.as_secs_f64() / DAY);
        Some(ProbeStatus {
            probe: report.target.to_string(),
            state: state.word().to_owned(),
            age: (state != State::Unknown)
                .then(|| Duration::from_millis(now_ms.saturating_sub(report.since)).as_secs_f64()),
            reason: report.last.as_ref().and_then(|last| last.found.as_ref().err()).map(ToString::to_string),
            next: time(self.clock, report.due),
            late: report.late.as_secs_f64(),
            held: (!held.is_zero()).then_some(held.as_secs_f64()),
            deaths: record.deaths,
            certificate_days,
            certificate_ends_soon: certificate_days.zip(warn_days).is_some_and(|(days, warn)| days < warn),
            count: report.tally.probes,
            failures: report.tally.failures,
            turns: report.tally.turns,
        })
    }
}

/// As the board would have it: the moments themselves tell nobody anything here.
fn as_told(state: State) -> Option<Health> {
    match state {
        State::Unknown => None,
        State::Up => Some(Health::UP),
        State::Suspect { .. } => Some(Health { flip: Moment::START, ..Health::UP }),
        State::Down => Some(Health::DOWN),
        State::Recovering { .. } | State::Held | State::Awaiting => {
            Some(Health { flip: Moment::START, ..Health::DOWN })
        }
    }
}

fn verdict(health: Health) -> Verdict {
    match (health.alive, health.flip == Moment::NEVER) {
        (true, true) => Verdict::Up,
        (true, false) => Verdict::Suspect,
        (false, true) => Verdict::Down,
        (false, false) => Verdict::Recovering,
    }
}

pub(super) fn is_alive(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Up | Verdict::Suspect | Verdict::Unknown)
}

pub(super) fn lag(lag: Lag) -> LagStatus {
    let Lag { most, overdue, probes, barred, stale } = lag;
    LagStatus { probes, overdue, barred, most: most.as_secs_f64(), stale }
}

/// What the operator should know at once.
pub(super) fn alarms(seen: &Seen) -> Vec<String> {
    let wave = |&Wave { family, suspects, living, until, .. }: &Wave| {
        let left = until.since(seen.now).as_secs();
        format!(
            "{suspects} of {living} {family} endpoints failed at once: is our own network down? down verdicts are held \
             for another {left}s, as far as the budgets allow"
        )
    };
    let mut alarms: Vec<String> = seen.waves.iter().map(wave).collect();
    let Lag { most, overdue, probes, barred, stale } = seen.ledger.lag();
    if barred > 0 {
        alarms.push(format!(
            "probes that cannot be sent here: {barred} of {probes}; those verdicts stand still, and the log says why"
        ));
    }
    if stale {
        alarms.push(format!(
            "probes overdue: {overdue} of {probes}; verdicts are stale, and answers carry their least TTL"
        ));
    } else if overdue > 0 {
        alarms.push(format!("probes overdue: {overdue} of {probes}, the latest by {most:.1?}"));
    }
    if let Some(log) = seen.log.as_deref().filter(|log| !log.is_open()) {
        alarms.push(format!("dnstap: nobody reads the query log; frames dropped for that: {}", log.dropped_absent()));
    }
    alarms.extend(seen.stale.iter().cloned());
    alarms.extend(seen.last_reload.as_ref().and_then(not_reloaded));
    alarms
}

/// That what is served is not what the files say, if so.
fn not_reloaded(last: &ReloadReport) -> Option<String> {
    let why = match last.outcome {
        ReloadOutcome::Done => return None,
        ReloadOutcome::Faulty => last.faults.iter().find(|fault| fault.severity == "error").map_or_else(
            || "the files could not be read".to_owned(),
            |FaultReport { file, line, message, .. }| match last.errors {
                1 => format!("{file}:{line}: {message}"),
                errors => format!("{errors} errors, the first in {file}:{line}: {message}"),
            },
        ),
        ReloadOutcome::Guarded => last.refused_for.join("; "),
    };
    Some(format!("the last reload was refused, and what was served before still is: {why}"))
}
