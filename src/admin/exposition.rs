//! The two texts that metrics are sent in: OpenMetrics 1.0, as they come, and the older one of Prometheus, 0.0.4, which
//! tools without an `Accept` expect.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exposition {
    OpenMetrics,
    Prometheus,
}

impl Exposition {
    /// What `headers` ask for: OpenMetrics where it is named and nothing else is liked better.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let (mut open, mut plain) = (0.0, 0.0);
        for range in accept.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            // RFC 9110 §12.4.2: 1 where it does not say.
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            match kind.to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => open = f32::max(open, weight),
                "text/plain" => plain = f32::max(plain, weight),
                _ => {}
            }
        }
        if open > 0.0 && open >= plain { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The response with `text`, which is OpenMetrics.
    pub(super) fn response(self, text: String) -> Response {
        let (kind, text) = match self {
            Self::OpenMetrics => ("application/openmetrics-text; version=1.0.0; charset=utf-8", text),
            Self::Prometheus => ("text/plain; version=0.0.4; charset=utf-8", as_prometheus(&text)),
        };
        ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
    }
}

/// OpenMetrics as the older format has it: counters and infos are called as their samples are, and neither units nor the
/// end are marked. Samples are the same in both.
fn as_prometheus(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(help) = line.strip_prefix("# HELP ") else {
            if !line.starts_with('#') {
                plain.push_str(line);
                plain.push('\n');
            }
            continue;
        };
        let (name, help) = help.split_once(' ').unwrap_or((help, ""));
        let described =
            lines.peek().and_then(|line| line.strip_prefix("# TYPE ")).and_then(|line| line.split_once(' '));
        let (suffix, kind) = match described.map(|(_, kind)| kind) {
            Some("counter") => ("_total", "counter"),
            Some("info") => ("_info", "gauge"),
            Some(kind) => ("", kind),
            None => ("", "untyped"),
        };
        plain.push_str(&format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_sent() {
        let check = |accept: &[&str], expected: Exposition| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_str(value).expect("a header"));
            }
            assert_eq!(Exposition::accepted(&headers), expected, "{accept:?}");
        };
        check(&[], Exposition::Prometheus);
        check(&["*/*"], Exposition::Prometheus);
        check(&["text/plain"], Exposition::Prometheus);
        check(&["application/openmetrics-text"], Exposition::OpenMetrics);
        check(&["Application/OpenMetrics-Text; version=1.0.0; q=0"], Exposition::Prometheus);
        check(&["application/openmetrics-text;q=0.2, text/plain;q=0.7"], Exposition::Prometheus);
        check(&["text/plain;q=0.3", "application/openmetrics-text;version=1.0.0;q=0.3"], Exposition::OpenMetrics);
        // Prometheus 2.45.
        check(
            &["application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
               text/plain;version=0.0.4;q=0.5,*/*;q=0.1"],
            Exposition::OpenMetrics,
        );
    }

    #[test]
    fn the_older_format_has_other_names_for_families() {
        let open = "# HELP a b c.\n# TYPE a counter\na_total{x=\"# HELP\"} 1\n# HELP d_seconds e\n\
                    # TYPE d_seconds gauge\n# UNIT d_seconds seconds\nd_seconds 2.5\n# HELP f g\n# TYPE f info\n\
                    f_info{v=\"1\"} 1\n# EOF\n";
        let plain = "# HELP a_total b c.\n# TYPE a_total counter\na_total{x=\"# HELP\"} 1\n# HELP d_seconds e\n\
                     # TYPE d_seconds gauge\nd_seconds 2.5\n# HELP f_info g\n# TYPE f_info gauge\nf_info{v=\"1\"} 1\n";
        assert_eq!(as_prometheus(open), plain);
    }
}
