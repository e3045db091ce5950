//! A second copy of the transition table of docs/spec/pipeline.md, *Transitions*, with what each transition changes,
//! which says what registers it writes. `proto/tests/proto/table.rs` compares the real table with the same rules.

use towline_proto::{Column, ItemState, Kind, Op, Qa, Register, Verb};

/// One line per verb: the columns from which it is legal and its other conditions, then its effect. `+` sets a hold and
/// `-` lifts it; a column is where the item goes.
const SPEC: &str = "
    triage           upcoming                     -> backlog
    start            backlog free                 -> coding
    submit           coding free                  -> qa; merge where qa = server
    request-changes  qa merge                     -> coding
    pass-qa          qa free                      -> merge; +review-hold where qa = human
    approve          qa free review               -> merge
    merged           open                         -> done
    merge-failed     merge                        -> +merge-failure
    retry-merge      merge failure                -> -merge-failure
    give-up-merge    merge failure                -> +merge-failure final
    block            open                         -> +blocked
    unblock          open blocked                 -> -blocked
    freeze           open unfrozen                -> +frozen
    unfreeze         open frozen                  -> -frozen
    abandon          open                         -> closed
    supersede        open                         -> closed
    reject           open                         -> closed
    reopen           done closed archived         -> backlog
    archive          done closed                  -> archived
    move             any                          -> a column
    claim            worked free unclaimed no-epic -> the claim
    release          worked claimed               -> the claim
    take-over        worked claimed no-epic       -> the claim
    delete           any                          -> the tombstone
    restore          any                          -> the tombstone
    purge            any                          -> the tombstone
";

/// One line per other operation: the field that it is about.
const FIELDS: &str = "
    create     its first column; title; kind; priority; mode of qa
    title      title
    kind       kind
    priority   priority
    qa         mode of qa
    epic       epic
    assign     assignee
    edit       body
    label      a label
    unlabel    a label
    depends    a dependency
    undepends  a dependency
    link       a link
    unlink     a link
    comment    comments
    criterion  criteria
    judge      a criterion
    import     origin
    settle     what was contested
    set        a setting
    unknown
";

/// The registers that are reset when the item leaves a column: review, merge failure and claim.
pub(super) const COLUMN_SCOPED: [Register; 3] = [Register::Review, Register::Failure, Register::Claim];

/// The line of a name, without it.
fn row(table: &'static str, name: &str) -> Option<&'static str> {
    let mut rows = table.lines().map(str::trim).filter_map(|row| {
        let (first, rest) = row.split_once(' ').unwrap_or((row, ""));
        (first == name).then_some(rest.trim())
    });
    let row = rows.next();
    assert!(rows.next().is_none(), "two rows for {name}");
    row
}

/// Whether the table allows a verb.
pub(super) fn allows(verb: Verb, standing: &ItemState) -> bool {
    let (from, _) = row(SPEC, verb.as_str())
        .and_then(|row| row.split_once("->"))
        .expect("a row");
    let words: Vec<&str> = from.split_whitespace().collect();
    let column = standing.column;
    let from = words.iter().any(|word| match *word {
        "any" => true,
        "open" => column < Column::Done,
        "worked" => matches!(column, Column::Coding | Column::Qa | Column::Merge),
        name => name == column.as_str(),
    });
    let met = words.iter().all(|word| match *word {
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

/// The registers that an operation writes for an author who saw this QA mode; the first one is its main register.
pub(super) fn writes(op: &Op, qa: Option<Qa>) -> Vec<Register> {
    let does = match op.verb() {
        Some(verb) => row(SPEC, verb.as_str()).and_then(|row| row.split_once("->")),
        None => row(FIELDS, op.name()).map(|row| ("", row)),
    };
    let (_, does) = does.unwrap_or_else(|| panic!("no row for {}", op.name()));
    let all: Vec<&str> = does.split(';').map(str::trim).collect();
    if op.verb().is_none() {
        return all.iter().flat_map(|what| replaced(what, op)).collect();
    }
    let mode = format!("where qa = {}", qa.map_or("", Qa::as_str));
    let special = all.iter().find_map(|what| what.strip_suffix(mode.as_str()));
    replaced(special.unwrap_or(all[0]).trim(), op)
}

/// The registers that an effect writes.
fn replaced(what: &str, op: &Op) -> Vec<Register> {
    let step = || [&[Register::Column], &COLUMN_SCOPED[..]].concat();
    if what == "a column" || Column::ALL.iter().any(|column| column.as_str() == what) {
        return step();
    }
    let one = match what {
        "" => return vec![],
        "+frozen" | "-frozen" => Register::Frozen,
        "+blocked" | "-blocked" => Register::Blocked,
        "+review-hold" => Register::Review,
        "+merge-failure" | "-merge-failure" | "+merge-failure final" => Register::Failure,
        // A creation has nothing to reset.
        "its first column" => Register::Column,
        "the claim" => Register::Claim,
        "the tombstone" => Register::Deleted,
        "title" => Register::Title,
        "kind" => Register::Kind,
        "priority" => Register::Priority,
        "mode of qa" => Register::Qa,
        "epic" => Register::Epic,
        "assignee" => Register::Assignee,
        "body" => Register::Body,
        "comments" => Register::Comments,
        "criteria" => Register::Criteria,
        "origin" => Register::Imported,
        which => match (which, op) {
            ("what was contested", Op::Resolve { over, .. }) if *over == Register::Column => return step(),
            ("what was contested", Op::Resolve { over, .. }) => over.clone(),
            ("a label", Op::AddLabel { label } | Op::RemoveLabel { label }) => Register::Label(label.clone()),
            ("a dependency", Op::AddDependency { on } | Op::RemoveDependency { on }) => {
                Register::Dependency(*on)
            }
            ("a link", Op::AddLink { kind, target } | Op::RemoveLink { kind, target }) => {
                Register::Link(*kind, target.clone())
            }
            ("a setting", Op::Set { key, .. }) => Register::Setting(key.clone()),
            ("a criterion", Op::SetCriterion { criterion, .. }) => Register::Criterion(*criterion),
            _ => panic!("{op:?} is not about {which}"),
        },
    };
    vec![one]
}
