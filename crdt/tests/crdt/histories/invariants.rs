//! Invariants of every state that a history can lead to, and of the events between two states.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use towline_crdt::diff::diff;
use towline_crdt::fold::{ActOutcome, FoldedItem, fold};
use towline_proto::{ActId, Column, EventKind, ItemId, Op, ProjectId};

use super::script::{Played, scripts};
use super::{run, runner};
use crate::actors::test_members;

type CaseResult = Result<(), TestCaseError>;

#[test]
fn every_state_is_one_that_the_table_allows() {
    run(runner(120), scripts(), |script| {
        let cast = test_members();
        let played = script.play();
        for acts in &played.stages {
            let folded = fold(played.item, acts, &cast).expect("a creation");
            possible(&folded)?;
            accounted_for(&folded)?;
            for (id, act) in &folded.acts {
                let refused = matches!(act.outcome, ActOutcome::Refused(_));
                prop_assert!(
                    !refused || !played.sound.contains(id),
                    "what was legal for its author is refused: {:?} {:?}\n{}",
                    act.record.act.op,
                    act.outcome,
                    played.listing(acts)
                );
            }
        }
        Ok(())
    });
}

/// The row is consistent with the table and with itself.
fn possible(folded: &FoldedItem<'_>) -> CaseResult {
    let view = &folded.view;
    prop_assert!(!view.holds.review || view.column == Column::Qa);
    prop_assert!(view.holds.failure.is_none() || view.column == Column::Merge);
    prop_assert!(view.column != Column::Closed || view.closing.is_some());
    prop_assert!(view.closing.is_none() || matches!(view.column, Column::Closed | Column::Archived));
    if let Some(claim) = &view.claim {
        prop_assert!(matches!(view.column, Column::Coding | Column::Qa | Column::Merge));
        prop_assert_eq!(claim.generation, view.generation, "an older claim never stands");
    }
    prop_assert!(!view.purged || view.deleted);
    prop_assert_eq!(view.trail.first().map(|step| step.column), Some(view.column));
    let ids: BTreeSet<_> = view.conflicts.iter().map(|conflict| &conflict.id).collect();
    prop_assert_eq!(ids.len(), view.conflicts.len());
    Ok(())
}

/// No intent is lost silently: each act is in effect, or superseded by an act that names it, or the loser of one open
/// conflict, or was that until an act that names it followed.
fn accounted_for(folded: &FoldedItem<'_>) -> CaseResult {
    let mut lost: BTreeMap<ActId, usize> = BTreeMap::new();
    for conflict in &folded.view.conflicts {
        prop_assert!(!conflict.losers.contains(&conflict.winner));
        let taken = |id: &ActId| !matches!(folded.acts[id].outcome, ActOutcome::Refused(_));
        prop_assert!(taken(&conflict.winner) && conflict.losers.iter().all(taken));
        for loser in &conflict.losers {
            *lost.entry(*loser).or_default() += 1;
        }
    }
    for (id, act) in &folded.acts {
        let replaces = |by: &ActId| {
            let by = &folded.acts[by];
            let taken = !matches!(by.outcome, ActOutcome::Refused(_));
            taken && by.saw.contains(id) && act.writes.first().is_some_and(|about| by.writes.contains(about))
        };
        let conflicts = lost.get(id).copied().unwrap_or(0);
        match &act.outcome {
            ActOutcome::Effective => prop_assert_eq!(conflicts, 0, "{:?} counts", act),
            ActOutcome::Superseded { by } => {
                prop_assert_eq!(conflicts, 0, "{:?} was replaced", act);
                prop_assert!(replaces(by), "{:?} does not name what it replaced", by);
            }
            ActOutcome::Overridden { .. } if conflicts == 0 => {
                prop_assert!(folded.acts.keys().any(replaces), "{:?} is lost silently", act);
            }
            ActOutcome::Overridden { .. } => prop_assert_eq!(conflicts, 1, "{:?}", act),
            ActOutcome::Refused(_) => {
                prop_assert_eq!(conflicts, 0);
                continue;
            }
        }
        if matches!(
            act.record.act.op,
            Op::Comment { .. } | Op::EditBody | Op::AddCriterion { .. }
        ) {
            prop_assert_eq!(&act.outcome, &ActOutcome::Effective, "what only adds stands");
        }
    }
    Ok(())
}

#[test]
fn the_events_of_each_step_lead_from_one_row_to_the_next() {
    run(runner(60), scripts(), |script| comparison(&script.play()));
}

fn comparison(played: &Played) -> CaseResult {
    let cast = test_members();
    let mut acts = towline_crdt::doc::Acts::new();
    let mut known = towline_crdt::doc::Acts::new();
    let mut ids_told = BTreeSet::new();
    let mut before: Option<towline_crdt::view::ItemView> = None;
    let mut stands: Option<Column> = None;
    // The conflicts that events have reported; subscribers drop events whose id they know.
    let mut raised = BTreeMap::new();
    for id in &played.written {
        acts.insert(*id, played.acts[id].clone());
        let folded = fold(ItemId(played.item.0), &acts, &cast).expect("a creation");
        let view = &folded.view;
        let events = diff(
            ProjectId([0; 32]),
            before.as_ref().map(|row| (row, &known)),
            &folded,
        );
        known.clone_from(&acts);
        for event in &events {
            // A conflict is identified by the competing acts, which can be the same again.
            let is_named = matches!(event.what, EventKind::ConflictRaised { .. });
            prop_assert!(
                ids_told.insert(event.id) || is_named,
                "two changes, one event: {:?}",
                event
            );
        }
        let ids: BTreeSet<_> = events.iter().map(|event| event.id).collect();
        prop_assert_eq!(ids.len(), events.len(), "{:?}", events);
        let old = before
            .as_ref()
            .map(|before| before.conflicts.as_slice())
            .unwrap_or_default();
        let known = |id: &String| old.iter().any(|conflict| conflict.id == *id);
        let mut new: Vec<&String> = view.conflicts.iter().map(|conflict| &conflict.id).collect();
        new.retain(|id| !known(id) && before.is_some());
        let mut reported = new.iter();
        for event in &events {
            match &event.what {
                EventKind::ItemCreated { column } => {
                    prop_assert_eq!(stands, None);
                    stands = Some(*column);
                }
                EventKind::StageChanged { from, via, to, .. } => {
                    prop_assert_eq!(stands, Some(*from));
                    prop_assert!(!via.contains(from) && !via.contains(to));
                    stands = Some(*to);
                }
                EventKind::ConflictRaised { .. } => {
                    let conflict = reported.next();
                    prop_assert!(conflict.is_some(), "raised without a conflict");
                    let conflict = conflict.map(|id| (*id).clone());
                    let earlier = raised.insert(event.id, conflict.clone());
                    prop_assert!(
                        earlier.is_none() || earlier == Some(conflict),
                        "two conflicts, one event"
                    );
                }
                EventKind::Claimed { holder, generation } => {
                    let claim = view.claim.as_ref().map(|claim| (&claim.holder, claim.generation));
                    prop_assert_eq!(claim, Some((holder, *generation)));
                }
                EventKind::Deleted => prop_assert!(view.deleted),
                EventKind::Restored => prop_assert!(!view.deleted),
                EventKind::HoldsChanged { .. }
                | EventKind::Released { .. }
                | EventKind::FieldChanged { .. }
                | EventKind::Commented { .. }
                | EventKind::ConflictsResolved
                | EventKind::ChangedByMerge { .. } => {}
            }
        }
        prop_assert!(reported.next().is_none(), "a conflict has one event");
        prop_assert_eq!(stands, Some(view.column), "every change of column has an event");
        before = Some(folded.view);
    }
    Ok(())
}
