//! Computes the row and the events of a document.
//!
//! Rows and events are made nowhere else, so what is shown, stored and announced always comes from the same fold
//! of the same acts. (Elsewhere, tables that mirrored a CRDT setter by setter have drifted from it.)

use std::collections::BTreeSet;

use towline_proto::{ActId, Event, ItemId, ProjectId};

use crate::diff::{diff, diff_since};
use crate::doc::{Acts, ItemDoc};
use crate::fold::{FoldedItem, fold};
use crate::members::Roles;
use crate::view::ItemView;

/// A new row with the events that lead to it.
#[derive(Debug, Clone)]
pub struct ProjectionUpdate {
    /// The row.
    pub view: ItemView,
    /// The events between the previous row and this one.
    pub events: Vec<Event>,
}

/// Folds a document and compares the result with the previous row and the acts from which that was made. `None`
/// when no act creates the item, which the gate rules out.
pub fn update_projection<R: Roles>(
    project: ProjectId,
    before: Option<(&ItemView, &Acts)>,
    doc: &ItemDoc,
    roles: &R,
) -> Option<ProjectionUpdate> {
    let folded = fold(doc.id(), doc.acts(), roles)?;
    Some(ProjectionUpdate::of(project, before, folded))
}

impl ProjectionUpdate {
    /// The update that a fold results in.
    pub fn of(project: ProjectId, before: Option<(&ItemView, &Acts)>, folded: FoldedItem<'_>) -> Self {
        let events = diff(project, before, &folded);
        Self {
            view: folded.view,
            events,
        }
    }
}

/// [`update_projection`] for acts that are given directly, together with the new ones among them: for the state
/// of a document between two of its changes.
pub fn update_projection_from_acts<R: Roles>(
    project: ProjectId,
    before: Option<(&ItemView, BTreeSet<ActId>)>,
    item: ItemId,
    acts: &Acts,
    roles: &R,
) -> Option<ProjectionUpdate> {
    let folded = fold(item, acts, roles)?;
    let events = diff_since(project, before, &folded);
    Some(ProjectionUpdate {
        view: folded.view,
        events,
    })
}
