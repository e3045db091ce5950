//! Webhooks: each event is sent to an HTTP endpoint as a signed CloudEvents document.
//!
//! Headers and retry schedule follow Standard Webhooks 1.0, and the body follows CloudEvents 1.0. The host of
//! the endpoint is resolved and checked before each delivery, and the connection is pinned to the checked
//! addresses, so that a name cannot point to a private address after the check. Redirects are failures.

mod address;
pub mod sign;

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use towline_api::types::FeedEvent;

use crate::config;
use crate::http::{self, HttpError, wall_clock};
use crate::relay::{DeliveryOutcome, MessageBody, OutboxMessage};
use sign::{WebhookKey, WebhookKeyError};

/// Time limit of one delivery, in seconds; Standard Webhooks recommends 15 to 30.
const DELIVERY_S: u64 = 20;
/// Maximum size of a response that is read, in bytes; its content is ignored.
const RESPONSE_BYTES: usize = 64 * 1024;
/// The waits before the second and later attempts, in seconds: the schedule of Standard Webhooks, about 76 hours in all.
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
    /// The address is invalid.
    #[error("{0:?} is not a valid address")]
    Address(String),
    /// The secret is invalid.
    #[error(transparent)]
    Key(#[from] WebhookKeyError),
}

/// A webhook endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    url: Arc<reqwest::Url>,
    key: Arc<WebhookKey>,
    allow_private: bool,
}

/// The wait after `attempts` failed attempts; `None` when the event has failed for good.
pub(crate) fn backoff(attempts: u32) -> Option<Duration> {
    let index = usize::try_from(attempts.saturating_sub(1)).ok()?;
    SCHEDULE_S.get(index).copied().map(Duration::from_secs)
}

/// An event as a CloudEvents document. Receivers detect repetitions by `source` and `id`. `sequence` is padded
/// with zeros, because receivers compare it as text.
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
        "data": event.document(),
    })
    .to_string()
}

impl Endpoint {
    /// The endpoint of a `webhook` section of the configuration.
    ///
    /// # Errors
    /// When the address or the secret is invalid.
    pub(crate) fn new(config: &config::WebhookConfig) -> Result<Self, EndpointError> {
        let url = config
            .url
            .parse()
            .map_err(|_| EndpointError::Address(config.url.clone()))?;
        Ok(Self {
            url: Arc::new(url),
            key: Arc::new(WebhookKey::parse(config.secret.reveal())?),
            allow_private: config.allow_private,
        })
    }

    /// Tries to deliver an event.
    pub(crate) async fn deliver(&self, message: &OutboxMessage) -> DeliveryOutcome {
        let MessageBody::Event { json } = &message.body else {
            return DeliveryOutcome::Rejected {
                why: "an endpoint accepts only events".to_owned(),
            };
        };
        let client = match self.client().await {
            Ok(client) => client,
            Err(why) => return DeliveryOutcome::RetryLater { after: None, why },
        };
        let now = wall_clock();
        let seconds = now.0 / 1_000;
        let sent = client
            .post((*self.url).clone())
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .header("webhook-id", &message.transaction)
            .header("webhook-timestamp", seconds.to_string())
            .header(
                "webhook-signature",
                self.key.sign(&message.transaction, seconds, json.as_bytes()),
            )
            .body(json.clone())
            .send()
            .await;
        match sent {
            Ok(response) => {
                let outcome = outcome_of(response.status(), http::retry_after(response.headers(), now));
                // The body is read only so that the connection is closed cleanly.
                let _ = http::body(response, RESPONSE_BYTES).await;
                outcome
            }
            Err(error) => DeliveryOutcome::RetryLater {
                after: None,
                why: error.without_url().to_string(),
            },
        }
    }

    /// A client that can connect only to the addresses that were just checked.
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

fn outcome_of(status: StatusCode, after: Option<Duration>) -> DeliveryOutcome {
    let why = format!("the endpoint responded with {status}");
    match status {
        status if status.is_success() => DeliveryOutcome::Delivered,
        StatusCode::GONE => DeliveryOutcome::Gone { why },
        _ => DeliveryOutcome::RetryLater { after, why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_success_and_410_closes_the_endpoint() {
        assert_eq!(
            outcome_of(StatusCode::NO_CONTENT, None),
            DeliveryOutcome::Delivered
        );
        for status in [301, 400, 404, 429, 500, 503] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert!(
                matches!(outcome_of(status, None), DeliveryOutcome::RetryLater { .. }),
                "{status}"
            );
        }
        assert!(matches!(
            outcome_of(StatusCode::GONE, None),
            DeliveryOutcome::Gone { .. }
        ));
    }

    #[test]
    fn the_retry_schedule_is_finite() {
        assert_eq!(backoff(1), Some(Duration::from_secs(5)));
        assert_eq!(backoff(2), Some(Duration::from_secs(300)));
        assert_eq!(backoff(9), Some(Duration::from_secs(24 * 3_600)));
        assert_eq!(backoff(10), None);
    }
}
