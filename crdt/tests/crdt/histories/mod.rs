//! Random histories of sequential and concurrent acts, compared with the reference model.

mod attempts;
mod delivery_order;
mod events_in_any_order;
mod invariants;
mod script;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use towline_crdt::doc::Acts;
use towline_crdt::fold::fold;
use towline_proto::{ItemId, Rule, Verb};

use crate::actors::test_members;
use crate::model::{Comparison, Model, OutcomeClass};
use crate::seed::{first_seed, number};
use script::{Played, Script, scripts};

/// The number of histories that are compared with the model by default.
const USUAL: u32 = 400;
/// How often more are tried at most, until everything has occurred.
const ROUNDS: u64 = 20;

/// The number of histories; `TOWLINE_CASES` overrides it.
fn cases(usual: u32) -> u32 {
    let asked = number("TOWLINE_CASES");
    asked.and_then(|asked| u32::try_from(asked).ok()).unwrap_or(usual)
}

fn runner(usual: u32) -> TestRunner {
    println!("TOWLINE_CASES={}", cases(usual));
    runner_from(first_seed(), cases(usual))
}

fn runner_from(seed: u64, cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    })
}

/// Runs a property; the smallest history that breaks it is printed.
fn run<S: Strategy>(
    mut runner: TestRunner,
    strategy: S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    if let Err(error) = runner.run(&strategy, property) {
        panic!("{error}");
    }
}

fn both(item: ItemId, acts: &Acts) -> (Comparison, Comparison) {
    let cast = test_members();
    let folded = fold(item, acts, &cast).expect("a creation");
    let all: BTreeSet<_> = acts.keys().copied().collect();
    let model = Model::of(item, acts, &cast);
    (Comparison::by_fold(&folded), model.compare(&all))
}

/// How often each case occurred.
#[derive(Default)]
struct Counts(RefCell<BTreeMap<String, u32>>);

impl Counts {
    fn one(&self, what: String) {
        *self.0.borrow_mut().entry(what).or_default() += 1;
    }

    fn history(&self, played: &Played, comparison: &Comparison) {
        self.one("histories".into());
        for (id, class) in &comparison.outcomes {
            self.one(format!("fate {}", class.name()));
            let did = if *class == OutcomeClass::Refused {
                "refused"
            } else {
                "taken"
            };
            self.one(format!("{did} {}", played.acts[id].act.op.name()));
            let who = if played.honest.contains(id) {
                "honest"
            } else {
                "forged"
            };
            self.one(format!("{who} {did}"));
        }
    }

    fn stage(&self, comparison: &Comparison) {
        self.one("stages".into());
        for class in comparison.outcomes.values() {
            if let OutcomeClass::Overridden(Some(rule)) = class {
                self.one(format!("rule {rule}"));
            }
        }
        for (register, ..) in &comparison.conflicts {
            let name = register.to_string();
            let name = name.split_whitespace().next().unwrap_or_default();
            self.one(format!("contested {name}"));
        }
    }

    /// What has not occurred yet of every rule, every outcome, every register that can have conflicts and every
    /// operation: a property whose histories lack one does not test it.
    fn missing(&self) -> Vec<String> {
        // A review hold is only set, or left behind; a cycle needs more than one item.
        let rules = Rule::ALL.iter().filter(|rule| **rule != Rule::Cycle);
        let mut wanted: Vec<String> = rules.map(|rule| format!("rule {rule}")).collect();
        let registers = [
            "column",
            "frozen",
            "blocked",
            "merge-failure",
            "deleted",
            "claim",
            "title",
            "kind",
            "priority",
            "qa",
            "epic",
            "assignee",
            "criterion",
            "setting",
        ];
        wanted.extend(registers.map(|register| format!("contested {register}")));
        let outcomes = [
            "effective",
            "superseded",
            "overtaken, open",
            "overtaken, settled",
            "refused",
        ];
        wanted.extend(outcomes.map(|fate| format!("fate {fate}")));
        wanted.extend(
            Verb::ALL
                .iter()
                .flat_map(|verb| [format!("taken {verb}"), format!("refused {verb}")]),
        );
        let edits = [
            "settle",
            "title",
            "kind",
            "priority",
            "qa",
            "epic",
            "assign",
            "edit",
            "label",
            "unlabel",
            "depends",
            "undepends",
            "link",
            "unlink",
            "comment",
            "criterion",
            "judge",
            "import",
            "set",
        ];
        wanted.extend(edits.map(|edit| format!("taken {edit}")));
        wanted.extend(["refused settle", "refused set", "forged taken", "forged refused"].map(str::to_owned));
        let counts = self.0.borrow();
        wanted.retain(|what| !counts.contains_key(what));
        wanted
    }

    fn print(&self) {
        for (what, count) in self.0.borrow().iter() {
            println!("{count:>7} {what}");
        }
    }
}

#[test]
fn the_fold_agrees_with_the_model() {
    let counts = Counts::default();
    let property = |script: Script| {
        let played = script.play();
        for acts in &played.stages {
            let (fold, model) = both(played.item, acts);
            if fold != model {
                let listing = played.listing(acts);
                return Err(TestCaseError::fail(format!(
                    "\n{listing}{}",
                    fold.against(&model)
                )));
            }
            counts.stage(&fold);
        }
        counts.history(&played, &both(played.item, &played.acts).0);
        Ok(())
    };
    let first = first_seed();
    run(runner_from(first, cases(USUAL)), scripts(), property);
    // Where the histories begin is chance, and what is rarest takes some more of them now and then.
    for seed in first + 1..first + ROUNDS {
        if cases(USUAL) >= USUAL && !counts.missing().is_empty() {
            run(runner_from(seed, USUAL / 4), scripts(), property);
        }
    }
    counts.print();
    let missing = counts.missing();
    assert!(
        cases(USUAL) < USUAL || missing.is_empty(),
        "these never occurred: {missing:?}"
    );
}
