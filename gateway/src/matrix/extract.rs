//! Extracts commands and responses from the events of a room.

use super::wire::{MessageContent, RoomEvent};
use crate::commands;

/// Maximum length of a command, in bytes.
const COMMAND_BYTES: usize = 16 * 1024;

/// The command in an event. Only messages that a person extracted count: notices come from programs, and edits are
/// ignored. A reply is read without the text that it quotes.
pub(super) fn command(event: &RoomEvent, prefix: &str, me: &str) -> Option<String> {
    if event.kind != "m.room.message" || event.event_id.is_empty() {
        return None;
    }
    let content: MessageContent = serde_json::from_value(event.content.clone()).ok()?;
    let relation = content.relates_to.unwrap_or_default();
    if content.msgtype != "m.text" || relation.rel_type.as_deref() == Some("m.replace") {
        return None;
    }
    if content.body.len() > COMMAND_BYTES {
        return None;
    }
    let body = match relation.in_reply_to {
        Some(_) => without_quote(&content.body),
        None => content.body.as_str(),
    };
    commands::command_text(body, prefix, me).map(str::to_owned)
}

/// The message that an event responds to, if it is a response as gateways send it: a reaction, or a notice in
/// reply.
pub(super) fn responded_message(event: &RoomEvent) -> Option<String> {
    let content: MessageContent = serde_json::from_value(event.content.clone()).ok()?;
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

fn without_quote(body: &str) -> &str {
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

    fn message(content: serde_json::Value) -> RoomEvent {
        RoomEvent {
            kind: "m.room.message".to_owned(),
            event_id: "$1".to_owned(),
            sender: "@ann:example.org".to_owned(),
            content,
            ..RoomEvent::default()
        }
    }

    fn extracted(content: serde_json::Value) -> Option<String> {
        command(&message(content), "!", "@towline:example.org")
    }

    #[test]
    fn only_a_message_typed_by_a_person_is_a_command() {
        let content = |msgtype: &str| json!({ "msgtype": msgtype, "body": "!move 42 qa" });
        assert_eq!(extracted(content("m.text")).as_deref(), Some("move 42 qa"));
        assert_eq!(extracted(content("m.notice")), None);
        let mut edit = content("m.text");
        edit["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": "$0" });
        assert_eq!(extracted(edit), None);
        assert_eq!(extracted(json!({ "msgtype": "m.text" })), None);
        assert_eq!(extracted(json!([1, 2])), None);
    }

    #[test]
    fn a_reply_is_read_without_its_quote() {
        let reply = json!({
            "msgtype": "m.text",
            "body": "> <@bo:example.org> !block 42 no\n> more\n\n!unblock 42",
            "m.relates_to": { "m.in_reply_to": { "event_id": "$0" } },
        });
        assert_eq!(extracted(reply).as_deref(), Some("unblock 42"));
    }
}
