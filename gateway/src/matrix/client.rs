//! Calls to the Matrix client-server API over HTTP, with bounded responses and typed errors.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use towline_proto::Millis;

use crate::http::{self, BodyError, HttpError};

/// Maximum size of a response, in bytes. A sync with 50 messages per room is far smaller.
const RESPONSE_BYTES: usize = 16 * 1024 * 1024;
/// Time limit of a call, in seconds; a long poll adds its own wait.
const CALL_S: u64 = 30;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// The HTTP client cannot be created.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The address of the homeserver is invalid.
    #[error("{0} is not a valid homeserver address")]
    Address(String),
    /// The homeserver cannot be reached, or the connection failed.
    #[error("cannot reach the homeserver: {0}")]
    Network(#[source] reqwest::Error),
    /// The homeserver responded with an error.
    #[error("the homeserver responded with {status}: {code} {message}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The Matrix error code, such as `M_FORBIDDEN`.
        code: String,
        /// The message of the homeserver.
        message: String,
        /// The wait that the homeserver asked for.
        retry_after: Option<Duration>,
    },
    /// The response is invalid.
    #[error("the homeserver sent an invalid response: {0}")]
    InvalidResponse(String),
}

impl MatrixError {
    /// Whether the homeserver rejected the access token.
    pub(crate) fn is_unknown_token(&self) -> bool {
        matches!(self, Self::Rejected { status: 401, .. })
    }

    /// The HTTP status of an error response.
    pub(crate) const fn status(&self) -> Option<u16> {
        match self {
            Self::Rejected { status, .. } => Some(*status),
            Self::Http(_) | Self::Address(_) | Self::Network(_) | Self::InvalidResponse(_) => None,
        }
    }

    /// The wait that the homeserver asked for.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected { retry_after, .. } => *retry_after,
            Self::Http(_) | Self::Address(_) | Self::Network(_) | Self::InvalidResponse(_) => None,
        }
    }
}

/// The response to a call, with the homeserver's time.
#[derive(Debug)]
pub(crate) struct ApiResponse<T> {
    /// The value.
    pub(crate) value: T,
    /// The homeserver's time.
    pub(crate) at: Option<Millis>,
}

/// A call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// The path segments after `/_matrix/client/v3`, unescaped.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<Value>,
    /// The additional time limit of a long poll.
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

/// A client for one homeserver.
#[derive(Debug, Clone)]
pub(crate) struct MatrixClient {
    http: reqwest::Client,
    base: Url,
}

impl MatrixClient {
    /// A client for the homeserver at an address.
    ///
    /// # Errors
    /// When the address is invalid, or TLS cannot be set up.
    pub(crate) fn new(homeserver: &str) -> Result<Self, MatrixError> {
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
    ) -> Result<ApiResponse<T>, MatrixError> {
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
        // An error contains the address, and the token is never part of the address.
        let response = request.send().await.map_err(MatrixError::Network)?;
        let at = http::server_time(response.headers());
        if response.status() != StatusCode::OK {
            return Err(error_response(response).await);
        }
        let bytes = http::body(response, RESPONSE_BYTES)
            .await
            .map_err(|error| match error {
                BodyError::Broken(error) => MatrixError::Network(error),
                BodyError::TooLarge(_) => MatrixError::InvalidResponse(error.to_string()),
            })?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| MatrixError::InvalidResponse(error.to_string()))?;
        Ok(ApiResponse { value, at })
    }
}

async fn error_response(response: Response) -> MatrixError {
    let status = response.status().as_u16();
    let header = http::retry_after(response.headers(), http::wall_clock());
    let bytes = http::body(response, RESPONSE_BYTES).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |key: &str| {
        let text = body.get(key).and_then(Value::as_str).unwrap_or_default();
        towline_proto::text::show(text, 200)
    };
    // Old servers send the field, and new ones only the header.
    let field = body.get("retry_after_ms").and_then(Value::as_u64);
    MatrixError::Rejected {
        status,
        code: text("errcode"),
        message: text("error"),
        retry_after: header.max(field.map(|ms| Duration::from_millis(ms.min(3_600_000)))),
    }
}
