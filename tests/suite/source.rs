//! Reads Rust sources as far as the architecture test needs: words without comments and strings, test code left
//! out, and every path spelled out. Not a parser: it knows nesting, attributes and paths, nothing of types.

use std::collections::{BTreeMap, BTreeSet};

/// A word or a mark of a source, and the line that it stands on, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: u32,
}

/// A path as it is written, groups spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    /// What a `use` calls it; `None` for a path that is not in a `use`.
    name: Option<String>,
    /// The module within the file that it stands in, from the crate's root.
    module: Vec<String>,
    pub(crate) line: u32,
}

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to `src`.
    pub(crate) path: String,
    pub(crate) module: Vec<String>,
    /// Everything in it.
    pub(crate) tokens: Vec<Token>,
    /// What is left without the items under `#[cfg(test)]`; nothing of a file that is all test.
    pub(crate) served: Vec<Token>,
    pub(crate) paths: Vec<Path>,
    /// Whether it opens with documentation of its own.
    pub(crate) has_head: bool,
}

/// A path that leads from one file to another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference<'h> {
    pub(crate) from: &'h File,
    pub(crate) to: &'h File,
    pub(crate) line: u32,
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for File {}

impl File {
    /// The top-level module that it belongs to.
    pub(crate) fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }
}

/// All files of a crate.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) files: Vec<File>,
    modules: BTreeMap<Vec<String>, usize>,
    /// What each module calls by a name of its own: module and name → path from the crate's root.
    names: BTreeMap<(Vec<String>, String), Vec<String>>,
}

impl House {
    /// Reads files, given by their paths relative to `src` and their texts.
    pub(crate) fn read(texts: &[(String, String)]) -> Self {
        let mut files = Vec::new();
        let mut test_modules = BTreeSet::new();
        for (path, text) in texts {
            let module = module_of(path);
            let tokens = tokens(text);
            let (served, tests) = without_tests(&tokens);
            test_modules.extend(tests.into_iter().map(|name| child(&module, &name)));
            files.push(File {
                path: path.clone(),
                paths: paths(&served, &module),
                module,
                tokens,
                served,
                has_head: text.starts_with("//!"),
            });
        }
        for file in &mut files {
            if (1..=file.module.len()).any(|length| test_modules.contains(&file.module[..length])) {
                file.served.clear();
                file.paths.clear();
            }
        }
        let modules = files.iter().enumerate().map(|(at, file)| (file.module.clone(), at)).collect();
        let mut house = Self { files, modules, names: BTreeMap::new() };
        let named = |path: &Path| {
            let name = path.name.clone().filter(|name| name != "*" && name != "_")?;
            Some(((path.module.clone(), name), house.absolute(path)?))
        };
        let names = house.files.iter().flat_map(|file| &file.paths).filter_map(named).collect();
        house.names = names;
        house
    }

    /// Every path that leads to another file.
    pub(crate) fn references(&self) -> Vec<Reference<'_>> {
        let mut references = Vec::new();
        for from in &self.files {
            for path in &from.paths {
                let Some(absolute) = self.absolute(path) else { continue };
                let to = self.file_of(&absolute);
                if to != from && !to.module.is_empty() {
                    references.push(Reference { from, to, line: path.line });
                }
            }
        }
        references
    }

    /// The path from the crate's root; `None` when it leads out of the crate.
    fn absolute(&self, path: &Path) -> Option<Vec<String>> {
        let mut base = path.module.clone();
        let mut rest = path.segments.as_slice();
        match rest.first()?.as_str() {
            "crate" | "bellwether" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while let Some("super") = rest.first().map(String::as_str) {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            first if self.modules.contains_key(&child(&base, first)) => {}
            _ => return None,
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// The file that a path from the root leads to, through whatever modules pass its names on.
    fn file_of(&self, absolute: &[String]) -> &File {
        let mut path = absolute.to_vec();
        // A name that is passed on in a circle does not compile, so this ends; the bound says so to a reader.
        for _ in 0..self.files.len() {
            let depth = (0..=path.len()).rev().find(|&depth| self.modules.contains_key(&path[..depth])).unwrap_or(0);
            let passed_on = path.get(depth).and_then(|name| self.names.get(&(path[..depth].to_vec(), name.clone())));
            match passed_on {
                Some(target) if target[..] != path[..=depth] => path.splice(..=depth, target.iter().cloned()),
                _ => return &self.files[self.modules[&path[..depth]]],
            };
        }
        &self.files[0]
    }
}

/// `zone/mod.rs` is the module `zone`, `zone/tree.rs` is `zone::tree`, `lib.rs` is the root.
fn module_of(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if stem == "lib" { Vec::new() } else { stem.split('/').map(str::to_owned).collect() }
}

fn child(module: &[String], name: &str) -> Vec<String> {
    [module, &[name.to_owned()]].concat()
}

/// The words and marks of `text`: no comments, no literals but numbers; `::` is one mark.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut tokens, mut line, mut i) = (Vec::new(), 1, 0);
    while i < chars.len() {
        let start = i;
        i = match (at(i), at(i + 1)) {
            ('/', '/') => (i..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len()),
            ('/', '*') => after_comment(&chars, i),
            ('"', _) => after_string(&chars, i),
            ('\'', '\\') => after_char(&chars, i),
            ('\'', _) if at(i + 2) == '\'' => after_char(&chars, i),
            ('\'', _) => (i + 1..chars.len()).find(|&i| !is_word(chars[i])).unwrap_or(chars.len()),
            (':', ':') => i + 2,
            (c, _) if is_word(c) => {
                let end = (i..chars.len()).find(|&i| !is_word(chars[i])).unwrap_or(chars.len());
                let word: String = chars[i..end].iter().collect();
                match (word.as_str(), at(end)) {
                    ("r" | "br" | "cr", '"' | '#') if !(at(end) == '#' && is_word(at(end + 1))) => {
                        after_raw_string(&chars, end)
                    }
                    // A raw identifier is the word behind its mark.
                    ("r", '#') => end + 1,
                    ("b" | "c", '"') => after_string(&chars, end),
                    ("b", '\'') => after_char(&chars, end),

                    _ => {
                        tokens.push(Token { text: word, line });
                        end
                    }
                }
            }
            _ => i + 1,
        };
        let skipped = &chars[start..i.min(chars.len())];
        match skipped {
            [':', ':'] => tokens.push(Token { text: "::".to_owned(), line }),
            [c] if !c.is_whitespace() && !is_word(*c) => tokens.push(Token { text: c.to_string(), line }),
            _ => {}
        }
        line += skipped.iter().filter(|&&c| c == '\n').count() as u32;
    }
    tokens
}

fn after_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i < chars.len() {
        match chars[i..] {
            ['/', '*', ..] => depth += 1,
            ['*', '/', ..] => depth -= 1,
            _ => {
                i += 1;
                continue;
            }
        }
        i += 2;
        if depth == 0 {
            break;
        }
    }
    i
}

fn after_string(chars: &[char], quote: usize) -> usize {
    let mut i = quote + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

fn after_char(chars: &[char], quote: usize) -> usize {
    // An escape has a character that may itself be a quote.
    let escaped = usize::from(chars.get(quote + 1) == Some(&'\\'));
    (quote + 2 + escaped..chars.len()).find(|&i| chars[i] == '\'').map_or(chars.len(), |end| end + 1)
}

fn after_raw_string(chars: &[char], marks: usize) -> usize {
    let hashes = chars[marks..].iter().take_while(|&&c| c == '#').count();
    let ends =
        |&i: &usize| chars[i] == '"' && chars[i + 1..].iter().take_while(|&&c| c == '#').take(hashes).count() == hashes;
    (marks + hashes + 1..chars.len()).find(ends).map_or(chars.len(), |end| end + 1 + hashes)
}

/// The tokens without the items under `#[cfg(test)]`, and the names of the modules that are files under it.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    let (mut served, mut modules, mut i) = (Vec::new(), Vec::new(), 0);
    while i < tokens.len() {
        let mut at = i;
        let mut is_test = false;
        while texts[at..].starts_with(&["#", "["]) {
            is_test |= texts[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]);
            at = after_nested(&texts, at + 1);
        }
        if is_test {
            let item = texts[at..].iter().position(|text| !matches!(*text, "pub" | "(" | ")" | "crate" | "super"));
            if let Some(["mod", name, ";"]) = item.and_then(|item| texts.get(at + item..at + item + 3)) {
                modules.push((*name).to_owned());
            }
            i = after_item(&texts, at);
        } else {
            let end = at.max(i + 1);
            served.extend_from_slice(&tokens[i..end]);
            i = end;
        }
    }
    (served, modules)
}

/// Behind the group that opens at `open`.
fn after_nested(texts: &[&str], open: usize) -> usize {
    let mut depth = 0;
    for (at, text) in texts.iter().enumerate().skip(open) {
        match *text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    texts.len()
}

/// Behind the item that begins at `start`: its semicolon or its block; a `use` has groups before its semicolon.
fn after_item(texts: &[&str], start: usize) -> usize {
    let mut at = start;
    let mut is_use = false;
    while let Some(text) = texts.get(at) {
        is_use |= *text == "use";
        match *text {
            ";" => return at + 1,
            "{" if !is_use => return after_nested(texts, at),
            "(" | "[" | "{" => at = after_nested(texts, at),
            _ => at += 1,
        }
    }
    texts.len()
}

/// Every path in `tokens` of two segments or more, and every `use`.
fn paths(tokens: &[Token], module: &[String]) -> Vec<Path> {
    let mut reader = Reader { tokens, at: 0, module: module.to_vec(), paths: Vec::new() };
    // Modules that are written out in the file, each with the depth of braces that it ends at.
    let (mut depth, mut inline) = (0, Vec::new());
    while let Some(token) = tokens.get(reader.at) {
        match token.text.as_str() {
            "mod" if reader.text(2) == "{" => {
                reader.module.push(reader.text(1).to_owned());
                inline.push(depth);
                depth += 1;
                reader.at += 3;
            }
            "use" => {
                reader.at += 1;
                reader.tree(&[], true);
            }
            "{" => {
                depth += 1;
                reader.at += 1;
            }
            "}" => {
                depth -= 1;
                if inline.last() == Some(&depth) {
                    inline.pop();
                    reader.module.pop();
                }
                reader.at += 1;
            }
            "::" if is_name(reader.text(1)) && reader.text(2) == "::" => {
                reader.at += 1;
                reader.tree(&[], false);
            }
            text if is_name(text) && reader.text(1) == "::" => reader.tree(&[], false),
            _ => reader.at += 1,
        }
    }
    reader.paths
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    module: Vec<String>,
    paths: Vec<Path>,
}

impl Reader<'_> {
    /// The text of the token so far ahead; empty past the end.
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text.as_str())
    }

    /// Reads one path, or the group of paths that stands for it, behind `prefix`.
    fn tree(&mut self, prefix: &[String], is_use: bool) {
        let mut segments = prefix.to_vec();
        let Some(line) = self.tokens.get(self.at).map(|token| token.line) else { return };
        if self.text(0) == "::" {
            self.at += 1;
        }
        loop {
            match self.text(0) {
                "{" => return self.group(&segments, is_use),
                "*" => segments.push("*".to_owned()),
                "self" if !segments.is_empty() => {}
                name if is_name(name) => segments.push(name.to_owned()),
                _ => break,
            }
            self.at += 1;
            let next = self.text(1);
            if self.text(0) != "::" || !(is_name(next) || matches!(next, "{" | "*")) {
                break;
            }
            self.at += 1;
        }
        let mut name = segments.last().cloned();
        if is_use && self.text(0) == "as" {
            name = Some(self.text(1).to_owned());
            self.at += 2;
        }
        self.paths.push(Path { segments, name: name.filter(|_| is_use), module: self.module.clone(), line });
    }

    fn group(&mut self, prefix: &[String], is_use: bool) {
        self.at += 1;
        while self.at < self.tokens.len() && self.text(0) != "}" {
            let before = self.at;
            self.tree(prefix, is_use);
            if self.text(0) == "," || self.at == before {
                self.at += 1;
            }
        }
        self.at += 1;
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> String {
        tokens(text).into_iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_left_out() {
        let check = |text: &str, expected: &str| assert_eq!(texts(text), expected, "{text}");
        check("a // crate::b\nc", "a c");
        check("a /* x /* y */ z */ b", "a b");
        check(r#"f("crate::x \" y", b"z", c"w") g"#, "f ( , , ) g");
        check(r##"f(r"a\", r#"b " c"#, br#"d"#) g"##, "f ( , , ) g");
        check("r#type::x", "type :: x");
        check("'a' '\\'' '\\u{1F600}' '\"' b'\\'' b'x' x", "x");
        check("fn f<'a>(x: &'a u8)", "fn f < > ( x : & u8 )");
        check("0..=5 1_000u64 x", "0 . . = 5 1_000u64 x");
        check("/// crate::doc\n//! more\nx", "x");
        assert_eq!(tokens("a\n/*\n\n*/\"\n\"b")[1].line, 5);
    }

    #[test]
    fn paths_are_spelled_out() {
        let check = |text: &str, expected: &str| {
            let tokens = without_tests(&tokens(text)).0;
            let paths = paths(&tokens, &["m".to_owned()]);
            let shown: Vec<_> =
                paths.iter().map(|path| format!("{}@{}", path.segments.join("::"), path.line)).collect();
            assert_eq!(shown.join(" "), expected, "{text}");
        };
        check(
            "use crate::a::{self, b::{C, D as E},\n f::*};",
            "crate::a@1 crate::a::b::C@1 crate::a::b::D@1 crate::a::f::*@2",
        );
        check("pub(crate) use super::x; pub(in crate::y) fn f() {}", "super::x@1 crate::y@1");
        check("let v = crate::a::b::<u8>::new() { x };", "crate::a::b@1");
        check(
            "fn f(x: &crate::a::B) -> Vec<super::C> { ::std::fs::read(x) }",
            "crate::a::B@1 super::C@1 std::fs::read@1",
        );
        check("#[cfg(test)]\nmod tests { use crate::a; { } }\nuse crate::b;", "crate::b@3");
        check("#[cfg(test)]\n#[allow(x)]\nuse crate::{a, b};\nuse crate::c;", "crate::c@4");
        check("#[cfg(test)] fn f(x: [u8; 2]) { crate::a::b() } #[inline] fn g() { crate::c::d() }", "crate::c::d@1");
        check("#[cfg(not(test))] use crate::a;", "crate::a@1");
    }

    #[test]
    fn names_that_a_module_passes_on_lead_to_their_file() {
        let house = House::read(
            &[
                ("lib.rs", "pub mod a;"),
                ("a/mod.rs", "mod b; mod c; #[cfg(test)] mod tests; pub use b::{B, Old as New};"),
                ("a/b.rs", "mod inner { fn f() { super::super::c::C } }"),
                ("a/c.rs", "use super::New; fn f() { super::Own; crate::a::B::new(); }"),
                ("a/tests.rs", "use super::c::C;"),
            ]
            .map(|(path, text)| (path.to_owned(), text.to_owned())),
        );
        let shown: Vec<_> = house
            .references()
            .iter()
            .map(|reference| format!("{} {}", reference.from.path, reference.to.path))
            .collect();
        let expected = [
            "a/mod.rs a/b.rs",
            "a/mod.rs a/b.rs",
            "a/b.rs a/c.rs",
            "a/c.rs a/b.rs",
            "a/c.rs a/mod.rs",
            "a/c.rs a/b.rs",
        ];
        assert_eq!(shown, expected);
    }
}
