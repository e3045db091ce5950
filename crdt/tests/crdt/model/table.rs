//! The transition table once more, as the spec has it: `proto/tests/proto/table.rs` holds the real one
//! against the same text.

use towline_proto::{Column, Kind, Standing, Verb};

/// One line a verb: where it is legal from, and what else must be so.
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

/// Whether the table allows a verb.
pub(super) fn allows(verb: Verb, standing: &Standing) -> bool {
    let row = SPEC
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>())
        .find(|row| row.first() == Some(&verb.as_str()))
        .expect("a row");
    let column = standing.column;
    let from = row[1..].iter().any(|word| match *word {
        "any" => true,
        "open" => column < Column::Done,
        "worked" => matches!(column, Column::Coding | Column::Qa | Column::Merge),
        name => name == column.as_str(),
    });
    let met = row[1..].iter().all(|word| match *word {
        "free" => !standing.frozen && !standing.blocked,
        "review" => standing.review,
        "failure" => standing.failure,
        "blocked" => standing.blocked,
        "frozen" => standing.frozen,
        "unfrozen" => !standing.frozen,
        "claimed" => standing.claimed,
        "unclaimed" => !standing.claimed,
        "no-epic" => standing.kind != Kind::Epic,
        _ => true,
    });
    let about_trash = matches!(verb, Verb::Restore | Verb::Purge);
    from && met && !standing.purged && standing.deleted == about_trash
}
