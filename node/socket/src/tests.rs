//! The socket as people meet it: a real one in a temporary directory, and behind it a thread that
//! answers jobs as a project's thread does.

mod elsewhere;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use towline_api::request::{self, Administration, FailureCode, Query, Request};
use towline_proto::{NodeId, Origin, OriginKind};
use towline_store::home::Home;

use super::test_node::{node_at, try_node_at};
use super::*;

fn asks(name: &str, body: Request) -> Envelope {
    Envelope {
        project: None,
        origin: Origin::new(OriginKind::User, name).ok(),
        body,
    }
}

#[test]
fn one_connection_carries_many_requests_of_ann_and_bob() {
    let home = tempfile::tempdir().expect("tempdir");
    let node = node_at(home.path());
    let (mut ann, mut bob) = (node.client(), node.client());
    for round in 1..=3 {
        for (client, name) in [(&mut ann, "ann"), (&mut bob, "bob")] {
            let reply = client
                .ask(&asks(name, Request::Query(Query::Peers)))
                .expect("answered");
            assert!(matches!(reply, Reply::Synced { peers, .. } if peers == round));
        }
    }
    let mode = std::fs::metadata(&node.path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_failure_keeps_its_code_and_the_connection_lives_on() {
    let home = tempfile::tempdir().expect("tempdir");
    let node = node_at(home.path());
    let mut ann = node.client();
    let search = Request::Query(Query::Search {
        text: "x".repeat(1_000_000),
        limit: 1,
    });
    let failure = ann.ask(&asks("ann", search)).expect_err("not found");
    assert_eq!(failure.code, FailureCode::NotFound);
    assert_eq!(failure.message, "ann searched 1000000 bytes");
    let elsewhere = Envelope {
        project: Some("other".into()),
        ..asks("ann", Request::Query(Query::Peers))
    };
    let failure = ann.ask(&elsewhere).expect_err("no such project");
    assert_eq!(failure.message, "no project \"other\" here; available: demo");
    assert!(ann.ask(&asks("ann", Request::Query(Query::Members))).is_ok());
}

#[test]
fn hello_names_the_node_and_stop_ends_it_and_its_file() {
    let home = tempfile::tempdir().expect("tempdir");
    let mut node = node_at(home.path());
    let mut ann = node.client();
    let info = ann.hello().expect("greeted");
    assert_eq!(info.node, NodeId([7; 32]));
    assert_eq!(info.board.as_deref(), Some("http://127.0.0.1:1"));
    ann.stop().expect("taken in");
    node.ended().expect("ended well");
    assert!(!node.path.exists());
    assert!(Client::connect(&node.path).expect("no error").is_none());
    let failure = ann
        .ask(&asks("ann", Request::Query(Query::Peers)))
        .expect_err("gone");
    assert_eq!(failure.code, FailureCode::Unreachable);
}

#[test]
fn a_left_over_socket_is_replaced_but_a_living_one_is_not() {
    let home = tempfile::tempdir().expect("tempdir");
    let path = Home::at(home.path()).socket();
    std::fs::create_dir(path.parent().expect("a folder")).expect("made");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a killed node's socket"));
    assert!(path.exists());
    assert!(
        Client::connect(&path)
            .expect("nobody answers is no error")
            .is_none()
    );
    let first = node_at(home.path());
    let failure = try_node_at(home.path()).expect_err("the first one lives");
    assert_eq!(failure.code, FailureCode::Busy);
    assert!(first.client().hello().is_ok());
}

#[test]
fn a_project_deep_in_the_tree_is_reached_too() {
    let home = tempfile::tempdir().expect("tempdir");
    let deep = home.path().join("d".repeat(120));
    std::fs::create_dir(&deep).expect("made");
    let node = node_at(&deep);
    assert!(node.client().hello().is_ok());
}

#[test]
fn a_line_without_end_is_refused_and_cut_off() {
    let home = tempfile::tempdir().expect("tempdir");
    let node = node_at(home.path());
    let mut mallory = UnixStream::connect(&node.path).expect("connected");
    let junk = vec![b'x'; REQUEST_BYTES + 1];
    mallory
        .write_all(&junk)
        .expect("the server reads up to the limit");
    let mut answer = String::new();
    mallory.read_to_string(&mut answer).expect("a line, then the end");
    assert!(
        answer.starts_with(r#"{"error":{"code":"usage","message":"the request is too long"#),
        "{answer}"
    );
}

#[test]
fn what_is_no_request_is_explained() {
    let home = tempfile::tempdir().expect("tempdir");
    let node = node_at(home.path());
    let mut mallory = UnixStream::connect(&node.path).expect("connected");
    mallory
        .write_all(b"{\"control\":\"explode\"}\n\xff\xfe\n[[[[\n")
        .expect("sent");
    mallory.shutdown(std::net::Shutdown::Write).expect("half closed");
    let mut answer = String::new();
    mallory.read_to_string(&mut answer).expect("text");
    assert_eq!(answer.lines().count(), 3, "{answer}");
    assert!(
        answer
            .lines()
            .all(|line| line.contains("the line is not a request"))
    );
}

#[test]
fn an_answer_that_never_comes_ends_in_a_timeout_and_spoils_the_connection() {
    let home = tempfile::tempdir().expect("tempdir");
    let node = node_at(home.path());
    let mut ann = node.client().with_timeout(Duration::from_millis(50));
    let failure = ann
        .ask(&asks("ann", Request::Administration(Administration::Doctor)))
        .expect_err("nobody answers");
    assert_eq!(failure.code, FailureCode::TimedOut);
    let failure = ann
        .ask(&asks("ann", Request::Query(Query::Peers)))
        .expect_err("spoiled");
    assert_eq!(failure.code, FailureCode::Unreachable);
}

#[test]
fn the_sixty_fifth_client_is_told_to_try_again() {
    let home = tempfile::tempdir().expect("tempdir");
    let node = node_at(home.path());
    let mut crowd: Vec<_> = (0..CONNECTIONS).map(|_| node.client()).collect();
    for client in &mut crowd {
        client.hello().expect("has a place");
    }
    let failure = node.client().hello().expect_err("no free connection");
    assert_eq!(failure.code, FailureCode::Busy);
    crowd.pop();
    // The place is free once the server has seen the hang-up.
    let freed = std::iter::repeat_with(|| node.client().hello())
        .take(10_000)
        .any(|hello| hello.is_ok());
    assert!(freed);
}

#[test]
fn a_process_that_is_stopped_is_told_from_one_that_is_busy() {
    // The system takes connections for whoever listens, also where nobody will ever answer.
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("node.sock");
    let _listens = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let client = Client::connect(&path).unwrap().unwrap();
    let failure = client.check_alive(Duration::from_millis(50)).unwrap_err();
    assert_eq!(failure.code, FailureCode::Unreachable);
    assert!(failure.message.contains("stopped or hang"), "{failure}");

    let other = tempfile::tempdir().unwrap();
    let node = node_at(other.path());
    let ann = Client::connect(&node.path).unwrap().unwrap();
    let mut ann = ann
        .check_alive(Duration::from_secs(20))
        .unwrap()
        .with_timeout(Duration::from_millis(50));
    let failure = ann
        .ask(&asks("ann", Request::Administration(Administration::Doctor)))
        .unwrap_err();
    assert_eq!(failure.code, FailureCode::TimedOut);
}

#[test]
fn clients_that_say_nothing_whole_give_way() {
    use std::io::Write;
    let home = tempfile::tempdir().unwrap();
    let node = node_at(home.path());
    let mut ann = node.client();
    ann.hello().expect("has a place");
    let silent: Vec<_> = (0..2 * CONNECTIONS)
        .map(|n| {
            let mut stream = std::os::unix::net::UnixStream::connect(&node.path).unwrap();
            // Half of them begin a request.
            if n % 2 == 0 {
                stream.write_all(b"{\"control\":").unwrap();
            }
            stream
        })
        .collect();
    let served = std::iter::repeat_with(|| node.client().hello())
        .take(100_000)
        .any(|hello| hello.is_ok());
    assert!(served, "somebody silent gave way");
    ann.hello().expect("whoever has spoken keeps the place");
    drop(silent);
}

#[test]
fn a_node_that_hangs_up_before_it_was_asked_anything_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listens = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let client = Client::connect(&path).unwrap().unwrap();
    drop(listens.accept().unwrap());
    let failure = client.check_alive(Duration::from_secs(20)).unwrap_err();
    assert_eq!(failure.code, FailureCode::Busy, "{failure}");
}

#[test]
fn a_first_request_takes_one_round_trip_and_is_not_done_when_nobody_waits_for_it() {
    let home = tempfile::tempdir().unwrap();
    let node = node_at(home.path());
    let ann = Client::connect(&node.path).unwrap().unwrap();
    let question = asks("ann", Request::Query(request::Query::Peers));
    let (mut ann, answer) = ann
        .check_alive_and_ask(Duration::from_secs(20), &question)
        .unwrap();
    let asked = |answer: Result<Reply, Failure>| match answer {
        // The node of these tests counts what it was asked.
        Ok(Reply::Synced { peers, .. }) => peers,
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(answer), 1);
    assert_eq!(asked(ann.ask(&question)), 2);

    // Two lines and no answer in between: that is all that a node gets to see.
    let path = home.path().join("silent");
    let listens = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let bob = Client::connect(&path).unwrap().unwrap();
    let failure = bob
        .check_alive_and_ask(Duration::from_millis(50), &question)
        .unwrap_err();
    assert_eq!(failure.code, FailureCode::Unreachable, "{failure}");
    let (mut stream, _) = listens.accept().unwrap();
    let mut lines = String::new();
    stream.read_to_string(&mut lines).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    // Whoever answers the first line learns that the client is gone, before the second one.
    assert!(stream.write_all(b"{}\n").is_err());
}
