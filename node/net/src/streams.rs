//! Raw streams for our protocols, opened and accepted through swarm events.
//!
//! `libp2p-stream` exists, but it opens on any connection of a peer, dials if there is none, drops inbound
//! streams when an acceptor is busy and keeps a sender per connection for ever. Here a stream is opened on a
//! specific connection, and a stranger's connection supports two protocols only: to join, and to prove a
//! membership.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};

use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, Stream, StreamProtocol, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent,
    ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::connection_policy::{ConnectionClass, ConnectionClasses};

/// The most streams that wait in one connection's handler, in each direction. One of each kind is usual;
/// further inbound ones are reset.
const WAITING: usize = 8;

/// How soon the two sides of a sync stream notice that the other is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pace {
    /// Both send something every few seconds.
    Quick,
    /// As earlier versions: four times a minute.
    Slow,
}

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StreamPurpose {
    /// Frames about shared projects.
    Sync(Pace),
    /// One request to join and its answer.
    Join,
    /// Address records, one frame each way.
    Addresses,
    /// The entries that admitted the initiator.
    Admission,
}

impl StreamPurpose {
    const fn protocol(self) -> StreamProtocol {
        match self {
            Self::Sync(Pace::Quick) => StreamProtocol::new("/towline/sync/1.1"),
            Self::Sync(Pace::Slow) => StreamProtocol::new("/towline/sync/1"),
            Self::Join => StreamProtocol::new("/towline/join/1"),
            Self::Addresses => StreamProtocol::new("/towline/addresses/1"),
            Self::Admission => StreamProtocol::new("/towline/admission/1"),
        }
    }

    /// The offered protocols, the best first; nodes of earlier versions accept the second.
    fn offers(self) -> Vec<Self> {
        match self {
            Self::Sync(_) => vec![Self::Sync(Pace::Quick), Self::Sync(Pace::Slow)],
            Self::Join | Self::Addresses | Self::Admission => vec![self],
        }
    }
}

/// The outcome of opening a stream.
#[derive(Debug)]
pub(crate) enum StreamOutcome {
    /// The peer opened it.
    Accepted(Stream),
    /// We opened it.
    Opened(Stream),
    /// It could not be opened.
    Failed(String),
}

/// An event of the behaviour.
#[derive(Debug)]
pub(crate) struct StreamEvent {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
    pub(crate) purpose: StreamPurpose,
    pub(crate) outcome: StreamOutcome,
}

/// The behaviour.
pub(crate) struct Streams {
    classes: ConnectionClasses,
    actions: VecDeque<ToSwarm<StreamEvent, StreamPurpose>>,
    waker: Option<Waker>,
}

impl Streams {
    pub(crate) fn new(classes: ConnectionClasses) -> Self {
        Self {
            classes,
            actions: VecDeque::new(),
            waker: None,
        }
    }

    /// Opens a stream on a connection. If the connection closes first, only that is reported.
    pub(crate) fn open(&mut self, peer_id: PeerId, connection: ConnectionId, purpose: StreamPurpose) {
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::One(connection),
            event: purpose,
        });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn handler(&self, connection: ConnectionId) -> Handler {
        Handler {
            accepts: match self.classes.of(connection) {
                ConnectionClass::Member => &[
                    StreamPurpose::Sync(Pace::Quick),
                    StreamPurpose::Sync(Pace::Slow),
                    StreamPurpose::Addresses,
                    StreamPurpose::Join,
                    StreamPurpose::Admission,
                ],
                ConnectionClass::Stranger => &[StreamPurpose::Join, StreamPurpose::Admission],
                ConnectionClass::Inviter => &[],
            },
            wanted: VecDeque::new(),
            done: VecDeque::new(),
        }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = StreamEvent;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        (purpose, outcome): THandlerOutEvent<Self>,
    ) {
        self.actions.push_back(ToSwarm::GenerateEvent(StreamEvent {
            peer,
            connection,
            purpose,
            outcome,
        }));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(action) = self.actions.pop_front() {
            return Poll::Ready(action);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// One connection's handler.
pub(crate) struct Handler {
    accepts: &'static [StreamPurpose],
    wanted: VecDeque<StreamPurpose>,
    done: VecDeque<(StreamPurpose, StreamOutcome)>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = StreamPurpose;
    type ToBehaviour = (StreamPurpose, StreamOutcome);
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = StreamPurpose;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(Upgrade(self.accepts.to_vec()), ())
    }

    fn on_behaviour_event(&mut self, purpose: StreamPurpose) {
        if self.wanted.len() >= WAITING {
            let why = "too many streams were asked for at once".into();
            self.done.push_back((purpose, StreamOutcome::Failed(why)));
        } else {
            self.wanted.push_back(purpose);
        }
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Upgrade, StreamPurpose, Self::ToBehaviour>> {
        if let Some(done) = self.done.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(done));
        }
        if let Some(purpose) = self.wanted.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(Upgrade(purpose.offers()), purpose),
            });
        }
        // Both queues are filled only by calls after which the connection polls again.
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Upgrade, Upgrade, (), StreamPurpose>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (purpose, stream),
                ..
            }) if self.done.len() < WAITING => {
                self.done.push_back((purpose, StreamOutcome::Accepted(stream)));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (purpose, stream),
                ..
            }) => self.done.push_back((purpose, StreamOutcome::Opened(stream))),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                self.done
                    .push_back((info, StreamOutcome::Failed(error.to_string())));
            }
            _ => {}
        }
    }
}

/// Negotiates one of the protocols and hands the stream over as it is.
pub(crate) struct Upgrade(Vec<StreamPurpose>);

/// A protocol name that remembers what it is for.
#[derive(Debug, Clone)]
pub(crate) struct Name(StreamPurpose, StreamProtocol);

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.1.as_ref()
    }
}

impl UpgradeInfo for Upgrade {
    type Info = Name;
    type InfoIter = Vec<Name>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0
            .iter()
            .map(|purpose| Name(*purpose, purpose.protocol()))
            .collect()
    }
}

impl InboundUpgrade<Stream> for Upgrade {
    type Output = (StreamPurpose, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: Stream, Name(purpose, _): Name) -> Self::Future {
        ready(Ok((purpose, stream)))
    }
}

impl OutboundUpgrade<Stream> for Upgrade {
    type Output = (StreamPurpose, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, stream: Stream, Name(purpose, _): Name) -> Self::Future {
        ready(Ok((purpose, stream)))
    }
}
