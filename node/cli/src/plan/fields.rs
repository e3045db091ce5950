//! Plans of commands that change fields of items: who, which epic, labels, criteria, links.
//!
//! As in the rest of the plan, nothing is asked here and what can be refused without a store is refused.

use towline_api::request::{Command, Edit, Failure, Query, Request};

use super::{Layout, Plan, usage};
use crate::args::{AssignArgs, CriteriaArgs, CriterionCommand, EpicArgs, LabelArgs, LinkArgs};
use crate::context::Context;

/// Splits `N… LAST`; with the flag everything is an item.
fn items_and_last(words: &[String], flag: bool, last: &str) -> Result<(Vec<String>, String), Failure> {
    match words.split_last() {
        _ if flag => Ok((words.to_vec(), String::new())),
        Some((value, items)) if !items.is_empty() => Ok((items.to_vec(), value.clone())),
        _ => Err(usage(format!("expected at least one item, then {last}"))),
    }
}

pub(super) fn assign(args: &AssignArgs) -> Result<Vec<(String, Request)>, Failure> {
    let (items, who) = items_and_last(&args.words, args.nobody, "the assignee (or use --nobody)")?;
    Ok(Plan::each(items, |item| {
        Request::Command(Command::Edit(Edit {
            item,
            assignee: Some(who.clone()),
            ..Edit::default()
        }))
    }))
}

pub(super) fn epic(args: &EpicArgs) -> Result<Vec<(String, Request)>, Failure> {
    let (items, epic) = items_and_last(&args.words, args.none, "the epic (or use --none)")?;
    Ok(Plan::each(items, |item| {
        Request::Command(Command::Edit(Edit {
            item,
            epic: Some(epic.clone()),
            ..Edit::default()
        }))
    }))
}

pub(super) fn label(args: &LabelArgs) -> Result<Vec<(String, Request)>, Failure> {
    let (mut items, mut add, mut remove) = (Vec::new(), args.add.clone(), args.remove.clone());
    for word in &args.words {
        match word.split_at_checked(1) {
            Some(("+", label)) if !label.is_empty() => add.push(label.to_owned()),
            // Behind `--`; before it these are options already.
            Some(("-", label)) if !label.is_empty() => remove.push(label.to_owned()),
            _ => items.push(word.clone()),
        }
    }
    if items.is_empty() {
        return Err(usage("expected at least one item"));
    }
    if add.is_empty() && remove.is_empty() {
        return Err(usage("expected a label: +LABEL adds it, -LABEL removes it"));
    }
    if let Some(both) = add.iter().find(|label| remove.contains(*label)) {
        let both = towline_proto::text::show(both, 80);
        return Err(usage(format!("cannot both add and remove the label {both:?}")));
    }
    Ok(Plan::each(items, |item| {
        Request::Command(Command::Label {
            item,
            add: add.clone(),
            remove: remove.clone(),
        })
    }))
}

pub(super) fn criteria(ctx: &Context, args: &CriteriaArgs) -> Result<Plan, Failure> {
    let item = args.item.clone();
    let body = match &args.command {
        None => return Ok(Plan::read(Request::Query(Query::Show { item }), Layout::Criteria)),
        Some(CriterionCommand::Add { text }) => Request::Command(Command::AddCriterion {
            item,
            text: ctx
                .text(text.clone(), towline_proto::limits::NOTE_BYTES)?
                .trim_end()
                .to_owned(),
        }),
        Some(judgement) => {
            let Some((state, of)) = judgement.judgement() else {
                return Err(usage("expected met, failed, skipped or open"));
            };
            Request::Command(Command::SetCriterion {
                item,
                index: of.index,
                state,
                evidence: of.evidence.clone(),
                expect: None,
                state_base: None,
            })
        }
    };
    Ok(Plan::write(vec![(args.item.clone(), body)]))
}

pub(super) fn link(args: &LinkArgs) -> Request {
    let link = vec![(args.kind, args.target.clone())];
    let (add, remove) = if args.remove {
        (Vec::new(), link)
    } else {
        (link, Vec::new())
    };
    Request::Command(Command::Link {
        item: args.item.clone(),
        add,
        remove,
    })
}
