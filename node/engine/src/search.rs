//! Search: words in titles, labels and references, which are in memory, and in bodies, which are not.
//!
//! Bodies are read from their own table, in one pass and only if some item lacks a word elsewhere: loading an
//! Automerge document per item took longer than everything else together. For a document that is not in the
//! cache yet, the document itself is searched.

use std::collections::BTreeMap;

use crate::errors::StorageError;
use towline_api::request::{Failure, FailureCode};
use towline_api::types::ItemCard;
use towline_proto::ItemId;
use towline_store::cache::{Row, RowTexts};

use crate::query::QueryContext;

/// How well an item matches: by its handle, in its title, or elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MatchRank {
    Named,
    Title,
    Elsewhere,
}

impl QueryContext<'_> {
    /// Cards that contain every word, best first: by handle, then in the title, then elsewhere.
    pub(crate) fn search(&self, wanted: &str, limit: usize) -> Result<Vec<ItemCard>, Failure> {
        let words: Vec<String> = wanted.split_whitespace().map(str::to_lowercase).collect();
        if words.is_empty() {
            return Err(Failure::new(
                FailureCode::Usage,
                "expected at least one word to search for",
            ));
        }
        // A text that is no handle is searched as words.
        let called = self.index.find(wanted).unwrap_or_default();
        let mut found = Vec::new();
        // Items whose body must contain the words that are missing elsewhere.
        let mut open: BTreeMap<ItemId, Vec<&str>> = BTreeMap::new();
        for row in self.index.shown().filter(|row| !row.deleted) {
            if called.contains(&row.id) {
                found.push((MatchRank::Named, row.id));
                continue;
            }
            let title = row.title().to_lowercase();
            if words.iter().all(|word| title.contains(word)) {
                found.push((MatchRank::Title, row.id));
                continue;
            }
            let missing = missing(&words, title, row);
            if missing.is_empty() {
                found.push((MatchRank::Elsewhere, row.id));
            } else if row.has_body {
                open.insert(row.id, missing);
            }
        }
        for id in self.in_bodies(open)? {
            found.push((MatchRank::Elsewhere, id));
        }
        found.sort_unstable();
        let rows = found.iter().take(limit).filter_map(|(_, id)| self.index.row(id));
        Ok(self.index.cards(rows))
    }

    /// The items whose body contains their missing words.
    fn in_bodies(&self, mut open: BTreeMap<ItemId, Vec<&str>>) -> Result<Vec<ItemId>, StorageError> {
        let mut found = Vec::new();
        let has = |body: &str, missing: &[&str]| missing.iter().all(|word| body.contains(word));
        for doc in self.store.uncached_docs() {
            if let Some(missing) = open.remove(&doc.id()) {
                let body = doc.body().map_err(StorageError::Body)?;
                found.extend(has(&body.to_lowercase(), &missing).then(|| doc.id()));
            }
        }
        if open.is_empty() {
            return Ok(found);
        }
        for pair in self.store.bodies() {
            let (key, body) = pair?;
            let id = <[u8; ItemId::LEN]>::try_from(key.as_slice()).map(ItemId);
            let Some((id, missing)) = id.ok().and_then(|id| open.remove_entry(&id)) else {
                continue;
            };
            found.extend(
                std::str::from_utf8(&body)
                    .is_ok_and(|body| has(body, &missing))
                    .then_some(id),
            );
        }
        Ok(found)
    }
}

/// The words that are neither in the title nor in labels or references.
fn missing<'a>(words: &'a [String], title: String, row: &Row) -> Vec<&'a str> {
    let mut haystack = title;
    let RowTexts { labels, links, .. } = row.texts();
    for part in labels
        .into_iter()
        .chain(links.into_iter().map(|(_, target)| target))
    {
        haystack.push('\n');
        haystack.push_str(&part.to_lowercase());
    }
    let lacks = |word: &&str| !haystack.contains(word);
    words.iter().map(String::as_str).filter(lacks).collect()
}
