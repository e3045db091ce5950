//! The HTTP server: connections, and how long each of them may take for what.
//!
//! hyper speaks HTTP; here is what it leaves to its user. A request's headers have [`HEADERS`], its
//! body has [`BODY`], a client that reads nothing of an answer has [`READING`]. There are at most so
//! many connections, in all and from one address, and one that has not finished a request gives way to
//! a newcomer (see `limiter.rs`). Relies on the router for all responses; never reads a request
//! itself.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{ConnectInfo, Extension, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use towline_api::request::{Failure, FailureCode};
use towline_net::limiter::{Limiter, Limits, Permit};
use towline_net::log_throttle::LogThrottle;

use super::error::ApiError;
use super::guard::Caller;
use super::{HTTP_BODY_BYTES, LINGER_MS};

/// Time for the headers of a request, also of the next one on a connection.
const HEADERS: Duration = Duration::from_secs(10);
/// Time for the body of a request: 1 MiB at 300 kbit/s.
const BODY: Duration = Duration::from_secs(30);
/// How long a client may read nothing of what it asked for.
const READING: Duration = Duration::from_secs(30);
/// Connections at most, where the system allows many descriptors.
const CONNECTIONS: usize = 512;
/// The part of the process's descriptors that may be connections of browsers: the rest is for stores,
/// members and the command line.
const PART_OF_DESCRIPTORS: u64 = 4;
/// What is kept of one connection, in bytes: the headers of a request must fit.
const BUFFER_BYTES: usize = 64 * 1024;
/// Time until a connection is accepted again after one could not be.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// As many connections as the process has descriptors for. One address may have half of them: a proxy
/// in front of the board is one address.
fn limits() -> Limits {
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let part = descriptors.map_or(u64::MAX, |descriptors| descriptors / PART_OF_DESCRIPTORS);
    let total = usize::try_from(part).unwrap_or(usize::MAX).clamp(16, CONNECTIONS);
    Limits {
        total,
        per_source: total / 2,
        grace: Duration::ZERO,
    }
}

/// Answers on `listener` until `stop`, then lets open answers finish for a moment.
///
/// # Errors
/// Never: a connection that cannot be accepted is tried again.
pub async fn serve(listener: TcpListener, router: axum::Router, stop: CancellationToken) -> io::Result<()> {
    // Event streams never end by themselves: they get the stop token, or stopping would wait for them.
    let router = router.layer(Extension(stop.clone()));
    let limiter = Limiter::new(limits());
    let mut outage = LogThrottle::new("cannot accept a connection to the board");
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Without a place the stream is dropped here, which hangs up.
                if let Some(permit) = limiter.enter(peer.ip().into()) {
                    connections.spawn(connection(
                        stream,
                        peer,
                        Arc::new(permit),
                        router.clone(),
                        stop.clone(),
                    ));
                }
            }
            Err(error) if is_peer_error(&error) => {}
            Err(error) => {
                outage.failed(Instant::now(), &error);
                limiter.evict_one();
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    if timeout(Duration::from_millis(LINGER_MS), finish).await.is_err() {
        tracing::debug!("open connections to the board were closed");
    }
    Ok(())
}

/// Whether only the connection that was being accepted is affected.
fn is_peer_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    permit: Arc<Permit>,
    router: axum::Router,
    stop: CancellationToken,
) {
    // Fails for a connection that is gone already.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(READING));
    let router = TowerToHyperService::new(router);
    let place = Arc::clone(&permit);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<_>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(Arc::clone(&place));
        router.call(request)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut served = std::pin::pin!(served);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!(%peer, %error, "a connection to the board ended");
                }
                return;
            }
            () = permit.evicted() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Marks a connection as unfinished again when the answer is through.
struct AnswerGuard(Arc<Permit>);

impl Drop for AnswerGuard {
    fn drop(&mut self) {
        self.0.unfinished();
    }
}

/// The body of an answer, until it has been sent.
struct TrackedBody {
    body: Body,
    _answering: AnswerGuard,
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The middleware that has a request whole before a handler sees it. From then on its connection keeps
/// its place until the answer has been sent.
pub(super) async fn read_whole(request: Request, next: Next) -> Response {
    let permit = request.extensions().get::<Arc<Permit>>().cloned();
    let request = match read(request).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let Some(permit) = permit else {
        return next.run(request).await;
    };
    permit.finished();
    let answering = AnswerGuard(permit);
    // The body of the answer is dropped when it has been sent or the connection has ended.
    let sent = |body| {
        Body::new(TrackedBody {
            body,
            _answering: answering,
        })
    };
    next.run(request).await.map(sent)
}

async fn read(request: Request) -> Result<Request, Response> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let reads = !matches!(*request.method(), Method::GET | Method::HEAD);
    let (parts, body) = request.into_parts();
    let known = parts
        .extensions
        .get::<Caller>()
        .is_some_and(|caller| caller.session.is_some() || caller.token.is_some());
    // For callers who may not write, the handler refuses; the body is not awaited.
    if !reads || !known {
        return Ok(Request::from_parts(parts, Body::empty()));
    }
    let program = parts.uri.path().starts_with("/api/");
    match timeout(BODY, to_bytes(body, HTTP_BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(error)) => {
            tracing::debug!(%error, "cannot read the body of a request");
            let why = format!(
                "cannot read the request body; it must be complete and have at most {HTTP_BODY_BYTES} bytes"
            );
            Err(refusal(
                program,
                StatusCode::PAYLOAD_TOO_LARGE,
                FailureCode::Usage,
                why,
            ))
        }
        Err(_) => {
            let why = format!("the request body did not arrive within {} s", BODY.as_secs());
            Err(refusal(
                program,
                StatusCode::REQUEST_TIMEOUT,
                FailureCode::TimedOut,
                why,
            ))
        }
    }
}

fn refusal(program: bool, status: StatusCode, code: FailureCode, why: String) -> Response {
    let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
    if program {
        return (close, ApiError(Failure::new(code, why))).into_response();
    }
    (status, close, why).into_response()
}
