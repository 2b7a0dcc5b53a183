//! The other end: what was heard, one query at a time.

use std::sync::Arc;

use rtrb::Consumer;

use super::heard::{Head, Heard, Losses};
use super::notes::Step;

/// Where what one worker wrote down comes out.
#[derive(Debug)]
pub struct Outlet {
    heads: Consumer<Head>,
    steps_in: Consumer<Step>,
    octets_in: Consumer<u8>,
    losses: Arc<Losses>,
    /// Those of the query that came out last.
    steps: Vec<Step>,
    octets: Vec<u8>,
}

impl Outlet {
    pub(super) fn new(
        heads: Consumer<Head>,
        steps_in: Consumer<Step>,
        octets_in: Consumer<u8>,
        losses: Arc<Losses>,
    ) -> Self {
        Self { heads, steps_in, octets_in, losses, steps: Vec::new(), octets: Vec::new() }
    }

    /// The next, in the order in which they were answered; `None` when there is none yet.
    pub fn pop(&mut self) -> Option<Heard<'_>> {
        let head = self.heads.pop().ok()?;
        let [request, response, name] = head.kept();
        take(&mut self.octets_in, &mut self.octets, request + response + name, 0)?;
        take(&mut self.steps_in, &mut self.steps, head.step_count, NO_STEP)?;
        let (request, rest) = self.octets.split_at_checked(request)?;
        let (response, name) = rest.split_at_checked(response)?;
        Some(Heard { head, request, response, name, steps: &self.steps })
    }

    /// How many found no room.
    pub fn lost(&self) -> u64 {
        self.losses.get()
    }

    /// What counts that, for whoever outlives this.
    pub fn losses(&self) -> Arc<Losses> {
        Arc::clone(&self.losses)
    }
}

/// What room for steps is filled with before they come.
const NO_STEP: Step = Step::Consulted(crate::policy::PoolId(0), crate::policy::How::Dead);

fn take<T: Copy>(from: &mut Consumer<T>, to: &mut Vec<T>, count: usize, fill: T) -> Option<()> {
    to.clear();
    to.resize(count, fill);
    from.pop_entire_slice(to).ok()
}
