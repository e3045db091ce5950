//! `open`: a link that signs in to the board, or to the page of an item, shown in a browser.
//!
//! The node makes the link, which works once. Without a display it is only printed. Never waits for the browser.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use towline_api::document::schema;
use towline_api::request::{Failure, FailureCode, Query, Reply, Request};
use towline_socket::Client;

use super::args::OpenArgs;
use super::context::Context;
use super::{Backend, CliError, backend, edit, envelope, json};

pub(super) fn run(ctx: &Context, args: &OpenArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let who = ctx.origin()?;
    let mut node = backend::running(ctx)?;
    let page = match &args.item {
        Some(item) => Some(item_page(ctx, &mut node, item)?),
        None => None,
    };
    let Reply::Link { mut url } = node.login(&who.id)? else {
        return Err(unexpected_reply().into());
    };
    if let Some(page) = page {
        url.push_str("&to=");
        url.push_str(&page);
    }
    if ctx.global.json {
        let address = BTreeMap::from([("board", &url)]);
        out.write_all(json::document(schema::BOARD, address).as_bytes())?;
        return Ok(());
    }
    writeln!(out, "{url}")?;
    out.flush()?;
    if !show(ctx, &url) {
        ctx.say("No browser was started; open the address yourself. It signs you in once.");
    }
    Ok(())
}

/// The path of an item's page on the board.
pub(super) fn item_page(ctx: &Context, node: &mut Client, item: &str) -> Result<String, Failure> {
    let page = edit::one_page(ctx, node, item.to_owned())?;
    let Reply::Status(status) = Backend::request(node, envelope(ctx, None, Request::Query(Query::Status)))?
    else {
        return Err(unexpected_reply());
    };
    // By its id, because names may need escapes, and two projects may have one name.
    Ok(format!("/p/{}/items/{}", status.id, page.card.handle))
}

/// Shows an address in a browser, if there is a display. Returns whether a browser was started.
pub(super) fn show(ctx: &Context, url: &str) -> bool {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let start = || {
        Command::new(opener)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    };
    ctx.display && start().is_ok()
}

fn unexpected_reply() -> Failure {
    Failure::new(
        FailureCode::Failure,
        "unexpected reply from the node to open; it may run another version of towline",
    )
}
