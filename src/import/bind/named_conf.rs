//! The zones of a `named.conf`, and what else stands in it.
//!
//! The grammar is small: a statement is words, strings and blocks up to a semicolon.

use std::path::{Path, PathBuf};

use super::super::glob;
use super::super::{Fate, Faults, Imported};
use crate::diagnostic::{Diagnostic, Place};
use crate::wire::name::Name;

/// `include` in `include`, at most.
const DEPTH_MAX: usize = 16;

/// Statements of each file that are about the server rather than about zones, with where they have gone.
const ELSEWHERE: &[(&str, &str)] = &[
    ("acl", "access lists: of transfers in [transfer] allow of bellwether.toml, of other things not at all"),
    ("controls", "rndc: the admin API ([admin]) is what steers this server"),
    ("dnssec-policy", "this server does not sign"),
    ("key", "TSIG keys of transfers go into [transfer] keys of bellwether.toml"),
    ("logging", "logs go to stderr; BELLWETHER_LOG says how much"),
    ("masters", "this server is no secondary"),
    ("primaries", "this server is no secondary"),
    ("server", "settings for one peer"),
    ("statistics-channels", "GET /metrics of the admin API"),
    ("tls", "certificates go into [tls] of bellwether.toml"),
    ("http", "DNS over HTTPS is [tls] doh of bellwether.toml"),
    ("trust-anchors", "this server does not resolve"),
];

/// Options that change what clients are answered, or who is answered.
const OPTIONS: &[(&str, &str)] = &[
    ("allow-query", "everybody is answered; restrict it in a packet filter"),
    ("allow-recursion", "this server does not resolve"),
    ("allow-transfer", "goes into [transfer] allow of bellwether.toml"),
    ("allow-update", "there are no dynamic updates"),
    ("also-notify", "goes into [transfer] notify of bellwether.toml"),
    ("dnssec-policy", "this server does not sign"),
    ("forwarders", "this server does not resolve"),
    ("inline-signing", "this server does not sign"),
    ("listen-on", "goes into listen of bellwether.toml"),
    ("listen-on-v6", "goes into listen of bellwether.toml"),
    ("rate-limit", "limits are in [limits] of bellwether.toml"),
    ("recursion", "this server does not resolve"),
    ("response-policy", "there are no response policies"),
    ("rrset-order", "addresses rotate always"),
    ("sortlist", "order by client: a geo pool says it better"),
    ("update-policy", "there are no dynamic updates"),
];

/// A statement: its words, where it begins, and the block in it.
#[derive(Debug)]
struct Statement {
    words: Vec<String>,
    line: u32,
    block: Option<Vec<Self>>,
}

/// The zones that the server of this file is primary for, and their files.
pub(super) fn zones(file: &Path, imported: &mut Imported) -> Result<Vec<(Name, PathBuf)>, Faults> {
    let mut reading = Reading { directory: None, zones: Vec::new(), faults: Faults::new(), open: Vec::new(), imported };
    reading.file(file, 0);
    let Reading { directory, zones, faults, .. } = reading;
    if !faults.is_empty() {
        return Err(faults);
    }
    // Relative to `directory`, which may stand behind the zones; else to the file, as nobody's working folder is known.
    let base = directory.unwrap_or_else(|| file.parent().unwrap_or(Path::new("")).to_owned());
    Ok(zones.into_iter().map(|(apex, file)| (apex, base.join(file))).collect())
}

struct Reading<'i> {
    directory: Option<PathBuf>,
    zones: Vec<(Name, PathBuf)>,
    faults: Faults,
    /// The files that are being read, with every symbolic link followed.
    open: Vec<PathBuf>,
    imported: &'i mut Imported,
}

impl Reading<'_> {
    fn file(&mut self, file: &Path, depth: usize) {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                self.faults.push(Diagnostic::error(Place::of_file(file), format!("cannot be read: {error}")));
                return;
            }
        };
        // What can be read has such a path.
        let real = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        if self.open.contains(&real) {
            self.faults.push(Diagnostic::error(Place::of_file(file), "this file includes itself"));
            return;
        }
        self.open.push(real);
        match parse(file, &text) {
            Ok(statements) => self.statements(file, statements, depth, None),
            Err(fault) => self.faults.push(*fault),
        }
        self.open.pop();
    }

    /// Reads a file, or those that a pattern matches, as BIND 9.18 does.
    fn include(&mut self, path: &Path, at: &str, depth: usize) {
        match glob::files(path) {
            Ok(files) if files.is_empty() => {
                let fault = Diagnostic::error(Place::of_file(path), format!("{at} includes this, and no file matches"));
                self.faults.push(fault);
            }
            Ok(files) => files.iter().for_each(|file| self.file(file, depth + 1)),
            Err(error) => {
                self.faults.push(Diagnostic::error(Place::of_file(path), format!("cannot be read: {error}")));
            }
        }
    }

    fn statements(&mut self, file: &Path, statements: Vec<Statement>, depth: usize, view: Option<&str>) {
        for Statement { words, line, block } in statements {
            let at = format!("{}:{line}", file.display());
            let Some(keyword) = words.first().map(|word| word.to_lowercase()) else { continue };
            match (&keyword[..], words.get(1), block) {
                ("include", Some(path), _) if depth < DEPTH_MAX => {
                    let base =
                        self.directory.clone().unwrap_or_else(|| file.parent().unwrap_or(Path::new("")).to_owned());
                    self.include(&base.join(path), &at, depth);
                }
                ("include", ..) => self.imported.note(Fate::Lost, at, "include: too many within each other"),
                ("options", _, Some(block)) => self.options(file, block),
                ("zone", Some(name), Some(block)) => self.zone(file, (name, line), block, view),
                ("view", Some(name), Some(block)) => {
                    let what = format!(
                        "view \"{name}\": everybody is answered from the same zones; of a zone that stands in several \
                         views the first is taken, and who sees what is a geo pool's `networks`"
                    );
                    self.imported.note(Fate::Changed, at, what);
                    self.statements(file, block, depth, Some(name));
                }
                (keyword, ..) => {
                    let known = ELSEWHERE.iter().chain(OPTIONS).find(|(known, _)| *known == keyword);
                    if let Some((_, where_to)) = known {
                        self.imported.note(Fate::Lost, at, format!("{keyword}: {where_to}"));
                    }
                }
            }
        }
    }

    fn options(&mut self, file: &Path, block: Vec<Statement>) {
        for Statement { words, line, .. } in block {
            let Some(keyword) = words.first() else { continue };
            if let ("directory", Some(directory)) = (&keyword[..], words.get(1)) {
                let beside = file.parent().unwrap_or(Path::new(""));
                self.directory = Some(beside.join(directory));
            } else if let Some((_, where_to)) = OPTIONS.iter().find(|(known, _)| known == keyword) {
                self.imported.note(Fate::Lost, format!("{}:{line}", file.display()), format!("{keyword}: {where_to}"));
            }
        }
    }

    fn zone(&mut self, file: &Path, (name, line): (&str, u32), block: Vec<Statement>, view: Option<&str>) {
        let at = format!("{}:{line}", file.display());
        let value = |key: &str| {
            let statement = block.iter().find(|statement| statement.words.first().is_some_and(|word| word == key));
            statement.and_then(|statement| statement.words.get(1).cloned())
        };
        match value("type").as_deref() {
            Some("primary" | "master") => {}
            Some("hint") => return,
            kind => {
                let kind = kind.unwrap_or("without a type");
                self.imported.note(
                    Fate::Lost,
                    at,
                    format!("zone \"{name}\" ({kind}): only zones that the server is primary for are carried over"),
                );
                return;
            }
        }
        let (Some(path), Ok(apex)) = (value("file"), Name::from_host(name)) else {
            self.imported.note(Fate::Lost, at, format!("zone \"{name}\": it has no file, or its name is none"));
            return;
        };
        if apex.is_root() {
            self.imported.note(
                Fate::Lost,
                at,
                "zone \".\": zone files are named after their zone, and the root has no name",
            );
            return;
        }
        if self.zones.iter().any(|(known, _)| known.to_lowercase() == apex.to_lowercase()) {
            let view = view.unwrap_or("another");
            self.imported.note(
                Fate::Lost,
                at,
                format!("zone \"{name}\" of the view \"{view}\": an earlier view's is taken"),
            );
            return;
        }
        for statement in &block {
            let keyword = statement.words.first().map_or("", String::as_str);
            if let Some((_, where_to)) = OPTIONS.iter().find(|(known, _)| *known == keyword) {
                let at = format!("{}:{}", file.display(), statement.line);
                self.imported.note(Fate::Lost, at, format!("{keyword} of zone \"{name}\": {where_to}"));
            }
        }
        self.zones.push((apex, path.into()));
    }
}

/// A piece of the file.
enum Token {
    Word(String),
    Open,
    Close,
    End,
}

fn parse(file: &Path, text: &str) -> Result<Vec<Statement>, Box<Diagnostic>> {
    let mut open: Vec<(Vec<Statement>, Statement)> = Vec::new();
    let mut statements = Vec::new();
    let fresh = || Statement { words: Vec::new(), line: 0, block: None };
    let mut current = fresh();
    let mut rest = Scanner { file, text, at: 0 };
    while let Some((start, token)) = rest.next()? {
        let fault = |message: &str| Box::new(Diagnostic::error(Place::of_span(file, text, start, start + 1), message));
        match token {
            Token::Word(word) => {
                if current.words.is_empty() {
                    current.line = Place::of_span(file, text, start, start).line;
                }
                current.words.push(word);
            }
            Token::Open => open.push((std::mem::take(&mut statements), std::mem::replace(&mut current, fresh()))),
            Token::Close => {
                let (outer, mut statement) =
                    open.pop().ok_or_else(|| fault("a brace is closed that was not opened"))?;
                if !current.words.is_empty() {
                    return Err(fault("a semicolon is missing before this brace"));
                }
                statement.block = Some(std::mem::replace(&mut statements, outer));
                current = statement;
            }
            Token::End => {
                let statement = std::mem::replace(&mut current, fresh());
                if !statement.words.is_empty() || statement.block.is_some() {
                    statements.push(statement);
                }
            }
        }
    }
    let end = text.len();
    let missing = match (open.last(), current.words.is_empty()) {
        (Some(_), _) => Some("a brace is not closed"),
        (None, false) => Some("a semicolon is missing at the end"),
        (None, true) => None,
    };
    match missing {
        Some(message) => Err(Box::new(Diagnostic::error(Place::of_span(file, text, end, end), message))),
        None => Ok(statements),
    }
}

struct Scanner<'t> {
    file: &'t Path,
    text: &'t str,
    at: usize,
}

impl Scanner<'_> {
    fn next(&mut self) -> Result<Option<(usize, Token)>, Box<Diagnostic>> {
        self.skip()?;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let start = self.at;
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let token = match first {
            '{' => Token::Open,
            '}' => Token::Close,
            ';' => Token::End,
            '"' => {
                let length = rest[1..].find('"').ok_or_else(|| self.unclosed(start, "a quote"))?;
                self.at += length + 2;
                return Ok(Some((start, Token::Word(rest[1..=length].to_owned()))));
            }
            _ => {
                let is_end = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';' | '"');
                let length = rest.find(is_end).unwrap_or(rest.len());
                self.at += length;
                return Ok(Some((start, Token::Word(rest[..length].to_owned()))));
            }
        };
        self.at += 1;
        Ok(Some((start, token)))
    }

    /// What was opened at `start` and goes on to the end of the file.
    fn unclosed(&self, start: usize, what: &str) -> Box<Diagnostic> {
        let place = Place::of_span(self.file, self.text, start, self.text.len());
        Box::new(Diagnostic::error(place, format!("{what} is not closed")))
    }

    /// Passes over white space and the three kinds of comments.
    fn skip(&mut self) -> Result<(), Box<Diagnostic>> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let blank = rest.len() - rest.trim_start().len();
            let rest = &rest[blank..];
            let comment = if rest.starts_with("//") || rest.starts_with('#') {
                rest.find('\n').unwrap_or(rest.len())
            } else if let Some(inside) = rest.strip_prefix("/*") {
                // `/*/` only opens.
                let end = inside.find("*/").ok_or_else(|| self.unclosed(self.at + blank, "a comment"))?;
                2 + end + 2
            } else {
                0
            };
            self.at += blank + comment;
            if comment == 0 {
                return Ok(());
            }
        }
    }
}
