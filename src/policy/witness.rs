//! Whoever wants to know how a choice is made: what `explain` hears, from the very code that answers.

use super::{PoolId, Target};
use crate::geo::ClassId;

/// Hears the steps of a choice. `()` hears nothing, and costs a query nothing.
pub trait Witness {
    /// A pool is consulted; `how` its first branch was found.
    fn consulted(&mut self, _pool: PoolId, _how: How) {}

    /// A member of a pool is taken.
    fn took(&mut self, _pool: PoolId, _member: Target) {}
}

impl Witness for () {}

/// How a pool finds the first of its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Nothing of it answers.
    Dead,
    /// The first living member.
    First,
    /// This step, counted from 0, of a turn of so many.
    Turn {
        /// Which.
        step: u32,
        /// Of how many.
        steps: usize,
    },
    /// By lot.
    Drawn,
    /// By the client's class in the pool's map.
    Class {
        /// Which.
        class: ClassId,
        /// Bits of the client's address that this depended on.
        bits: u8,
    },
    /// By lot among those that are expected to answer this client about as fast as the fastest.
    Expected {
        /// Bits of the client's address that this depended on.
        bits: u8,
    },
    /// By the slot that the client's network falls into.
    Slot {
        /// Which.
        slot: usize,
        /// Bits of the client's address that this depended on.
        bits: u8,
    },
}
