//! The README's reference and the keys that the program reads: neither has one that the other lacks.
//!
//! The keys are read out of the sources of `config`, where each kind of table lists its own. Whether what is said of
//! a key is true is for readers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_key_is_in_the_readme_and_every_key_of_the_readme_is_read() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(house.join("README.md")).expect("the README");
    let reference = readme.split_once("\n## Zone files\n").expect("the reference of the zone files").1;
    let mut keys = BTreeSet::new();
    read_folder(&house.join("src/config"), &mut keys);
    assert!(keys.len() > 80, "only {keys:?}");
    let told: BTreeSet<String> = code_spans(reference).flat_map(words).map(str::to_owned).collect();
    let untold: Vec<_> = keys.iter().filter(|&key| !told.contains(key)).collect();
    assert!(untold.is_empty(), "the README is silent about {untold:?}");
    let unread: Vec<_> = table_keys(reference).filter(|&key| !keys.contains(key)).collect();
    assert!(unread.is_empty(), "nothing reads {unread:?} of the README's tables");
}

fn read_folder(folder: &Path, keys: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() {
            read_folder(&path, keys);
        } else {
            keys.extend(keys_of(&fs::read_to_string(&path).expect("a source")));
        }
    }
}

/// The keys of the tables that a source describes.
fn keys_of(source: &str) -> Vec<String> {
    let lists =
        ["Keys::only(&[", "Words::only(&[", "known: &["].into_iter().flat_map(|opening| source.split(opening).skip(1));
    let lists = lists.filter_map(|rest| rest.split_once(']')).map(|(list, _)| list);
    lists.flat_map(|list| list.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// What stands between backticks; fenced blocks count as one.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-' || letter == '_'))
}

/// The first column of each table of keys.
fn table_keys(reference: &str) -> impl Iterator<Item = &str> {
    let mut in_table = false;
    let rows = reference.lines().filter(move |line| {
        in_table = line.starts_with("| key |") || in_table && line.starts_with('|');
        in_table && !line.starts_with("| key |") && !line.starts_with("|---")
    });
    rows.filter_map(|row| row.split('|').nth(1)).flat_map(code_spans).flat_map(words).filter(|word| !word.is_empty())
}
