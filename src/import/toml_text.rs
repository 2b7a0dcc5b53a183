//! Pieces of a policy file's text.

use std::fmt::Write as _;

/// A string as TOML writes it.
pub(super) fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A key: bare where it may be, else quoted.
pub(super) fn key(text: &str) -> String {
    let is_bare = !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
    if is_bare { text.to_owned() } else { string(text) }
}

/// An array of strings.
pub(super) fn strings<T: AsRef<str>>(texts: &[T]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| string(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}

/// An inline table of values that are TOML already.
pub(super) fn inline(pairs: &[(&str, String)]) -> String {
    let mut text = "{ ".to_owned();
    for (number, (key, value)) in pairs.iter().enumerate() {
        let _ = write!(text, "{}{key} = {value}", if number > 0 { ", " } else { "" });
    }
    text.push_str(" }");
    text
}
