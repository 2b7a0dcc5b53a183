//! What probes say → what answers may act on: the verdicts as they are, but for those that are held while it looks
//! as if not the endpoints failed but our own way to them.
//!
//! When more than a set share of all living endpoints of a family turn suspect within the time that one death takes
//! to be suspected, a *wave* is on: an outage near us is assumed. Their down verdicts are held until the wave is
//! over, at the latest a set time after it began. Then they count as they stand; who has recovered by then never
//! was down.
//!
//! | what happened                                     | while no wave is on     | during a wave                     |
//! |---------------------------------------------------|-------------------------|-----------------------------------|
//! | an endpoint turns suspect                         | counts towards a wave   | counts towards its size           |
//! | its verdict turns down                            | stands                  | held: alive, could turn at once   |
//! | it had turned down just before, in the same wave  | –                       | held too, from then on            |
//! | its verdict turns up, or it is well again         | stands                  | stands: the hold of it is over    |
//! | its hold has lasted as long as it may             | –                       | stands: down                      |
//! | an endpoint that was down before fails on         | nothing                 | nothing                           |
//!
//! The promise is kept: a held verdict lives on at most the *slack* of the tightest name that uses the endpoint,
//! budget − detection − least TTL, and while it is held its answers carry the least TTL; so the last of them is
//! gone from every cache by death + detection + slack + least TTL, the budget.
//!
//! Under [`ENDPOINTS_LEAST`] endpoints there is no wave: of two or three servers, two that fail at once are as
//! likely to have died (of a bad deploy, say), and nothing can be told from so few. When exactly the set share dies,
//! such as one of two equal data centres, that is no wave either. One that holds more than the share and really dies
//! is held as long as the promise allows, and no longer.
//!
//! Between two probes the share of an endpoint in its slow start grows here, step by step, as its [`Ramp`] says.
//!
//! The families are judged apart: IPv6 that is cut off says nothing of IPv4. Endpoints are addresses: one with three
//! monitors counts once.
//!
//! Pure: moments are passed in, and what is to be said aloud is handed out as [`News`].

mod entry;
mod tide;
mod wave;

use std::collections::{BTreeSet, HashMap};

use super::{Board, Health, PerMille, ProbeId, Ramp};
use crate::moment::Moment;
use entry::{Entry, Standing};
pub use entry::{WINDOW_MAX, Watched};
pub use tide::ENDPOINTS_LEAST;
use tide::Tide;
pub use wave::{Wave, WaveFamily, WaveSettings};

/// What is to be said aloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A wave is on.
    Began(Wave),
    /// It is over.
    Ended {
        /// Which.
        wave: Wave,
        /// Probes that it struck and that are down now that nothing holds their verdicts.
        down: usize,
    },
}

/// What changed on the board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Probes whose verdict, or the moment at which it could turn, is another: answers must have it at once.
    pub verdicts: Vec<ProbeId>,
    /// Those of them whose verdict is another, or the first.
    pub turned: Vec<ProbeId>,
    /// Probes of which only the load or the share is another: answers may have it a little later.
    pub loads: Vec<ProbeId>,
    /// Those whose verdict of down is held, of all that something is new of, and until when: whoever probes must know,
    /// since who recovers before never was down.
    pub held: Vec<(ProbeId, Moment)>,
    /// What is to be said.
    pub news: Vec<News>,
}

/// Every probe's verdict, raw and as it counts.
#[derive(Debug)]
pub struct Register {
    settings: WaveSettings,
    entries: HashMap<ProbeId, Entry>,
    /// When something changes by itself.
    agenda: BTreeSet<(Moment, Event)>,
    tides: [Tide; 2],
    /// Those whose health may be another than what the board has.
    touched: BTreeSet<ProbeId>,
    news: Vec<News>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The suspicion of this probe no longer counts towards a wave.
    Stale(ProbeId),
    /// The verdict of this probe is held no longer.
    Release(ProbeId),
    /// The share of this probe's endpoint grows, in its slow start.
    Grow(ProbeId),
    /// The wave is over.
    Over(WaveFamily),
}

impl Register {
    /// A register without probes.
    pub fn new(settings: WaveSettings) -> Self {
        Self {
            settings,
            entries: HashMap::new(),
            agenda: BTreeSet::new(),
            tides: Default::default(),
            touched: BTreeSet::new(),
            news: Vec::new(),
        }
    }

    /// Goes by other settings from now on; a wave that is on ends when it was to end.
    pub fn set(&mut self, settings: WaveSettings) {
        self.settings = settings;
    }

    /// Takes `probe` in, or learns what is new of it: a reload may have given its names other budgets.
    pub fn watch(&mut self, probe: ProbeId, watched: Watched) {
        let mut entry = self.remove(probe).unwrap_or_else(|| Entry::new(watched));
        entry.watched = watched;
        let bound = entry.hold_bound(&self.settings);
        entry.held_until = entry.held_until.map(|until| until.min(bound));
        self.insert(probe, entry);
    }

    /// Whether `probe` is watched.
    pub fn watches(&self, probe: ProbeId) -> bool {
        self.entries.contains_key(&probe)
    }

    /// Enters what `probe` says at `now`; nothing where it is not watched.
    /// The share of `raw` is passed over: it is what `ramp` comes to, and grows by itself.
    pub fn enter(&mut self, probe: ProbeId, raw: Health, ramp: Option<Ramp>, now: Moment) {
        let Some(mut entry) = self.remove(probe) else { return };
        entry.hear(raw, now);
        if raw.alive {
            entry.ramp = ramp;
            entry.grow(now);
        } else {
            // What is held keeps the share that it had.
            entry.grows = Moment::NEVER;
        }
        let of = WaveFamily::of(entry.watched.address);
        self.insert(probe, entry);
        self.watch_the_tide(of, now);
        self.hold(probe, now);
    }

    /// Forgets every probe that `keep` does not want.
    pub fn keep_only(&mut self, keep: impl Fn(ProbeId) -> bool) {
        let gone: Vec<ProbeId> = self.entries.keys().copied().filter(|&probe| !keep(probe)).collect();
        for probe in gone {
            self.remove(probe);
            self.touched.remove(&probe);
        }
    }

    /// The next moment at which something changes by itself; [`Moment::NEVER`] while nothing does.
    pub fn next(&self) -> Moment {
        self.agenda.first().map_or(Moment::NEVER, |&(at, _)| at)
    }

    /// Whether a wave is on, of which family, and what is known of it.
    pub fn waves(&self) -> impl Iterator<Item = Wave> {
        self.tides.iter().filter_map(|tide| tide.wave)
    }

    /// Does what is due at `now` and enters on `board` whatever is another than it was.
    pub fn settle(&mut self, now: Moment, board: &mut Board) -> Settled {
        while let Some(&(at, event)) = self.agenda.first()
            && at <= now
        {
            self.agenda.pop_first();
            self.happen(event, at);
        }
        let mut settled = Settled { news: std::mem::take(&mut self.news), ..Settled::default() };
        for probe in std::mem::take(&mut self.touched) {
            let Some(entry) = self.entries.get(&probe) else { continue };
            settled.held.extend(entry.held_until.map(|until| (probe, until)));
            let Some(health) = entry.health() else { continue };
            let old = board.get(probe);
            if old.is_none_or(|old| old.alive != health.alive) {
                settled.turned.push(probe);
            }
            match old {
                Some(old) if old == health => continue,
                Some(old) if (old.alive, old.flip) == (health.alive, health.flip) => settled.loads.push(probe),
                _ => settled.verdicts.push(probe),
            }
            board.set(probe, health);
        }
        settled
    }

    fn happen(&mut self, event: Event, at: Moment) {
        match event {
            Event::Stale(probe) => {
                // During a wave, who was struck is of the wave to its end.
                let Some(mut entry) = self.remove(probe) else { return };
                if self.tides[WaveFamily::of(entry.watched.address) as usize].wave.is_none() {
                    entry.standing = entry.unstruck();
                }
                self.insert_quietly(probe, entry);
            }
            Event::Release(probe) => {
                let Some(mut entry) = self.remove(probe) else { return };
                entry.held_until = None;
                self.insert(probe, entry);
            }
            Event::Grow(probe) => {
                let Some(mut entry) = self.remove(probe) else { return };
                entry.grow(at);
                self.insert(probe, entry);
            }
            Event::Over(family) => self.end(family, at),
        }
    }

    /// The wave is over: what it held stands, and what it struck counts towards no other.
    fn end(&mut self, of: WaveFamily, at: Moment) {
        let Some(wave) = self.tides[of as usize].wave.take() else { return };
        let struck: Vec<ProbeId> =
            self.entries.iter().filter(|(_, entry)| entry.is_of(of)).map(|(&probe, _)| probe).collect();
        let mut down = 0;
        for probe in struck {
            let Some(entry) = self.entries.get(&probe) else { continue };
            if !matches!(entry.standing, Standing::Struck(_)) {
                continue;
            }
            let Some(mut entry) = self.remove(probe) else { continue };
            down += usize::from(entry.down_since.is_some());
            entry.held_until = None;
            entry.standing = entry.unstruck();
            self.insert(probe, entry);
        }
        self.agenda.remove(&(wave.until, Event::Over(of)));
        self.news.push(News::Ended { wave: Wave { until: at, ..wave }, down });
    }

    /// Sees whether a wave begins, or ends because those it struck are well again.
    fn watch_the_tide(&mut self, of: WaveFamily, now: Moment) {
        let Some(share) = self.settings.share else { return };
        let tide = &mut self.tides[of as usize];
        if tide.wave.is_some() {
            if tide.held == 0 && !tide.is_high(PerMille::new(share.get() / 2)) {
                self.end(of, now);
            }
            return;
        }
        if !tide.is_high(share) {
            return;
        }
        let until = now + self.settings.hold;
        let wave = Wave { family: of, since: now, until, suspects: tide.struck, living: tide.endpoints.len() };
        tide.wave = Some(wave);
        self.agenda.insert((until, Event::Over(of)));
        self.news.push(News::Began(wave));
        // Who was struck first may be down already.
        let down: Vec<ProbeId> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.is_of(of) && entry.down_since.is_some())
            .map(|(&probe, _)| probe)
            .collect();
        for probe in down {
            self.hold(probe, now);
        }
    }

    /// Holds a down verdict of `probe` if a wave is on that struck it.
    fn hold(&mut self, probe: ProbeId, now: Moment) {
        let Some(entry) = self.entries.get(&probe) else { return };
        let Some(wave) = self.tides[WaveFamily::of(entry.watched.address) as usize].wave else { return };
        let until = wave.until.min(entry.hold_bound(&self.settings));
        let holds = entry.down_since.is_some() && matches!(entry.standing, Standing::Struck(_));
        if !holds || entry.held_until.is_some() || until <= now {
            return;
        }
        if let Some(mut entry) = self.remove(probe) {
            entry.held_until = Some(until);
            self.insert(probe, entry);
        }
    }

    fn insert(&mut self, probe: ProbeId, entry: Entry) {
        if let Standing::Struck(until) = entry.standing {
            self.agenda.insert((until, Event::Stale(probe)));
        }
        self.insert_quietly(probe, entry);
    }

    /// As [`Register::insert`], for one whose time of being struck has run out.
    fn insert_quietly(&mut self, probe: ProbeId, entry: Entry) {
        let tide = &mut self.tides[WaveFamily::of(entry.watched.address) as usize];
        tide.count(entry.watched.address, entry.standing, 1);
        if let Some(until) = entry.held_until {
            tide.held += 1;
            self.agenda.insert((until, Event::Release(probe)));
        }
        if entry.grows != Moment::NEVER {
            self.agenda.insert((entry.grows, Event::Grow(probe)));
        }
        self.entries.insert(probe, entry);
        self.touched.insert(probe);
    }

    fn remove(&mut self, probe: ProbeId) -> Option<Entry> {
        let entry = self.entries.remove(&probe)?;
        let tide = &mut self.tides[WaveFamily::of(entry.watched.address) as usize];
        tide.count(entry.watched.address, entry.standing, -1);
        if let Standing::Struck(until) = entry.standing {
            self.agenda.remove(&(until, Event::Stale(probe)));
        }
        if let Some(until) = entry.held_until {
            tide.held -= 1;
            self.agenda.remove(&(until, Event::Release(probe)));
        }
        self.agenda.remove(&(entry.grows, Event::Grow(probe)));
        Some(entry)
    }
}

#[cfg(test)]
mod tests;
