//! `config`: shows and changes the settings of the project and of this machine.
//!
//! Project settings are read from and written to the project, like everything that its members share. Machine
//! settings are in a file. A running node keeps the settings that it was started with; each command reads the
//! user name from the file.

use std::io::Write;

use serde::Serialize;
use toml::{Table, Value};
use towline_api::conflict_text::means;
use towline_api::document::schema;
use towline_api::request::{Command, Failure, FailureCode, Query, Reply, Request};
use towline_api::types::Setting;
use towline_proto::text;
use towline_store::home::settings::KEYS;
use towline_store::home::{Config, Home};

use super::args::ConfigArgs;
use super::context::Context;
use super::render::text::{ago_phrase, clean};
use super::{CliError, backend, config_file, dry_run, envelope, json};

#[derive(Serialize)]
struct Page {
    file: String,
    settings: Table,
    /// Project settings; absent if they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<Vec<Setting>>,
}

pub(super) fn run(ctx: &Context, args: &ConfigArgs, out: &mut dyn Write) -> Result<(), CliError> {
    match &args.key {
        Some(key) if KEYS.contains(&key.as_str()) => of_project(ctx, key, args.value.as_deref(), out),
        Some(key) => of_machine(ctx, key, args.value.as_deref(), out),
        None => all(ctx, out),
    }
}

fn of_project(ctx: &Context, key: &str, value: Option<&str>, out: &mut dyn Write) -> Result<(), CliError> {
    let one = |settings: Vec<Setting>| {
        settings
            .into_iter()
            .filter(|setting| setting.key == key)
            .collect()
    };
    let Some(value) = value else {
        let settings: Vec<_> = one(query(ctx, false, Request::Query(Query::Settings))?);
        if ctx.global.json {
            return page(ctx, Vec::new(), Some(settings), out);
        }
        for setting in &settings {
            writeln!(out, "{}", clean(&setting.value))?;
            warn_about(ctx, setting);
        }
        return Ok(());
    };
    let set = Request::Command(Command::Set {
        key: key.to_owned(),
        value: Some(value.to_owned()).filter(|value| !value.is_empty()),
    });
    if ctx.global.dry_run {
        query(ctx, true, Request::DryRun { of: Box::new(set) })?;
        let step = format!("set {key} to {:?} in the project", text::show(value, 200));
        return dry_run::print_steps(ctx, &[step], out);
    }
    let settings: Vec<_> = one(query(ctx, true, set)?);
    if ctx.global.json {
        return page(ctx, Vec::new(), Some(settings), out);
    }
    for setting in &settings {
        writeln!(out, "{}", clean(&setting.value))?;
    }
    ctx.say("This applies to all members of the project, as soon as they are in sync.");
    Ok(())
}

fn of_machine(ctx: &Context, key: &str, value: Option<&str>, out: &mut dyn Write) -> Result<(), CliError> {
    let path = Home::at(ctx.root()?).config_file();
    let config = Config::load(&path).map_err(Failure::from)?;
    let known = |failure: Failure| match failure.code {
        FailureCode::Usage if config_file::entry(&config, key).is_err() => Failure::new(
            FailureCode::Usage,
            format!("{}; project settings: {}", failure.message, KEYS.join(", ")),
        ),
        _ => failure,
    };
    let shown = match value {
        Some(value) if ctx.global.dry_run => {
            let (wanted, _) = config_file::changed(&path, key, value).map_err(known)?;
            let value = plain(&config_file::entry(&wanted, key)?);
            let step = format!("set {key} to {value:?} in {}", path.display());
            return dry_run::print_steps(ctx, &[step], out);
        }
        Some(value) => {
            let config = config_file::set(&path, key, value).map_err(known)?;
            ctx.say(takes_effect(key));
            config_file::entry(&config, key)?
        }
        None => config_file::entry(&config, key).map_err(known)?,
    };
    if ctx.global.json {
        return page(ctx, vec![(key.to_owned(), shown)], None, out);
    }
    // The value alone, for scripts that ask for one.
    writeln!(out, "{}", plain(&shown))?;
    Ok(())
}

fn all(ctx: &Context, out: &mut dyn Write) -> Result<(), CliError> {
    let path = Home::at(ctx.root()?).config_file();
    let config = Config::load(&path).map_err(Failure::from)?;
    // Without a project, or where several are here and none is named, there are those of the machine.
    let project = match query(ctx, false, Request::Query(Query::Settings)) {
        Ok(settings) => Some(settings),
        Err(failure) => {
            ctx.say(&format!("cannot show the project settings: {failure}"));
            None
        }
    };
    if ctx.global.json {
        return page(ctx, config.entries(), project, out);
    }
    let machine = config.entries();
    let keys = machine.iter().map(|(key, _)| key.as_str());
    let others = project.iter().flatten().map(|setting| setting.key.as_str());
    let width = keys
        .chain(others)
        .map(super::render::text::width)
        .max()
        .unwrap_or(0);
    let line =
        |key: &str, value: &str| format!("  {}  {value}", super::render::text::pad(&clean(key), width));
    if let Some(settings) = &project {
        writeln!(out, "Project (shared by all nodes):")?;
        for setting in settings {
            let value = clean(&setting.value);
            let by = setting.set.as_ref().map(|set| {
                let ago = ago_phrase(ctx.view.now, set.at);
                format!(
                    "  (set by {} on {}, {ago})",
                    clean(&set.origin.to_string()),
                    clean(&set.node_name)
                )
            });
            let line = line(&setting.key, &format!("{value}{}", by.unwrap_or_default()));
            writeln!(out, "{}", line.trim_end())?;
            warn_about(ctx, setting);
        }
        writeln!(out)?;
    }
    writeln!(out, "This machine ({}):", clean(&path.display().to_string()))?;
    for (key, value) in &machine {
        writeln!(out, "{}", line(key, &plain(value)).trim_end())?;
    }
    Ok(())
}

/// Warns about a setting that is not understood or in conflict.
fn warn_about(ctx: &Context, setting: &Setting) {
    let key = clean(&setting.key);
    if !setting.understood {
        ctx.say(&format!(
            "warning: {key} was set by a newer version of towline; this version uses the default"
        ));
    }
    if let Some(conflict) = &setting.conflict {
        let said: Vec<_> = conflict.sides.iter().map(|side| clean(&means(side))).collect();
        ctx.say(&format!(
            "warning: conflict: {key} was set to {} at the same time; use `towline config {key} VALUE` to choose one",
            said.join(" and to ")
        ));
    }
}

fn query(ctx: &Context, signed: bool, request: Request) -> Result<Vec<Setting>, Failure> {
    let origin = if signed { Some(ctx.origin()?) } else { None };
    match backend::connect(ctx)?.request(envelope(ctx, origin, request))? {
        Reply::Settings(settings) => Ok(settings),
        _ => Err(Failure::new(
            FailureCode::Failure,
            "unexpected reply from the node; it may run another version of towline",
        )),
    }
}

fn page(
    ctx: &Context,
    shown: Vec<(String, Value)>,
    project: Option<Vec<Setting>>,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let page = Page {
        file: Home::at(ctx.root()?).config_file().display().to_string(),
        settings: shown.into_iter().collect(),
        project,
    };
    out.write_all(json::document(schema::CONFIG, page).as_bytes())?;
    Ok(())
}

/// When a new value takes effect.
fn takes_effect(key: &str) -> &'static str {
    match key {
        "user" | "busy_timeout" => "This takes effect with the next command.",
        "node_name" => "This takes effect for projects that are created or joined from now on.",
        _ => "This takes effect at the next start of the node.",
    }
}

/// A value as it can be given back to `config`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{ctx, typed};
    use towline_engine::in_home::make_project;
    use towline_store::home::key;

    fn config(ctx: &Context, words: &[&str]) -> Result<String, CliError> {
        let mut words = words.iter().map(|word| (*word).to_owned());
        let args = ConfigArgs {
            key: words.next(),
            value: words.next(),
        };
        let mut out = Vec::new();
        run(ctx, &args, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn settings_are_listed_asked_for_and_changed_where_they_belong() {
        let folder = tempfile::tempdir().unwrap();
        let mut ctx = ctx(&typed(&["-q", "--as", "ann", "config"]), folder.path());
        let home = Home::at(folder.path());
        let file = home.config_file();
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        Config::default().store(&file).unwrap();
        let alone = config(&ctx, &[]).unwrap();
        assert!(alone.contains("mdns") && !alone.contains("promote"), "{alone}");
        let key = key::create(&home.key_file()).unwrap();
        make_project(&home, &key, "shop", "desk").unwrap();
        let all = config(&ctx, &[]).unwrap();
        assert!(
            all.contains("archive_after  7d\n") && all.contains("promote        manual\n"),
            "{all}"
        );
        assert!(all.find("promote") < all.find("This machine"), "{all}");
        assert_eq!(config(&ctx, &["claim_ttl"]).unwrap(), "10m\n");
        assert_eq!(config(&ctx, &["promote", "auto"]).unwrap(), "auto\n");
        assert_eq!(config(&ctx, &["promote"]).unwrap(), "auto\n");
        assert!(config(&ctx, &[]).unwrap().contains("auto  (set by ann on desk"));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("promote"), "{text}");
        let refused = config(&ctx, &["promte", "manual"]).unwrap_err().to_string();
        assert!(
            refused.contains("unknown setting \"promte\"") && refused.contains("retry_limit"),
            "{refused}"
        );
        let refused = config(&ctx, &["retry_limit", "0"]).unwrap_err().to_string();
        assert!(refused.contains("1 to 1000"), "{refused}");
        ctx.global.dry_run = true;
        config(&ctx, &["promote", "manual"]).unwrap();
        assert!(config(&ctx, &["promote", "often"]).is_err());
        ctx.global.dry_run = false;
        assert_eq!(
            config(&ctx, &["promote"]).unwrap(),
            "auto\n",
            "the dry run changed nothing"
        );
        assert_eq!(config(&ctx, &["promote", ""]).unwrap(), "manual\n", "the default");
        ctx.global.json = true;
        let page: serde_json::Value = serde_json::from_str(&config(&ctx, &[]).unwrap()).unwrap();
        assert_eq!(page["schema"], "towline.config/v1");
        assert_eq!(page["settings"]["mdns"], true);
        assert_eq!(page["project"][0]["key"], "promote");
    }
}
