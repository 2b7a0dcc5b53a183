//! Names of pools and monitors, made from what the source calls them.

use std::collections::HashSet;

use crate::wire::name::Name;

/// `owner` as it stands in a zone of `apex`: `@`, or the labels before the apex.
pub(super) fn relative(owner: &Name, apex: &Name) -> String {
    let before = owner.as_wire().len().saturating_sub(apex.as_wire().len());
    if before == 0 {
        return "@".to_owned();
    }
    let octets = [owner.as_wire().get(..before).unwrap_or_default(), &[0]].concat();
    Name::from_wire(&octets)
        .map_or_else(|_| owner.to_string(), |name| name.to_string().trim_end_matches('.').to_owned())
}

/// `text` of letters, digits, `-` and `_` only, so that no pattern of `bellwether drain` needs quoting.
pub(super) fn plain(text: &str) -> String {
    let text = match text {
        "@" => "apex".to_owned(),
        text => text.replace('*', "any"),
    };
    let plain: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "pool".to_owned() } else { plain.chars().take(CHARACTERS_MAX).collect() }
}

/// Characters of a made-up name, at most: a line of `status` holds it.
const CHARACTERS_MAX: usize = 40;

/// `wish`, or `wish-2` and so on where that is taken; taken from now on.
pub(super) fn free(wish: &str, taken: &mut HashSet<String>) -> String {
    let mut name = wish.to_owned();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{wish}-{number}");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_plain_and_stay_apart() {
        let check = |text: &str, expected: &str| assert_eq!(plain(text), expected, "{text}");
        check("www", "www");
        check("@", "apex");
        check("*.app", "any-app");
        check("a.b_c", "a-b_c");
        check("é/..", "pool");
        let mut taken = HashSet::new();
        assert_eq!([free("a", &mut taken), free("a", &mut taken), free("a", &mut taken)], ["a", "a-2", "a-3"]);
    }

    #[test]
    fn owners_are_relative_to_the_apex() {
        let apex = Name::from_host("example.com").expect("a name");
        let check = |text: &str, expected: &str| {
            let owner = Name::from_text(text.as_bytes(), Some(&apex)).expect("a name");
            assert_eq!(relative(&owner, &apex), expected);
        };
        check("@", "@");
        check("a.b", "a.b");
        check("*", "*");
        check("a\\.b", "a\\.b");
    }
}
