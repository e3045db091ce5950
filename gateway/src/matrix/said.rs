//! What of the things said in a room is a command.

use super::wire::{Content, Event};
use crate::commands;

/// Longest command, in bytes.
const COMMAND_BYTES: usize = 16 * 1024;

/// The command in an event, if it is one that somebody typed just so: no notice (those are
/// programs'), no edit, without the quotation that a reply carries.
pub(super) fn command(event: &Event, prefix: &str, me: &str) -> Option<String> {
    if event.kind != "m.room.message" || event.event_id.is_empty() {
        return None;
    }
    let content: Content = serde_json::from_value(event.content.clone()).ok()?;
    let relation = content.relates_to.unwrap_or_default();
    if content.msgtype != "m.text" || relation.rel_type.as_deref() == Some("m.replace") {
        return None;
    }
    if content.body.len() > COMMAND_BYTES {
        return None;
    }
    let body = match relation.in_reply_to {
        Some(_) => without_quotation(&content.body),
        None => content.body.as_str(),
    };
    commands::addressed(body, prefix, me).map(str::to_owned)
}

/// The message that an event answers, as a gateway does it: by a sign on it, or by a notice in reply.
pub(super) fn answers(event: &Event) -> Option<String> {
    let content: Content = serde_json::from_value(event.content.clone()).ok()?;
    let relation = content.relates_to?;
    match event.kind.as_str() {
        "m.reaction" if relation.rel_type.as_deref() == Some("m.annotation") => relation.event_id,
        "m.room.message" if content.msgtype == "m.notice" => {
            let id = relation.in_reply_to?.get("event_id")?.as_str()?.to_owned();
            Some(id)
        }
        _ => None,
    }
}

fn without_quotation(body: &str) -> &str {
    let mut rest = body;
    while rest.starts_with("> ") {
        match rest.split_once('\n') {
            Some((_, after)) => rest = after,
            None => return "",
        }
    }
    rest.trim_start_matches('\n')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(content: serde_json::Value) -> Event {
        Event {
            kind: "m.room.message".to_owned(),
            event_id: "$1".to_owned(),
            sender: "@ann:example.org".to_owned(),
            content,
            ..Event::default()
        }
    }

    fn typed(content: serde_json::Value) -> Option<String> {
        command(&message(content), "!", "@towline:example.org")
    }

    #[test]
    fn only_what_a_person_typed_is_a_command() {
        let say = |msgtype: &str| json!({ "msgtype": msgtype, "body": "!move 42 qa" });
        assert_eq!(typed(say("m.text")).as_deref(), Some("move 42 qa"));
        assert_eq!(typed(say("m.notice")), None);
        let mut edit = say("m.text");
        edit["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": "$0" });
        assert_eq!(typed(edit), None);
        assert_eq!(typed(json!({ "msgtype": "m.text" })), None);
        assert_eq!(typed(json!([1, 2])), None);
    }

    #[test]
    fn a_reply_is_read_without_what_it_quotes() {
        let reply = json!({
            "msgtype": "m.text",
            "body": "> <@bo:example.org> !block 42 no\n> more\n\n!unblock 42",
            "m.relates_to": { "m.in_reply_to": { "event_id": "$0" } },
        });
        assert_eq!(typed(reply).as_deref(), Some("unblock 42"));
    }
}
