//! Who may ask: what stands before every request.
//!
//! Where there is a token, or authorities whose clients may ask, whoever bears the token or shows such a certificate may;
//! where there are both, either will do. On a loopback address anybody on this machine may, unless there is one of the
//! two. That must not mean any web page that is open in a browser here. A page of another site can send a request to
//! 127.0.0.1, though not read the answer; and by *DNS rebinding*, a name of its own that it points to 127.0.0.1
//! meanwhile, it can read answers too. Against the first, what changes anything is a PUT, a DELETE, or a POST of
//! `application/json`, none of which a browser sends across sites without asking first (Fetch §2.2.2, §2.2.4), and
//! nobody says yes here. Against the second, the Host of a request must be an address or `localhost`: a rebound request
//! bears the attacker's name. With a token neither works, since no page knows it, so then any Host will do; by HTTPS the
//! second does not, since our certificate is not for the attacker's name.

use std::net::IpAddr;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::entrance::{Entrance, Visitor};
use super::{Access, Problem, Token};

/// What anybody may see: it says no more than that the server is there, and those who ask it for that hold no token.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// Where nothing is changed, by whatever method.
const READ_ONLY: [&str; 7] =
    ["/healthz", "/readyz", "/metrics", "/v1/status", "/v1/top", "/v1/explain", "/v1/openapi.json"];

pub(super) async fn check(
    State(access): State<Access>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
    next: Next,
) -> Response {
    match admit(&access, visitor, request.method(), request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn admit(access: &Access, visitor: Visitor, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Problem> {
    if !OPEN.contains(&path) {
        prove(access, visitor, headers)?;
    }
    let is_open = access.token.is_none() && matches!(access.entrance, Entrance::Plain);
    if is_open && !is_local(headers) {
        let detail = "the Host must be an address or localhost: a web page could have pointed a name of its own here";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    let writes = method == Method::PUT || method == Method::POST || method == Method::PATCH;
    // What nothing can be written to takes none of these methods, whatever comes with them: that is said next.
    if writes && !READ_ONLY.contains(&path) && !is_json(headers) {
        let detail = "what changes anything must be JSON, with `Content-Type: application/json`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(())
}

/// Whether this one may ask, by certificate or by token.
fn prove(access: &Access, visitor: Visitor, headers: &HeaderMap) -> Result<(), Problem> {
    const NO_TOKEN: &str =
        "send the token of the server's token-file, by --token-file (curl: Authorization: Bearer TOKEN)";
    const WRONG_TOKEN: &str =
        "that is not the token of the server's token-file (--token-file; curl: Authorization: Bearer TOKEN)";
    let wanted = if headers.contains_key(header::AUTHORIZATION) { WRONG_TOKEN } else { NO_TOKEN };
    const CERTIFICATE: &str = "show a certificate that was signed by one of the server's `clients` authorities, \
                               by --certificate and --key (curl: --cert and --key)";
    let is_known = visitor == Visitor::Certified;
    match (&access.token, &access.entrance) {
        (None, Entrance::Plain | Entrance::Encrypted(_)) => Ok(()),
        (None, Entrance::Certified(_)) if is_known => Ok(()),
        // Not 401, which would have to say by which header one could do better (RFC 9110 §15.5.2).
        (None, Entrance::Certified(_)) => Err(Problem::new(StatusCode::FORBIDDEN, CERTIFICATE)),
        (Some(token), _) if is_known || bears(headers, &token.load()) => Ok(()),
        (Some(_), Entrance::Plain | Entrance::Encrypted(_)) => Err(Problem::new(StatusCode::UNAUTHORIZED, wanted)),
        (Some(_), Entrance::Certified(_)) => {
            Err(Problem::new(StatusCode::UNAUTHORIZED, format!("{wanted}; or {CERTIFICATE}")))
        }
    }
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
    use std::sync::Arc;

    use rustls::ServerConfig;

    use arc_swap::ArcSwap;

    use super::*;

    fn held(text: &str) -> Arc<ArcSwap<Token>> {
        Arc::new(ArcSwap::from_pointee(Token::new(text).expect("a token")))
    }

    #[test]
    fn who_may_ask() {
        let check = |token: Option<&str>, method: Method, path: &str, headers: &[(&'static str, &str)], status: u16| {
            let access = Access { entrance: Entrance::Plain, token: token.map(held) };
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().expect("a value"));
            }
            let got =
                admit(&access, Visitor::Nameless, &method, path, &map).map_or_else(|problem| problem.status, |()| 200);
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
        check(None, Method::POST, "/v1/reload", &[local], 415);
        check(None, Method::POST, "/v1/status", &[local], 200);
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

    #[test]
    fn certificates_and_tokens_do_alike() {
        let config = |entrance: fn(Arc<ServerConfig>) -> Entrance| {
            let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("ring has them");
            let nobody = Arc::new(rustls::server::ResolvesServerCertUsingSni::new());
            entrance(Arc::new(config.with_no_client_auth().with_cert_resolver(nobody)))
        };
        let secret = "0123456789abcdef0123456789abcdef";
        let check = |entrance: Entrance, token: Option<&str>, who: Visitor, bears: bool, path: &str, status: u16| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "lb.example.com".parse().expect("a value"));
            if bears {
                headers.insert(header::AUTHORIZATION, format!("Bearer {secret}").parse().expect("a value"));
            }
            let access = Access { entrance, token: token.map(held) };
            let got = admit(&access, who, &Method::GET, path, &headers).map_or_else(|p| p.status, |()| 200);
            assert_eq!(got, status, "{access:?} {who:?} {bears} {path}");
        };
        use Visitor::{Certified, Nameless};
        let encrypted = || config(Entrance::Encrypted);
        let certified = || config(Entrance::Certified);
        check(encrypted(), None, Nameless, false, "/v1/status", 200);
        check(encrypted(), Some(secret), Nameless, false, "/v1/status", 401);
        check(encrypted(), Some(secret), Nameless, true, "/v1/status", 200);
        check(certified(), None, Nameless, false, "/v1/status", 403);
        check(certified(), None, Nameless, true, "/v1/status", 403);
        check(certified(), None, Certified, false, "/v1/status", 200);
        check(certified(), None, Nameless, false, "/healthz", 200);
        check(certified(), Some(secret), Nameless, false, "/v1/status", 401);
        check(certified(), Some(secret), Nameless, true, "/v1/status", 200);
        check(certified(), Some(secret), Certified, false, "/v1/status", 200);
    }
}
