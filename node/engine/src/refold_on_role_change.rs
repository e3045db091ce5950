//! Folds every item again when a node that has written before gets a higher role.
//!
//! Ties go to the higher role, so a row depends on the membership as well as on its document. Roles only
//! grow, and rarely after the node has begun to write. Folding every item again makes rows independent of the
//! order in which entries arrived here. The cache stores the roles that its rows were folded with, so a
//! process that dies in between folds again at its next start.

use std::collections::BTreeSet;

use towline_crdt::projection_update::ProjectionUpdate;

use super::Project;

impl Project {
    /// Folds every item with the current roles. An item that cannot be read is logged and keeps its row.
    pub(super) fn refold_all(&mut self) {
        let items: Vec<_> = self.index.rows().map(|row| row.id).collect();
        tracing::debug!(
            items = items.len(),
            "folding all items again, because roles changed"
        );
        let now = self.now();
        for item in items {
            let folded = self.store.doc(&item).and_then(|doc| {
                let folded = self.query().folded(&doc)?;
                let before = self.index.get(&item);
                if before.as_ref() != Some(&folded.view) {
                    let before = before.as_ref().map(|view| (view, doc.acts()));
                    let update = ProjectionUpdate::of(self.id, before, folded);
                    self.apply_updates(vec![(update, BTreeSet::new())], false, now);
                    self.store.put_doc(doc);
                }
                Ok(())
            });
            if let Err(failure) = folded {
                tracing::error!(item = %item.key(), %failure, "an item could not be folded again; run `towline doctor`");
            }
            self.store.applied(None, self.batch.take_events());
            self.store.save_if_full(&self.index);
        }
        self.read_settings();
        self.store.refolded(self.members.roles_digest());
    }
}
