//! Events about values that a merge changed, with the value before and after, for every register that can conflict.

use towline_crdt::diff::diff;
use towline_crdt::fold::fold;
use towline_proto::{
    Column, CriterionState, EventKind, FailureKind, ItemId, Kind, LinkKind, Op, OriginKind, ProjectId, Qa,
    Register, RegisterValue,
};

use crate::actors::{Actor, ann_and_bo, test_members};

/// A register with its value before and after.
type Change = (Register, RegisterValue, RegisterValue);

/// Both write the first part in turn, then Ann (the owner) and Bo write concurrently. Returns the changes that Bo's
/// replica reports when it receives Ann's acts.
fn told(together: Vec<Op>, anns: Vec<Op>, bos: Vec<Op>) -> Vec<Change> {
    let (mut ann, mut bo) = ann_and_bo(Qa::Human);
    together.into_iter().for_each(|op| ann.does(op));
    bo.receives(&ann);
    anns.into_iter().for_each(|op| ann.does(op));
    bos.into_iter().for_each(|op| bo.does(op));
    changes(&mut bo, &ann)
}

fn changes(bo: &mut Actor, ann: &Actor) -> Vec<Change> {
    let before = bo.shown();
    bo.receives(ann);
    let events = bo.events_since(&before);
    let told = events.into_iter().filter_map(|event| match event.what {
        EventKind::ChangedByMerge {
            register,
            before,
            after,
        } => Some((register, before, after)),
        _ => None,
    });
    told.collect()
}

fn says(told: &[Change], register: Register, before: RegisterValue, after: RegisterValue) {
    assert_eq!(told, [(register, before, after)]);
}

const fn hold(set: bool) -> RegisterValue {
    RegisterValue::Hold { set }
}

fn start() -> Op {
    Op::Start { force: None }
}

fn block() -> Op {
    Op::Block {
        reason: "no keys".into(),
    }
}

fn claim(holder: &str) -> Op {
    Op::Claim {
        holder: holder.into(),
        generation: 1,
    }
}

fn failed() -> Op {
    Op::MergeFailed {
        kind: FailureKind::Conflict,
        detail: String::new(),
    }
}

#[test]
fn a_hold_changed_by_a_merge_is_reported() {
    let told_of =
        |first: Op, lifted: Op, again: Op| told(vec![first], vec![lifted.clone(), again], vec![lifted]);
    says(
        &told_of(Op::Freeze, Op::Unfreeze, Op::Freeze),
        Register::Frozen,
        hold(false),
        hold(true),
    );
    says(
        &told_of(block(), Op::Unblock, block()),
        Register::Blocked,
        hold(false),
        hold(true),
    );
    let to_merge = || Op::Move {
        to: Column::Merge,
        reason: None,
    };
    says(
        &told(vec![to_merge(), failed()], vec![failed()], vec![Op::RetryMerge]),
        Register::Failure,
        hold(false),
        hold(true),
    );
}

#[test]
fn a_field_changed_by_a_merge_is_reported() {
    let fields: [(Register, Op, Op, RegisterValue, RegisterValue); 5] = [
        (
            Register::Title,
            Op::SetTitle { title: "Anns".into() },
            Op::SetTitle { title: "Bos".into() },
            RegisterValue::Title { title: "Bos".into() },
            RegisterValue::Title { title: "Anns".into() },
        ),
        (
            Register::Kind,
            Op::SetKind { kind: Kind::Bug },
            Op::SetKind { kind: Kind::Spike },
            RegisterValue::Kind { kind: Kind::Spike },
            RegisterValue::Kind { kind: Kind::Bug },
        ),
        (
            Register::Priority,
            Op::SetPriority { priority: 0 },
            Op::SetPriority { priority: 4 },
            RegisterValue::Priority { priority: 4 },
            RegisterValue::Priority { priority: 0 },
        ),
        (
            Register::Qa,
            Op::SetQa { qa: Qa::Server },
            Op::SetQa { qa: Qa::Agent },
            RegisterValue::Qa { qa: Qa::Agent },
            RegisterValue::Qa { qa: Qa::Server },
        ),
        (
            Register::Assignee,
            Op::Assign { who: None },
            Op::Assign {
                who: Some("cy".into()),
            },
            RegisterValue::Assignee {
                who: Some("cy".into()),
            },
            RegisterValue::Assignee { who: None },
        ),
    ];
    for (register, anns, bos, before, after) in fields {
        says(&told(vec![], vec![anns], vec![bos]), register, before, after);
    }
    let epic = ItemId([7; 16]);
    let told = told(
        vec![],
        vec![Op::SetEpic { epic: None }],
        vec![Op::SetEpic { epic: Some(epic) }],
    );
    let value = |epic| RegisterValue::Epic { epic };
    says(&told, Register::Epic, value(Some(epic)), value(None));
}

#[test]
fn a_claim_changed_by_a_merge_is_reported() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.receives(&ann);
    bo.kind = OriginKind::Agent;
    ann.does(claim("ann"));
    bo.does(claim("coder-1"));
    let holder = |name: &str| RegisterValue::Claim {
        holder: Some(name.to_owned()),
    };
    says(
        &changes(&mut bo, &ann),
        Register::Claim,
        holder("coder-1"),
        holder("ann"),
    );
}

#[test]
fn a_deletion_and_a_judgement_changed_by_a_merge_are_reported() {
    let delete = || Op::Delete { reason: None };
    says(
        &told(vec![delete()], vec![Op::Restore, delete()], vec![Op::Restore]),
        Register::Deleted,
        RegisterValue::Trash { deleted: false },
        RegisterValue::Trash { deleted: true },
    );
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::AddCriterion { text: "fast".into() });
    bo.receives(&ann);
    let criterion = ann.view().criteria[0].id;
    let judge = |state| Op::SetCriterion {
        criterion,
        state,
        evidence: None,
    };
    ann.does(judge(CriterionState::Failed));
    bo.does(judge(CriterionState::Met));
    let value = |state| RegisterValue::Criterion { state };
    says(
        &changes(&mut bo, &ann),
        Register::Criterion(criterion),
        value(CriterionState::Met),
        value(CriterionState::Failed),
    );
}

#[test]
fn an_approval_overridden_by_a_merge_is_reported_as_a_change_of_column() {
    let told = told(
        vec![start(), Op::Submit, Op::PassQa],
        vec![Op::RequestChanges {
            reason: "no tests".into(),
        }],
        vec![Op::Approve],
    );
    let value = |column| RegisterValue::Column { column };
    says(
        &told,
        Register::Column,
        value(Column::Merge),
        value(Column::Coding),
    );
}

#[test]
fn the_record_that_an_item_was_imported_from_is_in_its_row() {
    let (mut ann, _) = ann_and_bo(Qa::Agent);
    ann.does(Op::MarkImport {
        digest: "00ff".into(),
        record_at: None,
    });
    assert_eq!(ann.view().imported.as_deref(), Some("00ff"));
}

/// The name of the value; the acts before; the concurrent acts of Ann and of Bo.
type Case = (&'static str, Vec<Op>, Vec<Op>, Vec<Op>);

/// Bo wrote last and receives Ann's act, which wins: the event must name Ann as its author.
#[test]
fn a_value_is_attributed_to_the_act_that_set_it_and_not_to_the_youngest() {
    let label = || Op::AddLabel { label: "ui".into() };
    let unlabel = || Op::RemoveLabel { label: "ui".into() };
    let (kind, target) = (LinkKind::Commit, || "c0ffee".to_owned());
    let link = || Op::AddLink {
        kind,
        target: target(),
    };
    let unlink = || Op::RemoveLink {
        kind,
        target: target(),
    };
    let on = ItemId([8; 16]);
    let cases: Vec<Case> = vec![
        (
            "title",
            vec![],
            vec![Op::SetTitle { title: "Anns".into() }],
            vec![Op::SetTitle { title: "Bos".into() }],
        ),
        (
            "kind",
            vec![],
            vec![Op::SetKind { kind: Kind::Bug }],
            vec![Op::SetKind { kind: Kind::Spike }],
        ),
        (
            "priority",
            vec![],
            vec![Op::SetPriority { priority: 0 }],
            vec![Op::SetPriority { priority: 4 }],
        ),
        (
            "qa",
            vec![],
            vec![Op::SetQa { qa: Qa::Server }],
            vec![Op::SetQa { qa: Qa::Agent }],
        ),
        (
            "epic",
            vec![],
            vec![Op::SetEpic { epic: Some(on) }],
            vec![Op::SetEpic { epic: None }],
        ),
        (
            "assignee",
            vec![],
            vec![Op::Assign {
                who: Some("ann".into()),
            }],
            vec![Op::Assign {
                who: Some("bo".into()),
            }],
        ),
        ("links", vec![link()], vec![unlink(), link()], vec![unlink()]),
        ("labels", vec![label()], vec![unlabel(), label()], vec![unlabel()]),
        (
            "depends_on",
            vec![Op::AddDependency { on }],
            vec![Op::RemoveDependency { on }, Op::AddDependency { on }],
            vec![Op::RemoveDependency { on }],
        ),
        (
            "holds-changed",
            vec![Op::Freeze],
            vec![Op::Unfreeze, Op::Freeze],
            vec![Op::Unfreeze],
        ),
        (
            "holds-changed",
            vec![block()],
            vec![Op::Unblock, block()],
            vec![Op::Unblock],
        ),
        (
            "deleted",
            vec![Op::Delete { reason: None }],
            vec![Op::Restore, Op::Delete { reason: None }],
            vec![Op::Restore],
        ),
        (
            "holds-changed",
            vec![
                Op::Move {
                    to: Column::Merge,
                    reason: None,
                },
                failed(),
            ],
            vec![failed()],
            vec![Op::RetryMerge],
        ),
    ];
    for (what, together, anns, bos) in cases {
        let (mut ann, mut bo) = ann_and_bo(Qa::Human);
        together.into_iter().for_each(|op| ann.does(op));
        bo.receives(&ann);
        bo.clock += 1_000_000;
        anns.into_iter().for_each(|op| ann.does(op));
        bos.into_iter().for_each(|op| bo.does(op));
        let before = bo.shown();
        bo.receives(&ann);
        let events = bo.events_since(&before);
        let named = |event: &&towline_proto::Event| match &event.what {
            EventKind::FieldChanged { field } => field.as_str() == what,
            other => other.name() == what,
        };
        let event = events
            .iter()
            .find(named)
            .unwrap_or_else(|| panic!("{what}: {events:?}"));
        assert_eq!(event.origin.id, "ann", "{what}");
    }
}

#[test]
fn a_creation_is_attributed_to_its_author() {
    let (ann, mut bo) = ann_and_bo(Qa::Agent);
    bo.does(Op::Comment { text: "hm".into() });
    let doc = bo.doc.as_ref().expect("an item");
    let cast = test_members();
    let folded = fold(doc.id(), doc.acts(), &cast).expect("a creation");
    let events = diff(ProjectId([0; 32]), None, &folded);
    let made = events
        .iter()
        .find(|event| event.what.name() == "item-created")
        .expect("made");
    assert_eq!((made.origin.id.as_str(), made.node), ("ann", ann.author.node));
}
