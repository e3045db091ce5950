//! Records of one id in one source: which are copies, which are versions of one issue, and which are
//! different issues that were given the same id.
//!
//! Two people who work apart give the next free id to two issues, so an id alone does not say that two
//! records are about the same thing. What differs becomes an item of its own; a copy counts once, and
//! of the versions of one issue the newest. Relies on what the records say; whether items of such an
//! id are here already is the project's to find out.

use std::collections::BTreeMap;

use towline_api::request::ImportItem;
use towline_proto::Millis;

use super::Parsed;
use super::relations::ParsedRelation;

/// Places of records of one id that a note names at most.
const NAMED: usize = 4;

/// One record as it was read, and what was counted and said on the way.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) item: ImportItem,
    pub(super) relations: Vec<ParsedRelation>,
    pub(super) said: Parsed,
}

impl Record {
    fn place(&self) -> String {
        match &self.said.current.file {
            Some(file) => file.clone(),
            None => format!("line {}", self.said.current.line),
        }
    }
}

/// When two records of one id that are not equal are two versions of one issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    /// Always: nobody else can give that id. Unless the reference does not name who gave it, and they were made
    /// at different times.
    Always,
    /// Unless both say when they were made, and at different times under different titles; or neither
    /// says any time, so that it cannot be known.
    Dated,
    /// Never: a tracker of one file an issue has no two versions of it.
    Never,
}

impl Versions {
    fn are(self, a: &ImportItem, b: &ImportItem) -> bool {
        let known = |time: Millis| time.0 > 0;
        if (a.record.by_birth || b.record.by_birth) && a.created_at != b.created_at {
            return false;
        }
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Dated => {
                let dated = [a, b].map(|item| known(item.created_at) || known(item.record.at));
                let apart = known(a.created_at)
                    && known(b.created_at)
                    && a.created_at != b.created_at
                    && a.title != b.title;
                dated != [false, false] && !apart
            }
        }
    }
}

/// Whether two records say the same of their issue, wherever they stand and whenever they were written.
fn is_copy(a: &ImportItem, b: &ImportItem) -> bool {
    let said = |item: &ImportItem| {
        let mut item = item.clone();
        item.updated_at = item.created_at;
        item.stage = towline_api::request::ImportStage::Done;
        item.record = towline_api::request::ImportRecord {
            silent: item.record.silent,
            ..Default::default()
        };
        item
    };
    said(a) == said(b)
}

impl Parsed {
    /// Takes records over: every one becomes an item or is counted as said again. Returns their relations.
    pub(super) fn take_records(&mut self, records: Vec<Record>, versions: Versions) -> Vec<ParsedRelation> {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut groups: Vec<Vec<Record>> = Vec::new();
        for record in records {
            let place = *places.entry(record.item.external.clone()).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            let Some(group) = groups.get_mut(place) else {
                continue;
            };
            self.join(group, record, versions);
        }
        let mut relations = Vec::new();
        for mut group in groups {
            if group.len() > 1 {
                self.identify_twins(&mut group);
            }
            for record in group {
                self.items.push(record.item);
                self.add_record(record.said);
                relations.extend(record.relations);
            }
        }
        relations
    }

    /// Adds a record to those of the same id.
    fn join(&mut self, group: &mut Vec<Record>, record: Record, versions: Versions) {
        for there in group.iter_mut() {
            let copy = is_copy(&there.item, &record.item);
            if !copy && !versions.are(&there.item, &record.item) {
                continue;
            }
            self.records.repeated += 1;
            // A later line of the same time is the younger one, and a file of another folder is not.
            let newer = match versions {
                Versions::Never => record.item.record.at > there.item.record.at,
                Versions::Always | Versions::Dated => record.item.record.at >= there.item.record.at,
            };
            if newer {
                *there = record;
            }
            return;
        }
        group.push(record);
    }

    /// Gives each of several issues of one id a name of its own within this source.
    fn identify_twins(&mut self, group: &mut [Record]) {
        let Some(id) = group.first().map(|record| record.item.external.clone()) else {
            return;
        };
        let places: Vec<String> = group.iter().map(Record::place).take(NAMED).collect();
        let more = group.len().saturating_sub(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        self.note_that(&format!(
            "{} different issues have the id {id} ({}{more}); each becomes an item of its own, and references to the id mean the oldest",
            group.len(),
            places.join("; "),
        ));
        for (place, record) in group.iter_mut().enumerate() {
            let own = format!("{id}~{}", place + 1);
            for relation in &mut record.relations {
                for end in [&mut relation.from, &mut relation.to, &mut relation.said_by] {
                    if *end == id {
                        end.clone_from(&own);
                    }
                }
            }
            record.item.record.shared = Some(id.clone());
            record.item.external = own;
        }
    }
}
