//! The fields of the requests that may come over HTTP, for their description in OpenAPI.
//!
//! A description beside the types, without a derive that every crate would pay for; a test compares it with the JSON
//! of each request. Decides nothing.

use towline_proto::{Column, CriterionState, FailureKind, Kind, LinkKind, Qa, Status, Verb};

/// The form of a field.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// `true` or `false`.
    Flag,
    /// A whole number from 0.
    Count,
    /// A list of whole numbers from 0.
    Counts,
    /// A time in RFC 3339.
    Time,
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// A list of these words.
    Words(fn() -> Vec<&'static str>),
    /// A list of pairs of one of these words and a text.
    Pairs(fn() -> Vec<&'static str>),
    /// A list of objects that are described in `docs/import.md`.
    Objects,
}

/// A field of a request.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its form.
    pub form: Form,
    /// Whether it must be there; others may also be `null`.
    pub required: bool,
    /// What it says.
    pub about: &'static str,
}

const fn must(name: &'static str, form: Form, about: &'static str) -> Field {
    Field {
        name,
        form,
        required: true,
        about,
    }
}

const fn may(name: &'static str, form: Form, about: &'static str) -> Field {
    Field {
        name,
        form,
        required: false,
        about,
    }
}

macro_rules! words_of {
    ($words:ident) => {
        || $words::ALL.iter().map(|word| word.as_str()).collect()
    };
}

const ITEM: Field = must(
    "item",
    Form::Text,
    "Number, handle, key, id or external reference of the item",
);
const LIMIT: Field = must("limit", Form::Count, "At most so many");
const OFFSET: Field = must("offset", Form::Count, "Items to skip");
const DRY_RUN: Field = must("dry_run", Form::Flag, "Only count what would happen");

const LIST: &[Field] = &[
    may("columns", Form::Words(words_of!(Column)), "Only these columns"),
    may("kinds", Form::Words(words_of!(Kind)), "Only these kinds"),
    may("labels", Form::Texts, "Only with all of these labels"),
    may("assignee", Form::Text, "Only of this assignee or claim holder"),
    may(
        "statuses",
        Form::Words(words_of!(Status)),
        "Only with one of these badges",
    ),
    may("epic", Form::Text, "Only items of this epic"),
    may("text", Form::Text, "Only with these words in the title"),
    may("priorities", Form::Counts, "Only with one of these priorities"),
    may("updated_since", Form::Time, "Only what changed then or later"),
    may("created_since", Form::Time, "Only what was created then or later"),
    may("all", Form::Flag, "Archived and closed ones too"),
    may("deleted", Form::Flag, "Only the trash"),
    may("limit", Form::Count, "At most so many; 0 means all"),
];

const CREATE: &[Field] = &[
    must("kind", Form::Word(words_of!(Kind)), "What sort of work"),
    must("title", Form::Text, "One line"),
    may("body", Form::Text, "Markdown"),
    may("upcoming", Form::Flag, "Before the backlog instead of in it"),
    may("priority", Form::Count, "0 (highest) to 4"),
    may("qa", Form::Word(words_of!(Qa)), "Who passes it through QA"),
    may("labels", Form::Texts, "Labels"),
    may("depends_on", Form::Texts, "What must be done first"),
    may("epic", Form::Text, "Its epic"),
    may("assignee", Form::Text, "A person or agent"),
    may("criteria", Form::Texts, "Acceptance criteria"),
];

const EDIT: &[Field] = &[
    ITEM,
    may("title", Form::Text, "New title"),
    may("body", Form::Text, "New body"),
    may(
        "body_base",
        Form::Text,
        "The body that the new one was made from; only the difference is written",
    ),
    may("kind", Form::Word(words_of!(Kind)), "New kind"),
    may("priority", Form::Count, "New priority"),
    may("qa", Form::Word(words_of!(Qa)), "New QA mode"),
    may("epic", Form::Text, "New epic; an empty text means none"),
    may("assignee", Form::Text, "New assignee; an empty text means nobody"),
    may(
        "title_base",
        Form::Text,
        "The title that the new one was made from; refused with the current card if it is another by now",
    ),
    may(
        "kind_base",
        Form::Word(words_of!(Kind)),
        "The kind that the new one was made from",
    ),
    may(
        "priority_base",
        Form::Count,
        "The priority that the new one was made from",
    ),
    may(
        "qa_base",
        Form::Word(words_of!(Qa)),
        "The QA mode that the new one was made from",
    ),
    may(
        "epic_base",
        Form::Text,
        "The id of the epic that the new one was made from; an empty text means none",
    ),
    may(
        "assignee_base",
        Form::Text,
        "The assignee that the new one was made from; an empty text means nobody",
    ),
];

const TRANSITION: &[Field] = &[
    ITEM,
    must("verb", Form::Word(words_of!(Verb)), "Which transition"),
    may("reason", Form::Text, "Why; some transitions need it"),
    may("to", Form::Word(words_of!(Column)), "Target of `move`"),
    may("by", Form::Text, "Successor of `supersede`"),
    may("commit", Form::Text, "Commit of `merged`"),
    may(
        "failure",
        Form::Word(words_of!(FailureKind)),
        "Kind of `merge-failed`",
    ),
    may(
        "holder",
        Form::Text,
        "Holder of the claim; the caller when absent",
    ),
    may(
        "force",
        Form::Flag,
        "Start although a dependency is not done; take over a claim that is in use",
    ),
    may("no_claim", Form::Flag, "Start without claiming"),
    may(
        "expect",
        Form::Text,
        "The revision that the caller has seen; refused with the current card if it is another",
    ),
];

/// The fields of a request beside its name; nothing for a request that does not come over HTTP.
pub fn of(name: &str) -> Option<&'static [Field]> {
    Some(match name {
        "list" => LIST,
        "show" | "explain" => &[ITEM],
        "search" => const { &[must("text", Form::Text, "The words"), LIMIT] },
        "ready" => {
            const {
                &[
                    may(
                        "asker",
                        Form::Text,
                        "For whom; somebody without assigned items when absent",
                    ),
                    may("all", Form::Flag, "What cannot be started too, with the reason"),
                ]
            }
        }
        "conflicts" => const { &[may("item", Form::Text, "Which item; all when absent")] },
        "log" => const { &[may("item", Form::Text, "Which item; all when absent"), LIMIT] },
        "events" => {
            const {
                &[
                    must("after", Form::Count, "The last position that the caller has"),
                    LIMIT,
                ]
            }
        }
        "export" | "export-lines" => &[OFFSET, LIMIT],
        "settings" | "status" | "members" | "peers" | "addresses" | "sync-now" | "doctor"
        | "settings-line" => &[],
        "create" => CREATE,
        "edit" => EDIT,
        "transition" => TRANSITION,
        "label" | "depends" => {
            const {
                &[
                    ITEM,
                    must("add", Form::Texts, "To add"),
                    must("remove", Form::Texts, "To remove"),
                ]
            }
        }
        "link" => {
            const {
                &[
                    ITEM,
                    must("add", Form::Pairs(words_of!(LinkKind)), "To add"),
                    must("remove", Form::Pairs(words_of!(LinkKind)), "To remove"),
                ]
            }
        }
        "comment" => const { &[ITEM, must("text", Form::Text, "Markdown")] },
        "add-criterion" => const { &[ITEM, must("text", Form::Text, "What must be true")] },
        "set-criterion" => {
            const {
                &[
                    ITEM,
                    must("index", Form::Count, "Which criterion, counted from 1"),
                    must(
                        "state",
                        Form::Word(words_of!(CriterionState)),
                        "How far it is met",
                    ),
                    may("evidence", Form::Text, "What proves it"),
                    may(
                        "expect",
                        Form::Text,
                        "The id of the criterion that the caller has seen in this place; refused if it is another one",
                    ),
                    may(
                        "state_base",
                        Form::Word(words_of!(CriterionState)),
                        "The state that the caller has seen; refused if it is another one",
                    ),
                ]
            }
        }
        "settle" => {
            const {
                &[
                    ITEM,
                    may(
                        "conflict",
                        Form::Text,
                        "The beginning of the conflict's id; the only one when absent",
                    ),
                    must("keep", Form::Text, "The side: its key, author, action or result"),
                ]
            }
        }
        "undo" => const { &[may("item", Form::Text, "Only a command about this item")] },
        "take-ready" => {
            const {
                &[may(
                    "holder",
                    Form::Text,
                    "Who is to work on it; the caller when absent",
                )]
            }
        }
        "set" => {
            const {
                &[
                    must("key", Form::Text, "Which setting"),
                    may("value", Form::Text, "Its value; absent for the default"),
                ]
            }
        }
        "import-items" => const { &[must("items", Form::Objects, "At most 200 items"), DRY_RUN] },
        "import-relations" => const { &[must("relations", Form::Objects, "At most 200 relations"), DRY_RUN] },
        _ => return None,
    })
}
