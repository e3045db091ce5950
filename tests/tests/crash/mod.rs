//! `kill -9` in the middle of writing: what was said done is there, and the log has no hole.
//!
//! `TOWLINE_KILLS` says how many rounds; the dice are seeded, so the schedule of kills repeats.

mod joins;
mod stores;

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use towline_api::request::{Command, Envelope, NewItem, Reply, Request};
use towline_proto::{Kind, Origin, OriginKind};
use towline_socket::Client;
use towline_tests::process::{Dice, Place, let_pass, until};

/// Rounds when nobody asks for more.
const KILLS: u64 = 15;
/// Writers at the same time.
const WRITERS: usize = 3;

fn kills() -> u64 {
    let wanted = std::env::var("TOWLINE_KILLS").ok();
    wanted.map_or(KILLS, |kills| kills.parse().expect("TOWLINE_KILLS is a number"))
}

fn ask(client: &mut Client, body: Request) -> Option<Reply> {
    let origin = Origin::new(OriginKind::Agent, "writer").unwrap();
    let envelope = Envelope {
        project: None,
        origin: Some(origin),
        body,
    };
    client.ask(&envelope).ok()
}

/// Writes through the socket until the node is gone; every answer is noted.
fn write(place: &Place, name: &str, done: &Mutex<BTreeSet<String>>) {
    let Ok(Some(mut client)) = Client::connect(&place.home().socket()) else {
        return;
    };
    for n in 0.. {
        let text = format!("{name} n{n}");
        let body = if n % 3 == 2 {
            Request::Command(Command::Comment {
                item: "1".to_owned(),
                text: text.clone(),
            })
        } else {
            Request::Command(Command::Create(story(&text)))
        };
        if ask(&mut client, body).is_none() {
            return;
        }
        done.lock().unwrap().insert(text);
    }
}

fn story(title: &str) -> NewItem {
    NewItem {
        kind: Kind::Story,
        title: title.to_owned(),
        body: String::new(),
        upcoming: false,
        priority: None,
        qa: None,
        labels: Vec::new(),
        depends_on: Vec::new(),
        epic: None,
        assignee: None,
        criteria: Vec::new(),
    }
}

/// Everything that was ever said done is there, and nothing is there twice.
fn assert_kept(place: &Place, done: &BTreeSet<String>) {
    let mut there = Vec::new();
    for item in place.items() {
        there.push(item["title"].as_str().unwrap().to_owned());
        for act in item["acts"].as_array().unwrap() {
            if act["op"] == "comment" {
                there.push(act["with"]["text"].as_str().unwrap().to_owned());
            }
        }
    }
    let found: BTreeSet<String> = there.iter().cloned().collect();
    assert_eq!(found.len(), there.len(), "something is there twice");
    let lost: Vec<_> = done.difference(&found).collect();
    assert!(lost.is_empty(), "said done and lost: {lost:?}");
}

#[test]
fn a_killed_node_keeps_what_it_said_done() {
    let ann = Place::of("ann");
    ann.init("shop");
    ann.create("Where comments go");
    let done = Mutex::new(BTreeSet::new());
    let mut dice = Dice::seeded(0x7041_11fe);
    for round in 0..kills() {
        let node = ann.serve();
        let enough = done.lock().unwrap().len() as u64 + 1 + dice.below(30);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (ann, done) = (&ann, &done);
                scope.spawn(move || write(ann, &format!("round {round} writer {writer}"), done));
            }
            until("the writers have written enough", || {
                done.lock().unwrap().len() as u64 >= enough
            });
            node.kill();
        });
        // Every other time a node comes up on what is there, and must find nothing wrong either.
        if round % 2 == 0 {
            let node = ann.serve();
            ann.is_sound();
            assert_kept(&ann, &done.lock().unwrap());
            node.stop();
        }
        ann.is_sound();
        assert_kept(&ann, &done.lock().unwrap());
    }
    assert!(done.lock().unwrap().len() as u64 >= kills());
}

#[test]
fn a_killed_command_has_either_done_it_or_not() {
    let ann = Place::of("ann");
    ann.init("shop");
    let began = Instant::now();
    ann.create("How long a command takes");
    let usual = began.elapsed().as_micros() as u64 + 1;
    let mut dice = Dice::seeded(0xdead_11fe);
    let mut done = BTreeSet::from(["How long a command takes".to_owned()]);
    let mut cut_short = 0;
    for round in 0..kills() * 2 {
        let title = format!("round {round}");
        let mut command = ann.command(&["create", "story", &title]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // There is no state to wait for: the moment of the kill is what is diced.
        let_pass(Duration::from_micros(dice.below(usual)));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        if String::from_utf8_lossy(&output.stdout).contains(&title) {
            done.insert(title);
        } else {
            cut_short += 1;
        }
        if round % 5 == 4 {
            ann.is_sound();
            assert_kept(&ann, &done);
        }
    }
    assert!(cut_short > 0, "no kill came in time to prove anything");
    let last = ann.create("After all of it");
    assert_eq!(
        last,
        (ann.items().len()).to_string(),
        "numbers have no hole either"
    );
    ann.is_sound();
}

/// The lists that the snapshot of cards can answer.
fn lists(place: &Place) -> [serde_json::Value; 3] {
    [&["list"][..], &["list", "--all"], &["ready"]].map(|args| place.json(args))
}

#[test]
fn a_list_without_a_node_is_true_after_a_kill_and_takes_no_lock() {
    let ann = Place::of("ann");
    ann.init("shop");
    for title in ["Sell ropes", "Sell sledges", "Count the dogs"] {
        ann.create(title);
    }
    ann.run(&["depends", "add", "1", "2"]).ok();
    ann.run(&["merged", "3"]).ok();
    let snapshot = ann.log().with_file_name("rows.snap");
    let from_snapshot = lists(&ann);
    fs::remove_file(&snapshot).unwrap();
    // The first of these opens the store and leaves a snapshot again for the others.
    assert_eq!(lists(&ann), from_snapshot);
    assert!(snapshot.exists());

    // Somebody has the store open and no socket yet: what was closed is shown, and nothing is written.
    let lock = ann.home().lock("a test").unwrap();
    assert_eq!(lists(&ann), from_snapshot);
    ann.run(&["create", "story", "Too early", "--busy-timeout", "1s"])
        .refused(75, &["a test"]);
    drop(lock);

    let node = ann.serve();
    ann.create("Feed the dogs");
    ann.run(&["start", "--no-claim", "2"]).ok();
    let from_node = lists(&ann);
    assert_ne!(from_node, from_snapshot);
    node.kill();
    assert_eq!(
        lists(&ann),
        from_node,
        "the snapshot is older than the log and is not asked"
    );
    let whole = fs::read(&snapshot).unwrap();
    for damage in [&b""[..], b"TOWLROWS", &whole[..whole.len() - 1], &[0; 4096]] {
        fs::write(&snapshot, damage).unwrap();
        assert_eq!(lists(&ann), from_node);
    }
    ann.is_sound();
}
