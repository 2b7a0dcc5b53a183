//! Whether a change may be made unasked: what would hurt at once is for somebody to confirm.
//!
//! Only names that are on both sides count: a name that is new takes nothing from anybody, and one that is taken out was
//! taken out on purpose.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use super::{Change, Clients, Moves, Side, compare_names, is_shared, text, zone_pairs};
use crate::policy::{Family, LivePool};
use crate::snapshot::{Balanced, Served};
use crate::wire::name::Name;

/// What is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Names that would be left without anything alive, where something is.
    pub alive: KeepAlive,
    /// Names of whose answers more than so many percent would move, 1 to 99; `None` for none.
    pub max_moved: Option<u8>,
}

/// Whether a name must keep something alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// It must.
    Kept,
    /// It need not.
    Ignored,
}

impl Default for Guard {
    fn default() -> Self {
        Self { alive: KeepAlive::Kept, max_moved: None }
    }
}

/// A name that stands against a change.
#[derive(Debug)]
pub struct Offence {
    /// The name.
    pub name: Name,
    /// What is wrong.
    pub wrong: Wrong,
}

/// What a change would do to a name.
#[derive(Debug)]
pub enum Wrong {
    /// Nothing of its pool would be alive, of these families.
    NothingAlive {
        /// The pool.
        pool: Box<str>,
        /// Those of which something is alive now.
        families: Vec<Family>,
    },
    /// More of its answers would move than may.
    Moves {
        /// How much, 0 to 1.
        part: f64,
        /// How much may.
        most: f64,
        /// Where, and from whom to whom.
        change: Rc<Change>,
    },
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match &self.wrong {
            Wrong::NothingAlive { pool, families } => {
                let types: Vec<&str> = families.iter().map(|&family| text::rtype(family)).collect();
                write!(f, "nothing of the pool {pool} is alive ({})", types.join(" and "))
            }
            Wrong::Moves { part, most, change } => {
                let (part, most) = (text::percent(*part), text::percent(*most));
                write!(f, "{part} of its answers would move, and {most} may")?;
                match change.moves.first() {
                    Some(greatest) => write!(f, "; {greatest}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Guard {
    /// Names that `new` would leave without anything alive, under the verdicts that both sides were compiled with.
    pub fn left_alone(&self, old: &Side<'_>, new: &Side<'_>) -> Vec<Offence> {
        let mut offences = Vec::new();
        if self.alive == KeepAlive::Ignored {
            return offences;
        }
        for (old, new) in zone_pairs(old, new, &mut Moves::default()) {
            if is_shared(old, new) {
                continue;
            }
            let before: HashMap<&Name, &Balanced> = old.balanced().map(|(owner, _, name)| (owner, name)).collect();
            for (owner, _, name) in new.balanced() {
                let Some(was) = before.get(owner) else { continue };
                let families = left_alone((old.served, was), (new.served, name));
                if !families.is_empty() {
                    let pool = new.served.steering.pools.pools.get(name.root.0 as usize);
                    let pool = pool.map(|pool| pool.name.clone()).unwrap_or_default();
                    offences.push(Offence { name: owner.clone(), wrong: Wrong::NothingAlive { pool, families } });
                }
            }
        }
        offences
    }

    /// Names of whose answers `new` would move more than may be. Costs what [`compare`](super::compare) costs.
    pub fn moving(&self, old: &Side<'_>, new: &Side<'_>, clients: &Clients<'_>) -> Vec<Offence> {
        let mut offences = Vec::new();
        let Some(most) = self.max_moved.map(|percent| f64::from(percent) / 100.0) else { return offences };
        let mut moves = Moves::default();
        compare_names(&zone_pairs(old, new, &mut moves), clients, &mut moves);
        for moved in moves.moved.iter().filter(|moved| moved.change.lost > most) {
            let wrong = || Wrong::Moves { part: moved.change.lost, most, change: Rc::clone(&moved.change) };
            offences.extend(moved.names.iter().map(|name| Offence { name: name.clone(), wrong: wrong() }));
        }
        offences
    }
}

/// The families of which something of a name is alive before and nothing after, though there would be endpoints.
fn left_alone(old: (&Served, &Balanced), new: (&Served, &Balanced)) -> Vec<Family> {
    let is_alive = |(served, name): (&Served, &Balanced), family| {
        served.live.pool(family, name.root).is_some_and(LivePool::is_alive)
    };
    let is_present = |family| new.0.live.pool(family, new.1.root).is_some_and(LivePool::is_present);
    let lost = |family: &Family| is_alive(old, *family) && !is_alive(new, *family);
    let families: Vec<Family> = Family::BOTH.into_iter().filter(lost).collect();
    let any_alive = Family::BOTH.into_iter().any(|family| is_alive(new, family));
    // A family that is taken out is taken out on purpose, while another is alive.
    families.into_iter().filter(|&family| is_present(family) || !any_alive).collect()
}
