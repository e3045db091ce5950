//! Crowds of connections that say nothing whole: to the port for members, to the board, to the socket.
//!
//! All of it comes from the very address that honest people come from: 127.0.0.1.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use towline_tests::process::{Place, Running, port, until};

use super::{descriptors, shop};

/// Connections to the port for members.
const SILENT: usize = 100;
/// Requests to the board that nobody finishes.
const UNFINISHED: usize = 2_000;
/// Descriptors that a node may have: what most systems give a process.
const DESCRIPTORS: usize = 1_024;
/// Descriptors that come and go by themselves: a connection of a member, a file that is being written.
const SLACK: usize = 8;

fn limit_descriptors(node: &Running<'_>) {
    let pid = node.pid().to_string();
    let limit = format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}");
    let done = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(done.expect("prlimit").success());
}

/// Opens a connection and says the beginning of something.
fn begin(address: SocketAddr, said: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(20)).ok()?;
    // Whoever was refused already hears of it here.
    let _ = stream.write_all(said);
    Some(stream)
}

/// A page of the board, as a browser would get it.
fn page(board: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(board).expect("the board listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {board}\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .expect("the request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

pub(super) fn board_of(place: &Place) -> SocketAddr {
    let mut client = towline_socket::Client::connect(&place.home().socket())
        .expect("a socket")
        .expect("a node");
    let board = client.hello().expect("an answer").board.expect("a board");
    board.trim_start_matches("http://").parse().expect("an address")
}

#[test]
fn a_crowd_that_says_nothing_whole_keeps_nobody_out() {
    // This process holds the other ends.
    let _ = Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string(), "--nofile=8192"])
        .status();
    let ann = shop();
    let node = ann.serve();
    limit_descriptors(&node);
    let ticket = ann.invite(&[]);
    let members: SocketAddr = format!("127.0.0.1:{}", port(&ticket))
        .parse()
        .expect("an address");
    let board = board_of(&ann);
    page(board, "/p/shop");
    let before = descriptors(&node);

    // Half of them begin a handshake, as libp2p does.
    let hello: &[u8] = b"\x13/multistream/1.0.0\n";
    let silent: Vec<_> = (0..SILENT)
        .map(|n| begin(members, if n % 2 == 0 { hello } else { b"" }))
        .collect();
    let said: [&[u8]; 4] = [
        b"",
        b"GET / HT",
        b"GET /p/shop HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /logout HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\ncsrf=",
    ];
    let unfinished: Vec<_> = (0..UNFINISHED)
        .map(|n| begin(board, said[n % said.len()]))
        .collect();
    assert!(descriptors(&node) < DESCRIPTORS / 2, "{}", descriptors(&node));

    // In the middle of it all goes on.
    ann.create("In the middle of a crowd");
    page(board, "/p/shop");
    page(board, "/metrics");
    let bob = Place::of("bob");
    bob.join(&ticket);
    assert_eq!(bob.export(), ann.export());
    drop((silent, unfinished));

    until("descriptors are back", || descriptors(&node) <= before + SLACK);
    assert!(
        !node.said().contains("ERROR") && node.said().lines().count() < 5,
        "{}",
        node.said()
    );
    page(board, "/p/shop");
    node.stop();
    ann.is_sound();
}

#[test]
fn whoever_says_nothing_is_hung_up_on() {
    let ann = shop();
    let node = ann.serve();
    let ticket = ann.invite(&[]);
    let members: SocketAddr = format!("127.0.0.1:{}", port(&ticket))
        .parse()
        .expect("an address");
    for (address, said) in [
        (members, &b""[..]),
        (board_of(&ann), b""),
        (board_of(&ann), b"GET / HTTP/1.1\r\nHost: x"),
    ] {
        let mut stream = begin(address, said).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a timeout");
        let mut rest = Vec::new();
        // A reset is as good as an end; what must not be is a wait until our own time is up.
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{address}"),
        }
    }
    node.stop();
}
