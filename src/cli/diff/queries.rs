//! A log of queries: a line `name client-address [count]` each.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::path::Path;

use super::Log;
use crate::preview::Query;
use crate::wire::name::Name;

/// Reads `file`, or stdin for `-`; equal lines are summed.
///
/// # Errors
/// What cannot be read, and the first line that is none, with its number.
pub(super) fn read(file: &Path) -> Result<Log, String> {
    let said = |error: io::Error| format!("--queries {}: cannot be read: {error}", file.display());
    let reader: Box<dyn BufRead> = match file.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(BufReader::new(File::open(file).map_err(said)?)),
    };
    let mut counts: HashMap<(Name, IpAddr), u64> = HashMap::new();
    for (number, line) in (1_u64..).zip(reader.lines()) {
        let line = line.map_err(said)?;
        let text = line.split('#').next().unwrap_or_default();
        if text.trim().is_empty() {
            continue;
        }
        let (name, client, count) =
            query(text).map_err(|wrong| format!("--queries {}:{number}: {wrong}", file.display()))?;
        let sum = counts.entry((name, client)).or_default();
        *sum = sum.saturating_add(count);
    }
    let mut queries: Log = counts.into_iter().map(|((name, client), count)| Query { name, client, count }).collect();
    queries.sort_by(|one, other| (one.name.as_wire(), one.client).cmp(&(other.name.as_wire(), other.client)));
    Ok(queries)
}

fn query(text: &str) -> Result<(Name, IpAddr, u64), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (name, client, count) = match words[..] {
        [name, client] => (name, client, "1"),
        [name, client, count] => (name, client, count),
        _ => return Err("write a name, the client's address, and perhaps a count".to_owned()),
    };
    let name = Name::from_host(name).map_err(|error| format!("`{name}` is not a name: {error}"))?;
    let client = client.parse().map_err(|_| format!("`{client}` is not an IP address"))?;
    let count = count.parse().map_err(|_| format!("`{count}` is not a count"))?;
    Ok((name.to_lowercase(), client, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_or_said_to_be_wrong() {
        let check = |text: &str, expected: Result<(&str, &str, u64), &str>| {
            let read = query(text).map(|(name, client, count)| (name.to_string(), client.to_string(), count));
            let expected = expected.map(|(name, client, count)| (name.to_owned(), client.to_owned(), count));
            assert_eq!(read, expected.map_err(str::to_owned), "{text:?}");
        };
        check("WWW.example.com 192.0.2.1", Ok(("www.example.com.", "192.0.2.1", 1)));
        check("www.example.com. 2001:db8::1\t40", Ok(("www.example.com.", "2001:db8::1", 40)));
        check("www.example.com", Err("write a name, the client's address, and perhaps a count"));
        check("www.example.com 192.0.2.1 1 2", Err("write a name, the client's address, and perhaps a count"));
        check("www.example.com localhost", Err("`localhost` is not an IP address"));
        check("www.example.com 192.0.2.1 -4", Err("`-4` is not a count"));
    }
}
