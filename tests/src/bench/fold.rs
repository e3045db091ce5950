//! What folding an item costs as its acts grow in number: an act of a long history must cost what an act
//! of a short one does.
//!
//! Histories are made of records directly, without Automerge, so that ten thousand acts take no time to
//! make. Each act names the heads of the registers that its author had in front of it, as `compose` does.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use ed25519_dalek::SigningKey;
use towline_crdt::doc::{ActRecord, Acts, NodePrefix};
use towline_crdt::fold::{ActOutcome, fold};
use towline_crdt::members::Membership;
use towline_engine::Project;
use towline_proto::{Act, ActId, AuthorSeq, Column, Epoch, ItemId, Kind, Millis, NodeId, Op, Payload, Qa};
use towline_store::env::SystemEnvironment;

use super::{Bench, Goal, Row, world};

/// Acts of the short history that the others stand beside.
const SHORT: usize = 10;
/// Acts of the longer ones.
const LONG: [usize; 3] = [100, 1_000, 10_000];
/// Acts that are folded for one figure, in as many rounds as that takes.
const FOLDED: usize = 100_000;
/// An act of a long history may cost so much more: maps grow deeper, and caches are left behind.
const LINEAR: f64 = 4.0;

/// Branches up to which the goal holds. Where many meet, an act names many others as seen and is compared
/// with each of them: such a history costs more than a short one, in which nobody has met yet.
const FEW: usize = 4;

/// How the people of a history work.
#[derive(Debug, Clone, Copy)]
struct Habit {
    name: &'static str,
    /// People who work apart.
    branches: usize,
    /// Acts that each of them makes before they meet.
    apart: usize,
}

const HABITS: [Habit; 3] = [
    Habit {
        name: "one after the other",
        branches: 1,
        apart: 1,
    },
    Habit {
        name: "4 branches of 25",
        branches: 4,
        apart: 25,
    },
    // Whoever meets them afterwards names up to 96 acts as seen; `limits::SAW_PER_ACT` is 256.
    Habit {
        name: "32 at the same moment",
        branches: 32,
        apart: 3,
    },
];

/// What one person has in front of them: the heads of what these histories write.
#[derive(Debug, Clone, Default)]
struct Sight(BTreeMap<&'static str, Vec<ActId>>);

impl Sight {
    fn saw(&self, registers: &[&str]) -> Vec<ActId> {
        let heads = registers.iter().filter_map(|register| self.0.get(register));
        let mut saw: Vec<_> = heads.flatten().copied().collect();
        saw.sort_unstable();
        saw.dedup();
        saw
    }

    fn meet(&mut self, other: &Self) {
        for (register, heads) in &other.0 {
            let mine = self.0.entry(register).or_default();
            mine.extend(heads);
            mine.sort_unstable();
            mine.dedup();
        }
    }
}

/// A history in the making.
struct History {
    node: NodeId,
    acts: Acts,
}

impl History {
    /// Adds an act that reads some registers and writes others.
    fn add(&mut self, sight: &mut Sight, op: Op, reads: &[&str], writes: &[&'static str]) -> Result<()> {
        let number = u64::try_from(self.acts.len())?;
        let act = Act {
            op,
            saw: sight.saw(reads),
            at: Millis(1_000 * (1 + number)),
            origin: world::origin()?,
            nonce: None,
            request: None,
        };
        let id = ActId::derive(&self.node, Epoch(1), number, 0);
        let hash = Act::record_hash(&act.encode());
        let node = NodePrefix::from(&self.node);
        self.acts.insert(id, ActRecord { act, node, hash });
        for register in writes {
            sight.0.insert(register, vec![id]);
        }
        Ok(())
    }

    /// What somebody does next: half moves and holds, half edits and comments.
    fn work(&mut self, sight: &mut Sight, turn: usize) -> Result<()> {
        let stage = ["column", "blocked"];
        let to = [Column::Coding, Column::Qa, Column::Merge, Column::Backlog];
        let to = to.get(turn / 5 % to.len()).copied().unwrap_or(Column::Coding);
        let reason = "waits for the other team".to_owned();
        let text = format!("Remark {turn}");
        let (op, reads, writes): (_, &[&str], &[&str]) = match turn % 10 {
            0 | 5 => (Op::Move { to, reason: None }, &stage, &["column"]),
            2 => (Op::Block { reason }, &stage, &["blocked"]),
            4 => (Op::Unblock, &stage, &["blocked"]),
            1 | 6 => (Op::SetTitle { title: text }, &["title"], &["title"]),
            3 => (Op::SetPriority { priority: 1 }, &["priority"], &["priority"]),
            8 => (
                Op::Assign {
                    who: Some("bo".into()),
                },
                &["assignee"],
                &["assignee"],
            ),
            _ => (Op::Comment { text }, &[], &[]),
        };
        self.add(sight, op, reads, writes)
    }

    fn of(node: NodeId, habit: Habit, acts: usize) -> Result<Acts> {
        let mut history = Self {
            node,
            acts: Acts::new(),
        };
        let mut common = Sight::default();
        let create = Op::Create {
            number: 1,
            kind: Kind::Story,
            title: "A story".into(),
            column: Column::Backlog,
            priority: 2,
            qa: Qa::Agent,
        };
        history.add(&mut common, create, &[], &["column", "title", "priority"])?;
        let mut turn = 0;
        while history.acts.len() < acts {
            let mut met: Option<Sight> = None;
            for _ in 0..habit.branches {
                let mut own = common.clone();
                // All begin with the same turns, so that they contend for the same registers.
                for step in 0..habit.apart {
                    if history.acts.len() < acts {
                        history.work(&mut own, turn + step)?;
                    }
                }
                met.get_or_insert_with(|| own.clone()).meet(&own);
            }
            common = met.unwrap_or(common);
            // Somebody has seen all of it and goes on from there.
            turn += habit.apart;
            if habit.branches > 1 && history.acts.len() < acts {
                let op = Op::Move {
                    to: Column::Coding,
                    reason: None,
                };
                history.add(&mut common, op, &["column", "blocked"], &["column"])?;
                if history.acts.len() < acts {
                    history.add(
                        &mut common,
                        Op::SetTitle {
                            title: "Settled".into(),
                        },
                        &["title"],
                        &["title"],
                    )?;
                }
            }
        }
        Ok(history.acts)
    }
}

/// Nanoseconds an act, for every habit and length, beside the shortest history of the same habit.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn fold_lengths(_: &Bench) -> Result<Vec<Row>> {
    let key = SigningKey::from_bytes(&world::KEY);
    let first = Project::genesis(&key, &SystemEnvironment, "bench", "bench");
    let Payload::Genesis(genesis) = &first.body().payload else {
        bail!("not a genesis")
    };
    let members = Membership::from_genesis(&first, genesis);
    let node = NodeId(key.verifying_key().to_bytes());
    let place = AuthorSeq {
        node,
        epoch: Epoch(1),
        seq: 1,
    };
    let item = ItemId::derive(Millis::default(), &place, 0);
    let cost = |habit: Habit, acts: usize| {
        let history = History::of(node, habit, acts)?;
        let folded = fold(item, &history, &members).context("a creation")?;
        let refused = folded
            .acts
            .values()
            .filter(|act| matches!(act.outcome, ActOutcome::Refused(_)))
            .count();
        // Work apart may turn out to be illegal once, such as lifting a hold twice; a history of mostly
        // refused acts would fold faster than a real one.
        ensure!(refused * 10 <= acts, "{refused} of {acts} acts were refused");
        let rounds = FOLDED.div_ceil(acts);
        let begun = Instant::now();
        for _ in 0..rounds {
            drop(black_box(fold(item, &history, &members)));
        }
        Ok(begun.elapsed().as_secs_f64() * 1e9 / (rounds * acts) as f64)
    };
    let mut rows = Vec::new();
    for habit in HABITS {
        let short = cost(habit, SHORT)?;
        for acts in LONG {
            let what = format!("fold, {acts} acts, {}", habit.name);
            let limit = if habit.branches > FEW {
                Goal::None
            } else {
                Goal::AtMost(LINEAR)
            };
            rows.push(Row::new(
                what,
                "ns/act",
                cost(habit, acts)?,
                "10 acts",
                short,
                limit,
            ));
        }
    }
    Ok(rows)
}
