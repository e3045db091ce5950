//! From the registers' heads to the row: the values, the conflicts, the trail.

use towline_proto::stage::{Blocked, Claim, Holds, MergeFailure};
use towline_proto::{ActId, Column, FailureKind, Op};

use super::contest::{self, RULE_CAUTIOUS, RULE_CLAIM, RULE_FIELD};
use super::{Fate, Folded, Machine, Place, Register, register};
use crate::members::Roles;
use crate::view::{Conflict, ItemView, Refused, Stamp, Step, TRAIL};

/// Conflicts and refusals that a row lists at most; the timeline shows all.
const LISTED: usize = 32;

/// Turns a finished fold into its outcome.
pub(crate) fn project<'a, R: Roles>(mut machine: Machine<'a, R>) -> Option<Folded<'a>> {
    let (created, _) = machine
        .acts
        .iter()
        .find(|(_, act)| matches!(act.record.act.op, Op::Create { .. }))?;
    let created = *created;
    let mut conflicts = Vec::new();

    let (place, column_act, attention) = machine.project_column(created, &mut conflicts);
    let holds = machine.project_holds(place.column, &mut conflicts);
    let deleted = machine.project_flag(&Register::Deleted, &mut conflicts).is_some();
    let claim = machine.project_claim(column_act, &mut conflicts);
    let generation = contest::generation(&machine.acts, machine.heads(&Register::Claim));

    let title = machine.field(&Register::Title, &mut conflicts, |op| match op {
        Op::Create { title, .. } | Op::SetTitle { title } => Some(title.clone()),
        _ => None,
    })?;
    let kind = machine.field(&Register::Kind, &mut conflicts, contest::kind_of)?;
    let qa = machine.field(&Register::Qa, &mut conflicts, contest::qa_of)?;
    let priority = machine.field(&Register::Priority, &mut conflicts, |op| match op {
        Op::Create { priority, .. } | Op::SetPriority { priority } => Some(*priority),
        _ => None,
    })?;
    let epic = machine.field(&Register::Epic, &mut conflicts, |op| match op {
        Op::SetEpic { epic } => Some(*epic),
        _ => None,
    });
    let assignee = machine.field(&Register::Assignee, &mut conflicts, |op| match op {
        Op::Assign { who } => Some(who.clone()),
        _ => None,
    });

    // The same file imported on two nodes apart is no conflict for a person to settle.
    let imported = machine.field(&Register::Imported, &mut Vec::new(), |op| match op {
        Op::MarkImport { digest } => Some(digest.clone()),
        _ => None,
    });

    let (trail, entered_at, retries) = machine.walk(created, column_act, &place);
    let sets = machine.project_sets();
    let said = machine.project_lists();
    let heads = {
        let mut heads: Vec<_> = register::STAGE
            .iter()
            .flat_map(|register| machine.heads(register))
            .copied()
            .collect();
        heads.sort_unstable();
        heads.dedup();
        heads
    };

    conflicts.sort_by(|a, b| a.id.cmp(&b.id));
    conflicts.truncate(LISTED);
    let refused = machine.acts.iter().filter_map(|(id, act)| match &act.fate {
        Fate::Refused(why) => Some(Refused {
            act: *id,
            why: why.clone(),
        }),
        Fate::Effective | Fate::Overtaken { .. } => None,
    });
    let refused = refused.take(LISTED).collect();
    let first = machine.acts.get(&created)?;
    let Op::Create { number, .. } = &first.record.act.op else {
        return None;
    };
    let (last_id, last) = machine
        .acts
        .iter()
        .max_by_key(|(id, act)| (act.record.act.at, **id))?;
    let view = ItemView {
        id: machine.item,
        number: *number,
        kind,
        title,
        column: place.column,
        closing: place.closing,
        holds,
        deleted,
        qa,
        priority,
        labels: sets.labels,
        depends_on: sets.depends_on,
        epic: epic.flatten(),
        assignee: assignee.flatten(),
        origin: first.record.act.origin.clone(),
        claim,
        generation,
        retries,
        criteria: said.criteria,
        links: sets.links,
        comments: said.comments,
        last_comment: said.last_comment,
        body_edit: said.body_edit,
        imported,
        conflicts,
        attention,
        refused,
        trail,
        last: Stamp {
            act: *last_id,
            origin: last.record.act.origin.clone(),
            node: last.node,
            at: last.record.act.at,
        },
        created_at: first.record.act.at,
        updated_at: last.record.act.at,
        entered_at,
        heads,
    };
    Some(Folded {
        view,
        acts: machine.acts,
        heads: machine.heads,
    })
}

impl<R: Roles> Machine<'_, R> {
    pub(super) fn heads(&self, register: &Register) -> &[ActId] {
        self.heads.get(register).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn op(&self, id: &ActId) -> Option<&Op> {
        self.acts.get(id).map(|act| &act.record.act.op)
    }

    /// Notes a conflict and marks its losers in the timeline.
    fn conflict(
        &mut self,
        register: &Register,
        rule: &'static str,
        winner: ActId,
        losers: Vec<ActId>,
        conflicts: &mut Vec<Conflict>,
    ) {
        if losers.is_empty() {
            return;
        }
        self.mark(&losers, winner, rule);
        let mut contenders: Vec<_> = losers.iter().chain([&winner]).copied().collect();
        contenders.sort_unstable();
        contenders.dedup();
        let mut hasher = blake3::Hasher::new_derive_key("towline/conflict/1");
        for id in &contenders {
            hasher.update(&id.0);
        }
        let since = contenders
            .iter()
            .filter_map(|id| Some(self.acts.get(id)?.record.act.at))
            .max();
        conflicts.push(Conflict {
            id: towline_proto::ids::to_hex(&hasher.finalize().as_bytes()[..8]),
            register: register.name(),
            rule: rule.to_owned(),
            winner,
            losers,
            since: since.unwrap_or_default(),
        });
    }

    fn project_column(
        &mut self,
        created: ActId,
        conflicts: &mut Vec<Conflict>,
    ) -> (Place, Option<ActId>, Vec<String>) {
        let heads = [self.heads(&Register::Frozen), self.heads(&Register::Blocked)];
        let outcome = contest::column(&self.acts, self.roles, self.heads(&Register::Column), &heads);
        let Some(outcome) = outcome else {
            return (
                Place {
                    column: Column::Backlog,
                    closing: None,
                },
                Some(created),
                Vec::new(),
            );
        };
        let mut attention = Vec::new();
        for hold in &outcome.contradicted {
            if let Some(op) = self.op(hold) {
                attention.push(format!("merged, but {} at the same time", past(op)));
            }
        }
        for loser in outcome
            .losers
            .iter()
            .filter(|_| outcome.rule == contest::RULE_FACT)
        {
            if let Some(op) = self.op(loser) {
                attention.push(format!("merged, but {} at the same time", past(op)));
            }
        }
        self.conflict(
            &Register::Column,
            outcome.rule,
            outcome.winner,
            outcome.losers,
            conflicts,
        );
        (outcome.place, outcome.act, attention)
    }

    /// A hold's deciding act, when the hold holds.
    fn project_flag(&mut self, register: &Register, conflicts: &mut Vec<Conflict>) -> Option<ActId> {
        let outcome = contest::flag(&self.acts, self.roles, self.heads(register))?;
        self.conflict(register, RULE_CAUTIOUS, outcome.winner, outcome.losers, conflicts);
        outcome.set.then_some(outcome.winner)
    }

    fn project_holds(&mut self, column: Column, conflicts: &mut Vec<Conflict>) -> Holds {
        let frozen = self.project_flag(&Register::Frozen, conflicts).is_some();
        let blocked = self
            .project_flag(&Register::Blocked, conflicts)
            .and_then(|id| match self.op(&id) {
                Some(Op::Block { reason }) => Some(Blocked {
                    reason: reason.clone(),
                }),
                _ => None,
            });
        // What ends with its column contends with nothing once the item has left it.
        let mut unlisted = Vec::new();
        let review = column == Column::Qa && self.project_flag(&Register::Review, &mut unlisted).is_some();
        let failure = match column {
            Column::Merge => self
                .project_flag(&Register::Failure, conflicts)
                .and_then(|id| self.failure(id)),
            _ => None,
        };
        Holds {
            frozen,
            blocked,
            review,
            failure,
        }
    }

    /// The failure that an act reports or gives up on.
    fn failure(&self, id: ActId) -> Option<MergeFailure> {
        let act = self.acts.get(&id)?;
        match &act.record.act.op {
            Op::MergeFailed { kind, detail } => Some(MergeFailure {
                kind: *kind,
                detail: detail.clone(),
                is_final: false,
            }),
            Op::GiveUpMerge => {
                let reported = act.record.act.saw.iter().find_map(|seen| match self.op(seen) {
                    Some(Op::MergeFailed { kind, detail }) => Some((*kind, detail.clone())),
                    _ => None,
                });
                let (kind, detail) = reported.unwrap_or((FailureKind::Other, String::new()));
                Some(MergeFailure {
                    kind,
                    detail,
                    is_final: true,
                })
            }
            _ => None,
        }
    }

    fn project_claim(&mut self, column_act: Option<ActId>, conflicts: &mut Vec<Conflict>) -> Option<Claim> {
        let outcome = contest::claim(&self.acts, self.item, self.heads(&Register::Claim))?;
        if !contest::claim_stands(&self.acts, outcome.act, column_act) {
            return None;
        }
        self.conflict(
            &Register::Claim,
            RULE_CLAIM,
            outcome.act,
            outcome.losers,
            conflicts,
        );
        let act = self.acts.get(&outcome.act)?;
        let (Op::Claim { holder, generation }
        | Op::TakeOver {
            holder, generation, ..
        }) = &act.record.act.op
        else {
            return None;
        };
        Some(Claim {
            act: outcome.act,
            holder: holder.clone(),
            node: act.node,
            generation: *generation,
            at: act.record.act.at,
        })
    }

    fn field<T: PartialEq>(
        &mut self,
        register: &Register,
        conflicts: &mut Vec<Conflict>,
        of: fn(&Op) -> Option<T>,
    ) -> Option<T> {
        let heads = self.heads(register).to_vec();
        let winner = contest::field(&self.acts, self.roles, &heads)?;
        let value = of(self.op(&winner)?)?;
        let differs = |id: &ActId| *id != winner && self.op(id).and_then(of).as_ref() != Some(&value);
        let losers: Vec<_> = heads.into_iter().filter(differs).collect();
        self.conflict(register, RULE_FIELD, winner, losers, conflicts);
        Some(value)
    }

    /// Walks the acts that ruled the column, youngest first: the trail, since when it stands there,
    /// and how often it was sent back since it last left the backlog.
    fn walk(
        &self,
        created: ActId,
        column_act: Option<ActId>,
        place: &Place,
    ) -> (Vec<Step>, towline_proto::Millis, u32) {
        let mut trail = Vec::new();
        let mut retries = 0;
        let mut counting = true;
        let mut entered_at = None;
        let mut entered = false;
        let mut next = column_act;
        // The chain of predecessors is acyclic because the acts were taken in causal order.
        while let Some(id) = next {
            let Some(act) = self.acts.get(&id) else { break };
            let column = act.to.as_ref().map_or(place.column, |to| to.column);
            if trail.len() < TRAIL {
                trail.push(Step { column, act: id });
            }
            entered = entered || column != place.column;
            if !entered {
                entered_at = Some(act.record.act.at);
            }
            if counting && matches!(act.record.act.op, Op::RequestChanges { .. }) {
                retries += 1;
            }
            let out_of_backlog = act
                .from
                .as_ref()
                .is_none_or(|from| matches!(from.column, Column::Upcoming | Column::Backlog));
            counting = counting && !out_of_backlog;
            if trail.len() >= TRAIL && entered && !counting {
                break;
            }
            next = act.column_before;
        }
        let made = self.acts.get(&created).map(|act| act.record.act.at);
        (trail, entered_at.or(made).unwrap_or_default(), retries)
    }
}

/// What was done to the item, for a sentence.
fn past(op: &Op) -> String {
    match op {
        Op::Block { reason } => format!("blocked ({})", towline_proto::text::show(reason, 80)),
        Op::Freeze => "frozen".into(),
        Op::Abandon { .. } => "abandoned".into(),
        Op::Reject { .. } => "rejected".into(),
        Op::Supersede { .. } => "superseded".into(),
        Op::RequestChanges { .. } => "sent back".into(),
        Op::Move { to, .. } => format!("moved to {to}"),
        op => op.name().to_owned(),
    }
}
