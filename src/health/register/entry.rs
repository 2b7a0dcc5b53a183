//! One probe in the register: what it said, how it counts, and until when.

use std::net::IpAddr;
use std::time::Duration;

use super::wave::{WaveFamily, WaveSettings};
use crate::health::{Health, PerMille, Ramp, Timing};
use crate::moment::Moment;

/// A suspicion counts towards a wave for as long as a death takes to be suspected, interval + timeout, but not
/// longer than this: what is probed once a day would otherwise gather a day's deaths into one "wave".
pub const WINDOW_MAX: Duration = Duration::from_secs(60);

/// What the register must know of a probe, beside what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Whose health it judges.
    pub address: IpAddr,
    /// How long a suspicion of it counts towards a wave.
    pub window: Duration,
    /// How long a down verdict of it may be held without breaking any name's promise; zero where there is none to
    /// spare.
    pub slack: Duration,
}

impl Watched {
    /// A probe of `address`.
    pub fn new(address: IpAddr, timing: &Timing, slack: Duration) -> Self {
        Self { address, window: timing.suspicion_max().min(WINDOW_MAX), slack }
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) watched: Watched,
    pub(super) raw: Option<Health>,
    /// Its slow start, what share that has come to, and when it grows.
    pub(super) ramp: Option<Ramp>,
    pub(super) share: PerMille,
    pub(super) grows: Moment,
    pub(super) standing: Standing,
    /// When the last raw verdict of down came; while it is down.
    pub(super) down_since: Option<Moment>,
    pub(super) held_until: Option<Moment>,
}

/// How a probe counts towards a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It lives, or has been suspect for too long to count.
    Living,
    /// It turned suspect, or down, lately; until when that counts.
    Struck(Moment),
    /// It was down before, or nothing is known of it.
    Absent,
}

impl Entry {
    pub(super) fn new(watched: Watched) -> Self {
        Self {
            watched,
            raw: None,
            ramp: None,
            share: PerMille::WHOLE,
            grows: Moment::NEVER,
            standing: Standing::Absent,
            down_since: None,
            held_until: None,
        }
    }

    /// Its share at `now`.
    pub(super) fn grow(&mut self, now: Moment) {
        self.share = self.ramp.map_or(PerMille::WHOLE, |ramp| ramp.share(now));
        self.grows = self.ramp.map_or(Moment::NEVER, |ramp| ramp.next(now));
    }

    /// What a result makes of it.
    pub(super) fn hear(&mut self, raw: Health, now: Moment) {
        let was_well = self.raw.is_some_and(is_well);
        self.standing = match self.standing {
            _ if is_well(raw) => Standing::Living,
            // A first verdict of down strikes nobody: as far as we know it did not live before.
            Standing::Absent if !raw.alive => Standing::Absent,
            Standing::Living if was_well => Standing::Struck(now + self.watched.window),
            Standing::Struck(until) => Standing::Struck(until),
            Standing::Absent | Standing::Living if raw.alive => Standing::Living,
            Standing::Absent | Standing::Living => Standing::Absent,
        };
        if raw.alive {
            (self.down_since, self.held_until) = (None, None);
        } else {
            self.down_since = self.down_since.or(Some(now));
        }
        self.raw = Some(raw);
    }

    /// How it counts once it was struck too long ago.
    pub(super) fn unstruck(&self) -> Standing {
        if self.raw.is_some_and(|raw| raw.alive) { Standing::Living } else { Standing::Absent }
    }

    /// How long a down verdict of it may be held.
    pub(super) fn hold_bound(&self, settings: &WaveSettings) -> Moment {
        self.down_since.unwrap_or(Moment::START) + self.watched.slack.min(settings.hold)
    }

    /// As it counts; `None` while nothing is known.
    pub(super) fn health(&self) -> Option<Health> {
        let raw = self.raw?;
        Some(match self.held_until {
            // It could turn at any moment: so nothing is promised on it.
            Some(_) => Health { alive: true, flip: Moment::START, share: self.share, ..raw },
            None if raw.alive => Health { share: self.share, ..raw },
            None => Health { share: PerMille::WHOLE, ..raw },
        })
    }

    pub(super) fn is_of(&self, of: WaveFamily) -> bool {
        WaveFamily::of(self.watched.address) == of
    }
}

/// Alive with nothing against it, as far as results go. A verdict that was restored counts as well: nothing has
/// been found against it.
fn is_well(raw: Health) -> bool {
    raw.alive && (raw.flip == Moment::NEVER || raw.flip == Moment::START)
}
