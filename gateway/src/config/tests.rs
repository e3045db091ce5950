//! What a configuration may say, and what is said of mistakes in it.

use super::*;

fn refused(text: &str) -> String {
    Config::parse(text).expect_err("must be refused").to_string()
}

#[test]
fn a_full_file_is_read() {
    let config = Config::parse(
        r##"
        [matrix]
        homeserver = "https://matrix.example.org"
        user = "@towline:example.org"
        password = "p"
        rooms = [{ room = "#dev:example.org", preset = "failures-and-recovery", active = "demo" }]
        allow_inviters = ["@ann:example.org"]
        [[matrix.users]]
        id = "@ann:example.org"
        role = "operator"
        [[webhook]]
        name = "ci"
        url = "https://ci.example.org/hook"
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        "##,
    )
    .expect("a good file");
    let matrix = config.matrix.expect("matrix");
    assert_eq!(matrix.level("@ann:example.org"), Level::Operator);
    assert_eq!(matrix.level("@eve:example.org"), Level::Viewer);
    assert_eq!(matrix.rooms[0].preset, Preset::FailuresAndRecovery);
    assert!(!format!("{matrix:?}").contains("\"p\""), "a secret showed itself");
}

#[test]
fn the_sample_is_a_valid_file_with_nothing_switched_on() {
    let config = Config::parse(SAMPLE).expect("the sample");
    assert!(config.matrix.is_none() && config.webhook.is_empty());
}

#[test]
fn what_would_silently_do_something_else_is_refused() {
    let with = |more: &str| {
        refused(&format!(
            "[matrix]\nhomeserver = \"https://example.org\"\nuser = \"a\"\npassword = \"b\"\n{more}"
        ))
    };
    for (more, word) in [
        ("stale_after_s = 0", "stale_after_s"),
        ("stale_after_s = -1", "stale_after_s"),
        ("stale_after_s = 9999999999", "stale_after_s"),
        ("prefix = \"\"", "prefix"),
        ("allow_inviters = [\"ann\"]", "allow_inviters"),
        ("rooms = [{ room = \"dev\" }]", "room id"),
        (
            "rooms = [{ room = \"#a:b\", preset = \"evrything\" }]",
            "evrything",
        ),
        ("rooms = [{ room = \"#a:b\", project = [\"x\"] }]", "projects"),
        (
            "[[matrix.users]]\nid = \"@a:b\"\nrole = \"operator\"\n[[matrix.users]]\nid = \"@a:b\"\nrole = \"viewer\"",
            "twice",
        ),
        ("[[matrix.users]]\nid = \"@a:b\"\nrole = \"root\"", "admin"),
    ] {
        let why = with(more);
        assert!(why.contains(word), "{more}: {why}");
    }
}

#[test]
fn mistakes_are_named() {
    assert!(refused("[matrx]\n").contains("matrx"));
    let plain = "[matrix]\nhomeserver = \"http://example.org\"\nuser = \"a\"\npassword = \"b\"";
    assert!(refused(plain).contains("https://"));
    let nothing = "[matrix]\nhomeserver = \"https://example.org\"\nuser = \"a\"";
    assert!(refused(nothing).contains("token_file"));
    let hook = "[[webhook]]\nname = \"x\"\nurl = \"ftp://x/\"\nsecret = \"whsec_AAAA\"";
    assert!(refused(hook).contains("ftp"));
    let short = "[[webhook]]\nname = \"x\"\nurl = \"https://x/\"\nsecret = \"whsec_AAAA\"";
    assert!(refused(short).contains("24"));
}
