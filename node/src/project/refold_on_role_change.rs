//! Folding everything again when somebody who had written before stands higher than it did.
//!
//! Ties go to the higher role, so a row depends on the membership as well as on its document. Roles only
//! grow, and hardly ever after somebody has begun to write; every item is folded again then, so that rows
//! never depend on which came first here. The cache keeps what its rows were folded by: a process that dies
//! in between does it at its next start.

use super::Project;

impl Project {
    /// Folds every item by the roles of now. An item that cannot be read is told and left as it is.
    pub(super) fn refold_all(&mut self) {
        let items: Vec<_> = self.index.rows().map(|row| row.id).collect();
        tracing::debug!(
            items = items.len(),
            "folding all items again, because roles changed"
        );
        let now = self.now();
        for item in items {
            let folded = self.doc(&item).and_then(|doc| {
                let same = self.index.get(&item).as_ref() == Some(&self.folded(&doc)?.view);
                if same {
                    Ok(())
                } else {
                    self.apply_docs([doc], false, now)
                }
            });
            if let Err(failure) = folded {
                tracing::error!(item = %item.key(), %failure, "an item could not be folded again; run `towline doctor`");
            }
            self.recent.extend(self.pending.take_events());
            self.store_if_full();
        }
        self.read_settings();
        self.folded_ranks = self.members.roles_digest();
        self.dirty = true;
    }
}
