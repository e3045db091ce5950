//! The guard in front of every route. It checks the host, the caller and the site of a request, and sets the
//! security headers of every response.
//!
//! A page of another site can make a browser send requests here (CSRF) or rename itself to a
//! loopback address (DNS rebinding). Both end here, before any handler runs.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use towline_api::request::{Failure, FailureCode};
use towline_proto::{Origin, OriginKind};

use super::Web;
use super::error::refusal;
use super::session::{Session, same};

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
    /// A program that showed the API token.
    pub(super) program: bool,
}

impl Caller {
    /// The signed-in person as an origin.
    pub(super) fn origin(&self) -> Result<Origin, Failure> {
        let session = self.session.as_ref().ok_or_else(not_signed_in)?;
        Origin::new(OriginKind::User, session.who.clone())
            .map_err(|error| Failure::new(FailureCode::Usage, error.to_string()))
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
        Err((status, why)) => {
            refusal(&web, status, &why, request.uri().path().starts_with("/api/")).into_response()
        }
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

fn admit(web: &Web, request: &Request) -> Result<Caller, (StatusCode, String)> {
    let headers = request.headers();
    let host = text(headers, header::HOST).unwrap_or_default();
    let loopback_name = is_loopback_name(host);
    // The refusal is a page itself: it has our style sheet under any name.
    let is_asset = request.uri().path().starts_with(ASSETS);
    if !loopback_name && !is_asset && !web.config.allowed_hosts.iter().any(|allowed| allowed == host) {
        return Err((
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "this board does not accept requests for the host {host:?}; add it with `towline config allowed_hosts`"
            ),
        ));
    }
    let caller = Caller {
        session: text(headers, header::COOKIE).and_then(|cookies| web.sessions.find(cookies)),
        program: shows_token(web, headers),
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        same_site(headers, host).map_err(|why| (StatusCode::FORBIDDEN, why))?;
    }
    let near = loopback_name && peer_is_loopback(request);
    if !near && !caller.program && caller.session.is_none() && !is_open(request.uri().path()) {
        return Err((
            StatusCode::UNAUTHORIZED,
            "you need to sign in to read this board; run `towline open` on its machine to get a sign-in link"
                .to_owned(),
        ));
    }
    Ok(caller)
}

/// Paths that anybody may read, because they reveal nothing about a project.
fn is_open(path: &str) -> bool {
    path == "/login" || path == "/healthz" || path.starts_with(ASSETS)
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

fn shows_token(web: &Web, headers: &HeaderMap) -> bool {
    let shown = text(headers, header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    matches!((shown, &web.config.api_token), (Some(shown), Some(token)) if !token.is_empty() && same(shown, token))
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
