//! Tests of the configuration file: what is accepted, and the messages for mistakes.

use super::*;

fn error(text: &str) -> String {
    GatewayConfig::parse(text)
        .expect_err("must be an error")
        .to_string()
}

#[test]
fn a_full_file_is_read() {
    let config = GatewayConfig::parse(
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
    assert_eq!(matrix.role("@ann:example.org"), ChatRole::Operator);
    assert_eq!(matrix.role("@eve:example.org"), ChatRole::Viewer);
    assert_eq!(matrix.rooms[0].preset, Preset::FailuresAndRecovery);
    assert!(!format!("{matrix:?}").contains("\"p\""), "a secret was printed");
}

#[test]
fn the_sample_is_valid_and_enables_nothing() {
    let config = GatewayConfig::parse(SAMPLE).expect("the sample");
    assert!(config.matrix.is_none() && config.webhook.is_empty());
}

#[test]
fn values_that_would_silently_do_something_else_are_errors() {
    let with = |more: &str| {
        error(&format!(
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
fn an_error_names_the_mistake() {
    assert!(error("[matrx]\n").contains("matrx"));
    let plain = "[matrix]\nhomeserver = \"http://example.org\"\nuser = \"a\"\npassword = \"b\"";
    assert!(error(plain).contains("https://"));
    let nothing = "[matrix]\nhomeserver = \"https://example.org\"\nuser = \"a\"";
    assert!(error(nothing).contains("token_file"));
    let hook = "[[webhook]]\nname = \"x\"\nurl = \"ftp://x/\"\nsecret = \"whsec_AAAA\"";
    assert!(error(hook).contains("ftp"));
    let short = "[[webhook]]\nname = \"x\"\nurl = \"https://x/\"\nsecret = \"whsec_AAAA\"";
    assert!(error(short).contains("24"));
}
