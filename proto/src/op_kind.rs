//! What sort of operation an act is, without the values: the name that timelines, conflicts and events carry.
//!
//! The names are those that people know from timelines: the verb of a transition, and a word for what an edit
//! changes. They are stable, because programs read them in JSON. Nothing here decides anything.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::stage::{UnknownWord, words};
use crate::{Op, Verb};

words!(
    /// An operation that is no transition.
    EditKind, "edit" {
        /// The item was created.
        Create = "create",
        /// A conflict was resolved.
        Resolve = "settle",
        /// The title was changed.
        Title = "title",
        /// The kind was changed.
        Kind = "kind",
        /// The priority was changed.
        Priority = "priority",
        /// How it passes QA was changed.
        Qa = "qa",
        /// The epic was changed.
        Epic = "epic",
        /// It was assigned to somebody or to nobody.
        Assign = "assign",
        /// The description was edited.
        Body = "edit",
        /// A label was added.
        AddLabel = "label",
        /// A label was removed.
        RemoveLabel = "unlabel",
        /// A dependency was added.
        AddDependency = "depends",
        /// A dependency was removed.
        RemoveDependency = "undepends",
        /// A link was added.
        AddLink = "link",
        /// A link was removed.
        RemoveLink = "unlink",
        /// A comment was added.
        Comment = "comment",
        /// A criterion was added.
        AddCriterion = "criterion",
        /// The state of a criterion was set.
        SetCriterion = "judge",
        /// It was marked as imported.
        MarkImport = "import",
        /// A setting of the project was changed.
        Set = "set",
        /// An operation that this version does not know.
        Unknown = "unknown",
    }
);

/// The kind of an operation: a transition, or an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpKind {
    /// A transition of the table.
    Transition(Verb),
    /// Anything else.
    Edit(EditKind),
}

impl OpKind {
    /// Its name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transition(verb) => verb.as_str(),
            Self::Edit(edit) => edit.as_str(),
        }
    }
}

impl From<Verb> for OpKind {
    fn from(verb: Verb) -> Self {
        Self::Transition(verb)
    }
}

impl From<EditKind> for OpKind {
    fn from(edit: EditKind) -> Self {
        Self::Edit(edit)
    }
}

impl fmt::Display for OpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for OpKind {
    type Err = UnknownWord;
    fn from_str(name: &str) -> Result<Self, UnknownWord> {
        match name.parse::<Verb>() {
            Ok(verb) => Ok(Self::Transition(verb)),
            Err(_) => name.parse().map(Self::Edit),
        }
    }
}

impl Serialize for OpKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for OpKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = OpKind;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an operation")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<OpKind, E> {
                // What a newer version calls otherwise is as unknown as its operation.
                Ok(name.parse().unwrap_or(OpKind::Edit(EditKind::Unknown)))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl Op {
    /// Its kind.
    pub const fn kind(&self) -> OpKind {
        if let Some(verb) = self.verb() {
            return OpKind::Transition(verb);
        }
        OpKind::Edit(match self {
            Self::Create { .. } => EditKind::Create,
            Self::Resolve { .. } => EditKind::Resolve,
            Self::SetTitle { .. } => EditKind::Title,
            Self::SetKind { .. } => EditKind::Kind,
            Self::SetPriority { .. } => EditKind::Priority,
            Self::SetQa { .. } => EditKind::Qa,
            Self::SetEpic { .. } => EditKind::Epic,
            Self::Assign { .. } => EditKind::Assign,
            Self::EditBody => EditKind::Body,
            Self::AddLabel { .. } => EditKind::AddLabel,
            Self::RemoveLabel { .. } => EditKind::RemoveLabel,
            Self::AddDependency { .. } => EditKind::AddDependency,
            Self::RemoveDependency { .. } => EditKind::RemoveDependency,
            Self::AddLink { .. } => EditKind::AddLink,
            Self::RemoveLink { .. } => EditKind::RemoveLink,
            Self::Comment { .. } => EditKind::Comment,
            Self::AddCriterion { .. } => EditKind::AddCriterion,
            Self::SetCriterion { .. } => EditKind::SetCriterion,
            Self::MarkImport { .. } => EditKind::MarkImport,
            Self::Set { .. } => EditKind::Set,
            _ => EditKind::Unknown,
        })
    }
}
