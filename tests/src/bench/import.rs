//! Importing a real tracker, against making as many bare documents in the same process.

use std::time::Instant;

use anyhow::Result;
use automerge::transaction::Transactable;
use automerge::{Automerge, ObjType, ROOT};

use super::{Bench, Goal, Row, world};

/// Scalar fields of a bare document.
const FIELDS: usize = 14;

/// One after the other in one run.
pub(crate) fn import(bench: &Bench) -> Result<Vec<Row>> {
    let begun = Instant::now();
    for item in &bench.tracker.items {
        let mut doc = Automerge::new();
        let mut tx = doc.transaction();
        tx.put(ROOT, "title", item.title.as_str())?;
        for field in 1..FIELDS {
            tx.put(ROOT, format!("field {field}"), item.external.as_str())?;
        }
        let body = tx.put_object(ROOT, "body", ObjType::Text)?;
        tx.splice_text(&body, 0, 0, &item.body)?;
        tx.commit();
    }
    let bare = begun.elapsed();
    let dir = tempfile::tempdir()?;
    let mut project = world::project(dir.path())?;
    let begun = Instant::now();
    world::import(&mut project, &bench.tracker)?;
    let imported = begun.elapsed();
    let what = format!("import of {} items", bench.tracker.items.len());
    let (got, limit) = (imported.as_secs_f64() * 1e3, bare.as_secs_f64() * 1e3);
    Ok(vec![Row::new(
        what,
        "ms",
        got,
        "bare Automerge documents",
        limit,
        Goal::AtMost(1.5),
    )])
}
