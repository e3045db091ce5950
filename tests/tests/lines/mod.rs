//! Members on lines that are cut, slow, or lead nowhere any more: real processes in network namespaces of the
//! test's own.
//!
//! A node that is far away is known by what its own commands say. What is asked for is a bound in time ("within
//! 10 s of the end of a cut"), so here, and only here, a deadline is the assertion.

use std::fs;
use std::time::Duration;

use towline_tests::netns::Lan;
use towline_tests::process::{Place, Running, let_pass, until, until_for};

/// Somebody's folder on a host of the network. The node listens there; nothing is announced on the local
/// network unless a test says so.
fn place(lan: &Lan, who: &'static str, host: usize) -> Place {
    let place = Place::of(who).within(&lan.host(host));
    let address = lan.address(host);
    place.configure(|config| {
        config.node_name = who.to_owned();
        config.listen = vec![format!("/ip4/{address}/tcp/0")];
        config.mdns = false;
    });
    place
}

fn same(places: &[&Place]) -> bool {
    let first = places[0].export();
    places.iter().all(|place| place.export() == first)
}

/// A fleet of five of which the inviter has left for ever: four members that rest. Ann let each of them in,
/// and none was told where another one is but by those who know.
struct Fleet {
    lan: Lan,
    places: Vec<Place>,
}

impl Fleet {
    fn new() -> Self {
        let lan = Lan::new(5);
        let ann = place(&lan, "ann", 0);
        ann.run(&["init", "--name", "shop"]).ok();
        let of_ann = ann.serve();
        ann.create("Made before anybody came");
        let others = ["ben", "cy", "dan", "eve"];
        let places: Vec<_> = others
            .iter()
            .zip(1..)
            .map(|(who, host)| place(&lan, who, host))
            .collect();
        let mut nodes = Vec::new();
        for place in &places {
            place.run(&["join", "--timeout", "60s", &ann.invite(&[])]).ok();
            nodes.push(place.serve());
        }
        let five: Vec<_> = places.iter().chain([&ann]).collect();
        until("all five hold the same", || same(&five));
        for node in nodes {
            node.stop();
        }
        of_ann.kill();
        lan.cut(0);
        Self { lan, places }
    }

    fn run(&self) -> Vec<Running<'_>> {
        self.places.iter().map(Place::serve).collect()
    }

    fn all(&self) -> Vec<&Place> {
        self.places.iter().collect()
    }

    /// Cuts two of the four off, has everybody write, and waits until all hold the same.
    fn survives(&self, cut: Duration) {
        let all = self.all();
        let items = all[0].items().len();
        for host in [3, 4] {
            self.lan.cut(host);
        }
        for place in &all {
            place.create(&format!("Made at the beginning of {} s", cut.as_secs()));
        }
        // The length of the cut is what is tried here.
        let_pass(cut);
        for place in &all {
            place.create(&format!("Made at the end of {} s", cut.as_secs()));
        }
        assert!(!same(&all), "there was no cut");
        for host in [3, 4] {
            self.lan.reconnect(host);
        }
        until("all hold the same after the cut", || same(&all));
        assert_eq!(all[0].items().len(), items + 8);
    }
}

#[test]
fn four_members_find_each_other_without_their_inviter_and_after_a_cut() {
    let fleet = Fleet::new();
    let nodes = fleet.run();
    for place in fleet.all() {
        place.create("Made when the inviter was gone");
    }
    until("all four hold the same", || same(&fleet.all()));
    assert_eq!(fleet.places[0].items().len(), 5);
    fleet.survives(Duration::from_secs(12));
    for node in nodes {
        node.stop();
    }
}

#[test]
#[ignore = "minutes long: `cargo xtask soak`"]
fn all_hold_the_same_after_long_cuts() {
    let fleet = Fleet::new();
    let nodes = fleet.run();
    until("all four hold the same", || same(&fleet.all()));
    for seconds in [12, 60, 90] {
        fleet.survives(Duration::from_secs(seconds));
    }
    drop(nodes);
}

/// Text that does not compress well.
fn noise(seed: u64, bytes: usize) -> String {
    let mut dice = towline_tests::process::Dice::seeded(seed);
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ  ";
    let letter = |at: u64| char::from(letters[at as usize]);
    (0..bytes)
        .map(|_| letter(dice.below(letters.len() as u64)))
        .collect()
}

fn slow_line(items: u64) {
    let lan = Lan::new(2);
    let (ann, ben) = (place(&lan, "ann", 0), place(&lan, "ben", 1));
    ann.run(&["init", "--name", "shop"]).ok();
    let of_ann = ann.serve();
    ben.run(&["join", "--timeout", "60s", &ann.invite(&[])]).ok();
    for number in 0..items {
        let file = ann.dir().join("body.md");
        fs::write(&file, noise(number, 10_000)).unwrap();
        ann.run(&["create", "story", "A long one", "--body-file", "body.md"])
            .ok();
    }
    lan.slow(1, "50kbit");
    let of_ben = ben.serve();
    until("something is stored at 50 kbit/s", || !ben.items().is_empty());
    lan.cut(1);
    // Longer than a silent line is waited for.
    let_pass(Duration::from_secs(12));
    let stored = ben.items().len();
    lan.reconnect(1);
    until("it goes on where it was", || ben.items().len() > stored);
    let patience = Duration::from_secs(60 + 10 * items);
    until_for(patience, "all of it has come", || same(&[&ann, &ben]));
    ben.is_sound();
    of_ben.stop();
    of_ann.stop();
}

#[test]
fn a_line_of_50_kbit_stores_what_comes_across_a_cut_and_completes() {
    slow_line(10);
}

#[test]
#[ignore = "minutes long: `cargo xtask soak`"]
fn a_line_of_50_kbit_carries_700_kb_across_long_cuts() {
    slow_line(70);
}

#[test]
fn members_without_a_single_address_find_each_other_on_the_local_network() {
    let lan = Lan::new(2);
    let (ann, ben) = (place(&lan, "ann", 0), place(&lan, "ben", 1));
    ann.run(&["init", "--name", "shop"]).ok();
    let of_ann = ann.serve();
    ben.run(&["join", "--timeout", "60s", &ann.invite(&[])]).ok();
    of_ann.stop();
    for place in [&ann, &ben] {
        fs::remove_file(place.home().dir().join("peers.json")).unwrap();
        place.configure(|config| config.mdns = true);
    }
    ann.create("Made while nobody knew where the other is");
    let (of_ann, of_ben) = (ann.serve(), ben.serve());
    until("Ben has it", || ben.items().len() == 1);
    of_ben.stop();
    of_ann.stop();
}

#[test]
fn what_peers_me_prints_is_what_bootstrap_takes() {
    let lan = Lan::new(2);
    let (ann, ben) = (place(&lan, "ann", 0), place(&lan, "ben", 1));
    ann.run(&["init", "--name", "shop"]).ok();
    let of_ann = ann.serve();
    ben.run(&["join", "--timeout", "60s", &ann.invite(&[])]).ok();
    for place in [&ann, &ben] {
        fs::remove_file(place.home().dir().join("peers.json")).unwrap_or_default();
    }
    of_ann.stop();
    fs::remove_file(ann.home().dir().join("peers.json")).unwrap();
    // Ann is somewhere else now, and nobody was told.
    fs::remove_file(ann.home().dir().join("port")).unwrap();
    let of_ann = ann.serve();
    let mine = ann.run(&["peers", "--me"]).ok();
    let address = mine.lines().next().unwrap();
    assert!(
        address.starts_with(&format!("/ip4/{}/tcp/", lan.address(0))),
        "{mine}"
    );
    assert_eq!(ann.json(&["peers", "--me"])["addresses"][0], address);
    ben.run(&["config", "bootstrap", address]).ok();
    ann.create("Found by hand");
    let of_ben = ben.serve();
    until("Ben has it", || ben.items().len() == 1);
    of_ben.stop();
    of_ann.stop();
}
