//! What the fuzz targets check. The suite runs the same checks over the seeds and over what has once been found.

#![allow(dead_code, reason = "the suite uses more of what is shared")]

pub mod checks;

#[path = "../suite/policies.rs"]
mod policies;
#[path = "../suite/served.rs"]
mod served;
