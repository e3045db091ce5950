//! The settings of an export: written from their document, and replayed act by act.
//!
//! They are imported if the project has none yet, or only a prefix of those in the line; settings that were
//! changed independently are left alone, and that is reported. Only a node that may change settings imports
//! them.

use std::collections::BTreeMap;

use towline_api::export_line::{ItemLine, SCHEMA, SETTINGS_SCHEMA, SettingsLine, decode_op};
use towline_api::request::Failure;
use towline_api::types::LineOutcome;
use towline_crdt::settings::{first_act, is_setting};
use towline_proto::{ActId, ItemId, text};

use super::{check, compare};
use crate::Project;
use crate::pending_batch::replay::ReplayItem;
use crate::query::QueryContext;

impl QueryContext<'_> {
    /// The settings as a line; `None` if nobody has set any.
    pub(crate) fn settings_line(&self) -> Result<Option<SettingsLine>, Failure> {
        let id = self.store.settings_id();
        let line = self.whole_line(&id, &BTreeMap::new())?;
        if line.acts.len() < 2 {
            return Ok(None);
        }
        let doc = self.doc(&id)?;
        let folded = self.folded(&doc)?;
        let settings = folded.settings().into_iter();
        Ok(Some(SettingsLine {
            schema: SETTINGS_SCHEMA.to_owned(),
            settings: settings
                .map(|(key, act)| (key.to_owned(), folded.setting(&act)))
                .collect(),
            conflicts: line.conflicts,
            ties: line.ties,
            acts: line.acts,
        }))
    }
}

impl Project {
    /// Imports settings, or returns why not.
    pub(crate) fn import_settings(
        &mut self,
        settings_line: &SettingsLine,
        dry_run: bool,
    ) -> Result<LineOutcome, Failure> {
        if let Err(failure) = self.query().may_set() {
            let why = format!("the settings were not imported: {}", failure.message);
            return Ok(LineOutcome::Rejected { why });
        }
        let id = self.store.settings_id();
        let current = self.query().whole_line(&id, &BTreeMap::new())?;
        let line = ItemLine {
            schema: SCHEMA.to_owned(),
            ties: settings_line.ties.clone(),
            acts: settings_line.acts.clone(),
            ..current.clone()
        };
        let begins_so = line.acts.first() == current.acts.first();
        let steps = match check::check_line(&line).and_then(|steps| only_settings(&line).map(|()| steps)) {
            Ok(steps) if begins_so => steps,
            Ok(_) => {
                let why = "the first act of the settings is invalid".to_owned();
                return Ok(LineOutcome::Rejected { why });
            }
            Err(why) => {
                let why = format!("cannot import the settings: {why}");
                return Ok(LineOutcome::Rejected { why });
            }
        };
        if compare::has_all(&current, &line) {
            return Ok(LineOutcome::Unchanged);
        }
        if !compare::is_prefix(&current, &line) {
            let why = "this project has settings of its own, which were left as they are; `towline config` \
                       shows and changes them";
            return Ok(LineOutcome::Rejected { why: why.to_owned() });
        }
        if dry_run {
            return Ok(LineOutcome::Updated { differs: Vec::new() });
        }
        let (mut known, mut hash_prefixes) = self.query().acts_of(&id)?;
        if known.is_empty() {
            (known, hash_prefixes) = (vec![first_act()], vec![0]);
        }
        let work = ReplayItem {
            item: Some(id),
            line: &line,
            known,
            hash_prefixes,
            upto: line.acts.len(),
            steps,
            body: None,
        };
        let none = |handle: &str| {
            Err(format!(
                "settings cannot name items, such as {}",
                text::show(handle, 40)
            ))
        };
        let done = self.replay_lines(vec![work], &none)?;
        Ok(match done.into_iter().next() {
            Some(Err(failure)) => LineOutcome::Rejected { why: failure.message },
            _ => LineOutcome::Updated { differs: Vec::new() },
        })
    }
}

/// Refuses acts that are not about settings, before anything is written.
fn only_settings(line: &ItemLine) -> Result<(), String> {
    for act in line.acts.iter().skip(1) {
        let op = decode_op(act, |_| Ok(ActId([0; 16])), |_| Ok(ItemId([0; 16])))?;
        if !is_setting(&op) {
            return Err(format!("{} is not a setting", text::show(&act.op, 40)));
        }
    }
    Ok(())
}
