//! One sample of everything that is signed, stored or sent, made from fixed keys, ids and times. The golden tests pin
//! their bytes; the hostile tests damage them.

use ed25519_dalek::SigningKey;
use towline_proto::entry::{EntryBody, ItemChange, Payload};
use towline_proto::member::{Genesis, TicketHash};
use towline_proto::ticket::Secret;
use towline_proto::wire::{EntryBytes, JoinReply, JoinRequest, MembershipProofs, Message};
use towline_proto::{
    Act, ActId, AuthorSeq, Column, CriterionState, Entry, EntryHash, Epoch, FailureKind, ItemId, Kind,
    LinkKind, MemberAct, Millis, NodeId, Op, Origin, OriginKind, ProjectId, Qa, Register, Role, Ticket, Tip,
    VersionVector,
};

pub(crate) const AT: Millis = Millis(1_763_640_900_000);

/// Ann founds the project.
pub(crate) fn ann() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// Ben joins it.
pub(crate) fn ben() -> NodeId {
    node(&SigningKey::from_bytes(&[8; 32]))
}

pub(crate) fn node(key: &SigningKey) -> NodeId {
    NodeId(key.verifying_key().to_bytes())
}

pub(crate) fn author_seq() -> AuthorSeq {
    AuthorSeq {
        node: node(&ann()),
        epoch: Epoch(0x0102_0304_0506_0708),
        seq: 2,
    }
}

pub(crate) fn item() -> ItemId {
    ItemId::derive(AT, &author_seq(), 0)
}

pub(crate) fn act_id(ordinal: u32) -> ActId {
    ActId::derive(&author_seq().node, author_seq().epoch, author_seq().seq, ordinal)
}

fn signed(project: ProjectId, seq: u64, prev: Vec<Tip>, members: Vec<EntryHash>, payload: Payload) -> Entry {
    let AuthorSeq { node, epoch, .. } = author_seq();
    let body = EntryBody {
        project,
        author: node,
        epoch,
        seq,
        prev,
        members,
        at: AT.plus(seq),
        payload,
    };
    Entry::sign(body, &ann())
}

/// The first three entries of Ann's log: genesis, membership, changes.
pub(crate) fn entries() -> [(&'static str, Entry); 3] {
    let genesis = Genesis {
        name: "demo".into(),
        node_name: "ann-laptop".into(),
        nonce: vec![5; 16],
    };
    let genesis = signed(ProjectId([0; 32]), 0, vec![], vec![], Payload::Genesis(genesis));
    let project = genesis.project();
    let admit = MemberAct::Admit {
        node: ben(),
        name: "ben-desk".into(),
        ticket: TicketHash([4; 32]),
    };
    let heads = vec![genesis.hash()];
    let member = signed(project, 1, vec![genesis.tip()], heads, Payload::Member(admit));
    let change = ItemChange {
        item: item(),
        change: vec![0x85, 0x6f, 0x4a, 0x83, 1, 2, 3],
    };
    let heads = vec![member.hash()];
    let changes = signed(
        project,
        2,
        vec![member.tip()],
        heads,
        Payload::Changes(vec![change]),
    );
    [("genesis", genesis), ("member", member), ("changes", changes)]
}

/// Every membership act.
pub(crate) fn member_acts() -> Vec<(&'static str, MemberAct)> {
    let ticket = TicketHash([4; 32]);
    let invite = MemberAct::Invite {
        ticket,
        role: Role::Writer,
        expires: AT,
    };
    let admit = MemberAct::Admit {
        node: ben(),
        name: "ben-desk".into(),
        ticket,
    };
    vec![
        ("invite", invite),
        ("withdraw", MemberAct::Withdraw { ticket }),
        ("admit", admit),
    ]
}

pub(crate) fn act(op: Op) -> Act {
    Act {
        op,
        saw: vec![act_id(0)],
        at: AT,
        origin: Origin {
            kind: OriginKind::User,
            id: "ann".into(),
        },
        nonce: None,
        request: None,
    }
}

/// Every operation, optional parts given; those left out follow with `-bare`.
pub(crate) fn ops() -> Vec<(&'static str, Op)> {
    let reason = || Some("because".to_owned());
    let create = Op::Create {
        number: 42,
        kind: Kind::Bug,
        title: "Ship it".into(),
        column: Column::Backlog,
        priority: 2,
        qa: Qa::Agent,
    };
    let failed = Op::MergeFailed {
        kind: FailureKind::GatesFailed,
        detail: "clippy".into(),
    };
    let take_over = |force| Op::TakeOver {
        holder: "bot".into(),
        generation: 4,
        renewal: AT,
        force,
    };
    let settle = |over| Op::Resolve {
        over,
        keep: act_id(1),
    };
    let link = LinkKind::External;
    let mark = |record_at| Op::MarkImport {
        digest: "00112233445566778899aabbccddeeff".into(),
        record_at,
    };
    let judge = |evidence| Op::SetCriterion {
        criterion: act_id(1),
        state: CriterionState::Met,
        evidence,
    };
    vec![
        ("create", create),
        ("mark-import", mark(None)),
        ("mark-import-dated", mark(Some(AT))),
        ("triage", Op::Triage),
        ("start", Op::Start { force: reason() }),
        ("start-bare", Op::Start { force: None }),
        ("submit", Op::Submit),
        (
            "request-changes",
            Op::RequestChanges {
                reason: "because".into(),
            },
        ),
        ("pass-qa", Op::PassQa),
        ("approve", Op::Approve),
        (
            "merged",
            Op::Merged {
                commit: Some("c0ffee".into()),
            },
        ),
        ("merged-bare", Op::Merged { commit: None }),
        ("merge-failed", failed),
        ("retry-merge", Op::RetryMerge),
        ("give-up-merge", Op::GiveUpMerge),
        (
            "block",
            Op::Block {
                reason: "because".into(),
            },
        ),
        ("unblock", Op::Unblock),
        ("freeze", Op::Freeze),
        ("unfreeze", Op::Unfreeze),
        ("abandon", Op::Abandon { reason: reason() }),
        ("abandon-bare", Op::Abandon { reason: None }),
        ("supersede", Op::Supersede { by: item() }),
        (
            "reject",
            Op::Reject {
                reason: "because".into(),
            },
        ),
        ("reopen", Op::Reopen),
        ("archive", Op::Archive),
        (
            "move",
            Op::Move {
                to: Column::Qa,
                reason: reason(),
            },
        ),
        (
            "move-bare",
            Op::Move {
                to: Column::Qa,
                reason: None,
            },
        ),
        (
            "claim",
            Op::Claim {
                holder: "bot".into(),
                generation: 3,
            },
        ),
        ("release", Op::Release { generation: 3 }),
        ("take-over", take_over(reason())),
        ("take-over-bare", take_over(None)),
        ("delete", Op::Delete { reason: reason() }),
        ("delete-bare", Op::Delete { reason: None }),
        ("restore", Op::Restore),
        ("purge", Op::Purge),
        ("settle", settle(Register::Column)),
        ("settle-criterion", settle(Register::Criterion(act_id(2)))),
        (
            "set-title",
            Op::SetTitle {
                title: "Ship it".into(),
            },
        ),
        ("set-kind", Op::SetKind { kind: Kind::Spike }),
        ("set-priority", Op::SetPriority { priority: 0 }),
        ("set-qa", Op::SetQa { qa: Qa::Human }),
        ("set-epic", Op::SetEpic { epic: Some(item()) }),
        ("set-epic-bare", Op::SetEpic { epic: None }),
        (
            "assign",
            Op::Assign {
                who: Some("ben".into()),
            },
        ),
        ("assign-bare", Op::Assign { who: None }),
        ("edit-body", Op::EditBody),
        ("add-label", Op::AddLabel { label: "ui".into() }),
        ("remove-label", Op::RemoveLabel { label: "ui".into() }),
        ("add-dependency", Op::AddDependency { on: item() }),
        ("remove-dependency", Op::RemoveDependency { on: item() }),
        (
            "add-link",
            Op::AddLink {
                kind: link,
                target: "gh-7".into(),
            },
        ),
        (
            "remove-link",
            Op::RemoveLink {
                kind: link,
                target: "gh-7".into(),
            },
        ),
        ("comment", Op::Comment { text: "Hm.".into() }),
        (
            "add-criterion",
            Op::AddCriterion {
                text: "It ships.".into(),
            },
        ),
        ("set-criterion", judge(Some("log".into()))),
        ("set-criterion-bare", judge(None)),
        (
            "set",
            Op::Set {
                key: "promote".into(),
                value: Some("auto".into()),
            },
        ),
        (
            "set-bare",
            Op::Set {
                key: "promote".into(),
                value: None,
            },
        ),
        ("settle-setting", settle(Register::Setting("promote".into()))),
    ]
}

pub(crate) fn vector() -> VersionVector {
    let [_, _, (_, last)] = entries();
    let fork = Tip {
        epoch: Epoch(9),
        seq: 4,
        hash: EntryHash([3; 32]),
    };
    let other = Tip { seq: 5, ..fork };
    VersionVector([(author_seq().node, vec![last.tip()]), (ben(), vec![fork, other])].into())
}

/// Every message about a project.
pub(crate) fn messages() -> Vec<(&'static str, Message)> {
    let entries = entries();
    let project = entries[0].1.project();
    let sent = entries.iter().map(|(_, entry)| EntryBytes(entry.bytes().clone()));
    let hello = Message::Hello {
        project,
        digest: vector().digest(),
    };
    let have = Message::Have {
        project,
        vector: vector(),
    };
    let frame = Message::Entries {
        project,
        entries: sent.collect(),
        more: true,
    };
    vec![
        ("hello", hello),
        ("have", have),
        ("entries", frame),
        ("got", Message::Got { project }),
    ]
}

pub(crate) fn join_request() -> JoinRequest {
    JoinRequest {
        project: entries()[0].1.project(),
        secret: Secret([9; 32]),
        name: "ben-desk".into(),
    }
}

/// Membership proofs for a node that does not have the entries yet.
pub(crate) fn membership_proofs() -> MembershipProofs {
    MembershipProofs {
        entries: vec![EntryBytes(entries()[1].1.bytes().clone())],
    }
}

/// Both answers to a join request.
pub(crate) fn join_replies() -> Vec<(&'static str, JoinReply)> {
    let welcome = JoinReply::Welcome {
        genesis: EntryBytes(entries()[0].1.bytes().clone()),
        peers: vec![(author_seq().node, vec!["/ip4/127.0.0.1/tcp/4001".into()])],
    };
    let why = "the ticket was used already".into();
    vec![("welcome", welcome), ("refused", JoinReply::Refused { why })]
}

pub(crate) fn ticket() -> Ticket {
    Ticket {
        project: entries()[0].1.project(),
        name: "demo".into(),
        inviter: author_seq().node,
        addresses: vec!["/ip4/127.0.0.1/tcp/4001".into()],
        role: Role::Writer,
        expires: AT,
        secret: Secret([9; 32]),
    }
}
