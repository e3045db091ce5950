//! `config`: the settings of the node here, with the file that they are in, and a new value for one.
//!
//! Only reads and writes that file. A running node keeps what it was started with; who asks is read
//! from it by each command.

use std::io::Write;

use serde::Serialize;
use toml::{Table, Value};

use super::args::ConfigArgs;
use super::context::Context;
use super::{Trouble, dry, json};
use crate::home::{Config, Home};

#[derive(Serialize)]
struct Page {
    file: String,
    settings: Table,
}

pub(super) fn run(ctx: &Context, args: &ConfigArgs, out: &mut dyn Write) -> Result<(), Trouble> {
    let path = Home::at(ctx.root()?).config_file();
    let config = Config::load(&path).map_err(crate::request::Failure::from)?;
    let shown = match (&args.key, &args.value) {
        (Some(key), Some(value)) if ctx.global.dry_run => {
            let (wanted, _) = Config::changed(&path, key, value)?;
            let value = plain(&wanted.entry(key)?);
            let step = format!("set {key} to {value:?} in {}", path.display());
            return dry::tell(ctx, &[step], out);
        }
        (Some(key), Some(value)) => {
            let config = Config::set(&path, key, value)?;
            ctx.say(takes_effect(key));
            vec![(key.clone(), config.entry(key)?)]
        }
        (Some(key), None) => vec![(key.clone(), config.entry(key)?)],
        (None, _) => config.entries(),
    };
    if ctx.global.json {
        let page = Page {
            file: path.display().to_string(),
            settings: shown.into_iter().collect(),
        };
        out.write_all(json::document("towline.config/v1", page).as_bytes())?;
        return Ok(());
    }
    // The value alone, for scripts that ask for one.
    if let (Some(_), [(_, value)]) = (&args.key, shown.as_slice()) {
        writeln!(out, "{}", plain(value))?;
        return Ok(());
    }
    ctx.say(&path.display().to_string());
    let width = shown.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, value) in &shown {
        let line = format!("{key:<width$}  {}", plain(value));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// From when on a new value counts.
fn takes_effect(key: &str) -> &'static str {
    match key {
        "user" | "busy_timeout" => "it takes effect with the next command",
        "node_name" => "it takes effect for projects that are made or joined from now on",
        _ => "it takes effect at the next start of the node",
    }
}

/// A value as it can be given back to `config`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => super::render::text::clean(text),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::{ctx, typed};
    use crate::home::settings::Promote;

    fn config(ctx: &Context, words: &[&str]) -> Result<String, Trouble> {
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
    fn settings_are_listed_asked_for_and_changed() {
        let folder = tempfile::tempdir().unwrap();
        let mut ctx = ctx(&typed(&["-q", "config"]), folder.path());
        let file = Home::at(folder.path()).config_file();
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        Config::default().store(&file).unwrap();
        let all = config(&ctx, &[]).unwrap();
        assert!(
            all.contains("archive_after  4h\n") && all.contains("promote        manual\n"),
            "{all}"
        );
        assert_eq!(config(&ctx, &["claim_ttl"]).unwrap(), "10m\n");
        assert_eq!(config(&ctx, &["promote", "auto"]).unwrap(), "auto\n");
        assert_eq!(Config::load(&file).unwrap().promote, Promote::Auto);
        let refused = config(&ctx, &["promte", "manual"]).unwrap_err().to_string();
        assert!(refused.contains("there is no setting \"promte\""), "{refused}");
        ctx.global.dry_run = true;
        config(&ctx, &["promote", "manual"]).unwrap();
        assert_eq!(
            Config::load(&file).unwrap().promote,
            Promote::Auto,
            "nothing was done"
        );
        ctx.global.json = true;
        ctx.global.dry_run = false;
        let page: serde_json::Value = serde_json::from_str(&config(&ctx, &[]).unwrap()).unwrap();
        assert_eq!(page["schema"], "towline.config/v1");
        assert_eq!(page["settings"]["mdns"], false);
    }
}
