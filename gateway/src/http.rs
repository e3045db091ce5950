//! The HTTP client for all destinations: its own TLS provider, no proxy, bounded responses.
//!
//! Each client gets the TLS provider explicitly, because a process-wide default would be shared with other
//! code in the process. Redirects are never followed: a destination is only where the configuration says,
//! and a redirect could bypass the address check.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use towline_proto::Millis;

/// Time to connect, in seconds.
const CONNECT_S: u64 = 10;

/// Why an HTTP client cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The TLS library rejects its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP library rejects the settings.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// A builder for a client with a timeout for the whole request.
pub(crate) fn builder(timeout: Duration) -> Result<reqwest::ClientBuilder, HttpError> {
    let roots = rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(CONNECT_S))
        .timeout(timeout)
        .user_agent(concat!("towline-gateway/", env!("CARGO_PKG_VERSION"))))
}

/// Why a response body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is larger than the limit.
    #[error("the response is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection failed.
    #[error("{0}")]
    Broken(#[from] reqwest::Error),
}

/// Reads a body of at most `max` bytes.
pub(crate) async fn body(mut response: reqwest::Response, max: usize) -> Result<Vec<u8>, BodyError> {
    let mut out = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if out.len() + chunk.len() > max {
            return Err(BodyError::TooLarge(max));
        }
        out.extend_from_slice(&chunk);
    }
    Ok(out)
}

/// The wait that a server asks for in `Retry-After`, as seconds or as a date; at most an hour.
pub(crate) fn retry_after(headers: &HeaderMap, now: Millis) -> Option<Duration> {
    const MAX: Duration = Duration::from_secs(3600);
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(MAX));
    }
    Some(Duration::from_millis(date(text)?.since(now)).min(MAX))
}

/// The server's time, from the `Date` header.
pub(crate) fn server_time(headers: &HeaderMap) -> Option<Millis> {
    date(headers.get(reqwest::header::DATE)?.to_str().ok()?)
}

fn date(text: &str) -> Option<Millis> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    u64::try_from(time.timestamp().as_millisecond()).ok().map(Millis)
}

/// The current time of this machine. It is used for display, schedules and headers, never to resolve conflicts.
pub(crate) fn wall_clock() -> Millis {
    Millis(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0))
}

/// Whether an address is on this machine.
pub(crate) fn is_loopback(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "5".parse().expect("header"));
        assert_eq!(retry_after(&headers, Millis(0)), Some(Duration::from_secs(5)));
        headers.insert(
            RETRY_AFTER,
            "Thu, 01 Jan 1970 00:00:07 GMT".parse().expect("header"),
        );
        assert_eq!(retry_after(&headers, Millis(1_000)), Some(Duration::from_secs(6)));
        headers.insert(RETRY_AFTER, "99999999".parse().expect("header"));
        assert_eq!(retry_after(&headers, Millis(0)), Some(Duration::from_secs(3600)));
        headers.insert(RETRY_AFTER, "soon".parse().expect("header"));
        assert_eq!(retry_after(&headers, Millis(0)), None);
    }

    #[test]
    fn only_addresses_of_this_machine_are_loopback() {
        let loopback = |text: &str| is_loopback(&text.parse().expect("url"));
        assert!(
            loopback("http://127.0.0.1:8008") && loopback("http://[::1]:1") && loopback("http://localhost")
        );
        assert!(!loopback("http://localhost.example.org") && !loopback("http://10.0.0.1"));
    }
}
