//! A project that cannot be read keeps itself out, and nobody else.

use std::fs;

use towline_tests::process::Place;

/// A home with two projects, `shop` and the one of bob that ann has joined.
fn two_projects() -> (Place, Place) {
    let bob = Place::of("bob");
    bob.init("yard");
    bob.create("In the yard");
    let ann = super::shop();
    let running = bob.serve();
    ann.join(&bob.invite(&[]));
    running.stop();
    (ann, bob)
}

#[test]
fn one_broken_project_is_named_and_the_other_goes_on() {
    let (ann, _bob) = two_projects();
    let projects = ann.home().projects().expect("projects");
    let yard = projects
        .iter()
        .find(|project| project.name == "yard")
        .expect("a yard");
    let file = yard.dir().join("project.toml");
    let whole = fs::read(&file).expect("a project file");
    let folder = yard
        .dir()
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    for broken in [
        &b"name = 3"[..],
        b"\xff\xfe",
        b"name = \"yard\"\nid = \"0\"\nof_a_newer_format = 1\n",
    ] {
        fs::write(&file, broken).expect("a broken file");
        for running in [false, true] {
            let node = running.then(|| ann.serve_in("shop"));
            let status = ann.json(&["--project", "shop", "status"]);
            assert_eq!(status["left_out"][0]["name"], folder.as_str(), "{status}");
            let shown = ann.run(&["--project", "shop", "status"]).ok();
            assert!(shown.contains("cannot be opened"), "{shown}");
            ann.run(&["--project", "shop", "list"]).ok();
            ann.run(&["--project", "shop", "comment", "1", "The rest goes on"])
                .ok();
            // Nobody knows whether the one that is left is meant.
            ann.run(&["create", "story", "Where to?"])
                .refused(2, &["cannot be opened", "--project", "shop"]);
            if let Some(node) = node {
                assert!(node.said().contains("ERROR"), "{}", node.said());
                node.stop();
            }
        }
    }
    fs::write(&file, whole).expect("the file of before");
    let status = ann.json(&["--project", "yard", "status"]);
    assert_eq!(status["items"], 1, "{status}");
}
