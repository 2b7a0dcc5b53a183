//! What a probe that succeeded learnt.

use crate::health::PerMille;

/// What a success tells beside that it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The load that the endpoint reports.
    pub load: Option<PerMille>,
    /// When the certificate that it showed ends, in seconds since 1970.
    pub certificate_ends: Option<u64>,
}
