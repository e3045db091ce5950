//! Imports lines of an export: new items are replayed act by act; existing items are compared.
//!
//! A line finds its item by the reference that the item got where it was first created. Lines can refer to
//! later ones, in cycles too, so one pass creates the items and a second one writes what refers to other
//! items. An item that has every act of its line is left alone, whatever was done to it since. An item whose
//! acts are the beginning of the line's is continued. An item that was edited independently is updated field
//! by field like in any other import. The resulting state of a new item is compared with the line.

mod check;
mod compare;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use towline_api::export_line::{ActRef, ItemLine, digest, items_named, local_item};
use towline_api::request::{Failure, FailureCode, IMPORT_CHUNK};
use towline_api::types::{ImportPass, LineOutcome};
use towline_crdt::compose::BodyEdit;
use towline_proto::{ActId, ItemId, Op};

use super::Project;
use super::import::{ItemUpdate, RecordStage, read_mark};
use super::pending_batch::Work;
use super::pending_batch::replay::{ReplayItem, hash_prefix};
use super::query::QueryContext;

/// What to do about a line.
enum LinePlan<'l> {
    /// Nothing is written.
    Nothing(LineOutcome),
    /// Acts of the line are replayed, after those of earlier lines.
    Replay(LineOutcome, ReplayItem<'l>),
    /// The item is updated field by field.
    Update(LineOutcome, Work),
}

/// The handles of other items in the file, and which items they are here.
type Names = BTreeMap<String, ItemId>;

impl Project {
    /// Imports lines. `names` contains the reference of every item that the lines refer to by handle, and of
    /// those that share a number with one of them.
    pub(crate) fn import_lines(
        &mut self,
        lines: &[ItemLine],
        names: &BTreeMap<String, String>,
        pass: ImportPass,
    ) -> Result<Vec<LineOutcome>, Failure> {
        if lines.len() > IMPORT_CHUNK {
            let message = format!("at most {IMPORT_CHUNK} lines are allowed in one request");
            return Err(Failure::new(FailureCode::Usage, message));
        }
        let known: Names = names
            .iter()
            .filter_map(|(handle, reference)| Some((handle.clone(), self.query().by_reference(reference)?)))
            .collect();
        let mut taken: Vec<Option<LineOutcome>> = vec![None; lines.len()];
        let mut works = Vec::new();
        let mut seen = BTreeSet::new();
        for (at, line) in lines.iter().enumerate() {
            let plan = match check::check_line(line) {
                Err(why) => LinePlan::Nothing(LineOutcome::Rejected { why }),
                Ok(_) if !seen.insert(line.reference.as_str()) => LinePlan::Nothing(LineOutcome::Rejected {
                    why: "the file contains this item twice; the first was imported".to_owned(),
                }),
                Ok(steps) => self.query().plan_line(line, steps, names, &known, pass)?,
            };
            match plan {
                LinePlan::Nothing(outcome) => taken[at] = Some(outcome),
                LinePlan::Replay(outcome, work) => works.push((at, outcome, work)),
                LinePlan::Update(outcome, work) => {
                    let written = self.write(work);
                    let refused = written
                        .err()
                        .map(|failure| LineOutcome::Rejected { why: failure.message });
                    taken[at] = Some(refused.unwrap_or(outcome));
                }
            }
        }
        let item_of = |handle: &str| match handle.parse::<ItemId>() {
            Ok(id) => Ok(id),
            Err(_) => known
                .get(handle)
                .copied()
                .ok_or_else(|| format!("it names item {handle}, which is not in the file")),
        };
        let mut expected = Vec::with_capacity(works.len());
        let mut rewrites = Vec::with_capacity(works.len());
        for (at, outcome, work) in works {
            expected.push((at, outcome));
            rewrites.push(work);
        }
        for ((at, outcome), result) in expected.into_iter().zip(self.replay_lines(rewrites, &item_of)?) {
            let outcome = match result {
                Err(failure) => LineOutcome::Rejected { why: failure.message },
                Ok(id) => self.query().with_differences(outcome, &id, &lines[at], &known)?,
            };
            taken[at] = Some(outcome);
        }
        Ok(taken.into_iter().flatten().collect())
    }
}

impl QueryContext<'_> {
    /// What to do about a line.
    fn plan_line<'l>(
        &self,
        line: &'l ItemLine,
        steps: BTreeMap<u32, u32>,
        names: &BTreeMap<String, String>,
        known: &Names,
        pass: ImportPass,
    ) -> Result<LinePlan<'l>, Failure> {
        let missing = line
            .acts
            .iter()
            .flat_map(items_named)
            .find(|name| !names.contains_key(*name));
        if let Some(name) = missing {
            let why = format!("it names item {name}, which is not in the file");
            return Ok(LinePlan::Nothing(LineOutcome::Rejected { why }));
        }
        let Some(id) = self.by_reference(&line.reference) else {
            if pass == ImportPass::Complete {
                let why = "it was not imported; import the file again".to_owned();
                return Ok(LinePlan::Nothing(LineOutcome::Rejected { why }));
            }
            let more = line.acts.iter().any(|act| items_named(act).next().is_some());
            let made = LineOutcome::Created {
                more,
                shared: self.shares_number(line, names),
                differs: Vec::new(),
            };
            if pass == ImportPass::DryRun {
                return Ok(LinePlan::Nothing(made));
            }
            let body = (!more && !line.body.is_empty()).then(|| BodyEdit {
                base: None,
                text: line.body.clone(),
            });
            let work = ReplayItem {
                item: None,
                line,
                known: Vec::new(),
                hash_prefixes: Vec::new(),
                upto: if more { 1 } else { line.acts.len() },
                steps,
                body,
            };
            return Ok(LinePlan::Replay(made, work));
        };
        if pass == ImportPass::Create {
            return Ok(LinePlan::Nothing(LineOutcome::Existing));
        }
        let callings: BTreeMap<ItemId, String> = known.iter().map(|(name, id)| (*id, name.clone())).collect();
        let current = self.whole_line(&id, &callings)?;
        if compare::has_all(&current, line) {
            return Ok(LinePlan::Nothing(LineOutcome::Unchanged));
        }
        if local_item(&self.id, &line.reference).is_none() && compare::is_prefix(&current, line) {
            let differs = Vec::new();
            if pass == ImportPass::DryRun {
                return Ok(LinePlan::Nothing(LineOutcome::Updated { differs }));
            }
            let body = (current.body != line.body).then(|| BodyEdit {
                base: None,
                text: line.body.clone(),
            });
            let (known, hash_prefixes) = self.acts_of(&id)?;
            let work = ReplayItem {
                item: Some(id),
                line,
                known,
                hash_prefixes,
                upto: line.acts.len(),
                steps,
                body,
            };
            return Ok(LinePlan::Replay(LineOutcome::Updated { differs }, work));
        }
        let moves = compare::moves_item(&current, line);
        self.update_from_line(&id, line, moves, pass == ImportPass::DryRun)
    }

    /// Adds the fields in which a written item differs from its line.
    fn with_differences(
        &self,
        outcome: LineOutcome,
        id: &ItemId,
        line: &ItemLine,
        known: &Names,
    ) -> Result<LineOutcome, Failure> {
        if matches!(outcome, LineOutcome::Created { more: true, .. }) {
            return Ok(outcome);
        }
        let callings: BTreeMap<ItemId, String> = known.iter().map(|(name, id)| (*id, name.clone())).collect();
        let differs = compare::differences(&self.whole_line(id, &callings)?, line);
        Ok(match outcome {
            LineOutcome::Created { more, shared, .. } => LineOutcome::Created {
                more,
                shared,
                differs,
            },
            LineOutcome::Updated { .. } => LineOutcome::Updated { differs },
            other => other,
        })
    }

    /// Updates an item that was edited independently: fields, labels, comments and stage, as from any other
    /// tracker. `moves` says whether the line moves it in a way that has not happened here.
    fn update_from_line<'l>(
        &self,
        id: &ItemId,
        line: &ItemLine,
        moves: bool,
        dry_run: bool,
    ) -> Result<LinePlan<'l>, Failure> {
        let mark = digest(line);
        let doc = self.doc(id)?;
        let marked = |op: &Op| matches!(op, Op::MarkImport { digest, .. } if read_mark(digest).0 == mark);
        if doc.acts().values().any(|record| marked(&record.act.op)) {
            return Ok(LinePlan::Nothing(LineOutcome::Unchanged));
        }
        let item = compare::as_import(line);
        let now = RecordStage::of(&item);
        let imported = self.index.get(id).and_then(|row| row.imported);
        let known = imported.and_then(|mark| read_mark(&mark).1);
        let before = known.unwrap_or_else(|| if moves { now.inverted() } else { now });
        let mut work = match self.update_item(id, &item, Some(before))? {
            // A line has no time by which it could be outdated.
            ItemUpdate::UpToDate | ItemUpdate::Outdated(_) => {
                return Ok(LinePlan::Nothing(LineOutcome::Unchanged));
            }
            ItemUpdate::InTrash => {
                let note = self.in_trash(&format!("item {}", line.handle), id);
                return Ok(LinePlan::Nothing(LineOutcome::InTrash { note }));
            }
            ItemUpdate::MarkOnly(work) | ItemUpdate::Changes(work) => work,
        };
        let differs = Vec::new();
        let changes =
            work.drafts.len() > 1 || work.body.is_some() || known.is_some_and(|before| before != now);
        for draft in &mut work.drafts {
            if let Op::MarkImport { digest, .. } = &mut draft.op {
                *digest = now.mark(&mark);
            }
        }
        if !changes {
            return Ok(LinePlan::Nothing(LineOutcome::Unchanged));
        }
        if dry_run {
            return Ok(LinePlan::Nothing(LineOutcome::Updated { differs }));
        }
        Ok(LinePlan::Update(LineOutcome::Updated { differs }, work))
    }

    /// The item with a reference: created in this project, or imported with it.
    fn by_reference(&self, reference: &str) -> Option<ItemId> {
        let native = local_item(&self.id, reference).filter(|id| self.index.row(id).is_some());
        native.or_else(|| self.index.by_external(reference))
    }

    /// Whether an item that is not in the file has the number of a line.
    fn shares_number(&self, line: &ItemLine, names: &BTreeMap<String, String>) -> bool {
        let of_file: BTreeSet<&str> = names.values().map(String::as_str).collect();
        let with_number = self.index.numbered(line.number);
        with_number
            .iter()
            .filter_map(|id| self.index.get(id))
            .any(|row| !of_file.contains(self.reference_of(&row).as_str()))
    }

    /// The acts of an item in the order of its line, and the prefixes of their hashes.
    fn acts_of(&self, id: &ItemId) -> Result<(Vec<ActId>, Vec<u64>), Failure> {
        let doc = self.doc(id)?;
        let folded = self.folded(&doc)?;
        let order = super::export::order(&folded);
        let hash_prefixes = order.iter().filter_map(|act| doc.acts().get(act));
        let hash_prefixes = hash_prefixes.map(|record| hash_prefix(&record.hash)).collect();
        Ok((order, hash_prefixes))
    }
}

/// The index by which a line refers to one of its acts.
fn act_index(act: &ActRef) -> Option<usize> {
    match act {
        ActRef::At(place) => usize::try_from(*place).ok(),
        ActRef::Id(_) => None,
    }
}
