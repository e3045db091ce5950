//! Performing a parsed command: one request to one project, and what to say about it.

use towline_node::activity_text::STORIES;
use towline_node::api::request::{Edit, Filter, NewItem, Reply, Request, Transition};
use towline_node::handle::{NodeHandle, ProjectLink};
use towline_proto::text::show;
use towline_proto::{Column, Kind, Status, Verb};

use super::help::help;
use super::parse::{Parsed, item, span};
use super::table::Does;
use super::{Answer, Context, render};

/// Items that one answer lists at most.
const LISTED: usize = 20;

/// Runs a command; an error is the line to say.
pub(super) async fn run(handle: &NodeHandle, context: &Context, parsed: &Parsed) -> Result<Answer, String> {
    let Some(link) = project_of(handle, context, parsed) else {
        return without_project(handle, context, parsed).await;
    };
    let link = link?;
    match parsed.command.does {
        Does::Status => Ok(Answer::Say(status(handle, &link).await?)),
        Does::Switch => Ok(Answer::Switch(link.name)),
        Does::List => {
            let filter = filter(list_words(parsed).1);
            cards(handle, &link, Request::List(filter), "nothing fits").await
        }
        Does::Ready => {
            let asker = Some(context.origin.id.clone());
            let ready = Request::Ready { asker, all: false };
            cards(handle, &link, ready, "nothing is ready to start").await
        }
        Does::Show => {
            let request = Request::Show {
                item: parsed.arg(0).to_owned(),
            };
            match ask(handle, &link, None, request).await? {
                Reply::Page(page) => Ok(Answer::Say(render::page(&link.name, &page))),
                Reply::Pages(pages) => Ok(Answer::Say(render::several(&link.name, &pages))),
                other => Err(unexpected(&other)),
            }
        }
        Does::Explain => {
            let request = Request::Explain {
                item: parsed.arg(0).to_owned(),
            };
            match ask(handle, &link, None, request).await? {
                Reply::Explanations(explained) => Ok(Answer::Say(render::explanations(
                    &link.name,
                    &explained,
                    &context.prefix,
                ))),
                other => Err(unexpected(&other)),
            }
        }
        Does::Conflicts => {
            let (_, wanted) = item(parsed.arg(0));
            let request = Request::Conflicts {
                item: Some(wanted).filter(|item| !item.is_empty()),
            };
            match ask(handle, &link, None, request).await? {
                Reply::Conflicts(open) if open.is_empty() => {
                    Ok(Answer::Say(format!("{}: nothing contends", link.name)))
                }
                Reply::Conflicts(open) => {
                    Ok(Answer::Say(render::conflicts(&link.name, &open, &context.prefix)))
                }
                other => Err(unexpected(&other)),
            }
        }
        _ => {
            let request = write(handle, &link, parsed)?;
            match ask(handle, &link, Some(context), request).await? {
                Reply::Applied(applied) if parsed.command.does == Does::Create => {
                    Ok(Answer::Say(render::created(&link.name, &applied.card)))
                }
                Reply::Applied(applied) if !applied.notes.is_empty() => {
                    Ok(Answer::Say(format!("done; note: {}", applied.notes.join("; "))))
                }
                Reply::Applied(_) | Reply::Done => Ok(Answer::Done),
                other => Err(unexpected(&other)),
            }
        }
    }
}

/// Commands about no project, or about all.
async fn without_project(handle: &NodeHandle, context: &Context, parsed: &Parsed) -> Result<Answer, String> {
    match parsed.command.does {
        Does::Help => Ok(Answer::Say(help(context, parsed.arg(0))?)),
        Does::Mute => Ok(Answer::Mute(Some(span(parsed.arg(0))?))),
        Does::Unmute => Ok(Answer::Mute(None)),
        Does::Resend => Ok(Answer::Resend),
        Does::RelayStatus => Ok(Answer::RelayStatus),
        _ => all_status(handle).await,
    }
}

/// The project that a command is about: the one that was named, else the room's, else the only one;
/// nothing for a command that is about none.
pub(super) fn project_of(
    handle: &NodeHandle,
    context: &Context,
    parsed: &Parsed,
) -> Option<Result<ProjectLink, String>> {
    let named = match parsed.command.does {
        Does::Help | Does::AllStatus | Does::Mute | Does::Unmute | Does::Resend | Does::RelayStatus => {
            return None;
        }
        Does::Status | Does::Switch => Some(parsed.arg(0))
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        Does::List => list_words(parsed).0.map(str::to_owned),
        Does::Conflicts => item(parsed.arg(0)).0,
        _ => parsed.project.clone(),
    };
    Some(project(handle, context, named.as_deref()))
}

/// The project that a list is asked of, as in `shop/`, and the filter behind it.
fn list_words(parsed: &Parsed) -> (Option<&str>, &str) {
    let text = parsed.arg(0).trim();
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match first.strip_suffix('/').filter(|name| !name.is_empty()) {
        Some(project) => (Some(project), rest),
        None => (None, text),
    }
}

/// The project that was named, else the room's, else the only one.
fn project(handle: &NodeHandle, context: &Context, wanted: Option<&str>) -> Result<ProjectLink, String> {
    let wanted = wanted.or(context.active.as_deref());
    handle.project(wanted).map_err(|failure| match wanted {
        None => format!(
            "{} (as in `{p}show demo/42`, or `{p}switch demo` for this room)",
            failure.message,
            p = context.prefix
        ),
        Some(_) => failure.message,
    })
}

async fn ask(
    handle: &NodeHandle,
    link: &ProjectLink,
    context: Option<&Context>,
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
    // What the project says names what would be legal; one line is all that chat has room for.
    handle
        .request(&link.id, origin, request)
        .await
        .map_err(|failure| failure.message.lines().collect::<Vec<_>>().join(" "))
}

/// The request of a command that writes.
fn write(handle: &NodeHandle, link: &ProjectLink, parsed: &Parsed) -> Result<Request, String> {
    let target = parsed.arg(0).to_owned();
    let text = |index| Some(parsed.arg(index).to_owned()).filter(|text| !text.is_empty());
    let transition = |verb| Transition::plain(target.clone(), verb);
    Ok(match parsed.command.does {
        Does::Create => Request::Create(NewItem {
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
        }),
        Does::Move => Request::Transition(Transition {
            to: Some(word::<Column>(parsed.arg(1))?),
            reason: text(2),
            ..transition(Verb::Move)
        }),
        Does::Plain(verb) => Request::Transition(transition(verb)),
        Does::Reason(verb) => Request::Transition(Transition {
            reason: text(1),
            ..transition(verb)
        }),
        Does::ForceStart => Request::Transition(Transition {
            reason: text(1),
            force: true,
            ..transition(Verb::Start)
        }),
        Does::Supersede => Request::Transition(Transition {
            by: Some(same_project(handle, link, parsed.arg(1))?),
            ..transition(Verb::Supersede)
        }),
        Does::Settle => Request::Resolve {
            item: target,
            keep: parsed.arg(1).to_owned(),
            conflict: text(2),
        },
        Does::Comment => Request::Comment {
            item: target,
            text: parsed.arg(1).to_owned(),
        },
        Does::Assign => Request::Edit(Edit {
            item: target,
            assignee: Some(text(1).filter(|who| who != "-").unwrap_or_default()),
            ..Edit::default()
        }),
        Does::Depends => Request::Depends {
            item: target,
            add: vec![same_project(handle, link, parsed.arg(1))?],
            remove: Vec::new(),
        },
        Does::Help
        | Does::Status
        | Does::AllStatus
        | Does::List
        | Does::Show
        | Does::Explain
        | Does::Conflicts
        | Does::Ready
        | Does::Mute
        | Does::Unmute
        | Does::Resend
        | Does::RelayStatus
        | Does::Switch => {
            return Err(format!("`{}` writes nothing", parsed.command.name));
        }
    })
}

/// The other item of a relation; it has to be in the same project.
fn same_project(handle: &NodeHandle, link: &ProjectLink, text: &str) -> Result<String, String> {
    let (project, item) = item(text);
    if let Some(project) = project
        && handle
            .project(Some(&project))
            .map_err(|failure| failure.message)?
            .id
            != link.id
    {
        let text = show(text, 80);
        return Err(format!(
            "both items have to be in the same project, and {text} is not in {}",
            link.name
        ));
    }
    Ok(item)
}

/// A kind, or what people call a story elsewhere.
fn kind(text: &str) -> Result<Kind, String> {
    match text.to_lowercase().as_str() {
        word if STORIES.contains(&word) => Ok(Kind::Story),
        other => word::<Kind>(other),
    }
}

fn word<T: std::str::FromStr<Err = towline_proto::stage::UnknownWord>>(text: &str) -> Result<T, String> {
    text.to_lowercase()
        .parse::<T>()
        .map_err(|error| error.to_string())
}

/// Words of a vocabulary narrow the list; everything else is looked for in titles.
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
            // A chat identity keeps its sign: that is how it is recorded.
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
) -> Result<Answer, String> {
    match ask(handle, link, None, request).await? {
        Reply::Cards(cards) if cards.is_empty() => Ok(Answer::Say(format!("{}: {none}", link.name))),
        Reply::Cards(cards) => Ok(Answer::Say(render::cards(&link.name, &cards, LISTED))),
        other => Err(unexpected(&other)),
    }
}

async fn status(handle: &NodeHandle, link: &ProjectLink) -> Result<String, String> {
    match ask(handle, link, None, Request::Status).await? {
        Reply::Status(mut status) => {
            // As one can type it, where another project has the same name.
            status.name.clone_from(&link.name);
            Ok(render::status(&status))
        }
        other => Err(unexpected(&other)),
    }
}

async fn all_status(handle: &NodeHandle) -> Result<Answer, String> {
    let mut lines = Vec::new();
    for link in handle.projects() {
        match status(handle, &link).await {
            Ok(line) => lines.push(line),
            Err(problem) => lines.push(format!("{}: {problem}", link.name)),
        }
    }
    if lines.is_empty() {
        return Err("this gateway has no project yet".to_owned());
    }
    Ok(Answer::Say(lines.join("\n")))
}

fn unexpected(reply: &Reply) -> String {
    tracing::error!(?reply, "a project gave an answer of another kind");
    "the project answered something else; this is a bug of towline".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_made_of_the_words_of_the_domain() {
        let filter = filter("qa bug blocked +urgent @ann done log in");
        assert_eq!(filter.columns, [Column::Qa, Column::Done]);
        assert_eq!(filter.kinds, [Kind::Bug]);
        assert_eq!(filter.statuses, [Status::Blocked]);
        assert_eq!(filter.labels, ["urgent"]);
        assert_eq!(filter.assignee.as_deref(), Some("ann"));
        assert_eq!(filter.text.as_deref(), Some("log in"));
    }
}
