//! The forms that a beads file may have: lists, envelopes, encodings, and records that are too large.

use towline_proto::text;

use super::{beads, read};
use crate::import::Section;

#[test]
fn a_list_an_envelope_and_lines_give_the_same_items() {
    let one = |id: &str| format!(r#"{{"id":"{id}","title":"T {id}","issue_type":"bug","labels":["data"]}}"#);
    let (a, b) = (one("a"), one("b"));
    let lines = read(&format!("{a}\n{b}\n"));
    assert_eq!(lines.items.len(), 2);
    for text in [
        format!("[{a},{b}]"),
        format!("\u{feff}\n[\n  {a},\n  {b}\n]\n"),
        format!(r#"{{"schema_version": 1, "data": [{a}, {b}]}}"#),
        format!("{{\n  \"count\": 2,\n  \"issues\": [\n    {a},\n    {b}\n  ]\n}}\n"),
        format!("\u{feff}{a}\r\n{b}"),
    ] {
        let parsed = read(&text);
        assert_eq!(
            (parsed.items, parsed.problems),
            (lines.items.clone(), vec![]),
            "{text}"
        );
    }
    let cut = read(&format!("[{a},\n{b}"));
    assert_eq!((cut.items.len(), cut.problems.len()), (2, 1));
    assert!(cut.problems[0].what.contains("truncated"), "{:?}", cut.problems);
}

#[test]
fn utf_16_and_bad_characters_cost_no_record() {
    let text = "{\"id\":\"a\",\"title\":\"Größe 😀\"}\r\n{\"id\":\"b\",\"title\":\"T\"}\r\n";
    for big in [false, true] {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        let bytes: Vec<u8> = units
            .flat_map(|unit: u16| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect();
        let parsed = beads::read(bytes.as_slice());
        assert_eq!(
            (parsed.items.len(), parsed.items[0].title.as_str()),
            (2, "Größe 😀")
        );
        assert_eq!((parsed.problems, parsed.notes), (vec![], vec![]));
    }
    let bad =
        b"{\"id\":\"a\",\"title\":\"half \\ud83d pair\"}\n{\"id\":\"b\",\"title\":\"bad \xff\xfe byte\"}\n";
    let parsed = beads::read(bad.as_slice());
    let titles: Vec<_> = parsed.items.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles, ["half \u{fffd} pair", "bad \u{fffd}\u{fffd} byte"]);
    assert_eq!(parsed.problems, []);
    assert_eq!(
        parsed
            .tally
            .get(Section::Shortened, "invalid characters -> \u{fffd}"),
        3
    );
    assert!(
        parsed.notes[0].starts_with("beads:a: 1 invalid character was replaced"),
        "{:?}",
        parsed.notes
    );
    assert!(
        parsed.notes[1].starts_with("beads:b: 2 invalid characters were replaced"),
        "{:?}",
        parsed.notes
    );
}

#[test]
fn what_does_not_fit_goes_on_and_what_is_lost_is_named() {
    let long = "x".repeat(towline_proto::limits::BODY_BYTES + 10);
    let name = "n".repeat(300);
    let labels: Vec<String> = (0..70).map(|label| format!("\"l{label:02}\"")).collect();
    let text = format!(
        r#"{{"id":"a","title":"T","description":"{long}","labels":[{}],"external_ref":"{name}","assignee":"{name}",
        "comments":[{{"author":"bob","text":"{long}"}}]}}"#,
        labels.join(",")
    )
    .replace('\n', "");
    let parsed = read(&text);
    let item = &parsed.items[0];
    assert!(text::body(&item.body).is_ok());
    let all = item
        .comments
        .iter()
        .map(|comment| &comment.text)
        .chain([&item.body]);
    assert!(
        item.comments
            .iter()
            .all(|comment| text::note(&comment.text).is_ok())
    );
    let letters: usize = all.clone().map(|text| text.matches('x').count()).sum();
    assert!(letters >= 2 * long.len(), "{letters}");
    let whole: String = all.cloned().collect();
    assert_eq!(item.labels.len(), towline_proto::limits::LABELS);
    for label in 0..70 {
        let label = format!("l{label:02}");
        assert!(
            item.labels.contains(&label) || whole.contains(&format!("- {label}")),
            "{label}"
        );
    }
    assert!(whole.contains(&format!("## References\n\n- {name}")));
    let said: Vec<_> = parsed.problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0]
            .starts_with("line 1: beads:a: the assignee has more than 200 characters and was shortened: nnn"),
        "{said:?}"
    );
}
