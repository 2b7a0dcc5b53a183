//! How long caches may still hold answers that had longer TTLs than the files say now.
//!
//! A drain promises when an endpoint may be stopped, by the TTLs that it was given with. A reload may lower those, and
//! then what the files say is too short for as long as answers from before it live. So that is remembered, over restarts
//! and by processes that take over. Those compare the files that they begin with to what was served last, as a reload
//! does; a restart knows of that by the state file, which counts as given until then.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Until when, by zone and by what was given. Cheap to hand out.
#[derive(Clone, Debug, Default)]
pub(super) struct Earlier(Arc<HashMap<(String, String), Moment>>);

/// One of those, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptTtl {
    zone: String,
    gives: String,
    until: Timestamp,
}

impl Earlier {
    /// Until when caches hold what `zone` gave; [`Moment::START`] where nothing is remembered.
    pub(super) fn until(&self, zone: &str, gives: String) -> Moment {
        self.0.get(&(zone.to_owned(), gives)).copied().unwrap_or(Moment::START)
    }

    /// Forgets what caches have forgotten by `now`, and remembers `more`.
    pub(super) fn remember(&mut self, more: Vec<((String, String), Moment)>, now: Moment) {
        if more.is_empty() && self.0.values().all(|&until| until > now) {
            return;
        }
        let known = Arc::make_mut(&mut self.0);
        known.retain(|_, until| *until > now);
        for (of, until) in more {
            // What was remembered before may live longer.
            let known = known.entry(of).or_insert(until);
            *known = until.max(*known);
        }
    }

    /// As it is kept; `time` tells the time of day of a moment.
    pub(super) fn to_kept(&self, time: impl Fn(Moment) -> Timestamp) -> Vec<KeptTtl> {
        let kept = |((zone, gives), &until): (&(String, String), &Moment)| KeptTtl {
            zone: zone.clone(),
            gives: gives.clone(),
            until: time(until),
        };
        self.0.iter().map(kept).collect()
    }

    /// From what was kept; `moment` tells the moment of a time of day.
    pub(super) fn from_kept(kept: Vec<KeptTtl>, moment: impl Fn(Timestamp) -> Moment) -> Self {
        let of = |KeptTtl { zone, gives, until }| ((zone, gives), moment(until));
        Self(Arc::new(kept.into_iter().map(of).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_remembered_until_it_is_over() {
        let at = |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000);
        let of = |gives: &str| ("example.com".to_owned(), gives.to_owned());
        let mut earlier = Earlier::default();
        let check = |earlier: &Earlier, gives: &str, expected: u64| {
            assert_eq!(earlier.until("example.com", gives.to_owned()), at(expected), "{gives}");
            assert_eq!(earlier.until("example.org", gives.to_owned()), Moment::START, "{gives}");
        };
        earlier.remember(vec![(of("192.0.2.1"), at(100)), (of("192.0.2.2"), at(50))], at(10));
        // A second reload gives less to what the first took away.
        earlier.remember(vec![(of("192.0.2.1"), at(90)), (of("192.0.2.2"), at(60))], at(20));
        check(&earlier, "192.0.2.1", 100);
        check(&earlier, "192.0.2.2", 60);
        earlier.remember(Vec::new(), at(60));
        check(&earlier, "192.0.2.1", 100);
        check(&earlier, "192.0.2.2", 0);
        let time =
            |moment: Moment| Timestamp::from_second(moment.since(Moment::START).as_secs() as i64).expect("a time");
        let kept = earlier.to_kept(time);
        let text = serde_json::to_string(&kept).expect("text");
        assert_eq!(text, r#"[{"zone":"example.com","gives":"192.0.2.1","until":"1970-01-01T00:01:40Z"}]"#);
        let read = Earlier::from_kept(serde_json::from_str(&text).expect("whole"), |time| at(time.as_second() as u64));
        check(&read, "192.0.2.1", 100);
    }
}
