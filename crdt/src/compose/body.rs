//! Bodies: a three-way merge of texts, and splices from one text to another that fit into changes.
//!
//! Pure functions of texts. How concurrent edits merge is up to Automerge.

use automerge::transaction::Transactable;
use automerge::{ActorId, Automerge, AutomergeError, ObjType, ROOT, ReadDoc};

use super::CHARS_PER_CHANGE;
use crate::doc::BODY;

/// Three-way merge: applies to `current` what `edited` changed of `base`, character by character, as Automerge
/// merges two concurrent edits.
pub(super) fn three_way_merge(base: &str, current: &str, edited: &str) -> Result<String, AutomergeError> {
    let mut root = Automerge::new().with_actor(ActorId::from([0u8]));
    let mut tx = root.transaction();
    let body = tx.put_object(ROOT, BODY, ObjType::Text)?;
    tx.splice_text(&body, 0, 0, base)?;
    tx.commit();
    let mut theirs = root.fork().with_actor(ActorId::from([1u8]));
    let mut tx = theirs.transaction();
    tx.update_text(&body, current)?;
    tx.commit();
    let mut ours = root.with_actor(ActorId::from([2u8]));
    let mut tx = ours.transaction();
    tx.update_text(&body, edited)?;
    tx.commit();
    ours.merge(&mut theirs)?;
    ours.text(&body)
}

/// One splice of a text, in characters.
pub(super) struct Splice {
    pub(super) at: usize,
    pub(super) delete: isize,
    pub(super) insert: String,
}

/// Splices that turn `old` into `new`, none with more operations than a change may have. The common beginning
/// and end are kept; what is between is deleted and inserted in pieces.
pub(super) fn splices(old: &str, new: &str) -> Vec<Splice> {
    let old: Vec<char> = old.chars().collect();
    let new: Vec<char> = new.chars().collect();
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (
        old.get(start..).unwrap_or_default(),
        new.get(start..).unwrap_or_default(),
    );
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let old = old.get(..old.len() - end).unwrap_or_default();
    let new = new.get(..new.len() - end).unwrap_or_default();

    let deletions = old.chunks(CHARS_PER_CHANGE).map(|chunk| Splice {
        at: start,
        delete: isize::try_from(chunk.len()).unwrap_or(0),
        insert: String::new(),
    });
    let insertions = new
        .chunks(CHARS_PER_CHANGE)
        .enumerate()
        .map(|(index, chunk)| Splice {
            at: start + index * CHARS_PER_CHANGE,
            delete: 0,
            insert: chunk.iter().collect(),
        });
    deletions.chain(insertions).collect()
}

#[cfg(test)]
mod tests {
    use super::splices;

    #[test]
    fn splices_turn_any_text_into_any_other() {
        let long = "long ".repeat(1_000);
        for (old, new) in [
            ("", "abc"),
            ("abc", ""),
            ("abc", "axc"),
            ("aaa", "aa"),
            ("", long.as_str()),
            (long.as_str(), "x"),
        ] {
            let mut text: Vec<char> = old.chars().collect();
            for splice in splices(old, new) {
                let end = splice.at + usize::try_from(splice.delete).expect("not negative");
                text.splice(splice.at..end, splice.insert.chars());
            }
            assert_eq!(text.iter().collect::<String>(), new);
        }
    }
}
