//! A project that lives in memory behind the real queue: what the web tests and the board preview
//! talk to. It holds cards, checks revisions and legality by the real table, and feeds events. It
//! replicates and stores nothing.

// Named by its path, because the board preview includes this file from elsewhere.
#[path = "canned_contest.rs"]
mod contest;

use std::thread;

use tokio::sync::{mpsc, watch};
use towline_node::dto::{Applied, Comment, FeedEvent, ItemCard, ItemLink, ItemPage, PeerInfo, ProjectStatus};
use towline_node::handle::{JOBS, Job, ProjectLink};
use towline_node::request::{Failure, FailureCode, Filter, Reply, Request, Transition};
use towline_proto::stage::{Blocked, Holds, status};
use towline_proto::table::{leads_to, legal, legal_from};
use towline_proto::{
    ActId, Column, Event, EventId, EventKind, ItemId, Kind, Millis, NodeId, Origin, OriginKind, ProjectId,
    Qa, Role, Standing, Verb,
};

/// The hour in which everything happens: 2026-11-20T12:00:00Z.
pub(crate) const NOON: Millis = Millis(1_795_176_000_000);
const HOUR_MS: u64 = 3_600_000;

pub(crate) fn person(name: &str) -> Origin {
    Origin::new(OriginKind::User, name).expect("a name")
}

/// An item in the backlog that nothing holds.
pub(crate) fn card(number: u32, kind: Kind, title: &str, now: Millis) -> ItemCard {
    let mut id = [7u8; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    let id = ItemId(id);
    let made = Millis(now.0.saturating_sub(u64::from(number % 97 + 1) * HOUR_MS));
    let mut card = ItemCard {
        handle: number.to_string(),
        number,
        key: id.key()[..4].to_owned(),
        id,
        revision: format!("r{number}-0"),
        kind,
        title: title.to_owned(),
        column: Column::Backlog,
        status: towline_proto::Status::Active,
        holds: Holds::default(),
        closing: None,
        deleted: false,
        priority: 2,
        qa: Qa::Agent,
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
        origin: person("ann"),
        created_at: made,
        updated_at: made,
        entered_at: made,
        claim_heard: None,
        skewed: false,
        legal: Vec::new(),
    };
    settle(&mut card);
    card
}

/// Recomputes what is derived from column and holds.
pub(crate) fn settle(card: &mut ItemCard) {
    card.status = status(card.column, card.closing.as_ref(), &card.holds);
    card.legal = legal_from(standing(card));
}

fn standing(card: &ItemCard) -> Standing {
    Standing {
        column: card.column,
        kind: card.kind,
        frozen: card.holds.frozen,
        blocked: card.holds.blocked.is_some(),
        review: card.holds.review,
        failure: card.holds.failure.is_some(),
        claimed: card.claim.is_some(),
        deleted: card.deleted,
        purged: false,
    }
}

pub(crate) fn dependency(now: Millis) -> ItemLink {
    let other = card(2, Kind::Bug, "Gossip frames over 64 KiB are dropped", now);
    ItemLink {
        handle: other.handle,
        id: other.id,
        title: other.title,
        status: Some(other.status),
        satisfied: false,
        suspended: false,
        note: None,
    }
}

struct Project {
    id: ProjectId,
    name: String,
    cards: Vec<ItemCard>,
    events: Vec<FeedEvent>,
    remarks: Vec<(ItemId, Comment)>,
    feed: watch::Sender<u64>,
}

/// Starts a project's thread; it ends with the last link to it.
pub(crate) fn project(name: &str, cards: Vec<ItemCard>) -> ProjectLink {
    let (jobs, mut queue) = mpsc::channel(JOBS);
    let (feed, reader) = watch::channel(0);
    let id = ProjectId(*blake3::hash(name.as_bytes()).as_bytes());
    let mut project = Project {
        id,
        name: name.to_owned(),
        cards,
        events: Vec::new(),
        remarks: Vec::new(),
        feed,
    };
    thread::spawn(move || {
        while let Some(job) = queue.blocking_recv() {
            match job {
                Job::Request { origin, body, reply } => drop(reply.send(project.answer(origin, *body))),
                Job::Stop => return,
                Job::Cursor { .. } | Job::SetCursor { .. } | Job::Tick | Job::Net(_) => {}
            }
        }
    });
    ProjectLink {
        id,
        name: name.to_owned(),
        jobs,
        feed: reader,
    }
}

fn passes(card: &ItemCard, filter: &Filter) -> bool {
    let column = if filter.columns.is_empty() {
        card.column.is_open() || card.column == Column::Done
    } else {
        filter.columns.contains(&card.column)
    };
    column
        && (filter.kinds.is_empty() || filter.kinds.contains(&card.kind))
        && (filter.statuses.is_empty() || filter.statuses.contains(&card.status))
        && filter.labels.iter().all(|label| card.labels.contains(label))
        && filter
            .assignee
            .as_ref()
            .is_none_or(|name| card.assignee.as_ref() == Some(name))
        && filter
            .text
            .as_ref()
            .is_none_or(|text| card.title.to_lowercase().contains(&text.to_lowercase()))
}

impl Project {
    fn answer(&mut self, origin: Option<Origin>, body: Request) -> Result<Reply, Failure> {
        match body {
            Request::List(filter) => Ok(Reply::Cards(
                self.cards
                    .iter()
                    .filter(|card| passes(card, &filter))
                    .cloned()
                    .collect(),
            )),
            Request::Search { text, limit } => {
                let filter = Filter {
                    text: Some(text),
                    columns: Column::ALL.to_vec(),
                    ..Filter::default()
                };
                Ok(Reply::Cards(
                    self.cards
                        .iter()
                        .filter(|card| passes(card, &filter))
                        .take(limit)
                        .cloned()
                        .collect(),
                ))
            }
            Request::Show { item } => Ok(Reply::Page(Box::new(self.page(&item)?))),
            Request::Status => Ok(Reply::Status(Box::new(self.status()))),
            Request::Events { after, limit } => {
                let news = self
                    .events
                    .iter()
                    .filter(|event| event.position > after)
                    .take(limit);
                Ok(Reply::Events(news.cloned().collect()))
            }
            Request::Transition(transition) => self.transition(origin, transition),
            Request::Comment { item, text } => {
                let origin = origin.ok_or_else(nobody)?;
                let at = self.find(&item)?;
                self.cards[at].comments += 1;
                let id = ActId(*b"comment---------");
                self.remarks.push((
                    self.cards[at].id,
                    Comment {
                        id,
                        origin: origin.clone(),
                        at: NOON,
                        text: text.clone(),
                        skewed: false,
                    },
                ));
                self.tell(at, origin, EventKind::Commented { excerpt: text });
                Ok(Reply::Applied(Box::new(self.applied(at, None))))
            }
            Request::Explain { item } => {
                let page = self.page(&item)?;
                let explained = contest::explanation(page.card, page.history, page.open_conflicts);
                Ok(Reply::Explanations(vec![explained]))
            }
            Request::Conflicts { item } => {
                let asked = |card: &&ItemCard| item.as_ref().is_none_or(|item| *item == card.handle);
                let cards = self.cards.iter().filter(asked);
                let open = cards.flat_map(|card| contest::contests(card, &contest::history(card)));
                Ok(Reply::Conflicts(open.collect()))
            }
            Request::Settle { item, keep, .. } => {
                let origin = origin.ok_or_else(nobody)?;
                let sides = self
                    .page(&item)?
                    .open_conflicts
                    .into_iter()
                    .flat_map(|one| one.sides);
                let sides: Vec<_> = sides.collect();
                contest::kept(&sides, &keep)
                    .ok_or_else(|| Failure::new(FailureCode::NotFound, "keep which?"))?;
                let at = self.find(&item)?;
                self.cards[at].conflicts = 0;
                self.tell(at, origin, EventKind::ConflictsSettled);
                Ok(Reply::Applied(Box::new(self.applied(at, None))))
            }
            _ => Err(Failure::new(
                FailureCode::Usage,
                "a canned project does not do this",
            )),
        }
    }

    fn find(&self, item: &str) -> Result<usize, Failure> {
        let found = self
            .cards
            .iter()
            .position(|card| card.handle == item || card.id.to_string() == item);
        found.ok_or_else(|| Failure::new(FailureCode::NotFound, format!("no item {item:?} here")))
    }

    fn transition(&mut self, origin: Option<Origin>, asked: Transition) -> Result<Reply, Failure> {
        let origin = origin.ok_or_else(nobody)?;
        let at = self.find(&asked.item)?;
        let card = &mut self.cards[at];
        let refuse = |card: &ItemCard, message: String| Failure {
            current: Some(Box::new(card.clone())),
            ..Failure::new(FailureCode::Conflict, message)
        };
        if asked
            .expect
            .as_ref()
            .is_some_and(|expect| *expect != card.revision)
        {
            return Err(refuse(
                card,
                format!("#{} has changed since you looked.", card.handle),
            ));
        }
        legal(asked.verb, standing(card)).map_err(|illegal| refuse(card, illegal.to_string()))?;
        let from = card.column;
        match asked.verb {
            Verb::Freeze | Verb::Unfreeze => card.holds.frozen = asked.verb == Verb::Freeze,
            Verb::Block | Verb::Unblock => card.holds.blocked = asked.reason.map(|reason| Blocked { reason }),
            _ => card.column = asked.to.or(leads_to(asked.verb, card.qa)).unwrap_or(from),
        }
        card.revision.push('+');
        settle(card);
        let to = card.column;
        self.tell(
            at,
            origin,
            EventKind::StageChanged {
                from,
                via: Vec::new(),
                to,
                closing: None,
            },
        );
        Ok(Reply::Applied(Box::new(self.applied(at, Some(from)))))
    }

    fn applied(&self, at: usize, from: Option<Column>) -> Applied {
        Applied {
            card: self.cards[at].clone(),
            from,
            notes: Vec::new(),
            changed: true,
            purged: false,
        }
    }

    fn tell(&mut self, at: usize, origin: Origin, what: EventKind) {
        let card = &self.cards[at];
        let position = self.events.len() as u64 + 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&position.to_be_bytes());
        let event = Event {
            id: EventId(id),
            project: self.id,
            item: card.id,
            number: card.number,
            kind: card.kind,
            title: card.title.clone(),
            status: card.status,
            origin,
            node: NodeId([1; 32]),
            at: NOON,
            what,
        };
        self.events.push(FeedEvent {
            position,
            seen_at: NOON,
            backfill: false,
            skewed: false,
            event,
        });
        self.feed.send_replace(position);
    }

    fn page(&self, item: &str) -> Result<ItemPage, Failure> {
        let card = self.cards[self.find(item)?].clone();
        let history = contest::history(&card);
        let remarks = self.remarks.iter().filter(|(id, _)| *id == card.id);
        Ok(ItemPage {
            body: "# Why\n\nA frame of *exactly* 64 KiB is dropped. See [the log](https://example.org/log).\n\n- measured on two nodes\n- `gossip::publish` says nothing\n\n<img src=x onerror=alert(1)>\n\n[bad](javascript:alert(1)) ![picture](https://example.org/a.png)\n".into(),
            criteria_list: Vec::new(),
            links: Vec::new(),
            remarks: remarks.map(|(_, remark)| remark.clone()).collect(),
            related: Vec::new(),
            successor: None,
            dependants: vec![dependency(NOON)],
            children: Vec::new(),
            open_conflicts: contest::contests(&card, &history),
            history,
            refused: Vec::new(),
            card,
        })
    }

    fn status(&self) -> ProjectStatus {
        let count = |column: &Column| self.cards.iter().filter(|card| card.column == *column).count();
        let peer = |name: &str, in_sync| PeerInfo {
            node: NodeId([2; 32]),
            name: name.into(),
            address: "/ip4/127.0.0.1/tcp/4001".into(),
            in_sync,
            seen_at: NOON,
        };
        ProjectStatus {
            id: self.id,
            name: self.name.clone(),
            node: NodeId([1; 32]),
            node_name: "workbench".into(),
            role: Role::Owner,
            columns: Column::ALL
                .iter()
                .map(|column| (*column, count(column)))
                .collect(),
            held: self.cards.iter().filter(|card| !card.holds.is_empty()).count(),
            conflicts: self.cards.iter().filter(|card| card.conflicts > 0).count(),
            deleted: 0,
            items: self.cards.len(),
            entries: 0,
            log_bytes: 0,
            members: 2,
            waiting: 0,
            digest: "00".into(),
            last_event: self.events.last().cloned(),
            peers: Some(vec![peer("laptop", true), peer("builder", false)]),
            board: None,
        }
    }
}

fn nobody() -> Failure {
    Failure::new(FailureCode::Usage, "no origin")
}
