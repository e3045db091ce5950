//! Floods: one item with very many acts, from a malicious member or from many members who were offline for long.
//!
//! Whatever their shape, twice the acts may cost about twice the work. Work is counted in lookups of acts, which are
//! the same on every machine. Acts are written as records directly, with ids in the order in which they are made.

use towline_crdt::doc::{ActRecord, Acts, NodePrefix};
use towline_crdt::fold::fold;
use towline_proto::{
    Act, ActId, Column, CriterionState, FailureKind, ItemId, Kind, Millis, Op, Origin, OriginKind, Qa,
    Register,
};

use crate::actors::test_members;

const ITEM: ItemId = ItemId([7; 16]);

/// An item that is being flooded. Eve signs all acts.
struct Flood {
    acts: Acts,
}

impl Flood {
    /// An item in the backlog, with the id of its creation.
    fn new(qa: Qa) -> (Self, ActId) {
        let mut flood = Self { acts: Acts::new() };
        let created = flood.add(
            Op::Create {
                number: 1,
                kind: Kind::Story,
                title: "Ship it".into(),
                column: Column::Backlog,
                priority: 2,
                qa,
            },
            &[],
        );
        (flood, created)
    }

    fn add(&mut self, op: Op, saw: &[ActId]) -> ActId {
        let number = self.acts.len() as u64;
        let mut saw = saw.to_vec();
        saw.sort_unstable();
        saw.dedup();
        let act = Act {
            op,
            saw,
            at: Millis(1_000 + number),
            origin: Origin::new(OriginKind::User, "eve").expect("a name"),
            nonce: None,
            request: None,
        };
        let mut id = [5; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let hash = Act::record_hash(&act.encode());
        let node = NodePrefix([5; 16]);
        self.acts.insert(ActId(id), ActRecord { act, node, hash });
        ActId(id)
    }

    /// Many concurrent acts that have seen the same acts.
    fn each(&mut self, many: usize, saw: &[ActId], op: impl Fn(usize) -> Op) -> Vec<ActId> {
        (0..many).map(|number| self.add(op(number), saw)).collect()
    }
}

fn to(to: Column) -> Op {
    Op::Move { to, reason: None }
}

fn abandon() -> Op {
    Op::Abandon { reason: None }
}

fn block(number: usize) -> Op {
    Op::Block {
        reason: format!("{number}"),
    }
}

fn reject(number: usize) -> Op {
    Op::Reject {
        reason: format!("{number}"),
    }
}

fn claim(generation: u32) -> Op {
    Op::Claim {
        holder: "eve".into(),
        generation,
    }
}

fn failed() -> Op {
    Op::MergeFailed {
        kind: FailureKind::Conflict,
        detail: "lib.rs".into(),
    }
}

fn settle(over: Register, keep: ActId) -> Op {
    Op::Resolve { over, keep }
}

/// A kind of flood, and a function that makes one with about so many acts.
type Shape = (&'static str, fn(usize) -> Acts);

const SHAPES: &[Shape] = &[
    ("freezes and exits made apart", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        flood.each(n / 2, &[created], |_| Op::Freeze);
        flood.each(n / 2, &[created], |_| abandon());
        flood.acts
    }),
    ("blocks for another reason each", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        flood.each(n, &[created], block);
        flood.acts
    }),
    ("exits that wait and one that saw the holds", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let mut saw = flood.each(200, &[created], |_| Op::Freeze);
        saw.push(created);
        flood.add(abandon(), &saw);
        flood.each(n, &[created], |_| abandon());
        flood.acts
    }),
    ("steps and exits made apart, and a freeze", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        flood.add(Op::Freeze, &[created]);
        flood.each(n / 2, &[created], |_| to(Column::Coding));
        flood.each(n / 2, &[created], |_| abandon());
        flood.acts
    }),
    ("archivings of an end each", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        for number in 0..n / 2 {
            let end = flood.add(reject(number), &[created]);
            flood.add(Op::Archive, &[end]);
        }
        flood.acts
    }),
    ("archivings of an end each after a long way", |n| {
        let (mut flood, mut tip) = Flood::new(Qa::Agent);
        for _ in 0..n / 3 {
            tip = flood.add(to(Column::Coding), &[tip]);
        }
        for number in 0..n / 3 {
            let end = flood.add(reject(number), &[tip]);
            flood.add(Op::Archive, &[end]);
        }
        flood.acts
    }),
    ("exits that wait on exits that wait", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        flood.add(Op::Freeze, &[created]);
        let mut tip = flood.add(abandon(), &[created]);
        for _ in 0..n / 3 {
            let other = flood.add(to(Column::Coding), &[created]);
            tip = flood.add(settle(Register::Column, tip), &[other, tip]);
        }
        flood.each(n / 3, &[tip], |_| Op::Archive);
        flood.acts
    }),
    ("one step made apart, and claims after it", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let steps = flood.each(n / 2, &[created], |_| to(Column::Coding));
        flood.each(n / 2, &steps[..1], |_| claim(1));
        flood.acts
    }),
    ("claims that were left behind", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let coding = flood.add(to(Column::Coding), &[created]);
        flood.each(n, &[coding], |_| claim(1));
        flood.add(to(Column::Merge), &[coding]);
        flood.acts
    }),
    ("claims of a generation each", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let coding = flood.add(to(Column::Coding), &[created]);
        let mut last = coding;
        for generation in 1..=(n / 2) as u32 {
            last = flood.add(claim(generation), &[coding, last]);
            last = flood.add(Op::Release { generation }, &[coding, last]);
        }
        flood.acts
    }),
    ("exits that wait, over many claims", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let coding = flood.add(to(Column::Coding), &[created]);
        flood.add(Op::Freeze, &[coding]);
        let claims = flood.each(n / 2, &[coding], |_| claim(1));
        let mut saw = claims[..200.min(claims.len())].to_vec();
        saw.push(coding);
        let end = flood.add(abandon(), &saw);
        flood.each(n / 2, &[end], |_| Op::Archive);
        flood.acts
    }),
    ("comments that each name one", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let comment = |_| Op::Comment { text: "hm".into() };
        for comment_before in flood.each(n / 2, &[created], comment) {
            flood.add(comment(0), &[comment_before]);
        }
        flood.acts
    }),
    ("titles made apart, and each replaced", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let title = |number| Op::SetTitle {
            title: format!("{number}"),
        };
        for before in flood.each(n / 2, &[created], title) {
            flood.add(title(0), &[before]);
        }
        flood.acts
    }),
    ("labels", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let label = |number| Op::AddLabel {
            label: format!("{number}"),
        };
        flood.each(n, &[created], label);
        flood.acts
    }),
    ("one label, added and removed", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let label = || "ui".to_owned();
        for added in flood.each(n / 2, &[created], |_| Op::AddLabel { label: label() }) {
            flood.add(Op::RemoveLabel { label: label() }, &[added]);
        }
        flood.acts
    }),
    ("criteria, judged and settled", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let criterion = flood.add(Op::AddCriterion { text: "fast".into() }, &[created]);
        let judged = |number: usize| Op::SetCriterion {
            criterion,
            state: CriterionState::ALL[number % 4],
            evidence: Some(format!("{number}")),
        };
        let judgements = flood.each(n / 2, &[criterion], judged);
        for two in judgements.windows(2) {
            flood.add(settle(Register::Criterion(criterion), two[0]), two);
        }
        flood.acts
    }),
    ("deleted, restored and purged", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        for _ in 0..n / 3 {
            let gone = flood.add(Op::Delete { reason: None }, &[created]);
            flood.add(Op::Restore, &[created, gone]);
            flood.add(Op::Purge, &[created, gone]);
        }
        flood.acts
    }),
    ("failures, each given up again and again", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let merge = flood.add(to(Column::Merge), &[created]);
        let reports = flood.each(n / 2, &[merge], |_| failed());
        let mut last = flood.add(Op::GiveUpMerge, &[merge, reports[0], reports[1]]);
        for _ in 0..n / 2 {
            last = flood.add(Op::GiveUpMerge, &[merge, last]);
        }
        flood.acts
    }),
    ("reviews that were left behind", |n| {
        let (mut flood, created) = Flood::new(Qa::Human);
        let qa = flood.add(to(Column::Qa), &[created]);
        flood.each(n / 2, &[created, qa], |_| Op::PassQa);
        flood.each(n / 2, &[created, qa], |_| Op::RequestChanges {
            reason: "no tests".into(),
        });
        flood.acts
    }),
    ("a merge over holds, reports and intents", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let merge = flood.add(to(Column::Merge), &[created]);
        flood.each(n / 3, &[merge], block);
        flood.each(n / 3, &[merge], |_| failed());
        flood.each(n / 3, &[merge], |_| abandon());
        let commit = Some("c0ffee".into());
        flood.add(Op::Merged { commit }, &[merge]);
        flood.acts
    }),
    ("settled in a row", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let coding = flood.add(to(Column::Coding), &[created]);
        let mut last = coding;
        for _ in 0..n / 2 {
            let other = flood.add(to(Column::Qa), &[created]);
            last = flood.add(settle(Register::Column, last), &[other, last]);
        }
        flood.acts
    }),
    ("settled apart, over claims", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let mut saw = vec![
            flood.add(to(Column::Coding), &[created]),
            flood.add(to(Column::Qa), &[created]),
        ];
        saw.extend(flood.each(100, &saw[..1], |_| claim(1)));
        let coding = saw[0];
        let settled = flood.each(n / 2, &saw, |_| settle(Register::Column, coding));
        for settled in settled {
            flood.add(Op::Release { generation: 1 }, &[settled]);
        }
        flood.acts
    }),
    ("each names as many as it may", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let mut saw = flood.each(120, &[created], |number| {
            to([Column::Coding, Column::Merge][number % 2])
        });
        saw.extend(flood.each(120, &[created], block));
        flood.each(n, &saw, |_| Op::Merged { commit: None });
        flood.acts
    }),
    ("edits beside many purges", |n| {
        let (mut flood, created) = Flood::new(Qa::Agent);
        let gone = flood.add(Op::Delete { reason: None }, &[created]);
        flood.each(n / 2, &[created, gone], |_| Op::Purge);
        flood.each(n / 2, &[created], |_| Op::EditBody);
        flood.acts
    }),
];

/// The most work for twice the acts, in tenths: maps grow, and some floods begin with a fixed part.
const TENTHS: u64 = 23;

#[test]
fn the_cost_of_a_flood_grows_linearly() {
    let cast = test_members();
    let work = |shape: &dyn Fn(usize) -> Acts, acts| {
        let acts = shape(acts);
        let folded = fold(ITEM, &acts, &cast).expect("a creation");
        folded.acts.lookups()
    };
    let mut dear = Vec::new();
    for (name, shape) in SHAPES {
        let (once, twice) = (work(shape, 200), work(shape, 400));
        println!("{name:48} {once:>9} {twice:>9}");
        if twice * 10 > once * TENTHS {
            dear.push(format!("{name}: {once} lookups, then {twice}"));
        }
    }
    assert!(dear.is_empty(), "{dear:#?}");
}
