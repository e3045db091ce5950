//! Counters and gauges of this face in the Prometheus text form, in a registry of its own.
//!
//! Gauges about projects are read from the projects when somebody looks, never kept up to date.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use towline_api::request::{Query, Reply};

use super::Web;

type Labels = Vec<(&'static str, String)>;

/// What is measured.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    items: Family<Labels, Gauge>,
    feed: Family<Labels, Gauge>,
    /// Open event streams.
    pub(super) streams: Gauge<i64, AtomicI64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("towline");
        let requests = Family::<Labels, Counter>::default();
        let items = Family::<Labels, Gauge>::default();
        let feed = Family::<Labels, Gauge>::default();
        let streams = Gauge::<i64, AtomicI64>::default();
        registry.register("http_requests", "Requests answered, by status", requests.clone());
        registry.register("items", "Items in each column, without the trash", items.clone());
        registry.register(
            "feed_position",
            "The last position of the event feed",
            feed.clone(),
        );
        registry.register("sse_clients", "Open event streams", streams.clone());
        Self {
            registry,
            requests,
            items,
            feed,
            streams,
        }
    }

    pub(super) fn count(&self, status: StatusCode) {
        let labels = vec![("status", status.as_u16().to_string())];
        self.requests.get_or_create(&labels).inc();
    }
}

/// `/metrics`
pub(super) async fn serve(State(web): State<Arc<Web>>) -> Response {
    let metrics = &web.metrics;
    for link in web.handle.projects() {
        let project = ("project", link.name.clone());
        let position = i64::try_from(*link.feed.borrow()).unwrap_or(i64::MAX);
        metrics.feed.get_or_create(&vec![project.clone()]).set(position);
        // A project that does not answer keeps its last figures; the others are still exported.
        if let Ok(Reply::Status(status)) = web.ask(&link, None, Query::Status).await {
            for (column, count) in status.columns {
                let labels = vec![project.clone(), ("column", column.as_str().to_owned())];
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                metrics.items.get_or_create(&labels).set(count);
            }
        }
    }
    let mut text = String::new();
    match encode(&mut text, &metrics.registry) {
        Ok(()) => {
            let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, form)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
