//! `exec = { … }`: a program, its arguments and its environment.

use std::path::Path;

use super::super::faults::{Faults, shown};
use super::super::table::{Item, Keys};
use super::given;
use crate::probe::{ExecProbe, program_fault};

const EXEC: Keys = Keys::only(&["command", "environment", "exit"]);

const EXAMPLE: &str = r#"["/usr/lib/bellwether/check", "argument"]"#;

/// Words of a command, and variables of an environment: far more than any check wants, and far less than a system
/// takes.
const WORDS_MAX: usize = 100;

pub(super) fn read(item: Item<'_>, faults: &mut Faults<'_>) -> Option<ExecProbe> {
    let table = item.table("`exec`", &EXEC, &format!("{{ command = {EXAMPLE} }}"), faults)?;
    let command = table.require("command", EXAMPLE, faults).and_then(|item| command(item, faults));
    let environment = given(&table, "environment", Vec::new(), |item| environment(item, faults));
    let exit = given(&table, "exit", vec![0], |item| exit(item, faults));
    Some(ExecProbe { command: command?, environment: environment?, exit: exit?, port: None })
}

fn command(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Vec<String>> {
    let elements = item.elements(EXAMPLE, faults)?;
    if elements.is_empty() || elements.len() > WORDS_MAX {
        faults
            .error(item.span, format!("`command` must have 1 to {WORDS_MAX} words, found {}", elements.len()))
            .help(format!("write the program and its arguments, one string each: {EXAMPLE}"));
        return None;
    }
    let words: Vec<_> = elements.iter().map(|&element| word(element, faults)).collect();
    let words: Vec<_> = words.into_iter().collect::<Option<_>>()?;
    let (first, program) = (elements.first()?, words.first()?);
    let path = Path::new(program);
    let (wrong, help) = if !path.is_absolute() {
        ("is not an absolute path".to_owned(), "no folder is searched, and no shell is asked: write \"/usr/bin/…\"")
    } else if let Some(wrong) = program_fault(path) {
        (wrong, "name a program that this system has and may run")
    } else {
        return Some(words);
    };
    faults.error(first.span, format!("the program \"{}\" {wrong}", shown(program))).help(help);
    None
}

fn word(item: Item<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let text = item.string("argument", faults)?;
    if text.contains('\0') {
        faults.error(item.span, format!("`{}` cannot have a NUL, which ends a word", shown(item.key)));
        return None;
    }
    Some(text.to_owned())
}

fn environment(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Vec<(String, String)>> {
    if item.value.as_table().is_none() {
        item.mismatch("a table such as { LIMIT = \"5\" }", faults);
        return None;
    }
    let mut entries = item.entries("environment = { LIMIT = \"5\" }", faults);
    if entries.len() > WORDS_MAX {
        faults.error(item.span, format!("`environment` can have {WORDS_MAX} variables, found {}", entries.len()));
        return None;
    }
    // However written, equal environments are equal: their monitors share probes.
    entries.sort_by_key(|entry| entry.key);
    let mut sound = true;
    let mut variables = Vec::new();
    for entry in entries {
        let named = variable(entry, faults);
        match word(entry, faults) {
            Some(value) if named => variables.push((entry.key.to_owned(), value)),
            _ => sound = false,
        }
    }
    sound.then_some(variables)
}

/// Whether the key of `entry` may be a variable's name (POSIX.1-2017 §8.1).
fn variable(entry: Item<'_>, faults: &mut Faults<'_>) -> bool {
    let name = entry.key;
    let wrong = if name.starts_with("BELLWETHER_") {
        "begins with BELLWETHER_, as those do that tell a program whom to probe"
    } else if name.is_empty()
        || name.starts_with(|first: char| first.is_ascii_digit())
        || !name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
    {
        "must be letters, digits and underscores, not beginning with a digit"
    } else {
        return true;
    };
    faults.error(entry.key_span, format!("the variable `{}` {wrong}", shown(name)));
    false
}

/// The exit codes that count as a success, in order and once each.
fn exit(item: Item<'_>, faults: &mut Faults<'_>) -> Option<Vec<u8>> {
    let elements = item.elements("[0, 1]", faults)?;
    if elements.is_empty() {
        faults.error(item.span, "`exit` is empty, so that nothing would be a success").help("leave it out for 0");
        return None;
    }
    let codes: Vec<_> = elements.into_iter().map(|element| element.integer(0..=u8::MAX, faults)).collect();
    let mut codes: Vec<u8> = codes.into_iter().collect::<Option<_>>()?;
    codes.sort_unstable();
    codes.dedup();
    Some(codes)
}
