//! Addresses that cannot be listened on: the reason is said, and those that nobody chose may be missing.

use std::net::TcpListener;

use towline_tests::process::{Place, finish, program, world};

#[test]
fn a_port_that_is_taken_is_called_so() {
    let ann = Place::of("ann");
    ann.init("shop");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port());
    ann.run(&["serve", "--listen", &address])
        .refused(1, &["cannot listen on", &address, "in use"]);
    // An address of somebody else.
    ann.run(&["serve", "--listen", "/ip4/192.0.2.1/tcp/0"])
        .refused(1, &["/ip4/192.0.2.1", "assign"]);
}

#[test]
fn an_address_that_was_asked_for_must_be_had_and_one_of_those_that_nobody_chose_need_not() {
    let network = world::lonely_network();
    let ann = Place::of("ann");
    ann.run(&["init"]).ok();
    let serve = |args: &[&str]| {
        let mut command = world::wrapped(&network, &program("towline"));
        command
            .current_dir(ann.dir())
            .args(["serve", "--board", "127.0.0.1:0"])
            .args(args);
        command
    };
    finish(serve(&["--listen", "/ip6/::/tcp/0"])).refused(1, &["/ip6/::/tcp/0", "such an address"]);
    finish(serve(&[
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
        "--listen",
        "/ip6/::1/tcp/0",
    ]))
    .refused(1, &["/ip6/::1/tcp/0", "assign"]);
    // The default list: it stays until it is ended.
    let node = ann.start_as(serve(&[]));
    node.stop();
}
