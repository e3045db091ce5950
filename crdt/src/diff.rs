//! Compares two rows of an item and makes typed events of the difference.
//!
//! An event's id is derived from the act that caused it, so every replica derives the same id, however many acts
//! arrived together. When the causing act was known before (an old value is in effect again, say), the id also
//! names the youngest new act. An act arrives only once, so two changes never share an id.

mod fields;

use std::collections::BTreeSet;

use towline_proto::{
    ActId, Column, ConflictSubject, Contender, Event, EventId, EventKind, Field, HoldKind, HoldReason, Op,
    ProjectId, Register, limits, text,
};

use crate::doc::Acts;
use crate::fold::{ActOutcome, FoldedAct, FoldedItem, value_of};
use crate::view::{Attribution, Conflict, ItemView};
use fields::changed_fields;

/// Part of an event's id when no act arrived and a member's role was raised instead.
const ROLE_CHANGE: &str = "roles";
/// The most characters of a comment that an event quotes.
const EXCERPT_CHARS: usize = 160;

/// The events between `before` (a row and the acts from which it was made) and the result of a fold, in the
/// order in which a person would report them.
pub fn diff(project: ProjectId, before: Option<(&ItemView, &Acts)>, folded: &FoldedItem<'_>) -> Vec<Event> {
    let new = |known: &Acts| {
        let acts = folded.acts.keys().copied();
        acts.filter(|id| !known.contains_key(id)).collect()
    };
    diff_since(project, before.map(|(view, known)| (view, new(known))), folded)
}

/// [`diff`] when the acts that are new since `before` are known.
pub fn diff_since(
    project: ProjectId,
    before: Option<(&ItemView, BTreeSet<ActId>)>,
    folded: &FoldedItem<'_>,
) -> Vec<Event> {
    let after = &folded.view;
    let (before, new) = before.map_or((None, None), |(view, new)| (Some(view), Some(new)));
    let mut events = EventBuilder {
        project,
        folded,
        after,
        new: new.map(|new| NewActs::of(new, folded)),
        list: Vec::new(),
    };
    let Some(before) = before else {
        events.emit(EventKind::ItemCreated { column: after.column }, folded.created());
        if after.deleted {
            events.emit(EventKind::Deleted, folded.value_set_by(&Register::Deleted));
        }
        return events.list;
    };
    if before.deleted != after.deleted {
        let what = if after.deleted {
            EventKind::Deleted
        } else {
            EventKind::Restored
        };
        events.emit(what, folded.value_set_by(&Register::Deleted));
    }
    if let Some(change) = column_change(before, after) {
        events.emit(change, folded.column_set_by());
    }
    if let Some((change, register)) = holds_change(before, after) {
        events.emit(change, folded.value_set_by(&register));
    }
    claim_change(before, after, &mut events);
    for (field, registers) in changed_fields(before, after) {
        let causes = registers
            .iter()
            .filter_map(|register| folded.value_set_by(register));
        events.emit_field(field, folded.youngest(causes));
    }
    events.emit_edit_and_comments();
    let new = |conflict: &&Conflict| !before.conflicts.iter().any(|old| old.id == conflict.id);
    for conflict in after.conflicts.iter().filter(new) {
        events.emit_about(&conflict.id, raised(folded, conflict), Some(conflict.winner));
        if let Some(change) = changed_by_merge(before, after, conflict) {
            events.emit_about(&conflict.id, change, Some(conflict.winner));
        }
    }
    if !before.conflicts.is_empty() && after.conflicts.is_empty() {
        events.emit(EventKind::ConflictsResolved, None);
    }
    events.list
}

/// What a new conflict changed for people on this node: the shown value of its register, before and after. The
/// authors of the two values had not seen each other's act.
fn changed_by_merge(before: &ItemView, after: &ItemView, conflict: &Conflict) -> Option<EventKind> {
    let (old, new) = (
        value_of(before, &conflict.register)?,
        value_of(after, &conflict.register)?,
    );
    (old != new).then(|| EventKind::ChangedByMerge {
        register: conflict.register.clone(),
        before: old,
        after: new,
    })
}

/// The event of a new conflict among the acts of an item.
fn raised(folded: &FoldedItem<'_>, conflict: &Conflict) -> EventKind {
    let contender = |act: &ActId| {
        let folding = folded.acts.get(act)?;
        Some(Contender {
            act: *act,
            origin: folding.record.act.origin.clone(),
            op: folding.record.act.op.kind(),
        })
    };
    let losers = conflict.losers.iter().take(limits::EVENT_LOSERS);
    EventKind::ConflictRaised {
        conflict: conflict.id.clone(),
        rule: conflict.rule,
        about: ConflictSubject::Register {
            register: conflict.register.clone(),
            winner: contender(&conflict.winner),
            losers: losers.filter_map(contender).collect(),
            more: conflict.losers.len().saturating_sub(limits::EVENT_LOSERS),
        },
    }
}

/// The acts that are new since a row was made.
struct NewActs {
    /// All of them.
    all: BTreeSet<ActId>,
    /// The last one in causal order.
    youngest: Option<ActId>,
    /// The last edit of the body.
    edit: Option<ActId>,
    /// The comments in causal order, without the oldest ones when there are too many for events.
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
        // When another act of the same request arrived earlier, its event has been emitted.
        let was_emitted = |id: &ActId| folded.same_request(id).iter().any(|one| !new.contains(one));
        acts.retain(|(id, act)| {
            matches!(act.record.act.op, Op::Comment { .. }) && act.duplicate_of.is_none() && !was_emitted(id)
        });
        let too_many = acts.len().saturating_sub(limits::COMMENT_EVENTS);
        let comments = acts.into_iter().skip(too_many).map(|(id, _)| id).collect();

        Self {
            all: new,
            youngest,
            edit,
            comments,
        }
    }
}

/// Collects the events of one comparison.
struct EventBuilder<'a> {
    project: ProjectId,
    folded: &'a FoldedItem<'a>,
    after: &'a ItemView,
    /// The new acts; `None` when the item itself is new.
    new: Option<NewActs>,
    list: Vec<Event>,
}

impl EventBuilder<'_> {
    /// Adds an event caused by an act, or by the youngest new act when no cause is given.
    fn emit(&mut self, what: EventKind, cause: Option<ActId>) {
        self.emit_about("", what, cause);
    }

    fn emit_field(&mut self, field: Field, cause: Option<ActId>) {
        self.emit_about(field.as_str(), EventKind::FieldChanged { field }, cause);
    }

    /// Adds the events for an edited body and for each new comment, also when a comment is older by its
    /// author's clock than comments that were known.
    fn emit_edit_and_comments(&mut self) {
        let Some(new) = &mut self.new else { return };
        let comments = std::mem::take(&mut new.comments);
        if let Some(edit) = new.edit {
            self.emit_field(Field::Body, Some(edit));
        }
        for id in comments {
            if let Some(Op::Comment { text }) = self.folded.acts.get(&id).map(|act| &act.record.act.op) {
                let excerpt = text::show(text, EXCERPT_CHARS);
                self.emit(EventKind::Commented { excerpt }, Some(id));
            }
        }
    }

    /// Adds an event of which one act can cause several: `about` tells them apart in their ids. (One act can
    /// win several conflicts, and each has its own event.)
    fn emit_about(&mut self, about: &str, what: EventKind, cause: Option<ActId>) {
        let new = self.new.as_ref();
        let youngest = new.and_then(|new| new.youngest);
        let cause = cause
            .or(youngest)
            .and_then(|cause| self.folded.attribution(&cause));
        let cause = cause.unwrap_or_else(|| self.after.last.clone());
        let known_before = new.filter(|new| !new.all.contains(&cause.act));
        let about = match (&what, known_before) {
            // Identified by the competing acts, of which the winner may have been known before.
            (EventKind::ConflictRaised { .. }, _) | (_, None) => about.to_owned(),
            (_, Some(_)) => match youngest {
                Some(youngest) => format!("{about}/{youngest}"),
                None => format!("{about}/{ROLE_CHANGE}"),
            },
        };
        self.list
            .push(event(self.project, self.after, cause, &about, what));
    }
}

/// One event about the item with row `view`. Its id is derived from the item, the type of event, `about`, and
/// the causing act. The type and `about` (a field, the id of a conflict, an act) are stable names of the formats:
/// no text that people read takes part, so rewording one changes no id.
pub fn event(project: ProjectId, view: &ItemView, cause: Attribution, about: &str, what: EventKind) -> Event {
    let Attribution {
        act,
        origin,
        node,
        at,
    } = cause;
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

fn column_change(before: &ItemView, after: &ItemView) -> Option<EventKind> {
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
    // The previous step is no longer in the trail, so the columns in between are not known.
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
        (Some(blocked), _) if before.holds.blocked != after.holds.blocked => {
            Some(HoldReason::Blocked(blocked.clone()))
        }
        (_, Some(failure)) if before.holds.failure != after.holds.failure => {
            Some(HoldReason::MergeFailure(failure.clone()))
        }
        _ => None,
    };
    if added.is_empty() && removed.is_empty() && reason.is_none() {
        return None;
    }
    // Leaving the column clears these holds, and the column event says so already.
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

fn claim_change(before: &ItemView, after: &ItemView, events: &mut EventBuilder<'_>) {
    match (&before.claim, &after.claim) {
        (Some(old), Some(new)) if events.folded.same_request(&old.act).contains(&new.act) => {}
        (old, Some(new)) if old.as_ref().map(|old| old.act) != Some(new.act) => {
            let (holder, generation) = (new.holder.clone(), new.generation);
            events.emit(EventKind::Claimed { holder, generation }, Some(new.act));
        }
        (Some(old), None) => {
            let register = if before.column == after.column {
                Register::Claim
            } else {
                Register::Column
            };
            let cause = events.folded.youngest_head(&register);
            events.emit(
                EventKind::Released {
                    holder: old.holder.clone(),
                },
                cause,
            );
        }
        _ => {}
    }
}
