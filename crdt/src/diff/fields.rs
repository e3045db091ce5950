//! Which fields differ between two rows, and the registers whose acts caused that.
//!
//! Compares values only; relies on the lists of a row being sorted or in a stable order.

use towline_proto::{Field, Register};

use crate::view::ItemView;

/// The fields that changed, apart from the body, with the registers whose acts caused that. Of a set or list, only
/// the registers of the members that changed: replicas may receive concurrent additions one by one.
pub(super) fn changed_fields(before: &ItemView, after: &ItemView) -> Vec<(Field, Vec<Register>)> {
    let one = |register| vec![register];
    let pairs = [
        (Field::Title, before.title != after.title, one(Register::Title)),
        (Field::Kind, before.kind != after.kind, one(Register::Kind)),
        (
            Field::Priority,
            before.priority != after.priority,
            one(Register::Priority),
        ),
        (Field::Qa, before.qa != after.qa, one(Register::Qa)),
        (Field::Epic, before.epic != after.epic, one(Register::Epic)),
        (
            Field::Assignee,
            before.assignee != after.assignee,
            one(Register::Assignee),
        ),
        (
            Field::Labels,
            before.labels != after.labels,
            changed(&before.labels, &after.labels, |label| {
                Register::Label(label.clone())
            }),
        ),
        (
            Field::DependsOn,
            before.depends_on != after.depends_on,
            changed(&before.depends_on, &after.depends_on, |on| {
                Register::Dependency(*on)
            }),
        ),
        (
            Field::Links,
            before.links != after.links,
            changed(&before.links, &after.links, |link| {
                Register::Link(link.kind, link.target.clone())
            }),
        ),
        (
            Field::Criteria,
            before.criteria != after.criteria,
            changed(&before.criteria, &after.criteria, |criterion| {
                Register::Criterion(criterion.id)
            }),
        ),
    ];
    pairs
        .into_iter()
        .filter(|(_, changed, _)| *changed)
        .map(|(field, _, registers)| (field, registers))
        .collect()
}

/// The registers of the elements that are in one list only. The common beginning and end are skipped first.
fn changed<T: PartialEq>(before: &[T], after: &[T], register: impl Fn(&T) -> Register) -> Vec<Register> {
    let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let rest = |list| <[T]>::get(list, same..).unwrap_or_default();
    let (before, after) = (rest(before), rest(after));
    let pairs = before.iter().rev().zip(after.iter().rev());
    let same = pairs.take_while(|(a, b)| a == b).count();
    let rest = |list: &[T]| list.len().saturating_sub(same);
    let before = before.get(..rest(before)).unwrap_or_default();
    let after = after.get(..rest(after)).unwrap_or_default();
    let gone = before.iter().filter(|one| !after.contains(one));
    let new = after.iter().filter(|one| !before.contains(one));
    gone.chain(new).map(register).collect()
}
