//! The one way to pair a document with its row and the events that tell the difference.
//!
//! Nobody else makes rows or events: what is shown, stored and announced therefore always comes from
//! the same fold of the same acts (lessons, *a mirror table drifted*).

use std::collections::BTreeSet;

use towline_proto::{ActId, Event, ItemId, ProjectId};

use crate::diff::{diff, diff_since};
use crate::doc::{Acts, ItemDoc};
use crate::fold::fold;
use crate::members::Roles;
use crate::view::ItemView;

/// A document's row and what it changes for people.
#[derive(Debug, Clone)]
pub struct ProjectionUpdate {
    /// The row.
    pub view: ItemView,
    /// The events between the row before and this one.
    pub events: Vec<Event>,
}

/// Folds a document and compares it with the row before and the acts that made that. `None` when the
/// document holds no creation, which the gate rules out.
pub fn update_projection<R: Roles>(
    project: ProjectId,
    before: Option<(&ItemView, &Acts)>,
    doc: &ItemDoc,
    roles: &R,
) -> Option<ProjectionUpdate> {
    let folded = fold(doc.id(), doc.acts(), roles)?;
    let events = diff(project, before, &folded);
    Some(ProjectionUpdate {
        view: folded.view,
        events,
    })
}

/// [`update_projection`] of the acts that a document has, or had when some of its changes were not in it yet, where it
/// is known which of them came since the row before.
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
