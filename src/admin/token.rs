//! What proves that one may ask.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Characters of a token, at the least: 128 bits in hexadecimal.
pub const TOKEN_LEAST: usize = 32;

/// Characters of a token, at the most: it goes into a header of each request.
pub const TOKEN_MOST: usize = 512;

/// A secret that both sides know. Never shown: it prints as `Token`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub(super) String);

impl Token {
    /// The token in `text`, the content of a token file: one line, [`TOKEN_LEAST`] to [`TOKEN_MOST`] visible ASCII characters.
    ///
    /// # Errors
    /// What is wrong with it, without showing it.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches(['\r', '\n']);
        if !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err("a token must be one line of letters, digits and signs, without spaces".to_owned());
        }
        if !(TOKEN_LEAST..=TOKEN_MOST).contains(&text.len()) {
            let found = text.len();
            return Err(format!("a token must have {TOKEN_LEAST} to {TOKEN_MOST} characters, found {found}"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The token in the file `path`.
    ///
    /// # Errors
    /// Why it cannot be read, or what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let mut text = String::new();
        // With a little more than fits, so that what is too long is told as that.
        let read = File::open(path).and_then(|file| file.take(2 * TOKEN_MOST as u64).read_to_string(&mut text));
        read.map_err(|error| error.to_string())?;
        Self::new(&text)
    }

    /// The secret itself, to send it.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_one_line() {
        let check = |text: &str, expected: Result<(), &str>| match (Token::new(text), expected) {
            (Ok(token), Ok(())) => assert!(!format!("{token:?}").contains(text.trim())),
            (Err(error), Err(says)) => assert!(error.contains(says), "{error}"),
            (got, _) => panic!("{text:?}: {got:?}"),
        };
        let long = "a".repeat(TOKEN_LEAST);
        check(&long, Ok(()));
        check(&format!("{long}\n"), Ok(()));
        check(&format!("{long}\r\n"), Ok(()));
        check(&long[1..], Err("found 31"));
        check("", Err("found 0"));
        check(&"a".repeat(TOKEN_MOST + 1), Err("found 513"));
        check(&format!("{long}\n{long}\n"), Err("one line"));
        check(&format!("{long} "), Err("without spaces"));
    }
}
