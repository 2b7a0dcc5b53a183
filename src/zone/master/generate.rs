//! `$GENERATE`, BIND's shorthand for a run of records: the range, and the templates that become text.
//!
//! Source: BIND 9 Administrator Reference Manual, "BIND Primary File Extension: the $GENERATE Directive".

use super::fault::Reading;
use super::number::decimal;
use super::scan::Token;

/// Records that one `$GENERATE` may make: all the addresses of an IPv4 /16.
pub const GENERATED_MAX: u64 = 65_536;

/// Records that all `$GENERATE` of a file and its included files may make together: 16 of the largest.
pub const GENERATED_TOTAL_MAX: u64 = 1 << 20;

/// The most that a range may reach, as with BIND: a positive 32-bit number.
const VALUE_MAX: u64 = 0x7fff_ffff;

/// Digits that a number may be widened to: four more than the longest name could hold.
const WIDTH_MAX: u64 = 255;

/// The numbers of a `$GENERATE`: `start-stop` or `start-stop/step`.
pub(super) fn range(token: Token<'_>) -> Reading<impl Iterator<Item = u64> + use<>> {
    let bounds = || {
        let text = std::str::from_utf8(token.text).ok()?;
        let (span, step) = text.split_once('/').unwrap_or((text, "1"));
        let (start, stop) = span.split_once('-')?;
        let number = |text: &str| decimal(text.as_bytes()).filter(|&value| value <= VALUE_MAX);
        Some((number(start)?, number(stop)?, number(step).filter(|&step| step > 0)?))
    };
    let expected = "`start-stop` or `start-stop/step`, numbers up to 2147483647, start not above stop";
    let refused = || token.fault(format!("a $GENERATE range is {expected}, not `{}`", super::fault::shown(token.text)));
    let (start, stop, step) = bounds().filter(|&(start, stop, _)| start <= stop).ok_or_else(refused)?;
    let count = (stop - start) / step + 1;
    if count > GENERATED_MAX {
        return Err(token.fault(format!("this range makes {count} records; one $GENERATE may make {GENERATED_MAX}")));
    }
    Ok((0..count).map(move |index| start + index * step))
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Number { offset: i64, width: usize, base: u8 },
}

/// A text in which `$` stands for the number of the round.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

impl Template {
    /// Reads a template: `$` is the number, `$$` and `\$` a dollar sign, `${offset[,width[,base]]}` the number
    /// moved, widened with zeros and in base `d`, `o`, `x`, `X`, `n` or `N`. Other escapes stay as they are.
    pub(super) fn read(token: Token<'_>) -> Reading<Self> {
        let (mut pieces, mut text, mut rest) = (Vec::new(), Vec::new(), token.text);
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            match (octet, after.first()) {
                (b'$', Some(b'$')) | (b'\\', Some(b'$')) => {
                    text.push(b'$');
                    rest = &after[1..];
                }
                (b'\\', Some(&escaped)) => {
                    text.extend_from_slice(&[octet, escaped]);
                    rest = &after[1..];
                }
                (b'$', next) => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    let braced = next == Some(&b'{');
                    let close = after.iter().position(|&octet| octet == b'}').filter(|_| braced);
                    let inside = close.map_or(&[][..], |close| &after[1..close]);
                    let number = if braced { modifiers(inside) } else { Some(PLAIN) };
                    let number = number.ok_or_else(|| {
                        token
                            .fault("what follows `${` is not `offset[,width[,base]]}`")
                            .help(format!("a width is at most {WIDTH_MAX}; a base is one of d, o, x, X, n, N"))
                    })?;
                    pieces.push(number);
                    rest = close.map_or(after, |close| &after[close + 1..]);
                }
                _ => text.push(octet),
            }
        }
        pieces.push(Piece::Text(text));
        Ok(Self(pieces))
    }

    /// Appends the text of one round; `None` when an offset makes the number negative.
    pub(super) fn write(&self, round: u64, out: &mut Vec<u8>) -> Option<()> {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                &Piece::Number { offset, width, base } => {
                    let value = u64::try_from(i64::try_from(round).ok()?.checked_add(offset)?).ok()?;
                    let digits = match base {
                        b'o' => format!("{value:0width$o}"),
                        b'x' => format!("{value:0width$x}"),
                        b'X' => format!("{value:0width$X}"),
                        b'n' => nibbles(&format!("{value:x}"), width),
                        b'N' => nibbles(&format!("{value:X}"), width),
                        _ => format!("{value:0width$}"),
                    };
                    out.extend_from_slice(digits.as_bytes());
                }
            }
        }
        Some(())
    }
}

const PLAIN: Piece = Piece::Number { offset: 0, width: 0, base: b'd' };

fn modifiers(inside: &[u8]) -> Option<Piece> {
    let mut parts = std::str::from_utf8(inside).ok()?.split(',');
    let offset = parts.next()?;
    let digits = offset.strip_prefix(['-', '+']).unwrap_or(offset);
    let offset_size = i64::try_from(decimal(digits.as_bytes()).filter(|&size| size <= VALUE_MAX)?).ok()?;
    let offset = if offset.starts_with('-') { -offset_size } else { offset_size };
    let width = parts.next().map_or(Some(0), |width| decimal(width.as_bytes()).filter(|&width| width <= WIDTH_MAX))?;
    let base = match parts.next() {
        None => b'd',
        Some(base @ ("d" | "o" | "x" | "X" | "n" | "N")) => base.as_bytes()[0],
        Some(_) => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    Some(Piece::Number { offset, width: usize::try_from(width).ok()?, base })
}

/// Hexadecimal digits from the last to the first with a dot after each but the last, as reverse IPv6 names have
/// them. The width counts the dots.
fn nibbles(digits: &str, width: usize) -> String {
    let mut text = String::with_capacity(width.max(2 * digits.len()));
    let mut digits = digits.chars().rev().peekable();
    let mut left = width;
    loop {
        text.push(digits.next().unwrap_or('0'));
        left = left.saturating_sub(1);
        if left == 0 && digits.peek().is_none() {
            return text;
        }
        text.push('.');
        left = left.saturating_sub(1);
        if left == 0 && digits.peek().is_none() {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token<'_> {
        Token { text: text.as_bytes(), start: 0, quoted: false }
    }

    #[test]
    fn templates_are_filled_in() {
        let check = |template: &str, round, expected: Option<&str>| {
            let mut out = Vec::new();
            let written = Template::read(token(template)).expect(template).write(round, &mut out);
            assert_eq!(written.map(|()| String::from_utf8_lossy(&out).into_owned()).as_deref(), expected, "{template}");
        };
        check("host-$", 7, Some("host-7"));
        check("a$b$", 1, Some("a1b1"));
        check("$$x\\$", 1, Some("$x$"));
        check("\\..$", 1, Some("\\..1"));
        check("${0,3}", 7, Some("007"));
        check("${-5}", 7, Some("2"));
        check("${5,0,d}", 7, Some("12"));
        check("${0,4,x}", 255, Some("00ff"));
        check("${0,0,X}", 255, Some("FF"));
        check("${0,0,o}", 8, Some("10"));
        check("${0,0,n}", 0x1a2, Some("2.a.1"));
        check("${0,7,n}", 0x1a, Some("a.1.0.0"));
        check("${0,8,N}", 0x1a, Some("A.1.0.0."));
        check("${-8}", 7, None);
    }

    #[test]
    fn templates_and_ranges_are_refused() {
        for bad in ["${", "${}", "${x}", "${1,2,z}", "${1,999}", "${1,2,d,4}"] {
            assert!(Template::read(token(bad)).is_err(), "{bad}");
        }
        let check = |text: &str, expected: Option<&[u64]>| {
            let numbers = range(token(text)).ok().map(Iterator::collect::<Vec<_>>);
            assert_eq!(numbers.as_deref(), expected, "{text}");
        };
        check("1-3", Some(&[1, 2, 3]));
        check("0-5/2", Some(&[0, 2, 4]));
        check("7-7", Some(&[7]));
        for bad in ["3-1", "1", "1-3/0", "a-b", "-1-3", "1-2147483648", "0-65536", ""] {
            check(bad, None);
        }
    }
}
