//! Texts and what is read of them.

mod types;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::diagnostic::Severity;
use crate::wire::rtype::Form;

fn apex() -> Name {
    Name::from_host("example.com").expect("a name")
}

/// A record as its generic text (RFC 3597 §5).
fn generic(record: Record<'_>) -> String {
    let owner = Name::from_wire(record.owner).expect("an owner in wire form");
    let mut line = format!("{owner} {} IN TYPE{} \\# {} ", record.ttl, record.rtype.0, record.rdata.len());
    record.rdata.iter().for_each(|octet| write!(line, "{octet:02x}").expect("a string"));
    line
}

fn zone_file(name: &str) -> (Vec<String>, Outcome) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones");
    let mut lines = Vec::new();
    let outcome = read(&folder.join(name), &folder, &apex(), &mut |record| {
        assert_eq!(crate::wire::rdata::check(record.rtype, record.rdata), Ok(()), "{record:?}");
        lines.push(generic(record));
    });
    (lines, outcome)
}

/// BIND reads the sample and what was made of it to the same zone. Where BIND is not installed, nothing is
/// compared, and the test says so; under CI that is a failure.
#[test]
#[allow(clippy::print_stderr, reason = "a peer that is missing is named")]
fn bind_reads_the_same() {
    let (lines, outcome) = zone_file("every-type.zone");
    assert_eq!(outcome.diagnostics, []);
    let folder = tempfile::tempdir().expect("a folder");
    let ours = folder.path().join("ours.zone");
    fs::write(&ours, lines.join("\n") + "\n").expect("a file");
    let compiled = |zone: &Path, to: &str| {
        let to = folder.path().join(to);
        let run = Command::new("named-compilezone")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zones"))
            .args([
                "-q", "-k", "ignore", "-m", "ignore", "-n", "ignore", "-r", "ignore", "-i", "none", "-s", "full", "-o",
            ])
            .args([to.as_os_str(), "example.com".as_ref(), zone.as_os_str()])
            .output();
        match run {
            Ok(run) if run.status.success() => Some(fs::read_to_string(&to).expect("a zone")),
            Ok(run) => panic!("{}", String::from_utf8_lossy(&run.stdout)),
            Err(_) => None,
        }
    };
    let Some(bind) = compiled(Path::new("every-type.zone"), "bind.zone") else {
        assert!(std::env::var_os("CI").is_none(), "named-compilezone (Debian: bind9-utils) is not installed");
        eprintln!("named-compilezone is not installed: nothing was compared with BIND");
        return;
    };
    let ours = compiled(&ours, "ours.out").unwrap_or_default();
    let differing: Vec<_> = bind.lines().filter(|line| !ours.lines().any(|ours| ours == *line)).collect();
    assert_eq!(differing, [""; 0], "lines of BIND that are not ours");
    assert_eq!(bind.lines().count(), ours.lines().count());
}

const ZONE: &str = "t.zone";

fn read_all(text: &[u8]) -> (Vec<String>, Vec<Diagnostic>) {
    let mut lines = Vec::new();
    let outcome = read_text(Path::new(ZONE), text, &apex(), &mut |record| {
        let owner = Name::from_wire(record.owner).expect("an owner in wire form");
        let mut line = format!("{owner} {} {} ", record.ttl, record.rtype);
        record.rdata.iter().for_each(|octet| write!(line, "{octet:02x}").expect("a string"));
        lines.push(line);
    });
    (lines, outcome.diagnostics)
}

#[test]
fn every_type_is_read_and_refused() {
    for (right, rdata, wrong, message) in types::TYPES {
        let mnemonic = right.split(' ').next().unwrap_or_default();
        let (lines, faults) = read_all(format!("$TTL 60\n@ {right}\n").as_bytes());
        assert_eq!(faults, [], "{right}");
        assert_eq!(lines, [format!("example.com. 60 {mnemonic} {rdata}")], "{right}");

        // The same octets as of an unknown type; and cut by one, unless any octets will do.
        let rtype: Rtype = mnemonic.parse().expect("a mnemonic");
        let octets = rdata.len() / 2;
        let (lines, faults) = read_all(format!("$TTL 60\n@ TYPE{} \\# {octets} {rdata}\n", rtype.0).as_bytes());
        assert_eq!((lines.len(), faults.len()), (1, 0), "{right}");

        let (lines, faults) = read_all(format!("$TTL 60\n@ {wrong}\n").as_bytes());
        assert_eq!(lines, [""; 0], "{wrong}");
        assert_eq!(faults.len(), 1, "{wrong}: {faults:?}");
        assert!(faults[0].to_string().contains(message), "{wrong}: {}", faults[0]);
        assert_eq!(faults[0].place.line, 2, "{wrong}");
    }
    let listed = |mnemonic: &str| types::TYPES.iter().any(|(right, ..)| right.split(' ').next() == Some(mnemonic));
    for mnemonic in Rtype::mnemonics() {
        let form = mnemonic.parse::<Rtype>().ok().and_then(Rtype::definition).map(|definition| definition.form);
        match form {
            Some(Form::Fields(_)) => assert!(listed(mnemonic), "{mnemonic} has no line in the table"),
            Some(Form::Meta) => {
                let (_, faults) = read_all(format!("@ 60 {mnemonic} x\n").as_bytes());
                assert!(faults[0].message.contains("meta type"), "{}", faults[0]);
            }
            _ => {}
        }
    }
}

#[test]
fn entries_inherit_and_are_written_freely() {
    let check = |text: &str, expected: &[&str]| {
        let (lines, faults) = read_all(text.as_bytes());
        assert_eq!(faults, [], "{text}");
        assert_eq!(lines, expected, "{text}");
    };
    let one = "example.com. 60 A c0000201";
    for text in [
        "@ 60 IN A 192.0.2.1\n",
        "@ IN 60 A 192.0.2.1\n",
        "@ 60 A 192.0.2.1",
        "@ 1m a 192.0.2.1 ; comment",
        "@\t60\tin\tA\t192.0.2.1\r\n\r\n",
        "\u{feff}@ 60 IN A 192.0.2.1\n",
        "$TTL 60\n\n; comment\n   ; comment\n@ A 192.0.2.1",
        "$ttl 1m\r\nexample.com. A 192.0.2.1",
        "@ 60 ( IN\n A ; comment\n\n 192.0.2.1 )\n",
        "@ (60 (IN) A(192.0.2.1))",
        "@ 60 CLASS1 TYPE1 \\# 4 C0 000201",
        "$ORIGIN com.\nexample 60 A 192.0.2.1",
        "\\101.example.com. 0 TXT x\n$ORIGIN com.\n\\101.example 0 TXT x\nexample.com. 60 A 192.0.2.1",
    ] {
        let (lines, faults) = read_all(text.as_bytes());
        assert_eq!((lines.last().map(String::as_str), faults), (Some(one), vec![]), "{text:?}");
    }
    check("", &[]);
    check("\n\n ; nothing\n", &[]);
    // A blank owner is the last one; $TTL wins over the last TTL, which wins over nothing.
    check(
        "a 5 A 192.0.2.1\n  A 192.0.2.2\n$TTL 7\n 3 A 192.0.2.3\n A 192.0.2.4\n",
        &[
            "a.example.com. 5 A c0000201",
            "a.example.com. 5 A c0000202",
            "a.example.com. 3 A c0000203",
            "a.example.com. 7 A c0000204",
        ],
    );
    // Without any TTL, the SOA's minimum (RFC 1035 §3.3.13), and it goes on as a $TTL.
    let soa = "@ SOA . . 1 2 3 4 9\na 3 A 192.0.2.1\nb A 192.0.2.2\n";
    check(
        soa,
        &[
            "example.com. 9 SOA 00000000000100000002000000030000000400000009",
            "a.example.com. 3 A c0000201",
            "b.example.com. 9 A c0000202",
        ],
    );
    // Case is kept; escapes are taken; a quoted string keeps what would end a word.
    check(
        "WwW 1 TXT \"a;b(c)\" d\\;e \"\\\"\\065\"\"x\"\n",
        &["WwW.example.com. 1 TXT 06613b6228632903643b650222410178"],
    );
    check(
        "$ORIGIN a\nb 1 CNAME @\n$ORIGIN c\nb 1 CNAME .\n",
        &["b.a.example.com. 1 CNAME 0161076578616d706c6503636f6d00", "b.c.a.example.com. 1 CNAME 00"],
    );
    check(
        "$GENERATE 1-2 h$ 9 IN A 192.0.2.${1} ; comment\n A 192.0.2.9\n",
        &["h1.example.com. 9 A c0000202", "h2.example.com. 9 A c0000203", "h2.example.com. 9 A c0000209"],
    );
    check("$GENERATE 1-1 @ 1 TXT \"a $\" b$\n", &["example.com. 1 TXT 03612031026231"]);
}

#[test]
fn faults_have_places_and_say_what_would_be_right() {
    let check = |text: &str, expected: &[(u32, u32, u32, &str)]| {
        let (_, faults) = read_all(text.as_bytes());
        let found: Vec<_> =
            faults.iter().map(|fault| (fault.place.line, fault.place.column, fault.place.length)).collect();
        let wanted: Vec<_> = expected.iter().map(|&(line, column, length, _)| (line, column, length)).collect();
        assert_eq!(found, wanted, "{text:?}: {faults:#?}");
        for (fault, (.., part)) in faults.iter().zip(expected) {
            assert!(fault.to_string().contains(part), "{text:?}: {part:?} is not in: {fault}");
        }
    };
    check(
        "a 1 A 192.0.2.256\nb 1 A 192.0.2.1 x\n",
        &[(1, 7, 11, "IPv4 address"), (2, 17, 1, "takes nothing after its address")],
    );
    check("a 1 AAAAA ::1", &[(1, 5, 5, "did you mean `AAAA`?")]);
    check("a 192.0.2.1", &[(1, 3, 9, "did you forget the type `A`")]);
    check("a 1 2001:db8::1", &[(1, 5, 11, "did you forget the type `AAAA`")]);
    check("a 1 A 2001:db8::1", &[(1, 7, 11, "goes into an AAAA record")]);
    check("a 1 CH A 192.0.2.1", &[(1, 5, 2, "class CH is not served")]);
    check("a 1 CLASS3 A 192.0.2.1", &[(1, 5, 6, "class CLASS3 is not served")]);
    check("a 1 IN IN A 192.0.2.1", &[(1, 8, 2, "`IN` is not a record type")]);
    check("a 2147483648 A 192.0.2.1", &[(1, 3, 10, "from 0 to 2147483647")]);
    check("a 1x A 192.0.2.1", &[(1, 3, 2, "`1x` is not a TTL")]);
    check("$TTL 1h30\n", &[(1, 6, 4, "`1h30` is not a TTL")]);
    check("a A 192.0.2.1\nb A 192.0.2.1", &[(1, 3, 1, "put `$TTL 1h`")]);
    check("$TTL x\nb A y", &[(1, 6, 1, "not a TTL"), (2, 5, 1, "`y`")]);
    check("a 60 A x\nb A 192.0.2.1\n", &[(1, 8, 1, "`x`")]);
    check("@ SOA . . 1 2 3 4\nb A 192.0.2.1\n", &[(1, 18, 1, "lacks its minimum")]);
    check("@ SOA . . 1 2 3 4 4294967295", &[(1, 3, 3, "has no TTL")]);
    check(" 1 A 192.0.2.1", &[(1, 2, 1, "there is no owner yet")]);
    check("a 1", &[(1, 4, 1, "lacks its type")]);
    check("a 1 MX 10 ; mail\n", &[(1, 10, 1, "MX lacks its exchange")]);
    check("$TTTL 1\n", &[(1, 1, 5, "did you mean `$TTL`?")]);
    check("$FOO 1\n", &[(1, 1, 4, "known are $ORIGIN")]);
    check(" $TTL 1\n", &[(1, 2, 4, "beginning of its line")]);
    check("$TTL\n", &[(1, 1, 4, "lacks its TTL")]);
    check("$ORIGIN a b\n", &[(1, 11, 1, "takes no `b`")]);
    check("$INCLUDE x\n", &[(1, 10, 1, "$INCLUDE needs a file")]);
    // Owners outside of the zone, and what was probably meant.
    check("www.other.test. 1 A 192.0.2.1", &[(1, 1, 15, "BIND leaves such a record out")]);
    check("www.exmaple.com. 1 A 192.0.2.1", &[(1, 1, 16, "did you mean `example.com.` where it says `exmaple.com.`")]);
    check("xexample.com. 1 A 192.0.2.1", &[(1, 1, 13, "outside of the zone")]);
    check("www.Example.com 1 A 192.0.2.1", &[(1, 1, 15, "did you mean `www.Example.com.`?")]);
    check("a 1 MX 10 mail.example.com", &[(1, 11, 16, "means mail.example.com.example.com.")]);
    check("$ORIGIN example.com", &[(1, 9, 11, "warning")]);
    // A fault costs its own entry only.
    check("a 1 A ( x\n y )\nb 1 A z\nc 1 A 192.0.2.1\n 1 A q", &[(1, 9, 1, "`x`"), (3, 7, 1, "`z`"), (5, 6, 1, "`q`")]);
    check("a 1 TXT ( \"x\nb 1 A z\n", &[(1, 9, 1, "this `(` is never closed"), (2, 7, 1, "`z`")]);
    check("@ 1 SOA . . ( 1 2 3\n 4 5\nb 1 A z\n", &[(1, 13, 1, "this `(` is never closed"), (3, 7, 1, "`z`")]);
    check("a 1 TXT \"x\nb 1 A z\n", &[(1, 9, 2, "not closed on its line"), (2, 7, 1, "`z`")]);
    check("a 1 TXT x )\n", &[(1, 11, 1, "closes nothing")]);
    check("a..b 1 A 192.0.2.1\n 1 A x", &[(1, 1, 4, "empty label"), (2, 6, 1, "`x`")]);
    // Octets that are no text.
    check("a\0b 1 A 192.0.2.1\n\x01\n", &[(1, 2, 1, "written `\\000`"), (2, 1, 1, "octet 1 is a control character")]);
    check("é 1 TXT é\\\n", &[(1, 9, 2, "free of a backslash")]);
    check("a 1 TXT \\256\n", &[(1, 9, 4, "digits up to 255")]);
    check("a 1 TXT a\"b\"\n", &[]);
    // RFC 3597.
    check("a 1 A \\# 4 C00002\n", &[(1, 7, 11, "announces 4 octets, but 3 follow")]);
    check("a 1 A \\# 3 C00002\n", &[(1, 7, 11, "no A rdata: its address is malformed")]);
    check("a 1 A \\# 5 C000020100\n", &[(1, 7, 15, "go on after the end of A rdata")]);
    check("a 1 TYPE65280 abc\n", &[(1, 15, 3, "\\# length hex")]);
    check("a 1 TYPE65280 \\# 65536\n", &[(1, 18, 5, "from 0 to 65535")]);
    // $GENERATE.
    check("$GENERATE 1-65537 a$ 1 A 192.0.2.1\n", &[(1, 11, 7, "makes 65537 records")]);
    check("$GENERATE 3-1 a$ 1 A 192.0.2.1\n", &[(1, 11, 3, "start not above stop")]);
    check("$GENERATE 1-2 a$ 1 A\n", &[(1, 20, 1, "lacks its rdata")]);
    check("$GENERATE 254-300 a$ 1 A 192.0.2.$\n", &[(1, 26, 9, "`192.0.2.256` (round 256)")]);
    check("$GENERATE 1-2 ${-2} 1 A 192.0.2.1\n", &[(1, 15, 5, "negative in round 1")]);
    check("$GENERATE 1-2 ${0,1,q} 1 A 192.0.2.1\n", &[(1, 15, 8, "offset[,width[,base]]")]);
}

#[test]
fn service_parameters_are_held() {
    let check = |parameters: &str, expected: Result<&str, &str>| {
        let (lines, faults) = read_all(format!("a 1 HTTPS 1 . {parameters}\n").as_bytes());
        let found = match (lines.first(), faults.first()) {
            (Some(line), None) => Ok(line.strip_prefix("a.example.com. 1 HTTPS 000100").unwrap_or(line)),
            (_, Some(fault)) => Err(fault.message.as_str()),
            (None, None) => Err(""),
        };
        match (found, expected) {
            (Err(found), Err(part)) => assert!(found.contains(part), "{parameters}: {found}"),
            (found, expected) => assert_eq!(found, expected, "{parameters}"),
        }
    };
    check("", Ok(""));
    check("port=443 alpn=h2", Ok("000100030268320003000201bb"));
    check("alpn=\"h2,h3\" ; both", Ok("00010006026832026833"));
    // RFC 9460 appendix A.1: commas and backslashes in a list, quoted and not.
    check("alpn=\"f\\\\\\\\oo\\\\,bar,h2\"", Ok("0001000c08665c6f6f2c626172026832"));
    check("alpn=f\\\\\\092oo\\092,bar,h2", Ok("0001000c08665c6f6f2c626172026832"));
    check("key3=\\001\\187", Ok("0003000201bb"));
    check("key667", Ok("029b0000"));
    check("key667=\"\"", Ok("029b0000"));
    check("mandatory=port,alpn alpn=h2 port=1", Ok("000000040001000300010003026832000300020001"));
    for (parameters, part) in [
        ("alpn", "`alpn=` and protocols"),
        ("alpn=h2,,h3", "`alpn=` and protocols"),
        ("alpn=\"\"", "`alpn=` and protocols"),
        ("alpn= \"h2\"", "`alpn=` and protocols"),
        ("port=65536", "from 0 to 65535"),
        ("port=1 key3=\\000\\001", "keys that appear once"),
        ("key3=\\001", "`port=` and a number"),
        ("no-default-alpn", "accompanied by `alpn`"),
        ("no-default-alpn=1 alpn=h2", "without a value"),
        ("mandatory=mandatory", "other keys, each once"),
        ("mandatory=alpn,alpn alpn=h2", "other keys, each once"),
        ("mandatory=key99 alpn=h2", "accompanied by `key99`"),
        ("ipv4hint=2001:db8::1", "IPv4 addresses"),
        ("ipv6hint=192.0.2.1", "IPv6 addresses"),
        ("ech=!", "base64"),
        ("dohpath=dns-query", "URI template"),
        ("key65535=x", "`key0` to `key65534`"),
        ("key01=x", "`key0` to `key65534`"),
        ("prot=1", "known keys"),
    ] {
        check(parameters, Err(part));
    }
}

#[test]
fn endless_input_has_limits() {
    let (_, faults) = read_all("a 1 A x\n".repeat(1000).as_bytes());
    assert_eq!(faults.len(), FAULTS_MAX + 1);
    assert!(faults[FAULTS_MAX].message.contains("900 more errors"));
    // Warnings neither become an error by their number nor hide one.
    let doubled = "a.example.com 1 A 192.0.2.1\n".repeat(1000);
    let (_, faults) = read_all(format!("{doubled}a 1 A x\n").as_bytes());
    let errors: Vec<_> = faults.iter().filter(|fault| fault.severity == Severity::Error).collect();
    assert_eq!((faults.len(), errors.len()), (FAULTS_MAX + 2, 1));
    assert_eq!(errors[0].place.line, 1001);

    let (_, faults) = read_all("a 1 A (\n".repeat(10_000).as_bytes());
    assert!(faults.len() < 10 && faults.last().is_some_and(|fault| fault.message.contains("was not read")));

    let (lines, faults) = read_all("$GENERATE 1-65536 a 1 A 192.0.2.1\n".repeat(17).as_bytes());
    assert_eq!((lines.len() as u64, faults.len()), (GENERATED_TOTAL_MAX, 1));

    let (_, faults) = read_all(format!("a 1 TXT {}\n", "x ".repeat(40_000)).as_bytes());
    assert!(faults[0].message.contains("at most 65535"), "{}", faults[0]);
    let (_, faults) = read_all(format!("a 1 TXT {}\n", "x".repeat(256)).as_bytes());
    assert!(faults[0].message.contains("at most 255"), "{}", faults[0]);
    // A line that nobody could read on a screen is named but not shown.
    let (_, faults) = read_all(format!("a 1 TXT {} \x01\n", "x".repeat(5_000)).as_bytes());
    assert_eq!((faults[0].place.line, faults[0].place.text.as_str()), (1, ""));
    assert!(!faults[0].render(false).is_empty());
}

#[test]
fn includes_stay_inside_and_restore() {
    let outer = tempfile::tempdir().expect("a folder");
    let zones = outer.path().join("zones");
    let write = |name: &str, text: &str| {
        let path = outer.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("secret", "s 1 A 192.0.2.66\n");
    write("zones/parts/one", "$ORIGIN x\nw 1 A 192.0.2.1\n$INCLUDE two\n$INCLUDE ../parts/two y\n");
    write("zones/parts/two", "v 1 A 192.0.2.2\n");
    write("zones/parts/blank", " 1 A 192.0.2.2\n");
    write("zones/parts/loop", "$INCLUDE loop\n");
    write("zones/parts/bad", "a 1 A 192.0.2.1\nb 1 A x\n");
    for depth in 0..12 {
        write(&format!("zones/deep{depth}"), &format!("$INCLUDE deep{}\n", depth + 1));
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("../secret", zones.join("link")).expect("a link");
    let check = |text: &str, expected: &[&str], fault: Option<(&str, u32, &str)>| {
        write("zones/z.zone", text);
        let mut lines = Vec::new();
        let file = zones.join("z.zone");
        let outcome =
            read(&file, &zones, &apex(), &mut |record| lines.push((generic(record), record.file, record.line)));
        let owners: Vec<_> = lines.iter().map(|(line, ..)| line.split(' ').next().unwrap_or_default()).collect();
        assert_eq!(owners, expected, "{text}");
        for (_, file, line) in &lines {
            assert!(place(&outcome.files[usize::from(*file)], *line).text.contains("192.0.2."));
        }
        let found = outcome.diagnostics.first();
        assert_eq!(
            (found.is_some(), outcome.diagnostics.len()),
            (fault.is_some(), usize::from(fault.is_some())),
            "{found:?}"
        );
        if let (Some(found), Some((file, line, part))) = (found, fault) {
            assert!(found.place.file.ends_with(file) && found.place.line == line, "{found}");
            assert!(found.to_string().contains(part), "{found}");
        }
        outcome.files.len()
    };
    let origin = ["w.x.example.com.", "v.x.example.com.", "v.y.x.example.com.", "a.example.com.", "a.example.com."];
    let files = check(
        "a 1 A 192.0.2.9\n$INCLUDE parts/one\n A 192.0.2.9\n",
        &["a.example.com.", origin[0], origin[1], origin[2], "a.example.com."],
        None,
    );
    assert_eq!(files, 3);
    check("$INCLUDE \"parts/two\" sub\n", &["v.sub.example.com."], None);
    check("a 1 A 192.0.2.9\n$INCLUDE parts/blank\n", &["a.example.com."], Some(("parts/blank", 1, "no owner yet")));
    check("$INCLUDE parts/bad\n", &["a.example.com."], Some(("parts/bad", 2, "IPv4 address")));
    check("$INCLUDE ../secret\n", &[], Some(("z.zone", 1, "leads out of the folder")));
    let absolute = outer.path().join("secret");
    check(&format!("$INCLUDE {}\n", absolute.display()), &[], Some(("z.zone", 1, "leads out")));
    #[cfg(unix)]
    check("$INCLUDE link\n", &[], Some(("z.zone", 1, "leads out")));
    check("$INCLUDE parts\n", &[], Some(("z.zone", 1, "is not a file")));
    check("$INCLUDE missing\n", &[], Some(("z.zone", 1, "cannot be read")));
    check("$INCLUDE parts/loop\n", &[], Some(("parts/loop", 1, "includes itself")));
    check("$INCLUDE deep0\n", &[], Some(("deep8", 1, "10 deep")));
    let missing = read(&zones.join("none.zone"), &zones, &apex(), &mut |_| {});
    assert!(missing.diagnostics[0].message.contains("cannot be read"));
}

#[test]
fn a_place_underlines_the_first_word() {
    let text = b"a 1 A 192.0.2.1\r\n  b \xff\n";
    let check = |line, expected: (u32, u32, u32, &str)| {
        let place = place_in(Path::new(ZONE), text, line);
        assert_eq!((place.line, place.column, place.length, place.text.as_str()), expected);
    };
    check(1, (1, 1, 1, "a 1 A 192.0.2.1"));
    check(2, (2, 3, 1, "  b \u{fffd}"));
    check(9, (9, 1, 1, ""));
}

#[test]
fn newer_types_are_read() {
    let (lines, outcome) = zone_file("other-types.zone");
    assert_eq!((lines.len(), outcome.diagnostics), (11, vec![]));
}

proptest! {
    /// Any octets at all: no panic, and every fault can be shown.
    #[test]
    fn any_octets_are_read(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let (_, faults) = read_all(&text);
        faults.iter().for_each(|fault| drop(fault.render(false)));
    }

    /// Octets that look like a master file, cut and put together anew.
    #[test]
    fn any_words_are_read(words in prop::collection::vec(prop_oneof![
        Just("\n"), Just(" "), Just("("), Just(")"), Just("\""), Just(";"), Just("\\"), Just("@"), Just("$"),
        Just("\\#"),
        Just("IN"), Just("60"), Just("$GENERATE 0-3 "), Just("$TTL "), Just("$ORIGIN "), Just("${1,2,n}"), Just("=\""),
        Just("\n@ 1 "), Just("example.com."), Just("192.0.2.1"), Just("alpn=h2"), Just("0"), Just("AA=="), Just("N"),
        prop::sample::select(Rtype::mnemonics().collect::<Vec<_>>()),
    ], 0..60), spaced: bool) {
        let text = words.join(if spaced { " " } else { "" });
        let mut well_formed = true;
        let outcome = read_text(Path::new(ZONE), text.as_bytes(), &apex(), &mut |record| {
            well_formed &= crate::wire::rdata::check(record.rtype, record.rdata).is_ok();
        });
        outcome.diagnostics.iter().for_each(|fault| drop(fault.render(false)));
        prop_assert!(well_formed, "{text:?}");
    }

    /// The sample with one octet changed.
    #[test]
    fn a_damaged_sample_is_read(at: prop::sample::Index, octet: u8) {
        let mut text = include_bytes!("../../../tests/zones/every-type.zone").to_vec();
        let at = at.index(text.len());
        text[at] = octet;
        let mut shapes = Ok(());
        read_text(Path::new(ZONE), &text, &apex(), &mut |record| {
            shapes = shapes.and(crate::wire::rdata::check(record.rtype, record.rdata));
        });
        prop_assert_eq!(shapes, Ok(()));
    }

    /// A name that is written and read is the same, as an owner and inside rdata.
    #[test]
    fn names_come_back(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
        let mut wire = Vec::new();
        for label in &labels {
            wire.push(u8::try_from(label.len()).expect("short"));
            wire.extend_from_slice(label);
        }
        wire.extend_from_slice(b"\x07example\x03com\0");
        let name = Name::from_wire(&wire).expect("a name");
        let mut found = Vec::new();
        let text = format!("{name} 1 CNAME {name}\n");
        let outcome = read_text(Path::new(ZONE), text.as_bytes(), &apex(), &mut |record| {
            found.extend([record.owner.to_vec(), record.rdata.to_vec()]);
        });
        prop_assert_eq!(outcome.diagnostics, vec![]);
        prop_assert_eq!(found, [wire.clone(), wire]);
    }
}

/// Everything that comes of a text: records as they are added, SOA records, faults.
#[derive(Debug, PartialEq)]
struct Whole {
    zone: Vec<String>,
    faults: Vec<Diagnostic>,
    of_zone: Vec<crate::zone::Fault>,
}

/// Reads `text`, which may include `1`, in pieces of about so many octets, or in one.
fn whole(folder: &Path, text: &[u8], pieces: Option<Pieces>) -> Whole {
    let file = folder.join(ZONE);
    fs::write(&file, text).expect("a file");
    let mut records = Records::new(&apex());
    let mut reader = Reader::new(&apex(), Some(folder), Sink::All(&mut records));
    reader.pieces = pieces;
    let outcome = reader.read_file(&file);
    let mut builder = crate::zone::Builder::new(&apex());
    for soa in std::mem::take(&mut records.soas) {
        builder.add(&soa.owner, Rtype::SOA, soa.ttl, &soa.rdata, soa.origin);
    }
    builder.take(records);
    let (zone, of_zone) = builder.finish();
    let mut lines = Vec::new();
    let mut place = 0;
    while let Some((owner, node, next)) = zone.as_ref().and_then(|zone| zone.owner(place)) {
        place = next;
        lines.extend(node.rrsets().map(|set| format!("{owner} {set:?}")));
    }
    Whole { zone: lines, faults: outcome.diagnostics, of_zone }
}

/// Lines of all that matters to where a text may be cut: what the next ones inherit, what runs over line ends, what is
/// wrong.
fn piece_line() -> impl Strategy<Value = String> {
    let host = "[a-c]{1,2}";
    prop_oneof![
        20 => (host, 0..4_u8).prop_map(|(owner, last)| format!("{owner} A 192.0.2.{last}\n")),
        4 => (host, 1..3_u32).prop_map(|(owner, ttl)| format!("{owner} {ttl} TXT \"a ; b ( c\" \\\" )x\n")),
        4 => host.prop_map(|owner| format!("{owner} TXT \"semi;colon\" ; a comment with ( and \"\n")),
        3 => host.prop_map(|owner| format!("{owner} TXT ( \"one\" ; first\n\"two\"\nthree ; last\n )\n")),
        3 => host.prop_map(|owner| format!(" AAAA 2001:db8::1\n\tTXT {owner}\n")),
        2 => host.prop_map(|origin| format!("$ORIGIN {origin}.example.com.\n")),
        1 => Just("$ORIGIN example.com.\n".to_owned()),
        1 => (0..3_u8).prop_map(|ttl| format!("$TTL {ttl}m\n")),
        1 => Just("$INCLUDE 1\n".to_owned()),
        1 => Just("$GENERATE 1-3 g$ A 192.0.2.$\n".to_owned()),
        1 => Just("\r$TTL 7\n".to_owned()),
        2 => Just("\n; nothing\n".to_owned()),
        1 => Just("d A 192.0.2.300\n".to_owned()),
        1 => Just("e TXT \"not closed\n".to_owned()),
        1 => Just("f TXT ( never closed\n".to_owned()),
        1 => Just("\u{1}g A\n A 192.0.2.1\n".to_owned()),
        1 => Just("www.example.com CNAME a.example.com\n".to_owned()),
        1 => Just("a.example.net. A 192.0.2.1\n".to_owned()),
        1 => Just("@ SOA ns h 1 2 3 4 5\n".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 400 }))]

    #[test]
    fn a_text_in_pieces_is_the_text(
        head in prop_oneof![4 => Just("$TTL 1h\n@ SOA ns h 1 2 3 4 5\n@ NS ns.example.net.\n"), 1 => Just("")],
        lines in proptest::collection::vec(piece_line(), 0..60),
        included in proptest::collection::vec(piece_line(), 0..20),
        octets in 16..200_usize,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("1"), included.concat().replace("$INCLUDE", "; no")).expect("a file");
        let text = format!("{head}{}", lines.concat());
        let one = whole(folder.path(), text.as_bytes(), None);
        let many = whole(folder.path(), text.as_bytes(), Some(Pieces { octets, readers: 2 }));
        prop_assert_eq!(one, many, "{}", text);
    }
}

/// What a text of plain lines is cut into really is read side by side: were every piece torn, all would still be well.
#[test]
fn pieces_are_joined_and_not_read_again() {
    let check = |text: &str, expected: &str| {
        let mut records = Records::new(&apex());
        let mut reader = Reader::new(&apex(), None, Sink::All(&mut records));
        reader.pieces = Some(Pieces { octets: 64, readers: 2 });
        let mut scanner = scan::Scanner::new(text.as_bytes());
        let found = match reader.read_large(Path::new(ZONE), text.as_bytes(), &mut scanner) {
            (0, 0) => "no pieces",
            (_, 0) => "joined",
            (0, _) => "again",
            _ => "both",
        };
        assert_eq!(found, expected, "{text}");
    };
    let plain = "host A 192.0.2.1\n".repeat(32);
    let head = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n";
    check(head, "no pieces");
    check(&format!("{head}{plain}"), "joined");
    check(&format!("{head}{plain}$TTL 7\n{plain}"), "joined");
    // Without `$TTL`, the SOA's minimum is what counts; without either, what was said last.
    check(&format!("@ SOA ns h 1 2 3 4 5\n{plain}"), "joined");
    check(&format!("www 60 A 192.0.2.1\n{plain}"), "again");
    check(&format!("{head}{}", "a A 192.0.2.1\n\r$TTL 7\n".repeat(32)), "again");
    check(&format!("{head}{plain}x TXT (\n{plain})\n{plain}"), "both");
}
