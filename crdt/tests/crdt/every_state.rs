//! The fold and the composer against the transition table: an item is brought into every possible state, and every
//! verb is tried in each. Where the composer refuses, a forged record is written, which the fold must refuse.
//!
//! That the table agrees with docs/spec/pipeline.md is checked by `proto/tests/proto/table.rs`.

use towline_crdt::compose::{ComposeError, Draft, compose};
use towline_crdt::doc::{ActRecord, NodePrefix};
use towline_crdt::fold::{ActOutcome, fold};
use towline_crdt::view::ItemView;
use towline_proto::table::legal;
use towline_proto::{
    Act, ActId, Column, FailureKind, ItemId, ItemState, Kind, Millis, Op, Origin, OriginKind, Qa, Verb,
};

use crate::actors::{Actor, test_members};

fn op(verb: Verb, view: &ItemView) -> Op {
    let reason = || "because".to_owned();
    let claim = view.claim.as_ref();
    match verb {
        Verb::Triage => Op::Triage,
        Verb::Start => Op::Start { force: None },
        Verb::Submit => Op::Submit,
        Verb::RequestChanges => Op::RequestChanges { reason: reason() },
        Verb::PassQa => Op::PassQa,
        Verb::Approve => Op::Approve,
        Verb::Merged => Op::Merged { commit: None },
        Verb::MergeFailed => Op::MergeFailed {
            kind: FailureKind::Conflict,
            detail: reason(),
        },
        Verb::RetryMerge => Op::RetryMerge,
        Verb::GiveUpMerge => Op::GiveUpMerge,
        Verb::Block => Op::Block { reason: reason() },
        Verb::Unblock => Op::Unblock,
        Verb::Freeze => Op::Freeze,
        Verb::Unfreeze => Op::Unfreeze,
        Verb::Abandon => Op::Abandon { reason: None },
        Verb::Supersede => Op::Supersede { by: ItemId([9; 16]) },
        Verb::Reject => Op::Reject { reason: reason() },
        Verb::Reopen => Op::Reopen,
        Verb::Archive => Op::Archive,
        Verb::Move => Op::Move {
            to: Column::Coding,
            reason: None,
        },
        Verb::Claim => Op::Claim {
            holder: "ann".into(),
            generation: view.generation + 1,
        },
        Verb::Release => Op::Release {
            generation: view.generation,
        },
        Verb::TakeOver => Op::TakeOver {
            holder: "bo".into(),
            generation: view.generation + 1,
            renewal: claim.map_or(Millis(0), |claim| claim.at),
            force: None,
        },
        Verb::Delete => Op::Delete { reason: None },
        Verb::Restore => Op::Restore,
        Verb::Purge => Op::Purge,
    }
}

/// The state after a transition, by docs/spec/pipeline.md, *Transitions*.
fn after(verb: Verb, from: ItemState) -> ItemState {
    let to = |column| ItemState {
        column,
        review: false,
        failure: false,
        claimed: false,
        ..from
    };
    match verb {
        Verb::Triage | Verb::Reopen => to(Column::Backlog),
        Verb::Start | Verb::RequestChanges | Verb::Move => to(Column::Coding),
        Verb::Submit => to(Column::Qa),
        Verb::PassQa => ItemState { review: true, ..from },
        Verb::Approve => to(Column::Merge),
        Verb::Merged => to(Column::Done),
        Verb::Abandon | Verb::Supersede | Verb::Reject => to(Column::Closed),
        Verb::Archive => to(Column::Archived),
        Verb::MergeFailed | Verb::GiveUpMerge => ItemState {
            failure: true,
            ..from
        },
        Verb::RetryMerge => ItemState {
            failure: false,
            ..from
        },
        Verb::Block => ItemState {
            blocked: true,
            ..from
        },
        Verb::Unblock => ItemState {
            blocked: false,
            ..from
        },
        Verb::Freeze => ItemState { frozen: true, ..from },
        Verb::Unfreeze => ItemState {
            frozen: false,
            ..from
        },
        Verb::Claim | Verb::TakeOver => ItemState {
            claimed: true,
            ..from
        },
        Verb::Release => ItemState {
            claimed: false,
            ..from
        },
        Verb::Delete => ItemState {
            deleted: true,
            ..from
        },
        Verb::Restore => ItemState {
            deleted: false,
            ..from
        },
        Verb::Purge => ItemState { purged: true, ..from },
    }
}

/// Every state that an item can be in: a review hold only in qa, a merge failure only in merge, a claim only in the
/// columns of work, and purged only when deleted.
fn standings() -> impl Iterator<Item = ItemState> {
    let all = Column::ALL.iter().flat_map(|column| {
        (0u8..=255).map(|bits| ItemState {
            column: *column,
            kind: if bits & 1 == 0 { Kind::Story } else { Kind::Epic },
            frozen: bits & 2 != 0,
            blocked: bits & 4 != 0,
            review: bits & 8 != 0,
            failure: bits & 16 != 0,
            claimed: bits & 32 != 0,
            deleted: bits & 64 != 0,
            purged: bits & 128 != 0,
        })
    });
    all.filter(|standing| {
        let worked = matches!(standing.column, Column::Coding | Column::Qa | Column::Merge);
        (!standing.review || standing.column == Column::Qa)
            && (!standing.failure || standing.column == Column::Merge)
            && (!standing.claimed || worked)
            && (!standing.purged || standing.deleted)
    })
}

/// Brings an item into a state.
fn bring(standing: ItemState) -> Actor {
    let mut ann = Actor::new("ann", 1);
    ann.create(Qa::Human);
    let mut does = |verb| {
        let view = ann.view();
        ann.does(op(verb, &view));
    };
    match standing.column {
        Column::Upcoming => ann.does(Op::Move {
            to: Column::Upcoming,
            reason: None,
        }),
        Column::Qa | Column::Merge => ann.does(Op::Move {
            to: standing.column,
            reason: None,
        }),
        Column::Coding => does(Verb::Start),
        Column::Backlog | Column::Done | Column::Archived | Column::Closed => {}
    }
    let mut does = |wanted: bool, verb| {
        if wanted {
            let view = ann.view();
            ann.does(op(verb, &view));
        }
    };
    let (done, archived) = (
        standing.column == Column::Done,
        standing.column == Column::Archived,
    );
    does(standing.claimed, Verb::Claim);
    does(standing.review, Verb::PassQa);
    does(standing.failure, Verb::MergeFailed);
    does(standing.frozen, Verb::Freeze);
    does(standing.blocked, Verb::Block);
    does(standing.column == Column::Closed, Verb::Reject);
    does(done || archived, Verb::Merged);
    does(archived, Verb::Archive);
    if standing.kind == Kind::Epic {
        ann.does(Op::SetKind { kind: Kind::Epic });
    }
    let mut does = |wanted: bool, verb| {
        if wanted {
            let view = ann.view();
            ann.does(op(verb, &view));
        }
    };
    does(standing.deleted, Verb::Delete);
    does(standing.purged, Verb::Purge);
    ann
}

#[test]
fn every_verb_follows_the_table_in_every_state() {
    let cast = test_members();
    let origin = Origin::new(OriginKind::User, "ann").expect("a name");
    let mut tried = 0;
    for standing in standings() {
        let ann = bring(standing);
        let doc = ann.doc.as_ref().expect("an item");
        let view = ann.view();
        assert_eq!(view.state(), standing);
        let here = fold(doc.id(), doc.acts(), &cast).expect("a creation");
        for verb in Verb::ALL {
            tried += 1;
            let op = op(*verb, &view);
            let draft = Draft {
                op: op.clone(),
                origin: origin.clone(),
                at: Millis(90_000),
                request: None,
            };
            let made = compose(Some(doc), doc.id(), &ann.author, &mut 0, &cast, vec![draft], None);
            match (legal(*verb, standing), made) {
                (Ok(()), Ok(made)) => {
                    let then = fold(doc.id(), made.doc.acts(), &cast).expect("a creation").view;
                    assert!(
                        then.refused.is_empty(),
                        "{verb} from {standing:?}: {:?}",
                        then.refused
                    );
                    assert_eq!(then.state(), after(*verb, standing), "{verb} from {standing:?}");
                }
                (Err(wanted), Err(ComposeError::Illegal(got))) => {
                    assert_eq!(got, wanted, "{verb} from {standing:?}");
                    let mut acts = doc.acts().clone();
                    let id = ActId([0xee; 16]);
                    let act = Act {
                        saw: here.saw_for(&op),
                        op,
                        at: Millis(90_000),
                        origin: origin.clone(),
                        nonce: None,
                        request: None,
                    };
                    let record = ActRecord {
                        hash: Act::record_hash(&act.encode()),
                        node: NodePrefix::from(&ann.author.node),
                        act,
                    };
                    acts.insert(id, record);
                    let forged = fold(doc.id(), &acts, &cast).expect("a creation");
                    let refused = matches!(forged.acts[&id].outcome, ActOutcome::Refused(_));
                    // Whether a purge takes effect depends on all acts; see docs/design/001-fold.md.
                    let about_purge = standing.purged && matches!(verb, Verb::Restore | Verb::Purge);
                    assert!(refused || about_purge, "{verb} from {standing:?} is not refused");
                }
                (wanted, got) => panic!("{verb} from {standing:?}: the table says {wanted:?}, not {got:?}"),
            }
        }
    }
    assert_eq!(tried, 360 * Verb::ALL.len());
}
