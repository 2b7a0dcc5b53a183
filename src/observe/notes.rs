//! What a worker notes of how an answer comes about: numbers, and the steering that they are of.

use std::sync::Arc;

use crate::answer::{self, Finding, Steered};
use crate::policy::{self, How, PoolId, Target};
use crate::snapshot::{Served, Steering};
use crate::wire::name::NAME_OCTETS_MAX;
use crate::zone::Zone;

/// Steps of one answer that are noted, at most: 64 endpoints out of a few nested pools. What comes after is missing
/// from the reason.
pub(super) const STEPS_MAX: usize = 96;

/// A step of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A pool was consulted.
    Consulted(PoolId, How),
    /// A member of a pool was taken.
    Took(PoolId, Target),
}

/// The witness of a query that is heard. Notes without allocating, and forgets before the next.
#[derive(Debug)]
pub struct Notes {
    zone: Option<Arc<Zone>>,
    balancing: Option<Balancing>,
    name: [u8; NAME_OCTETS_MAX],
    name_octets: usize,
    steps: [Step; STEPS_MAX],
    step_count: usize,
}

/// That a name was balanced, and what that came to.
#[derive(Clone, Debug)]
pub struct Balancing {
    /// What the numbers are of.
    pub steering: Arc<Steering>,
    /// The name's number.
    pub number: u32,
    /// The TTL that it was given, and the rest; of hints, over both families. `None` where there was nothing to choose:
    /// the pool has no endpoint of the family.
    pub steered: Option<Steered>,
    /// Whether it was for address hints, which are of both families.
    pub is_hint: bool,
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            zone: None,
            balancing: None,
            name: [0; NAME_OCTETS_MAX],
            name_octets: 0,
            steps: [Step::Consulted(PoolId(0), How::Dead); STEPS_MAX],
            step_count: 0,
        }
    }
}

impl Notes {
    /// The zone that answered and what became of a balanced name, taken out: nothing of them may be held any longer
    /// than until they are read.
    pub(super) fn take(&mut self) -> (Option<Arc<Zone>>, Option<Balancing>) {
        (self.zone.take(), self.balancing.take())
    }

    /// The owner of the balanced name, in wire form; it may not be the one that was asked for.
    pub fn name(&self) -> &[u8] {
        self.name.get(..self.name_octets).unwrap_or_default()
    }

    /// The steps of its choice, in order.
    pub fn steps(&self) -> &[Step] {
        self.steps.get(..self.step_count).unwrap_or_default()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        (self.zone, self.balancing, self.name_octets, self.step_count) = (None, None, 0, 0);
    }

    fn note(&mut self, step: Step) {
        if let Some(place) = self.steps.get_mut(self.step_count) {
            *place = step;
            self.step_count += 1;
        }
    }
}

impl policy::Witness for Notes {
    fn consulted(&mut self, pool: PoolId, how: How) {
        self.note(Step::Consulted(pool, how));
    }

    fn took(&mut self, pool: PoolId, member: Target) {
        self.note(Step::Took(pool, member));
    }
}

impl answer::Witness for Notes {
    fn found(&mut self, served: &Served, name: &[u8], finding: Finding) {
        // An answer stays within one zone.
        self.zone.get_or_insert_with(|| Arc::clone(&served.zone));
        let (number, is_hint) = match finding {
            Finding::Balanced(number) => (number, false),
            Finding::Hinted(number) => (number, true),
            // Where an alias that was balanced leads to does not change why it was given.
            _ => return,
        };
        let steering = Arc::clone(&served.steering);
        self.balancing = Some(Balancing { steering, number, steered: None, is_hint });
        (self.name_octets, self.step_count) = (0, 0);
        if let Some(octets) = self.name.get_mut(..name.len()) {
            octets.copy_from_slice(name);
            self.name_octets = name.len();
        }
    }

    fn steered(&mut self, steered: Steered) {
        if let Some(balancing) = &mut self.balancing {
            balancing.steered = Some(balancing.steered.map_or(steered, |before| steered.beside(before)));
        }
    }
}
