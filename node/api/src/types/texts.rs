//! Texts in the JSON of replies: what a type says, a second time in words.
//!
//! A type that has them derives its JSON with `remote = "Self"` and names its texts with [`with_texts!`]. They are
//! written after its fields and ignored when the JSON is read.

use serde::Serialize;

/// A value with its texts behind it.
#[derive(Debug, Serialize)]
pub(super) struct WithTexts<V: Serialize, T: Serialize> {
    #[serde(flatten)]
    pub(super) value: V,
    #[serde(flatten)]
    pub(super) texts: T,
}

/// Implements `Serialize` and `Deserialize` for a type that derives them with `remote = "Self"`. The closure makes
/// the texts of a value, or `None` for a value without any. Needs [`WithTexts`] and the traits of serde in scope.
macro_rules! with_texts {
    ($type:ident, $texts:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                struct Plain<'a>(&'a $type);
                impl Serialize for Plain<'_> {
                    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                        $type::serialize(self.0, serializer)
                    }
                }
                fn texts<T>(value: &$type, make: impl FnOnce(&$type) -> Option<T>) -> Option<T> {
                    make(value)
                }
                match texts(self, $texts) {
                    None => $type::serialize(self, serializer),
                    Some(texts) => WithTexts {
                        value: Plain(self),
                        texts,
                    }
                    .serialize(serializer),
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $type::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use with_texts;

#[cfg(test)]
mod tests {
    use towline_proto::{
        ActId, Column, ItemId, Millis, NodeId, Origin, OriginKind, Register, Rule, Status, Verb,
    };

    use crate::types::{
        ActSummary, ConflictTopic, HistoryLine, HistoryOutcome, ItemLink, KeptSide, LineValue, LinkNote,
        OpenConflict, RefusalReason, RefusedChange, Resolution, Side, SideResult, Unkeepable,
    };

    fn line() -> HistoryLine {
        let origin = |name: &str| Origin::new(OriginKind::User, name).unwrap();
        HistoryLine {
            act: ActId([1; 16]),
            item: ItemId([2; 16]),
            handle: "42".into(),
            title: "Ship it".into(),
            at: Millis(1_000),
            origin: origin("ann"),
            node: NodeId([3; 32]),
            node_name: "laptop".into(),
            what: Verb::Abandon.into(),
            from: Some(Column::Coding),
            to: Some(Column::Closed),
            value: Some(LineValue::Reason {
                reason: "no use".into(),
            }),
            fate: HistoryOutcome::Overridden {
                by: ActId([4; 16]),
                rule: Rule::Fact,
                winner: Some(Box::new(ActSummary {
                    origin: origin("bob"),
                    what: Verb::Merged.into(),
                    to: Some(Column::Done),
                    value: None,
                })),
                resolution: Some(Resolution {
                    by: origin("cem"),
                    kept: KeptSide::Another,
                }),
            },
            skewed: false,
        }
    }

    fn conflict() -> OpenConflict {
        OpenConflict {
            id: "c0ffee".into(),
            item: ItemLink {
                handle: "42".into(),
                id: ItemId([2; 16]),
                title: "Ship it".into(),
                status: Some(Status::Done),
                satisfied: true,
                suspended: false,
                note: Some(LinkNote::Deleted),
            },
            topic: ConflictTopic::Register {
                register: Register::Column,
                criterion: None,
            },
            rule: Rule::Fact,
            since: Millis(1_000),
            before: None,
            sides: vec![Side {
                key: "b".into(),
                effective: false,
                result: SideResult::Closed {
                    status: Status::Abandoned,
                },
                unkeepable: Some(Unkeepable::Rule { rule: Rule::Fact }),
                line: line(),
            }],
        }
    }

    #[test]
    fn json_has_types_and_beside_them_texts_that_are_not_read_back() {
        let mut json = serde_json::to_value(conflict()).unwrap();
        assert_eq!(json["topic"]["register"], "column");
        assert_eq!(
            (&json["about"], &json["item"]["note"]),
            (&"column".into(), &"deleted".into())
        );
        let side = &json["sides"][0];
        assert_eq!(
            (&side["means"], &side["result"]["is"]),
            (&"abandoned".into(), &"closed".into())
        );
        assert_eq!(side["line"]["detail"], "no use");
        assert_eq!(
            side["line"]["overtaken"],
            "overridden by bob, who marked it done: a recorded merge overrides other changes; resolved by cem"
        );
        assert_eq!(side["line"]["fate"]["resolution"]["kept"], "another");
        for text in ["about", "why"] {
            json[text] = "another wording".into();
        }
        assert_eq!(serde_json::from_value::<OpenConflict>(json).unwrap(), conflict());
    }

    #[test]
    fn a_refused_change_has_its_reason_and_a_text() {
        let refused = RefusedChange {
            act: ActId([1; 16]),
            reason: RefusalReason::NotMaintainer,
        };
        let json = serde_json::to_value(&refused).unwrap();
        assert_eq!(json["reason"]["is"], "not-maintainer");
        assert_eq!(
            json["why"],
            "only a maintainer or an owner changes the project's settings"
        );
        assert_eq!(serde_json::from_value::<RefusedChange>(json).unwrap(), refused);
    }
}
