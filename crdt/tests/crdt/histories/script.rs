//! Random histories: five members who share a short past, work concurrently, and merge again.
//!
//! A script consists of numbers. Their meaning is decided when the script is played, from the state of the actor, so
//! that most attempts are legal, and every script that proptest shrinks is a history as well. One of the five is
//! dishonest and forges records. No documents are involved: acts are put directly into [`Acts`].

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use towline_crdt::doc::{ActRecord, Acts, NodePrefix};
use towline_crdt::fold::fold;
use towline_proto::{
    Act, ActId, AuthorSeq, Column, Epoch, ItemId, Kind, Millis, NodeId, Op, Origin, OriginKind, Qa, RequestId,
};

use super::attempts::{THEMES, beginning, choose, forgery, is_sound, may_do};
use crate::actors::{ITEM_AT, test_members};

/// The number of members; the last one is dishonest.
pub(crate) const ACTORS: usize = 5;
/// The member who forges records.
const MALLORY: usize = ACTORS - 1;

/// One attempt of a member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) who: usize,
    pub(crate) what: u16,
    pub(crate) how: u16,
}

/// What happens between two merges.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    /// The theme, an index into [`THEMES`], so that the members write the same registers.
    pub(crate) theme: usize,
    /// The field or criterion, if the theme is about one.
    pub(crate) about: u16,
    pub(crate) tries: Vec<Attempt>,
    /// Who receives from whom afterwards; everybody from everybody when empty.
    pub(crate) receives: Vec<(usize, usize)>,
}

/// A whole history.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// The column at the beginning of the concurrent work.
    pub(crate) start: u8,
    pub(crate) qa: u8,
    pub(crate) rounds: Vec<Round>,
}

/// Any history.
pub(crate) fn scripts() -> impl Strategy<Value = Script> {
    let attempt = (0..ACTORS + 5, any::<u16>(), any::<u16>()).prop_map(|(who, what, how)| Attempt {
        // The dishonest member writes only now and then.
        who: if who < ACTORS { who } else { who - ACTORS } % ACTORS,
        what,
        how,
    });
    let receives = prop_oneof![
        3 => Just(Vec::new()),
        2 => prop::collection::vec((0..ACTORS, 0..ACTORS), 1..4),
    ];
    let tries = prop::collection::vec(attempt, 1..10);
    let round =
        (0..THEMES.len() + 3, any::<u16>(), tries, receives).prop_map(|(theme, about, tries, receives)| {
            Round {
                theme: theme % THEMES.len(),
                about,
                tries,
                receives,
            }
        });
    (any::<u8>(), any::<u8>(), prop::collection::vec(round, 1..5)).prop_map(|(start, qa, rounds)| Script {
        start,
        qa,
        rounds,
    })
}

/// A member with the acts that they know.
pub(crate) struct Player {
    pub(crate) author: AuthorSeq,
    pub(crate) knows: Acts,
    clock: u64,
}

/// A history as it was played.
pub(crate) struct Played {
    pub(crate) item: ItemId,
    /// All acts.
    pub(crate) acts: Acts,
    /// Their order of writing.
    pub(crate) written: Vec<ActId>,
    /// The acts after each round, and those that each member knew in the end.
    pub(crate) stages: Vec<Acts>,
    /// The acts of honest members.
    pub(crate) honest: BTreeSet<ActId>,
    /// The honest acts that were legal for their authors.
    pub(crate) sound: BTreeSet<ActId>,
    /// The position of each act's entry, and what its author knew.
    pub(crate) known: BTreeMap<ActId, (AuthorSeq, BTreeSet<ActId>)>,
}

impl Player {
    fn new(byte: u8) -> Self {
        Self {
            author: AuthorSeq {
                node: NodeId([byte; 32]),
                epoch: Epoch(byte.into()),
                seq: 0,
            },
            knows: Acts::new(),
            clock: 1_000,
        }
    }

    pub(super) fn id(&self, ahead: u64) -> ActId {
        ActId::derive(&self.author.node, self.author.epoch, self.author.seq + ahead, 0)
    }

    fn writes(&mut self, op: Op, saw: Vec<ActId>, kind: OriginKind) -> ActId {
        self.writes_for(None, op, saw, kind)
    }

    fn writes_for(&mut self, request: Option<RequestId>, op: Op, saw: Vec<ActId>, kind: OriginKind) -> ActId {
        self.clock += 1_000;
        let act = Act {
            op,
            saw,
            at: Millis(self.clock),
            origin: Origin::new(kind, format!("node {}", self.author.node.0[0])).expect("a name"),
            nonce: None,
            request,
        };
        let id = self.id(0);
        let hash = Act::record_hash(&act.encode());
        let node = NodePrefix::from(&self.author.node);
        self.knows.insert(id, ActRecord { act, node, hash });
        self.author.seq += 1;
        id
    }
}

impl Script {
    /// Plays it.
    pub(crate) fn play(&self) -> Played {
        let cast = test_members();
        let mut players: Vec<Player> = (1..=ACTORS as u8).map(Player::new).collect();
        let item = ItemId::derive(ITEM_AT, &players[0].author, 0);
        let mut played = Played {
            item,
            acts: Acts::new(),
            written: Vec::new(),
            stages: Vec::new(),
            honest: BTreeSet::new(),
            sound: BTreeSet::new(),
            known: BTreeMap::new(),
        };
        let create = Op::Create {
            number: 1,
            kind: Kind::Story,
            title: "Ship it".into(),
            column: if self.start.is_multiple_of(8) {
                Column::Upcoming
            } else {
                Column::Backlog
            },
            priority: 2,
            qa: Qa::ALL[usize::from(self.qa) % 3],
        };
        let id = players[0].writes(create, vec![], OriginKind::User);
        played.note(id, &players[0], true);
        // A common past, so that later columns are reached.
        let theme = self.rounds.first().map_or(0, |round| round.theme);
        for op in beginning(self.start, theme) {
            let saw = fold(item, &players[0].knows, &cast)
                .expect("a creation")
                .saw_for(&op);
            let id = players[0].writes(op, saw, OriginKind::User);
            played.note(id, &players[0], true);
        }
        everybody_hears(&mut players);
        for round in &self.rounds {
            for attempt in &round.tries {
                let player = &mut players[attempt.who];
                let folded = fold(item, &player.knows, &cast).expect("a creation");
                let forged = attempt.who == MALLORY && attempt.what % 3 != 0;
                let (op, saw) = if forged {
                    forgery(attempt, &folded, player)
                } else {
                    let Some(op) = choose(attempt, round, &folded.view, player) else {
                        continue;
                    };
                    let saw = folded.saw_for(&op);
                    (op, saw)
                };
                let sound = !forged && is_sound(&op, &folded, player);
                drop(folded);
                // Now and then another node carries out the same request as well.
                let overheard = attempt.how % 7 < 2;
                let request = RequestId([played.written.len() as u8; 16]);
                let request = Some(request).filter(|_| overheard);
                let id = player.writes_for(request, op.clone(), saw, origin(attempt));
                played.note(id, player, !forged);
                if sound {
                    played.sound.insert(id);
                }
                for other in (0..MALLORY)
                    .filter(|other| *other != attempt.who)
                    .take(1 + usize::from(attempt.how % 7))
                {
                    let player = &mut players[other];
                    let folded = fold(item, &player.knows, &cast).expect("a creation");
                    if !overheard
                        || played.acts[&id].node == NodePrefix::from(&player.author.node)
                        || !may_do(&op, &folded, player)
                    {
                        continue;
                    }
                    let saw = folded.saw_for(&op);
                    drop(folded);
                    let id = player.writes_for(request, op.clone(), saw, origin(attempt));
                    played.note(id, player, true);
                    played.sound.insert(id);
                }
            }
            for (who, whom) in &round.receives {
                let theirs = players[*whom].knows.clone();
                players[*who].knows.extend(theirs);
            }
            if round.receives.is_empty() {
                everybody_hears(&mut players);
            }
            played.stages.push(played.acts.clone());
        }
        played
            .stages
            .extend(players.into_iter().map(|player| player.knows));
        played
    }
}

impl Played {
    fn note(&mut self, id: ActId, player: &Player, honest: bool) {
        self.acts.insert(id, player.knows[&id].clone());
        self.written.push(id);
        let mut knew: BTreeSet<ActId> = player.knows.keys().copied().collect();
        knew.remove(&id);
        let seq = player.author.seq - 1;
        self.known.insert(id, (AuthorSeq { seq, ..player.author }, knew));
        if honest {
            self.honest.insert(id);
        }
    }

    /// Forgets all but the first acts.
    pub(crate) fn cut(&mut self, length: usize) {
        self.written.truncate(length);
        self.acts.retain(|id, _| self.written.contains(id));
    }

    /// One line per act, for the report of a failure.
    pub(crate) fn listing(&self, of: &Acts) -> String {
        let mut lines = String::new();
        for id in self.written.iter().filter(|id| of.contains_key(id)) {
            let record = &self.acts[id];
            let saw: Vec<String> = record.act.saw.iter().map(ActId::short).collect();
            lines += &format!(
                "{} node {} {:?} {:?} saw {}\n",
                id.short(),
                record.node.0[0],
                record.act.origin.kind,
                record.act.op,
                saw.join(" ")
            );
        }
        lines
    }
}

fn everybody_hears(players: &mut [Player]) {
    let mut all = Acts::new();
    for player in players.iter() {
        all.extend(player.knows.clone());
    }
    for player in players {
        player.knows = all.clone();
    }
}

/// Ann works as a person, the third and the fourth as agents, the others as either.
fn origin(attempt: &Attempt) -> OriginKind {
    match attempt.who {
        0 => OriginKind::User,
        2 | 3 => OriginKind::Agent,
        _ if attempt.how & 0x100 == 0 => OriginKind::User,
        _ => OriginKind::Agent,
    }
}
