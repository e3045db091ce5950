//! The operations that the authors of random histories attempt: mostly legal ones, sometimes stale or invalid ones, and
//! the records that a dishonest author forges.
//!
//! Everything is derived from the numbers of an [`Attempt`] and the state of its author.

use towline_crdt::fold::{ActOutcome, FoldedItem};
use towline_crdt::view::ItemView;
use towline_proto::{
    ActId, Column, CriterionState, FailureKind, ItemId, Kind, LinkKind, Millis, Op, Qa, Register, Rule, Verb,
    table,
};

use super::script::{Attempt, Player, Round};

/// Whether an operation is consistent with the state of its author, in what the table does not check: generations,
/// renewals and conflicts.
pub(super) fn is_sound(op: &Op, folded: &FoldedItem<'_>, player: &Player) -> bool {
    let view = &folded.view;
    let claim = view.claim.as_ref();
    match op {
        Op::Claim { generation, .. } => *generation == view.generation + 1,
        Op::Release { generation } => claim.is_some_and(|claim| claim.generation == *generation),
        Op::TakeOver {
            generation, renewal, ..
        } => *generation == view.generation + 1 && claim.is_some_and(|claim| claim.at <= *renewal),
        Op::Resolve { keep, over } => {
            let lost = folded.acts.get(keep).map(|act| &act.outcome);
            let hopeless = matches!(
                lost,
                Some(ActOutcome::Overridden {
                    rule: Rule::Fact | Rule::Generation,
                    ..
                })
            );
            let allowed = !matches!(over, Register::Setting(_)) || may_set(player);
            *keep != player.id(0) && !hopeless && allowed
        }
        Op::Set { .. } => may_set(player),
        _ => true,
    }
}

/// Ann is an owner and the fourth author a maintainer; the others may not change settings.
fn may_set(player: &Player) -> bool {
    matches!(player.author.node.0[0], 1 | 4)
}

/// Whether an honest author in this state can write this operation.
pub(super) fn may_do(op: &Op, folded: &FoldedItem<'_>, player: &Player) -> bool {
    let view = &folded.view;
    let legal = op
        .verb()
        .is_none_or(|verb| table::legal(verb, view.state()).is_ok());
    let contends = match op {
        Op::Resolve { over, keep } => view.conflicts.iter().any(|conflict| {
            conflict.register == *over && (conflict.winner == *keep || conflict.losers.contains(keep))
        }),
        _ => true,
    };
    legal && contends && is_sound(op, folded, player)
}

/// The acts before the authors work concurrently: mostly ones that suit the theme.
pub(super) fn beginning(start: u8, theme: usize) -> Vec<Op> {
    let suits: &[u8] = match theme {
        1 => &[1, 2, 4],
        3 => &[1, 1, 1, 2, 4],
        4 => &[4, 5, 5, 6],
        5 => &[10, 10, 0],
        6 => &[7, 8, 1, 0],
        7 => &[4, 4, 3, 3],
        _ => &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    };
    let to = |to| Op::Move { to, reason: None };
    let failed = || Op::MergeFailed {
        kind: FailureKind::Conflict,
        detail: "lib.rs".into(),
    };
    match suits[usize::from(start) % suits.len()] {
        0 => vec![],
        1 => vec![to(Column::Coding)],
        2 => vec![to(Column::Coding), claim("ann", 1)],
        3 => vec![
            to(Column::Coding),
            claim("ann", 1),
            Op::SetQa { qa: Qa::Human },
            Op::Submit,
        ],
        4 => vec![Op::SetQa { qa: Qa::Human }, to(Column::Qa)],
        5 => vec![to(Column::Merge), failed()],
        6 => vec![to(Column::Merge), claim("ann", 1), failed()],
        7 => vec![Op::Freeze],
        8 => vec![
            to(Column::Coding),
            Op::Block {
                reason: "because".into(),
            },
        ],
        9 => vec![Op::Abandon { reason: None }],
        _ => vec![Op::Delete { reason: None }],
    }
}

fn claim(holder: &str, generation: u32) -> Op {
    Op::Claim {
        holder: holder.into(),
        generation,
    }
}

/// The themes, as verbs; the first one is anything, the last two are edits.
pub(crate) const THEMES: &[&[Verb]] = {
    use Verb::*;
    &[
        &[],
        &[
            Start,
            Submit,
            RequestChanges,
            PassQa,
            Approve,
            Claim,
            Release,
            TakeOver,
        ],
        &[
            Merged, Abandon, Supersede, Reject, Archive, Freeze, Block, Unfreeze, Unblock,
        ],
        &[Claim, Release, TakeOver, Claim, Release, TakeOver, Submit, Move],
        &[MergeFailed, RetryMerge, GiveUpMerge, RequestChanges, Merged],
        &[Delete, Restore, Purge],
        &[Freeze, Unfreeze, Block, Unblock, Start, Submit],
        &[PassQa, RequestChanges, Approve, Submit],
        // Fields, criteria.
        &[],
        &[],
    ]
};

/// An operation that is plausible in this state.
pub(super) fn choose(attempt: &Attempt, round: &Round, view: &ItemView, player: &Player) -> Option<Op> {
    let Attempt { what, how, .. } = *attempt;
    let pick = usize::from(how & 0xff);
    let (dice, choice) = (what % 100, what / 100);
    if !view.conflicts.is_empty() && dice < 20 {
        let conflict = &view.conflicts[pick % view.conflicts.len()];
        let mut keep = conflict.losers.clone();
        keep.push(conflict.winner);
        return Some(Op::Resolve {
            over: conflict.register.clone(),
            keep: keep[usize::from(how >> 8) % keep.len()],
        });
    }
    if dice >= 25 && round.theme >= THEMES.len() - 2 {
        // A few values of one field, or judgements of one criterion.
        let what = if round.theme == THEMES.len() - 1 {
            16
        } else {
            [0, 1, 2, 3, 4, 5, 6, 7, 18, 18][usize::from(round.about) % 10]
        };
        return Some(edit(what, how, view, player));
    }
    if dice < 30 {
        return Some(edit(choice, how, view, player));
    }
    let legal = table::legal_from(view.state());
    let busy: Vec<Verb> = THEMES[round.theme]
        .iter()
        .copied()
        .filter(|verb| legal.contains(verb))
        .collect();
    let verbs = if dice < 45 || busy.is_empty() {
        &legal
    } else {
        &busy
    };
    let verb = *verbs.get(usize::from(choice) % verbs.len().max(1))?;
    // Deleting is always legal and ends most of what is interesting.
    if verb == Verb::Delete && busy.is_empty() && how % 3 != 0 {
        return Some(edit(choice, how, view, player));
    }
    Some(step(verb, how, view))
}

/// A transition with plausible arguments.
fn step(verb: Verb, how: u16, view: &ItemView) -> Op {
    let word = || ["because", "no keys", "no budget"][usize::from(how) % 3].to_owned();
    match verb {
        Verb::Triage => Op::Triage,
        Verb::Start => Op::Start { force: None },
        Verb::Submit => Op::Submit,
        Verb::RequestChanges => Op::RequestChanges { reason: word() },
        Verb::PassQa => Op::PassQa,
        Verb::Approve => Op::Approve,
        Verb::Merged if how.is_multiple_of(3) => Op::Merged {
            commit: Some("c0ffee".into()),
        },
        Verb::Merged => Op::Merged { commit: None },
        Verb::MergeFailed => Op::MergeFailed {
            kind: FailureKind::ALL[usize::from(how) % 3],
            detail: word(),
        },
        Verb::RetryMerge => Op::RetryMerge,
        Verb::GiveUpMerge => Op::GiveUpMerge,
        Verb::Block => Op::Block { reason: word() },
        Verb::Unblock => Op::Unblock,
        Verb::Freeze => Op::Freeze,
        Verb::Unfreeze => Op::Unfreeze,
        Verb::Abandon => Op::Abandon { reason: None },
        Verb::Supersede => Op::Supersede {
            by: ItemId([how as u8 % 2; 16]),
        },
        Verb::Reject => Op::Reject { reason: word() },
        Verb::Reopen => Op::Reopen,
        Verb::Archive => Op::Archive,
        Verb::Move => Op::Move {
            to: Column::ALL[usize::from(how) % 5],
            reason: None,
        },
        Verb::Claim => claim(&word(), view.generation + u32::from(how % 16 != 1)),
        Verb::Release => Op::Release {
            generation: view.claim.as_ref().map_or(1, |claim| claim.generation) + u32::from(how % 16 == 1),
        },
        Verb::TakeOver => Op::TakeOver {
            holder: word(),
            generation: view.generation + u32::from(how % 16 != 1),
            renewal: Millis(
                view.claim
                    .as_ref()
                    .map_or(0, |claim| claim.at.0)
                    .saturating_sub(u64::from(how % 16 == 2)),
            ),
            force: None,
        },
        Verb::Delete => Op::Delete { reason: None },
        Verb::Restore => Op::Restore,
        Verb::Purge => Op::Purge,
    }
}

/// An operation that is not in the table.
fn edit(what: u16, how: u16, view: &ItemView, player: &Player) -> Op {
    let few = usize::from(how) % 3;
    let other = ItemId([few as u8; 16]);
    let label = || ["ui", "api"][few % 2].to_owned();
    match what % 20 {
        0 | 1 => Op::SetTitle {
            title: ["one", "two", "three"][few].into(),
        },
        2 => Op::SetKind {
            kind: [Kind::Story, Kind::Bug, Kind::Epic][few],
        },
        3 => Op::SetPriority { priority: few as u8 },
        4 | 5 => Op::SetQa { qa: Qa::ALL[few] },
        6 => Op::SetEpic {
            epic: Some(other).filter(|_| few > 0),
        },
        7 => Op::Assign {
            who: [None, Some("ann".to_owned()), Some("bo".to_owned())][few].clone(),
        },
        8 => Op::AddLabel { label: label() },
        9 => Op::RemoveLabel { label: label() },
        10 => Op::AddDependency { on: other },
        11 => Op::RemoveDependency { on: other },
        12 | 13 if few == 0 => Op::AddLink {
            kind: LinkKind::Branch,
            target: "main".into(),
        },
        12 | 13 if few == 1 => Op::RemoveLink {
            kind: LinkKind::Branch,
            target: "main".into(),
        },
        12 => Op::Comment { text: "hm".into() },
        13 => Op::EditBody,
        14 => Op::MarkImport {
            digest: format!("{few}"),
            record_at: None,
        },
        15 => Op::AddCriterion {
            text: "it is fast".into(),
        },
        16 | 17 => {
            let known = &view.criteria;
            let criterion = known.get(few % known.len().max(1)).map(|criterion| criterion.id);
            match criterion {
                Some(criterion) => Op::SetCriterion {
                    criterion,
                    state: CriterionState::ALL[usize::from(how >> 4) % 4],
                    evidence: None,
                },
                None => Op::AddCriterion {
                    text: "it is small".into(),
                },
            }
        }
        18 => Op::Set {
            key: ["promote", "retry_limit"][usize::from(how >> 4) % 2].into(),
            value: [None, Some("auto".to_owned()), Some("manual".to_owned())][few].clone(),
        },
        // Resolves a conflict that does not exist.
        _ => Op::Resolve {
            over: [Register::Column, Register::Claim, Register::Title][few].clone(),
            keep: player.id(0),
        },
    }
}

/// A forged record: any operation, with a `saw` that leaves acts out, or names acts of other registers, missing acts, or
/// later ones.
pub(super) fn forgery(attempt: &Attempt, folded: &FoldedItem<'_>, player: &Player) -> (Op, Vec<ActId>) {
    let Attempt { what, how, .. } = *attempt;
    let view = &folded.view;
    let op = match what % 5 {
        0 => edit(what / 5, how, view, player),
        _ => step(Verb::ALL[usize::from(what / 5) % Verb::ALL.len()], how, view),
    };
    let honest = folded.saw_for(&op);
    let bits = u64::from(what).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(how);
    let some = |ids: Vec<ActId>, sparse: u32| -> Vec<ActId> {
        let kept = ids.into_iter().enumerate();
        let chance = |index: usize| bits.rotate_left(7 * (index as u32 % 9)) % u64::from(sparse) != 0;
        kept.filter(|(index, _)| chance(*index))
            .map(|(_, id)| id)
            .collect()
    };
    let mut saw = match how / 3 % 6 {
        0 => honest,
        1 => some(honest, 2),
        2 => some(honest, 4),
        3 => some(player.knows.keys().copied().collect(), 2),
        4 => [honest, some(player.knows.keys().copied().collect(), 3)].concat(),
        _ => player.knows.keys().copied().collect(),
    };
    if how.is_multiple_of(23) {
        saw.push(ActId([7; 16]));
    }
    if how.is_multiple_of(19) {
        saw.push(player.id(u64::from(how % 2)));
    }
    saw.sort_unstable();
    saw.dedup();
    (op, saw)
}
