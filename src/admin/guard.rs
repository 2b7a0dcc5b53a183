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

/// Stands before everything, also before what is no path of ours.
pub(super) async fn check(
    State(access): State<Access>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
    next: Next,
) -> Response {
    match admit(&access, visitor, request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Stands before every handler, so that no list of those that write is kept beside the routes; what has none, whatever
/// comes with it, is told that first.
pub(super) async fn demand_json(request: Request, next: Next) -> Response {
    match come_as_json(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn admit(access: &Access, visitor: Visitor, path: &str, headers: &HeaderMap) -> Result<(), Problem> {
    if !OPEN.contains(&path) {
        prove(access, visitor, headers)?;
    }
    let is_open = access.token.is_none() && matches!(access.entrance, Entrance::Plain);
    if is_open && !is_local(headers) {
        let detail = "the Host must be an address or localhost: a web page could have pointed a name of its own here";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    Ok(())
}

/// A body that another site's page could send without asking changes nothing here.
fn come_as_json(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let writes = method == Method::PUT || method == Method::POST || method == Method::PATCH;
    if writes && !is_json(headers) {
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

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a value"));
        }
        map
    }

    #[test]
    fn who_may_ask() {
        let check = |token: Option<&str>, path: &str, headers: &[(&'static str, &str)], status: u16| {
            let access = Access { entrance: Entrance::Plain, token: token.map(held) };
            let got = admit(&access, Visitor::Nameless, path, &map(headers)).map_or_else(|p| p.status, |()| 200);
            assert_eq!(got, status, "{path} {headers:?}");
        };
        let secret = "0123456789abcdef0123456789abcdef";
        let local = ("host", "127.0.0.1:8053");
        for host in ["127.0.0.1:8053", "127.0.0.1", "localhost:8053", "LOCALHOST", "[::1]:8053", "[::1]"] {
            check(None, "/v1/status", &[("host", host)], 200);
        }
        for host in ["evil.example", "evil.example:8053", "127.0.0.1.evil.example", "localhost.evil", "", "[evil]"] {
            check(None, "/v1/status", &[("host", host)], 421);
            check(None, "/healthz", &[("host", host)], 421);
        }
        check(None, "/v1/status", &[], 421);
        check(None, "/v1/status", &[local, ("host", "evil.example")], 421);
        // With a token, only with it.
        let bearer = ("authorization", "Bearer 0123456789abcdef0123456789abcdef");
        check(Some(secret), "/v1/status", &[("host", "lb.example"), bearer], 200);
        check(Some(secret), "/v1/status", &[local], 401);
        for wrong in
            ["Bearer ", "Bearer 0123456789abcdef0123456789abcdeX", "Basic 0123456789abcdef0123456789abcdef", ""]
        {
            check(Some(secret), "/v1/status", &[local, ("authorization", wrong)], 401);
        }
        check(Some(secret), "/v1/status", &[("authorization", &format!("bearer {secret}"))], 200);
        check(Some(secret), "/readyz", &[("host", "lb.example")], 200);
    }

    #[test]
    fn what_a_page_of_another_site_can_send_changes_nothing() {
        let check = |method: Method, kind: Option<&str>, status: u16| {
            let headers = kind.map(|kind| ("content-type", kind));
            let got = come_as_json(&method, &map(headers.as_slice())).map_or_else(|p| p.status, |()| 200);
            assert_eq!(got, status, "{method} {kind:?}");
        };
        for method in [Method::POST, Method::PUT, Method::PATCH] {
            let forms = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];
            for kind in forms.into_iter().chain(["application/jsonp", ""]) {
                check(method.clone(), Some(kind), 415);
            }
            check(method.clone(), None, 415);
            check(method.clone(), Some("application/json"), 200);
            check(method, Some("Application/JSON; charset=utf-8"), 200);
        }
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            check(method, None, 200);
        }
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
            let got = admit(&access, who, path, &headers).map_or_else(|p| p.status, |()| 200);
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
