//! Serials that move by themselves, `serial = "auto"`: the time when a zone's files were last saved, and never backwards
//! while the process lives, nor in one that takes over from it or that is told what was [kept](KeptSerial).
//!
//! The time alone would not do: two saves within a second would have one serial, and a file that is put back from a
//! backup brings an old time. So a zone whose files were saved gets a serial that is greater than the one before, and a
//! zone whose files were not keeps its own. Greater is meant as RFC 1982 §3.2 has it.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::system::{time_of_unix_nanos, unix_nanos, unix_seconds};
use crate::wire::name::Name;

/// Zones that are away of which serials are remembered: ten thousand come and go before one is forgotten, in 1 MB.
const AWAY_MAX: usize = 10_000;

/// The serials of the zones that were loaded before, of those that move by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serials(HashMap<Name, Given>);

/// The serial that a zone was given, and when its files had been saved: as many times as there are files.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    saved: Box<[SystemTime]>,
    serial: u32,
}

/// The serial of a zone that was given one, as it is kept for another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSerial {
    /// The zone's name, absolute.
    zone: String,
    /// What it was given.
    serial: u32,
    /// When its files had been saved, in nanoseconds since 1970.
    saved: Vec<u64>,
}

impl Serials {
    /// All of them, to be kept.
    pub fn to_kept(&self) -> Vec<KeptSerial> {
        let kept = |(zone, given): (&Name, &Given)| KeptSerial {
            zone: zone.to_string(),
            serial: given.serial,
            saved: given.saved.iter().map(|&time| unix_nanos(time)).collect(),
        };
        self.0.iter().map(kept).collect()
    }

    /// What was kept; what is no name of a zone is passed over.
    pub(super) fn from_kept(kept: Vec<KeptSerial>) -> Self {
        let given = |KeptSerial { zone, serial, saved }| {
            let given = Given { saved: saved.into_iter().map(time_of_unix_nanos).collect(), serial };
            Some((Name::from_text(str::as_bytes(&zone), None).ok()?, given))
        };
        Self(kept.into_iter().filter_map(given).collect())
    }

    /// Remembers what `other` has, where that is ahead of what is here: those zones.
    pub(super) fn catch_up(&mut self, other: Self) -> HashSet<Name> {
        let is_ahead =
            |(zone, given): &(Name, Given)| self.0.get(zone).is_some_and(|own| is_greater(given.serial, own.serial));
        let ahead: HashMap<Name, Given> = other.0.into_iter().filter(is_ahead).collect();
        let zones = ahead.keys().cloned().collect();
        self.0.extend(ahead);
        zones
    }

    /// The serial of `zone`, whose files were saved at these times: the greater of the last of them, in seconds since
    /// 1970 modulo 2³², and the file's `own`, but one more than `before` had where that is not greater. It is kept here.
    pub(super) fn give(&mut self, before: &Self, zone: &Name, own: Option<u32>, saved: Vec<SystemTime>) -> u32 {
        let time = time_of(&saved);
        let fresh = own.filter(|&own| !is_greater(time, own)).unwrap_or(time);
        let serial = match before.0.get(zone) {
            Some(given) if *given.saved == *saved => given.serial,
            Some(given) if !is_greater(fresh, given.serial) => given.serial.wrapping_add(1),
            _ => fresh,
        };
        self.0.insert(zone.clone(), Given { saved: saved.into(), serial });
        serial
    }

    /// Keeps what `before` had of `zone`, whose files were not saved since.
    pub(super) fn carry(&mut self, before: &Self, zone: &Name) {
        if let Some(given) = before.0.get(zone) {
            self.0.insert(zone.clone(), given.clone());
        }
    }

    /// Keeps what `before` had of zones that are away: one that comes back must not go back. Of more than [`AWAY_MAX`] those
    /// that were saved last.
    pub(super) fn remember(&mut self, before: &Self) {
        let mut away: Vec<_> = before.0.iter().filter(|(zone, _)| !self.0.contains_key(zone)).collect();
        away.sort_unstable_by_key(|(_, given)| Reverse(given.saved.iter().max()));
        let away = away.into_iter().take(AWAY_MAX).map(|(zone, given)| (zone.clone(), given.clone()));
        self.0.extend(away);
    }

    /// Keeps what `other` has too.
    pub(super) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Whether a file's own serial is ahead of the time of its last save, so that it does not move by that.
pub(super) fn is_ahead(own: u32, saved: &[SystemTime]) -> bool {
    is_greater(own, time_of(saved))
}

fn time_of(saved: &[SystemTime]) -> u32 {
    // A system that does not know when a file was saved is not Linux.
    saved.iter().max().map_or(1, |&last| unix_seconds(last) as u32)
}

/// RFC 1982 §3.2; of two that are half the range apart neither is.
fn is_greater(one: u32, other: u32) -> bool {
    (1..1 << 31).contains(&one.wrapping_sub(other))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_serial_moves_when_files_are_saved_and_never_back() {
        let zone = Name::from_host("example.com").expect("a name");
        // Loads one after the other, each the file's own serial, times of saving and what comes of it.
        let check = |loads: &[(Option<u32>, &[f64], u32)]| {
            let mut before = Serials::default();
            for (number, &(own, saved, expected)) in loads.iter().enumerate() {
                let mut serials = Serials::default();
                let got = serials.give(&before, &zone, own, saved.iter().map(|&time| at(time)).collect());
                assert_eq!(got, expected, "load {number} of {loads:?}");
                before = serials;
            }
        };
        check(&[(None, &[100.0], 100), (None, &[100.0], 100), (None, &[200.0], 200)]);
        // Twice within a second; then the time has caught up.
        check(&[(None, &[100.1], 100), (None, &[100.2], 101), (None, &[100.3], 102), (None, &[105.0], 105)]);
        // Put back from a backup.
        check(&[(None, &[100.0, 90.0], 100), (None, &[50.0, 90.0], 101)]);
        // An included file that is older than the others.
        check(&[(None, &[100.0, 90.0], 100), (None, &[100.0, 80.0], 101)]);
        check(&[(Some(7), &[100.0], 100), (Some(300), &[150.0], 300), (Some(300), &[160.0], 301)]);
        check(&[(Some(300), &[100.0], 300), (Some(7), &[150.0], 301), (Some(7), &[400.0], 400)]);
        // 2106 and after: the time wraps around.
        let wrap = f64::from(u32::MAX);
        check(&[(None, &[wrap], u32::MAX), (None, &[wrap + 1.0], 0), (Some(u32::MAX), &[wrap + 6.0], 5)]);
    }

    #[test]
    fn a_zone_that_comes_back_does_not_go_back() {
        let [com, org] = ["example.com", "example.org"].map(|name| Name::from_host(name).expect("a name"));
        let give = |before: &Serials, zone: &Name, saved: f64| {
            let mut serials = Serials::default();
            let serial = serials.give(before, zone, None, vec![at(saved)]);
            serials.remember(before);
            (serials, serial)
        };
        let (first, _) = give(&Serials::default(), &com, 100.1);
        let (second, serial) = give(&first, &com, 100.2);
        assert_eq!(serial, 101);
        // Removed, and nothing but another zone is read.
        let (away, _) = give(&second, &org, 200.0);
        assert_eq!(give(&away, &com, 100.2).1, 101, "the very files");
        assert_eq!(give(&away, &com, 100.0).1, 102, "others, from a backup");
        // There is a limit, past which those go that were saved first.
        let mut many = away;
        for number in 0..AWAY_MAX as u32 {
            let zone = Name::from_host(&format!("z{number}.example.net")).expect("a name");
            many.give(&Serials::default(), &zone, None, vec![at(f64::from(300 + number))]);
        }
        let mut none = Serials::default();
        none.remember(&many);
        assert_eq!((none.0.len(), none.0.contains_key(&com)), (AWAY_MAX, false));
    }

    #[test]
    fn what_another_process_gave_is_not_gone_behind() {
        let zone = |name: &str| Name::from_host(name).expect("a name");
        let (com, org, net) = (zone("example.com"), zone("example.org"), zone("example.net"));
        let mut theirs = Serials::default();
        for (zone, own, saved) in [(&com, None, 100.25), (&org, Some(500), 90.0), (&net, None, 70.0)] {
            theirs.give(&Serials::default(), zone, own, vec![at(saved)]);
        }
        let text = serde_json::to_string(&theirs.to_kept()).expect("text");
        let known = Serials::from_kept(serde_json::from_str(&text).expect("whole"));
        assert_eq!(known, theirs);
        // Read after it: the same files have the same serial, and others a greater one.
        let mut ours = Serials::default();
        assert_eq!(ours.give(&known, &com, None, vec![at(100.25)]), 100);
        assert_eq!(ours.give(&known, &org, Some(300), vec![at(95.0)]), 501);
        assert_eq!(ours.give(&known, &net, None, vec![at(71.0)]), 71);
        // It gave more meanwhile.
        let mut later = theirs.clone();
        later.give(&theirs, &com, None, vec![at(100.5)]);
        assert_eq!(ours.catch_up(later), HashSet::from([com.clone()]));
        assert_eq!(Serials::default().give(&ours, &com, None, vec![at(100.5)]), 101);
        assert_eq!(ours.catch_up(theirs), HashSet::new(), "nothing goes back");
    }

    #[test]
    fn greater_is_by_serial_arithmetic() {
        for (one, other, expected) in
            [(1, 0, true), (0, 0, false), (0, 1, false), (0, u32::MAX, true), (1 << 31, 0, false), (0, 1 << 31, false)]
        {
            assert_eq!(is_greater(one, other), expected, "{one} {other}");
        }
    }
}
