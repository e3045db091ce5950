//! Compares a line of a file with the line of an existing item.
//!
//! Works on the two lines alone and changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;
use towline_api::export_line::{ItemLine, LineAct};
use towline_api::request::{ImportComment, ImportCriterion, ImportItem, ImportRecord, ImportStage};
use towline_proto::{Column, LinkKind};

/// The most field names in a report.
const MAX_FIELDS: usize = 8;
/// Fields that say nothing that the acts do not say, besides the handle.
const MADE_OF_ACTS: [&str; 3] = ["handle", "attention", "refused"];
/// Operations that change the column or the holds of an item.
const MOVING_OPS: [&str; 20] = [
    "triage",
    "start",
    "submit",
    "request-changes",
    "pass-qa",
    "approve",
    "merged",
    "abandon",
    "supersede",
    "reject",
    "reopen",
    "archive",
    "move",
    "block",
    "unblock",
    "freeze",
    "unfreeze",
    "delete",
    "restore",
    "settle",
];

/// Whether an item has every act of a line.
pub(super) fn has_all(current: &ItemLine, line: &ItemLine) -> bool {
    if current.acts == line.acts {
        return true;
    }
    if current.acts.len() < line.acts.len() {
        return false;
    }
    missing_acts(current, line).next().is_none()
}

/// Whether a line moves its item in a way that has not happened here.
pub(super) fn moves_item(current: &ItemLine, line: &ItemLine) -> bool {
    missing_acts(current, line).any(|act| MOVING_OPS.contains(&act.op.as_str()))
}

/// The acts of a line that an item does not have.
fn missing_acts<'l>(current: &ItemLine, line: &'l ItemLine) -> impl Iterator<Item = &'l LineAct> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for act in &current.acts {
        *counts.entry(act_key(act)).or_default() += 1;
    }
    line.acts.iter().filter(move |act| {
        let count = counts.get_mut(&act_key(act)).filter(|count| **count > 0);
        count.map(|count| *count -= 1).is_none()
    })
}

/// The key of an act, without the acts that it had seen.
fn act_key(act: &LineAct) -> String {
    serde_json::json!([act.op, act.with, act.at, act.origin]).to_string()
}

/// Whether the acts of an item are the first of a line's.
pub(super) fn is_prefix(current: &ItemLine, line: &ItemLine) -> bool {
    line.acts.starts_with(&current.acts)
}

/// The fields in which two lines differ. The handle is ignored, and so are texts that are made of the acts and that
/// another version may word otherwise.
pub(super) fn differences(current: &ItemLine, line: &ItemLine) -> Vec<String> {
    if current == line {
        return Vec::new();
    }
    let fields = |line: &ItemLine| match serde_json::to_value(line) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (current, line) = (fields(current), fields(line));
    let names = current
        .keys()
        .chain(line.keys().filter(|name| !current.contains_key(*name)));
    let differing = names.filter(|name| current.get(*name) != line.get(*name));
    differing
        .filter(|name| !MADE_OF_ACTS.contains(&name.as_str()))
        .take(MAX_FIELDS)
        .cloned()
        .collect()
}

/// A line as an import record, for an item that was edited independently.
pub(super) fn as_import(line: &ItemLine) -> ImportItem {
    let reason = |op: &str| {
        let last = line.acts.iter().rev().find(|act| act.op == op);
        last.and_then(|act| Some(act.with.get("reason")?.as_str()?.to_owned()))
    };
    let stage = match line.column {
        _ if line.deleted => ImportStage::Deleted {
            reason: reason("delete"),
        },
        column if column.is_open() => ImportStage::Open { column },
        Column::Done | Column::Archived if line.closing.is_none() => ImportStage::Done,
        _ => ImportStage::Abandoned {
            reason: reason("abandon"),
        },
    };
    let comments = line
        .acts
        .iter()
        .enumerate()
        .filter(|(_, act)| act.op == "comment");
    let comments = comments.map(|(at, act)| ImportComment {
        id: at.to_string(),
        author: act.origin.id.clone(),
        at: act.at,
        text: act
            .with
            .get("text")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    });
    let criteria = line.criteria.iter().map(|criterion| ImportCriterion {
        text: criterion.text.clone(),
        state: criterion.state,
    });
    let links = line.links.iter().filter(|link| link.kind != LinkKind::Related);
    ImportItem {
        external: line.reference.clone(),
        kind: line.kind,
        title: line.title.clone(),
        body: line.body.clone(),
        priority: line.priority,
        labels: line.labels.clone(),
        assignee: line.assignee.clone(),
        created_by: line.origin.id.clone(),
        created_at: line.created_at,
        updated_at: line.updated_at,
        stage,
        frozen: line.holds.frozen,
        blocked: line.holds.blocked.as_ref().map(|blocked| blocked.reason.clone()),
        comments: comments.collect(),
        links: links.map(|link| (link.kind, link.target.clone())).collect(),
        criteria: criteria.collect(),
        record: ImportRecord::default(),
    }
}
