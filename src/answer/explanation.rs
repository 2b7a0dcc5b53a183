//! Why an answer is what it is, for people who look into it: extended DNS errors (RFC 8914).
//!
//! Said only where an operator or a user would otherwise be left guessing. No resolver acts on them.

/// A code of the IANA registry "Extended DNS Error Codes", and a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    pub(super) code: u16,
    pub(super) text: &'static str,
}

impl Explanation {
    /// Octets of the longest, code and text.
    pub(super) const OCTETS_MAX: usize = 64;

    /// Octets of this one as an option's data.
    pub(super) const fn octets(&self) -> usize {
        2 + self.text.len()
    }

    const fn new(code: u16, text: &'static str) -> Self {
        assert!(2 + text.len() <= Self::OCTETS_MAX, "a text is short");
        Self { code, text }
    }

    /// Nothing lives, and the operator has it answered all the same: 3, Stale Answer.
    pub(super) const ALL_SERVED: &'static Self = &Self::new(3, "no endpoint is alive; all are given");
    /// As that, with the endpoints that were the last to live.
    pub(super) const LAST_GOOD: &'static Self = &Self::new(3, "no endpoint is alive; the last that were are given");
    /// As that, with other addresses.
    pub(super) const SPARE: &'static Self = &Self::new(3, "no endpoint is alive; spare addresses are given");
    /// Nothing lives, and the operator has it not answered: 0, Other.
    pub(super) const NONE_ALIVE: &'static Self = &Self::new(0, "no endpoint is alive");
    /// Nothing has been loaded yet: 14, Not Ready.
    pub(super) const NOT_READY: &'static Self = &Self::new(14, "");
    /// Nothing lives, and the operator has it refused: 15, Blocked.
    pub(super) const BLOCKED: &'static Self = &Self::new(15, "no endpoint is alive");
    /// Not for this client: 18, Prohibited.
    pub(super) const PROHIBITED: &'static Self = &Self::new(18, "");
    /// No zone of this server: 20, Not Authoritative.
    pub(super) const NOT_AUTHORITATIVE: &'static Self = &Self::new(20, "");
}
