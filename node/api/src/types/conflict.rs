//! Unresolved conflicts: what each is about, its sides, and what keeping a side results in.
//!
//! The JSON has some of it a second time in words (`about`, `why`, `means`, `unkeepable`), made when it is written and
//! never read back.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use towline_proto::{Column, ItemName, Millis, Register, Rule, Status};

use super::texts::{WithTexts, with_texts};
use super::{HistoryLine, ItemLink, LineValue, LinkNote};
use crate::conflict_text::{about, means, unkeepable};
use crate::labels::rule_text;

/// What a conflict is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ConflictTopic {
    /// A register of the item.
    Register {
        /// Which one.
        register: Register,
        /// For a criterion that is known here: which one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        criterion: Option<CriterionName>,
    },
    /// A cycle of dependencies.
    Dependencies,
}

/// A criterion as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriterionName {
    /// Its place in the list, from 1.
    pub place: usize,
    /// Its text.
    pub text: String,
}

/// An unresolved conflict. Schema `towline.conflict/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct OpenConflict {
    /// The hash of the competing acts, in hex: the same on every node.
    pub id: String,
    /// The item.
    pub item: ItemLink,
    /// What it is about.
    pub topic: ConflictTopic,
    /// The rule that chose what takes effect.
    pub rule: Rule,
    /// When the newest competing act was made.
    pub since: Millis,
    /// The value of a field before the competing acts; absent for everything that is no field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<LineValue>,
    /// The sides; the one in effect is first.
    pub sides: Vec<Side>,
}

impl OpenConflict {
    /// Whether it can only be resolved after its item is restored from the trash. A conflict about the trash itself
    /// can be resolved at any time.
    pub fn must_restore_first(&self) -> bool {
        let about_trash = matches!(
            self.topic,
            ConflictTopic::Register {
                register: Register::Deleted,
                ..
            }
        );
        self.item.note == Some(LinkNote::Deleted) && !about_trash
    }
}

/// The texts of an [`OpenConflict`] in its JSON.
#[derive(Debug, Serialize)]
struct ConflictTexts {
    about: String,
    why: &'static str,
}

with_texts!(OpenConflict, |conflict| Some(ConflictTexts {
    about: about(&conflict.topic),
    why: rule_text(conflict.rule),
}));

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Side {
    /// What to type for it after `--keep`: `a`, `b` …
    pub key: String,
    /// Whether it is in effect.
    pub effective: bool,
    /// The result of keeping it.
    pub result: SideResult,
    /// Why it cannot be kept; absent when it can.
    #[serde(rename = "obstacle", default, skip_serializing_if = "Option::is_none")]
    pub unkeepable: Option<Unkeepable>,
    /// What was done.
    pub line: HistoryLine,
}

/// The texts of a [`Side`] in its JSON.
#[derive(Debug, Serialize)]
struct SideTexts {
    means: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unkeepable: Option<String>,
}

with_texts!(Side, |side| Some(SideTexts {
    means: means(side),
    unkeepable: side.unkeepable.as_ref().map(|why| unkeepable(why, None)),
}));

/// The result of keeping a side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum SideResult {
    /// The item stays where it is, because of a hold.
    Stays {
        /// In this column.
        column: Column,
    },
    /// It is in this column.
    Column {
        /// Which one.
        column: Column,
    },
    /// It is closed.
    Closed {
        /// Abandoned or rejected.
        status: Status,
    },
    /// It is superseded.
    Superseded {
        /// By which item.
        by: ItemName,
    },
    /// Whether it is frozen.
    Frozen {
        /// It is.
        set: bool,
    },
    /// Whether it is blocked.
    Blocked {
        /// It is.
        set: bool,
    },
    /// Whether it is in the trash.
    Trash {
        /// It is.
        deleted: bool,
    },
    /// It is deleted permanently.
    Purged,
    /// It is claimed.
    Claimed {
        /// By whom.
        holder: String,
    },
    /// The value of a setting.
    Setting {
        /// None for the default.
        value: Option<String>,
    },
    /// The value of the act that is kept; without one, what that act did.
    Value {
        /// The value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<LineValue>,
    },
    /// One item waits for another.
    Waits {
        /// Who waits.
        item: ItemName,
        /// For what.
        on: ItemName,
    },
    /// One item replaces another.
    Replaces {
        /// The item that was superseded.
        item: ItemName,
        /// The item in its place.
        by: ItemName,
    },
}

/// Why a side of a conflict cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Unkeepable {
    /// It lost by a rule after which nothing can be kept.
    Rule {
        /// The rule.
        rule: Rule,
    },
    /// Of a cycle: the item replaces the one that it would wait for, directly or through other items.
    Replaces {
        /// The item.
        item: ItemName,
        /// The item that it replaces.
        replaced: ItemName,
    },
    /// Of a cycle: one of several other dependencies has to be removed first.
    OtherDependencies {
        /// Who waits.
        item: ItemName,
        /// For what.
        on: ItemName,
        /// Some of the dependencies of which one has to be removed: who waits, and for what.
        others: Vec<(ItemName, ItemName)>,
    },
}
