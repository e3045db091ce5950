//! Stories of items that ended and were put out of sight while somebody was away.

use towline_proto::{Column, Op, Qa, Rule};

use crate::contests::{only, start};
use crate::world::{ann_and_bo, meet};

#[test]
fn what_was_merged_and_archived_since_is_not_lost_to_somebody_who_was_away() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(start());
    bo.hears(&ann);
    ann.does(Op::Merged {
        commit: Some("abc123".into()),
    });
    ann.does(Op::Archive);
    bo.does(Op::Submit);
    let view = meet(&mut ann, &mut bo);
    assert_eq!((view.column, only(&view).rule), (Column::Archived, Rule::Fact));
    assert_eq!(view.attention, ["merged, but submitted at the same time"]);
    ann.does(Op::Reopen);
    assert_eq!(ann.view().column, Column::Backlog);
}

#[test]
fn reopening_wins_over_archiving_the_same_end() {
    let (mut ann, mut bo) = ann_and_bo(Qa::Agent);
    ann.does(Op::Merged {
        commit: Some("abc123".into()),
    });
    bo.hears(&ann);
    ann.does(Op::Archive);
    bo.does(Op::Reopen);
    bo.does(start());
    let view = meet(&mut ann, &mut bo);
    assert_eq!((view.column, only(&view).rule), (Column::Coding, Rule::Cautious));
}
