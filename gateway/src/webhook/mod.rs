//! Webhooks: every event as a signed CloudEvents document to an HTTP endpoint.
//!
//! Headers and retry schedule are those of Standard Webhooks 1.0, the body is CloudEvents 1.0. The
//! endpoint's address is looked up and checked anew for each delivery and the connection pinned to
//! what was checked, so that a name cannot lead inside after the check. Redirects are failures.

mod address;
pub mod sign;

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use towline_node::api::types::FeedEvent;

use crate::config;
use crate::http::{self, HttpError, wall_clock};
use crate::relay::{Body, Line, Outcome};
use sign::{Key, KeyError};

/// Time for one delivery, in seconds: the specification asks for 15 to 30.
const DELIVERY_S: u64 = 20;
/// Largest part of an answer that is read, in bytes; nothing in it matters.
const ANSWER_BYTES: usize = 64 * 1024;
/// Waits before the second and later attempts, in seconds: the schedule of Standard Webhooks.
const SCHEDULE_S: &[u64] = &[
    5,
    5 * 60,
    30 * 60,
    2 * 3_600,
    5 * 3_600,
    10 * 3_600,
    14 * 3_600,
    20 * 3_600,
    24 * 3_600,
];

/// Why an endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address is none.
    #[error("{0:?} is not an address")]
    Address(String),
    /// The secret is none.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// One endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    url: Arc<reqwest::Url>,
    key: Arc<Key>,
    allow_private: bool,
}

/// The wait after so many failed attempts; `None` when a person has to look at it.
pub(crate) fn backoff(attempts: u32) -> Option<Duration> {
    let index = usize::try_from(attempts.saturating_sub(1)).ok()?;
    SCHEDULE_S.get(index).copied().map(Duration::from_secs)
}

/// An event as a CloudEvents document. Receivers drop repetitions by `source` and `id`; `sequence`
/// is padded because receivers compare it as text.
pub(crate) fn cloud_event(project: &str, event: &FeedEvent) -> String {
    json!({
        "specversion": "1.0",
        "id": event.event.id,
        "source": format!("towline/{}", event.event.project),
        "type": format!("towline.{}", event.event.what.name()),
        "subject": event.event.item,
        "time": event.event.at,
        "datacontenttype": "application/json",
        "sequence": format!("{:020}", event.position),
        "project": project,
        "data": event,
    })
    .to_string()
}

impl Endpoint {
    /// The endpoint of a section of the configuration.
    ///
    /// # Errors
    /// When the address or the secret is none.
    pub fn new(config: &config::Webhook) -> Result<Self, EndpointError> {
        let url = config
            .url
            .parse()
            .map_err(|_| EndpointError::Address(config.url.clone()))?;
        Ok(Self {
            url: Arc::new(url),
            key: Arc::new(Key::parse(config.secret.reveal())?),
            allow_private: config.allow_private,
        })
    }

    /// Attempts to deliver an event.
    pub(crate) async fn deliver(&self, line: &Line) -> Outcome {
        let Body::Event { json } = &line.body else {
            return Outcome::Refused {
                why: "an endpoint takes events only".to_owned(),
            };
        };
        let client = match self.client().await {
            Ok(client) => client,
            Err(why) => return Outcome::Later { after: None, why },
        };
        let now = wall_clock();
        let seconds = now.0 / 1_000;
        let sent = client
            .post((*self.url).clone())
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .header("webhook-id", &line.transaction)
            .header("webhook-timestamp", seconds.to_string())
            .header(
                "webhook-signature",
                self.key.sign(&line.transaction, seconds, json.as_bytes()),
            )
            .body(json.clone())
            .send()
            .await;
        match sent {
            Ok(response) => {
                let outcome = verdict(response.status(), http::retry_after(response.headers(), now));
                // The answer is read so that the connection ends well; what it says is nothing to us.
                let _ = http::body(response, ANSWER_BYTES).await;
                outcome
            }
            Err(error) => Outcome::Later {
                after: None,
                why: error.without_url().to_string(),
            },
        }
    }

    /// A client that can only reach the addresses that were checked just now.
    async fn client(&self) -> Result<reqwest::Client, String> {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or(443);
        let addresses = address::resolve(host, port, self.allow_private)
            .await
            .map_err(|error| error.to_string())?;
        let build = || -> Result<reqwest::Client, HttpError> {
            let builder = http::builder(Duration::from_secs(DELIVERY_S))?;
            Ok(builder.resolve_to_addrs(host, &addresses).build()?)
        };
        build().map_err(|error| error.to_string())
    }
}

fn verdict(status: StatusCode, after: Option<Duration>) -> Outcome {
    let why = format!("the endpoint answered {status}");
    match status {
        status if status.is_success() => Outcome::Delivered,
        StatusCode::GONE => Outcome::Gone { why },
        _ => Outcome::Later { after, why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_hundreds_are_success_and_gone_is_the_end() {
        assert_eq!(verdict(StatusCode::NO_CONTENT, None), Outcome::Delivered);
        for status in [301, 400, 404, 429, 500, 503] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert!(matches!(verdict(status, None), Outcome::Later { .. }), "{status}");
        }
        assert!(matches!(verdict(StatusCode::GONE, None), Outcome::Gone { .. }));
    }

    #[test]
    fn the_schedule_ends() {
        assert_eq!(backoff(1), Some(Duration::from_secs(5)));
        assert_eq!(backoff(2), Some(Duration::from_secs(300)));
        assert_eq!(backoff(9), Some(Duration::from_secs(24 * 3_600)));
        assert_eq!(backoff(10), None);
    }
}
