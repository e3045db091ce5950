//! What a gateway says to mistakes: two on one folder, a misspelt key, a ticket that was used.

use towline_tests::gateway::{Fleet, Member, complaint, gateway, printed, towline};

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
    assert!(why.contains("cannot join") && why.contains("ticket"), "{why}");
    // Whoever repeats a join that was done is told that it is done.
    let again = printed(&gateway(first.folder(), &["join", &ticket]));
    assert!(again.contains("joined shop as writer"), "{again}");
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

#[test]
fn a_mistyped_folder_starts_no_empty_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let mistyped = dir.path().join("gatewya");
    for words in [
        vec!["up", "--board", "127.0.0.1:0"],
        vec!["join", "towline1nonsense"],
        vec!["relay", "status"],
        vec!["relay", "resend"],
    ] {
        std::fs::create_dir_all(&mistyped).unwrap();
        let refused = gateway(&mistyped, &words);
        assert_eq!(refused.status.code(), Some(3), "{words:?}");
        let why = complaint(&refused);
        assert!(
            why.contains("there is no gateway in") && why.contains("init"),
            "{why}"
        );
        assert_eq!(
            std::fs::read_dir(&mistyped).unwrap().count(),
            0,
            "{words:?} left something"
        );
    }
    let config = mistyped.join("other.toml");
    let words = [
        "up",
        "--config",
        &config.to_string_lossy(),
        "--board",
        "127.0.0.1:0",
    ];
    let why = complaint(&gateway(&mistyped, &words));
    assert!(
        why.contains("the configuration file") && why.contains("does not exist"),
        "{why}"
    );
    let made = printed(&gateway(&mistyped, &["init"]));
    assert!(made.contains("gateway.toml"), "{made}");
    let never = complaint(&gateway(&mistyped, &["relay", "status"]));
    assert!(never.contains("has the gateway run in this folder?"), "{never}");
}

#[test]
fn figures_of_a_gateway_that_does_not_run_are_not_shown_as_new() {
    let mut fleet = Fleet::configured("");
    fleet.up();
    let running = printed(&gateway(fleet.folder(), &["relay", "status"]));
    assert!(
        running.starts_with("the gateway is running; status of "),
        "{running}"
    );
    let first = fleet.status();
    assert_eq!(first["running"], true, "{first}");
    let second = fleet.status();
    assert!(
        second["as_of"].as_str() > first["as_of"].as_str(),
        "{first} {second}"
    );
    fleet.killed();
    let gone = printed(&gateway(fleet.folder(), &["relay", "status"]));
    assert!(
        gone.starts_with("the gateway is not running; last status of "),
        "{gone}"
    );
    assert_eq!(fleet.status()["running"], false);
    assert!(
        !gone.contains('\u{1b}') && !running.contains('\u{1b}'),
        "colours in a pipe"
    );
    let noted = printed(&gateway(fleet.folder(), &["relay", "resend"]));
    assert!(noted.contains("the gateway is not running"), "{noted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_projects_of_one_name_can_both_be_addressed() {
    let (left, right) = (Member::new("shop"), Member::new("shop"));
    left.does(&["create", "story", "Left lamp"]);
    right.does(&["create", "story", "Right lamp"]);
    let mut fleet = Fleet::configured("");
    fleet.joins(&left);
    fleet.joins(&right);
    fleet.up();
    let why = complaint(&towline(fleet.folder(), &["--project", "shop", "list"]));
    assert!(
        why.contains("matches several projects; be more specific: shop~"),
        "{why}"
    );
    let names: Vec<&str> = why.split(": ").last().unwrap().trim().split(", ").collect();
    assert_eq!(names.len(), 2, "{why}");
    let mut titles = Vec::new();
    for name in names {
        let listed = printed(&towline(fleet.folder(), &["--project", name, "list"]));
        let board = fleet.page(&format!("/p/{name}")).await.unwrap();
        let title = if listed.contains("Left lamp") {
            "Left lamp"
        } else {
            "Right lamp"
        };
        assert!(
            listed.contains(title) && board.contains(title),
            "{listed} {board}"
        );
        let front = fleet.page("/").await.unwrap();
        assert!(front.contains(&format!("/p/{name}")), "{front}");
        titles.push(title);
    }
    titles.sort_unstable();
    assert_eq!(titles, ["Left lamp", "Right lamp"]);
    let why = fleet.page("/p/shop").await.unwrap_err();
    assert!(why.contains("shop~"), "{why}");
}
