//! The query of a board address: the tab and the filters.
//!
//! Filters live in the address, so that a filtered board can be kept, sent and reloaded.

use serde::Deserialize;
use towline_api::request::{Failure, FailureCode, Filter};
use towline_proto::{Column, Kind, Status};

/// The parts of a board: what a phone shows at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tab {
    /// Upcoming and backlog; on wide screens the whole board.
    #[default]
    Backlog,
    /// Coding, QA and merge.
    Progress,
    /// Done.
    Done,
    /// Archived and closed.
    Archived,
    /// Deleted, and not emptied out.
    Trash,
}

impl Tab {
    pub(super) const ALL: [Self; 5] = [
        Self::Backlog,
        Self::Progress,
        Self::Done,
        Self::Archived,
        Self::Trash,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Progress => "progress",
            Self::Done => "done",
            Self::Archived => "archived",
            Self::Trash => "trash",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Backlog => "Backlog",
            Self::Progress => "In progress",
            Self::Done => "Done",
            Self::Archived => "Archived",
            Self::Trash => "Trash",
        }
    }

    /// Whether one list holds the items of both: what is in progress is listed with the backlog.
    pub(super) fn is_listed_with(self, other: Self) -> bool {
        let apart = |tab: Self| matches!(tab, Self::Archived | Self::Trash);
        self == other || (!apart(self) && !apart(other))
    }

    /// The tab of a column, for items that are not in the trash.
    pub(super) const fn of(column: Column) -> Self {
        match column {
            Column::Upcoming | Column::Backlog => Self::Backlog,
            Column::Coding | Column::Qa | Column::Merge => Self::Progress,
            Column::Done => Self::Done,
            Column::Archived | Column::Closed => Self::Archived,
        }
    }
}

macro_rules! choices {
    ($(#[$about:meta])* $name:ident { $($(#[$default:meta])* $variant:ident = $word:literal, $title:literal;)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub(super) enum $name { $($(#[$default])* $variant,)+ }

        impl $name {
            pub(super) const ALL: &[Self] = &[$(Self::$variant),+];

            pub(super) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub(super) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }

            fn named(word: &str) -> Self {
                let found = Self::ALL.iter().find(|one| one.as_str() == word);
                found.copied().unwrap_or_default()
            }
        }
    };
}

choices!(
    /// How a list is sorted. The first is what an address without a word means.
    Sort {
        #[default] Order = "", "Board order";
        Priority = "priority", "Priority";
        Title = "title", "Title";
        Who = "who", "Who";
        Number = "number", "Newest";
        Age = "age", "Oldest in column";
        Updated = "updated", "Last changed";
    }
);

choices!(
    /// How a list is grouped. The first is what an address without a word means.
    Group {
        #[default] Column = "", "Column";
        Epic = "epic", "Epic";
        Who = "who", "Who";
        Label = "label", "Label";
        Nothing = "none", "Nothing";
    }
);

/// The query of a board address. Empty fields are what an untouched form sends; they mean nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct BoardQuery {
    pub(super) tab: String,
    pub(super) kind: String,
    pub(super) label: String,
    pub(super) assignee: String,
    pub(super) status: String,
    /// The handle of an epic.
    pub(super) epic: String,
    pub(super) text: String,
    /// A column to show whole, however long it is.
    pub(super) show: String,
    /// `list` for rows in place of columns.
    pub(super) view: String,
    pub(super) sort: String,
    pub(super) group: String,
}

impl BoardQuery {
    pub(super) fn tab(&self) -> Tab {
        let named = |tab: &Tab| tab.as_str() == self.tab;
        Tab::ALL.into_iter().find(named).unwrap_or_default()
    }

    /// Whether the items are rows of a list.
    pub(super) fn is_list(&self) -> bool {
        self.view == "list"
    }

    pub(super) fn sort(&self) -> Sort {
        Sort::named(&self.sort)
    }

    pub(super) fn group(&self) -> Group {
        Group::named(&self.group)
    }

    pub(super) fn is_filtered(&self) -> bool {
        let fields = [
            &self.kind,
            &self.label,
            &self.assignee,
            &self.status,
            &self.epic,
            &self.text,
        ];
        fields.iter().any(|field| !field.trim().is_empty())
    }

    /// The same place without its filters.
    pub(super) fn unfiltered(&self) -> Self {
        Self {
            tab: self.tab.clone(),
            view: self.view.clone(),
            sort: self.sort.clone(),
            group: self.group.clone(),
            ..Self::default()
        }
    }

    /// Every field by its name in an address.
    pub(super) fn fields(&self) -> [(&'static str, &str); 11] {
        [
            ("tab", self.tab.as_str()),
            ("kind", self.kind.as_str()),
            ("label", self.label.as_str()),
            ("assignee", self.assignee.as_str()),
            ("status", self.status.as_str()),
            ("epic", self.epic.as_str()),
            ("text", self.text.as_str()),
            ("show", self.show.as_str()),
            ("view", self.view.as_str()),
            ("sort", self.sort.as_str()),
            ("group", self.group.as_str()),
        ]
    }

    /// The request's filter.
    pub(super) fn filter(&self) -> Result<Filter, Failure> {
        let given = |field: &str| Some(field.trim().to_owned()).filter(|field| !field.is_empty());
        let usage =
            |error: towline_proto::stage::UnknownWord| Failure::new(FailureCode::Usage, error.to_string());
        let kind = given(&self.kind)
            .map(|word| word.parse::<Kind>())
            .transpose()
            .map_err(usage)?;
        let status = given(&self.status)
            .map(|word| word.parse::<Status>())
            .transpose()
            .map_err(usage)?;
        let columns = match self.tab() {
            Tab::Archived => vec![Column::Archived, Column::Closed],
            Tab::Backlog | Tab::Progress | Tab::Done | Tab::Trash => Vec::new(),
        };
        Ok(Filter {
            all: !columns.is_empty(),
            columns,
            deleted: self.tab() == Tab::Trash,
            kinds: kind.into_iter().collect(),
            labels: given(&self.label).into_iter().collect(),
            assignee: given(&self.assignee),
            statuses: status.into_iter().collect(),
            epic: given(&self.epic),
            text: given(&self.text),
            ..Filter::default()
        })
    }

    /// The query string with some fields changed, without the empty ones.
    pub(super) fn with(&self, changes: &[(&str, &str)]) -> String {
        let mut out = String::new();
        for (name, value) in self.fields() {
            let value = changes
                .iter()
                .find(|(changed, _)| *changed == name)
                .map_or(value.trim(), |(_, value)| *value);
            if !value.is_empty() {
                out.push(if out.is_empty() { '?' } else { '&' });
                out.push_str(name);
                out.push('=');
                out.push_str(&escape(value));
            }
        }
        out
    }
}

/// Percent-encodes everything but unreserved characters: one piece of a path or query.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A path of this site to go back to; anything else becomes `/`. `//host` and `/\host` are other
/// sites to a browser.
pub(super) fn local_path(path: &str) -> &str {
    let second = path.as_bytes().get(1);
    let own = path.starts_with('/')
        && !matches!(second, Some(b'/' | b'\\'))
        && path.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if own { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_filters_and_drops_what_is_empty() {
        let query = BoardQuery {
            kind: "bug".into(),
            label: "a&b".into(),
            text: "  ".into(),
            ..BoardQuery::default()
        };
        assert_eq!(query.with(&[("tab", "done")]), "?tab=done&kind=bug&label=a%26b");
        assert_eq!(BoardQuery::default().with(&[]), "");
    }

    #[test]
    fn an_unknown_word_is_told_with_the_known_ones() {
        let query = BoardQuery {
            kind: "chore".into(),
            ..BoardQuery::default()
        };
        let refused = query.filter().expect_err("unknown kind");
        assert_eq!(refused.code, FailureCode::Usage);
        assert!(refused.message.contains("story, bug"), "{refused}");
    }

    #[test]
    fn the_way_back_never_leads_to_another_site() {
        assert_eq!(local_path("/p/demo?kind=bug#main"), "/p/demo?kind=bug#main");
        for path in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nX: y",
        ] {
            assert_eq!(local_path(path), "/", "{path:?}");
        }
    }
}
