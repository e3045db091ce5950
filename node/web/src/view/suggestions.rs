//! What the fields of forms suggest: names, labels, epics and items that a project has.
//!
//! Made from cards, and bounded. Without suggestions the forms work all the same.

use std::collections::BTreeSet;

use maud::{Markup, html};
use towline_api::types::ItemCard;
use towline_proto::Kind;

/// Suggestions of one kind that a page carries.
const SUGGESTIONS: usize = 200;

/// What the forms of a project suggest: names, labels, epics and items that it has.
#[derive(Debug, Default)]
pub(crate) struct Suggestions {
    people: BTreeSet<String>,
    labels: BTreeSet<String>,
    epics: Vec<(String, String)>,
    items: Vec<(String, String)>,
}

impl Suggestions {
    /// Those of the items of a project.
    pub(crate) fn of(cards: &[ItemCard]) -> Self {
        let named = |card: &ItemCard| (card.handle.clone(), card.title.clone());
        let holders = cards.iter().filter_map(|card| card.claim.as_ref());
        Self {
            people: cards
                .iter()
                .filter_map(|card| card.assignee.clone())
                .chain(holders.map(|claim| claim.holder.clone()))
                .collect(),
            labels: cards.iter().flat_map(|card| card.labels.clone()).collect(),
            epics: cards
                .iter()
                .filter(|card| card.kind == Kind::Epic)
                .map(named)
                .collect(),
            items: cards.iter().take(SUGGESTIONS).map(named).collect(),
        }
    }

    /// The lists that the fields refer to.
    pub(crate) fn lists(&self) -> Markup {
        let words = |id: &str, words: &BTreeSet<String>| {
            html! { datalist id=(id) { @for word in words.iter().take(SUGGESTIONS) { option value=(word) {} } } }
        };
        let items = |id: &str, items: &[(String, String)]| {
            html! { datalist id=(id) {
                @for (handle, title) in items.iter().take(SUGGESTIONS) { option value=(handle) { (title) } }
            } }
        };
        html! {
            (words("known-people", &self.people)) (words("known-labels", &self.labels))
            (items("known-epics", &self.epics)) (items("known-items", &self.items))
        }
    }
}
