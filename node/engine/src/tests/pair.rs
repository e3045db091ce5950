//! Two replicas of one project that meet when a test says so, and a clock that stands still.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use tokio::sync::mpsc;
use towline_api::request::{
    Administration, Command, Edit, Failure, NewItem, Query, Reply, Request, Transition,
};
use towline_api::types::{ItemCard, ItemPage, OpenConflict};
use towline_net::{GossipToken, NetInput, NetOutput};
use towline_proto::wire::{JoinReply, JoinRequest};
use towline_proto::{Entry, Millis, NodeId, Origin, OriginKind, Role, Ticket, Verb};

use crate::{Environment, Project, ProjectOptions};

/// When every test begins.
pub(crate) const BEGIN: Millis = Millis(1_760_000_000_000);
/// Messages of one meeting, at most.
const MESSAGES: usize = 10_000;

/// A clock that a test moves.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<Mutex<(Duration, u64, u64)>>, Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Arc::default(), Instant::now())
    }

    /// Lets time pass, on the wall and on the monotonic clock alike.
    pub(super) fn check_run(&self, time: Duration) {
        self.0.lock().unwrap().0 += time;
    }
}

impl Environment for Clock {
    fn now(&self) -> Millis {
        // No two readings are the same, as is usual among people.
        let mut state = self.0.lock().unwrap();
        state.2 += 1;
        BEGIN.plus(u64::try_from(state.0.as_millis()).unwrap() + state.2)
    }

    fn instant(&self) -> Instant {
        self.1 + self.0.lock().unwrap().0
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        state.1 += 1;
        let mut reader = blake3::Hasher::new()
            .update(&state.1.to_be_bytes())
            .finalize_xof();
        reader.fill(bytes);
    }
}

/// One replica.
pub(super) struct Replica {
    pub(super) project: Project,
    pub(super) me: NodeId,
    name: &'static str,
    told: mpsc::Receiver<NetOutput>,
    dir: tempfile::TempDir,
}

pub(crate) fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(blake3::hash(name.as_bytes()).as_bytes())
}

impl Replica {
    pub(super) fn make(name: &'static str, clock: &Clock, genesis: Option<Entry>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = key(name);
        let genesis = genesis.unwrap_or_else(|| Project::genesis(&key, clock, "demo", name));
        let me = NodeId(key.verifying_key().to_bytes());
        let opening = ProjectOptions {
            dir: dir.path().to_owned(),
            key,
            env: Box::new(clock.clone()),
        };
        let mut project = Project::create(opening, &genesis).unwrap();
        let (net, told) = mpsc::channel(MESSAGES);
        project.replication.net = Some(net);
        project.replication.my_addresses = Arc::new(|| vec!["/ip4/127.0.0.1/tcp/7".to_owned()]);
        Self {
            project,
            me,
            name,
            told,
            dir,
        }
    }

    /// Ends and starts again, as a process does.
    pub(super) fn restart(self, clock: &Clock) -> Self {
        self.begin_again(clock, Project::close)
    }

    /// Is killed, with whatever the cache lacks by then, and starts again.
    pub(super) fn killed(self, clock: &Clock) -> Self {
        self.begin_again(clock, drop)
    }

    fn begin_again(self, clock: &Clock, end: fn(Project)) -> Self {
        let Self {
            project,
            me,
            name,
            dir,
            ..
        } = self;
        let id = project.id();
        end(project);
        let opening = ProjectOptions {
            dir: dir.path().to_owned(),
            key: key(name),
            env: Box::new(clock.clone()),
        };
        let mut project = Project::open(opening, id).unwrap();
        let (net, told) = mpsc::channel(MESSAGES);
        project.replication.net = Some(net);
        Self {
            project,
            me,
            name,
            told,
            dir,
        }
    }

    pub(super) fn try_ask(&mut self, request: Request) -> Result<Reply, Failure> {
        let origin = Origin::new(OriginKind::User, self.name).unwrap();
        self.project.request(Some(&origin), request)
    }

    pub(super) fn ask(&mut self, request: Request) -> Reply {
        self.try_ask(request).unwrap()
    }

    pub(super) fn create(&mut self, title: &str, on: &[&str]) {
        let new = serde_json::json!({ "kind": "story", "title": title, "depends_on": on });
        self.ask(Request::Command(Command::Create(
            serde_json::from_value::<NewItem>(new).unwrap(),
        )));
    }

    /// Makes a transition; whoever is to claim an item does that by itself.
    pub(super) fn does(&mut self, item: &str, verb: Verb) {
        self.ask(Request::Command(Command::Transition(Transition {
            no_claim: true,
            ..Transition::plain(item, verb)
        })));
    }

    /// Starts an item as people do.
    pub(super) fn starts(&mut self, item: &str) {
        self.ask(Request::Command(Command::Transition(Transition::plain(
            item,
            Verb::Start,
        ))));
    }

    pub(super) fn retitle(&mut self, item: &str, title: &str) {
        self.ask(Request::Command(Command::Edit(Edit {
            item: item.into(),
            title: Some(title.into()),
            ..Edit::default()
        })));
    }

    pub(super) fn depends(&mut self, item: &str, on: &str) {
        self.ask(Request::Command(Command::Depends {
            item: item.into(),
            add: vec![on.into()],
            remove: vec![],
        }));
    }

    pub(super) fn page(&mut self, item: &str) -> ItemPage {
        match self.ask(Request::Query(Query::Show { item: item.into() })) {
            Reply::Page(page) => *page,
            other => panic!("one item, not {other:?}"),
        }
    }

    pub(super) fn card(&mut self, item: &str) -> ItemCard {
        self.page(item).card
    }

    pub(super) fn cards(&mut self, request: Request) -> Vec<String> {
        match self.ask(request) {
            Reply::Cards(cards) => cards.into_iter().map(|card| card.handle).collect(),
            other => panic!("cards, not {other:?}"),
        }
    }

    pub(super) fn conflicts(&mut self, item: Option<&str>) -> Vec<OpenConflict> {
        let item = item.map(str::to_owned);
        match self.ask(Request::Query(Query::Conflicts { item })) {
            Reply::Conflicts(open) => open,
            other => panic!("conflicts, not {other:?}"),
        }
    }

    pub(super) fn settle(&mut self, item: &str, keep: &str) -> Result<Reply, Failure> {
        self.try_ask(Request::Command(Command::Resolve {
            item: item.into(),
            conflict: None,
            keep: keep.into(),
        }))
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        self.project.replication.core.digest()
    }

    /// What it has told the network since it was asked last.
    pub(super) fn told(&mut self) -> Vec<NetOutput> {
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }

    pub(super) fn take(&mut self, input: NetInput) {
        self.project.handle_net(input);
        self.project.run_effects();
    }
}

/// A founder and a writer who has joined.
pub(super) fn pair(clock: &Clock) -> (Replica, Replica) {
    let mut ann = Replica::make("ann", clock, None);
    let Reply::Ticket { ticket, .. } = ann.ask(Request::Administration(Administration::Invite {
        role: Role::Writer,
        valid_ms: 60_000,
    })) else {
        panic!("a ticket")
    };
    let ticket: Ticket = ticket.parse().unwrap();
    let bo = NodeId(key("bo").verifying_key().to_bytes());
    let request = JoinRequest {
        project: ticket.project,
        secret: ticket.secret,
        name: "bo".into(),
    };
    let JoinReply::Welcome { genesis, .. } = ann.project.handle_join(bo, request) else {
        panic!("let in")
    };
    ann.project.run_effects();
    let mut bo = Replica::make("bo", clock, Some(Entry::decode(genesis.0).unwrap()));
    meet(&mut ann, &mut bo);
    (ann, bo)
}

/// Both connect, tell each other everything, and part.
pub(super) fn meet(a: &mut Replica, b: &mut Replica) {
    let address = String::new();
    let (left, right) = (a.me, b.me);
    // What was said while nobody listened is not heard later.
    drop((a.told(), b.told()));
    a.take(NetInput::Connected {
        peer: right,
        address: address.clone(),
    });
    b.take(NetInput::Connected { peer: left, address });
    for _ in 0..MESSAGES {
        let quiet = !carry(a, b) & !carry(b, a);
        if quiet {
            break;
        }
    }
    a.take(NetInput::Disconnected { peer: right });
    b.take(NetInput::Disconnected { peer: left });
    assert_eq!(a.digest(), b.digest(), "they hold the same after a meeting");
}

/// Carries what one has told the network to the other; whether there was anything.
fn carry(from: &mut Replica, to: &mut Replica) -> bool {
    let peer = from.me;
    let told = from.told();
    let some = !told.is_empty();
    for output in told {
        match output {
            NetOutput::Send { message, .. } => to.take(NetInput::Message { peer, message }),
            NetOutput::Publish { bytes, .. } => to.take(NetInput::Gossip {
                peer,
                token: GossipToken(0),
                bytes,
            }),
            NetOutput::Presence { bytes, .. } => to.take(NetInput::Presence {
                peer,
                token: GossipToken(0),
                bytes,
            }),
            NetOutput::Members { .. }
            | NetOutput::Admission { .. }
            | NetOutput::Verdict { .. }
            | NetOutput::SignOfLife { .. } => {}
            NetOutput::Penalize { why, .. } => panic!("nobody here does wrong: {why}"),
        }
    }
    some
}
