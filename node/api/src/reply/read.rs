//! Reads a [`Reply`] from JSON: `reply`, its name, and then `data`.
//!
//! The node always writes the name first, so each kind of data is read directly. The derived reader also accepts the
//! data first, for which it compiles every type a second time over buffered values. Never accepts another order.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use towline_proto::{Millis, ProjectId};

use super::Reply;

#[derive(Deserialize)]
struct ExportedEntries {
    project: ProjectId,
    records: Vec<String>,
    next: u64,
}

#[derive(Deserialize)]
struct Ticket {
    ticket: String,
    expires: Millis,
}

#[derive(Deserialize)]
struct Synced {
    peers: usize,
    equal: usize,
}

#[derive(Deserialize)]
struct Link {
    url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Name {
    Cards,
    Page,
    Pages,
    History,
    Conflicts,
    Explanations,
    Status,
    Doctor,
    Members,
    Peers,
    Addresses,
    Events,
    Applied,
    Settings,
    SettingsLine,
    Imported,
    Lines,
    Taken,
    Records,
    Arrived,
    Ticket,
    Entry,
    Synced,
    Link,
    Done,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Key {
    Reply,
    Data,
}

struct ReplyVisitor;

/// The data, which must follow.
fn data<'de, M: MapAccess<'de>, T: Deserialize<'de>>(map: &mut M) -> Result<T, M::Error> {
    match map.next_key()? {
        Some(Key::Data) => map.next_value(),
        Some(Key::Reply) => Err(Error::duplicate_field("reply")),
        None => Err(Error::missing_field("data")),
    }
}

impl<'de> Visitor<'de> for ReplyVisitor {
    type Value = Reply;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `reply` and then `data`")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Reply, M::Error> {
        let Some(Key::Reply) = map.next_key()? else {
            return Err(Error::custom("the field `reply` is not the first"));
        };
        let m = &mut map;
        Ok(match m.next_value()? {
            Name::Cards => Reply::Cards(data(m)?),
            Name::Page => Reply::Page(data(m)?),
            Name::Pages => Reply::Pages(data(m)?),
            Name::History => Reply::History(data(m)?),
            Name::Conflicts => Reply::Conflicts(data(m)?),
            Name::Explanations => Reply::Explanations(data(m)?),
            Name::Status => Reply::Status(data(m)?),
            Name::Doctor => Reply::Doctor(data(m)?),
            Name::Members => Reply::Members(data(m)?),
            Name::Peers => Reply::Peers(data(m)?),
            Name::Addresses => Reply::Addresses(data(m)?),
            Name::Events => Reply::Events(data(m)?),
            Name::Applied => Reply::Applied(data(m)?),
            Name::Settings => Reply::Settings(data(m)?),
            Name::SettingsLine => Reply::SettingsLine(data(m)?),
            Name::Imported => Reply::Imported(data(m)?),
            Name::Lines => Reply::Lines(data(m)?),
            Name::Taken => Reply::LineOutcomes(data(m)?),
            Name::Records => {
                let ExportedEntries {
                    project,
                    records,
                    next,
                } = data(m)?;
                Reply::ExportedEntries {
                    project,
                    records,
                    next,
                }
            }
            Name::Arrived => Reply::EntriesImported(data(m)?),
            Name::Ticket => {
                let Ticket { ticket, expires } = data(m)?;
                Reply::Ticket { ticket, expires }
            }
            Name::Entry => Reply::Entry(data(m)?),
            Name::Synced => {
                let Synced { peers, equal } = data(m)?;
                Reply::Synced { peers, equal }
            }
            Name::Link => {
                let Link { url } = data(m)?;
                Reply::Link { url }
            }
            Name::Done => Reply::Done,
        })
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReplyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_names_itself_before_its_data() {
        let text = r#"{"reply":"synced","data":{"peers":2,"equal":1}}"#;
        let reply: Reply = serde_json::from_str(text).unwrap();
        assert!(matches!(reply, Reply::Synced { peers: 2, equal: 1 }));
        assert_eq!(serde_json::to_string(&reply).unwrap(), text);
        let turned = r#"{"data":{"peers":2,"equal":1},"reply":"synced"}"#;
        let error = serde_json::from_str::<Reply>(turned).unwrap_err().to_string();
        assert!(error.contains("the field `reply` is not the first"), "{error}");
        let bare = serde_json::from_str::<Reply>(r#"{"reply":"cards"}"#)
            .unwrap_err()
            .to_string();
        assert!(bare.contains("missing field `data`"), "{bare}");
    }

    /// A reply that is added has to be given a name here, and then a way to be read above.
    const fn name(reply: &Reply) -> Name {
        match reply {
            Reply::Cards(_) => Name::Cards,
            Reply::Page(_) => Name::Page,
            Reply::Pages(_) => Name::Pages,
            Reply::History(_) => Name::History,
            Reply::Conflicts(_) => Name::Conflicts,
            Reply::Explanations(_) => Name::Explanations,
            Reply::Status(_) => Name::Status,
            Reply::Doctor(_) => Name::Doctor,
            Reply::Members(_) => Name::Members,
            Reply::Peers(_) => Name::Peers,
            Reply::Addresses(_) => Name::Addresses,
            Reply::Events(_) => Name::Events,
            Reply::Applied(_) => Name::Applied,
            Reply::Settings(_) => Name::Settings,
            Reply::SettingsLine(_) => Name::SettingsLine,
            Reply::Imported(_) => Name::Imported,
            Reply::Lines(_) => Name::Lines,
            Reply::LineOutcomes(_) => Name::Taken,
            Reply::ExportedEntries { .. } => Name::Records,
            Reply::EntriesImported(_) => Name::Arrived,
            Reply::Ticket { .. } => Name::Ticket,
            Reply::Entry(_) => Name::Entry,
            Reply::Synced { .. } => Name::Synced,
            Reply::Link { .. } => Name::Link,
            Reply::Done => Name::Done,
        }
    }

    #[test]
    fn replies_are_read_as_they_are_written() {
        let replies = [
            Reply::Cards(Vec::new()),
            Reply::Pages(Vec::new()),
            Reply::History(Vec::new()),
            Reply::Conflicts(Vec::new()),
            Reply::Explanations(Vec::new()),
            Reply::Members(Vec::new()),
            Reply::Peers(Vec::new()),
            Reply::Addresses(vec!["/ip4/127.0.0.1/tcp/1".to_owned()]),
            Reply::Events(Vec::new()),
            Reply::Settings(Vec::new()),
            Reply::SettingsLine(None),
            Reply::Imported(Default::default()),
            Reply::Lines(Vec::new()),
            Reply::LineOutcomes(Vec::new()),
            Reply::ExportedEntries {
                project: ProjectId([7; 32]),
                records: vec!["AA==".to_owned()],
                next: 9,
            },
            Reply::Ticket {
                ticket: "t".to_owned(),
                expires: Millis(5),
            },
            Reply::Link { url: "u".to_owned() },
            Reply::Done,
        ];
        for reply in &replies {
            let text = serde_json::to_string(reply).unwrap();
            let back: Reply = serde_json::from_str(&text).unwrap();
            assert_eq!(name(&back), name(reply), "{text}");
            assert_eq!(serde_json::to_string(&back).unwrap(), text);
        }
    }
}
