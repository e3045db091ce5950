//! An epic with its items: how far it is, and what is left to do.

use std::fmt::Write as _;

use towline_api::types::{ItemCard, ItemPage};

use super::text::{plural, wrap};
use super::{Ink, View, list, show};

/// Longest bar, in columns.
const BAR: usize = 40;

/// The page of an epic and the cards of its items.
pub(crate) fn page(view: &View, epic: &ItemPage, items: &[ItemCard]) -> String {
    let card = &epic.card;
    let mut out = format!("{}\n", show::title(view, card));
    let (done, all) = card.progress.unwrap_or((0, 0));
    let longest = BAR.min(view.width.saturating_sub(20)).max(10);
    if let Some(share) = (done * longest).checked_div(all) {
        // Anything that is done shows.
        let filled = share.max(usize::from(done > 0)).min(longest);
        let bar = view.style.paint(Ink::Green, &"█".repeat(filled));
        let rest = view.style.paint(Ink::Dim, &"░".repeat(longest - filled));
        let _ = writeln!(out, "{bar}{rest}  {done} of {} done", plural(all, "item"));
    }
    out.push('\n');
    if items.is_empty() {
        let none = format!("No items yet. Add one with `towline epic N {}`.", card.handle);
        for line in wrap(&none, view.width) {
            let _ = writeln!(out, "{}", view.style.paint(Ink::Dim, &line));
        }
    }
    out.push_str(&list::columns(view, items, &items.iter().collect::<Vec<_>>()));
    out
}
