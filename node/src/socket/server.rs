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

use super::{
    Answer, CONNECTIONS, Control, Controls, GRACE, IDLE, LINE_TIMEOUT, LOOK, Line, NodeInfo, REQUEST_BYTES,
    SILENCE, Socket, WRITE_TIMEOUT,
};
use crate::handle::NodeHandle;
use crate::home::Home;
use crate::limiter::{Limiter, Limits, Permit, Source};
use crate::log_throttle::LogThrottle;
use crate::request::{Envelope, Failure, FailureCode, Reply};

/// Serves the handle's projects on a home's socket until `stop` is cancelled, by anybody or by a client's `stop`.
/// The file has mode 0600, is made anew when it vanishes, and is gone at the end.
///
/// # Errors
/// None at present; a socket that cannot be made anew is tried again.
pub async fn serve(
    mut socket: Socket,
    home: Home,
    handle: NodeHandle,
    info: NodeInfo,
    controls: Arc<dyn Controls>,
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
        grace: SILENCE,
    });
    let mut outage = LogThrottle::new("a local connection could not be accepted");
    let mut connections = JoinSet::new();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missing = false;
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            _ = looks.tick() => {
                if !socket.is_there() {
                    again(&mut socket, &home, &*shared.controls, &mut missing);
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
    if timeout(GRACE, finish).await.is_err() {
        tracing::warn!("local connections did not finish in time and were cut");
    }
    Ok(())
}

struct Shared {
    handle: NodeHandle,
    info: NodeInfo,
    controls: Arc<dyn Controls>,
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
            // Whoever has said something whole keeps the place, also between two requests.
            place.finished();
            let (answer, last) = match got {
                Read::End => return Ok(()),
                // What follows an overlong line is the middle of a request, not a new one.
                Read::TooLong => (Answer::Error(too_long()), true),
                Read::Line => self.answer(&line).await,
            };
            send(&mut write, &answer).await?;
            if last {
                return Ok(());
            }
        }
    }

    /// The answer to one line, and whether the connection ends with it.
    async fn answer(&self, line: &[u8]) -> (Answer, bool) {
        match parse(line) {
            Ok(Line::Control(Control::Hello)) => (Answer::Hello(self.info.clone()), false),
            Ok(Line::Control(Control::Stop)) => {
                tracing::info!("asked to stop through the local socket");
                self.stop.cancel();
                (Answer::Ok(Reply::Done), true)
            }
            Ok(Line::Control(Control::Join { ticket })) => (told(self.controls.join(ticket).await), false),
            Ok(Line::Control(Control::Login { who })) => (told(self.controls.login(&who)), false),
            Ok(Line::Ask(envelope)) => (told(self.ask(*envelope).await), false),
            Err(failure) => (Answer::Error(failure), false),
        }
    }

    async fn ask(&self, envelope: Envelope) -> Result<Reply, Failure> {
        let project = self.handle.project(envelope.project.as_deref())?;
        self.handle
            .request(&project.id, envelope.origin, envelope.body)
            .await
    }
}

fn told(answer: Result<Reply, Failure>) -> Answer {
    match answer {
        Ok(reply) => Answer::Ok(reply),
        Err(failure) => Answer::Error(failure),
    }
}

fn parse(line: &[u8]) -> Result<Line, Failure> {
    let error = match serde_json::from_slice::<Envelope>(line) {
        Ok(envelope) => return Ok(Line::Ask(Box::new(envelope))),
        Err(error) => error,
    };
    serde_json::from_slice::<Control>(line)
        .map(Line::Control)
        .map_err(|_| {
            Failure::new(
                FailureCode::Usage,
                format!("the line is not a request: {error}; it may come from another version of towline"),
            )
        })
}

enum Read {
    Line,
    TooLong,
    End,
}

/// Waits for a line to begin, and less long for its end: a client writes it in one go.
async fn read_line(read: &mut BufReader<OwnedReadHalf>, line: &mut Vec<u8>) -> io::Result<Read> {
    line.clear();
    match timeout(IDLE, read.fill_buf()).await {
        Err(_) => return Ok(Read::End),
        Ok(begun) => _ = begun?,
    }
    let most = REQUEST_BYTES as u64 + 1;
    let got = match timeout(LINE_TIMEOUT, read.take(most).read_until(b'\n', line)).await {
        Err(_) => return Ok(Read::End),
        Ok(got) => got?,
    };
    Ok(match line.last() {
        Some(b'\n') => Read::Line,
        _ if got > REQUEST_BYTES => Read::TooLong,
        _ => Read::End,
    })
}

async fn send(write: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(io::Error::other)?;
    line.push(b'\n');
    timeout(WRITE_TIMEOUT, write.write_all(&line))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

fn too_long() -> Failure {
    Failure::new(
        FailureCode::Usage,
        format!("a request is at most {REQUEST_BYTES} bytes"),
    )
}

/// Tells a client that there is no place for it, without waiting for it to listen: the line fits
/// the socket's empty buffer.
fn refuse(stream: UnixStream) {
    let busy = Answer::Error(Failure::new(
        FailureCode::Busy,
        format!("the node has {CONNECTIONS} local connections already; try again later"),
    ));
    if let Ok(mut line) = serde_json::to_vec(&busy) {
        line.push(b'\n');
        let _ = stream.try_write(&line);
    }
}

/// Makes a socket that has vanished anew: somebody cleans up, and clients would take the node for one that does not
/// run. What cannot be made is said once and tried again with the next look.
fn again(socket: &mut Socket, home: &Home, controls: &dyn Controls, missing: &mut bool) {
    match Socket::bind(home) {
        Ok(new) => {
            tracing::warn!(path = %new.path().display(), "the local socket was gone and has been made anew");
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
