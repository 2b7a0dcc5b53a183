//! What came of all requests and connections: summed up over workers, handed on to a successor, said at the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::answer::Counters;
use crate::transport::tally::Tally;

/// Sums by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// What these come to.
    pub(super) fn of(counters: &[Arc<Counters>], tally: &Tally) -> Self {
        let mut counts = Self::default();
        let requests = counters.iter().flat_map(|counters| counters.answers().chain(counters.events()));
        requests.for_each(|(name, count)| counts.add(&format!("{REQUESTS}{name}"), count));
        tally.read().for_each(|(name, count)| counts.add(&format!("{CONNECTIONS}{name}"), count));
        counts
    }

    /// With `more` on top.
    pub(super) fn and(mut self, more: &[(String, u64)]) -> Self {
        more.iter().for_each(|(name, count)| self.add(name, *count));
        self
    }

    /// As they are handed on.
    pub(super) fn into_list(self) -> Vec<(String, u64)> {
        self.0.into_iter().collect()
    }

    /// The last word.
    pub(super) fn log(&self) {
        tracing::info!("requests: {}", self.listed(REQUESTS));
        tracing::info!("connections: {}", self.listed(CONNECTIONS));
    }

    fn add(&mut self, name: &str, count: u64) {
        if count > 0 {
            *self.0.entry(name.to_owned()).or_default() += count;
        }
    }

    /// Names and their counts, but for what never came.
    fn listed(&self, kind: &str) -> String {
        let of_kind = self.0.iter().filter_map(|(name, count)| Some((name.strip_prefix(kind)?, count)));
        let said: Vec<String> = of_kind.map(|(name, count)| format!("{name} {count}")).collect();
        if said.is_empty() { "none".to_owned() } else { said.join(", ") }
    }
}

/// What the names of either begin with.
const REQUESTS: &str = "requests/";
const CONNECTIONS: &str = "connections/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tally::Event;

    #[test]
    fn counts_go_on_in_another_process() {
        let tally = Tally::default();
        tally.add(Event::Garbage, 2);
        let before = Counts::of(&[], &tally).into_list();
        let counts = Counts::of(&[], &tally).and(&before).and(&[("requests/noerror".to_owned(), 7)]);
        assert_eq!(counts.listed(CONNECTIONS), "garbage 4");
        assert_eq!(counts.listed(REQUESTS), "noerror 7");
        assert_eq!(Counts::default().listed(REQUESTS), "none");
    }
}
