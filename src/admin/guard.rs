//! Who may ask: what stands before every request.
//!
//! On a loopback address anybody on this machine may, unless there is a token. That must not mean any web page that is
//! open in a browser here. A page of another site can send a request to 127.0.0.1, though not read the answer; and by
//! *DNS rebinding*, a name of its own that it points to 127.0.0.1 meanwhile, it can read answers too. Against the
//! first, what changes anything is a PUT, a DELETE, or a POST of `application/json`, none of which a browser sends
//! across sites without asking first (Fetch §2.2.2, §2.2.4), and nobody says yes here. Against the second, the Host of
//! a request must be an address or `localhost`: a rebound request bears the attacker's name. With a token neither
//! works, since no page knows it, so then any Host will do.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::{Problem, Token};

/// What anybody may see: it says no more than that the server is there, and those who ask it for that hold no token.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

pub(super) async fn check(State(token): State<Option<Token>>, request: Request, next: Next) -> Response {
    match admit(token.as_ref(), request.method(), request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn admit(token: Option<&Token>, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Problem> {
    match token {
        Some(token) if !OPEN.contains(&path) && !bears(headers, token) => {
            let detail = "send the token of the server's token-file, as in `Authorization: Bearer TOKEN`";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
        }
        None if !is_local(headers) => {
            let detail =
                "the Host must be an address or localhost: a web page could have pointed a name of its own here";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
        }
        _ => {}
    }
    let writes = method == Method::PUT || method == Method::POST || method == Method::PATCH;
    if writes && !is_json(headers) {
        let detail = "what changes anything must be JSON, with `Content-Type: application/json`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(())
}

/// Whether the request bears the token. The time that this takes tells its length at most.
fn bears(headers: &HeaderMap, token: &Token) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let Some((scheme, given)) = given.split_at_checked("Bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(given.ct_eq(token.0.as_bytes()))
}

fn is_local(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_ask() {
        let check = |token: Option<&str>, method: Method, path: &str, headers: &[(&'static str, &str)], status: u16| {
            let token = token.map(|text| Token::new(text).expect("a token"));
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().expect("a value"));
            }
            let got = admit(token.as_ref(), &method, path, &map).map_or_else(|problem| problem.status, |()| 200);
            assert_eq!(got, status, "{method} {path} {headers:?}");
        };
        let secret = "0123456789abcdef0123456789abcdef";
        let local = ("host", "127.0.0.1:8053");
        let json = ("content-type", "application/json");
        for host in ["127.0.0.1:8053", "127.0.0.1", "localhost:8053", "LOCALHOST", "[::1]:8053", "[::1]"] {
            check(None, Method::GET, "/v1/status", &[("host", host)], 200);
        }
        for host in ["evil.example", "evil.example:8053", "127.0.0.1.evil.example", "localhost.evil", "", "[evil]"] {
            check(None, Method::GET, "/v1/status", &[("host", host)], 421);
            check(None, Method::GET, "/healthz", &[("host", host)], 421);
        }
        check(None, Method::GET, "/v1/status", &[], 421);
        check(None, Method::GET, "/v1/status", &[local, ("host", "evil.example")], 421);
        // What a form of another site can send, and what it cannot.
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"] {
            check(None, Method::POST, "/v1/steer", &[local, ("content-type", kind)], 415);
        }
        check(None, Method::POST, "/v1/steer", &[local], 415);
        check(None, Method::POST, "/v1/steer", &[local, json], 200);
        check(None, Method::PUT, "/x", &[local, ("content-type", "Application/JSON; charset=utf-8")], 200);
        check(None, Method::DELETE, "/x", &[local], 200);
        // With a token, only with it.
        let bearer = ("authorization", "Bearer 0123456789abcdef0123456789abcdef");
        check(Some(secret), Method::GET, "/v1/status", &[("host", "lb.example"), bearer], 200);
        check(Some(secret), Method::GET, "/v1/status", &[local], 401);
        for wrong in
            ["Bearer ", "Bearer 0123456789abcdef0123456789abcdeX", "Basic 0123456789abcdef0123456789abcdef", ""]
        {
            check(Some(secret), Method::GET, "/v1/status", &[local, ("authorization", wrong)], 401);
        }
        check(Some(secret), Method::GET, "/v1/status", &[("authorization", &format!("bearer {secret}"))], 200);
        check(Some(secret), Method::GET, "/readyz", &[("host", "lb.example")], 200);
        check(Some(secret), Method::POST, "/v1/steer", &[bearer], 415);
    }
}
