//! The transition table against docs/spec/pipeline.md, *Transitions*: the rules are written down a second time
//! and compared for every column, every set of holds and every verb.

use std::collections::BTreeMap;

use towline_proto::stage::{Blocked, Holds, MergeFailure, status};
use towline_proto::table::{leads_to, legal, legal_from};
use towline_proto::{Closing, Column, FailureKind, ItemState, Kind, Qa, Status, Verb};

/// One line per verb: the columns from which it is legal, and its other conditions. `free` means neither frozen nor
/// blocked; `open` and `worked` are sets of columns. Everything but `restore` and `purge` needs an item that is not in
/// the trash, and nothing is legal for a purged item.
const SPEC: &str = "
    triage           upcoming
    start            backlog                free
    submit           coding                 free
    request-changes  qa merge
    pass-qa          qa                     free
    approve          qa                     free review
    merged           open
    merge-failed     merge
    retry-merge      merge                  failure
    give-up-merge    merge                  failure
    block            open
    unblock          open                   blocked
    freeze           open                   unfrozen
    unfreeze         open                   frozen
    abandon          open
    supersede        open
    reject           open
    reopen           done closed archived
    archive          done closed
    move             any
    claim            worked                 free unclaimed no-epic
    release          worked                 claimed
    take-over        worked                 claimed no-epic
    delete           any
    restore          any
    purge            any
";

fn spec() -> BTreeMap<&'static str, Vec<&'static str>> {
    let rows = SPEC.lines().filter_map(|row| {
        let mut words = row.split_whitespace();
        Some((words.next()?, words.collect()))
    });
    rows.collect()
}

fn columns(word: &str) -> Option<&'static [Column]> {
    use Column::{Archived, Backlog, Closed, Coding, Done, Merge, Qa, Upcoming};
    Some(match word {
        "any" => &[Upcoming, Backlog, Coding, Qa, Merge, Done, Archived, Closed],
        "open" => &[Upcoming, Backlog, Coding, Qa, Merge],
        "worked" => &[Coding, Qa, Merge],
        "upcoming" => &[Upcoming],
        "backlog" => &[Backlog],
        "coding" => &[Coding],
        "qa" => &[Qa],
        "merge" => &[Merge],
        "done" => &[Done],
        "archived" => &[Archived],
        "closed" => &[Closed],
        _ => return None,
    })
}

fn expected(words: &[&str], verb: Verb, state: ItemState) -> bool {
    let mut from = false;
    let mut met = true;
    for word in words {
        if let Some(columns) = columns(word) {
            from |= columns.contains(&state.column);
            continue;
        }
        met &= match *word {
            "free" => !state.frozen && !state.blocked,
            "review" => state.review,
            "failure" => state.failure,
            "blocked" => state.blocked,
            "frozen" => state.frozen,
            "unfrozen" => !state.frozen,
            "claimed" => state.claimed,
            "unclaimed" => !state.claimed,
            "no-epic" => state.kind != Kind::Epic,
            other => panic!("{other} is no word of this table"),
        };
    }
    let about_trash = matches!(verb, Verb::Restore | Verb::Purge);
    from && met && !state.purged && state.deleted == about_trash
}

fn states() -> impl Iterator<Item = ItemState> {
    Column::ALL.iter().flat_map(|column| {
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
    })
}

#[test]
fn every_verb_is_legal_exactly_where_the_spec_says() {
    let spec = spec();
    assert_eq!(spec.len(), Verb::ALL.len());
    for state in states() {
        let here: Vec<Verb> = Verb::ALL
            .iter()
            .copied()
            .filter(|verb| expected(&spec[verb.as_str()], *verb, state))
            .collect();
        assert_eq!(legal_from(state), here, "{state:?}");
        assert_eq!(here.is_empty(), state.purged, "{state:?} is a dead end");
        for verb in Verb::ALL {
            match legal(*verb, state) {
                Ok(()) => assert!(here.contains(verb), "{verb} {state:?}"),
                Err(refused) => {
                    assert!(!here.contains(verb), "{verb} {state:?}");
                    assert_eq!((refused.verb, &refused.legal), (*verb, &here), "{state:?}");
                    assert!(refused.to_string().starts_with(&format!("cannot {verb}: ")));
                }
            }
        }
    }
}

#[test]
fn an_error_names_the_verb_that_lifts_the_hold() {
    let mut state = ItemState::active(Column::Coding, Kind::Bug);
    state.blocked = true;
    for verb in [Verb::Submit, Verb::Claim] {
        let refused = legal(verb, state).expect_err("blocked").to_string();
        assert!(refused.contains("blocked; `unblock` lifts that"), "{refused}");
    }
    state.frozen = true;
    let refused = legal(Verb::Submit, state).expect_err("frozen").to_string();
    assert!(refused.contains("`unfreeze`"), "{refused}");
}

#[test]
fn every_verb_leads_where_the_spec_says() {
    for qa in Qa::ALL {
        for verb in Verb::ALL {
            let to = match verb.as_str() {
                "triage" | "reopen" => Some("backlog"),
                "start" | "request-changes" => Some("coding"),
                "submit" if *qa == Qa::Server => Some("merge"),
                "submit" => Some("qa"),
                "pass-qa" if *qa == Qa::Human => None,
                "pass-qa" | "approve" => Some("merge"),
                "merged" => Some("done"),
                "abandon" | "supersede" | "reject" => Some("closed"),
                "archive" => Some("archived"),
                _ => None,
            };
            assert_eq!(leads_to(*verb, *qa).map(Column::as_str), to, "{verb} {qa}");
        }
    }
}

#[test]
fn the_badge_is_the_first_that_applies() {
    for bits in 0u8..32 {
        let failure = MergeFailure {
            kind: FailureKind::Conflict,
            detail: String::new(),
            is_final: bits & 8 != 0,
        };
        let blocked = Blocked {
            reason: "rain".into(),
        };
        let holds = Holds {
            frozen: bits & 1 != 0,
            blocked: Some(blocked).filter(|_| bits & 2 != 0),
            failure: Some(failure).filter(|_| bits & 4 != 0),
            review: bits & 16 != 0,
        };
        let badge = match holds {
            Holds { frozen: true, .. } => Status::Frozen,
            Holds { blocked: Some(_), .. } => Status::Blocked,
            Holds {
                failure: Some(MergeFailure { is_final: true, .. }),
                ..
            } => Status::MergeFailureFinal,
            Holds { failure: Some(_), .. } => Status::MergeFailure,
            Holds { review: true, .. } => Status::ReviewHold,
            Holds { .. } => Status::Active,
        };
        for column in Column::ALL {
            let want = match column {
                Column::Done => Status::Done,
                Column::Archived | Column::Closed => Status::Rejected,
                _ => badge,
            };
            let closing = Closing::Rejected { reason: "no".into() };
            assert_eq!(
                status(*column, Some(&closing), &holds),
                want,
                "{column} {holds:?}"
            );
        }
    }
}

#[test]
fn a_reason_is_asked_for_where_the_spec_says_that_one_is_required() {
    let asks = Verb::ALL.iter().filter(|verb| verb.rule().reason);
    let asks: Vec<&str> = asks.map(|verb| verb.as_str()).collect();
    assert_eq!(asks, ["request-changes", "block", "reject"]);
}
