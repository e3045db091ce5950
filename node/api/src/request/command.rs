//! Requests that change items or settings of a project, as people and agents make them.
//!
//! Plain data with a JSON form. What each needs and gives is in [`super::properties`]; nothing here is executed.

use serde::{Deserialize, Serialize};
use towline_proto::{ActId, Column, CriterionState, FailureKind, Kind, LinkKind, Qa, Verb};

use super::ItemRef;

/// A request that changes items or settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Command {
    /// A new item.
    Create(NewItem),
    /// Change fields of an item; what is absent stays.
    Edit(Edit),
    /// A transition of the table.
    Transition(Transition),
    /// Add and remove labels.
    Label {
        /// Which item.
        item: ItemRef,
        /// To add.
        add: Vec<String>,
        /// To remove.
        remove: Vec<String>,
    },
    /// Add and remove dependencies.
    Depends {
        /// Which item.
        item: ItemRef,
        /// What must be done first.
        add: Vec<ItemRef>,
        /// What need not any more.
        remove: Vec<ItemRef>,
    },
    /// Add and remove links.
    Link {
        /// Which item.
        item: ItemRef,
        /// To add.
        add: Vec<(LinkKind, String)>,
        /// To remove.
        remove: Vec<(LinkKind, String)>,
    },
    /// Add a comment.
    Comment {
        /// Which item.
        item: ItemRef,
        /// Markdown.
        text: String,
    },
    /// Add an acceptance criterion.
    AddCriterion {
        /// Which item.
        item: ItemRef,
        /// What must be true.
        text: String,
    },
    /// Judge a criterion.
    SetCriterion {
        /// Which item.
        item: ItemRef,
        /// Which criterion, counted from 1.
        index: usize,
        /// How far it is met.
        state: CriterionState,
        /// What proves it.
        #[serde(default)]
        evidence: Option<String>,
        /// The id of the criterion that the caller has seen in this place; refused if it is another one.
        #[serde(default)]
        expect: Option<ActId>,
        /// The state that the caller has seen; refused if it is another one.
        #[serde(default)]
        state_base: Option<CriterionState>,
    },
    /// Resolve a conflict by choosing the side that takes effect.
    #[serde(rename = "settle")]
    Resolve {
        /// Which item.
        item: ItemRef,
        /// The beginning of the conflict's id; the only one when absent.
        #[serde(default)]
        conflict: Option<String>,
        /// The side: its key, its author, its action, its result, or the first digits of the act's id.
        keep: String,
    },
    /// Start and claim the best ready item. Two callers never get the same item.
    #[serde(rename = "take-ready")]
    ClaimReady {
        /// Who is to work on it; the origin when absent.
        #[serde(default)]
        holder: Option<String>,
    },
    /// Take back the last command that the origin gave to this node, by the operations that lead back.
    Undo {
        /// Only one of this item.
        #[serde(default)]
        item: Option<ItemRef>,
    },
    /// Change a setting of the project.
    Set {
        /// Which.
        key: String,
        /// Its value; absent for the default.
        #[serde(default)]
        value: Option<String>,
    },
}

/// A new item.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewItem {
    /// What sort of work.
    pub kind: Kind,
    /// One line.
    pub title: String,
    /// Markdown.
    #[serde(default)]
    pub body: String,
    /// Before the backlog instead of in it.
    #[serde(default)]
    pub upcoming: bool,
    /// 0 (highest) to 4.
    #[serde(default)]
    pub priority: Option<u8>,
    /// Who passes it through QA.
    #[serde(default)]
    pub qa: Option<Qa>,
    /// Labels.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What must be done first.
    #[serde(default)]
    pub depends_on: Vec<ItemRef>,
    /// Its epic.
    #[serde(default)]
    pub epic: Option<ItemRef>,
    /// A person or agent.
    #[serde(default)]
    pub assignee: Option<String>,
    /// Acceptance criteria.
    #[serde(default)]
    pub criteria: Vec<String>,
}

/// Changed fields of an item; what is absent stays.
///
/// A field `*_base` is the value that a new one was made from. If the item has another value by now, which is not the
/// new one, nothing is written and the request is refused with the current card. A body is not refused: its
/// difference is merged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Edit {
    /// Which item.
    pub item: ItemRef,
    /// New title.
    pub title: Option<String>,
    /// New body.
    pub body: Option<String>,
    /// The body that the new one was made from: only the difference is written, so that an edit
    /// elsewhere merges. Without it the difference is taken from the body as it stands.
    pub body_base: Option<String>,
    /// New kind.
    pub kind: Option<Kind>,
    /// New priority.
    pub priority: Option<u8>,
    /// New QA mode.
    pub qa: Option<Qa>,
    /// New epic; an empty string means none.
    pub epic: Option<ItemRef>,
    /// New assignee; an empty string means nobody.
    pub assignee: Option<String>,
    /// The title that the new one was made from.
    pub title_base: Option<String>,
    /// The kind that the new one was made from.
    pub kind_base: Option<Kind>,
    /// The priority that the new one was made from.
    pub priority_base: Option<u8>,
    /// The QA mode that the new one was made from.
    pub qa_base: Option<Qa>,
    /// The id of the epic that the new one was made from; an empty string means none.
    pub epic_base: Option<String>,
    /// The assignee that the new one was made from; an empty string means nobody.
    pub assignee_base: Option<String>,
}

/// A transition with whatever its verb needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transition {
    /// Which item.
    pub item: ItemRef,
    /// Which transition.
    pub verb: Verb,
    /// Reason of `block`, `reject`, `request-changes`, `abandon`, `move`, `delete`, and of a forced
    /// `start` or `take-over`.
    #[serde(default)]
    pub reason: Option<String>,
    /// Target of `move`.
    #[serde(default)]
    pub to: Option<Column>,
    /// Successor of `supersede`.
    #[serde(default)]
    pub by: Option<ItemRef>,
    /// Commit of `merged`.
    #[serde(default)]
    pub commit: Option<String>,
    /// Kind of `merge-failed`.
    #[serde(default)]
    pub failure: Option<FailureKind>,
    /// Holder of `start`, `claim` and `take-over`; the origin when absent.
    #[serde(default)]
    pub holder: Option<String>,
    /// `start` although a dependency is not satisfied; `take-over` although the holder's node was
    /// seen recently.
    #[serde(default)]
    pub force: bool,
    /// `start` without claiming it, which a person or an agent does otherwise.
    #[serde(default)]
    pub no_claim: bool,
    /// The revision ([`crate::types::ItemCard::revision`]) that the asker had in front of it; on a mismatch the
    /// request is refused with the current card.
    #[serde(default)]
    pub expect: Option<String>,
}

impl Transition {
    /// A transition with nothing but its verb.
    pub fn plain(item: impl Into<ItemRef>, verb: Verb) -> Self {
        Self {
            item: item.into(),
            verb,
            reason: None,
            to: None,
            by: None,
            commit: None,
            failure: None,
            holder: None,
            force: false,
            no_claim: false,
            expect: None,
        }
    }
}
