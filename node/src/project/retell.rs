//! Taking lines of an export: new items are written act by act as they were, those that are here are
//! compared.
//!
//! A line finds its item by the reference of where that was first made. Lines can name items that come
//! behind them, and circles of them, so items are made in one pass and what names others is written in
//! a second. An item that has every act of its line is left alone, whatever was done to it since; one
//! whose acts are the beginning of the line's is continued; one that went its own way is brought up to
//! date field by field like any other import. What a new item came to is compared with what the line
//! says.

mod check;
mod compare;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use towline_crdt::compose::BodyEdit;
use towline_proto::{ActId, ItemId, Op};

use super::Project;
use super::import::{Said, Update, read_mark};
use super::stage::replay::{Rewrite, head};
use crate::api::request::{Failure, FailureCode, IMPORT_CHUNK};
use crate::export::line::{ActRef, ItemLine, digest, items_named, local_item};

/// Which pass over a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    /// Make what is not here.
    Make,
    /// Write what names other items, and compare what was here before.
    Fill,
    /// Say what would be done.
    Look,
}

/// What became of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "taken", rename_all = "kebab-case")]
pub enum Taken {
    /// An item was made.
    Made {
        /// Whether the second pass has something left to do.
        more: bool,
        /// Whether an item that is not of the file has its number.
        shared: bool,
        /// What it comes to otherwise than the line says.
        differs: Vec<String>,
    },
    /// It was here before this import: the second pass looks at it.
    Here,
    /// It got what it lacked.
    Updated {
        /// What it comes to otherwise than the line says; empty where it went its own way.
        differs: Vec<String>,
    },
    /// It had all of it.
    Unchanged,
    /// It is in the trash here, and was left there.
    InTrash {
        /// The sentence about it.
        note: String,
    },
    /// It was not taken.
    Refused {
        /// Why.
        why: String,
    },
}

/// What other items of a file are called, and which those are.
type Names = BTreeMap<String, ItemId>;

impl Project {
    /// Takes lines. `names` gives the reference of every item that the lines name by its handle, and of
    /// those that share a number with one of them.
    pub(crate) fn take_lines(
        &mut self,
        lines: &[ItemLine],
        names: &BTreeMap<String, String>,
        pass: Pass,
    ) -> Result<Vec<Taken>, Failure> {
        if lines.len() > IMPORT_CHUNK {
            let message = format!("at most {IMPORT_CHUNK} lines are allowed in one request");
            return Err(Failure::new(FailureCode::Usage, message));
        }
        let known: Names = names
            .iter()
            .filter_map(|(handle, reference)| Some((handle.clone(), self.by_reference(reference)?)))
            .collect();
        let mut taken: Vec<Option<Taken>> = vec![None; lines.len()];
        let mut works = Vec::new();
        let mut seen = BTreeSet::new();
        for (at, line) in lines.iter().enumerate() {
            let outcome = match check::line(line) {
                Err(why) => Err(Taken::Refused { why }),
                Ok(_) if !seen.insert(line.reference.as_str()) => Err(Taken::Refused {
                    why: "the file contains this item twice; the first was imported".to_owned(),
                }),
                Ok(steps) => self.consider(line, steps, names, &known, pass)?,
            };
            match outcome {
                Ok((taken, work)) => works.push((at, taken, work)),
                Err(outcome) => taken[at] = Some(outcome),
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
        for ((at, outcome), result) in expected.into_iter().zip(self.write_replay(rewrites, &item_of)?) {
            let outcome = match result {
                Err(failure) => Taken::Refused { why: failure.message },
                Ok(id) => self.compared(outcome, &id, &lines[at], &known)?,
            };
            taken[at] = Some(outcome);
        }
        Ok(taken.into_iter().flatten().collect())
    }

    /// What is to be done about a line: something to write, or the outcome.
    fn consider<'l>(
        &mut self,
        line: &'l ItemLine,
        steps: BTreeMap<u32, u32>,
        names: &BTreeMap<String, String>,
        known: &Names,
        pass: Pass,
    ) -> Result<Result<(Taken, Rewrite<'l>), Taken>, Failure> {
        let missing = line
            .acts
            .iter()
            .flat_map(items_named)
            .find(|name| !names.contains_key(*name));
        if let Some(name) = missing {
            let why = format!("it names item {name}, which is not in the file");
            return Ok(Err(Taken::Refused { why }));
        }
        let Some(id) = self.by_reference(&line.reference) else {
            if pass == Pass::Fill {
                let why = "it was not imported; import the file again".to_owned();
                return Ok(Err(Taken::Refused { why }));
            }
            let more = line.acts.iter().any(|act| items_named(act).next().is_some());
            let made = Taken::Made {
                more,
                shared: self.shares_number(line, names),
                differs: Vec::new(),
            };
            if pass == Pass::Look {
                return Ok(Err(made));
            }
            let body = (!more && !line.body.is_empty()).then(|| BodyEdit {
                base: None,
                text: line.body.clone(),
            });
            let work = Rewrite {
                item: None,
                line,
                known: Vec::new(),
                heads: Vec::new(),
                upto: if more { 1 } else { line.acts.len() },
                steps,
                body,
            };
            return Ok(Ok((made, work)));
        };
        if pass == Pass::Make {
            return Ok(Err(Taken::Here));
        }
        let callings: BTreeMap<ItemId, String> = known.iter().map(|(name, id)| (*id, name.clone())).collect();
        let present = self.whole_line(&id, &callings)?;
        if compare::has_all(&present, line) {
            return Ok(Err(Taken::Unchanged));
        }
        if local_item(&self.id, &line.reference).is_none() && compare::begins(&present, line) {
            let differs = Vec::new();
            if pass == Pass::Look {
                return Ok(Err(Taken::Updated { differs }));
            }
            let body = (present.body != line.body).then(|| BodyEdit {
                base: None,
                text: line.body.clone(),
            });
            let (known, heads) = self.acts_of(&id)?;
            let work = Rewrite {
                item: Some(id),
                line,
                known,
                heads,
                upto: line.acts.len(),
                steps,
                body,
            };
            return Ok(Ok((Taken::Updated { differs }, work)));
        }
        let moves = compare::moves(&present, line);
        self.bring_up_to_date(&id, line, moves, pass == Pass::Look)
            .map(Err)
    }

    /// What a written item comes to otherwise than its line says.
    fn compared(
        &mut self,
        outcome: Taken,
        id: &ItemId,
        line: &ItemLine,
        known: &Names,
    ) -> Result<Taken, Failure> {
        if matches!(outcome, Taken::Made { more: true, .. }) {
            return Ok(outcome);
        }
        let callings: BTreeMap<ItemId, String> = known.iter().map(|(name, id)| (*id, name.clone())).collect();
        let differs = compare::differences(&self.whole_line(id, &callings)?, line);
        Ok(match outcome {
            Taken::Made { more, shared, .. } => Taken::Made {
                more,
                shared,
                differs,
            },
            Taken::Updated { .. } => Taken::Updated { differs },
            other => other,
        })
    }

    /// An item that went its own way: fields, labels, comments and stage, as from any other tracker.
    /// `moves` says whether the line moves it in a way that has not been done here.
    fn bring_up_to_date(
        &mut self,
        id: &ItemId,
        line: &ItemLine,
        moves: bool,
        dry_run: bool,
    ) -> Result<Taken, Failure> {
        let mark = digest(line);
        let doc = self.doc(id)?;
        let marked = |op: &Op| matches!(op, Op::MarkImport { digest, .. } if read_mark(digest).0 == mark);
        if doc.acts().values().any(|record| marked(&record.act.op)) {
            return Ok(Taken::Unchanged);
        }
        let item = compare::as_import(line);
        let now = Said::by(&item);
        let imported = self.index.get(id).and_then(|row| row.imported);
        let known = imported.and_then(|mark| read_mark(&mark).1);
        let before = known.unwrap_or_else(|| if moves { now.unlike() } else { now });
        let mut work = match self.update_item(id, &item, Some(before))? {
            // A line says no time by which it could be the older one.
            Update::Nothing | Update::Older(_) => return Ok(Taken::Unchanged),
            Update::InTrash => {
                let note = self.in_trash(&format!("item {}", line.handle), id);
                return Ok(Taken::InTrash { note });
            }
            Update::Marked(work) | Update::Work(work) => work,
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
            return Ok(Taken::Unchanged);
        }
        if dry_run {
            return Ok(Taken::Updated { differs });
        }
        Ok(match self.write(work) {
            Ok(_) => Taken::Updated { differs },
            Err(failure) => Taken::Refused { why: failure.message },
        })
    }

    /// The item that a reference names here: one that was made here, or one that came with it.
    fn by_reference(&self, reference: &str) -> Option<ItemId> {
        let native = local_item(&self.id, reference).filter(|id| self.index.row(id).is_some());
        native.or_else(|| self.index.by_external(reference))
    }

    /// Whether an item that is not of the file has the number of a line.
    fn shares_number(&self, line: &ItemLine, names: &BTreeMap<String, String>) -> bool {
        let of_file: BTreeSet<&str> = names.values().map(String::as_str).collect();
        let with_number = self.index.numbered(line.number);
        with_number
            .iter()
            .filter_map(|id| self.index.get(id))
            .any(|row| !of_file.contains(self.reference_of(&row).as_str()))
    }

    /// The acts of an item in the order of its line, and the beginnings of their hashes.
    fn acts_of(&mut self, id: &ItemId) -> Result<(Vec<ActId>, Vec<u64>), Failure> {
        let doc = self.doc(id)?;
        let folded = self.folded(&doc)?;
        let order = super::export::order(&folded);
        let heads = order.iter().filter_map(|act| doc.acts().get(act));
        let heads = heads.map(|record| head(&record.hash)).collect();
        Ok((order, heads))
    }
}

/// The place that an act of a line is named by.
fn place(act: &ActRef) -> Option<usize> {
    match act {
        ActRef::At(place) => usize::try_from(*place).ok(),
        ActRef::Id(_) => None,
    }
}
