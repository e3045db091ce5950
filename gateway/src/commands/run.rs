//! Executes a parsed command: sends one request to one project and renders the reply.

use towline_api::activity_text::STORIES;
use towline_api::request::{Command, Edit, Filter, NewItem, Query, Reply, Request, Transition};
use towline_engine::handle::{NodeHandle, ProjectLink};
use towline_proto::text::show;
use towline_proto::{Column, Kind, Status, Verb};

use super::help::help;
use super::parse::{ParsedCommand, duration, split_item};
use super::table::Action;
use super::{CommandContext, CommandResponse, render};

/// Maximum number of items in a list.
const LISTED: usize = 20;

/// Executes a command; an error is one line of text.
pub(super) async fn run(
    handle: &NodeHandle,
    context: &CommandContext,
    parsed: &ParsedCommand,
) -> Result<CommandResponse, String> {
    let Some(link) = project_of(handle, context, parsed) else {
        return without_project(handle, context, parsed).await;
    };
    let link = link?;
    match parsed.command.action {
        Action::Status => Ok(CommandResponse::Text(status(handle, &link).await?)),
        Action::Switch => Ok(CommandResponse::Switch(link.name)),
        Action::List => {
            let filter = filter(list_filter(parsed).1);
            cards(
                handle,
                &link,
                Request::Query(Query::List(filter)),
                "no items match",
            )
            .await
        }
        Action::Ready => {
            let asker = Some(context.origin.id.clone());
            let ready = Request::Query(Query::Ready { asker, all: false });
            cards(handle, &link, ready, "no items are ready to start").await
        }
        Action::Show => {
            let request = Request::Query(Query::Show {
                item: parsed.arg(0).to_owned(),
            });
            match send(handle, &link, None, request).await? {
                Reply::Page(page) => Ok(CommandResponse::Text(render::item_page(&link.name, &page))),
                Reply::Pages(pages) => Ok(CommandResponse::Text(render::ambiguous_number(
                    &link.name, &pages,
                ))),
                other => Err(unexpected(&other)),
            }
        }
        Action::Explain => {
            let request = Request::Query(Query::Explain {
                item: parsed.arg(0).to_owned(),
            });
            match send(handle, &link, None, request).await? {
                Reply::Explanations(explained) => Ok(CommandResponse::Text(render::explanations(
                    &link.name,
                    &explained,
                    &context.prefix,
                ))),
                other => Err(unexpected(&other)),
            }
        }
        Action::Conflicts => {
            let (_, wanted) = split_item(parsed.arg(0));
            let request = Request::Query(Query::Conflicts {
                item: Some(wanted).filter(|item| !item.is_empty()),
            });
            match send(handle, &link, None, request).await? {
                Reply::Conflicts(open) if open.is_empty() => Ok(CommandResponse::Text(format!(
                    "{}: no unresolved conflicts",
                    link.name
                ))),
                Reply::Conflicts(open) => Ok(CommandResponse::Text(render::conflicts(
                    &link.name,
                    &open,
                    &context.prefix,
                ))),
                other => Err(unexpected(&other)),
            }
        }
        _ => {
            let request = write_request(handle, &link, parsed)?;
            match send(handle, &link, Some(context), request).await? {
                Reply::Applied(applied) if parsed.command.action == Action::Create => {
                    Ok(CommandResponse::Text(render::created(&link.name, &applied.card)))
                }
                Reply::Applied(applied) if !applied.notes.is_empty() => Ok(CommandResponse::Text(format!(
                    "done; note: {}",
                    applied.notes.join("; ")
                ))),
                Reply::Applied(_) | Reply::Done => Ok(CommandResponse::Done),
                other => Err(unexpected(&other)),
            }
        }
    }
}

/// Executes a command that is about no project or about all.
async fn without_project(
    handle: &NodeHandle,
    context: &CommandContext,
    parsed: &ParsedCommand,
) -> Result<CommandResponse, String> {
    match parsed.command.action {
        Action::Help => Ok(CommandResponse::Text(help(context, parsed.arg(0))?)),
        Action::Mute => Ok(CommandResponse::Mute(Some(duration(parsed.arg(0))?))),
        Action::Unmute => Ok(CommandResponse::Mute(None)),
        Action::Resend => Ok(CommandResponse::Resend),
        Action::RelayStatus => Ok(CommandResponse::RelayStatus),
        _ => all_status(handle).await,
    }
}

/// The project of a command: the named one, else the room's active one, else the only one. `None` for a command
/// without a project.
pub(super) fn project_of(
    handle: &NodeHandle,
    context: &CommandContext,
    parsed: &ParsedCommand,
) -> Option<Result<ProjectLink, String>> {
    let named = match parsed.command.action {
        Action::Help
        | Action::AllStatus
        | Action::Mute
        | Action::Unmute
        | Action::Resend
        | Action::RelayStatus => {
            return None;
        }
        Action::Status | Action::Switch => Some(parsed.arg(0))
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        Action::List => list_filter(parsed).0.map(str::to_owned),
        Action::Conflicts => split_item(parsed.arg(0)).0,
        _ => parsed.project.clone(),
    };
    Some(project(handle, context, named.as_deref()))
}

/// The project of a list, as in `shop/`, and the filter after it.
fn list_filter(parsed: &ParsedCommand) -> (Option<&str>, &str) {
    let text = parsed.arg(0).trim();
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match first.strip_suffix('/').filter(|name| !name.is_empty()) {
        Some(project) => (Some(project), rest),
        None => (None, text),
    }
}

/// The named project, else the room's active one, else the only one.
fn project(
    handle: &NodeHandle,
    context: &CommandContext,
    wanted: Option<&str>,
) -> Result<ProjectLink, String> {
    let wanted = wanted.or(context.active.as_deref());
    handle.project(wanted).map_err(|failure| match wanted {
        None => format!(
            "{} (name it as in `{p}show demo/42`, or set it for this room with `{p}switch demo`)",
            failure.message,
            p = context.prefix
        ),
        Some(_) => failure.message,
    })
}

async fn send(
    handle: &NodeHandle,
    link: &ProjectLink,
    context: Option<&CommandContext>,
    request: Request,
) -> Result<Reply, String> {
    let origin = context.map(|context| context.origin.clone());
    let request = match context.and_then(|context| context.request) {
        Some(id) => Request::Idempotent {
            id,
            of: Box::new(request),
        },
        None => request,
    };
    // The message of the project says what is possible; chat shows it on one line.
    handle
        .request(&link.id, origin, request)
        .await
        .map_err(|failure| failure.message.lines().collect::<Vec<_>>().join(" "))
}

/// The request of a command that writes.
fn write_request(handle: &NodeHandle, link: &ProjectLink, parsed: &ParsedCommand) -> Result<Request, String> {
    let target = parsed.arg(0).to_owned();
    let text = |index| Some(parsed.arg(index).to_owned()).filter(|text| !text.is_empty());
    let transition = |verb| Transition::plain(target.clone(), verb);
    Ok(match parsed.command.action {
        Action::Create => Request::Command(Command::Create(NewItem {
            kind: kind(parsed.arg(0))?,
            title: parsed.arg(1).to_owned(),
            body: String::new(),
            upcoming: false,
            priority: None,
            qa: None,
            labels: Vec::new(),
            depends_on: Vec::new(),
            epic: None,
            assignee: None,
            criteria: Vec::new(),
        })),
        Action::Move => Request::Command(Command::Transition(Transition {
            to: Some(parse_word::<Column>(parsed.arg(1))?),
            reason: text(2),
            ..transition(Verb::Move)
        })),
        Action::Plain(verb) => Request::Command(Command::Transition(transition(verb))),
        Action::Reason(verb) => Request::Command(Command::Transition(Transition {
            reason: text(1),
            ..transition(verb)
        })),
        Action::ForceStart => Request::Command(Command::Transition(Transition {
            reason: text(1),
            force: true,
            ..transition(Verb::Start)
        })),
        Action::Supersede => Request::Command(Command::Transition(Transition {
            by: Some(same_project(handle, link, parsed.arg(1))?),
            ..transition(Verb::Supersede)
        })),
        Action::Resolve => Request::Command(Command::Resolve {
            item: target,
            keep: parsed.arg(1).to_owned(),
            conflict: text(2),
        }),
        Action::Comment => Request::Command(Command::Comment {
            item: target,
            text: parsed.arg(1).to_owned(),
        }),
        Action::Assign => Request::Command(Command::Edit(Edit {
            item: target,
            assignee: Some(text(1).filter(|who| who != "-").unwrap_or_default()),
            ..Edit::default()
        })),
        Action::Depends => Request::Command(Command::Depends {
            item: target,
            add: vec![same_project(handle, link, parsed.arg(1))?],
            remove: Vec::new(),
        }),
        Action::Help
        | Action::Status
        | Action::AllStatus
        | Action::List
        | Action::Show
        | Action::Explain
        | Action::Conflicts
        | Action::Ready
        | Action::Mute
        | Action::Unmute
        | Action::Resend
        | Action::RelayStatus
        | Action::Switch => {
            return Err(format!("`{}` does not write", parsed.command.name));
        }
    })
}

/// The other item of a relation; it has to be in the same project.
fn same_project(handle: &NodeHandle, link: &ProjectLink, text: &str) -> Result<String, String> {
    let (project, item) = split_item(text);
    if let Some(project) = project
        && handle
            .project(Some(&project))
            .map_err(|failure| failure.message)?
            .id
            != link.id
    {
        let text = show(text, 80);
        return Err(format!(
            "both items must be in the same project, and {text} is not in {}",
            link.name
        ));
    }
    Ok(item)
}

/// A kind, or a name that other trackers use for a story.
fn kind(text: &str) -> Result<Kind, String> {
    match text.to_lowercase().as_str() {
        word if STORIES.contains(&word) => Ok(Kind::Story),
        other => parse_word::<Kind>(other),
    }
}

fn parse_word<T: std::str::FromStr<Err = towline_proto::stage::UnknownWord>>(
    text: &str,
) -> Result<T, String> {
    text.to_lowercase()
        .parse::<T>()
        .map_err(|error| error.to_string())
}

/// Columns, kinds, badges, labels and assignees filter the list; other words are searched in titles.
fn filter(text: &str) -> Filter {
    let mut filter = Filter {
        limit: LISTED + 1,
        ..Filter::default()
    };
    let mut words = Vec::new();
    for part in text.split_whitespace() {
        let lower = part.to_lowercase();
        if let Ok(column) = lower.parse::<Column>() {
            filter.all |= !column.is_open();
            filter.columns.push(column);
        } else if let Ok(kind) = lower.parse::<Kind>() {
            filter.kinds.push(kind);
        } else if let Ok(status) = lower.parse::<Status>() {
            filter.statuses.push(status);
        } else if lower == "all" {
            filter.all = true;
        } else if let Some(label) = part.strip_prefix('+') {
            filter.labels.push(label.to_owned());
        } else if let Some(who) = part.strip_prefix('@').filter(|who| !who.is_empty()) {
            // A chat identity is recorded with its `@`.
            let who = if who.contains(':') { part } else { who };
            filter.assignee = Some(who.to_owned());
        } else {
            words.push(part);
        }
    }
    if !words.is_empty() {
        filter.text = Some(words.join(" "));
    }
    filter
}

async fn cards(
    handle: &NodeHandle,
    link: &ProjectLink,
    request: Request,
    none: &str,
) -> Result<CommandResponse, String> {
    match send(handle, link, None, request).await? {
        Reply::Cards(cards) if cards.is_empty() => {
            Ok(CommandResponse::Text(format!("{}: {none}", link.name)))
        }
        Reply::Cards(cards) => Ok(CommandResponse::Text(render::cards(&link.name, &cards, LISTED))),
        other => Err(unexpected(&other)),
    }
}

async fn status(handle: &NodeHandle, link: &ProjectLink) -> Result<String, String> {
    match send(handle, link, None, Request::Query(Query::Status)).await? {
        Reply::Status(mut status) => {
            // The name that commands accept: it is longer if another project has the same name.
            status.name.clone_from(&link.name);
            Ok(render::status(&status))
        }
        other => Err(unexpected(&other)),
    }
}

async fn all_status(handle: &NodeHandle) -> Result<CommandResponse, String> {
    let mut lines = Vec::new();
    for link in handle.projects() {
        match status(handle, &link).await {
            Ok(line) => lines.push(line),
            Err(problem) => lines.push(format!("{}: {problem}", link.name)),
        }
    }
    if lines.is_empty() {
        return Err("this gateway has not joined a project yet".to_owned());
    }
    Ok(CommandResponse::Text(lines.join("\n")))
}

fn unexpected(reply: &Reply) -> String {
    tracing::error!(?reply, "unexpected reply from a project");
    "the project sent an unexpected reply; this is a bug in towline".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_recognises_columns_kinds_badges_labels_and_assignees() {
        let filter = filter("qa bug blocked +urgent @ann done log in");
        assert_eq!(filter.columns, [Column::Qa, Column::Done]);
        assert_eq!(filter.kinds, [Kind::Bug]);
        assert_eq!(filter.statuses, [Status::Blocked]);
        assert_eq!(filter.labels, ["urgent"]);
        assert_eq!(filter.assignee.as_deref(), Some("ann"));
        assert_eq!(filter.text.as_deref(), Some("log in"));
    }
}
