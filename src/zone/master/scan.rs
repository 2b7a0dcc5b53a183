//! From the octets of a master file to the tokens of its entries (RFC 1035 §5.1): white space, comments, quotes,
//! parentheses, line ends. What a token means is not known here.
//!
//! Tokens are slices of the text, escapes still in them. A `"` closes on its own line, as with BIND: a quote
//! that is forgotten then costs one line, not the rest of the file.

use super::fault::{Fault, Reading};

/// Parentheses that are opened and never closed, per text, before reading it is given up: each costs a pass
/// over all that follows.
const UNCLOSED_MAX: u32 = 8;

/// One token: a word, or what stands between quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a [u8],
    /// Where `text` begins.
    pub(super) start: usize,
    pub(super) quoted: bool,
}

impl Token<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(super) fn fault(&self, message: impl Into<String>) -> Box<Fault> {
        Fault::at(self.start, self.end(), message)
    }

    pub(super) fn is(&self, word: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word.as_bytes())
    }
}

/// Where an entry begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The line, counted from 1.
    pub(super) line: u32,
    /// Whether white space comes first: the owner is the last one's.
    pub(super) indented: bool,
}

/// A text, and how far it has been read.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    depth: u32,
    /// Where the outermost open parenthesis is, and on which line.
    opened: (usize, u32),
    unclosed: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Escape,
    Blank,
    LineEnd,
    Comment,
    Open,
    Close,
    Quote,
    Control,
}

/// The class of each octet. A carriage return is white space, so CRLF line ends need no case of their own.
static CLASSES: [Class; 256] = {
    let mut classes = [Class::Word; 256];
    let mut octet = 0;
    while octet < b' ' {
        classes[octet as usize] = Class::Control;
        octet += 1;
    }
    classes[0x7f] = Class::Control;
    classes[b' ' as usize] = Class::Blank;
    classes[b'\t' as usize] = Class::Blank;
    classes[b'\r' as usize] = Class::Blank;
    classes[b'\n' as usize] = Class::LineEnd;
    classes[b'\\' as usize] = Class::Escape;
    classes[b';' as usize] = Class::Comment;
    classes[b'(' as usize] = Class::Open;
    classes[b')' as usize] = Class::Close;
    classes[b'"' as usize] = Class::Quote;
    classes
};

fn class(octet: u8) -> Class {
    CLASSES[usize::from(octet)]
}

impl<'a> Scanner<'a> {
    /// A byte order mark at the start is passed over.
    pub(super) fn new(text: &'a [u8]) -> Self {
        let at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self { text, at, line: 1, depth: 0, opened: (0, 1), unclosed: 0 }
    }

    /// One that begins in the middle of a text, at the start of a line, which it counts as the first.
    pub(super) fn from(text: &'a [u8], at: usize) -> Self {
        Self { at, ..Self::new(text) }
    }

    /// Goes on where `other`, which read a part of the text from here on, has come to.
    pub(super) fn join(&mut self, other: &Scanner<'_>) {
        self.at = other.at;
        self.line = self.line.saturating_add(other.line - 1);
    }

    /// Whether some parenthesis was never closed.
    pub(super) fn is_unclosed(&self) -> bool {
        self.unclosed > 0
    }

    /// The line that it is on, counted from 1.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// As [`entry`](Self::entry), but for an entry that begins at `end` or later: there it stops before it.
    pub(super) fn entry_before(&mut self, end: usize) -> Option<Entry> {
        let (at, line) = (self.at, self.line);
        let entry = self.entry()?;
        if self.at < end {
            return Some(entry);
        }
        if self.at > end || entry.indented {
            // The blanks before it belong to it.
            (self.at, self.line) = (at, line);
        }
        None
    }

    /// Whether so many parentheses are open that reading on is pointless.
    pub(super) fn is_hopeless(&self) -> bool {
        self.unclosed >= UNCLOSED_MAX
    }

    /// How far the text has been read, in octets.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes to the next entry, past blank lines and comments; `None` at the end of the text.
    pub(super) fn entry(&mut self) -> Option<Entry> {
        loop {
            let line_start = self.at;
            self.skip(|octet| class(octet) == Class::Blank);
            let indented = self.at > line_start && self.text[line_start] != b'\r';
            match self.text.get(self.at)? {
                b'\n' => {
                    self.at += 1;
                    self.line = self.line.saturating_add(1);
                }
                b';' => self.skip(|octet| octet != b'\n'),
                _ => return Some(Entry { line: self.line, indented }),
            }
        }
    }

    /// The next token of the entry; `None` at its end.
    ///
    /// # Errors
    /// What is no token: a quote or a parenthesis without its other half, a control octet. Reading can go on
    /// after each.
    pub(super) fn token(&mut self) -> Reading<Option<Token<'a>>> {
        loop {
            let Some(&octet) = self.text.get(self.at) else { return self.end_of_text() };
            match class(octet) {
                Class::Blank => self.at += 1,
                Class::Word | Class::Escape => return self.word().map(Some),
                Class::LineEnd if self.depth == 0 => return Ok(None),
                Class::LineEnd => {
                    self.at += 1;
                    self.line = self.line.saturating_add(1);
                }
                Class::Comment => self.skip(|octet| octet != b'\n'),
                Class::Open => {
                    if self.depth == 0 {
                        self.opened = (self.at, self.line);
                    }
                    self.depth += 1;
                    self.at += 1;
                }
                Class::Close => {
                    self.at += 1;
                    let Some(depth) = self.depth.checked_sub(1) else {
                        return Err(Fault::at(self.at - 1, self.at, "this `)` closes nothing"));
                    };
                    self.depth = depth;
                }
                Class::Quote => return self.quoted().map(Some),
                Class::Control => return Err(self.control()),
            }
        }
    }

    /// Leaves the entry. Gives the fault of a parenthesis that is never closed: then the entry is taken to end
    /// with the line of that parenthesis and the indented ones after it, so that later faults are still found.
    pub(super) fn skip_entry(&mut self) -> Option<Box<Fault>> {
        let unclosed = self.unclosed;
        loop {
            match self.token() {
                Ok(None) => return None,
                Err(fault) if self.unclosed > unclosed => return Some(fault),
                Ok(Some(_)) | Err(_) => {}
            }
        }
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|&octet| !wanted(octet)).unwrap_or(rest.len());
    }

    fn word(&mut self) -> Reading<Token<'a>> {
        let start = self.at;
        while let Some(&octet) = self.text.get(self.at) {
            match class(octet) {
                Class::Word => self.at += 1,
                Class::Escape => {
                    let lone = matches!(self.text.get(self.at + 1), None | Some(b'\n'));
                    self.at += if lone { 1 } else { 2 };
                }
                Class::Control => return Err(self.control()),
                _ => break,
            }
        }
        Ok(Token { text: &self.text[start..self.at], start, quoted: false })
    }

    fn quoted(&mut self) -> Reading<Token<'a>> {
        let start = self.at + 1;
        self.at = start;
        while let Some(&octet) = self.text.get(self.at) {
            match octet {
                b'"' => {
                    self.at += 1;
                    return Ok(Token { text: &self.text[start..self.at - 1], start, quoted: true });
                }
                b'\n' => break,
                b'\\' if !matches!(self.text.get(self.at + 1), None | Some(b'\n')) => self.at += 2,
                b'\t' | b'\r' => self.at += 1,
                _ if class(octet) == Class::Control => return Err(self.control()),
                _ => self.at += 1,
            }
        }
        Err(Fault::at(start - 1, self.at, "this string is not closed on its line")
            .help("a string ends with `\"` on the line where it began; a `\"` inside of it is written `\\\"`"))
    }

    fn control(&mut self) -> Box<Fault> {
        let octet = self.text.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        Fault::at(self.at - 1, self.at, format!("octet {octet} is a control character"))
            .help(format!("where it is meant, it is written `\\{octet:03}`; a master file is plain text"))
    }

    fn end_of_text(&mut self) -> Reading<Option<Token<'a>>> {
        if self.depth == 0 {
            return Ok(None);
        }
        let (opened, line) = self.opened;
        (self.at, self.line, self.depth) = (opened, line, 0);
        // Indented lines that follow were meant to be inside.
        loop {
            self.skip(|octet| octet != b'\n');
            if !matches!(self.text.get(self.at + 1), Some(b' ' | b'\t')) {
                break;
            }
            self.at += 1;
            self.line = self.line.saturating_add(1);
        }
        self.unclosed += 1;
        Err(Fault::at(opened, opened + 1, "this `(` is never closed"))
    }
}
