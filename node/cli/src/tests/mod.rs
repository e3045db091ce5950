//! The command line without a node, and with one behind its socket.

mod acting;
mod old_words;
mod planning;
#[allow(dead_code, reason = "the tests of the socket use more of it")]
#[path = "../../../socket/src/test_node.rs"]
mod test_node;

use std::path::Path;

use jiff::tz::TimeZone;
use towline_proto::Millis;
use towline_socket::{BoundSocket, Client, ControlHandler, NodeInfo, serve};

use super::args::Cli;
use super::context::Context;
use super::render::View;
use super::style::Style;

pub(super) fn typed(line: &[&str]) -> Cli {
    let words = std::iter::once("towline").chain(line.iter().copied());
    Cli::read(words.map(Into::into)).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn ctx(cli: &Cli, dir: &Path) -> Context {
    Context {
        dir: dir.to_owned(),
        global: cli.global.clone(),
        view: View {
            now: Millis(1_795_176_000_000),
            width: 80,
            style: Style::PLAIN,
            zone: TimeZone::UTC,
        },
        stderr_style: Style::PLAIN,
        user: Some("ann".into()),
        display: false,
        terminal: false,
        screen_lines: None,
        pager: None,
        editor: None,
        busy_timeout: None,
    }
}
