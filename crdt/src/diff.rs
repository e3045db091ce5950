//! What changed between two rows of an item, as typed events.
//!
//! An event's id is derived from the act that brought it about, so it is the same on every replica
//! however many steps arrived at once. Where that act was known before, and says again what is so, the id
//! names the youngest act that came as well: no act comes twice, so no two changes share an id.

use std::collections::BTreeSet;

use towline_proto::{
    ActId, Column, Event, EventId, EventKind, HoldKind, Op, ProjectId, Register, limits, text,
};

use crate::doc::Acts;
use crate::fold::{ActOutcome, FoldedAct, FoldedItem, shown};
use crate::view::{Attribution, Conflict, ItemView};

/// What an event is named by when no act came, and somebody stands higher than before.
const RISEN: &str = "roles";
/// Characters of a comment in an event.
const EXCERPT_CHARS: usize = 160;

/// The events between `before`, a row and the acts that it came from, and the outcome of a fold, in the
/// order in which people would tell them.
pub fn diff(project: ProjectId, before: Option<(&ItemView, &Acts)>, folded: &FoldedItem<'_>) -> Vec<Event> {
    let new = |known: &Acts| {
        let acts = folded.acts.keys().copied();
        acts.filter(|id| !known.contains_key(id)).collect()
    };
    diff_since(project, before.map(|(view, known)| (view, new(known))), folded)
}

/// [`diff`] where it is known which acts came since the row `before`.
pub fn diff_since(
    project: ProjectId,
    before: Option<(&ItemView, BTreeSet<ActId>)>,
    folded: &FoldedItem<'_>,
) -> Vec<Event> {
    let after = &folded.view;
    let (before, new) = before.map_or((None, None), |(view, new)| (Some(view), Some(new)));
    let mut told = EventBuilder {
        project,
        folded,
        after,
        came: new.map(|new| NewActs::of(new, folded)),
        events: Vec::new(),
    };
    let Some(before) = before else {
        told.tell(EventKind::ItemCreated { column: after.column }, folded.created());
        if after.deleted {
            told.tell(EventKind::Deleted, folded.value_set_by(&Register::Deleted));
        }
        return told.events;
    };
    if before.deleted != after.deleted {
        let what = if after.deleted {
            EventKind::Deleted
        } else {
            EventKind::Restored
        };
        told.tell(what, folded.value_set_by(&Register::Deleted));
    }
    if let Some(change) = stage_change(before, after) {
        told.tell(change, folded.column_set_by());
    }
    if let Some((change, register)) = holds_change(before, after) {
        told.tell(change, folded.value_set_by(&register));
    }
    claim_change(before, after, &mut told);
    for (field, registers) in changed_fields(before, after) {
        let causes = registers
            .iter()
            .filter_map(|register| folded.value_set_by(register));
        told.tell_field(field, folded.youngest(causes));
    }
    told.said();
    let new = |conflict: &&Conflict| !before.conflicts.iter().any(|old| old.id == conflict.id);
    for conflict in after.conflicts.iter().filter(new) {
        let rule = conflict.rule.sentence().to_owned();
        told.tell_of(
            &conflict.id,
            EventKind::ConflictRaised { rule },
            Some(conflict.winner),
        );
        if let Some(change) = changed_by_merge(before, after, conflict) {
            told.tell_of(&conflict.id, change, Some(conflict.winner));
        }
    }
    if !before.conflicts.is_empty() && after.conflicts.is_empty() {
        told.tell(EventKind::ConflictsSettled, None);
    }
    told.events
}

/// What a merge changed of what was shown here: the value of a register that a new conflict is about.
/// Whoever wrote what was shown had not seen what stands now, nor the other way round.
fn changed_by_merge(before: &ItemView, after: &ItemView, conflict: &Conflict) -> Option<EventKind> {
    let (old, new) = (
        shown(before, &conflict.register)?,
        shown(after, &conflict.register)?,
    );
    (old != new).then(|| EventKind::ChangedByMerge {
        field: conflict.register.to_string(),
        before: old,
        after: new,
    })
}

/// What came since a row was made.
struct NewActs {
    /// All of it.
    new: BTreeSet<ActId>,
    /// The youngest act, in causal order.
    youngest: Option<ActId>,
    /// The youngest edit of the body.
    edit: Option<ActId>,
    /// Comments as they were made, the oldest left out where they are too many.
    comments: Vec<ActId>,
}

impl NewActs {
    fn of(new: BTreeSet<ActId>, folded: &FoldedItem<'_>) -> Self {
        let acts = new.iter().filter_map(|id| Some((*id, folded.acts.get(id)?)));
        let mut acts: Vec<_> = acts
            .filter(|(_, act)| !matches!(act.outcome, ActOutcome::Refused(_)))
            .collect();
        acts.sort_unstable_by_key(|(_, act)| act.order);
        let youngest = acts.last().map(|(id, _)| *id);
        let edits = |act: &FoldedAct<'_>| matches!(act.record.act.op, Op::EditBody);
        let edit = acts.iter().rfind(|(_, act)| edits(act)).map(|(id, _)| *id);
        // What another node had written of the same request before was told then.
        let was_told = |id: &ActId| folded.same_request(id).iter().any(|one| !new.contains(one));
        acts.retain(|(id, act)| {
            matches!(act.record.act.op, Op::Comment { .. }) && act.duplicate_of.is_none() && !was_told(id)
        });
        let too_many = acts.len().saturating_sub(limits::COMMENT_EVENTS);
        let comments = acts.into_iter().skip(too_many).map(|(id, _)| id).collect();
        Self {
            new,
            youngest,
            edit,
            comments,
        }
    }
}

struct EventBuilder<'a> {
    project: ProjectId,
    folded: &'a FoldedItem<'a>,
    after: &'a ItemView,
    /// What came, unless the item is new.
    came: Option<NewActs>,
    events: Vec<Event>,
}

impl EventBuilder<'_> {
    /// Adds an event. Without a cause of its own it is put down to the last act.
    fn tell(&mut self, what: EventKind, cause: Option<ActId>) {
        self.tell_of("", what, cause);
    }

    fn tell_field(&mut self, field: &str, cause: Option<ActId>) {
        let what = EventKind::FieldChanged {
            field: field.to_owned(),
        };
        self.tell_of(field, what, cause);
    }

    /// Tells what was written: that the body is another, and each comment, wherever the clocks of their
    /// authors put them among those that were known.
    fn said(&mut self) {
        let Some(came) = &mut self.came else { return };
        let comments = std::mem::take(&mut came.comments);
        if let Some(edit) = came.edit {
            self.tell_field("body", Some(edit));
        }
        for id in comments {
            if let Some(Op::Comment { text }) = self.folded.acts.get(&id).map(|act| &act.record.act.op) {
                let excerpt = text::show(text, EXCERPT_CHARS);
                self.tell(EventKind::Commented { excerpt }, Some(id));
            }
        }
    }

    /// Adds an event of which one cause can bring about several, each about something else: one act can
    /// win many contests, and each is told.
    fn tell_of(&mut self, about: &str, what: EventKind, cause: Option<ActId>) {
        let came = self.came.as_ref();
        let youngest = came.and_then(|came| came.youngest);
        let stamp = cause
            .or(youngest)
            .and_then(|cause| self.folded.attribution(&cause));
        let stamp = stamp.unwrap_or_else(|| self.after.last.clone());
        let again = came.filter(|came| !came.new.contains(&stamp.act));
        let about = match (&what, again) {
            // Named by its contenders, of which the winner may well have been known.
            (EventKind::ConflictRaised { .. }, _) | (_, None) => about.to_owned(),
            (_, Some(_)) => match youngest {
                Some(youngest) => format!("{about}/{youngest}"),
                None => format!("{about}/{RISEN}"),
            },
        };
        self.events
            .push(event(self.project, self.after, stamp, &about, what));
    }
}

/// One event about an item that shows `view`. Its id comes from the item, from what happened, from what
/// that is about, and from the act of the stamp.
pub fn event(project: ProjectId, view: &ItemView, stamp: Attribution, about: &str, what: EventKind) -> Event {
    let Attribution {
        act,
        origin,
        node,
        at,
    } = stamp;
    let key = format!("{}/{about}", what.name());
    Event {
        id: EventId::derive(&view.id, &key, &act),
        project,
        item: view.id,
        number: view.number,
        kind: view.kind,
        title: view.title.clone(),
        status: view.status(),
        origin,
        node,
        at,
        what,
    }
}

fn stage_change(before: &ItemView, after: &ItemView) -> Option<EventKind> {
    if before.column == after.column && before.closing == after.closing {
        return None;
    }
    let since = before.trail.first().map(|step| step.act);
    let steps = after
        .trail
        .iter()
        .skip(1)
        .take_while(|step| Some(step.act) != since);
    let mut via: Vec<Column> = steps.map(|step| step.column).collect();
    via.reverse();
    // Where the old place is not among the remembered steps the way there is not known.
    if !after.trail.iter().any(|step| Some(step.act) == since) {
        via.clear();
    }
    via.dedup();
    via.retain(|column| *column != after.column && *column != before.column);
    Some(EventKind::StageChanged {
        from: before.column,
        via,
        to: after.column,
        closing: after.closing.clone(),
    })
}

fn holds_change(before: &ItemView, after: &ItemView) -> Option<(EventKind, Register)> {
    if before.holds == after.holds {
        return None;
    }
    let (old, new) = (before.holds.kinds(), after.holds.kinds());
    let added: Vec<HoldKind> = new.iter().filter(|kind| !old.contains(kind)).copied().collect();
    let removed: Vec<HoldKind> = old.iter().filter(|kind| !new.contains(kind)).copied().collect();
    let reason = match (&after.holds.blocked, &after.holds.failure) {
        (Some(blocked), _) if before.holds.blocked != after.holds.blocked => Some(blocked.reason.clone()),
        (_, Some(failure)) if before.holds.failure != after.holds.failure => Some(format!(
            "{}{}: {}",
            failure.kind,
            if failure.is_final { ", given up" } else { "" },
            failure.detail
        )),
        _ => None,
    };
    if added.is_empty() && removed.is_empty() && reason.is_none() {
        return None;
    }
    // Leaving the column ends these by itself; the change of stage has told it already.
    if added.is_empty() && before.column != after.column && removed.iter().all(|kind| ends_with_column(*kind))
    {
        return None;
    }
    let register = match added.first().or(removed.first()) {
        Some(HoldKind::Frozen) => Register::Frozen,
        Some(HoldKind::ReviewHold) => Register::Review,
        Some(HoldKind::MergeFailure) => Register::Failure,
        Some(HoldKind::Blocked) => Register::Blocked,
        None if before.holds.blocked != after.holds.blocked => Register::Blocked,
        None => Register::Failure,
    };
    Some((
        EventKind::HoldsChanged {
            added,
            removed,
            reason,
        },
        register,
    ))
}

const fn ends_with_column(kind: HoldKind) -> bool {
    matches!(kind, HoldKind::ReviewHold | HoldKind::MergeFailure)
}

fn claim_change(before: &ItemView, after: &ItemView, told: &mut EventBuilder<'_>) {
    match (&before.claim, &after.claim) {
        (Some(old), Some(new)) if told.folded.same_request(&old.act).contains(&new.act) => {}
        (old, Some(new)) if old.as_ref().map(|old| old.act) != Some(new.act) => {
            let (holder, generation) = (new.holder.clone(), new.generation);
            told.tell(EventKind::Claimed { holder, generation }, Some(new.act));
        }
        (Some(old), None) => {
            let register = if before.column == after.column {
                Register::Claim
            } else {
                Register::Column
            };
            let cause = told.folded.youngest_head(&register);
            told.tell(
                EventKind::Released {
                    holder: old.holder.clone(),
                },
                cause,
            );
        }
        _ => {}
    }
}

/// Fields that changed but for the body, with the registers that tell who did it: of a set or list those of its members
/// that changed, for two who add something each may be heard of one by one.
fn changed_fields(before: &ItemView, after: &ItemView) -> Vec<(&'static str, Vec<Register>)> {
    let one = |register| vec![register];
    let pairs = [
        ("title", before.title != after.title, one(Register::Title)),
        ("kind", before.kind != after.kind, one(Register::Kind)),
        (
            "priority",
            before.priority != after.priority,
            one(Register::Priority),
        ),
        ("qa", before.qa != after.qa, one(Register::Qa)),
        ("epic", before.epic != after.epic, one(Register::Epic)),
        (
            "assignee",
            before.assignee != after.assignee,
            one(Register::Assignee),
        ),
        (
            "labels",
            before.labels != after.labels,
            changed(&before.labels, &after.labels, |label| {
                Register::Label(label.clone())
            }),
        ),
        (
            "depends_on",
            before.depends_on != after.depends_on,
            changed(&before.depends_on, &after.depends_on, |on| {
                Register::Dependency(*on)
            }),
        ),
        (
            "links",
            before.links != after.links,
            changed(&before.links, &after.links, |link| {
                Register::Link(link.kind, link.target.clone())
            }),
        ),
        (
            "criteria",
            before.criteria != after.criteria,
            changed(&before.criteria, &after.criteria, |criterion| {
                Register::Criterion(criterion.id)
            }),
        ),
    ];
    pairs
        .into_iter()
        .filter(|(_, changed, _)| *changed)
        .map(|(field, _, registers)| (field, registers))
        .collect()
}

/// The registers of what stands in one list and not in the other. Lists can be long, and mostly one
/// thing in them changed: what is the same at both ends is left out before anything is looked for.
fn changed<T: PartialEq>(before: &[T], after: &[T], register: impl Fn(&T) -> Register) -> Vec<Register> {
    let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let rest = |list| <[T]>::get(list, same..).unwrap_or_default();
    let (before, after) = (rest(before), rest(after));
    let pairs = before.iter().rev().zip(after.iter().rev());
    let same = pairs.take_while(|(a, b)| a == b).count();
    let rest = |list: &[T]| list.len().saturating_sub(same);
    let before = before.get(..rest(before)).unwrap_or_default();
    let after = after.get(..rest(after)).unwrap_or_default();
    let gone = before.iter().filter(|one| !after.contains(one));
    let new = after.iter().filter(|one| !before.contains(one));
    gone.chain(new).map(register).collect()
}
