//! Server-sent events: the feeds of one or more projects as one stream that a browser can resume.
//!
//! The id of each event is the stream's whole place: the feed position of its one project, or
//! `project:position` pairs. A client that is too far behind gets a `resync` event instead of all events.
//! The client pulls the stream, so a slow client blocks nobody.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Extension, Query, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::future::select_all;
use futures::stream::{self, Stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use towline_api::request::{self, Failure, FailureCode, Reply};
use towline_engine::handle::ProjectLink;
use towline_net::limiter::{Permit, Source};

use super::Web;
use super::error::ApiError;
use super::guard::text;

/// Events that a resuming client is sent one by one; beyond that fetching anew is cheaper.
const MAX_GAP: u64 = 500;
/// Events fetched from a project at a time.
const PAGE: usize = 100;
/// Time between comments on a quiet stream, so that proxies keep it open.
const HEARTBEAT: Duration = Duration::from_secs(15);

struct Feed {
    link: ProjectLink,
    position: u64,
}

/// A stream's state, which is also its place among the streams that may be open.
struct Streaming {
    web: Arc<Web>,
    feeds: Vec<Feed>,
    ready: VecDeque<Event>,
    stop: CancellationToken,
    _permit: Permit,
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.web.metrics.streams.dec();
    }
}

/// `/api/v1/events`
pub(super) async fn serve(
    State(web): State<Arc<Web>>,
    Query(query): Query<Vec<(String, String)>>,
    stop: Option<Extension<CancellationToken>>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let links = wanted(&web, &query)?;
    let source = peer.map_or(Source::LOCAL, |Extension(ConnectInfo(peer))| peer.ip().into());
    let permit = web.streams.enter(source).ok_or_else(|| {
        Failure::new(
            FailureCode::Busy,
            "too many event streams are open; close other tabs or try again later",
        )
    })?;
    permit.finished();
    // What the browser saw last is newer than the address it first connected with.
    let place = text(&headers, HeaderName::from_static("last-event-id"))
        .or_else(|| value(&query, "after"))
        .filter(|place| !place.is_empty());
    let alone = links.len() == 1;
    let feeds = links
        .into_iter()
        .map(|link| start(link, place, alone))
        .collect::<Result<Vec<_>, Failure>>()?;

    web.metrics.streams.inc();
    let mut streaming = Streaming {
        web,
        feeds,
        ready: VecDeque::new(),
        stop: stop.map(|Extension(stop)| stop).unwrap_or_default(),
        _permit: permit,
    };
    streaming.send_hello();
    let sse = Sse::new(events(streaming)).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("quiet"));
    // nginx would otherwise hold events back until its buffer is full.
    Ok(([("x-accel-buffering", "no"), ("cache-control", "no-store")], sse).into_response())
}

fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// The named projects, each once; all of them when none is named.
fn wanted(web: &Web, query: &[(String, String)]) -> Result<Vec<ProjectLink>, Failure> {
    let mut links: Vec<ProjectLink> = Vec::new();
    for (_, name) in query.iter().filter(|(key, _)| key == "project") {
        let link = web.handle.project(Some(name))?;
        if links.iter().all(|known| known.id != link.id) {
            links.push(link);
        }
    }
    if links.is_empty() {
        links = web.handle.projects();
    }
    Ok(links)
}

/// The position of a feed to continue from: the one that the client gave, or now.
fn start(link: ProjectLink, place: Option<&str>, alone: bool) -> Result<Feed, Failure> {
    let latest = *link.feed.borrow();
    let Some(place) = place else {
        return Ok(Feed {
            link,
            position: latest,
        });
    };
    let wrong = || {
        Failure::new(
            FailureCode::Usage,
            format!("invalid `after` value {place:?}; expected a feed position, or project:position pairs"),
        )
    };
    if alone && let Ok(position) = place.parse() {
        return Ok(Feed { link, position });
    }
    let short = link.id.short();
    for pair in place.split(',') {
        let (project, position) = pair.split_once(':').ok_or_else(wrong)?;
        let position = position.parse().map_err(|_| wrong())?;
        if project == short {
            return Ok(Feed { link, position });
        }
    }
    Ok(Feed {
        link,
        position: latest,
    })
}

fn events(streaming: Streaming) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(streaming, |mut streaming| async move {
        let stop = streaming.stop.clone();
        let event = tokio::select! {
            event = streaming.next() => event?,
            () = stop.cancelled() => return None,
        };
        Some((Ok(event), streaming))
    })
}

impl Streaming {
    /// The stream's whole place, for `id:`.
    fn place(&self) -> String {
        match self.feeds.as_slice() {
            [feed] => feed.position.to_string(),
            feeds => feeds
                .iter()
                .map(|feed| format!("{}:{}", feed.link.id.short(), feed.position))
                .collect::<Vec<_>>()
                .join(","),
        }
    }

    /// First the position of each feed: a page that was rendered earlier then reloads its content.
    fn send_hello(&mut self) {
        let positions: serde_json::Map<_, _> = self
            .feeds
            .iter()
            .map(|feed| (feed.link.id.to_string(), json!(*feed.link.feed.borrow())))
            .collect();
        let hello = json!({ "positions": positions }).to_string();
        self.ready.push_back(Event::default().event("hello").data(hello));
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.feeds.is_empty() {
                return None;
            }
            for index in 0..self.feeds.len() {
                self.fetch(index).await;
            }
            if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    async fn fetch(&mut self, index: usize) {
        let Some(feed) = self.feeds.get_mut(index) else {
            return;
        };
        let latest = *feed.link.feed.borrow_and_update();
        if feed.position == latest {
            return;
        }
        // A negative gap is a feed that was created again, for example by `rebuild`.
        let gap = latest.checked_sub(feed.position).unwrap_or(u64::MAX);
        let link = feed.link.clone();
        let after = feed.position;
        if gap > MAX_GAP {
            self.resync(index, latest);
            return;
        }
        let asked = request::Query::Events { after, limit: PAGE };
        match self.web.ask(&link, None, asked).await {
            Ok(Reply::Events(events)) if !events.is_empty() => {
                for event in events {
                    if let Some(feed) = self.feeds.get_mut(index) {
                        feed.position = event.position;
                    }
                    let sent = Event::default()
                        .id(self.place())
                        .data(event.document().to_line().trim_end());
                    self.ready.push_back(sent);
                }
            }
            // Fewer events than positions: there is nothing to resume from, so fetch anew.
            Ok(_) | Err(_) => self.resync(index, latest),
        }
    }

    fn resync(&mut self, index: usize, latest: u64) {
        let Some(feed) = self.feeds.get_mut(index) else {
            return;
        };
        feed.position = latest;
        let about = json!({ "project": feed.link.id, "position": latest }).to_string();
        let event = Event::default().event("resync").id(self.place()).data(about);
        self.ready.push_back(event);
    }

    /// Waits until any feed has new events; drops a feed whose project is gone.
    async fn wait(&mut self) {
        let waits = self
            .feeds
            .iter_mut()
            .map(|feed| Box::pin(feed.link.feed.changed()));
        let (changed, index, _) = select_all(waits).await;
        if changed.is_err() {
            self.feeds.remove(index);
        }
    }
}
