//! The client side: blocking, for the command line.
//!
//! Every wait has an end: the connection after [`CONNECT_TIMEOUT`], a reply after the client's own
//! timeout, a reply's length at [`REPLY_BYTES`]. After a timeout the connection is not used again,
//! because the late answer would be taken for the next one's.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use towline_api::request::{Envelope, Failure, FailureCode, Reply};

use super::path::shorten;
use super::{
    CONNECT_TIMEOUT, ControlRequest, HelloResponse, NodeInfo, REPLY_BYTES, REPLY_TIMEOUT, REQUEST_BYTES,
    Response,
};

/// The longest request that is sent together with `hello`: it fits the socket's empty buffer, so a node that hangs
/// does not keep the client from waiting for the first answer.
const LINES_AT_ONCE: usize = 16 * 1024;

/// A connection to a running node.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    timeout: Duration,
    broken: bool,
}

impl Client {
    /// Connects to the node that listens at `path`; `None` if there is none.
    ///
    /// # Errors
    /// When somebody listens and cannot be reached: another user's node, or one that hangs.
    pub fn connect(path: &Path) -> Result<Option<Self>, Failure> {
        // The standard library has no timeout for this, and a connect blocks while a hanging
        // server's queue is full; the thread that waits then ends with the process.
        let (sender, answer) = mpsc::sync_channel(1);
        let wanted = path.to_owned();
        std::thread::spawn(move || {
            let connected = shorten(&wanted).and_then(|short| UnixStream::connect(&short.path));
            let _ = sender.send(connected);
        });
        match answer.recv_timeout(CONNECT_TIMEOUT) {
            Ok(Ok(stream)) => Ok(Some(Self {
                stream: BufReader::new(stream),
                timeout: REPLY_TIMEOUT,
                broken: false,
            })),
            Ok(Err(error)) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
                    Ok(None)
                }
                io::ErrorKind::PermissionDenied => Err(Failure::new(
                    FailureCode::NotAllowed,
                    format!(
                        "cannot connect to {}: the project belongs to another user",
                        path.display()
                    ),
                )),
                _ => Err(Failure::new(
                    FailureCode::Unreachable,
                    format!("cannot connect to the node at {}: {error}", path.display()),
                )),
            },
            Err(_) => Err(Failure::new(
                FailureCode::Unreachable,
                format!(
                    "the node at {} does not accept connections; it may hang",
                    path.display()
                ),
            )),
        }
    }

    /// Checks that the node answers `hello`, which takes no work. The system accepts connections even for a process
    /// that is stopped.
    ///
    /// # Errors
    /// When it does not answer within `within`; busy when it hangs up first, as it does without a free connection.
    pub fn check_alive(mut self, within: Duration) -> Result<Self, Failure> {
        let deadline = Instant::now() + within;
        let hello = line(&ControlRequest::Hello)?;
        let said = self.write(&hello, within);
        said.and_then(|()| self.read_hello(deadline, within))
            .map_err(|failure| not_alive(failure, within))?;
        Ok(self)
    }

    /// [`Client::check_alive`] and [`Client::ask`] in one round trip: both lines are sent at once. The node
    /// answers the first line before it looks at the second one, and not at all when nobody is there to read that
    /// answer. So when the node is not alive, nothing was done.
    ///
    /// # Errors
    /// As [`Client::check_alive`]. The failure of the request itself is in the result.
    pub fn check_alive_and_ask(
        mut self,
        within: Duration,
        envelope: &Envelope,
    ) -> Result<(Self, Result<Reply, Failure>), Failure> {
        let mut lines = line(&ControlRequest::Hello)?;
        match line(envelope) {
            Ok(request) if request.len() <= LINES_AT_ONCE => lines.extend(request),
            _ => {
                let mut client = self.check_alive(within)?;
                let answer = client.ask(envelope);
                return Ok((client, answer));
            }
        }
        let deadline = Instant::now() + within;
        let said = self.write(&lines, within);
        said.and_then(|()| self.read_hello(deadline, within))
            .map_err(|failure| not_alive(failure, within))?;
        self.broken = true;
        let timeout = self.timeout_of(envelope);
        let answer = self.read(Instant::now() + timeout, timeout);
        Ok((self, answer.and_then(Response::into_result)))
    }

    /// Waits at most so long for each reply from now on.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks and waits for the reply.
    ///
    /// # Errors
    /// The failure of the request, or that the node is gone or too slow.
    pub fn ask(&mut self, envelope: &Envelope) -> Result<Reply, Failure> {
        let timeout = self.timeout_of(envelope);
        self.exchange_within(timeout, envelope)
            .and_then(Response::into_result)
    }

    fn timeout_of(&self, envelope: &Envelope) -> Duration {
        if self.timeout == REPLY_TIMEOUT {
            envelope.body.time_limit()
        } else {
            self.timeout
        }
    }

    /// Asks the node who it is.
    ///
    /// # Errors
    /// When it is gone or too slow.
    pub fn hello(&mut self) -> Result<NodeInfo, Failure> {
        let timeout = self.timeout;
        let deadline = Instant::now() + timeout;
        self.write(&line(&ControlRequest::Hello)?, timeout)?;
        self.read_hello(deadline, timeout)
    }

    /// Tells the node to stop; returns when it has accepted that, not when it has stopped.
    ///
    /// # Errors
    /// When it is gone or too slow.
    pub fn stop(&mut self) -> Result<(), Failure> {
        self.control(&ControlRequest::Stop).map(drop)
    }

    /// Has the node join a project; answers with the project's status.
    ///
    /// # Errors
    /// Why it was not joined, or that the node is gone or too slow.
    pub fn join(&mut self, ticket: &str) -> Result<Reply, Failure> {
        self.control(&ControlRequest::Join {
            ticket: ticket.to_owned(),
        })
    }

    /// A link to the board that signs somebody in.
    ///
    /// # Errors
    /// When the node serves no board, or is gone or too slow.
    pub fn login(&mut self, who: &str) -> Result<Reply, Failure> {
        self.control(&ControlRequest::Login { who: who.to_owned() })
    }

    fn control(&mut self, control: &ControlRequest) -> Result<Reply, Failure> {
        self.exchange_within(self.timeout, control)
            .and_then(Response::into_result)
    }

    fn exchange_within<T: DeserializeOwned>(
        &mut self,
        timeout: Duration,
        request: &impl Serialize,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + timeout;
        self.write(&line(request)?, timeout)?;
        self.read(deadline, timeout)
    }

    fn read_hello(&mut self, deadline: Instant, timeout: Duration) -> Result<NodeInfo, Failure> {
        match self.read(deadline, timeout)? {
            HelloResponse::Hello(info) => Ok(info),
            HelloResponse::Error { error } => Err(error),
        }
    }

    fn write(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), Failure> {
        if self.broken {
            return Err(connection_lost("an earlier exchange failed"));
        }
        // Until the answer is whole, whatever goes wrong leaves the stream between two lines.
        self.broken = true;
        self.send(bytes, timeout)
            .map_err(|error| exchange_failed(&error, timeout))
    }

    fn read<T: DeserializeOwned>(&mut self, deadline: Instant, timeout: Duration) -> Result<T, Failure> {
        let answer = self
            .receive(deadline)
            .map_err(|error| exchange_failed(&error, timeout))?;
        let heard = serde_json::from_slice(&answer).map_err(|error| {
            Failure::new(
                FailureCode::Failure,
                format!("cannot read the reply of the node ({error}); it may run another version of towline"),
            )
        })?;
        self.broken = false;
        Ok(heard)
    }

    fn send(&mut self, bytes: &[u8], timeout: Duration) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.set_write_timeout(Some(timeout))?;
        // A server that refuses us writes its reason and hangs up without reading. The reason is
        // still there to be read, so a broken pipe is not yet an answer.
        match stream.write_all(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done,
        }
    }

    fn receive(&mut self, deadline: Instant) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.get_ref().set_read_timeout(Some(left))?;
            let chunk = match self.stream.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(chunk.len(), |at| at + 1);
            line.extend_from_slice(chunk.get(..taken).unwrap_or(chunk));
            self.stream.consume(taken);
            if end.is_some() {
                return Ok(line);
            }
            if line.len() > REPLY_BYTES {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "its reply is too long; use --limit to request less",
                ));
            }
        }
    }
}

fn connection_lost(why: &str) -> Failure {
    Failure::new(
        FailureCode::Unreachable,
        format!("lost the connection to the node: {why}"),
    )
}

/// A request as a line.
fn line(request: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut bytes = serde_json::to_vec(request).map_err(|error| {
        Failure::new(
            FailureCode::Failure,
            format!("cannot encode the request: {error}"),
        )
    })?;
    if bytes.len() >= REQUEST_BYTES {
        return Err(Failure::new(
            FailureCode::Usage,
            format!(
                "the request has {} bytes; at most {REQUEST_BYTES} are allowed",
                bytes.len()
            ),
        ));
    }
    bytes.push(b'\n');
    Ok(bytes)
}

fn exchange_failed(error: &io::Error, timeout: Duration) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::new(
            FailureCode::TimedOut,
            format!(
                "the node did not answer within {} s; it may be busy, or hang",
                timeout.as_secs()
            ),
        ),
        _ => connection_lost(&error.to_string()),
    }
}

/// The failure to answer `hello`.
fn not_alive(failure: Failure, within: Duration) -> Failure {
    match failure.code {
        FailureCode::TimedOut => Failure::new(
            FailureCode::Unreachable,
            format!(
                "the node accepts connections but did not answer within {} s; its process may be stopped or hang",
                within.as_secs().max(1)
            ),
        ),
        // Nothing was done yet, so it can be tried again.
        FailureCode::Unreachable => Failure::new(
            FailureCode::Busy,
            format!(
                "the node has no free connection, or is stopping: {}",
                failure.message
            ),
        ),
        _ => failure,
    }
}

impl Response {
    fn into_result(self) -> Result<Reply, Failure> {
        match self {
            Self::Ok(reply) => Ok(reply),
            Self::Error(failure) => Err(failure),
        }
    }
}
