//! `join` and `init`, killed at any moment and typed again: each goes on from where it was.
//!
//! The moments are diced from a seed. `TOWLINE_KILLS` says how many there are.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use towline_tests::process::{Dice, Place, let_pass};

/// Moments at which a join is killed when nobody asks for others.
const KILLS: u64 = 50;
/// How often one and the same join is killed.
const KILLS_EACH: u64 = 5;

/// Somebody who has nothing yet.
fn newcomer() -> Place {
    Place::of("ben")
}

/// Starts a command and kills it after a part of the time that it usually takes. Whether that was in time.
fn killed(place: &Place, args: &[&str], after: Duration) -> bool {
    let mut command = place.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // There is no state to wait for: the moment of the kill is what is diced.
    let_pass(after);
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

/// What is in the folder of projects.
fn projects(place: &Place) -> Vec<String> {
    let folder = fs::read_dir(place.home().dir().join("projects")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn a_join_that_is_killed_at_any_moment_goes_on_when_it_is_repeated() {
    let ann = Place::of("ann");
    ann.init("shop");
    let of_ann = ann.serve();
    for number in 0..5 {
        ann.create(&format!("Story {number}"));
    }
    let whole = ann.export();
    let join = |ticket: &str| ["join", "--timeout", "60s", ticket].map(str::to_owned);
    let began = Instant::now();
    let first = newcomer();
    let words = join(&ann.invite(&[]));
    first.run(&words.each_ref().map(String::as_str)).ok();
    let usual = began.elapsed().as_micros() as u64 + 1;

    let mut dice = Dice::seeded(0x10_11fe);
    let kills = std::env::var("TOWLINE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut in_time = 0;
    for _ in 0..kills.div_ceil(KILLS_EACH) {
        let ben = newcomer();
        let words = join(&ann.invite(&[]));
        let words = words.each_ref().map(String::as_str);
        for _ in 0..KILLS_EACH {
            let after = Duration::from_micros(dice.below(usual));
            in_time += u64::from(killed(&ben, &words, after));
        }
        ben.run(&words).ok();
        assert_eq!(ben.export(), whole);
        ben.is_sound();
        assert_eq!(projects(&ben).len(), 1, "{:?}", projects(&ben));
        // Once more is once more the same, and a ticket of somebody else's is not spent on a member.
        ben.run(&words).ok();
        let other = ann.invite(&[]);
        ben.run(&["join", &other])
            .refused(2, &["already a member of shop", "not used"]);
        assert!(ben.home().dir().join("peers.json").exists());
    }
    assert!(
        in_time * 2 > kills,
        "only {in_time} of {kills} kills came in time to prove anything"
    );
    of_ann.stop();
}

/// What is left when the process was killed before it wrote the configuration.
#[test]
fn a_folder_without_a_configuration_is_completed_by_the_next_join_or_up() {
    let ann = Place::of("ann");
    ann.init("shop");
    let of_ann = ann.serve();
    ann.create("It works");
    let (ben, cem) = (newcomer(), Place::of("cem"));
    for half_made in [&ben, &cem] {
        fs::create_dir(half_made.home().dir()).unwrap();
        fs::write(half_made.home().key_file(), "").unwrap();
    }
    ben.run(&["join", "--timeout", "60s", &ann.invite(&[])]).ok();
    assert_eq!(ben.export(), ann.export());
    of_ann.stop();
    cem.start(&["up"]).stop();
    assert_eq!(cem.create("It works"), "1");
    cem.is_sound();
}

#[test]
fn an_init_that_is_killed_at_any_moment_goes_on_when_it_is_repeated() {
    let began = Instant::now();
    newcomer().run(&["init", "--name", "shop"]).ok();
    let usual = began.elapsed().as_micros() as u64 + 1;
    let mut dice = Dice::seeded(0x1417_11fe);
    let mut in_time = 0;
    for _ in 0..10 {
        let ben = newcomer();
        fs::create_dir(ben.dir().join(".git")).unwrap();
        for _ in 0..3 {
            let after = Duration::from_micros(dice.below(usual));
            in_time += u64::from(killed(&ben, &["init", "--name", "shop"], after));
        }
        let again = ben.run(&["init", "--name", "shop"]);
        // A kill that came too late found it done.
        assert!(matches!(again.code, Some(0 | 2)), "{again}");
        assert_eq!(ben.create("It works"), "1");
        ben.is_sound();
        assert_eq!(projects(&ben).len(), 1, "{:?}", projects(&ben));
        let ignored = fs::read_to_string(ben.dir().join(".gitignore")).unwrap();
        assert_eq!(ignored.matches(".towline").count(), 1, "{ignored}");
        ben.run(&["deinit", "--yes"]).ok();
        assert!(!ben.dir().join(".gitignore").exists());
    }
    assert!(
        in_time > 10,
        "only {in_time} kills came in time to prove anything"
    );
}
