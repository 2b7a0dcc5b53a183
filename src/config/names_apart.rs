//! `[names]` of a long policy file, read block by block.
//!
//! The parser's tree takes some 45 times the octets of the text, while what is made of a name takes less than ten. So
//! where `[names]` is a table of its own, its lines are parsed a block at a time, and the rest of the file without
//! them. Where that comes to any error, nothing of it is used and the file is read whole, so that every fault is found
//! and told as ever: a block that was cut in the middle of a value is always an error of syntax, as is a name that
//! stands twice.
//!
//! 100,000 names over 1,000 pools, 5.6 MB: at the peak 360 MB as a whole.
//!
//! Each block is parsed twice, and the tree dropped in between: what names demand of monitors must be known before any of
//! them is timed.

use toml::de::DeTable;

use super::table::Item;

/// Shorter files are read whole. Tests have what is long be short.
const TEXT_OCTETS_MIN: usize = if cfg!(test) { 8 << 10 } else { 1 << 20 };

/// Octets of a block, about.
const BLOCK_OCTETS: usize = if cfg!(test) { 2 << 10 } else { 64 << 10 };

/// A policy file in two.
pub(super) struct Apart<'t> {
    /// All but `[names]`, for which as many blanks stand: every place is where it was.
    pub(super) rest: String,
    pub(super) blocks: Vec<Block<'t>>,
}

/// Some lines of `[names]`, and where they stand in the file, in octets.
#[derive(Clone, Copy)]
pub(super) struct Block<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

/// The names of a policy file.
#[derive(Clone, Copy)]
pub(super) enum Names<'n> {
    /// As the value of `names`.
    Whole(Option<Item<'n>>),
    Apart(&'n [Block<'n>]),
}

impl Names<'_> {
    /// Visits every table of names, with what is to be added to the places in it; false when one is no TOML.
    pub(super) fn each_table(&self, mut visit: impl FnMut(&DeTable<'_>, usize)) -> bool {
        match self {
            Self::Whole(item) => {
                if let Some(table) = item.and_then(|item| item.value.as_table()) {
                    visit(table, 0);
                }
                true
            }
            Self::Apart(blocks) => blocks.iter().all(|block| match DeTable::parse(block.text) {
                Ok(table) => {
                    visit(table.get_ref(), block.at);
                    true
                }
                Err(_) => false,
            }),
        }
    }
}

/// Takes a file apart that is long enough; `None` where it has no line `[names]`.
pub(super) fn apart(text: &str) -> Option<Apart<'_>> {
    if text.len() < TEXT_OCTETS_MIN { None } else { split(text, BLOCK_OCTETS) }
}

fn split(text: &str, block_octets: usize) -> Option<Apart<'_>> {
    let mut lines = text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    });
    let (header, line) = lines.find(|(_, line)| line.trim() == "[names]")?;
    let start = header + line.len();
    let (mut blocks, mut block, mut end) = (Vec::new(), start, text.len());
    for (at, line) in lines {
        if line.starts_with('[') {
            end = at;
            break;
        }
        let begins_name = line.starts_with(|first: char| first == '"' || first.is_ascii_alphanumeric());
        if begins_name && at - block >= block_octets {
            blocks.push(Block { text: &text[block..at], at: block });
            block = at;
        }
    }
    blocks.push(Block { text: &text[block..end], at: block });
    let mut rest = String::with_capacity(text.len());
    rest.push_str(&text[..header]);
    // One run of blanks is one token.
    rest.extend(std::iter::repeat_n(' ', end.saturating_sub(header + 1)));
    rest.push('\n');
    rest.push_str(&text[end..]);
    Some(Apart { rest, blocks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_all_stays_in_place() {
        let check = |text: &str, blocks: &[&str], rest: &str| {
            let apart = split(text, 8).expect("names");
            assert_eq!(apart.blocks.iter().map(|block| block.text).collect::<Vec<_>>(), blocks, "{text}");
            assert!(apart.blocks.iter().all(|block| text[block.at..].starts_with(block.text)));
            assert_eq!(
                (apart.rest.len(), apart.rest.split_whitespace().collect::<String>()),
                (text.len(), rest.into())
            );
        };
        check("[a]\n[names]\n", &[""], "[a]");
        check("[names]\nx = \"y\"\n", &["x = \"y\"\n"], "");
        check(
            "e = 1\n[names]\n\"x\" = \"y\"\nz = [\n1]\nv = 2\n[pools.p]\nb = 1\n",
            &["\"x\" = \"y\"\n", "z = [\n1]\n", "v = 2\n"],
            "e=1[pools.p]b=1",
        );
        assert!(split("names = {}\n", 8).is_none());
    }
}
