//! Tests of the store alone: which documents are there, and what survives when the cache is cleared.

use super::*;
use crate::Project;
use crate::tests::pair::{BEGIN, Clock, key};

fn store(dir: &Path) -> Store {
    let genesis = Project::genesis(&key("ann"), &Clock::new(), "demo", "ann");
    let id = genesis.project();
    let log = Log::create(&dir.join("log"), id).unwrap();
    let cache = open_cache(BEGIN, dir).unwrap();
    Store::new(dir.to_owned(), id, log, cache).unwrap()
}

#[test]
fn a_document_is_loaded_once_and_the_settings_are_always_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path());
    let settings = store.settings_id();
    assert!(store.saved(&settings).unwrap().is_none());
    let doc = store.doc(&settings).unwrap();
    assert!(store.loaded(&settings).is_none(), "nobody has set anything");
    store.put_doc(doc.clone());
    assert!(Arc::ptr_eq(&store.doc(&settings).unwrap(), &doc));
    assert!(store.uncached(&settings).is_some());
    store.applied(Some(0), Vec::new());
    store.save(&Index::default()).unwrap();
    assert!(store.uncached(&settings).is_none(), "the cache has it");
    store.forget_doc(&settings);
    let again = store.doc(&settings).unwrap();
    assert_eq!(again.heads(), doc.heads());
    assert!(Arc::ptr_eq(&store.doc(&settings).unwrap(), &again));
}

#[test]
fn an_item_that_is_not_there_has_no_document_and_one_without_a_document_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let missing = ItemId([7; ItemId::LEN]);
    let index = Index::default();
    assert!(store.existing_doc(&index, &missing).unwrap().is_none());
    let failure = store.doc(&missing).unwrap_err();
    assert!(failure.message.contains("towline rebuild"), "{failure}");
}

#[test]
fn cursors_outlive_the_cache_and_stay_within_the_feed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path());
    let index = Index::default();
    for _ in 0..3 {
        store.feed.advance();
    }
    store.set_cursor(&index, "board", 9).unwrap();
    assert_eq!(
        store.cursor("board").unwrap(),
        Some(3),
        "no further than the feed"
    );
    store.clear().unwrap();
    assert_eq!(store.cursor("board").unwrap(), Some(3));
    store.clamp_cursors().unwrap();
    assert_eq!(store.cursor("board").unwrap(), Some(0));
    assert_eq!(store.cursor("chat").unwrap(), None);
}

#[test]
fn nothing_is_written_while_nothing_was_applied() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path());
    let index = Index::default();
    store.put_doc(store.doc(&store.settings_id()).unwrap());
    store.save(&index).unwrap();
    assert!(store.uncached(&store.settings_id()).is_some());
    store.applied(None, Vec::new());
    store.save(&index).unwrap();
    assert!(store.uncached(&store.settings_id()).is_some());
    store.applied(Some(1), Vec::new());
    store.save(&index).unwrap();
    assert!(store.uncached(&store.settings_id()).is_none());
}
