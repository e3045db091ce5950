//! Bodies: from an old text and a new one to splices that a change may hold, and three texts to one.
//!
//! Pure functions of texts. What an edit means for others is Automerge's to say.

use automerge::transaction::Transactable;
use automerge::{ActorId, Automerge, AutomergeError, ObjType, ROOT, ReadDoc};

use super::CHARS_PER_CHANGE;
use crate::doc::BODY;

/// Three texts to one: what `edited` changed of `base` goes into `present`, character by character,
/// as Automerge would merge the two edits had they been made apart.
pub(super) fn merge(base: &str, present: &str, edited: &str) -> Result<String, AutomergeError> {
    let mut root = Automerge::new().with_actor(ActorId::from([0u8]));
    let mut tx = root.transaction();
    let body = tx.put_object(ROOT, BODY, ObjType::Text)?;
    tx.splice_text(&body, 0, 0, base)?;
    tx.commit();
    let mut theirs = root.fork().with_actor(ActorId::from([1u8]));
    let mut tx = theirs.transaction();
    tx.update_text(&body, present)?;
    tx.commit();
    let mut ours = root.with_actor(ActorId::from([2u8]));
    let mut tx = ours.transaction();
    tx.update_text(&body, edited)?;
    tx.commit();
    ours.merge(&mut theirs)?;
    ours.text(&body)
}

/// One splice of a text, in characters.
pub(super) struct Piece {
    pub(super) at: usize,
    pub(super) delete: isize,
    pub(super) insert: String,
}

/// Splices that make `new` of `old`, none with more operations than a change may have: the common
/// beginning and end stay, what is between goes piece by piece.
pub(super) fn pieces(old: &str, new: &str) -> Vec<Piece> {
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

    let deletions = old.chunks(CHARS_PER_CHANGE).map(|chunk| Piece {
        at: start,
        delete: isize::try_from(chunk.len()).unwrap_or(0),
        insert: String::new(),
    });
    let insertions = new
        .chunks(CHARS_PER_CHANGE)
        .enumerate()
        .map(|(index, chunk)| Piece {
            at: start + index * CHARS_PER_CHANGE,
            delete: 0,
            insert: chunk.iter().collect(),
        });
    deletions.chain(insertions).collect()
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn pieces_turn_any_text_into_any_other() {
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
            for piece in pieces(old, new) {
                let end = piece.at + usize::try_from(piece.delete).expect("not negative");
                text.splice(piece.at..end, piece.insert.chars());
            }
            assert_eq!(text.iter().collect::<String>(), new);
        }
    }
}
