//! The HTTP server of a node: board, JSON API and server-sent events, for one project or for a fleet.
//!
//! Pages are rendered here and work before any script has loaded. Everything is asked through the
//! [`NodeHandle`]; this module never opens a store, knows no rule of the domain and keeps nothing
//! but sessions, which a [`SessionStore`] stores for the next start.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;
use towline_api::request::{Failure, FailureCode, Reply, Request};
use towline_engine::handle::{NodeHandle, ProjectLink};
use towline_net::limiter::{Limiter, Limits};
use towline_proto::{Millis, Origin};

mod api;
mod api_routes;
mod assets;
mod changes;
mod edits;
mod error;
mod events;
mod find;
mod forms;
mod guard;
mod many;
mod metrics;
mod new_items;
mod openapi;
mod pages;
mod query;
mod saved;
mod serve;
mod session;
mod strict;
mod token;
mod view;

use metrics::Metrics;
pub use saved::ViewShelf;
pub use serve::serve;
use session::Sessions;
pub use session::{MAX_SESSIONS, SessionStore, StoredSession};
use token::FailedAttempts;
pub use token::{TokenCheck, TokenRefusal};

/// Largest request body in bytes: an import chunk fits, a flood does not.
const HTTP_BODY_BYTES: usize = 1024 * 1024;
/// Open event streams at once: browsers share one among their tabs, so this is 128 people, and 64 that
/// come from one address, as all do whom a proxy brings.
const STREAMS: Limits = Limits {
    total: 128,
    per_source: 64,
    grace: Duration::ZERO,
};
/// How long open connections may linger after the stop, in milliseconds.
const LINGER_MS: u64 = 3_000;

/// The configuration of the HTTP server.
#[derive(Debug, Clone, Default)]
pub struct WebConfig {
    /// The title at the top of every page.
    pub title: String,
    /// The `host:port` values that requests may name, in addition to loopback names with any port.
    pub allowed_hosts: Vec<String>,
    /// Whether `/` is the fleet page even with one project.
    pub fleet: bool,
    /// Checks the API tokens of programs; without it none is accepted.
    pub tokens: Option<Arc<dyn TokenCheck>>,
    /// Keeps sessions for the next start; without it they end with the process.
    pub sessions: Option<Arc<dyn SessionStore>>,
    /// Keeps the views that people save; without it none can be saved.
    pub views: Option<Arc<dyn ViewShelf>>,
}

/// The state that all handlers share.
#[derive(Debug)]
pub struct Web {
    handle: NodeHandle,
    config: WebConfig,
    sessions: Sessions,
    metrics: Metrics,
    streams: Limiter,
    failed_attempts: FailedAttempts,
}

impl Web {
    /// The HTTP server of a node.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn new(handle: NodeHandle, config: WebConfig) -> io::Result<Arc<Self>> {
        // Cookies do not know ports: two nodes on one machine share `127.0.0.1`, and without the
        // node's id in the name each would sign the other's people out.
        let cookie = format!("towline_{}", handle.me().short());
        Ok(Arc::new(Self {
            sessions: Sessions::new(cookie, config.sessions.clone(), now())?,
            metrics: Metrics::new(),
            streams: Limiter::new(STREAMS),
            failed_attempts: FailedAttempts::default(),
            handle,
            config,
        }))
    }

    /// A link that signs `who` in, once, within ten minutes. `base` is an address of this server,
    /// such as `http://127.0.0.1:7420`.
    pub fn login_link(&self, base: &str, who: &str) -> String {
        let code = self.sessions.issue_code(who);
        format!("{}/login?code={code}", base.trim_end_matches('/'))
    }

    async fn ask(
        &self,
        link: &ProjectLink,
        origin: Option<Origin>,
        body: impl Into<Request>,
    ) -> Result<Reply, Failure> {
        let body = body.into();
        let limit = body.time_limit();
        within(limit, self.handle.request(&link.id, origin, body)).await
    }

    fn is_fleet(&self) -> bool {
        self.config.fleet || self.handle.projects().len() != 1 || !self.handle.unavailable().is_empty()
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match tokio::time::timeout(limit, work).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::new(
            FailureCode::TimedOut,
            format!(
                "the project did not answer within {} s; try again",
                limit.as_secs()
            ),
        )),
    }
}

/// The wall clock, for ages on pages and nothing else.
fn now() -> Millis {
    let ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis());
    Millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

/// Every route, behind the guard.
pub fn router(web: Arc<Web>) -> axum::Router {
    let api = api_routes::routes()
        .into_iter()
        .fold(axum::Router::new(), |api, (route, handler)| {
            let known = move |request, next| strict::known_parameters(route.kind, request, next);
            api.route(route.path, handler.route_layer(middleware::from_fn(known)))
        });
    api.route("/", get(pages::fleet))
        .route("/fragment", get(pages::fleet_fragment))
        .route("/p/{project}", get(pages::board))
        .route("/p/{project}/fragment", get(pages::board_fragment))
        .route("/p/{project}/new", get(new_items::form).post(new_items::create))
        .route("/p/{project}/cards", get(changes::cards))
        .route("/p/{project}/find", get(find::find))
        .route("/p/{project}/views", post(saved::save))
        .route("/p/{project}/many", post(many::act))
        .route("/p/{project}/conflicts", get(pages::conflicts))
        .route("/p/{project}/conflicts/fragment", get(pages::conflicts_fragment))
        .route("/p/{project}/items/{item}", get(pages::item))
        .route("/p/{project}/items/{item}/fragment", get(pages::item_fragment))
        .route("/p/{project}/items/{item}/act", post(forms::act))
        .route("/p/{project}/items/{item}/comment", post(edits::comment))
        .route("/p/{project}/items/{item}/edit", post(edits::edit))
        .route("/p/{project}/items/{item}/settle", post(forms::resolve))
        .route("/preview", post(edits::preview))
        .route("/search", get(pages::search))
        .route("/login", get(pages::login))
        .route("/logout", post(forms::logout))
        .route("/assets/{file}", get(assets::serve))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics::serve))
        .method_not_allowed_fallback(strict::method_not_allowed)
        .fallback(pages::not_found)
        // Event streams are left out by its default. A page with a session's token in it is only ever sent to that
        // session, whose cookie other sites cannot make a browser send, so its length tells them nothing.
        .layer(CompressionLayer::new().gzip(true))
        .layer(DefaultBodyLimit::max(HTTP_BODY_BYTES))
        .layer(middleware::from_fn(serve::read_whole))
        .layer(middleware::from_fn_with_state(Arc::clone(&web), guard::guard))
        .with_state(web)
}
