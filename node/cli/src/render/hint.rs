//! What to do about a failure, in the words of the command line.
//!
//! The only place that makes a sentence with commands and options of a [`Hint`]. Decides nothing.

use towline_api::request::Hint;
use towline_proto::Verb;

/// The sentence of a hint, to stand behind that of the failure; `None` where that one says it already.
pub fn sentence(hint: &Hint) -> Option<String> {
    let fixed = match hint {
        Hint::Rebuild => "run `towline rebuild`",
        Hint::Doctor => "run `towline doctor` for details",
        Hint::Repair => "stop the node and run `towline doctor --repair`",
        Hint::RepairOrJoin => {
            "run `towline doctor --repair` to finish an interrupted repair, or `towline join` to get the project \
             from another member"
        }
        Hint::RestoreOrResume => {
            "restore it from a backup; or, if `towline init`, `up` or `join` was stopped before it was done, run \
             that again"
        }
        Hint::UpOrAnnounce => "start it with `towline up`, or set one with `towline config announce`",
        Hint::UpOrForce => "start one with `towline up`, or use `--force` with `--reason` to take it anyway",
        Hint::CreateOrJoin => "run `towline up` to create one or `towline join TICKET` to join one",
        Hint::ChooseProject => "choose one with --project",
        Hint::Force { verb: Verb::Start } => "use `--force` with a reason to start it anyway",
        Hint::Force { verb: Verb::TakeOver } => "use `--force` with `--reason` to take it anyway",
        Hint::Force { verb: _ } => "use `--force` with a reason to do it anyway",
        Hint::TakeOver => "use `take-over` once that node is gone, or at once with `--force` and `--reason`",
        // Verbs are not particular to the command line: the sentence of the failure names them.
        Hint::Transition { verb: _ } => return None,
        Hint::ListNotReady => "run `towline ready --all` to see why",
        Hint::ListMembers => "run `towline members` to list them",
        Hint::ShowDependencies { item } => return Some(format!("see `towline depends tree {item}`")),
        Hint::LeaveEpic { item } => return Some(format!("use `towline edit {item} --epic ''`")),
    };
    Some(fixed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_commands() {
        let epic = Hint::LeaveEpic { item: "2".into() };
        assert_eq!(sentence(&epic).unwrap(), "use `towline edit 2 --epic ''`");
        assert_eq!(sentence(&Hint::Rebuild).unwrap(), "run `towline rebuild`");
    }
}
