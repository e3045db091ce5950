//! The GitHub importer against a repository with everything that `gh` writes, and against broken files.

mod unaddressed;

use proptest::prelude::*;
use towline_api::request::{ImportItem, ImportStage, RelationKind};
use towline_proto::{Column, Kind, LinkKind, text};

use super::{NOBODY, read};
use crate::import::{LINE_BYTES, Parsed, Section};

const REPOSITORY: &str = include_str!("../../../../../tests/data/github-issues.json");

fn parse(text: &str) -> Parsed {
    read(text.as_bytes())
}

fn issue(number: u32, fields: &str) -> String {
    format!(
        r#"{{"number":{number},"title":"Issue {number}","url":"https://github.com/acme/shop/issues/{number}"{fields}}}"#
    )
}

fn one(fields: &str) -> ImportItem {
    let parsed = parse(&format!("[{}]", issue(7, fields)));
    assert_eq!(parsed.problems, [], "{fields}");
    parsed.items.into_iter().next().expect("one")
}

fn problems(text: &str) -> Vec<String> {
    parse(text).problems.iter().map(ToString::to_string).collect()
}

#[test]
fn everything_that_gh_writes_comes_over_or_is_counted() {
    let parsed = parse(REPOSITORY);
    assert_eq!(parsed.problems, []);
    let items: Vec<_> = parsed
        .items
        .iter()
        .map(|item| (item.external.as_str(), item.kind, item.labels.join(" ")))
        .collect();
    let item = |number, kind, labels: &str| (number, kind, labels.to_owned());
    assert_eq!(
        items,
        [
            item(
                "github:acme/shop#1",
                Kind::Epic,
                "milestone:v1.0 pinned project:Roadmap"
            ),
            item("github:acme/shop#2", Kind::Bug, "browser bug"),
            item("github:acme/shop#3", Kind::Spike, "help wanted spike"),
            item("github:acme/shop#4", Kind::Story, "assignee:sara"),
            item("github:acme/shop#5", Kind::Story, "type:task"),
            item("github:acme/shop#6", Kind::Refactor, "kind/refactor"),
            item("github:acme/shop#7", Kind::Story, ""),
            item("github:acme/shop#8", Kind::Story, "duplicate"),
        ]
    );
    let relations: Vec<_> = parsed
        .relations
        .iter()
        .map(|relation| {
            let end = |end: &str| end.rsplit_once('#').expect("a number").1.to_owned();
            (end(&relation.from), relation.kind, end(&relation.to))
        })
        .collect();
    let relation = |from: &str, kind, to: &str| (from.to_owned(), kind, to.to_owned());
    assert_eq!(
        relations,
        [
            relation("4", RelationKind::Epic, "1"),
            relation("5", RelationKind::Epic, "1"),
            relation("5", RelationKind::DependsOn, "2"),
            relation("8", RelationKind::SupersededBy, "2"),
        ]
    );
    let left: Vec<_> = parsed
        .tally
        .0
        .keys()
        .filter(|(section, _)| *section == Section::NotCarried)
        .map(|(_, key)| key.as_str())
        .collect();
    assert_eq!(
        left,
        [
            "assignees.id",
            "assignees.name",
            "author.id",
            "author.name",
            "closedByPullRequestsReferences.id",
            "closedByPullRequestsReferences.repository",
            "comments.authorAssociation",
            "comments.reactionGroups",
            "comments.url",
            "id",
            "issueType.color",
            "issueType.description",
            "issueType.id",
            "labels.color",
            "labels.description",
            "labels.id",
            "milestone.description",
            "milestone.dueOn",
            "milestone.number",
            "projectItems.status",
            "reactionGroups",
        ]
    );
}

#[test]
fn an_issue_says_who_when_and_what() {
    let parsed = parse(REPOSITORY);
    let crash = &parsed.items[1];
    assert_eq!(crash.body, "Steps:\n\n1. Open Safari\n2. Pay\n");
    assert_eq!((crash.created_by.as_str(), crash.priority), ("ann", 2));
    assert_eq!(crash.created_at.to_string(), "2026-03-02T09:00:00Z");
    let said: Vec<_> = crash
        .comments
        .iter()
        .map(|comment| {
            (
                comment.id.as_str(),
                comment.author.as_str(),
                comment.text.as_str(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("IC_21", "sara", "Seen on 17.2.\nNot on 16."),
            ("IC_22", NOBODY, "Me too.")
        ]
    );
    let upgrade = &parsed.items[5];
    assert_eq!(upgrade.created_by, NOBODY);
    assert_eq!(upgrade.stage, ImportStage::Done);
    assert_eq!(upgrade.updated_at.to_string(), "2026-03-16T12:00:00Z");
    assert_eq!(
        upgrade.links,
        [(
            LinkKind::PullRequest,
            "https://github.com/acme/shop/pull/41".to_owned()
        )]
    );
    assert_eq!(parsed.items[3].assignee.as_deref(), Some("bob"));
}

#[test]
fn each_state_has_its_place() {
    let at =
        |state: &str, reason: &str| one(&format!(r#","state":"{state}","stateReason":"{reason}""#)).stage;
    let abandoned = |why: &str| ImportStage::Abandoned {
        reason: Some(why.to_owned()),
    };
    let backlog = ImportStage::Open {
        column: Column::Backlog,
    };
    assert_eq!(at("OPEN", ""), backlog);
    assert_eq!(at("OPEN", "REOPENED"), backlog);
    assert_eq!(at("CLOSED", ""), ImportStage::Done);
    assert_eq!(at("CLOSED", "COMPLETED"), ImportStage::Done);
    assert_eq!(at("CLOSED", "NOT_PLANNED"), abandoned("not planned"));
    assert_eq!(at("CLOSED", "DUPLICATE"), abandoned("duplicate"));
    assert_eq!(one(r#","closed":true"#).stage, ImportStage::Done);
    let odd = one(r#","state":"CLOSED","stateReason":"VANISHED""#);
    assert_eq!(
        (odd.stage, odd.labels),
        (ImportStage::Done, vec!["closed:vanished".to_owned()])
    );
}

#[test]
fn the_issue_type_says_more_than_the_labels() {
    let both = one(r#","issueType":{"name":"Bug"},"labels":[{"name":"enhancement"},{"name":"epic"}]"#);
    assert_eq!((both.kind, both.labels.len()), (Kind::Bug, 2));
    let labels = one(r#","labels":[{"name":"type: Bug"},{"name":"T-Refactoring"}]"#);
    assert_eq!((labels.kind, labels.labels.len()), (Kind::Bug, 2));
    let own = one(r#","issueType":{"name":"Initiative"}"#);
    assert_eq!(
        (own.kind, own.labels),
        (Kind::Story, vec!["type:initiative".to_owned()])
    );
}

#[test]
fn the_address_says_which_repository_it_is() {
    let at = |url: &str| {
        let parsed = parse(&format!(r#"{{"title":"T","url":"{url}"}}"#));
        parsed.items.first().map(|item| item.external.clone())
    };
    let of = |reference: &str| Some(reference.to_owned());
    assert_eq!(at("https://github.com/a/b/issues/7"), of("github:a/b#7"));
    assert_eq!(
        at("https://git.example.org/a/b/issues/7#issuecomment-1"),
        of("github:git.example.org/a/b#7")
    );
    assert_eq!(at("https://github.com/a/b/pull/7"), None);
    assert_eq!(at("javascript:alert(1)"), None);
    assert_eq!(at("https://github.com/a\\u202e/b/issues/7"), None);
}

#[test]
fn an_issue_that_cannot_be_used_is_named_and_the_rest_is_read() {
    let text = format!(
        "[\n{},\n7,\n{{\"number\":2,\"title\":\"No address\"}},\n{},\n{{\"number\": 3,\n \"title\" \"x\"}},\n{},\n{}\n]\n",
        issue(1, ""),
        issue(1, ""),
        issue(4, r#","labels":"bug","createdAt":"yesterday","comments":7"#),
        issue(
            5,
            r#","blockedBy":{"nodes":[{"number":99},{"number":5},{}],"totalCount":4}"#
        ),
    );
    let parsed = parse(&text);
    let read: Vec<_> = parsed.items.iter().map(|item| item.external.as_str()).collect();
    assert_eq!(
        read,
        ["github:acme/shop#1", "github:acme/shop#4", "github:acme/shop#5"]
    );
    let said: Vec<_> = parsed.problems.iter().map(ToString::to_string).collect();
    let begins = [
        "line 3: issue 2 of the file: not an object",
        "line 4: #2 was skipped, because without `url`",
        "line 7: issue 5 of the file: not JSON",
        "line 8: #4: `createdAt`: invalid time",
        "line 8: #4: `labels` is a text",
        "line 8: #4: `comments` is a number",
        "line 9: #5: a `blockedBy` has neither",
        "line 9: #5: `blockedBy` holds 3 of 4",
        "line 9: blockedBy from github:acme/shop#5 to github:acme/shop#5 was skipped: it refers to itself",
    ];
    assert_eq!(said.len(), begins.len(), "{said:#?}");
    for begin in begins {
        assert!(
            said.iter().any(|said| said.starts_with(begin)),
            "{begin}: {said:#?}"
        );
    }
}

#[test]
fn parents_that_are_parts_of_their_parts_are_no_circle() {
    let text = format!(
        "[{},{}]",
        issue(1, r#","parent":{"number":2}"#),
        issue(2, r#","parent":{"number":1}"#)
    );
    let parsed = parse(&text);
    assert_eq!(parsed.relations.len(), 1);
    assert!(parsed.problems[0].what.contains("cycle"), "{:?}", parsed.problems);
}

#[test]
fn a_file_cut_off_in_the_middle_says_so() {
    let cut = REPOSITORY.find("Which bank?").expect("it is there");
    let parsed = parse(&REPOSITORY[..cut]);
    assert_eq!(parsed.items.len(), 5);
    let first = parsed.problems[0].to_string();
    assert!(
        first.starts_with("line 7: issue 6 of the file: incomplete"),
        "{first}"
    );
    let at_the_seam = REPOSITORY.find(",\n").expect("a comma") + 1;
    assert_eq!(
        problems(&REPOSITORY[..at_the_seam])[0],
        "line 2: the list is not closed; the file seems to be truncated, export it again"
    );
}

#[test]
fn issues_may_stand_one_a_line_and_lists_one_after_the_other() {
    let (a, b) = (issue(1, ""), issue(2, ""));
    for text in [
        format!("{a}\r\n{b}"),
        format!("[{a}]\n[{b}]"),
        format!("\u{feff}[{a},\n{b}]"),
    ] {
        let parsed = parse(&text);
        assert_eq!((parsed.items.len(), parsed.problems), (2, vec![]), "{text}");
    }
    let broken = format!("{{ this is no issue\n{a}\n");
    assert_eq!(parse(&broken).items.len(), 1);
    assert!(
        problems(&broken)[0].starts_with("line 1: issue 1 of the file: not JSON"),
        "{broken}"
    );
}

#[test]
fn what_is_no_list_says_what_would_be() {
    for text in ["", "\u{7f}ELF\u{1}\u{1}", "<!DOCTYPE html>", "null"] {
        let said = problems(text);
        assert_eq!(said.len(), 1, "{text}: {said:?}");
        assert!(said[0].contains("gh issue list --state all --json"), "{said:?}");
    }
    assert_eq!(problems("[]"), [""; 0]);
}

#[test]
fn an_issue_without_end_is_skipped_and_the_next_is_read() {
    let long = issue(1, &format!(r#","body":"{}""#, "x".repeat(LINE_BYTES)));
    let parsed = parse(&format!("[{long},\n{}]", issue(2, "")));
    assert_eq!(parsed.items.len(), 1);
    assert!(
        parsed.problems[0]
            .what
            .starts_with("issue 1 of the file was skipped, because it is longer than"),
        "{:?}",
        parsed.problems
    );
}

#[test]
fn a_duplicate_names_what_it_repeats() {
    let text = |says: &str, to: &str| {
        format!(
            r#"[{},{}]"#,
            issue(
                1,
                &format!(r#","state":"CLOSED","stateReason":"DUPLICATE","comments":[{{"body":"{says}"}}]"#)
            ),
            to
        )
    };
    for says in [
        "Duplicate of #2",
        "duplicate of acme/shop#2.",
        "Duplicate of https://github.com/acme/shop/issues/2",
    ] {
        let parsed = parse(&text(says, &issue(2, "")));
        assert_eq!(parsed.relations.len(), 1, "{says}");
        assert_eq!(parsed.relations[0].kind, RelationKind::SupersededBy);
    }
    // Of an issue that is not there, the label is all that is known.
    let parsed = parse(&text("Duplicate of #9", &issue(2, "")));
    assert_eq!(
        (parsed.relations.len(), parsed.problems.len()),
        (0, 0),
        "{:?}",
        parsed.problems
    );
}

#[test]
fn everything_that_comes_over_can_be_written() {
    let hostile = format!(
        "[{}]",
        issue(
            1,
            r#","title":"\u001b[2J\u202eT","body":"a\u0007b","labels":[{"name":"\u200e"},{"name":"x\u001b[31m"}],"author":{"login":"\u200f"},"milestone":{"title":"m\u0000"},"zz\u001b":1,"comments":[{"body":"\u0001"}]"#
        )
    );
    let hostile = parse(&hostile);
    for item in parse(REPOSITORY).items.iter().chain(&hostile.items) {
        assert!(text::title(&item.title).is_ok(), "{item:?}");
        assert!(text::body(&item.body).is_ok(), "{item:?}");
        let names = item.labels.iter().chain(&item.assignee);
        for name in names.chain([&item.created_by, &item.external]) {
            assert!(text::name(name).is_ok(), "{item:?}");
        }
        for comment in &item.comments {
            assert!(text::note(&comment.text).is_ok(), "{item:?}");
        }
    }
    let shown = hostile.tally.render();
    assert!(!shown.chars().any(|c| c != '\n' && text::is_unsafe(c)), "{shown}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_importer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(bytes.as_slice());
    }

    #[test]
    fn no_change_of_a_byte_makes_the_importer_panic(at in 0..REPOSITORY.len(), byte in any::<u8>()) {
        let mut bytes = REPOSITORY.as_bytes().to_vec();
        bytes[at] = byte;
        read(bytes.as_slice());
    }
}
