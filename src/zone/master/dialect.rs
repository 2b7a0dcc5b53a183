//! What gdnsd's master files have beside what all have, for whoever carries its zones over.
//!
//! | gdnsd | elsewhere |
//! |---|---|
//! | records of its own, which whoever reads rewrites | none |
//! | `@Z`, `x.@Z`: the zone; `@F`, `x.@F`: the origin that the file began with | labels like others |
//! | `$TTL` of an included file ends with the file | it stays |
//! | a TTL for what states none and has no `$TTL` before it | the SOA's minimum |
//!
//! Source: `gdnsd.zonefile(5)` of gdnsd 3.8, parts "directives" and "special names and origins"; case does not matter to
//! it.

use std::path::Path;

/// How files are read that were written for gdnsd.
pub struct Dialect<'d> {
    /// Makes of the text of a file one that has only what all master files have, line for line.
    pub rewrite: &'d mut dyn FnMut(&Path, &str) -> String,
    /// Seconds of what states no TTL and has no `$TTL` before it.
    pub ttl: u32,
}

impl Dialect<'_> {
    pub(super) fn rewritten(&mut self, path: &Path, text: &[u8]) -> Result<Vec<u8>, String> {
        let text = std::str::from_utf8(text).map_err(|_| format!("{} is not UTF-8", path.display()))?;
        Ok((self.rewrite)(path, text).into_bytes())
    }
}
