//! The Matrix client-server API over HTTP: one call, bounded answers, errors that say what to do.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use towline_proto::Millis;

use crate::http::{self, BodyError, HttpError};

/// Largest answer that is read, in bytes. A sync of 50 messages per room stays far below it.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Time for a whole call, in seconds; a long poll adds its own wait.
const CALL_S: u64 = 30;

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// There is no client.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The homeserver's address cannot carry a path.
    #[error("{0} is not a homeserver's address")]
    Address(String),
    /// The homeserver was not reached, or broke off.
    #[error("the homeserver cannot be reached: {0}")]
    Network(#[source] reqwest::Error),
    /// The homeserver said no.
    #[error("{status}: {code} {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Matrix's own code, such as `M_FORBIDDEN`.
        code: String,
        /// Its words.
        message: String,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// The answer is not one.
    #[error("the homeserver's answer is not readable: {0}")]
    Answer(String),
}

impl MatrixError {
    /// Whether the homeserver does not know our access token any more.
    pub fn is_unknown_token(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. })
    }

    /// The HTTP status of a refusal.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Http(_) | Self::Address(_) | Self::Network(_) | Self::Answer(_) => None,
        }
    }

    /// When the homeserver wants to be asked again.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Http(_) | Self::Address(_) | Self::Network(_) | Self::Answer(_) => None,
        }
    }
}

/// A value, and the homeserver's clock when it gave it.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// The value.
    pub(crate) value: T,
    /// The homeserver's clock.
    pub(crate) at: Option<Millis>,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Path segments after `/_matrix/client/v3`; each is escaped.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<Value>,
    /// A wait that the homeserver is asked for, on top of the time for a call.
    pub(crate) wait: Duration,
}

impl<'a> Call<'a> {
    pub(crate) const fn new(method: Method, path: &'a [&'a str]) -> Self {
        Self {
            method,
            path,
            query: &[],
            body: None,
            wait: Duration::ZERO,
        }
    }

    pub(crate) fn body(mut self, body: impl Serialize) -> Self {
        self.body = serde_json::to_value(body).ok();
        self
    }
}

/// A connection pool to one homeserver.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// A client of the homeserver at an address.
    ///
    /// # Errors
    /// When the address is none or TLS cannot be set up.
    pub fn new(homeserver: &str) -> Result<Self, MatrixError> {
        let base: Url = homeserver
            .parse()
            .map_err(|_| MatrixError::Address(homeserver.to_owned()))?;
        if base.cannot_be_a_base() {
            return Err(MatrixError::Address(homeserver.to_owned()));
        }
        let http = http::builder(Duration::from_secs(CALL_S))?
            .build()
            .map_err(|error| MatrixError::Http(error.into()))?;
        Ok(Self { http, base })
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        token: Option<&str>,
        call: Call<'_>,
    ) -> Result<Answer<T>, MatrixError> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty()
                .extend(["_matrix", "client", "v3"])
                .extend(call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut request = self
            .http
            .request(call.method, url)
            .timeout(Duration::from_secs(CALL_S) + call.wait);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        // The error of the HTTP client holds the address, and an address never holds the token.
        let response = request.send().await.map_err(MatrixError::Network)?;
        let at = http::server_time(response.headers());
        if response.status() != StatusCode::OK {
            return Err(refusal(response).await);
        }
        let bytes = http::body(response, ANSWER_BYTES)
            .await
            .map_err(|error| match error {
                BodyError::Broken(error) => MatrixError::Network(error),
                BodyError::TooLarge(_) => MatrixError::Answer(error.to_string()),
            })?;
        let value = serde_json::from_slice(&bytes).map_err(|error| MatrixError::Answer(error.to_string()))?;
        Ok(Answer { value, at })
    }
}

async fn refusal(response: Response) -> MatrixError {
    let status = response.status().as_u16();
    let header = http::retry_after(response.headers(), http::wall_clock());
    let bytes = http::body(response, ANSWER_BYTES).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |key: &str| {
        let text = body.get(key).and_then(Value::as_str).unwrap_or_default();
        towline_proto::text::show(text, 200)
    };
    // The field is older than the header and newer servers send only the header: honour either.
    let field = body.get("retry_after_ms").and_then(Value::as_u64);
    MatrixError::Refused {
        status,
        code: text("errcode"),
        message: text("error"),
        retry_after: header.max(field.map(|ms| Duration::from_millis(ms.min(3_600_000)))),
    }
}
