//! The README's reference and what the program takes, keys and flags: neither has one that the other lacks.
//!
//! The keys are read out of the sources of `config`, where each kind of table lists its own, the flags out of what
//! `--help` says. Whether what is said of one is true is for readers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::server::run;

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

/// Commands, and what their help is asked by.
const COMMANDS: [(&str, &[&[&str]]); 16] = [
    ("serve", &[&["serve"]]),
    ("replace", &[&["replace"]]),
    ("check", &[&["check"]]),
    ("explain", &[&["explain"]]),
    ("diff", &[&["diff"]]),
    ("status", &[&["status"]]),
    ("reload", &[&["reload"]]),
    ("top", &[&["top"]]),
    ("up", &[&["up"]]),
    ("down", &[&["down"]]),
    ("drain", &[&["drain"]]),
    ("auto", &[&["auto"]]),
    ("import", &[&["import", "bind"], &["import", "gdnsd"], &["import", "route53"]]),
    ("completions", &[&["completions"]]),
    ("man", &[&["man"]]),
    ("demo", &[&["demo"]]),
];

#[test]
fn every_flag_is_in_the_readme_and_every_flag_of_the_readme_is_taken() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(house.join("README.md")).expect("the README");
    let commands = readme.split_once("\n## Commands\n").expect("the commands").1;
    let commands = commands.split_once("\n## ").expect("what is behind them").0;
    // What is said of several commands stands below their table.
    let of_several: BTreeSet<&str> = commands.lines().filter(|line| !line.starts_with('|')).flat_map(flags).collect();
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in readme.lines() {
        for behind in line.split("bellwether ").skip(1) {
            let behind = behind.split('`').next().unwrap_or_default();
            let names = behind.split(' ').next().unwrap_or_default();
            for name in names.split(['|', '\\']).filter(|name| !name.is_empty()) {
                told.entry(name).or_default().extend(flags(behind));
            }
        }
    }
    let rows = COMMANDS.map(|(command, _)| command.to_owned());
    assert_eq!(commands_of_help(house), BTreeSet::from(rows), "each command that there is has a row, and no other");
    for (command, helps) in COMMANDS {
        let mut taken = BTreeSet::new();
        for words in helps {
            let output = run(house, &[words, &["--help"][..]].concat());
            let help = String::from_utf8(output.stdout).expect("help is text");
            assert!(help.contains("Usage:"), "{command}: {help}");
            let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with("--"));
            taken.extend(lines.filter_map(|line| flags(line).next().map(str::to_owned)));
        }
        let told = told.get(command).unwrap_or_else(|| panic!("the README is silent about {command}"));
        let untold: Vec<_> =
            taken.iter().filter(|flag| !told.contains(&***flag) && !of_several.contains(&***flag)).collect();
        assert!(untold.is_empty(), "the README is silent about {untold:?} of {command}");
        let untaken: Vec<_> = told.iter().filter(|&&flag| !taken.contains(flag)).collect();
        assert!(untaken.is_empty(), "{command} does not take {untaken:?} of the README");
    }
}

/// The commands that the program says it has, but for the one that says so.
fn commands_of_help(house: &Path) -> BTreeSet<String> {
    let output = run(house, &["--help"]);
    let help = String::from_utf8(output.stdout).expect("help is text");
    let list = help.split_once("Commands:\n").unwrap_or_else(|| panic!("no commands: {help}")).1;
    let list = list.lines().take_while(|line| line.starts_with(' '));
    // What a command is for may go on in a second line, which stands further in.
    let entries = list.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names = entries.filter_map(|line| line.split(' ').next());
    names.filter(|&name| name != "help").map(str::to_owned).collect()
}

/// The flags in a line.
fn flags(line: &str) -> impl Iterator<Item = &str> {
    let ends = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-');
    line.split(ends).filter(|word| word.len() > 2 && word.starts_with("--") && !word.starts_with("---"))
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
