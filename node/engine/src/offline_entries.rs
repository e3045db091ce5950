//! Exports and imports signed entries without a network.
//!
//! Imported entries go to the replication core like entries of a peer and pass the same gate, so a file needs
//! no trust: only entries of members are admitted, each completely or not at all. Exported entries are the
//! unchanged records of the log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use towline_api::request::{Failure, FailureCode, MAX_ENTRIES, Reply};
use towline_api::types::EntryImportReport;
use towline_proto::{Entry, ProjectId};
use towline_sync::Input;

use super::Project;
use super::query::QueryContext;

/// Bytes of entries per reply; a larger entry is sent alone.
const REPLY_TARGET_BYTES: usize = 1024 * 1024;

impl QueryContext<'_> {
    /// The next entries of the log.
    pub(crate) fn export_entries(&self, after: u64) -> Result<Reply, Failure> {
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut next = after;
        while bytes < REPLY_TARGET_BYTES && records.len() < MAX_ENTRIES {
            let Some((record, behind)) = self.store.log.read_next(next).map_err(|error| {
                let why = format!("cannot read the log: {error}; run `towline doctor` for details");
                Failure::new(FailureCode::Failure, why)
            })?
            else {
                break;
            };
            bytes += record.bytes.len();
            records.push(STANDARD.encode(&record.bytes));
            next = behind;
        }
        Ok(Reply::ExportedEntries {
            project: self.id,
            records,
            next,
        })
    }
}

impl Project {
    /// Imports entries from a bundle.
    pub(crate) fn import_entries(
        &mut self,
        project: &ProjectId,
        records: &[String],
    ) -> Result<EntryImportReport, Failure> {
        let usage = |message: String| Failure::new(FailureCode::Usage, message);
        if *project != self.id {
            return Err(usage(format!(
                "these entries belong to project {}; this is {} ({})",
                project.short(),
                self.id.short(),
                self.name()
            )));
        }
        if records.len() > MAX_ENTRIES {
            return Err(usage(format!(
                "at most {MAX_ENTRIES} entries are allowed in one request"
            )));
        }
        if let Some(why) = self.store.log.damage() {
            let why = format!("nothing was imported: {why}; stop the node and run `towline doctor --repair`");
            return Err(Failure::new(FailureCode::Failure, why));
        }
        let mut report = EntryImportReport::default();
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            let bytes = STANDARD
                .decode(record)
                .map_err(|_| usage("an entry is not valid base64".to_owned()))?;
            match Entry::decode(bytes.into()) {
                Err(why) => report.reject(&why.to_string()),
                Ok(entry) if entry.project() != self.id => {
                    report.reject(&format!(
                        "entry {} belongs to another project",
                        entry.hash().short()
                    ));
                }
                Ok(entry) if self.replication.core.contains(&entry.body().author, &entry.tip()) => {
                    report.known += 1
                }
                Ok(entry) => entries.push(entry),
            }
        }
        self.replication.store_failure = None;
        self.replicate(Input::OfflineEntries {
            entries: entries.clone(),
        });
        self.run_effects();
        // No peer is asked for these entries again; the bundle has to be imported again.
        if let Some(failure) = self.replication.store_failure.take() {
            let why = format!("{failure}; fix this, then import the bundle again");
            return Err(Failure::new(failure.code, why));
        }
        for entry in entries {
            if self.replication.core.contains(&entry.body().author, &entry.tip()) {
                report.new += 1;
            } else if self.replication.core.is_orphan(&entry) {
                report.waiting += 1;
            } else {
                let (hash, author) = (entry.hash().short(), self.query().node_name(&entry.body().author));
                let why = match entry.verify() {
                    Err(why) => why.to_string(),
                    Ok(()) => self
                        .replication
                        .core
                        .refusal_reason(&entry)
                        .unwrap_or_else(|| TOO_MANY_WAITING.to_owned()),
                };
                report.reject(&format!("entry {hash} of {author}: {why}"));
            }
        }
        if let Err(error) = self.replication.save_orphans(false) {
            let why = format!(
                "cannot store the waiting entries: {error}; import the bundle again when the missing entries have arrived"
            );
            return Err(Failure::new(FailureCode::Failure, why));
        }
        Ok(report)
    }

    /// Resumes with orphans of an earlier process.
    pub(super) fn resume_orphans(&mut self, entries: Vec<Entry>) {
        self.replicate(Input::OfflineEntries { entries });
        self.run_effects();
        // If the file cannot be rewritten, it stays as it is, and nothing is lost.
        if let Err(error) = self.replication.save_orphans(true) {
            tracing::debug!(%error, "the file of waiting entries was not cleaned up");
        }
    }
}

/// Why an entry is not kept although it was not refused: it would be an orphan, and there are too many.
const TOO_MANY_WAITING: &str =
    "too many entries wait for missing ones already; import the bundle again when those have arrived";
