//! Rules about everything beside the code: links that resolve, no path of somebody's machine, a
//! reason for every dependency.

use std::collections::BTreeSet;

use crate::repo::{files, none, packages, root, text};

/// Real data of other people, which may say what it likes.
const FOREIGN: &str = "tests/data/";

#[test]
fn every_relative_link_leads_somewhere() {
    let mut findings = Vec::new();
    for (name, source) in files(".md") {
        let dir = root().join(&name).parent().expect("a directory").to_path_buf();
        for link in links(&source) {
            let target = link.split(['#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !dir.join(target).exists() {
                findings.push(format!("{name}: {target}"));
            }
        }
    }
    none(&findings, "these links lead nowhere");
}

/// The targets of `[text](target)`, code blocks left out.
fn links(source: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in source.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        links.extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
    }
    links
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let places: Vec<String> = ["home", "Users", "root", "work"]
        .iter()
        .map(|dir| format!("/{dir}/"))
        .collect();
    let mut findings = Vec::new();
    for (name, source) in files("") {
        if name.starts_with(FOREIGN) {
            continue;
        }
        for (at, line) in source.lines().enumerate() {
            let found = places.iter().any(|place| {
                let mut before = line
                    .match_indices(place.as_str())
                    .map(|(at, _)| line[..at].chars().last());
                before.any(|c| {
                    c.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-' | '}' | '~'))
                })
            });
            if found {
                findings.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    none(&findings, "these paths exist on one machine only");
}

#[test]
fn every_dependency_has_its_reason() {
    let listed = std::fs::read_to_string(root().join("docs/dependencies.md")).expect("docs/dependencies.md");
    let row = |line: &str| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned());
    let listed: BTreeSet<String> = listed.lines().filter_map(row).collect();
    let mut used = BTreeSet::new();
    for package in packages() {
        for dependency in package["dependencies"].as_array().expect("a list") {
            used.insert(text(dependency, "name").to_owned());
        }
    }
    used.retain(|name| !name.starts_with("towline-"));
    let mut findings: Vec<_> = used
        .difference(&listed)
        .map(|name| format!("{name} has no line"))
        .collect();
    findings.extend(
        listed
            .difference(&used)
            .map(|name| format!("{name} is listed and nobody uses it")),
    );
    none(
        &findings,
        "docs/dependencies.md has a line `| `name` | …` for every dependency, and no other",
    );
}
