//! Reads the load that an endpoint reports with its answer: the header `endpoint-load-metrics`, in the text and JSON
//! forms of ORCA (Open Request Cost Aggregation).
//!
//! ```text
//! endpoint-load-metrics: TEXT cpu_utilization=0.3, application_utilization=0.4, named_metrics.queue=12
//! endpoint-load-metrics: JSON {"cpu_utilization": 0.3, "named_metrics": {"queue": 12}}
//! ```
//!
//! One number is taken from it: `application_utilization` where it is above 0, else `cpu_utilization`, as gRPC's
//! `weighted_round_robin` and Envoy's client-side weighted round robin do (gRFC A58; envoy
//! `client_side_weighted_round_robin.proto`). In the messages both stand for, 0 and absent are the same. Two reports
//! of the same number, or one that is no number or below 0, make the whole report void. Other metrics are not looked
//! at, so unlike Envoy's this reader does not fall over a metric that is new or a stranger's.
//!
//! Not read: the binary form (`BIN`, or a header `endpoint-load-metrics-bin`), which would need protobuf, and a value
//! without a form before it, which no version of the format that is in use knows.
//!
//! Sources: envoy `source/common/orca/orca_parser.{h,cc}`; cncf/xds `xds/data/orca/v3/orca_load_report.proto`.

use std::fmt;

use serde_json::{Map, Value};

use crate::health::PerMille;

/// The header's name.
pub(super) const HEADER: &str = "endpoint-load-metrics";

/// Octets of a report that are read. A report of all that Envoy knows takes 200; web servers stop at 8 KiB for any
/// header (nginx `large_client_header_buffers`), and so does what one can make us parse.
const REPORT_OCTETS_MAX: usize = 8 * 1024;

/// The two metrics that are read, as text and JSON spell them, and as JSON may spell them too (proto3's mapping to
/// JSON, which makes `lowerCamelCase` of names).
const APPLICATION: [&str; 2] = ["application_utilization", "applicationUtilization"];
const CPU: [&str; 2] = ["cpu_utilization", "cpuUtilization"];

/// What keeps a report from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// So many octets, above [`REPORT_OCTETS_MAX`].
    Long(usize),
    /// Octets that no text has.
    NotText,
    /// It begins with none of the forms.
    Form,
    /// The binary form.
    Binary,
    /// JSON that breaks off, or is not an object.
    Json,
    /// This metric is no number, or below 0.
    Number(&'static str),
    /// This metric stands there twice.
    Twice(&'static str),
    /// Neither metric stands there.
    Absent,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long(octets) => write!(f, "{octets} octets, want at most {REPORT_OCTETS_MAX}"),
            Self::NotText => f.write_str("not text"),
            Self::Form => f.write_str("unknown form, want `TEXT name=value, …` or `JSON {…}`"),
            Self::Binary => f.write_str("the binary form is not supported, want TEXT or JSON"),
            Self::Json => f.write_str("not a JSON object"),
            Self::Number(metric) => write!(f, "{metric} is not a number of 0 or more"),
            Self::Twice(metric) => write!(f, "{metric} is given twice"),
            Self::Absent => write!(f, "neither {} nor {} is given", APPLICATION[0], CPU[0]),
        }
    }
}

/// The utilisation that a header's value reports; what is above 1, as over a soft limit, is 1.
///
/// # Errors
/// The value is no such report.
pub(super) fn read(value: &[u8]) -> Result<PerMille, Fault> {
    if value.len() > REPORT_OCTETS_MAX {
        return Err(Fault::Long(value.len()));
    }
    let value = std::str::from_utf8(value).map_err(|_| Fault::NotText)?.trim_ascii();
    let (form, report) = value.split_once(' ').unwrap_or((value, ""));
    let report = match form {
        "TEXT" => text(report)?,
        "JSON" => json(report)?,
        "BIN" => return Err(Fault::Binary),
        _ => return Err(Fault::Form),
    };
    let application = report.application.filter(|&utilization| utilization > PerMille::default());
    application.or(report.cpu).or(report.application).ok_or(Fault::Absent)
}

/// What of a report is read.
#[derive(Default)]
struct Report {
    application: Option<PerMille>,
    cpu: Option<PerMille>,
}

/// `name=value, name=value`; Envoy takes a colon for the equals sign too.
fn text(report: &str) -> Result<Report, Fault> {
    let mut read = Report::default();
    for metric in report.split(',') {
        let (name, value) = metric.split_once(['=', ':']).unwrap_or((metric, ""));
        let (name, slot) = match name.trim_ascii() {
            name if name == APPLICATION[0] => (APPLICATION[0], &mut read.application),
            name if name == CPU[0] => (CPU[0], &mut read.cpu),
            _ => continue,
        };
        let value = value.trim_ascii().parse().ok().and_then(PerMille::of).ok_or(Fault::Number(name))?;
        if slot.replace(value).is_some() {
            return Err(Fault::Twice(name));
        }
    }
    Ok(read)
}

fn json(report: &str) -> Result<Report, Fault> {
    let object: Map<String, Value> = serde_json::from_str(report).map_err(|_| Fault::Json)?;
    Ok(Report { application: member(&object, APPLICATION)?, cpu: member(&object, CPU)? })
}

/// A number under either of its names. proto3's mapping also takes a number as a string, and null for absent.
fn member(object: &Map<String, Value>, [name, camel]: [&'static str; 2]) -> Result<Option<PerMille>, Fault> {
    let value = match (object.get(name), object.get(camel)) {
        (Some(_), Some(_)) => return Err(Fault::Twice(name)),
        (Some(value), None) | (None, Some(value)) => value,
        (None, None) => return Ok(None),
    };
    let number = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(number) => number.parse().ok(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.and_then(PerMille::of).map(Some).ok_or(Fault::Number(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(value: &str, expected: Result<u16, Fault>) {
        assert_eq!(read(value.as_bytes()).map(PerMille::get), expected, "{value:?}");
    }

    const NO_CPU: Result<u16, Fault> = Err(Fault::Number("cpu_utilization"));
    const NO_APPLICATION: Result<u16, Fault> = Err(Fault::Number("application_utilization"));

    #[test]
    fn the_text_form() {
        check("TEXT cpu_utilization=0.3", Ok(300));
        check("TEXT cpu_utilization=0.3, mem_utilization=0.8", Ok(300));
        check("TEXT cpu_utilization=0.3,application_utilization=0.45,rps_fractional=1000,eps=2", Ok(450));
        check("TEXT named_metrics.cpu_utilization=7,utilization.total=0.5, cpu_utilization=1", Ok(1_000));
        check("TEXT cpu_utilization:0.7,application_utilization:0.8", Ok(800));
        check("  TEXT   cpu_utilization = 3e-1 ,\t", Ok(300));
        check("TEXT cpu_utilization=1.6", Ok(1_000));
        check("TEXT cpu_utilization=0", Ok(0));
        // 0 is what absent is, and nothing else of use stands there.
        check("TEXT application_utilization=0, cpu_utilization=0.9", Ok(900));
        check("TEXT application_utilization=0", Ok(0));
        // A stranger's metric does no harm.
        check("TEXT cpu_utilization=0.3,,temperature=hot,=,queue", Ok(300));
    }

    #[test]
    fn bad_text() {
        for value in ["", "x", "-0.1", "NaN", "inf", "-inf", "1e999", "\"0.7\"", "0.3=0.4", "0,3x", "0x1", "0.3 0.4"] {
            let expected = if value == "0,3x" { Ok(0) } else { NO_CPU };
            check(&format!("TEXT cpu_utilization={value}"), expected);
        }
        check("TEXT cpu_utilization", NO_CPU);
        check("TEXT application_utilization=-1,cpu_utilization=0.3", NO_APPLICATION);
        check("TEXT cpu_utilization=0.3,cpu_utilization=0.3", Err(Fault::Twice("cpu_utilization")));
        check("TEXT", Err(Fault::Absent));
        check("TEXT ", Err(Fault::Absent));
        check("TEXT mem_utilization=0.3", Err(Fault::Absent));
        check("TEXT CPU_UTILIZATION=0.3", Err(Fault::Absent));
        check("TEXT cpuUtilization=0.3", Err(Fault::Absent));
    }

    #[test]
    fn the_json_form() {
        check(r#"JSON {"cpu_utilization": 0.3}"#, Ok(300));
        check(r#"JSON {"cpu_utilization": 0.3, "named_metrics": {"queue": 12}}"#, Ok(300));
        check(r#"JSON {"cpuUtilization": 0.3, "applicationUtilization": 1}"#, Ok(1_000));
        check(r#"JSON {"cpu_utilization": "0.3", "application_utilization": null}"#, Ok(300));
        check(r#"JSON   {"cpu_utilization":2e0}"#, Ok(1_000));
        check(r#"JSON {"application_utilization": 0.0, "cpu_utilization": 0.2}"#, Ok(200));
        check("JSON", Err(Fault::Json));
        check("JSON null", Err(Fault::Json));
        check("JSON [0.3]", Err(Fault::Json));
        check(r#"JSON {"cpu_utilization": 0.3"#, Err(Fault::Json));
        check(r#"JSON {"cpu_utilization": NaN}"#, Err(Fault::Json));
        check(r#"JSON {"cpu_utilization": 0.3} x"#, Err(Fault::Json));
        check(&format!("JSON {}", "[".repeat(8_000)), Err(Fault::Json));
        check("JSON {}", Err(Fault::Absent));
        check(r#"JSON {"cpu_utilization": null}"#, Err(Fault::Absent));
        for value in ["-0.1", r#""NaN""#, r#""Infinity""#, r#""""#, "true", "[0.3]", "{}"] {
            check(&format!(r#"JSON {{"cpu_utilization": {value}}}"#), NO_CPU);
        }
        check(r#"JSON {"cpu_utilization": 0.3, "cpuUtilization": 0.3}"#, Err(Fault::Twice("cpu_utilization")));
    }

    #[test]
    fn other_forms_are_told_apart() {
        check("BIN CZqZmZmZmbk/", Err(Fault::Binary));
        check("BIN", Err(Fault::Binary));
        check("", Err(Fault::Form));
        check("cpu_utilization=0.3", Err(Fault::Form));
        check("text cpu_utilization=0.3", Err(Fault::Form));
        check("TEXT:cpu_utilization=0.3", Err(Fault::Form));
        assert_eq!(read(b"TEXT \xff"), Err(Fault::NotText));
        let padded = |octets: usize| format!("TEXT cpu_utilization=0.3,{}", "x".repeat(octets - 25));
        check(&padded(REPORT_OCTETS_MAX), Ok(300));
        check(&padded(REPORT_OCTETS_MAX + 1), Err(Fault::Long(REPORT_OCTETS_MAX + 1)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn reading_never_panics(
            value: Vec<u8>,
            form in "(TEXT|JSON|BIN|) ?",
            metrics in "[a-z_=:,.{}\"0-9eE+ -]{0,60}",
        ) {
            let _ = read(&value);
            let _ = read((form.clone() + &metrics).as_bytes());
            let _ = read(&[form.as_bytes(), &value].concat());
            let _ = read(format!("{form}{{\"cpu_utilization\": {metrics}}}").as_bytes());
        }

        #[test]
        fn both_forms_read_as_written(cpu in 0.0..2.0_f64, application in 0.0..2.0_f64) {
            let expected = PerMille::of(application).filter(|&read| read > PerMille::default()).or(PerMille::of(cpu));
            let text = format!("TEXT cpu_utilization={cpu}, application_utilization={application}");
            let json = format!(r#"JSON {{"application_utilization": {application}, "cpu_utilization": {cpu}}}"#);
            prop_assert_eq!(read(text.as_bytes()).ok(), expected);
            prop_assert_eq!(read(json.as_bytes()).ok(), expected);
        }
    }
}
