//! `watch`: prints events as they happen.
//!
//! Polls a running node for the events after the last position. It never opens the store: that would lock out all
//! other commands.

use std::io::Write;
use std::thread;
use std::time::Duration;

use towline_api::request::{Failure, FailureCode, Query, Reply, Request};

use super::args::WatchArgs;
use super::context::{Context, now};
use super::render::View;
use super::{Backend, CliError, backend, envelope, json, render};

/// How long to wait when there was nothing new: fresh enough for people, and next to no work.
const POLL_INTERVAL: Duration = Duration::from_millis(300);
/// Events in one answer.
const EVENTS: usize = 256;

pub(super) fn run(ctx: &Context, args: &WatchArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let mut node = backend::running(ctx)?;
    let backend: &mut dyn Backend = &mut *node;
    let mut after = match args.after {
        Some(position) => position,
        None => current_position(ctx, backend)?,
    };
    ctx.say(&format!("Watching from position {after}; press Ctrl-C to stop."));
    let mut left = args.limit.unwrap_or(usize::MAX);
    while left > 0 {
        let body = Request::Query(Query::Events { after, limit: EVENTS });
        let Reply::Events(events) = backend.request(envelope(ctx, None, body))? else {
            return Err(unexpected_reply().into());
        };
        if events.is_empty() {
            thread::sleep(POLL_INTERVAL);
            continue;
        }
        for event in &events {
            if left == 0 {
                break;
            }
            after = event.position;
            left -= 1;
            let line = if ctx.global.json {
                json::event(event)
            } else {
                let view = View {
                    now: now(),
                    ..ctx.view.clone()
                };
                render::event(&view, event)
            };
            out.write_all(line.as_bytes())?;
        }
        out.flush()?;
    }
    Ok(())
}

fn current_position(ctx: &Context, backend: &mut dyn Backend) -> Result<u64, Failure> {
    match backend.request(envelope(ctx, None, Request::Query(Query::Status)))? {
        Reply::Status(status) => Ok(status.last_event.map_or(0, |event| event.position)),
        _ => Err(unexpected_reply()),
    }
}

fn unexpected_reply() -> Failure {
    Failure::new(
        FailureCode::Failure,
        "unexpected reply from the node; it may run another version of towline",
    )
}
