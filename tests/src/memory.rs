//! A project that lives in memory and answers jobs as a real one does, for tests of what sits on a
//! [`NodeHandle`]. It keeps cards, a feed and cursors, and knows moves, blocks and creations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use towline_api::request::{Command, Failure, FailureCode, NewItem, Query, Reply, Request, Transition};
use towline_api::types::{Applied, FeedEvent, ItemCard, ItemPage, ProjectStatus};
use towline_engine::handle::{JOBS, Job, NodeHandle, ProjectLink};
use towline_proto::stage::{Blocked, Holds, status};
use towline_proto::{
    Column, Event, EventId, EventKind, HoldKind, HoldReason, ItemId, Kind, Millis, NodeId, Origin,
    OriginKind, ProjectId, Qa, Role, Verb,
};

const ME: NodeId = NodeId([7; 32]);

/// A project in memory. Ends when it is dropped.
#[derive(Debug)]
pub struct MemoryProject {
    state: Arc<Mutex<State>>,
    _task: JoinSet<()>,
}

#[derive(Debug)]
struct State {
    id: ProjectId,
    name: String,
    cards: BTreeMap<u32, ItemCard>,
    events: Vec<FeedEvent>,
    cursors: BTreeMap<String, u64>,
    feed: watch::Sender<u64>,
}

/// A node without projects.
pub fn node() -> NodeHandle {
    NodeHandle::new(ME)
}

fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Millis(since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0)))
}

/// Somebody by name.
pub fn user(id: &str) -> Origin {
    Origin {
        kind: OriginKind::User,
        id: id.to_owned(),
    }
}

impl MemoryProject {
    /// Adds a new project to a node.
    pub fn add_to(handle: &NodeHandle, name: &str) -> Self {
        let (jobs, mut queue) = mpsc::channel(JOBS);
        let (feed, updates) = watch::channel(0);
        let mut id = [0; 32];
        id.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        let id = ProjectId(id);
        let state = Arc::new(Mutex::new(State {
            id,
            name: name.to_owned(),
            cards: BTreeMap::new(),
            events: Vec::new(),
            cursors: BTreeMap::new(),
            feed,
        }));
        handle.add(ProjectLink {
            id,
            name: name.to_owned(),
            jobs,
            feed: updates,
        });
        let mut task = JoinSet::new();
        let of_task = Arc::clone(&state);
        task.spawn(async move {
            while let Some(job) = queue.recv().await {
                of_task.lock().expect("no test panics in here").job(job);
            }
        });
        Self { state, _task: task }
    }

    fn with<T>(&self, run: impl FnOnce(&mut State) -> T) -> T {
        run(&mut self.state.lock().expect("no test panics in here"))
    }

    /// Ann makes an item and returns its number.
    pub fn create(&self, title: &str) -> u32 {
        self.with(|state| state.create(&user("ann"), Kind::Story, title).number)
    }

    /// Ann moves an item.
    ///
    /// # Panics
    /// When there is no such item.
    pub fn moves(&self, number: u32, to: Column) {
        let mut request = Transition::plain(number.to_string(), Verb::Move);
        request.to = Some(to);
        self.with(|state| state.transition(&user("ann"), &request))
            .expect("a legal move");
    }

    /// Where an item stands.
    ///
    /// # Panics
    /// When there is no such item.
    pub fn column(&self, number: u32) -> Column {
        self.with(|state| state.cards.get(&number).map(|card| card.column))
            .expect("an item")
    }

    /// Who caused the last event.
    pub fn last_origin(&self) -> Option<Origin> {
        self.with(|state| state.events.last().map(|event| event.event.origin.clone()))
    }

    /// A subscriber's cursor.
    pub fn cursor(&self, subscriber: &str) -> Option<u64> {
        self.with(|state| state.cursors.get(subscriber).copied())
    }

    /// The end of the feed.
    pub fn head(&self) -> u64 {
        self.with(|state| state.events.len() as u64)
    }
}

impl State {
    fn job(&mut self, job: Job) {
        // Whoever asked may be gone by the time the answer is there.
        match job {
            Job::Request { origin, body, reply } => {
                let _ = reply.send(self.request(origin, *body));
            }
            Job::Cursor { subscriber, reply } => {
                let _ = reply.send(Ok(self.cursors.get(&subscriber).copied()));
            }
            Job::SetCursor {
                subscriber,
                position,
                reply,
            } => {
                self.cursors.insert(subscriber, position);
                let _ = reply.send(Ok(()));
            }
            Job::Gateways { reply } => drop(reply.send(Ok(Vec::new()))),
            Job::Spent { reply, .. } => drop(reply.send(Ok(false))),
            Job::Announce(_) | Job::Tick | Job::Net(_) | Job::Stop => {}
        }
    }

    fn request(&mut self, origin: Option<Origin>, body: Request) -> Result<Reply, Failure> {
        let origin = origin.ok_or_else(|| Failure::new(FailureCode::Usage, "no user name is set"));
        match body {
            Request::Idempotent { of, .. } => self.request(origin.ok(), *of),
            Request::Query(Query::Events { after, limit }) => {
                let events = self.events.iter().filter(|event| event.position > after);
                Ok(Reply::Events(events.take(limit).cloned().collect()))
            }
            Request::Query(Query::Status) => Ok(Reply::Status(Box::new(self.status()))),
            Request::Query(Query::List(_)) | Request::Query(Query::Ready { .. }) => {
                Ok(Reply::Cards(self.cards.values().cloned().collect()))
            }
            Request::Query(Query::Show { item }) => Ok(Reply::Page(Box::new(page(self.find(&item)?)))),
            Request::Command(Command::Create(NewItem { kind, title, .. })) => {
                let card = self.create(&origin?, kind, &title);
                Ok(applied(card, None))
            }
            Request::Command(Command::Transition(transition)) => self.transition(&origin?, &transition),
            other => Err(Failure::new(
                FailureCode::Usage,
                format!("not in a test: {other:?}"),
            )),
        }
    }

    fn find(&self, item: &str) -> Result<ItemCard, Failure> {
        let number = item.trim_start_matches('#').parse().unwrap_or(0);
        let missing = || Failure::new(FailureCode::NotFound, format!("no item {item:?}"));
        self.cards.get(&number).cloned().ok_or_else(missing)
    }

    fn create(&mut self, origin: &Origin, kind: Kind, title: &str) -> ItemCard {
        let number = u32::try_from(self.cards.len()).unwrap_or(0) + 1;
        let card = card(number, kind, title, origin);
        self.store(
            origin,
            card.clone(),
            EventKind::ItemCreated { column: card.column },
        );
        card
    }

    fn transition(&mut self, origin: &Origin, wanted: &Transition) -> Result<Reply, Failure> {
        let mut card = self.find(&wanted.item)?;
        let from = card.column;
        let what = match (wanted.verb, wanted.to) {
            (Verb::Move, Some(to)) if to == from => {
                let told = format!("cannot move: the item is in {to} already. Possible now: block, freeze");
                return Err(Failure::new(FailureCode::Conflict, told));
            }
            (Verb::Move, Some(to)) => {
                card.column = to;
                EventKind::StageChanged {
                    from,
                    via: Vec::new(),
                    to,
                    closing: None,
                }
            }
            (Verb::Block, _) => {
                let reason = wanted.reason.clone().unwrap_or_default();
                let blocked = Blocked { reason };
                card.holds.blocked = Some(blocked.clone());
                EventKind::HoldsChanged {
                    added: vec![HoldKind::Blocked],
                    removed: Vec::new(),
                    reason: Some(HoldReason::Blocked(blocked)),
                }
            }
            (verb, _) => return Err(Failure::new(FailureCode::Usage, format!("not in a test: {verb}"))),
        };
        card.status = status(card.column, None, &card.holds);
        self.store(origin, card.clone(), what);
        Ok(applied(card, Some(from)))
    }

    fn store(&mut self, origin: &Origin, card: ItemCard, what: EventKind) {
        let position = self.events.len() as u64 + 1;
        let mut id = [0; 16];
        id.iter_mut()
            .zip(position.to_be_bytes())
            .for_each(|(to, from)| *to = from);
        id.iter_mut()
            .skip(8)
            .zip(self.name.bytes())
            .for_each(|(to, from)| *to = from);
        self.events.push(FeedEvent {
            position,
            seen_at: now(),
            backfill: false,
            skewed: false,
            event: Event {
                id: EventId(id),
                project: self.id,
                item: card.id,
                number: card.number,
                kind: card.kind,
                title: card.title.clone(),
                status: card.status,
                origin: origin.clone(),
                node: ME,
                at: now(),
                what,
            },
        });
        self.cards.insert(card.number, card);
        self.feed.send_replace(position);
    }

    fn status(&self) -> ProjectStatus {
        let count = |column| self.cards.values().filter(|card| card.column == column).count();
        ProjectStatus {
            id: self.id,
            name: self.name.clone(),
            node: ME,
            node_name: "test".to_owned(),
            role: Role::Owner,
            columns: Column::ALL
                .iter()
                .map(|column| (*column, count(*column)))
                .collect(),
            held: 0,
            conflicts: 0,
            deleted: 0,
            items: self.cards.len(),
            entries: self.events.len() as u64,
            log_bytes: 0,
            members: 1,
            waiting: 0,
            digest: String::new(),
            last_event: self.events.last().cloned(),
            peers: None,
            board: None,
            unavailable: Vec::new(),
        }
    }
}

fn applied(card: ItemCard, from: Option<Column>) -> Reply {
    Reply::Applied(Box::new(Applied {
        card,
        from,
        notes: Vec::new(),
        changed: true,
        purged: false,
    }))
}

fn card(number: u32, kind: Kind, title: &str, origin: &Origin) -> ItemCard {
    let mut id = [0; 16];
    id.iter_mut()
        .zip(number.to_be_bytes())
        .for_each(|(to, from)| *to = from);
    let id = ItemId(id);
    ItemCard {
        handle: number.to_string(),
        number,
        key: id.key(),
        id,
        revision: "1".to_owned(),
        kind,
        title: title.to_owned(),
        column: Column::Backlog,
        status: status(Column::Backlog, None, &Holds::default()),
        holds: Holds::default(),
        closing: None,
        deleted: false,
        priority: 2,
        qa: Qa::Human,
        labels: Vec::new(),
        assignee: None,
        claim: None,
        epic: None,
        depends_on: Vec::new(),
        unmet: 0,
        retries: 0,
        criteria_met: 0,
        criteria: 0,
        comments: 0,
        conflicts: 0,
        attention: Vec::new(),
        progress: None,
        origin: origin.clone(),
        created_at: now(),
        updated_at: now(),
        entered_at: now(),
        claim_heard: None,
        skewed: false,
        in_the_way: None,
        legal: vec![Verb::Move, Verb::Block],
    }
}

fn page(card: ItemCard) -> ItemPage {
    ItemPage {
        card,
        body: String::new(),
        criteria_list: Vec::new(),
        known_as: Vec::new(),
        links: Vec::new(),
        remarks: Vec::new(),
        related: Vec::new(),
        successor: None,
        dependants: Vec::new(),
        children: Vec::new(),
        history: Vec::new(),
        open_conflicts: Vec::new(),
        refused: Vec::new(),
    }
}
