//! Items that were done or closed and then archived, with a concurrent act of somebody who had not seen that.

use towline_crdt::reasons::{Notice, NoticedAct};
use towline_proto::{Column, Op, Qa, Rule, Verb};

use crate::actors::{ann_and_bo, exchange};
use crate::conflicts::{only, start};

#[test]
fn a_merge_that_was_archived_wins_against_concurrent_steps() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.receives(&ann);
    ann.does(Op::Merged {
        commit: Some("abc123".into()),
    });
    ann.does(Op::Archive);
    bo.does(Op::Submit);
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, only(&view).rule), (Column::Archived, Rule::Fact));
    let act = NoticedAct::Other {
        op: Verb::Submit.into(),
    };
    assert_eq!(view.attention, [Notice::MergedDespite { act }]);
    ann.does(Op::Reopen);
    assert_eq!(ann.view().column, Column::Backlog);
}

#[test]
fn reopening_wins_over_archiving() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Merged {
        commit: Some("abc123".into()),
    });
    bo.receives(&ann);
    ann.does(Op::Archive);
    bo.does(Op::Reopen);
    bo.does(start());
    let view = exchange(&mut ann, &mut bo);
    assert_eq!((view.column, only(&view).rule), (Column::Coding, Rule::Cautious));
}
