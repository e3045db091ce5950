//! Writes acts again that another node wrote, under this author's key: for importing an export.
//!
//! Each act keeps its operation, time, origin and `saw`; only its id is new. Whether an act was legal is not
//! checked here, because the fold judges the copies like the originals: what was refused or overridden stays so.
//! Sizes and texts are checked as for any other act.

use automerge::{ActorId, Automerge};
use towline_proto::{Act, ActId, AuthorSeq, ItemId, limits};

use super::{BodyEdit, ComposeError, Composed, Composer};
use crate::doc::{ActRecord, Acts, ItemDoc, NodePrefix};
use crate::members::Roles;

/// Makes the changes that add `acts` to an item. `base` is the item's document, or `None` for a new item; then
/// the first act must create it, and its id must be `ItemId::derive(at, author, ordinal)`. The n-th act gets the
/// id `ActId::derive(author, ordinal + n)`, so that other acts of the entry can name it.
///
/// # Errors
/// When something is out of bounds; then nothing has been changed.
pub fn replay<R: Roles>(
    base: Option<&ItemDoc>,
    item: ItemId,
    author: &AuthorSeq,
    ordinal: &mut u32,
    roles: &R,
    acts: Vec<Act>,
    body: Option<BodyEdit>,
) -> Result<Composed, ComposeError> {
    let (mut am, before) = match base {
        Some(doc) => (doc.automerge().clone(), doc.acts().clone()),
        None => (Automerge::new(), Acts::new()),
    };
    if before.len() + acts.len() > limits::ACTS_PER_ITEM {
        return Err(ComposeError::Full {
            what: "acts",
            max: limits::ACTS_PER_ITEM,
        });
    }
    am.set_actor(ActorId::from(author.actor()));
    let node = NodePrefix::from(&author.node);
    let heads = am.get_heads();
    let mut composer = Composer {
        item,
        author,
        ordinal,
        roles,
        am,
        acts: before,
        before: heads,
    };
    let mut records = Vec::with_capacity(acts.len());
    for act in acts {
        let bytes = act.record()?;
        let id = ActId::derive(&author.node, author.epoch, author.seq, *composer.ordinal);
        *composer.ordinal = composer.ordinal.saturating_add(1);
        let hash = Act::record_hash(&bytes);
        composer.acts.insert(id, ActRecord { act, node, hash });
        records.push((id, bytes));
    }
    composer.put_records(records)?;
    composer.finish(body)
}
