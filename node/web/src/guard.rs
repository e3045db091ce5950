//! The guard in front of every route. It checks the host, the caller and the site of a request, and sets the
//! security headers of every response.
//!
//! A page of another site can make a browser send requests here (CSRF) or rename itself to a
//! loopback address (DNS rebinding). Both end here, before any handler runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use towline_api::request::{Failure, FailureCode};
use towline_api::types::TokenInfo;
use towline_proto::{Origin, OriginKind};

use super::Web;
use super::error::refusal;
use super::session::{Session, same};
use super::token::{TokenRefusal, WINDOW};

/// No script, style or frame but our own; images may be inlined by our own style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Style sheet, scripts and icon, the same for everybody.
const ASSETS: &str = "/assets/";

/// Who sent a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller {
    /// The signed-in person.
    pub(super) session: Option<Session>,
    /// The API token of a program. Its session, if it has one too, is ignored.
    pub(super) token: Option<TokenInfo>,
}

impl Caller {
    /// The signed-in person, or the name of the token, as an origin.
    pub(super) fn origin(&self) -> Result<Origin, Failure> {
        let (kind, id) = match (&self.token, &self.session) {
            (Some(token), _) => (OriginKind::Agent, &token.name),
            (None, Some(session)) => (OriginKind::User, &session.who),
            (None, None) => return Err(not_signed_in()),
        };
        Origin::new(kind, id.clone()).map_err(|error| Failure::new(FailureCode::Usage, error.to_string()))
    }

    /// The signed-in person as an origin, once the form has shown the session's token.
    pub(super) fn checked_origin(&self, csrf: &str) -> Result<Origin, Failure> {
        let session = self.session.as_ref().ok_or_else(not_signed_in)?;
        if !same(&session.csrf, csrf) {
            return Err(Failure::new(
                FailureCode::NotAllowed,
                "the token of this form is from another session; reload the page and try again",
            ));
        }
        self.origin()
    }
}

fn not_signed_in() -> Failure {
    Failure::new(
        FailureCode::NotAllowed,
        "you are not signed in; run `towline open` to get a sign-in link",
    )
}

/// The middleware.
pub(super) async fn guard(State(web): State<Arc<Web>>, mut request: Request, next: Next) -> Response {
    let isolated = is_trustworthy(request.headers());
    let mut response = match admit(&web, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refused) => refused.into_response(&web, &request),
    };
    web.metrics.count(response.status());
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 3] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: under it browsers send `Origin: null` with our own forms, and the
        // same-origin check would have nothing to check. Other sites learn nothing either way.
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if isolated {
        let name = HeaderName::from_static("cross-origin-opener-policy");
        headers.insert(name, HeaderValue::from_static("same-origin"));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// A request that ends here.
struct Refused {
    status: StatusCode,
    failure: Failure,
    /// Whether it is answered as JSON whatever its path: only programs show tokens.
    program: bool,
}

impl Refused {
    fn new(status: StatusCode, why: String) -> Self {
        let failure = Failure::new(FailureCode::NotAllowed, why);
        Self {
            status,
            failure,
            program: false,
        }
    }

    fn token(status: StatusCode, code: FailureCode, why: String) -> Self {
        let failure = Failure::new(code, why);
        Self {
            status,
            failure,
            program: true,
        }
    }

    fn into_response(self, web: &Web, request: &Request) -> Response {
        let program = self.program || request.uri().path().starts_with("/api/");
        let mut response = refusal(web, self.status, self.failure, program);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED && program {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(WINDOW.as_secs()));
        }
        response
    }
}

fn admit(web: &Web, request: &Request) -> Result<Caller, Refused> {
    let headers = request.headers();
    let host = text(headers, header::HOST).unwrap_or_default();
    let loopback_name = is_loopback_name(host);
    // The refusal is a page itself: it has our style sheet under any name.
    let is_asset = request.uri().path().starts_with(ASSETS);
    if !loopback_name && !is_asset && !web.config.allowed_hosts.iter().any(|allowed| allowed == host) {
        return Err(Refused::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "this board does not accept requests for the host {host:?}; add it with `towline config allowed_hosts`"
            ),
        ));
    }
    let token = bearer(web, request)?;
    let session = match token {
        Some(_) => None,
        None => text(headers, header::COOKIE).and_then(|cookies| web.sessions.find(cookies, super::now())),
    };
    let caller = Caller { session, token };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        same_site(headers, host).map_err(|why| Refused::new(StatusCode::FORBIDDEN, why))?;
    }
    let near = loopback_name && peer_is_loopback(request);
    if !near && caller.token.is_none() && caller.session.is_none() && !is_open(request.uri().path()) {
        return Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "you need to sign in to read this board; run `towline open` on its machine to get a sign-in link, \
             or `towline token create` for a program"
                .to_owned(),
        ));
    }
    Ok(caller)
}

/// Paths that anybody may read, because they reveal nothing about a project.
fn is_open(path: &str) -> bool {
    matches!(path, "/login" | "/healthz" | "/openapi.json") || path.starts_with(ASSETS)
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// Whether the browser treats the address as trustworthy: HTTPS, or this machine. It sends `sec-fetch-site` only to
/// those; elsewhere it ignores an opener policy and logs a complaint.
fn is_trustworthy(headers: &HeaderMap) -> bool {
    let host = text(headers, header::HOST).unwrap_or_default();
    is_loopback_name(host) || headers.contains_key("sec-fetch-site")
}

/// The name alone proves nothing: a remote client can send any `Host`.
fn peer_is_loopback(request: &Request) -> bool {
    request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .is_some_and(|ConnectInfo(peer)| match peer.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
        })
}

/// The API token of a request. One that is not accepted ends the request, also where none is needed: its program
/// would not notice otherwise.
fn bearer(web: &Web, request: &Request) -> Result<Option<TokenInfo>, Refused> {
    let shown = text(request.headers(), header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let Some(shown) = shown else {
        return Ok(None);
    };
    let unknown = || {
        let why = "this board accepts no API tokens; sign in instead";
        Refused::token(StatusCode::UNAUTHORIZED, FailureCode::NotAllowed, why.to_owned())
    };
    let tokens = web.config.tokens.as_ref().ok_or_else(unknown)?;
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    let source = (address, tokens.known_id(shown));
    if web.failed_attempts.is_exhausted(&source, Instant::now()) {
        let why = "too many wrong API tokens; try again in a minute".to_owned();
        return Err(Refused::token(
            StatusCode::TOO_MANY_REQUESTS,
            FailureCode::Busy,
            why,
        ));
    }
    match tokens.check(shown, super::now()) {
        Ok(token) => Ok(Some(token)),
        Err(TokenRefusal::Refused(why)) => {
            web.failed_attempts.count(source, Instant::now());
            Err(Refused::token(
                StatusCode::UNAUTHORIZED,
                FailureCode::NotAllowed,
                why,
            ))
        }
        Err(TokenRefusal::Unavailable(why)) => Err(Refused::token(
            StatusCode::INTERNAL_SERVER_ERROR,
            FailureCode::Failure,
            why,
        )),
    }
}

/// Browsers name the origin of a request in two headers; those that are present must name this site. Programs send
/// neither, and carry no cookie that another site could misuse.
fn same_site(headers: &HeaderMap, host: &str) -> Result<(), String> {
    let fetch_site = text(headers, HeaderName::from_static("sec-fetch-site"));
    if let Some(site) = fetch_site
        && site != "same-origin"
    {
        return Err(format!(
            "requests from other sites are refused (Sec-Fetch-Site: {site})"
        ));
    }
    let Some(origin) = text(headers, header::ORIGIN) else {
        return Ok(());
    };
    let ours = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
        .is_some_and(|name| name == host);
    if ours || (origin == "null" && fetch_site.is_some()) {
        Ok(())
    } else {
        Err(format!("requests from the origin {origin:?} are refused"))
    }
}

pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_loopback_names() {
        for host in ["localhost", "localhost:7420", "127.0.0.1:1", "[::1]", "[::1]:80"] {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.nip.example",
            "[::1",
            "::1",
        ] {
            assert!(!is_loopback_name(host), "{host}");
        }
    }

    #[test]
    fn an_opener_policy_goes_where_browsers_heed_it() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_trustworthy(&headers)
        };
        assert!(with(&[("host", "127.0.0.1:7420")]));
        assert!(with(&[("host", "board.example"), ("sec-fetch-site", "none")]));
        assert!(!with(&[("host", "board.example")]));
    }

    #[test]
    fn a_form_of_another_site_is_told_by_either_header() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            same_site(&headers, "127.0.0.1:7420").is_ok()
        };
        assert!(with(&[]));
        assert!(with(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "http://127.0.0.1:7420")
        ]));
        assert!(!with(&[("sec-fetch-site", "cross-site")]));
        assert!(!with(&[("sec-fetch-site", "same-site")]));
        assert!(!with(&[("origin", "http://127.0.0.1:7421")]));
        assert!(!with(&[("origin", "null")]));
    }
}
