//! Names of the projects of one node: how each is addressed, and which one a text refers to.
//!
//! The creator of a project chooses its name, so two projects can share one. Each is then addressed by its
//! name and the first digits of its id, `shop~1a2b3c4d`, which is the same on every node and never changes;
//! that form works for unique names as well. An ambiguous text refers to no project.

use towline_proto::ProjectId;

use crate::request::{Failure, FailureCode};
use crate::types::UnavailableProject;

/// Separates a name from digits of an id. It needs no escaping in URLs and shells.
const MARK: char = '~';
/// The fewest digits of an id that identify a project.
const DIGITS: usize = 4;
/// The most projects in a message.
const NAMED: usize = 12;

/// A project with its name.
pub type Named<'a> = (&'a str, &'a ProjectId);

/// The address of a project among all projects of a node.
pub fn address(all: &[Named<'_>], (name, id): Named<'_>) -> String {
    let is_taken = |(other, other_id): &Named<'_>| *other_id != id && *other == name;
    if all.iter().any(is_taken) {
        return format!("{name}{MARK}{}", id.short());
    }
    name.to_owned()
}

/// The project that a text refers to; without a text, the only one. `unavailable` are the projects that cannot be
/// opened: one of them may be meant.
///
/// # Errors
/// When there is none, several match, or the one that is meant cannot be opened.
pub fn resolve(
    all: &[Named<'_>],
    unavailable: &[UnavailableProject],
    wanted: Option<&str>,
) -> Result<usize, Failure> {
    let meant = unavailable
        .iter()
        .find(|one| wanted.is_none_or(|wanted| one.name == wanted));
    let is_named = all.iter().any(|(name, _)| Some(*name) == wanted);
    match (pick(all, wanted), meant) {
        // Without a name it is not clear that the request is for one of the others.
        (_, Some(other)) if wanted.is_none() && !all.is_empty() => Err(ambiguous(all, other)),
        (Err(_), Some(meant)) if !is_named => Err(Failure::new(
            FailureCode::Failure,
            format!("cannot open the project {}: {}", meant.name, meant.why),
        )),
        (at, _) => at,
    }
}

fn ambiguous(all: &[Named<'_>], unavailable: &UnavailableProject) -> Failure {
    let names: Vec<_> = all.iter().map(|one| address(all, *one)).collect();
    Failure::new(
        FailureCode::Usage,
        format!(
            "this node has several projects, and {} cannot be opened ({}); choose one with --project: {}",
            unavailable.name,
            unavailable.why,
            names.join(", ")
        ),
    )
}

fn pick(all: &[Named<'_>], wanted: Option<&str>) -> Result<usize, Failure> {
    let fits: Vec<usize> = match wanted {
        None => (0..all.len()).collect(),
        Some(wanted) => fitting(all, wanted),
    };
    let named = |of: &[usize]| {
        let mut names: Vec<_> = of.iter().filter_map(|at| all.get(*at)).take(NAMED).collect();
        names.sort();
        let mut names: Vec<_> = names.into_iter().map(|one| address(all, *one)).collect();
        if of.len() > NAMED {
            names.push(format!("{} more", of.len() - NAMED));
        }
        names.join(", ")
    };
    let refuse = |code, message| Err(Failure::new(code, message));
    match (fits.as_slice(), wanted) {
        ([one], _) => Ok(*one),
        ([], None) => refuse(
            FailureCode::NotFound,
            "this node has no project yet; run `towline up` to create one or `towline join TICKET` to join one"
                .to_owned(),
        ),
        ([], Some(wanted)) => {
            let everything: Vec<usize> = (0..all.len()).collect();
            let wanted = towline_proto::text::show(wanted, 80);
            let message = match everything.as_slice() {
                [] => format!("no project {wanted:?} here: this node has no project yet"),
                all => format!("no project {wanted:?} here; available: {}", named(all)),
            };
            refuse(FailureCode::NotFound, message)
        }
        (several, None) => refuse(
            FailureCode::Usage,
            format!("this node has several projects; choose one with --project: {}", named(several)),
        ),
        (several, Some(wanted)) => {
            let wanted = towline_proto::text::show(wanted, 80);
            let message = format!("{wanted:?} matches several projects; be more specific: {}", named(several));
            refuse(FailureCode::NotFound, message)
        }
    }
}

fn fitting(all: &[Named<'_>], wanted: &str) -> Vec<usize> {
    let which = |fits: &dyn Fn(&Named<'_>) -> bool| -> Vec<usize> {
        let all = all.iter().enumerate();
        all.filter(|(_, one)| fits(one)).map(|(at, _)| at).collect()
    };
    let begins = |id: &ProjectId, digits: &str| {
        digits.len() >= DIGITS && id.to_string().starts_with(&digits.to_ascii_lowercase())
    };
    let marked = wanted.rsplit_once(MARK);
    let by_name = which(&|(name, id)| {
        *name == wanted || marked.is_some_and(|(plain, digits)| *name == plain && begins(id, digits))
    });
    if by_name.is_empty() {
        return which(&|(_, id)| begins(id, wanted));
    }
    by_name
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [ProjectId; 3] = [
        ProjectId([0x1a; 32]),
        ProjectId([0x2b; 32]),
        ProjectId([0x3c; 32]),
    ];

    fn all() -> Vec<Named<'static>> {
        vec![("shop", &IDS[0]), ("shop", &IDS[1]), ("till", &IDS[2])]
    }

    fn refused(wanted: Option<&str>) -> String {
        pick(&all(), wanted).unwrap_err().message
    }

    #[test]
    fn a_name_that_two_share_names_neither_and_both_can_be_typed() {
        let all = all();
        let addresses: Vec<_> = all.iter().map(|one| address(&all, *one)).collect();
        assert_eq!(addresses, ["shop~1a1a1a1a", "shop~2b2b2b2b", "till"]);
        for (at, address) in addresses.iter().enumerate() {
            assert_eq!(pick(&all, Some(address)).unwrap(), at);
        }
        assert_eq!(
            refused(Some("shop")),
            "\"shop\" matches several projects; be more specific: shop~1a1a1a1a, shop~2b2b2b2b"
        );
        // The long form stays good when the other one is gone, and a few digits are enough.
        assert_eq!(pick(&all[..1], Some("shop~1a1a1a1a")).unwrap(), 0);
        assert_eq!(pick(&all, Some("shop~2B2B")).unwrap(), 1);
        assert_eq!(pick(&all, Some("2b2b2b")).unwrap(), 1);
        assert_eq!(pick(&all, Some("till")).unwrap(), 2);
    }

    #[test]
    fn a_project_that_cannot_be_opened_is_not_taken_for_another() {
        let broken = [UnavailableProject {
            name: "bank".into(),
            why: "no key".into(),
        }];
        let refused = |all: &[Named<'_>], wanted| resolve(all, &broken, wanted).unwrap_err().message;
        let till = [all()[2]];
        assert_eq!(
            refused(&till, None),
            "this node has several projects, and bank cannot be opened (no key); choose one with --project: till"
        );
        let closed = "cannot open the project bank: no key";
        assert_eq!(refused(&till, Some("bank")), closed);
        assert_eq!(refused(&[], None), closed);
        assert_eq!(resolve(&till, &broken, Some("till")).unwrap(), 0);
        assert!(refused(&till, Some("shop")).contains("no project"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_existing_ones() {
        assert!(refused(Some("shopp")).contains("available: shop~1a1a1a1a, shop~2b2b2b2b, till"));
        assert!(refused(None).contains("choose one with --project: shop~1a1a1a1a"));
        for wanted in ["shop~", "shop~1a", "shop~3c3c3c3c", "~1a1a", ""] {
            assert!(refused(Some(wanted)).contains("no project"), "{wanted}");
        }
        assert!(pick(&[], None).unwrap_err().message.contains("no project yet"));
        assert!(
            pick(&[], Some("x"))
                .unwrap_err()
                .message
                .contains("no project yet")
        );
    }

    #[test]
    fn a_project_that_is_called_like_the_long_form_of_another_takes_nothing_from_it() {
        let all = [("shop", &IDS[0]), ("shop", &IDS[1]), ("shop~1a1a1a1a", &IDS[2])];
        assert!(pick(&all, Some("shop~1a1a1a1a")).is_err());
        assert_eq!(pick(&all, Some("1a1a1a1a")).unwrap(), 0);
        assert_eq!(pick(&all, Some("3c3c3c3c")).unwrap(), 2);
    }
}
