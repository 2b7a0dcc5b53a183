//! gdnsd's zone files: master files with DYNA and DYNC, which are taken out so that our reader can have the rest.
//!
//! Each of them is replaced by a record of a private type that bears its number, in the same place: so owners that
//! are left out, `$ORIGIN` and TTLs mean what they meant.

use std::path::Path;

use crate::wire::rtype::Rtype;

/// The type that stands in (RFC 6895 §3.1 leaves 65280 to 65534 to private use).
pub(super) const STAND_IN: Rtype = Rtype(65432);

/// A DYNA or DYNC record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dynamic {
    /// Where it stands: `FILE:LINE`.
    pub(super) at: String,
    /// The least TTL, seconds, where it is given.
    pub(super) ttl_min: Option<u32>,
    /// `plugin!resource`, or `plugin!resource/datacenter`.
    pub(super) target: String,
}

/// What was taken out of a zone's files.
#[derive(Debug, Default)]
pub(super) struct TakenOut {
    /// The dynamic records, by number.
    pub(super) dynamics: Vec<Dynamic>,
    /// Directives of gdnsd's own, each with where it stands.
    pub(super) directives: Vec<(String, String)>,
}

impl TakenOut {
    /// The text of `file` for our reader, line for line.
    pub(super) fn rewrite(&mut self, file: &Path, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for (number, line) in (1_usize..).zip(text.lines()) {
            let at = || format!("{}:{number}", file.display());
            let bare = line.split(';').next().unwrap_or_default();
            let words: Vec<&str> = bare.split_whitespace().collect();
            let kind = words.iter().position(|word| matches!(word.to_ascii_uppercase().as_str(), "DYNA" | "DYNC"));
            // Before the type stand the owner, the TTL and the class, or some of them.
            let first = usize::from(!bare.starts_with(char::is_whitespace));
            let is_head =
                |word: &&str| word.eq_ignore_ascii_case("IN") || word.starts_with(|c: char| c.is_ascii_digit());
            let kind = kind.filter(|&kind| words.get(first..kind).is_some_and(|head| head.iter().all(is_head)));
            let target = kind.and_then(|kind| words.get(kind + 1).map(|target| (kind, target)));
            if let Some((kind, target)) = target {
                let ttl = words[..kind].iter().skip(first);
                let ttl = ttl.rev().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
                let (max, ttl_min) = ttl.map_or(("", None), |ttl| match ttl.split_once('/') {
                    Some((max, min)) => (max, seconds(min)),
                    None => (*ttl, None),
                });
                let owner = if first == 0 { "" } else { words[0] };
                out.push_str(&format!("{owner} {max} IN {STAND_IN} \\# 4 {:08x}\n", self.dynamics.len()));
                self.dynamics.push(Dynamic { at: at(), ttl_min, target: (*target).to_owned() });
            } else if words.first().is_some_and(|word| word.to_ascii_uppercase().starts_with("$ADDR_LIMIT")) {
                self.directives.push((at(), words.join(" ")));
                out.push('\n');
            } else {
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }
}

/// `90`, `5m`, `1h30m`.
fn seconds(text: &str) -> Option<u32> {
    let (mut total, mut number) = (0_u32, None::<u32>);
    for character in text.chars() {
        if let Some(digit) = character.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
            continue;
        }
        let unit = match character.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    total.checked_add(number.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dynamic_records_are_taken_out_in_place() {
        let split = |text: &str| {
            let mut taken = TakenOut::default();
            (taken.rewrite(Path::new("z"), text), taken.dynamics, taken.directives)
        };
        let check = |line: &str, expected: &str, ttl_min: Option<u32>, target: &str| {
            let (text, dynamic, directives) = split(line);
            assert_eq!(text, format!("{expected}\n"), "{line}");
            assert_eq!(dynamic, [Dynamic { at: "z:1".to_owned(), ttl_min, target: target.to_owned() }]);
            assert_eq!(directives, []);
        };
        check("www 600/10 DYNA metafo!x ; y", "www 600 IN TYPE65432 \\# 4 00000000", Some(10), "metafo!x");
        check("\t5m/1m30s DYNC a!b/dc", " 5m IN TYPE65432 \\# 4 00000000", Some(90), "a!b/dc");
        check("300 DYNA a!b", "300  IN TYPE65432 \\# 4 00000000", None, "a!b");
        check("www IN 300 dyna a!b", "www 300 IN TYPE65432 \\# 4 00000000", None, "a!b");
        for other in ["txt TXT \"DYNA a!b\" x y\n", "txt TXT DYNA a!b\n"] {
            assert_eq!(split(other), (other.to_owned(), Vec::new(), Vec::new()));
        }
        assert_eq!(split("$ADDR_LIMIT_V4 3").2, [("z:1".to_owned(), "$ADDR_LIMIT_V4 3".to_owned())]);
    }
}
