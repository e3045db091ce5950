//! The table of what tests need (`xtask/src/needs/table.rs`) against the tests that there are: a name that nothing
//! begins with would leave nothing out.

use crate::repo::{files, none};

#[path = "../../src/needs/table.rs"]
mod table;

/// Where the integration tests of a package lie.
fn folder(package: &str) -> &'static str {
    match package {
        "towline-tests" => "tests/tests/",
        "towline-store" => "node/store/tests/store/",
        "towline-engine" => "node/engine/tests/engine/",
        other => panic!("{other}: say here where its tests lie"),
    }
}

#[test]
fn what_tests_need_is_said_of_tests_that_there_are() {
    let sources = files(".rs");
    let mut findings = Vec::new();
    for (_, package, name) in table::TESTS {
        let (modules, test) = name.rsplit_once("::").expect("a module");
        let path = format!("{}{}", folder(package), modules.replace("::", "/"));
        let files = [format!("{path}.rs"), format!("{path}/mod.rs")];
        let source = sources.iter().find(|(file, _)| files.contains(file));
        let found = source.is_some_and(|(_, source)| source.contains(&format!("fn {test}")));
        if !found {
            findings.push(format!("{package} {name}"));
        }
    }
    none(
        &findings,
        "keep `xtask/src/needs/table.rs` to the names of the tests",
    );
}

#[test]
fn every_need_is_somebodys() {
    let all = [
        table::BROWSER,
        table::CHAT,
        table::CLOCK,
        table::STICK,
        table::MOUNTS,
        table::LOOPBACK,
        table::LAN,
    ];
    let idle = all
        .iter()
        .filter(|need| !table::TESTS.iter().any(|(what, ..)| what == *need));
    none(
        &idle.map(|need| (*need).to_owned()).collect::<Vec<_>>(),
        "no test needs these",
    );
}
