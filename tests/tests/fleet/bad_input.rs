//! What a gateway says to mistakes: two on one folder, a misspelt key, a ticket that was used.

use towline_tests::gateway::{Fleet, Member, complaint, gateway};

#[test]
fn a_second_gateway_on_the_folder_is_told_who_is_there() {
    let mut fleet = Fleet::configured("");
    fleet.up();
    let second = gateway(fleet.folder(), &["up", "--board", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(75));
    let why = complaint(&second);
    let holder = format!("`towline-gateway up` (pid {})", fleet.pid());
    assert!(why.contains(&holder), "{why}");

    // A killed one leaves nothing behind that would keep the next one out.
    fleet.killed();
    fleet.up();
}

#[test]
fn a_misspelt_key_is_named_with_its_line() {
    let fleet = Fleet::configured("[matrix]\nhomeserver = \"https://example.org\"\npasswort = \"x\"\n");
    let refused = gateway(fleet.folder(), &["up", "--board", "127.0.0.1:0"]);
    assert_ne!(refused.status.code(), Some(101));
    let why = complaint(&refused);
    for word in ["gateway.toml", "passwort", "line 3", "password"] {
        assert!(why.contains(word), "{word:?} is missing: {why}");
    }
    assert!(
        !fleet.folder().join(".towline").exists(),
        "it made a home although it did not start"
    );
}

#[test]
fn a_ticket_admits_one_gateway_and_no_second() {
    let shop = Member::new("shop");
    shop.does(&["create", "story", "Sign in with a passkey"]);
    let ticket = shop.does(&["invite"]);
    let (first, second) = (Fleet::configured(""), Fleet::configured(""));
    let joined = gateway(first.folder(), &["join", &ticket]);
    assert!(
        joined.status.success(),
        "{}",
        String::from_utf8_lossy(&joined.stderr)
    );
    let why = complaint(&gateway(second.folder(), &["join", &ticket]));
    assert!(why.contains("not let in") && why.contains("ticket"), "{why}");
    let again = complaint(&gateway(first.folder(), &["join", &ticket]));
    assert!(again.contains("member of shop already"), "{again}");
    let nonsense = complaint(&gateway(first.folder(), &["join", "towline-nonsense"]));
    assert!(nonsense.contains("ticket"), "{nonsense}");
}

#[test]
fn variables_that_are_empty_count_as_absent() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(towline_tests::process::program("towline-gateway"));
    for name in ["TOWLINE_GATEWAY_DIR", "TOWLINE_GATEWAY_CONFIG", "TOWLINE_LOG"] {
        command.env(name, "");
    }
    command.arg("init").current_dir(folder.path());
    towline_tests::process::finish(command).ok();
    assert!(folder.path().join(".towline-gateway/gateway.toml").exists());
}
