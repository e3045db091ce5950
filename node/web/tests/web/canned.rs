//! A project that lives in memory behind the real queue: what the web tests and the board preview
//! talk to. It holds cards, checks revisions and legality by the real table, and feeds events. It
//! replicates and stores nothing.

// Named by its path, because the board preview includes this file from elsewhere.
#[path = "canned_conflict.rs"]
mod conflict;
#[path = "canned_page.rs"]
mod page;
#[path = "canned_tokens.rs"]
mod tokens;

pub(crate) use tokens::Tokens;

use std::thread;

use tokio::sync::{mpsc, watch};
use towline_api::request::{Command, Failure, FailureCode, Filter, Query, Reply, Request, Transition};
use towline_api::types::{Applied, Comment, FeedEvent, ItemCard, ItemLink, ItemPage, ProjectStatus};
use towline_engine::handle::{JOBS, Job, ProjectLink};
use towline_proto::stage::{Blocked, Holds, status};
use towline_proto::table::{leads_to, legal, legal_from};
use towline_proto::{
    ActId, Column, Event, EventId, EventKind, ItemId, ItemState, Kind, Millis, NodeId, Origin, OriginKind,
    ProjectId, Qa, Verb,
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
        in_the_way: None,
        legal: Vec::new(),
    };
    update_derived(&mut card);
    card
}

/// Recomputes what is derived from column and holds.
pub(crate) fn update_derived(card: &mut ItemCard) {
    card.status = status(card.column, card.closing.as_ref(), &card.holds);
    card.legal = legal_from(standing(card));
}

fn standing(card: &ItemCard) -> ItemState {
    ItemState {
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
                Job::Cursor { .. }
                | Job::SetCursor { .. }
                | Job::Announce(_)
                | Job::Gateways { .. }
                | Job::Spent { .. }
                | Job::Tick
                | Job::Net(_) => {}
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
    card.deleted == filter.deleted
        && (column || filter.deleted)
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
            Request::Query(Query::List(filter)) => Ok(Reply::Cards(
                self.cards
                    .iter()
                    .filter(|card| passes(card, &filter))
                    .cloned()
                    .collect(),
            )),
            Request::Query(Query::Search { text, limit }) => {
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
            Request::Query(Query::Show { item }) => {
                let mut meant = self.meant(&item)?;
                Ok(match meant.len() {
                    1 => Reply::Page(Box::new(meant.remove(0))),
                    _ => Reply::Pages(meant),
                })
            }
            Request::Query(Query::Status) => Ok(Reply::Status(Box::new(self.status()))),
            Request::Query(Query::Events { after, limit }) => {
                let news = self
                    .events
                    .iter()
                    .filter(|event| event.position > after)
                    .take(limit);
                Ok(Reply::Events(news.cloned().collect()))
            }
            Request::Command(Command::Transition(transition)) => self.transition(origin, transition),
            Request::Command(Command::Comment { item, text }) => {
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
            Request::Query(Query::Explain { item }) => {
                let of = |page: ItemPage| conflict::explanation(page.card, page.history, page.open_conflicts);
                Ok(Reply::Explanations(
                    self.meant(&item)?.into_iter().map(of).collect(),
                ))
            }
            Request::Query(Query::Conflicts { item }) => {
                let asked = |card: &&ItemCard| item.as_ref().is_none_or(|item| *item == card.handle);
                let cards = self.cards.iter().filter(asked);
                let open = cards.flat_map(|card| conflict::conflicts(card, &conflict::history(card)));
                Ok(Reply::Conflicts(open.collect()))
            }
            Request::Command(Command::Resolve { item, keep, .. }) => {
                let origin = origin.ok_or_else(nobody)?;
                let meant = self.meant(&item)?.into_iter();
                let open = meant.flat_map(|page| page.open_conflicts);
                let sides: Vec<_> = open.flat_map(|one| one.sides).collect();
                conflict::kept(&sides, &keep)
                    .ok_or_else(|| Failure::new(FailureCode::NotFound, "expected one side to keep"))?;
                let at = self.find(&item)?;
                self.cards[at].conflicts = 0;
                self.tell(at, origin, EventKind::ConflictsResolved);
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
            Verb::TakeOver => match &mut card.claim {
                Some(claim) if asked.force => claim.holder.clone_from(&origin.id),
                Some(claim) => {
                    let holds = format!(
                        "{} on laptop holds the claim, and that node was last seen 3m ago",
                        claim.holder
                    );
                    return Err(refuse(card, holds));
                }
                None => {}
            },
            Verb::Delete | Verb::Restore => card.deleted = asked.verb == Verb::Delete,
            _ => card.column = asked.to.or(leads_to(asked.verb, card.qa)).unwrap_or(from),
        }
        card.revision.push('+');
        update_derived(card);
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

    /// The items that somebody means: several where a plain number is shared.
    fn meant(&self, item: &str) -> Result<Vec<ItemPage>, Failure> {
        let of_number = |card: &&ItemCard| card.number.to_string() == item;
        let shared: Vec<_> = self.cards.iter().filter(of_number).collect();
        let meant = match shared.len() {
            0 | 1 => vec![&self.cards[self.find(item)?]],
            _ => shared,
        };
        Ok(meant.into_iter().map(|card| self.page(card.clone())).collect())
    }

    fn page(&self, card: ItemCard) -> ItemPage {
        let remarks = self.remarks.iter().filter(|(id, _)| *id == card.id);
        let remarks = remarks.map(|(_, remark)| remark.clone()).collect();
        page::page(card, remarks)
    }

    fn status(&self) -> ProjectStatus {
        page::status(self.id, &self.name, &self.cards, self.events.last().cloned())
    }
}

fn nobody() -> Failure {
    Failure::new(FailureCode::Usage, "no user name is set")
}
