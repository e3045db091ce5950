//! The listening side: one small task a connection, each a loop of line in, request, line out.
//!
//! Relies on the handle's bounded queue for back-pressure. Never touches a store, never keeps more
//! than one line of a client in memory, and never lets a silent client keep its place for ever: one
//! that has not sent a whole line yet gives way to a newcomer (see `limiter.rs`).

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use towline_api::request::{Envelope, Failure, FailureCode, Reply};
use towline_engine::handle::NodeHandle;
use towline_net::limiter::{Limiter, Limits, Permit, Source};
use towline_net::log_throttle::LogThrottle;
use towline_store::home::Home;

use super::{
    BoundSocket, CHECK_INTERVAL, CONNECTIONS, ClientMessage, ControlHandler, ControlRequest,
    FIRST_LINE_GRACE, IDLE, LINE_TIMEOUT, NodeInfo, REQUEST_BYTES, SHUTDOWN_GRACE, ServerMessage,
    WRITE_TIMEOUT,
};

/// Serves the handle's projects on a home's socket until `stop` is cancelled, by anybody or by a client's `stop`.
/// The file has mode 0600, is created again when it vanishes, and is removed at the end.
///
/// # Errors
/// None at present; creating the socket again is retried.
pub async fn serve(
    mut socket: BoundSocket,
    home: Home,
    handle: NodeHandle,
    info: NodeInfo,
    controls: Arc<dyn ControlHandler>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    tracing::debug!(path = %socket.path().display(), "listening on the local socket");
    controls.set_socket(socket.path());
    let shared = Arc::new(Shared {
        handle,
        info,
        controls,
        stop,
    });
    let places = Limiter::new(Limits {
        total: CONNECTIONS,
        per_source: CONNECTIONS,
        grace: FIRST_LINE_GRACE,
    });
    let mut outage = LogThrottle::new("a local connection could not be accepted");
    let mut connections = JoinSet::new();
    let mut looks = interval(CHECK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missing = false;
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            _ = looks.tick() => {
                if !socket.is_there() {
                    rebind(&mut socket, &home, &*shared.controls, &mut missing);
                }
                continue;
            }
            accepted = socket.listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors: accepting again at once would spin on the same error.
                outage.failed(std::time::Instant::now(), &error);
                places.evict_one();
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        match places.enter(Source::LOCAL) {
            Some(place) => {
                let shared = shared.clone();
                connections.spawn(async move {
                    let ended = tokio::select! {
                        ended = shared.converse(stream, &place) => ended,
                        () = place.evicted() => return,
                    };
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a local connection ended");
                    }
                });
            }
            None => refuse(stream),
        }
    }
    socket.remove();
    let finish = async { while connections.join_next().await.is_some() {} };
    if timeout(SHUTDOWN_GRACE, finish).await.is_err() {
        tracing::warn!("local connections did not finish in time and were closed");
    }
    Ok(())
}

struct Shared {
    handle: NodeHandle,
    info: NodeInfo,
    controls: Arc<dyn ControlHandler>,
    stop: CancellationToken,
}

impl Shared {
    async fn converse(&self, stream: UnixStream, place: &Permit) -> io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        let mut line = Vec::new();
        loop {
            let got = tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                got = read_line(&mut read, &mut line) => got?,
            };
            // A client that has sent a whole line keeps its connection, also between requests.
            place.finished();
            let (answer, last) = match got {
                LineRead::End => return Ok(()),
                // What follows an overlong line is the middle of a request, not a new one.
                LineRead::TooLong => (ServerMessage::Error(too_long()), true),
                LineRead::Line => self.answer(&line).await,
            };
            send(&mut write, &answer).await?;
            if last {
                return Ok(());
            }
        }
    }

    /// The response to one line, and whether the connection ends with it.
    async fn answer(&self, line: &[u8]) -> (ServerMessage, bool) {
        match parse(line) {
            Ok(ClientMessage::Control(ControlRequest::Hello)) => {
                (ServerMessage::Hello(self.info.clone()), false)
            }
            Ok(ClientMessage::Control(ControlRequest::Stop)) => {
                tracing::info!("asked to stop through the local socket");
                self.stop.cancel();
                (ServerMessage::Ok(Reply::Done), true)
            }
            Ok(ClientMessage::Control(ControlRequest::Join { ticket })) => {
                (to_message(self.controls.join(ticket).await), false)
            }
            Ok(ClientMessage::Control(ControlRequest::Login { who })) => {
                (to_message(self.controls.login(&who)), false)
            }
            Ok(ClientMessage::Ask(envelope)) => (to_message(self.ask(*envelope).await), false),
            Err(failure) => (ServerMessage::Error(failure), false),
        }
    }

    async fn ask(&self, envelope: Envelope) -> Result<Reply, Failure> {
        let project = self.handle.project(envelope.project.as_deref())?;
        self.handle
            .request(&project.id, envelope.origin, envelope.body)
            .await
    }
}

fn to_message(answer: Result<Reply, Failure>) -> ServerMessage {
    match answer {
        Ok(reply) => ServerMessage::Ok(reply),
        Err(failure) => ServerMessage::Error(failure),
    }
}

fn parse(line: &[u8]) -> Result<ClientMessage, Failure> {
    let error = match serde_json::from_slice::<Envelope>(line) {
        Ok(envelope) => return Ok(ClientMessage::Ask(Box::new(envelope))),
        Err(error) => error,
    };
    serde_json::from_slice::<ControlRequest>(line)
        .map(ClientMessage::Control)
        .map_err(|_| {
            Failure::new(
                FailureCode::Usage,
                format!("the line is not a request: {error}; the client may be another version of towline"),
            )
        })
}

enum LineRead {
    Line,
    TooLong,
    End,
}

/// Waits for a line to begin, and less long for its end: a client writes it in one go.
async fn read_line(read: &mut BufReader<OwnedReadHalf>, line: &mut Vec<u8>) -> io::Result<LineRead> {
    line.clear();
    match timeout(IDLE, read.fill_buf()).await {
        Err(_) => return Ok(LineRead::End),
        Ok(begun) => _ = begun?,
    }
    let most = REQUEST_BYTES as u64 + 1;
    let got = match timeout(LINE_TIMEOUT, read.take(most).read_until(b'\n', line)).await {
        Err(_) => return Ok(LineRead::End),
        Ok(got) => got?,
    };
    Ok(match line.last() {
        Some(b'\n') => LineRead::Line,
        _ if got > REQUEST_BYTES => LineRead::TooLong,
        _ => LineRead::End,
    })
}

async fn send(write: &mut OwnedWriteHalf, answer: &ServerMessage) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(io::Error::other)?;
    line.push(b'\n');
    timeout(WRITE_TIMEOUT, write.write_all(&line))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

fn too_long() -> Failure {
    Failure::new(
        FailureCode::Usage,
        format!("the request is too long; at most {REQUEST_BYTES} bytes are allowed"),
    )
}

/// Tells a client that there is no free connection, without waiting for it: the line fits the socket's empty
/// buffer.
fn refuse(stream: UnixStream) {
    let busy = ServerMessage::Error(Failure::new(
        FailureCode::Busy,
        format!("the node has no free connection ({CONNECTIONS} are open); try again later"),
    ));
    if let Ok(mut line) = serde_json::to_vec(&busy) {
        line.push(b'\n');
        let _ = stream.try_write(&line);
    }
}

/// Creates a socket again that has vanished, for example in a cleanup: clients would think that no node runs. A
/// failure is logged once and tried again with the next check.
fn rebind(socket: &mut BoundSocket, home: &Home, controls: &dyn ControlHandler, missing: &mut bool) {
    match BoundSocket::bind(home) {
        Ok(new) => {
            tracing::warn!(path = %new.path().display(), "the local socket was removed and has been created again");
            controls.set_socket(new.path());
            *socket = new;
            *missing = false;
        }
        Err(error) if !*missing => {
            tracing::error!(%error, "the local socket is gone; commands cannot reach this node");
            *missing = true;
        }
        Err(_) => {}
    }
}
