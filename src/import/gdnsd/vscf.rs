//! gdnsd's configuration language: nested hashes, arrays and scalars.
//!
//! Source: `gdnsd.config(5)` of gdnsd 3.8, part "configuration file low-level syntax".

use std::path::{Path, PathBuf};

use super::super::glob;
use crate::diagnostic::{Diagnostic, Place};

/// `$include` in `$include`, at most.
const DEPTH_MAX: usize = 16;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    /// `FILE:LINE`.
    pub(super) at: String,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    Table(Table),
}

/// Keys in their order.
pub(super) type Table = Vec<(String, Node)>;

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The texts of an array, or the one text that may stand for an array of one.
    pub(super) fn texts(&self) -> Vec<&str> {
        match &self.value {
            Value::Text(text) => vec![text],
            Value::List(items) => items.iter().filter_map(Self::text).collect(),
            Value::Table(_) => Vec::new(),
        }
    }

    /// The hash under `key`; an empty one where there is none.
    pub(super) fn stanza(&self, key: &str) -> &Table {
        const NONE: &Table = &Table::new();
        self.get(key).and_then(Self::table).unwrap_or(NONE)
    }

    /// What stands under `key`, in a hash.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.table().and_then(|table| get(table, key))
    }
}

/// What stands under `key`.
pub(super) fn get<'t>(table: &'t Table, key: &str) -> Option<&'t Node> {
    table.iter().find(|(own, _)| own == key).map(|(_, node)| node)
}

/// Reads a file and all that it includes.
///
/// # Errors
/// The first fault: what follows one is anybody's guess in this language.
pub(super) fn read(file: &Path) -> Result<Node, Box<Diagnostic>> {
    read_within(file, &[])
}

/// Reads a file that those of `above` include, each with every symbolic link followed.
fn read_within(file: &Path, above: &[PathBuf]) -> Result<Node, Box<Diagnostic>> {
    let unread = |error| Diagnostic::error(Place::of_file(file), format!("cannot be read: {error}"));
    let text = std::fs::read_to_string(file).map_err(unread)?;
    let open = [above, &[std::fs::canonicalize(file).map_err(unread)?]].concat();
    let mut parser = Parser { file, text: &text, at: 0, open };
    parser.skip();
    let value = match parser.rest().starts_with('[') {
        true => parser.list()?,
        false => Value::Table(parser.table(None)?),
    };
    parser.skip();
    if !parser.rest().is_empty() {
        return Err(parser.fault("nothing may follow here"));
    }
    Ok(Node { value, at: format!("{}:1", file.display()) })
}

struct Parser<'t> {
    file: &'t Path,
    text: &'t str,
    at: usize,
    /// This file and those that include it.
    open: Vec<PathBuf>,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn place(&self) -> Place {
        Place::of_span(self.file, self.text, self.at, self.at + 1)
    }

    fn fault(&self, message: &str) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(self.place(), message))
    }

    /// Passes over white space, comments, and the commas and semicolons that may stand between items.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
            let rest = &rest[blank..];
            let comment = if rest.starts_with('#') { rest.find('\n').unwrap_or(rest.len()) } else { 0 };
            self.at += blank + comment;
            if comment == 0 {
                return;
            }
        }
    }

    /// A hash's items, to `end` or to the end of the file.
    fn table(&mut self, end: Option<char>) -> Result<Table, Box<Diagnostic>> {
        let mut table = Table::new();
        loop {
            self.skip();
            match (self.rest().chars().next(), end) {
                (None, None) => return Ok(table),
                (None, Some(_)) => return Err(self.fault("a brace is not closed")),
                (Some(found), Some(end)) if found == end => {
                    self.at += 1;
                    return Ok(table);
                }
                _ => {}
            }
            if self.rest().starts_with(INCLUDE) {
                for file in self.include()? {
                    match read_within(&file, &self.open)?.value {
                        Value::Table(included) => table.extend(included),
                        _ => return Err(self.fault("a file that is included here must hold a hash")),
                    }
                }
                continue;
            }
            let key = self.scalar()?;
            self.skip();
            if !self.rest().starts_with('=') {
                return Err(self.fault(&format!("`=` or `=>` must follow the key `{key}`")));
            }
            self.at += if self.rest().starts_with("=>") { 2 } else { 1 };
            let node = self.value()?;
            table.push((key, node));
        }
    }

    fn list(&mut self) -> Result<Value, Box<Diagnostic>> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip();
            match self.rest().chars().next() {
                None => return Err(self.fault("a bracket is not closed")),
                Some(']') => {
                    self.at += 1;
                    return Ok(Value::List(items));
                }
                Some(_) => items.push(self.value()?),
            }
        }
    }

    fn value(&mut self) -> Result<Node, Box<Diagnostic>> {
        self.skip();
        let at = format!("{}:{}", self.file.display(), self.place().line);
        if self.rest().starts_with(INCLUDE) {
            let [file] = &self.include()?[..] else { return Err(self.fault("one file must be included here")) };
            return read_within(file, &self.open);
        }
        let value = match self.rest().chars().next() {
            Some('{') => {
                self.at += 1;
                Value::Table(self.table(Some('}'))?)
            }
            Some('[') => self.list()?,
            _ => Value::Text(self.scalar()?),
        };
        Ok(Node { value, at })
    }

    /// A word, or a string in quotes; a backslash takes the next character as it is, or three digits of its code.
    fn scalar(&mut self) -> Result<String, Box<Diagnostic>> {
        let quoted = self.rest().starts_with('"');
        let start = self.at;
        self.at += usize::from(quoted);
        let mut octets = Vec::new();
        loop {
            let rest = self.rest();
            let Some(next) = rest.chars().next() else {
                if quoted {
                    self.at = start;
                    return Err(self.fault("a quote is not closed"));
                }
                break;
            };
            let is_end = next.is_whitespace() || matches!(next, ']' | '[' | '}' | '{' | ';' | ',' | '"' | '=' | '#');
            match next {
                '"' if quoted => {
                    self.at += 1;
                    break;
                }
                '\\' => {
                    let Some((octet, after)) = crate::wire::name::escaped(&rest.as_bytes()[1..]) else {
                        return Err(
                            self.fault("a backslash must be followed by a character or by three digits up to 255")
                        );
                    };
                    octets.push(octet);
                    self.at += rest.len() - after.len();
                }
                _ if is_end && !quoted => break,
                _ => {
                    octets.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
                    self.at += next.len_utf8();
                }
            }
        }
        if self.at == start {
            return Err(self.fault("a word or a string in quotes must stand here"));
        }
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    /// The files of `$include{…}`: one, those of a folder, or what a pattern matches in its folder.
    fn include(&mut self) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
        let start = self.at;
        self.at += INCLUDE.len();
        self.skip();
        let path = self.scalar()?;
        self.skip();
        if !self.rest().starts_with('}') {
            return Err(self.fault("a brace must close the include"));
        }
        self.at += 1;
        let path = self.file.parent().unwrap_or(Path::new("")).join(path);
        let fault = |this: &mut Self, message: String| {
            this.at = start;
            this.fault(&message)
        };
        if self.open.len() > DEPTH_MAX {
            return Err(fault(self, format!("more than {DEPTH_MAX} includes within each other")));
        }
        let path = if path.is_dir() { path.join("*") } else { path };
        let files = glob::files(&path).map_err(|error| fault(self, error.to_string()))?;
        self.no_circle(files, start)
    }

    /// `files`, if none of them is one that is being read.
    fn no_circle(&mut self, files: Vec<PathBuf>, start: usize) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
        let is_open = |file: &&PathBuf| std::fs::canonicalize(file).is_ok_and(|real| self.open.contains(&real));
        if let Some(again) = files.iter().find(is_open) {
            let message = format!("{} includes itself", again.display());
            self.at = start;
            return Err(self.fault(&message));
        }
        Ok(files)
    }
}

const INCLUDE: &str = "$include{";

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Text(text) => text.clone(),
            Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
            Value::Table(table) => {
                let items: Vec<String> = table.iter().map(|(key, node)| format!("{key}={}", shown(node))).collect();
                format!("{{{}}}", items.join(" "))
            }
        }
    }

    #[test]
    fn the_language_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config");
        std::fs::write(folder.path().join("more"), "k = v\n").expect("written");
        std::fs::write(folder.path().join("list"), "[ a, b ]\n").expect("written");
        let check = |text: &str, expected: Result<&str, &str>| {
            std::fs::write(&file, text).expect("written");
            let got = read(&file);
            let got = got.as_ref().map(shown).map_err(|fault| fault.message.clone());
            assert_eq!(got.as_deref().map_err(String::as_str), expected, "{text}");
        };
        check("", Ok("{}"));
        check("a => { b = c, d => [ 1 2, 3 ] } # x\n e = \"f # \\\" g\"", Ok("{a={b=c d=[1 2 3]} e=f # \" g}"));
        check("dc => %multifo!res_1\nn => 2001:DB8::/32", Ok("{dc=%multifo!res_1 n=2001:DB8::/32}"));
        check("$include{more}, a => $include{ list }", Ok("{k=v a=[a b]}"));
        check("$include{\"mor?\"}", Ok("{k=v}"));
        check("a = { b = c", Err("a brace is not closed"));
        check("a = [ b", Err("a bracket is not closed"));
        check("a b", Err("`=` or `=>` must follow the key `a`"));
        check("a = \"b", Err("a quote is not closed"));
        check("$include{missing}", Err("cannot be read: No such file or directory (os error 2)"));
        let shown = |name: &str| format!("{} includes itself", folder.path().join(name).display());
        check("$include{config}", Err(&shown("config")));
        check("a => $include{\"c*\"}", Err(&shown("config")));
        std::fs::write(folder.path().join("round"), "b => $include{ config }\n").expect("written");
        check("$include{round}", Err(&shown("config")));
        check("a = ]", Err("a word or a string in quotes must stand here"));
    }
}
